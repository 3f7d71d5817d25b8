"""The two judges of what the cheap look leaves open: py3langid's model, and langdetect as the arbiter.

Both are loaded on first use, read nothing but their packages' files, and always answer alike.
"""

import math
import random
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from curation.compiling import compiled_with

UNDETERMINED = "undetermined"
LANGDETECT_SEED = 17
# Of langdetect's sampling: how often it starts anew, draws at most, and when a language is sure enough.
TRIALS = 7
MAX_DRAWS = 1001
SURE_ENOUGH = 0.99999
# A draw takes less than two words on average; 7,007 draws that need this many do not occur.
RANDOM_WORDS = 1 << 16

# Labels of the two models as ISO 639-1 codes. py3langid's other three-letter labels have no such code.
ISO = {
    "zh-cn": "zh", "zh-tw": "zh", "yue": "zh", "wuu": "zh", "arz": "ar", "ary": "ar", "uzs": "uz",
    "sdh": "ku", "gug": "gn", "kik": "ki", "nb": "no", "zxx": UNDETERMINED,
}  # fmt: skip


class Verdict(NamedTuple):
    """A language and how sure its judge is. `by` names the judge; a null probability: none was computed."""

    language: str
    probability: float | None
    by: str


@lru_cache(maxsize=1)
def langid_tables() -> tuple[list[str], tuple[NDArray[Any], ...]]:
    """py3langid's labels and its model as arrays: automaton, weights of features, weights of labels."""
    # Deferred: unpacking the model takes most of a second and 100 MB.
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    model = LanguageIdentifier.from_model_file(MODEL_FILE)
    # A label can stand for two columns (two scripts of one language): the first takes both.
    labels = list(dict.fromkeys(model.nb_classes))
    columns = np.array([labels.index(label) for label in model.nb_classes], dtype=np.int64)
    return labels, (
        np.asarray(model.tk_nextmove),
        np.asarray(model.tk_row, dtype=np.int64),
        np.asarray(model.tk_output, dtype=np.int32),
        np.asarray(model.nb_ptc, dtype=np.float32),
        np.asarray(model.nb_pc, dtype=np.float32),
        columns,
    )


def langid(texts: Sequence[str]) -> list[Verdict]:
    """py3langid's label and normalised probability of each text (in NFC): its model, walked by a kernel."""
    labels, tables = langid_tables()
    rows = [(text.lower() if text.isupper() else text).encode() for text in texts]
    offsets = np.zeros(len(rows) + 1, dtype=np.int64)
    np.cumsum([len(row) for row in rows], out=offsets[1:])
    best = np.zeros(len(rows), dtype=np.int64)
    sure = np.zeros(len(rows), dtype=np.float64)
    data = np.frombuffer(b"".join([*rows, b" "]), dtype=np.uint8)
    kernel: Any = classify
    kernel(data, offsets, *tables, len(labels), best, sure)
    named = [labels[column] for column in best]
    return [
        Verdict(ISO.get(label, label), float(p), "py3langid") for label, p in zip(named, sure, strict=True)
    ]


@compiled_with(nogil=True)
def classify(  # type: ignore[no-untyped-def]
    data, offsets, next_state, row_of, output, weights, priors, columns, labels, best, sure
):
    """Naive Bayes over the features that the automaton meets in each text.

    Scores are log1p(count) times weights plus priors; probabilities are their softmax at the
    temperature sqrt(bytes), as py3langid 0.4 normalises.
    """
    counts = np.zeros(weights.shape[0], dtype=np.int32)
    met = np.empty(weights.shape[0], dtype=np.int32)
    scores = np.empty(weights.shape[1], dtype=np.float32)
    shares = np.empty(labels, dtype=np.float64)
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
        highest, total = scores[0], 0.0
        for column in range(scores.shape[0]):
            highest = max(highest, scores[column])
        for label in range(labels):
            shares[label] = 0.0
        for column in range(scores.shape[0]):
            share = math.exp((scores[column] - highest) / math.sqrt(max(1, end - start)))
            shares[columns[column]] += share
            total += share
        best[text] = 0
        for label in range(labels):
            if shares[label] > shares[best[text]]:
                best[text] = label
        sure[text] = shares[best[text]] / total


