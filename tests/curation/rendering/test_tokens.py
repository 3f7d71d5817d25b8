"""Counting tokens: exactly what `tokenizers` would say."""

import random
import re
import threading
from pathlib import Path

import numpy as np
import orjson
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_tokenizer import ROLE_TOKENS, train_tokenizer
from tokenizers import Regex
from tokenizers.pre_tokenizers import Split
from transformers import PreTrainedTokenizerFast

from benchmarks.tokens import measure, tiktoken_count
from curation.errors import RecipeError
from curation.rendering.template import load_template
from curation.rendering.tokens import (
    NFC_GROWS,
    Counter,
    KernelCounter,
    ReferenceCounter,
    character_classes,
    count_rows,
    grows_under_nfc,
    kernel_digits,
    load_counter,
    overlap,
)
from curation.row import frame

# Pieces that meet at the borders of the Split pattern.
PIECES = (
    *ROLE_TOKENS,
    *("<th", "<｜", "'", "'s", "'S", "'\u017f", "'ll", "'LL", "'re", "'Ve", "'d", "don't"),  # noqa: RUF001
    *("the", " and", " of", "ing", "http", "://", "{}", '"x":', "½", "²", "٣", "12345", "é", "ñ"),
    *(" ", "  ", "\n", "\r\n", "\n \n", "\t", " \t ", "\u00a0", "\u3000", "\u2028", "\x85", "\x1c", "\x00"),
    *(
        "你好世界",
        "한국어",
        "Привет",
        "नमस्ते",
        "e\u0301",
        "\u0301",
        "\u0958",
        "\u200b",
        "👩\u200d🔬",
        "\ufffd",
        "\U0002a6d7",
    ),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train_tokenizer(tmp_path_factory.mktemp("tokenizer"))


@pytest.fixture(scope="module")
def counter(folder: Path) -> Counter:
    return load_counter(folder)


@pytest.fixture(scope="module")
def reference(folder: Path) -> Counter:
    return ReferenceCounter(folder / "tokenizer.json")


def jumble(seed: int, rows: int) -> list[str]:
    chance = random.Random(seed)
    return ["".join(chance.choices(PIECES, k=chance.randrange(40))) for _ in range(rows)]


def test_the_kernel_counts_a_byte_level_bpe_with_a_known_pattern(counter):
    assert isinstance(counter, KernelCounter)


@given(st.lists(st.text(max_size=60), max_size=5))
@settings(max_examples=200, deadline=None)
def test_counts_equal_those_of_tokenizers_on_any_text(counter, reference, texts):
    assert counter.count(texts) == reference.count(texts)


def test_counts_equal_those_of_tokenizers_where_words_meet(counter, reference):
    texts = jumble(1, 3000)
    assert counter.count(texts) == reference.count(texts)


def test_counts_equal_those_of_tokenizers_on_the_real_vocabulary(corpus):
    folder = corpus / "tokenizer_r1_distill"
    counter, reference = load_counter(folder), ReferenceCounter(folder / "tokenizer.json")
    lines = (corpus / "aj_context_switching" / "context_switching.jsonl").read_text(encoding="utf-8-sig")
    book = (corpus / "herbal_simples").glob("*.txt")
    latin = next(book).read_bytes().decode("latin-1")
    texts = [*lines.split("\n"), *latin[:200_000].split("\r\n\r\n"), *jumble(2, 3000)]
    assert isinstance(counter, KernelCounter)
    assert counter.count(texts) == reference.count(texts)


def test_counts_equal_those_of_transformers(folder, counter):
    tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(folder / "tokenizer.json"))
    texts = jumble(3, 100)
    assert counter.count(texts) == [
        len(tokenizer(text, add_special_tokens=False).input_ids) for text in texts
    ]


@pytest.mark.parametrize("digits", [r"\p{N}", r"\p{N}{1,3}"])
@pytest.mark.parametrize("normalise", [True, False])
def test_both_patterns_are_known_with_and_without_normalisation(tmp_path, digits, normalise):
    split = (
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|" + digits + r"| ?[^\s\p{L}\p{N}]+[\r\n]*"
        r"|\s*[\r\n]+|\s+(?!\S)|\s+"
    )
    folder = train_tokenizer(tmp_path, normalise=normalise, split=split)
    counter, texts = load_counter(folder), jumble(4, 500)
    assert isinstance(counter, KernelCounter)
    assert counter.count(texts) == ReferenceCounter(folder / "tokenizer.json").count(texts)


def test_a_tokenizer_without_added_tokens_is_counted_too(tmp_path):
    folder, texts = train_tokenizer(tmp_path, added=False), jumble(8, 200)
    counter = load_counter(folder)
    assert isinstance(counter, KernelCounter)
    assert counter.count(texts) == ReferenceCounter(folder / "tokenizer.json").count(texts)


def test_another_pattern_is_left_to_tokenizers(tmp_path):
    assert isinstance(load_counter(train_tokenizer(tmp_path, split=r"\S+|\s+")), ReferenceCounter)


