"""Words and shingles of a text: the definition that every near-duplicate back end must agree with.

A word is a run of word characters of the case-folded text. A word character is what `\\w` matches
in Python's `re` (letters, digits, other numerals, `_`); combining marks and joiners continue a
word but never start one, so that vowel signs and decomposed accents do not cut words in two. In
scripts written without spaces every letter, digit or mark is a word by itself. The characters are
those of the Unicode version of the Python that runs.
"""

import re
import unicodedata
from functools import cache

import numpy as np
import numpy.typing as npt

WORDS_PER_SHINGLE = 5

# Han, Hiragana, Katakana, Thai, Lao, Khmer and Myanmar: blocks and the shared sound marks.
# Source: Scripts.txt and Blocks.txt of Unicode 14; planes 2 and 3 hold nothing but Han.
UNSPACED = (
    (0x0E00, 0x0EFF),
    (0x1000, 0x109F),
    (0x1780, 0x17FF),
    (0x19E0, 0x19FF),
    (0x2E80, 0x2FDF),
    (0x3005, 0x3007),
    (0x3021, 0x3029),
    (0x3038, 0x303B),
    (0x3041, 0x30FF),
    (0x31F0, 0x31FF),
    (0x3400, 0x4DBF),
    (0x4E00, 0x9FFF),
    (0xA9E0, 0xA9FF),
    (0xAA60, 0xAA7F),
    (0xF900, 0xFAFF),
    (0xFF66, 0xFF9F),
    (0x16FE2, 0x16FF1),
    (0x1AFF0, 0x1B16F),
    (0x20000, 0x3FFFF),
)
JOINERS = (0x200C, 0x200D)

# Code points above this are no letters in any version of Unicode, but for the marks named next.
LAST_LETTER = 0x3FFFF
VARIATION_SELECTORS = (0xE0100, 0xE01EF)

OTHER, LETTER, MARK, WORD = range(4)


def words(text: str) -> list[str]:
    """The words of a text, case-folded, in order."""
    folded = text.casefold()
    if folded.isascii() or not _special().search(folded):
        return re.findall(r"\w+", folded)
    return _pattern().findall(folded)


def shingles(text: str) -> frozenset[tuple[str, ...]]:
    """The set of word 5-grams; of fewer than five words all of them as one, of none the empty set."""
    found = words(text)
    if len(found) < WORDS_PER_SHINGLE:
        return frozenset([tuple(found)] if found else [])
    return frozenset(zip(*(found[n:] for n in range(WORDS_PER_SHINGLE)), strict=False))


def jaccard(one: frozenset[tuple[str, ...]], other: frozenset[tuple[str, ...]]) -> float:
    """Shared shingles over all shingles of two texts; 0 when neither has any."""
    shared = len(one & other)
    return shared / ((len(one) + len(other) - shared) or 1)


@cache
def character_classes() -> npt.NDArray[np.uint8]:
    """OTHER, LETTER, MARK or WORD (a word by itself) of every code point up to U+E01EF."""
    classes = np.zeros(VARIATION_SELECTORS[1] + 1, np.uint8)
    for code in range(LAST_LETTER + 1):
        character = chr(code)
        if character.isalnum():
            classes[code] = LETTER
        elif unicodedata.category(character)[0] == "M":
            classes[code] = MARK
    classes[ord("_")] = LETTER
    classes[list(JOINERS)] = MARK
    classes[VARIATION_SELECTORS[0] : VARIATION_SELECTORS[1] + 1] = MARK
    for first, last in UNSPACED:
        block = classes[first : last + 1]
        block[block != OTHER] = WORD
    return classes


@cache
def _pattern() -> re.Pattern[str]:
    """A word of any script."""
    letter, mark, word = (_characters(kind) for kind in (LETTER, MARK, WORD))
    return re.compile(f"[{word}]|[{letter}][{letter}{mark}]*")


@cache
def _special() -> re.Pattern[str]:
    """A character for which `\\w+` alone would be wrong."""
    return re.compile(f"[{_characters(MARK)}{_characters(WORD)}]")


def _characters(kind: int) -> str:
    """The inside of a regular expression's brackets that matches one class of characters."""
    inside = np.concatenate([[False], character_classes() == kind, [False]])
    edges = np.flatnonzero(inside[1:] != inside[:-1])
    return "".join(f"\\U{a:08x}-\\U{b - 1:08x}" for a, b in zip(edges[::2], edges[1::2], strict=True))