@lru_cache(maxsize=1)
def langdetect_tables() -> tuple[Any, NDArray[np.float64], NDArray[np.uint32]]:
    """langdetect's factory, the probabilities of its n-grams, and the random words of its sampling.

    The factory's map gives the line of an n-gram in the probabilities; languages are their columns.
    """
    from langdetect.detector_factory import PROFILES_DIRECTORY, DetectorFactory

    factory = DetectorFactory()
    factory.load_profile(PROFILES_DIRECTORY)
    probabilities = np.array(list(factory.word_lang_prob_map.values()))
    factory.word_lang_prob_map = {gram: i for i, gram in enumerate(factory.word_lang_prob_map)}
    sampling = (
        random.Random(LANGDETECT_SEED).getrandbits(32 * RANDOM_WORDS).to_bytes(4 * RANDOM_WORDS, "little")
    )
    return factory, probabilities, np.frombuffer(sampling, dtype=np.uint32)


def langdetect(text: str) -> Verdict:
    """langdetect's best language, with a fixed seed; undetermined if it finds nothing to go by.

    Its own code reads the text; its sampling, 99 % of its time, is done by a kernel.
    """
    factory, probabilities, words = langdetect_tables()
    detector = factory.create()
    detector.append(text)
    detector.cleaning_text()
    grams = detector._extract_ngrams()
    if not grams:
        return Verdict(UNDETERMINED, 0.0, "langdetect")
    lines = np.array([factory.word_lang_prob_map[gram] for gram in grams])
    sample: Any = sample_grams
    detector.langprob = sample(lines, probabilities, words).tolist()
    found = detector.get_probabilities()
    if not found:
        return Verdict(UNDETERMINED, 0.0, "langdetect")
    return Verdict(ISO.get(found[0].lang, found[0].lang), round(float(found[0].prob), 4), "langdetect")


@compiled_with(nogil=True)
def sample_grams(lines, probabilities, words):  # type: ignore[no-untyped-def]
    """The probability of each language: langdetect's seven trials of drawing n-grams until one is sure.

    Draws what langdetect draws: `words` are what Python's generator, seeded alike, gives, taken as its
    gauss() and choice() take them. Source: langdetect 1.0.9, Detector._detect_block.
    """
    shift = np.uint32(0)
    while lines.shape[0] >> np.int64(31 - shift) == 0:
        shift += np.uint32(1)
    mean = np.zeros(probabilities.shape[1], dtype=np.float64)
    shares = np.empty(probabilities.shape[1], dtype=np.float64)
    at, spare = 0, 0.0
    for trial in range(TRIALS):
        if trial % 2 == 0:
            angle = unit(words[at], words[at + 1]) * 2.0 * math.pi
            radius = math.sqrt(-2.0 * math.log(1.0 - unit(words[at + 2], words[at + 3])))
            at += 4
            normal, spare = math.cos(angle) * radius, math.sin(angle) * radius
        else:
            normal = spare
        smoothing = (0.5 + normal * 0.05) / 10000
        shares[:] = 1.0 / shares.shape[0]
        for draw in range(MAX_DRAWS):
            choice = np.int64(words[at] >> shift)
            at += 1
            while choice >= lines.shape[0]:
                choice = np.int64(words[at] >> shift)
                at += 1
            line = lines[choice]
            for i in range(shares.shape[0]):
                shares[i] *= smoothing + probabilities[line, i]
            if draw % 5 == 0:
                total = 0.0
                for i in range(shares.shape[0]):
                    total += shares[i]
                shares /= total
                if shares.max() > SURE_ENOUGH:
                    break
        mean += shares / TRIALS
    return mean


@compiled_with(inline="always")
def unit(high, low):  # type: ignore[no-untyped-def]
    """Two random words as a number from 0 to 1, as Python's random() makes one."""
    return ((high >> np.uint32(5)) * 67108864.0 + (low >> np.uint32(6))) / 9007199254740992.0
