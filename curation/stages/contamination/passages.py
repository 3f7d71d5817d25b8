"""Compiled loops of the contamination search: passages of reference texts in messages, over raw Arrow bytes.

Words are hashed as in curation/stages/near_duplicates/kernels.py, whose rules for numbers and memory hold
here too; from there on words are equal where their 64 bits are. What a passage is, overlap.py says.
"""

from typing import NamedTuple

import numpy as np
from numpy import uint64 as u64

from curation.stages.near_duplicates.kernels import (
    I32,
    I64,
    U8,
    U64,
    Characters,
    _hash_words,
    address_of,
    compiled,
)

GAP = 4  # words, at most, that a gap leaves out of the text or of the message
RUN = 2  # words, at least, that are the same again behind a gap
GAP_COSTS = 2  # words
_BASE = u64(0x9E3779B97F4A7C15)  # 2^64 / golden ratio, odd
_HALF = u64(32)
_ONE = u64(1)


class Wanted(NamedTuple):
    """Reference texts as the search sees them.

    words    the words of all texts, one text after the other
    starts   where each text begins in them; one more than there are texts
    own      1 for the words that count; the others are of a form that many texts have
    sizes    how many words of each text count
    needed   words that passages of each text must prove
    whole    texts of which no part counts
    alone    texts that count only where they are three quarters of a message
    keys     hashes of the anchors, in order
    owners   the text of every anchor
    places   where it begins in `words`
    buckets  where the keys begin whose first bits are this number; one more than there are
    """

    words: U64
    starts: I64
    own: U8
    sizes: I64
    needed: I64
    whole: U8
    alone: U8
    keys: U64
    owners: I64
    places: I64
    buckets: I32


class Limits(NamedTuple):
    """What counts as held.

    anchor     words that a passage must have in a row
    jump       what each further passage of a text costs, in words
    min_share  of the text's words
    shift      of the first bits of a key
    """

    anchor: int
    jump: int
    min_share: float
    shift: u64


class Marks(NamedTuple):
    """What a search writes down; all zeros at first.

    met        by word of the texts: the message << 32 | the place there where a passage has it
    covered    by word of the texts: the number of the row that holds it, from 1
    seen       by text: the last row that held an anchor of it
    counts     by text: its words in that row that count
    strengths  by text: what they prove
    """

    met: I64
    covered: I64
    seen: I64
    counts: I64
    strengths: I64


@compiled
def hash_words(
    addresses: I64, lengths: I64, starts: I64, characters: Characters, words: U64, counts: I64
) -> None:
    """The words of every text, from its own start in `words`, which needs room for length // 2 + 1."""
    for text in range(len(addresses)):
        first: int = address_of(words) + 8 * starts[text]
        counts[text] = (_hash_words(addresses[text], lengths[text], characters, first) - first) >> 3


@compiled
def roll(words: U64, count: int, length: int, out: U64) -> int:
    """Hashes of all runs of `length` words, in order; their count."""
    leading = _ONE
    for _ in range(length - 1):
        leading *= _BASE
    value = u64(0)
    for k in range(count):
        if k >= length:
            value -= words[k - length] * leading
        value = value * _BASE + words[k]
        if k >= length - 1:
            # Polynomials spread badly over the high bits, which the buckets are found by.
            mixed = (value ^ (value >> _HALF)) * _BASE
            out[k - length + 1] = mixed ^ (mixed >> _HALF)
    return max(0, count - length + 1)


@compiled
def _gap(text: U64, a: int, end_a: int, row: U64, b: int, end_b: int, step: int) -> tuple[int, int]:
    """How many words of the text and of the message to leave out until both go on alike; (0, 0): never.

    The fewest, and rather as many of the one as of the other.
    """
    left_a = (end_a - a) * step
    left_b = (end_b - b) * step
    for most in range(1, GAP + 1):
        for least in range(most, -1, -1):
            for order in range(1 if least == most else 2):
                skip_a = most if order == 0 else least
                skip_b = least if order == 0 else most
                if skip_a + RUN > left_a or skip_b + RUN > left_b:
                    continue
                same = 0
                while same < RUN and (text[a + (skip_a + same) * step] == row[b + (skip_b + same) * step]):
                    same += 1
                if same == RUN:
                    return skip_a, skip_b
    return 0, 0


