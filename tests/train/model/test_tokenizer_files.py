"""The tokenizer and the stops that leave this machine: transformers, 4 and 5, reads them as training did."""

# ruff: noqa: RUF001 - DeepSeek spells its role tokens with fullwidth bars.

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from tiny_adapter import tiny_adapter, tiny_base
from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig, LogitsProcessor

from curation.errors import Refusal
from curation.rendering.template import built_in
from curation.row import message
from train.data.encoding import Encoder
from train.model.tokenizer_files import check_before, check_tokenizer, expected, stop_ids, write_tokenizer
from train.ship.merge import merge
from train.use.inference import prompt_ids

BOS, END = "<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>"
# As tokenizer_config.json of DeepSeek-R1-Distill-Qwen-32B says, over a byte-level vocabulary.
DISTILL = {
    "add_bos_token": True,
    "add_eos_token": False,
    "bos_token": {
        "__type": "AddedToken",
        "content": BOS,
        "lstrip": False,
        "normalized": True,
        "rstrip": False,
    },
    "eos_token": END,
    "pad_token": END,
    "legacy": True,
    "sp_model_kwargs": {},
    "unk_token": None,
    "model_max_length": 16384,
    "tokenizer_class": "LlamaTokenizerFast",
}
ASKED = [message("user", "How  many?\n\n")]


