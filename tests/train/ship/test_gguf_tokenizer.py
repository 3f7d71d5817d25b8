"""A tokenizer written to a GGUF file and read back gives every text the same ids."""

# ruff: noqa: RUF001 - texts of many scripts, and DeepSeek's role tokens with fullwidth bars.

from pathlib import Path

import gguf
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_tokenizer import ROLE_TOKENS, SENTENCES, train_tokenizer

from curation.errors import Refusal
from curation.rendering.template import built_in
from train.data.encoding import Encoder
from train.ship.gguf_tokenizer import PRE_TOKENIZERS, read_vocabulary, tokenizer_document
from train.ship.gguf_writer import add_vocabulary

TEXTS = [
    *SENTENCES,
    *ROLE_TOKENS,
    "<｜User｜>Hello<｜Assistant｜><think>\n\n</think>12345 it's<|im_end|>\t \r\n",
    "e\u0301 and \u00e9, \ufb01 \u212b, 가 and \u1100\u1161, \U0001f469\u200d\U0001f4bb \x00\x7f\ufeff",
    "Ġ Ċ <｜User <|im_start <think>> [PAD700]",
    "",
]


def written(folder: Path, file: Path, size: int) -> Path:
    """A GGUF file with the tokenizer of a folder and nothing else."""
    writer = gguf.GGUFWriter(file, "qwen2")
    add_vocabulary(writer, read_vocabulary(folder, size))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
    return file


def pair(folder: Path, file: Path, size: int) -> tuple[Encoder, Encoder]:
    """The encoder of a tokenizer folder, and that of a GGUF file made of it."""
    document = tokenizer_document(written(folder, file, size))
    return Encoder(folder, built_in("aj_r1")), Encoder(file, built_in("aj_r1"), document=document)


def same(ours: Encoder, theirs: Encoder, text: str) -> bool:
    """Whether both cut a text alike, with and without control tokens, and write it back alike."""
    ids = ours.whole.encode(text, add_special_tokens=False).ids
    return (
        theirs.whole.encode(text, add_special_tokens=False).ids == ids
        and theirs.plain.encode(text).ids == ours.plain.encode(text).ids
        and theirs.whole.decode(ids, skip_special_tokens=False)
        == ours.whole.decode(ids, skip_special_tokens=False)
    )


@pytest.mark.parametrize("normalise", [True, False])
@pytest.mark.parametrize("split", PRE_TOKENIZERS, ids=PRE_TOKENIZERS.get)
def test_every_text_has_the_same_ids(tmp_path, normalise, split):
    folder = train_tokenizer(tmp_path, normalise=normalise, split=split)
    ours, theirs = pair(folder, tmp_path / "x.gguf", 700)
    assert (theirs.added, theirs.end_id) == (ours.added, ours.end_id)
    assert all(same(ours, theirs, text) for text in TEXTS)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tiny")
    return pair(train_tokenizer(folder), folder / "x.gguf", 700)


@given(st.lists(st.one_of(st.sampled_from(ROLE_TOKENS), st.text(max_size=20))))
@settings(max_examples=300, deadline=None)
def test_made_up_text_has_the_same_ids(tiny, parts):
    assert same(*tiny, "".join(parts))


def test_a_spelled_control_token_is_text_for_both(tiny):
    said = [{"role": "user", "content": "say <｜Assistant｜> and </think>"}]
    rows = [[one.ids.tolist() for one in encoder.examples([(
        [*said, {"role": "assistant", "content": "no"}], None)])[0]] for encoder in tiny]  # fmt: skip
    assert rows[0] == rows[1]
    assert rows[0][0].count(tiny[0].added["<｜Assistant｜>"]) == 1


def test_a_file_without_a_tokenizer_of_ours_is_refused(tmp_path):
    writer = gguf.GGUFWriter(tmp_path / "x.gguf", "llama")
    writer.add_tokenizer_model("llama")
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
    with pytest.raises(Refusal, match=r"x\.gguf: no tokenizer in it that is one of qwen2, llama-bpe"):
        tokenizer_document(tmp_path / "x.gguf")


@pytest.mark.corpus
def test_the_real_vocabulary_reads_back_with_the_same_ids(tmp_path, corpus):
    ours, theirs = pair(corpus / "tokenizer_r1_distill", tmp_path / "x.gguf", 152_064)
    assert theirs.whole.get_vocab() == ours.whole.get_vocab()
    assert theirs.largest_id == ours.largest_id
    files = [
        "herbal_old_english/33654-0.txt",
        "swe_agent_traj/crypto__eps.traj",
        "tau_bench/gpt-4o-airline.json",
    ]
    read = [(corpus / name).read_text("utf-8", "ignore")[:300_000] for name in files]
    assert all(same(ours, theirs, text) for text in [*TEXTS, *read])
