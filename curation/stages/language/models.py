"""The two judges of what the cheap look leaves open: py3langid's model and langdetect's.

Both are naive Bayes over pieces of text: of bytes, and of one to three characters. Their models are loaded
on first use from their packages' files and walked by kernels, which always answer alike.
"""

import math
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import orjson
from numpy.typing import NDArray

from curation.compiling import compiled_with

UNDETERMINED = "undetermined"

# Labels of the two models as ISO 639-1 codes. py3langid's other three-letter labels have no such code.
ISO = {
    "zh-cn": "zh", "zh-tw": "zh", "yue": "zh", "wuu": "zh", "arz": "ar", "ary": "ar", "uzs": "uz",
    "sdh": "ku", "gug": "gn", "kik": "ki", "nb": "no", "zxx": UNDETERMINED,
}  # fmt: skip

# langdetect's own: what a piece that a language never has is worth, and the weight of that.
UNSEEN = 0.5 / 10_000
LONGEST_PIECE = 3
SPACE = 32


class Judged(NamedTuple):
    """What a judge makes of several texts.

    languages   its labels as ISO 639-1 codes, each once
    chances     probability of each language (columns) for each text (rows), f64
    """

    languages: tuple[str, ...]
    chances: NDArray[np.float64]

    def best(self, text: int, among: frozenset[str]) -> tuple[str, float]:
        """The likeliest language of some and its probability; undetermined, 0 where it knows none of them."""
        columns = columns_of(self.languages, among)
        if not columns.size:
            return UNDETERMINED, 0.0
        chances = self.chances[text, columns]
        best = int(chances.argmax())
        return self.languages[columns[best]], float(chances[best])

    def share(self, text: int, among: frozenset[str]) -> float:
        """The probability that it is one of some languages."""
        return float(self.chances[text, columns_of(self.languages, among)].sum())

    def odds(self, text: int, among: frozenset[str], others: frozenset[str]) -> float:
        """The log of the best chance among some languages over that among others.

        0 where it does not know all of the first: it cannot say that the text is none of them.
        """
        if not among or columns_of(self.languages, among).size < len(among):
            return 0.0
        return math.log((self.best(text, among)[1] + 1e-99) / (self.best(text, others)[1] + 1e-99))


@lru_cache(maxsize=256)
def columns_of(languages: tuple[str, ...], among: frozenset[str]) -> NDArray[np.int64]:
    """The columns of some languages."""
    return np.array([n for n, language in enumerate(languages) if language in among], dtype=np.int64)


@lru_cache(maxsize=1)
def langid_tables() -> tuple[tuple[str, ...], tuple[NDArray[Any], ...]]:
    """py3langid's languages and its model as arrays: automaton, weights of features, weights of labels."""
    # Deferred: unpacking the model takes most of a second and 100 MB.
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    model = LanguageIdentifier.from_model_file(MODEL_FILE)
    # Several columns can stand for one language (two scripts, or dialects): their chances are added.
    named = [ISO.get(label, label) for label in model.nb_classes]
    languages = tuple(dict.fromkeys(named))
    columns = np.array([languages.index(language) for language in named], dtype=np.int64)
    return languages, (
        np.asarray(model.tk_nextmove),
        np.asarray(model.tk_row, dtype=np.int64),
        np.asarray(model.tk_output, dtype=np.int32),
        np.asarray(model.nb_ptc, dtype=np.float32),
        np.asarray(model.nb_pc, dtype=np.float32),
        columns,
    )


def langid(texts: Sequence[str]) -> Judged:
    """py3langid's normalised probabilities for each text (in NFC)."""
    languages, tables = langid_tables()
    rows = [(text.lower() if text.isupper() else text).encode() for text in texts]
    offsets = offsets_of(rows)
    chances = np.zeros((len(rows), len(languages)), dtype=np.float64)
    data = np.frombuffer(b"".join([*rows, b" "]), dtype=np.uint8)
    kernel: Any = classify
    kernel(data, offsets, *tables, chances)
    return Judged(languages, chances)


