"""How much of reference texts a row holds, by shared word n-grams.

Words as in curation/stages/near_duplicates/shingles.py. Rows are searched for hashes of the rarest
n-grams of every reference (a row that holds a share s of n of them holds at least one of any
n - s·n + 1), and only what is found there is compared exactly. So the result does not depend on any hash.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from curation.stages.contamination.gram_kernel import MAYBE_BITS, find_grams, hash_texts
from curation.stages.contamination.references import Reference
from curation.stages.near_duplicates.minhash import characters
from curation.stages.near_duplicates.shingles import words

# Stands for the beginning and the end of a message; no word is spelt so.
BORDER = "\x01"
SHORT_WORDS = 5
LEAST_WORDS = 3

_Hashes = npt.NDArray[np.uint64]
_Places = npt.NDArray[np.int64]
_Table = npt.NDArray[np.uint8]


class Text(NamedTuple):
    """A reference text to look for: which record it is of, and its words."""

    file: str
    record: int
    words: tuple[str, ...]
    length: int  # words of an n-gram of this text


class Overlap(NamedTuple):
    """The reference of which a row holds most, and the share of its n-grams found in the row."""

    file: str
    record: int
    share: float


def texts_of(reference: Reference, ngram: int) -> list[Text]:
    """What to look for of a record: each text of at least `ngram` words; if it has none, its longest.

    A text shorter than that must occur whole; with fewer than five words it must be a whole
    message, with fewer than three it is too common to prove anything.
    """
    found = [words(text) for text in reference.texts]
    long = [tuple(w) for w in found if len(w) >= ngram]
    if long:
        return [Text(reference.file, reference.record, text, ngram) for text in dict.fromkeys(long)]
    longest = max(map(tuple, found), key=len, default=())
    if len(longest) < min(LEAST_WORDS, ngram):
        return []
    if len(longest) < min(SHORT_WORDS, ngram):
        longest = (BORDER, *longest, BORDER)
    return [Text(reference.file, reference.record, longest, len(longest))]


class Index:
    """References ready for searching. `min_share`: of a text's n-grams, 0 for any one of them."""

    def __init__(self, references: Sequence[Reference], *, ngram: int, min_share: float) -> None:
        self.min_share = min_share
        # Of equal texts the first is enough.
        unique: dict[tuple[str, ...], Text] = {}
        for reference in references:
            for text in texts_of(reference, ngram):
                unique.setdefault(text.words, text)
        self.texts = list(unique.values())
        if self.texts:
            self._keys = _Keys(*self._signatures())
            self._lengths = np.array(sorted({text.length for text in self.texts}), np.int64)

    def search(self, rows: Sequence[Sequence[str]]) -> dict[int, Overlap]:
        """Of rows, each the texts of its messages, those that hold a reference: which one most of all."""
        if not self.texts:
            return {}
        said = [text for row in rows for text in row]
        owner = np.repeat(np.arange(len(rows)), [len(row) for row in rows])
        texts, hashes = find_hashes(said, self._lengths, self._keys.maybe)
        place, wanted = self._keys.find(hashes)
        candidates: dict[int, list[int]] = {}
        pairs = _unique_pairs(owner[texts[place]], wanted)
        for row, text in zip(*map(np.ndarray.tolist, pairs), strict=True):
            candidates.setdefault(row, []).append(text)
        found = {row: self._best(rows[row], chosen) for row, chosen in candidates.items()}
        return {row: overlap for row, overlap in found.items() if overlap is not None}

    def _signatures(self) -> tuple[_Hashes, _Places]:
        """(hash, text) of the rarest n-grams of every text, as many as a match cannot all miss."""
        hashes, owner = text_hashes(self.texts)
        _, inverse, rarity = np.unique(hashes, return_inverse=True, return_counts=True)
        order = np.lexsort((rarity[inverse], owner))
        hashes, owner = hashes[order], owner[order]
        counts = np.bincount(owner, minlength=len(self.texts))
        rank = np.arange(len(owner)) - (np.cumsum(counts) - counts)[owner]
        # Repeated n-grams take places in the order, so as many more are taken.
        distinct = np.bincount(_unique_pairs(owner, inverse[order])[0], minlength=len(self.texts))
        needed = counts - np.array([self._least(int(size)) for size in distinct]) + 1
        taken = rank < needed[owner]
        return hashes[taken], owner[taken]

    def _least(self, size: int) -> int:
        """How many of a text's n-grams a row must hold."""
        return max(1, math.ceil(self.min_share * size - 1e-9))

    def _best(self, row: Sequence[str], candidates: Sequence[int]) -> Overlap | None:
        messages = [(BORDER, *words(text), BORDER) for text in row]
        held: dict[int, frozenset[tuple[str, ...]]] = {}
        best: Overlap | None = None
        for i in candidates:
            text = self.texts[i]
            wanted = grams(text.words, text.length)
            if text.length not in held:
                held[text.length] = frozenset().union(*(grams(said, text.length) for said in messages))
            shared = len(wanted & held[text.length])
            if shared >= self._least(len(wanted)) and (best is None or shared / len(wanted) > best.share):
                best = Overlap(text.file, text.record, shared / len(wanted))
                if best.share == 1:
                    break
        return best


