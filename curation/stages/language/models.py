"""The two judges of what the cheap look leaves open: py3langid's model, and langdetect as the arbiter.

Both are loaded on first use, read nothing but their packages' files, and always answer alike.
"""

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from curation.compiling import compiled_with

UNDETERMINED = "undetermined"
LANGDETECT_SEED = 17

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
def langdetect_factory() -> tuple[Any, type[Any]]:
    """langdetect's models, and its detector with arrays in place of lists: the same bits in half the time."""
    # Deferred: reading the models takes a third of a second.
    from langdetect.detector import Detector
    from langdetect.detector_factory import PROFILES_DIRECTORY, DetectorFactory

    factory = DetectorFactory()
    factory.load_profile(PROFILES_DIRECTORY)
    factory.seed = LANGDETECT_SEED
    known = factory.word_lang_prob_map
    factory.word_lang_prob_map = dict(zip(known, np.array(list(known.values())), strict=True))

    class ArrayDetector(Detector):  # type: ignore[misc]
        def _init_probability(self) -> NDArray[np.float64]:
            return np.array(super()._init_probability())

        def _update_lang_prob(self, prob: NDArray[np.float64], gram: str, alpha: float) -> None:
            prob *= alpha / self.BASE_FREQ + self.word_lang_prob_map[gram]

        def _normalize_prob(self, prob: NDArray[np.float64]) -> float:
            # The sum is taken as langdetect takes it: numpy's adds in another order.
            prob /= sum(prob.tolist())
            return float(prob.max())

    return factory, ArrayDetector


def langdetect(text: str) -> Verdict:
    """langdetect's best language, with a fixed seed; undetermined if it finds nothing to go by."""
    from langdetect.lang_detect_exception import LangDetectException

    factory, detector_class = langdetect_factory()
    detector = detector_class(factory)
    detector.append(text)
    try:
        found = detector.get_probabilities()
    except LangDetectException:
        found = []
    if not found:
        return Verdict(UNDETERMINED, 0.0, "langdetect")
    return Verdict(ISO.get(found[0].lang, found[0].lang), round(float(found[0].prob), 4), "langdetect")