def offsets_of(rows: Sequence[bytes], width: int = 1) -> NDArray[np.int64]:
    """Where each row starts in their join, and where the last ends, in units of `width` bytes."""
    offsets = np.zeros(len(rows) + 1, dtype=np.int64)
    np.cumsum([len(row) // width for row in rows], out=offsets[1:])
    return offsets


@compiled_with(nogil=True)
def classify(data, offsets, next_state, row_of, output, weights, priors, columns, chances):  # type: ignore[no-untyped-def]
    """Naive Bayes over the features that the automaton meets in each text.

    Scores are log1p(count) times weights plus priors; probabilities are their softmax at the
    temperature sqrt(bytes), as py3langid 0.4 normalises.
    """
    counts = np.zeros(weights.shape[0], dtype=np.int32)
    met = np.empty(weights.shape[0], dtype=np.int32)
    scores = np.empty(weights.shape[1], dtype=np.float32)
    for text in range(offsets.shape[0] - 1):
        start, end = offsets[text], offsets[text + 1]
        state, distinct = 0, 0
        for at in range(start, end):
            state = next_state[(row_of[state] << 8) + data[at]]
            feature = output[state]
            if feature >= 0:
                if counts[feature] == 0:
                    met[distinct] = feature
                    distinct += 1
                counts[feature] += 1
        for column in range(scores.shape[0]):
            scores[column] = priors[column] if distinct > 0 else np.float32(0)
        for i in range(distinct):
            weight = np.float32(math.log1p(counts[met[i]]))
            counts[met[i]] = 0
            for column in range(scores.shape[0]):
                scores[column] += weight * weights[met[i], column]
        soften(scores, columns, math.sqrt(max(1, end - start)), chances[text])


@compiled_with(inline="always")
def soften(scores, columns, temperature, chances):  # type: ignore[no-untyped-def]
    """Probabilities from log scores: their softmax at a temperature, added up by language."""
    highest, total = scores[0], 0.0
    for column in range(scores.shape[0]):
        highest = max(highest, scores[column])
    for column in range(scores.shape[0]):
        share = math.exp((scores[column] - highest) / temperature)
        chances[columns[column]] += share
        total += share
    for language in range(chances.shape[0]):
        chances[language] /= total


@lru_cache(maxsize=1)
def langdetect_tables() -> tuple[tuple[str, ...], tuple[NDArray[Any], ...]]:
    """langdetect's languages and its profiles as arrays.

    They are: what it reads each character as, which of those are capitals, the pieces as an
    open-addressing table with the line of each, the log of what it is worth by column, and the language
    of each column.
    """
    # Deferred: reading the profiles takes a second.
    from langdetect.detector_factory import PROFILES_DIRECTORY
    from langdetect.utils.ngram import NGram

    lines: dict[str, int] = {}
    cells: list[tuple[list[int], list[float]]] = []
    named = []
    for path in sorted(Path(PROFILES_DIRECTORY).iterdir()):
        profile = orjson.loads(path.read_bytes())
        named.append(ISO.get(profile["name"], profile["name"]))
        freq = {piece: n for piece, n in profile["freq"].items() if len(piece) <= LONGEST_PIECE}
        of_length = profile["n_words"]
        cells.append(
            (
                [lines.setdefault(piece, len(lines)) for piece in freq],
                [n / of_length[len(piece) - 1] for piece, n in freq.items()],
            )
        )
    worth = np.full((len(lines), len(named)), UNSEEN, dtype=np.float64)
    for column, (rows, shares) in enumerate(cells):
        worth[rows, column] += shares
    languages = tuple(dict.fromkeys(named))
    size = 1 << (2 * len(lines)).bit_length()
    keys, values = np.zeros(size, dtype=np.uint64), np.zeros(size, dtype=np.int32)
    fill_table(np.array([pack_piece(piece) for piece in lines], dtype=np.uint64), keys, values)
    plane = range(0x10000)
    read_as = np.full(0x110000, SPACE, dtype=np.int32)
    read_as[: len(plane)] = [ord(NGram.normalize(chr(code))) for code in plane]
    capital = np.zeros(0x110000, dtype=np.bool_)
    capital[: len(plane)] = [chr(code).isupper() for code in plane]
    columns = np.array([languages.index(language) for language in named], dtype=np.int64)
    return languages, (read_as, capital, keys, values, np.log(worth).astype(np.float32), columns)


def pack_piece(piece: str) -> int:
    """Up to three characters as one number."""
    packed = 0
    for character in piece:
        packed = packed << 21 | ord(character)
    return packed


@compiled_with(inline="always")
def slot_of(piece, size):  # type: ignore[no-untyped-def]
    """Where a packed piece belongs in a table of `size` (a power of two)."""
    return np.int64((piece * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(30)) & (size - 1)


@compiled_with()
def fill_table(pieces, keys, values):  # type: ignore[no-untyped-def]
    """Put packed pieces into an open-addressing table, each with its number."""
    for i in range(pieces.shape[0]):
        slot = slot_of(pieces[i], keys.shape[0])
        while keys[slot] != 0:
            slot = (slot + 1) & (keys.shape[0] - 1)
        keys[slot], values[slot] = pieces[i], i


def langdetect(texts: Sequence[str]) -> Judged:
    """Probabilities by langdetect's profiles for each text (in NFC).

    langdetect draws pieces of the text at random until it is sure; here every piece counts once, at the
    temperature sqrt(pieces), so that both judges are equally sure of themselves.
    """
    languages, tables = langdetect_tables()
    rows = [text.encode("utf-32-le") for text in texts]
    chances = np.zeros((len(rows), len(languages)), dtype=np.float64)
    data = np.frombuffer(b"".join([*rows, b"    "]), dtype=np.uint32)
    kernel: Any = weigh_pieces
    kernel(data, offsets_of(rows, 4), *tables, chances)
    return Judged(languages, chances)


@compiled_with(nogil=True)
def weigh_pieces(data, offsets, read_as, capital, keys, values, worth, columns, chances):  # type: ignore[no-untyped-def]
    """Naive Bayes over one, two and three characters within a word and at its ends.

    Letters that follow two capitals in a row are passed over, as langdetect does.
    """
    scores = np.empty(worth.shape[1], dtype=np.float32)
    for text in range(offsets.shape[0] - 1):
        scores[:] = 0
        pieces = 0
        before, last, this, held, shouted = SPACE, SPACE, SPACE, 1, False
        for at in range(offsets[text], offsets[text + 1]):
            code = read_as[data[at]]
            if this == SPACE:
                held, shouted = 1, False
                if code == SPACE:
                    continue
            shouted = capital[code] and (shouted or capital[this])
            before, last, this = last, this, code
            held = min(held + 1, LONGEST_PIECE)
            if shouted:
                continue
            for length in range(1, held + 1):
                if length == 1 and code == SPACE:
                    continue
                piece = np.uint64(this)
                if length > 1:
                    piece |= np.uint64(last) << np.uint64(21)
                if length > 2:
                    piece |= np.uint64(before) << np.uint64(42)
                slot = slot_of(piece, keys.shape[0])
                while keys[slot] != 0:
                    if keys[slot] == piece:
                        pieces += 1
                        for column in range(scores.shape[0]):
                            scores[column] += worth[values[slot], column]
                        break
                    slot = (slot + 1) & (keys.shape[0] - 1)
        soften(scores, columns, math.sqrt(max(1, pieces)), chances[text])
