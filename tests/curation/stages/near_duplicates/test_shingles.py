"""Words and shingles: DESIGN.md §7, in any script."""

import re
import sys

import numpy as np
import pytest

from curation.stages.near_duplicates.shingles import (
    JOINERS,
    LETTER,
    MARK,
    OTHER,
    WORD,
    character_classes,
    jaccard,
    shingles,
    words,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The QUICK, brown_fox 42!", ["the", "quick", "brown_fox", "42"]),
        ("Straße", ["strasse"]),
        ("CAFÉ cafe\u0301", ["café", "cafe\u0301"]),
        ("don\u2019t", ["don", "t"]),
        ("İstanbul", ["i\u0307stanbul"]),
        ("ﬁn K \u017f", ["fin", "k", "s"]),
        ("हिन्दी भाषा", ["हिन्दी", "भाषा"]),
        ("Ελληνικά ΠΛΗΣ", ["ελληνικά", "πλησ"]),
        ("你好。世界", ["你", "好", "世", "界"]),
        ("ひらカナー", ["ひ", "ら", "カ", "ナ", "ー"]),
        ("สวัสดี", ["ส", "ว", "ั", "ส", "ด", "ี"]),
        ("한국어 문장", ["한국어", "문장"]),
        ("abc中def", ["abc", "中", "def"]),
        ("❤️ 👍🏽 ---", []),
        ("\u0301\u200d", []),
        ("", []),
    ],
)
def test_words_by_unicode(text, expected):
    assert words(text) == expected


def test_every_character_is_classed_as_re_classes_it():
    classes = character_classes()
    for code in range(min(sys.maxunicode, 0x3FFFF) + 1):
        if classes[code] in (OTHER, MARK):
            assert not re.match(r"\w", chr(code))
        elif classes[code] == LETTER:
            assert re.match(r"\w", chr(code))


def test_marks_continue_words_and_unspaced_scripts_have_words_of_one_character():
    classes = character_classes()
    assert all(classes[code] == MARK for code in (0x0301, 0x093F, 0xFE0F, *JOINERS))
    assert all(classes[ord(c)] == WORD for c in "中ひカกກខက々ー𠀀")
    assert all(classes[ord(c)] == OTHER for c in "、。・฿ ")


def test_folding_never_leaves_the_word():
    classes = character_classes()
    for code in np.flatnonzero(classes):
        folded = chr(code).casefold()
        if folded != chr(code):
            assert classes[ord(folded[0])] in (LETTER, classes[code])
            assert all(classes[ord(part)] in (LETTER, MARK) for part in folded[1:])


def test_shingles_are_sets_of_five_words():
    assert shingles("a b c d e f") == {("a", "b", "c", "d", "e"), ("b", "c", "d", "e", "f")}
    assert len(shingles("a a a a a a a a")) == 1


def test_fewer_than_five_words_are_one_shingle():
    assert shingles("What causes hunger? poverty") != shingles("What causes blight? blight")
    assert shingles("Hello, there") == shingles("hello there!") == {("hello", "there")}
    assert shingles("?!") == frozenset()


def test_jaccard_is_shared_over_all():
    one, other = shingles("a b c d e f g"), shingles("a b c d e f h")
    assert jaccard(one, other) == 2 / 4
    assert jaccard(one, one) == 1
    assert jaccard(frozenset(), frozenset()) == 0
