"""control_tokens: which spellings are looked for, and how they become harmless."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.errors import CurationError
from curation.turns.control_tokens import (
    CONTROL_TOKENS,
    added_tokens,
    lacks_opening_think,
    spellings,
    thinking_is_balanced,
)

ALL = spellings(CONTROL_TOKENS)


def tokenizer(folder: Path, *tokens: tuple[str, bool]) -> Path:
    entries = [
        {"id": i, "content": content, "special": special} for i, (content, special) in enumerate(tokens)
    ]
    (folder / "tokenizer.json").write_text(json.dumps({"added_tokens": entries}), encoding="utf-8")
    return folder


@pytest.mark.parametrize("token", CONTROL_TOKENS)
def test_every_token_is_found_and_neutralised(token):
    text = f"before {token} after"
    assert ALL.find(text) is not None
    neutral, count = ALL.neutralise(text)
    assert count == 1
    assert neutral == f"before {token[0]} {token[1:]} after"
    assert ALL.find(neutral) is None


@pytest.mark.parametrize(
    "text",
    [
        "a <|> b",
        "x < y | z",
        "List<string>",
        "<b>bold</b>",
        "[INSTALL]",
        "<table>",
        "f(a)<|> g",
        "</tool>",
        "<end>",
    ],
)
def test_ordinary_code_spells_no_token(text):
    assert ALL.find(text) is None


@pytest.mark.parametrize(
    ("spelt", "token", "neutral"),
    [
        (r'{"x":"<\/tool_call>"}', "</tool_call>", r'{"x":"< \/tool_call>"}'),
        (r'{"x":"\u003cthink>"}', None, r'{"x":"\u003cthink>"}'),
        (r'{"x":"\u003C|im_\u0065nd|>"}', "<|im_end|>", r'{"x":"\u003C |im_\u0065nd|>"}'),
        (
            r'{"x":"<\uff5cUser\uFF5c>","y":1.50}',
            "<\uff5cUser\uff5c>",
            r'{"x":"< \uff5cUser\uFF5c>","y":1.50}',
        ),
    ],
)
def test_escapes_hide_no_token_in_json(spelt, token, neutral):
    assert ALL.find_json(spelt) == token
    assert ALL.neutralise_json(spelt) == (neutral, int(token is not None))
    json.loads(neutral)


def test_the_longest_token_is_named():
    assert spellings(["<|end", "<|end|>"]).find("x<|end|>") == "<|end|>"


def test_no_tokens_find_nothing():
    assert spellings([]).find("<|im_end|>") is None


def test_a_tokenizer_adds_its_own_control_tokens_and_not_its_ordinary_ones(tmp_path):
    folder = tokenizer(
        tmp_path,
        ("<|mine|>", False),
        ("<extra_0>", True),
        ("<table>", False),
        ("    ", True),
        ("<think>", False),
        ("<tool_call>", False),
    )
    assert added_tokens(folder) == ("<|mine|>", "<extra_0>", "<tool_call>")
    assert added_tokens(folder / "tokenizer.json") == added_tokens(folder)


def test_an_unreadable_tokenizer_is_named(tmp_path):
    with pytest.raises(CurationError, match=r"tokenizer\.json: not a tokenizer.json with `added_tokens`"):
        added_tokens(Path((tmp_path / "tokenizer.json").write_text("[]") and tmp_path))
    with pytest.raises(CurationError, match=r"none: cannot read the tokenizer"):
        added_tokens(tmp_path / "none")


def test_the_real_tokenizer_is_read(corpus):
    tokens = added_tokens(corpus / "tokenizer_r1_distill")
    assert {"<\uff5cUser\uff5c>", "<\uff5cend▁of▁sentence\uff5c>", "<|EOT|>", "</tool_call>"} <= set(tokens)
    assert "<think>" not in tokens


@pytest.mark.parametrize(
    ("text", "balanced", "unopened"),
    [
        ("<think>a</think>b", True, False),
        ("plain", True, False),
        ("<think></think><think></think>", True, False),
        ("a</think>b", False, True),
        ("<think>a", False, False),
        ("<think><think>a</think></think>", False, False),
        ("a</think>b</think>", False, False),
    ],
)
def test_thinking(text, balanced, unopened):
    assert thinking_is_balanced(text) is balanced
    assert lacks_opening_think(text) is unopened


@settings(deadline=None)
@given(
    st.lists(st.sampled_from([*CONTROL_TOKENS, "<", "<|", "|>", " ", "\\", "/", "a", "[", "\\u003c"])).map(
        "".join
    )
)
def test_neutral_text_is_left_alone(text):
    for neutralise in (ALL.neutralise, ALL.neutralise_json):
        neutral, _ = neutralise(text)
        assert neutralise(neutral) == (neutral, 0)
