"""How much of reference texts a row holds, by the passages that both have in common.

Words are those of curation/stages/near_duplicates/shingles.py, but `_` parts them, and digits part and are
none: numbers are the first that is changed in a copy. A passage is words that follow each other in the text
and in a message alike; between them may be gaps, in which a few other words stand. It is found by an anchor:
six words in a row that at most ANCHOR_TEXTS texts share. Words of runs that more than FORM_TEXTS texts share
are those of a form, such as an instruction before every question, and count for nothing.

A passage proves as many words as it has, less two for every gap. A row holds a text when its passages, of
all messages, cover `min_share` of the text's words and prove three quarters of `ngram` words, each after the
first less JUMP. A text of fewer than `ngram` words must be there whole. One that has hardly any words but
numbers must be there whole with its numbers; of fewer than eight words, it must also be most of a message.
"""

import html
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from curation.stages.contamination.passages import Limits, Marks, Wanted, hash_words, roll, search
from curation.stages.contamination.references import Reference
from curation.stages.near_duplicates.minhash import characters
from curation.stages.near_duplicates.shingles import WORD, character_classes, words

ANCHOR = 6
JUMP = 4
ANCHOR_TEXTS, FORM_TEXTS = 4, 32
# Of a text without others, so many anchors that more texts share.
COMMON_ANCHORS = 8
# Places in one text from which an anchor is followed.
REPEATS = 4
# Words without which a text proves nothing, and with which it proves something within other words.
LEAST_WORDS, MANY_WORDS = 5, 8
# What a word of one character is worth, in scripts without spaces; and a word of one letter, beyond the share
# that such words have in prose: most are variables.
CHARACTER, LETTER = 2 / 3, 1 / 3
LETTERS = 1 / 4

_Hashes = npt.NDArray[np.uint64]
_Places = npt.NDArray[np.int64]

_ESCAPES = re.compile(r"\\(?:[nrt]|u(?P<code>[0-9a-fA-F]{4})|(?=[^A-Za-z0-9\s]))")
_TAGS = re.compile(
    r"</?(?:p|br|b|i|u|em|strong|code|pre|span|div|ul|ol|li|h[1-6])\b[^<>]{0,80}>", re.IGNORECASE
)
_ENTITIES = re.compile(r"&(?:[a-z]{2,8}|#\d{2,6}|#x[0-9a-f]{2,5});")
_LETTERS = re.compile(r"(?<![^\W\d_])[A-Za-z](?![^\W\d_])")
_AS_THEY_STAND = np.arange(256, dtype=np.uint8)
_AS_THEY_STAND[ord("_")] = ord(" ")
_WITHOUT_NUMBERS = _AS_THEY_STAND.copy()
_WITHOUT_NUMBERS[ord("0") : ord("9") + 1] = ord(" ")


class Text(NamedTuple):
    """A reference text to look for, and which record it is of."""

    file: str
    record: int
    text: str


class Overlap(NamedTuple):
    """The reference of which a row holds most, and the share of its words found in the row."""

    file: str
    record: int
    share: float


def texts_of(reference: Reference, ngram: int) -> list[Text]:
    """What to look for of a record: each text of at least `ngram` words; if it has none, its longest."""
    found = [(len(words(text)), text) for text in map(plain, reference.texts)]
    long = [text for count, text in found if count >= ngram]
    if not long and found:
        long = [max(found, key=lambda one: one[0])[1]]
    return [Text(reference.file, reference.record, text) for text in dict.fromkeys(long)]


def plain(text: str) -> str:
    """A text without the escapes of JSON, Markdown and HTML, which would part or join its words."""
    if "\\" in text:
        text = _ESCAPES.sub(_unescaped, text)
    if "<" in text:
        text = _TAGS.sub(" ", text)
    if "&" in text and _ENTITIES.search(text):
        text = html.unescape(text)
    return text


def _unescaped(match: re.Match[str]) -> str:
    if match["code"]:
        code = int(match["code"], 16)
        # Half a character stands for nothing by itself.
        return " " if 0xD800 <= code < 0xE000 else chr(code)
    return "" if match[0] == "\\" else " "