class _Keys:
    """Hashes and what they stand for, several per hash, looked up many at a time."""

    def __init__(self, hashes: _Hashes, values: _Places) -> None:
        order = np.argsort(hashes, kind="stable")
        self._values = values[order]
        self._hashes, self._starts, self._counts = np.unique(
            hashes[order], return_index=True, return_counts=True
        )
        # Most lookups fail, and one look at a small table tells.
        self.maybe = np.zeros(1 << MAYBE_BITS, np.uint8)
        self.maybe[hashes >> np.uint64(64 - MAYBE_BITS)] = 1

    def find(self, hashes: _Hashes) -> tuple[_Places, _Places]:
        """(places in `hashes`, values) of every hit."""
        at = np.searchsorted(self._hashes, hashes)
        at[at == len(self._hashes)] = 0
        place = np.flatnonzero(self._hashes[at] == hashes)
        at = at[place]
        counts = self._counts[at]
        skipped = np.repeat(np.cumsum(counts) - counts, counts)
        within = np.arange(int(counts.sum())) - skipped
        return np.repeat(place, counts), self._values[np.repeat(self._starts[at], counts) + within]


def text_hashes(texts: Sequence[Text]) -> tuple[_Hashes, _Places]:
    """(hash, number of the text) of all n-grams of reference texts, in order."""
    spelt = [" ".join(word for word in text.words if word != BORDER) for text in texts]
    addresses, sizes, owner = _addresses(spelt)
    room = sizes // 2 + 3
    starts = np.cumsum(room) - room
    scratch, out = np.empty(int(room.max()), np.uint64), np.empty(int(room.sum()), np.uint64)
    lengths = np.array([text.length for text in texts])
    counts = np.empty(len(texts), np.int64)
    hash_texts(addresses, sizes, lengths, starts, characters(), scratch, out, counts)
    del owner
    # The first and the last hold a border, unless that is what the text asks for.
    edge = np.array([int(text.words[0] != BORDER) for text in texts])
    counts -= 2 * edge
    within = np.arange(int(counts.sum())) - np.repeat(np.cumsum(counts) - counts, counts)
    return out[np.repeat(starts + edge, counts) + within], np.repeat(np.arange(len(texts)), counts)


def find_hashes(
    said: Sequence[str], lengths: _Places, maybe: npt.NDArray[np.uint8]
) -> tuple[_Places, _Hashes]:
    """(number of the text, hash) of all n-grams that `maybe` lets pass."""
    addresses, sizes, owner = _addresses(said)
    room = int(sizes.max(initial=0)) // 2 + 3
    scratch, out = np.empty(room, np.uint64), np.empty(room, np.uint64)
    texts, found = np.empty(1 << 16, np.int64), np.empty(1 << 16, np.uint64)
    parts: list[tuple[_Places, _Hashes]] = [(texts[:0], found[:0])]
    first = 0
    while first < len(said):
        count, after = find_grams(
            addresses, sizes, first, lengths, maybe, characters(), scratch, out, texts, found
        )
        parts.append((texts[:count].copy(), found[:count].copy()))
        if after == first:
            texts, found = np.empty(2 * len(texts), np.int64), np.empty(2 * len(texts), np.uint64)
        first = after
    del owner
    return np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts])


def _unique_pairs(one: _Places, other: _Places) -> tuple[_Places, _Places]:
    """The different pairs of two columns of numbers below 2^31, in order."""
    # Sorting beats the hash table of numpy.unique many times for millions of numbers.
    joined = np.sort(one << 32 | other)
    joined = joined[np.diff(joined, prepend=-1) != 0]
    return joined >> 32, joined & 0xFFFFFFFF


def _addresses(texts: Sequence[str]) -> tuple[_Places, _Places, object]:
    """Where each text lies in memory, its bytes, and what keeps it there."""
    array = pa.array(texts, pa.large_string())
    _, offsets, data = array.buffers()
    ends = np.frombuffer(offsets, np.int64)[: len(array) + 1]
    return ends[:-1] + (data.address if data else 0), np.diff(ends), array


def grams(text: Sequence[str], length: int) -> frozenset[tuple[str, ...]]:
    """The set of a text's word n-grams."""
    return frozenset(zip(*(text[n:] for n in range(length)), strict=False))
