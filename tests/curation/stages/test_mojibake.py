"""Mojibake is mended whole or flagged, as ftfy's published cases have it, and good text is left alone."""

import json
from collections import Counter
from itertools import product
from pathlib import Path

import polars as pl
import pytest
from ftfy.badness import MOJIBAKE_CATEGORIES, is_bad
from hypothesis import given
from hypothesis import strategies as st

from curation.row import decode, frame, read_notes
from curation.stages.mojibake import HINT, left, mend
from curation.stages.normalise import clean, normalise

CASES = json.loads((Path(__file__).parents[2] / "data" / "ftfy_cases" / "test_cases.json").read_text("utf-8"))
SENTENCES = [
    "H\u0131rs\u0131z\u0131 b\u00fcy\u00fctt\u00fcler, \u015fimdi a\u011fl\u0131yorlar.",
    "Za\u017c\u00f3\u0142\u0107 g\u0119\u015bl\u0105 ja\u017a\u0144.",
    "Ti\u1ebfng Vi\u1ec7t r\u1ea5t \u0111\u1eb9p.",
    "\u041f\u0440\u0438\u0432\u0435\u0442, \u043a\u0430\u043a \u0434\u0435\u043b\u0430?",
    "\u039a\u03b1\u03bb\u03b7\u03bc\u03ad\u03c1\u03b1 \u03ba\u03cc\u03c3\u03bc\u03b5.",
    "\u0645\u0631\u062d\u0628\u0627 \u0628\u0627\u0644\u0639\u0627\u0644\u0645",
    "\u05e9\u05dc\u05d5\u05dd \u05e2\u05d5\u05dc\u05dd",
    "\u0928\u092e\u0938\u094d\u0924\u0947 \u0926\u0941\u0928\u093f\u092f\u093e",
    "\u0e20\u0e32\u0e29\u0e32\u0e44\u0e17\u0e22",
    "\u3053\u3093\u306b\u3061\u306f\u4e16\u754c",
    "\uc548\ub155\ud558\uc138\uc694 \uc138\uacc4",
    "\u4f60\u597d\uff0c\u4e16\u754c\u3002",
    "Great job \U0001f44d\U0001f389",
]
ENCODINGS = ["latin-1", *(f"sloppy-windows-{page}" for page in (1250, 1251, 1252, 1254))]
mixed = st.text(
    st.sampled_from([*"".join(MOJIBAKE_CATEGORIES.values()).replace("-", ""), *" aZ.\n\u00c3\u00d1\u0441"]),
    max_size=12,
)


def cleaned(text: str) -> str:
    return clean(text, "NFC", Counter(), trim=False)


def misread(text: str, encoding: str, times: int = 1) -> str:
    for _ in range(times):
        text = text.encode().decode(encoding)
    return text


def case_id(case: dict[str, str]) -> str:
    return case["label"]


@pytest.mark.parametrize("case", [c for c in CASES if c["expect"] == "pass"], ids=case_id)
def test_published_cases_are_read_as_ftfy_reads_them(case):
    # What is removed or spelt as a space whatever encoding it came by.
    plain = str.maketrans({"\u00a0": " ", "\u2800": " ", "\x1a": None, "\x81": None})
    assert cleaned(case["original"]) == case.get("fixed-encoding", case["fixed"]).translate(plain)


@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("sentence", SENTENCES)
def test_every_script_comes_back_from_every_encoding(sentence, encoding, times):
    assert cleaned(misread(sentence, encoding, times)) == sentence


@pytest.mark.parametrize("sentence", SENTENCES)
def test_good_lines_beside_a_misread_one_stay(sentence):
    assert cleaned(f"{sentence}\n{misread(sentence, 'latin-1')}") == f"{sentence}\n{sentence}"


@pytest.mark.parametrize(
    "text",
    [
        "27.24 \u00c5\u00b3, of 3 \u00c5\u00b2",
        "f(x) = x\u00b2 \u00b1 \u221a\u2248",
        "\u0130\u0130BF \u00c7\u011eI",
        "\u00ab\u00c7a\u00bb, d\u00e9j\u00e0\u2026 l\u2019\u00e9t\u00e9",
        "\u041d\u0415\u0422, \u00ab\u0414\u0430\u00bb \u2014 \u2116 5\u2026",
        "\u0407\u0457, \u041c\u0456\u0439 \u0454",
        "( \u02d8 \u00b3\u02d8) \u2020\u2261\u25b2\u25b2\u2261\u2020",
        "\u2554\u2550\u2550\u2557\n\u2551  \u2551",
        "_Malv\u0153._ Of Mallows",
        "\u201cSim\u201d \u2013 S\u00c3O PAULO \u00c9 A MAIOR",
    ],
)
def test_good_text_stays_and_is_not_flagged(text):
    assert cleaned(text) == text
    assert left(text) == 0


def test_mojibake_with_lost_bytes_is_flagged():
    texts = ["it\u00e2\u20acs", "Sloven\u00c4\ufffdina", "fine"]
    kept, _ = normalise(frame([[{"role": "user", "content": text}] for text in texts]))
    flags = [[entry.get("flag") for entry in read_notes(notes)] for notes in kept["notes"]]
    assert flags == [["mojibake"], [None, "replacement_character"], []]
    assert normalise(kept).kept.equals(kept)


def test_the_hint_sees_every_pair_that_ftfy_takes_for_mojibake():
    signs = [*"".join(map(chr, range(0x80, 0x460))), *"".join(MOJIBAKE_CATEGORIES.values()), *" aZ\n"]
    pairs = pl.Series([a + b for a, b in product(dict.fromkeys(signs), repeat=2)])
    unseen = pairs.filter(~pairs.str.contains(HINT))
    assert not [pair for pair in unseen if is_bad(pair)]


@given(mixed)
def test_the_hint_sees_every_text_that_ftfy_takes_for_mojibake(text):
    assert pl.Series([text]).str.contains(HINT)[0] or not is_bad(text)


@given(mixed | st.text(max_size=8).map(lambda text: misread(text, "latin-1")))
def test_mending_twice_changes_nothing_more(text):
    assert mend(mend(text)) == mend(text)
    assert cleaned(cleaned(text)) == cleaned(text)


@given(st.lists(mixed, max_size=6))
def test_no_row_changes_what_another_becomes(texts):
    rows = frame([[{"role": "user", "content": text}] for text in texts])
    together = normalise(rows).kept["messages"].to_list()
    assert together == [normalise(rows[i]).kept["messages"][0] for i in range(len(texts))]
    assert all(decode(messages) for messages in together)