class Index:
    """References ready for searching. `min_share`: of a text's words, 0 for any one passage."""

    def __init__(self, references: Sequence[Reference], *, ngram: int, min_share: float) -> None:
        texts = list(dict.fromkeys(text for reference in references for text in texts_of(reference, ngram)))
        many, least = min(MANY_WORDS, ngram), min(LEAST_WORDS, ngram)
        needed = -(-3 * ngram // 4)
        anchor = min(ANCHOR, needed)
        limits = Limits(anchor, min(JUMP, needed - 1), min_share, np.uint64(0))
        measured = _measured(texts, _WITHOUT_NUMBERS)
        said = [one for one in measured if one.worth >= many]
        few = _measured([one.text for one in measured if one.worth < many], _AS_THEY_STAND)
        few = [one for one in few if one.worth >= least]
        parts = [
            _Part(said, _WITHOUT_NUMBERS, limits, needed, many, whole=ngram, alone=0),
            _Part(few, _AS_THEY_STAND, limits._replace(anchor=least), needed, many, whole=None, alone=many),
        ]
        self._parts = [part for part in parts if part.texts]

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to look for."""
        return not self._parts

    def search(self, rows: Sequence[Sequence[str]]) -> dict[int, Overlap]:
        """Of rows, each the texts of its messages, those that hold a reference: which one most of all."""
        said = [plain(text) for row in rows for text in row]
        owners = np.repeat(np.arange(len(rows)), [len(row) for row in rows])
        found: dict[int, Overlap] = {}
        for part in self._parts if said else ():
            for row, overlap in part.search(said, owners, len(rows)):
                if row not in found or overlap.share > found[row].share:
                    found[row] = overlap
        return found


class _Measured(NamedTuple):
    """A text, its words, and how many words they are worth."""

    text: Text
    words: _Hashes
    worth: float


class _Part:
    """Texts whose words are told apart in one way.

    needed  words that passages must prove
    least   words that a text must have besides a form
    whole   words below which a text must be there whole; None: always
    alone   words below which it must be most of a message, too
    """

    def __init__(
        self,
        texts: Sequence[_Measured],
        letters: npt.NDArray[np.uint8],
        limits: Limits,
        needed: int,
        least: int,
        *,
        whole: int | None,
        alone: int,
    ) -> None:
        # Of equal texts the first is enough.
        unique = list({one.words.tobytes(): one for one in reversed(texts)}.values())[::-1]
        self.texts = [one.text for one in unique]
        if not unique:
            return
        self._letters = letters
        self._counts = np.array([len(one.words) for one in unique])
        worth = np.array([one.worth for one in unique])
        joined = np.concatenate([one.words for one in unique])
        keys, owners, places, is_form = _anchors(joined, self._counts, limits.anchor)
        starts = np.concatenate([[0], np.cumsum(self._counts)])
        own = np.add.reduceat(~is_form, starts[:-1], dtype=np.int64)
        # A text that is hardly more than a form must be there as it is.
        is_bare = own < least
        self._sizes = np.where(is_bare, self._counts, own)
        shift = np.uint64(64 - min(22, (4 * len(keys)).bit_length()))
        self._limits = limits._replace(shift=shift)
        firsts = np.arange((1 << 64 - int(shift)) + 1, dtype=np.uint64)
        self._wanted = Wanted(
            joined,
            starts,
            (~is_form | np.repeat(is_bare, self._counts)).astype(np.uint8),
            self._sizes,
            np.ceil(needed * self._counts / worth - 1e-9).astype(np.int64),
            (is_bare | (worth < (np.inf if whole is None else whole))).astype(np.uint8),
            (worth < alone).astype(np.uint8),
            keys,
            owners,
            places,
            np.searchsorted(keys >> shift, firsts).astype(np.int32),
        )

    def search(self, said: Sequence[str], owners: _Places, rows: int) -> Iterator[tuple[int, Overlap]]:
        """Every row that holds a text, and the text of which it holds most."""
        laid = _lay_out(said, self._letters)
        room = int(laid.sizes.max(initial=0)) // 2 + 1
        best, held = np.full(rows, -1, np.int64), np.zeros(rows, np.int64)
        by_word, by_text = len(self._wanted.words), len(self.texts)
        marks = Marks(*(np.zeros(size, np.int64) for size in (by_word, by_word, by_text, by_text, by_text)))
        search(
            laid.addresses,
            laid.sizes,
            owners,
            self._limits,
            characters(),
            self._wanted,
            marks,
            np.empty(room, np.uint64),
            np.empty(room, np.uint64),
            np.empty(int(self._counts.max()) + 1, np.int64),
            best,
            held,
        )
        for row in np.flatnonzero(best >= 0).tolist():
            text = self.texts[best[row]]
            yield row, Overlap(text.file, text.record, int(held[row]) / int(self._sizes[best[row]]))


class _LaidOut(NamedTuple):
    """Where each text lies in memory, its bytes, and what keeps it there."""

    addresses: _Places
    sizes: _Places
    owner: npt.NDArray[np.uint8]


class _Words(NamedTuple):
    """Hashes of the words of texts, each from its own start."""

    hashes: _Hashes
    starts: _Places
    counts: _Places

    def of(self, text: int) -> _Hashes:
        """The words of one text."""
        return self.hashes[self.starts[text] :][: self.counts[text]]


def _lay_out(texts: Sequence[str], letters: npt.NDArray[np.uint8]) -> _LaidOut:
    """Texts with some of their bytes in place of others."""
    array = pa.array(texts, pa.large_string())
    _, offsets, data = array.buffers()
    ends = np.frombuffer(offsets, np.int64)[: len(array) + 1]
    taken = letters[np.frombuffer(data, np.uint8)] if data else np.zeros(1, np.uint8)
    return _LaidOut(ends[:-1] + taken.ctypes.data, np.diff(ends), taken)


def _measured(texts: Sequence[Text], letters: npt.NDArray[np.uint8]) -> list[_Measured]:
    """Texts with their words."""
    found = _words_of([text.text for text in texts], letters)
    worth = (_worth(text.text, int(count)) for text, count in zip(texts, found.counts, strict=True))
    return [
        _Measured(text, found.of(k), each) for k, (text, each) in enumerate(zip(texts, worth, strict=True))
    ]


def _worth(text: str, count: int) -> float:
    """How many words the `count` words of a text are worth."""
    lost = (1 - LETTER) * max(0.0, len(_LETTERS.findall(text)) - LETTERS * count)
    if not text.isascii():
        classes = character_classes()
        codes = np.frombuffer(text.encode("utf-32-le"), np.uint32)
        lost += (1 - CHARACTER) * int((classes[codes[codes < len(classes)]] == WORD).sum())
    return count - lost


def _words_of(texts: Sequence[str], letters: npt.NDArray[np.uint8]) -> _Words:
    """The words of texts."""
    laid = _lay_out(texts, letters)
    room = laid.sizes // 2 + 1
    found = _Words(
        np.empty(int(room.sum()), np.uint64), np.cumsum(room) - room, np.empty(len(texts), np.int64)
    )
    hash_words(laid.addresses, laid.sizes, found.starts, characters(), found.hashes, found.counts)
    return found


def _anchors(
    joined: _Hashes, counts: _Places, length: int
) -> tuple[_Hashes, _Places, _Places, npt.NDArray[np.bool_]]:
    """The anchors of texts: hashes, in order; the text of each; where it begins. Which words are a form's."""
    room = np.empty(len(joined), np.uint64)
    hashes: _Hashes = room[: roll(joined, len(joined), length, room)]
    owners = np.repeat(np.arange(len(counts)), counts)
    # Not those that run from one text into the next.
    places = np.flatnonzero(owners[: len(hashes)] == owners[length - 1 :])
    hashes, owners = hashes[places], owners[places]
    names = np.unique(hashes, return_inverse=True)[1].astype(np.int64)
    pairs, each = np.unique(names << 32 | owners, return_inverse=True)
    sharing = np.bincount(pairs >> 32)[names]
    edges = np.zeros(len(joined) + 1, np.int64)
    np.add.at(edges, places[sharing > FORM_TEXTS], 1)
    np.add.at(edges, places[sharing > FORM_TEXTS] + length, -1)
    # How often it stood in the text before; places are in order.
    order = np.argsort(each, kind="stable")
    again = np.empty(len(each), np.int64)
    again[order] = np.arange(len(each)) - np.searchsorted(each[order], each[order])
    order = np.lexsort((places, sharing, owners))
    rank, rarest = np.empty(len(each), np.int64), np.empty(len(each), np.int64)
    first = np.searchsorted(owners[order], owners[order])
    rank[order], rarest[order] = np.arange(len(each)) - first, sharing[order][first]
    taken = (sharing <= ANCHOR_TEXTS) & (again < REPEATS)
    taken |= (rarest > ANCHOR_TEXTS) & (rank < COMMON_ANCHORS)
    order = np.argsort(hashes[taken], kind="stable")
    return hashes[taken][order], owners[taken][order], places[taken][order], np.cumsum(edges)[:-1] > 0