@compiled
def _follow(
    text: U64, a: int, end_a: int, row: U64, b: int, end_b: int, step: int, met: I64, stamp: int, found: I64
) -> int:
    """The gaps of a passage from a word of the text and one of the message on, or back from them.

    The places of the words in the text are added to `found`, whose first element is their count.
    """
    gaps = 0
    while True:
        while a != end_a and b != end_b and text[a] == row[b]:
            met[a] = stamp | b
            found[0] += 1
            found[found[0]] = a
            a += step
            b += step
        skip_a, skip_b = _gap(text, a, end_a, row, b, end_b, step)
        if skip_a + skip_b == 0:
            return gaps
        gaps += 1
        a += skip_a * step
        b += skip_b * step


@compiled
def _passage(
    text: int, a: int, row: U64, b: int, size: int, wanted: Wanted, met: I64, stamp: int, found: I64
) -> int:
    """How many gaps the passage has that goes through a word of the texts and one of a message.

    The places of its words in the texts are in `found`, behind their count.
    """
    found[0] = 0
    words = wanted.words
    gaps = _follow(words, a, wanted.starts[text + 1], row, b, size, 1, met, stamp, found)
    return gaps + _follow(words, a - 1, wanted.starts[text] - 1, row, b - 1, -1, -1, met, stamp, found)


@compiled
def _cover(text: int, row: int, gaps: int, jump: int, wanted: Wanted, marks: Marks, found: I64) -> None:
    """Write down what a passage adds to those of the row before it, if that is worth a jump."""
    proof = -GAP_COSTS * gaps
    for k in range(1, found[0] + 1):
        proof += wanted.own[found[k]]
    is_whole = found[0] == wanted.starts[text + 1] - wanted.starts[text]
    if not is_whole and (wanted.whole[text] != 0 or proof <= jump):
        return
    for k in range(1, found[0] + 1):
        if wanted.own[found[k]] != 0:
            if marks.covered[found[k]] == row:
                proof -= 1
            else:
                marks.covered[found[k]] = row
                marks.counts[text] += 1
    if marks.strengths[text] == 0:
        marks.strengths[text] = proof
    elif proof > jump:
        marks.strengths[text] += proof - jump


@compiled
def _judge(text: int, row: int, min_share: float, wanted: Wanted, marks: Marks, best: I64, held: I64) -> None:
    """Take a text as the best of the row if it is held, and more of it than of the best before it."""
    count = marks.counts[text]
    size = wanted.sizes[text]
    is_proven = marks.strengths[text] >= wanted.needed[text] and count >= min_share * size - 1e-9
    if count < size and not is_proven:
        return
    other = best[row]
    if other >= 0:
        more = count * wanted.sizes[other] - held[row] * size
        if more < 0 or (more == 0 and text > other):
            return
    best[row] = text
    held[row] = count


@compiled
def search(
    addresses: I64,
    lengths: I64,
    rows: I64,
    limits: Limits,
    characters: Characters,
    wanted: Wanted,
    marks: Marks,
    scratch: U64,
    hashes: U64,
    found: I64,
    best: I64,
    held: I64,
) -> None:
    """Of every row the text of which it holds the largest share, and how many of its words that count.

    rows   the row of every message, in order
    best   by row; -1 where it holds none, as before the search
    held   by row; 0 before the search

    `scratch` and `hashes` need room for the words of a message, `found` for those of a text and one more.
    """
    texts = np.empty(len(wanted.whole), np.int64)
    touched = 0
    for message in range(len(addresses)):
        row = rows[message]
        first: int = address_of(scratch)
        size = (_hash_words(addresses[message], lengths[message], characters, first) - first) >> 3
        for b in range(roll(scratch, size, limits.anchor, hashes)):
            key = hashes[b]
            bucket = key >> limits.shift
            for k in range(wanted.buckets[bucket], wanted.buckets[bucket + _ONE]):
                if wanted.keys[k] != key:
                    continue
                text = wanted.owners[k]
                a = wanted.places[k]
                if marks.seen[text] != row + 1:
                    marks.seen[text] = row + 1
                    marks.counts[text] = 0
                    marks.strengths[text] = 0
                    texts[touched] = text
                    touched += 1
                stamp = (message + 1) << 32
                if marks.counts[text] == wanted.sizes[text] or marks.met[a] == stamp | b:
                    continue
                if wanted.alone[text] != 0 and 4 * wanted.sizes[text] < 3 * size:
                    continue
                gaps = _passage(text, a, scratch, b, size, wanted, marks.met, stamp, found)
                _cover(text, row + 1, gaps, limits.jump, wanted, marks, found)
        if message + 1 == len(addresses) or rows[message + 1] != row:
            for k in range(touched):
                _judge(texts[k], row, limits.min_share, wanted, marks, best, held)
            touched = 0
