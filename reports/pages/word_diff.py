"""Two texts side by side, word by word."""

import re
from collections.abc import Sequence
from difflib import SequenceMatcher
from typing import NamedTuple

# What is compared: words, runs of white space, and single other characters.
_PARTS = re.compile(r"\w+|\s+|[^\w\s]")
MAX_PARTS = 1_000  # of each text; the rest is not compared
CONTEXT = 24  # equal parts shown on either side of a change


class Piece(NamedTuple):
    """A stretch of text. kind: same, gone (only here), or gap (equal words left out)."""

    kind: str
    text: str


class WordDiff(NamedTuple):
    """Both sides in pieces, and whether the ends were cut off."""

    left: list[Piece]
    right: list[Piece]
    cut: bool


def word_diff(left: str, right: str) -> WordDiff:
    """How two texts differ in words. Long equal stretches become gaps."""
    one, other = _PARTS.findall(left), _PARTS.findall(right)
    whole = len(one) <= MAX_PARTS and len(other) <= MAX_PARTS
    one, other = one[:MAX_PARTS], other[:MAX_PARTS]
    codes = SequenceMatcher(None, one, other, autojunk=False).get_opcodes()
    here: list[Piece] = []
    there: list[Piece] = []
    for n, (tag, a, b, c, d) in enumerate(codes):
        if tag == "equal":
            edges = (n > 0, n < len(codes) - 1)
            here += same(one[a:b], edges)
            there += same(other[c:d], edges)
        else:
            here += [Piece("gone", "".join(one[a:b]))] if b > a else []
            there += [Piece("gone", "".join(other[c:d]))] if d > c else []
    return WordDiff(here, there, not whole)


def same(parts: Sequence[str], edges: tuple[bool, bool]) -> list[Piece]:
    """An equal stretch: its ends where a change is near, the middle as a gap."""
    before, after = (CONTEXT if edge else 0 for edge in edges)
    if not any(edges):
        before = 2 * CONTEXT
    if len(parts) <= before + after + CONTEXT:
        return [Piece("same", "".join(parts))]
    middle = sum(part[0].isalnum() for part in parts[before : len(parts) - after])
    pieces = [Piece("same", "".join(parts[:before]))] if before else []
    pieces.append(Piece("gap", f"{middle:,} equal words"))
    return pieces + ([Piece("same", "".join(parts[len(parts) - after :]))] if after else [])