@pytest.mark.parametrize(
    "change",
    [
        {"model": {"ignore_merges": True}},
        {"model": {"byte_fallback": True}},
        {"model": {"type": "Unigram"}},
        {"normalizer": {"type": "NFKC"}},
        {"pre_tokenizer": {"type": "Whitespace", "pretokenizers": None}},
        {"added_tokens": [{"content": "<x>", "lstrip": True, "rstrip": False, "single_word": False}]},
    ],
)
def test_the_kernel_leaves_what_it_does_not_know(folder, change):
    document = orjson.loads((folder / "tokenizer.json").read_bytes())
    assert kernel_digits(document) == 1
    for key, value in change.items():
        document[key] = {**document[key], **value} if isinstance(value, dict) else value
    assert kernel_digits(document) is None


@given(st.text("abcde the\n=你好", min_size=150, max_size=900).map(lambda text: text.replace(" ", "")))
@settings(max_examples=100, deadline=None)
def test_long_words_are_merged_alike(counter, reference, text):
    assert counter.count([text]) == reference.count([text])


@pytest.mark.parametrize(
    "text", ["a" * 5000, "=" * 5000, "字" * 1000 + "!", "\n" * 5000, " " * 5000 + "x", "garden" * 900]
)
def test_very_long_words_are_merged_alike(counter, reference, text):
    assert counter.count([text, "after it"]) == reference.count([text, "after it"])


def test_text_that_is_not_normalised_is_normalised_between_added_tokens(counter, reference):
    texts = ["<think>\u0338e\u0301</think>\u0301<｜User｜>", "\u0958<|im_end|>a\u0327\u0301", "\u212a\u037e"]  # noqa: RUF001
    assert counter.count(texts) == reference.count(texts)


def test_the_benchmark_counts_alike_with_all_three(folder, counter, reference):
    texts = [text for text in jumble(7, 50) if text.isascii()]
    contenders = {"ours": counter.count, "tiktoken": tiktoken_count(folder), "tokenizers": reference.count}
    speeds = measure(texts, contenders)
    assert all(speed > 0 for speed in speeds.values())
    with pytest.raises(SystemExit, match=r"wrong counts \d+ of \d+ rows otherwise"):
        measure(texts, contenders | {"wrong": lambda texts: [0] * len(texts)})


def test_no_texts_and_empty_texts(counter):
    assert counter.count([]) == []
    assert counter.count(["", "a", ""]) == [0, 1, 0]


def test_bytes_bound_tokens(counter):
    for text in jumble(5, 300):
        grown = len(re.findall(NFC_GROWS, text)) * 9
        assert counter.count([text])[0] <= counter.upper_bound(len(text.encode()) + grown)


def test_the_characters_that_grow_under_nfc_are_listed():
    assert "".join(re.findall(NFC_GROWS, "".join(map(chr, range(0xD800))))) == "".join(
        c for c in grows_under_nfc() if c < "\ud800"
    )
    assert all(re.match(NFC_GROWS, c) for c in grows_under_nfc())


def test_no_letters_numbers_or_spaces_stand_beyond_plane_3():
    text = "".join(map(chr, [*range(0xE0000, 0xE1000), *range(0x1F000, 0x20000), 0x40000, 0x10FFFD]))
    found = [piece for piece, _ in Split(Regex(r"[\p{L}\p{N}\s]"), "isolated").pre_tokenize_str(text)]
    assert all(ord(piece) < 0x40000 for piece in found if len(piece) == 1 and ord(piece) > 0x3FFFF)
    assert character_classes()[ord("a")] == 1
    assert character_classes()[ord("字")] == 1
    assert character_classes()[ord("٣")] == 2
    assert character_classes()[0x3000] == 3


def test_threads_may_share_a_counter(counter, reference):
    texts = jumble(6, 2000)
    expected, found = reference.count(texts), {}
    threads = [threading.Thread(target=lambda k=k: found.update({k: counter.count(texts)})) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(found[k] == expected for k in range(4))


def test_tokens_that_overlap_are_seen():
    assert overlap("<a>", "><")
    assert overlap("<abc>", "b")
    assert not overlap("<a>", "<ab>")


def test_count_rows_gives_the_tokens_column(folder, counter, reference):
    rows = frame([[{"role": "user", "content": "hi"}, {"role": "assistant", "content": "hello"}]])
    tokens = count_rows(rows, counter, load_template("aj_r1", folder))
    text = "<｜begin▁of▁sentence｜><｜User｜>hi<｜Assistant｜>hello<｜end▁of▁sentence｜>"  # noqa: RUF001
    assert tokens.dtype == pl.UInt32
    assert tokens.to_list() == reference.count([text])
    assert len(count_rows(rows.clear(), counter, load_template("aj_r1", folder))) == 0


def test_a_missing_or_broken_tokenizer_is_one_line(tmp_path):
    with pytest.raises(RecipeError, match=r"tokenizer\.json is missing; a tokenizer is a folder"):
        load_counter(tmp_path)
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(RecipeError, match=r"tokenizer: .*tokenizer\.json: "):
        load_counter(tmp_path)


def test_counts_are_plain_integers(counter):
    assert [type(n) for n in counter.count(["a b", "c"])] == [int, int]
    assert not isinstance(counter.count(["a"])[0], np.integer)
