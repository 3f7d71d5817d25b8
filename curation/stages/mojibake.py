"""Mojibake: UTF-8 that was read as another encoding. ftfy mends it, line by line.

ftfy judges by pairs of characters that no writer puts side by side. Only texts with such a pair are
shown to it: loading it takes longer than looking at a thousand texts.
"""

import re
from functools import cache
from types import ModuleType

# Letters and signs that bytes over 7F become in the encodings that ftfy knows. Those of Greek and
# Cyrillic, and dashes and apostrophes, stand beside each other in good text too.
_SIGNS = (
    "\x80-\x9f\u00a1-\u00ac\u00ae-\u00b3\u00b5\u00b6\u00b8-\u017f\u0192\u02c6-\u02dd\u0384\u0385\u0490\u0491"
    "\u2010-\u2012\u2016-\u2018\u201a-\u2025\u2027-\u203a\u2044\u20a7\u20ac\u2116\u2122\u2202-\u2265"
    "\u2310\u2502-\u25ca\uf8ff\ufb01\ufb02\ufffd"
)
_LETTERS = "\u0386-\u03ce\u0401-\u045f"
_COMMON = "\u00a0\u00ad\u00b4\u00b7\u2013-\u2015\u2019\u2026"
# A pattern for Rust's regex as for Python's.
HINT = (
    f"[{_SIGNS}{_LETTERS}][{_SIGNS}]|[\u00c2\u00c3\u00ce\u00d0\u00d8\u00d9\u03b2\u221a][{_COMMON}]"
    "|[\x80-\x9f]|[\u00c2\u00c3] |[\u0412\u0432]\u0402|[\u0152\u0153][^A-Za-z]"
)
# The same; Python finds a text's first class of characters far faster than the first of many branches.
_HINT = re.compile(f"(?=[{_SIGNS}{_LETTERS}])(?:{HINT})")
# 27 cubic angstroms are no Lithuanian letter.
_ANGSTROM = re.compile("(?<![^\\W\\d_])\u00c5[\u00b9\u00b2\u00b3]")
# What ftfy's judge takes for mojibake stands in kaomoji, drawings and Latin plurals too; with one of these
# letters, and no lost one, it is not taken for it in vain.
_TELLING = re.compile("[\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u0151\u0154-\u017f\u0386-\u045f]")
_LOST = "\ufffd"
_NO_CHANCE = 6  # characters beyond ASCII


def mend(text: str) -> str:
    """`text` read as what it was meant to be; bytes that are lost become U+FFFD."""
    if text.isascii() or not _HINT.search(text):
        return text
    return "\n".join(map(_mend_line, text.split("\n")))


def _mend_line(line: str) -> str:
    while _is_suspect(line) and (better := _read_cyrillic(_ftfy().fix_encoding(line))) != line:
        line = better
    return line


def _read_cyrillic(line: str) -> str:
    """A line that was read as cp1251, where ftfy is careful: all of it is UTF-8, and no chance."""
    if _LOST in line or sum(character > "\x7f" for character in line) < _NO_CHANCE:
        return line
    try:
        return line.encode("sloppy-windows-1251").decode()
    except UnicodeError:
        return line


def left(text: str) -> int:
    """How many places of a mended text still look like mojibake."""
    if text.isascii() or not _HINT.search(text):
        return 0
    places = _ftfy().badness.BADNESS_RE.findall(_ANGSTROM.sub(" ", text))
    return sum(_LOST not in place and bool(_TELLING.search(place)) for place in places)


def _is_suspect(line: str) -> bool:
    return bool(_HINT.search(line)) and bool(_HINT.search(_ANGSTROM.sub(" ", line)))


@cache
def _ftfy() -> ModuleType:
    import ftfy.badness

    return ftfy