def bos_adding(folder: Path) -> Path:
    """The folder, its tokenizer made one that begins every text with BOS."""
    document = json.loads((folder / "tokenizer.json").read_text())
    (number,) = (token["id"] for token in document["added_tokens"] if token["content"] == BOS)
    single = [{"SpecialToken": {"id": BOS, "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}]
    document["post_processor"] = {
        "type": "TemplateProcessing",
        "single": single,
        "pair": [*single, {"Sequence": {"id": "B", "type_id": 1}}],
        "special_tokens": {BOS: {"id": BOS, "ids": [number], "tokens": [BOS]}},
    }
    (folder / "tokenizer.json").write_text(json.dumps(document))
    return folder


@pytest.fixture
def base(tmp_path) -> Path:
    folder = tiny_base(tmp_path / "base")
    (folder / "tokenizer_config.json").write_text(json.dumps(DISTILL))
    return bos_adding(folder)


def written(source: Path, folder: Path, thinking: Any = "as_is") -> Encoder:
    """The encoder of training; what is written of its tokenizer lies in `folder`."""
    encoder = Encoder(source, built_in("aj_r1", thinking))
    folder.mkdir()
    write_tokenizer(source, folder, encoder.template)
    return encoder


def test_a_folder_reads_as_training_and_begins_no_text_twice(tmp_path, base):
    encoder = written(base, tmp_path / "out")
    check_tokenizer(tmp_path / "out", encoder)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "out")
    text = encoder.template.render(ASKED, None, add_generation_prompt=True)
    assert tokenizer(text)["input_ids"] == prompt_ids(encoder, ASKED, None)
    asked = tokenizer.apply_chat_template(ASKED, add_generation_prompt=True)
    assert asked["input_ids"] == prompt_ids(encoder, ASKED, None)
    assert tokenizer.eos_token == END


@pytest.mark.parametrize("thinking", [True, False])
def test_thinking_is_switched_in_transformers_as_here(tmp_path, base, thinking):
    encoder = written(base, tmp_path / "out", "empty")
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "out")
    asked = tokenizer.apply_chat_template(ASKED, add_generation_prompt=True, enable_thinking=thinking)
    assert asked["input_ids"] == prompt_ids(encoder, ASKED, None, thinking=thinking)


def test_what_transformers_reads_otherwise_is_refused_with_the_text(tmp_path, base):
    encoder = Encoder(base, built_in("aj_r1"))
    (base / "config.json").unlink()
    with pytest.raises(Refusal, match=r"reads this tokenizer otherwise than training did: ids .* against"):
        check_tokenizer(base, encoder)
    check_before(base, encoder)


def test_the_tokenizer_of_the_distilled_base_reads_as_training(tmp_path, corpus):
    keys = (corpus / "tokenizer_r1_distill_hub/tokenizer_config.json").read_bytes()
    source = tmp_path / "source"
    source.mkdir()
    (source / "tokenizer.json").symlink_to(corpus / "tokenizer_r1_distill/tokenizer.json")
    (source / "tokenizer_config.json").write_bytes(keys)
    encoder = written(source, tmp_path / "out")
    check_tokenizer(tmp_path / "out", encoder)
    with pytest.raises(Refusal, match="otherwise than training did"):
        check_tokenizer(source, encoder)


READ_BACK = """
import json, sys
import transformers
folder, = sys.argv[1:]
tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
told = [[tokenizer(t)["input_ids"], tokenizer.decode(ids)] for t, ids in json.load(sys.stdin)]
stops = transformers.GenerationConfig.from_pretrained(folder).eos_token_id
print(json.dumps([transformers.__version__, tokenizer.eos_token, stops, told]))
"""


@pytest.mark.slow
@pytest.mark.transformers4
@pytest.mark.parametrize("kind", ["adapter", "merged"])
def test_transformers_4_reads_the_same(tmp_path, base, kind):
    adapter = tiny_adapter(tmp_path / "lora", tiny_base(tmp_path / "own"))
    folder = adapter
    if kind == "merged":
        merge(adapter, tmp_path / "merged")
        folder = tmp_path / "merged"
    else:
        write_tokenizer(base, adapter, built_in("aj_r1"))
        (adapter / "generation_config.json").write_text(json.dumps({"eos_token_id": [1, 2]}))
    encoder = Encoder(folder, built_in("aj_r1"))
    texts = list(expected(encoder))
    done = subprocess.run(
        [os.environ["AJ_TRANSFORMERS_4"], "-W", "ignore", "-c", READ_BACK, str(folder)],
        input=json.dumps(texts),
        capture_output=True,
        text=True,
        check=True,
    )
    version, eos, stops, told = json.loads(done.stdout)
    assert version.startswith("4.")
    assert eos == END
    assert stops
    for (text, ids), (found, decoded) in zip(texts, told, strict=True):
        assert found == ids, text
        assert decoded == encoder.whole.decode(ids, skip_special_tokens=False)


class Says(LogitsProcessor):
    """Makes a model say ids, whatever it would."""

    def __init__(self, ids: list[int], asked: int) -> None:
        self.ids, self.asked = ids, asked

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        scores[:] = -1e9
        scores[:, self.ids[min(input_ids.shape[1] - self.asked, len(self.ids) - 1)]] = 0
        return scores


@pytest.mark.parametrize("said", ["the template's end", "the base's own end"])
@pytest.mark.parametrize("kind", ["adapter", "merged"])
def test_plain_generate_stops(tmp_path, kind, said):
    base = tiny_base(tmp_path / "base")
    config = json.loads((base / "config.json").read_text())
    own = config["eos_token_id"] = 7
    (base / "config.json").write_text(json.dumps(config))
    (base / "generation_config.json").write_text(json.dumps({"eos_token_id": own}))
    adapter = tiny_adapter(tmp_path / "lora", base)
    merge(adapter, tmp_path / "merged")
    folder = tmp_path / "merged"
    tokenizer: Any = AutoTokenizer.from_pretrained(folder)
    model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype="float32")
    if kind == "adapter":
        model = AutoModelForCausalLM.from_pretrained(base, dtype="float32")
        model = PeftModel.from_pretrained(model, adapter)
        model.generation_config = GenerationConfig.from_pretrained(folder)
    end = tokenizer.convert_tokens_to_ids(END)
    asked = tokenizer.apply_chat_template(ASKED, add_generation_prompt=True, return_tensors="pt")
    length = asked["input_ids"].shape[1]
    ids = [20, 21, end if said == "the template's end" else own, 22, 22]
    made = model.generate(**asked, logits_processor=[Says(ids, length)], max_new_tokens=6)
    assert made[0, length:].tolist() == ids[:3]
    assert json.loads((folder / "config.json").read_text())["eos_token_id"] == [end, own]


def test_stops_are_the_end_of_a_turn_and_the_bases_own_each_once():
    assert stop_ids(5, {"eos_token_id": 5}, {"eos_token_id": [7, 5]}) == [5, 7]
    assert stop_ids(5, {}, {"eos_token_id": None}) == [5]
