"""The language of a text, decided as cheaply as can be trusted.

1. Scripts and common words (3 µs): one language's own script, or English by its words.
2. py3langid (80 µs): any language at a high probability, English and Chinese at a middling one.
3. langdetect (3 ms): the arbiter for the rest.

Text of few letters, and text that is code for the most part, is undetermined.
"""

import unicodedata
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from curation.stages.language.models import UNDETERMINED, Verdict, langdetect, langid
from curation.stages.language.words import (
    COUNTED,
    ENGLISH,
    FOREIGN,
    SCRIPTS,
    SHARED,
    SYMBOLS,
    WORDS,
    count_features,
)

# Scripts in which one language is written, as far as datasets go. Han alone is Chinese; with kana, Japanese.
SCRIPT_LANGUAGE = {
    "hangul": "ko", "thai": "th", "greek": "el", "hebrew": "he", "gurmukhi": "pa", "gujarati": "gu",
    "tamil": "ta", "telugu": "te", "kannada": "kn", "malayalam": "ml", "sinhala": "si", "georgian": "ka",
    "armenian": "hy", "khmer": "km", "lao": "lo", "myanmar": "my",
}  # fmt: skip

# A sign of these is worth several letters: a word or a syllable.
DENSE = ("han", "kana", "hangul")
DENSE_WEIGHT = 3

# Fewer letters tell nothing; in scripts other than Latin, fewer are enough.
MIN_LETTERS = 20
MIN_OTHER_LETTERS = 6
CODE_SHARE = 0.22
SCRIPT_SHARE = 0.7
# On 6,450 texts of 2, 5 and 12 messages of a user interface in 97 languages (Django's translations), what
# py3langid said at 0.7 and more was always right, and it called none of another language English at 0.3
# and more. English and Chinese that are mixed with code or terms are seldom given more.
SURE = 0.9
SURE_OF_ENGLISH = 0.3
SURE_OF_CHINESE = 0.5
HAN = COUNTED.index("han")
HAN_SHARE = 0.3
# Under this many letters, each judge takes English for many a language.
SHORT_LETTERS = 100


def languages(texts: Sequence[str]) -> list[Verdict]:
    """The language of each text: ISO 639-1, or `undetermined`."""
    texts = [text if text.isascii() else unicodedata.normalize("NFC", text) for text in texts]
    counts = count_features(texts)
    letters, shares = weigh(counts)
    found = look(counts, letters, shares)
    open_rows = [row for row, verdict in enumerate(found) if verdict is None]
    for row, likely in zip(open_rows, langid([texts[row] for row in open_rows]), strict=True):
        found[row] = decide_language(texts[row], likely, shares[row], letters[row])
    return [verdict for verdict in found if verdict is not None]


def weigh(counts: NDArray[np.int32]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Letters of each text, dense ones by their weight, and the share of each script in them."""
    scripts = counts[:, :SCRIPTS].astype(np.float64)
    scripts[:, [COUNTED.index(name) for name in DENSE]] *= DENSE_WEIGHT
    letters = scripts.sum(axis=1)
    return letters, scripts / np.maximum(letters, 1)[:, None]


def look(
    counts: NDArray[np.int32], letters: NDArray[np.float64], shares: NDArray[np.float64]
) -> list[Verdict | None]:
    """What scripts and common words decide, null where they do not."""
    found: list[Verdict | None] = [None] * len(counts)
    for name, language in SCRIPT_LANGUAGE.items():
        mark(found, shares[:, COUNTED.index(name)] >= SCRIPT_SHARE, language, "script")
    han, kana = shares[:, HAN], shares[:, COUNTED.index("kana")]
    mark(found, (han + kana >= SCRIPT_SHARE) & (kana <= 0.01), "zh", "script")
    mark(found, (han + kana >= SCRIPT_SHARE) & (kana >= 0.2), "ja", "script")
    mark(found, is_english(counts, shares), "en", "words")
    code = counts[:, SYMBOLS] / np.maximum(letters + counts[:, SYMBOLS], 1)
    mark(found, (code > CODE_SHARE) & no_verdict(found), UNDETERMINED, "code")
    is_latin = shares[:, COUNTED.index("ascii")] + shares[:, COUNTED.index("latin")] >= 0.5
    enough = np.where(is_latin | (letters == 0), MIN_LETTERS, MIN_OTHER_LETTERS)
    mark(found, letters < enough, UNDETERMINED, "length")
    return found


def mark(found: list[Verdict | None], rows: NDArray[np.bool_], language: str, by: str) -> None:
    """Give the marked rows a verdict; a later one replaces an earlier one."""
    verdict = Verdict(language, None, by)
    for row in np.flatnonzero(rows).tolist():
        found[row] = verdict


def no_verdict(found: Sequence[Verdict | None]) -> NDArray[np.bool_]:
    """Which rows are still open."""
    return np.array([verdict is None for verdict in found], dtype=np.bool_)


def is_english(counts: NDArray[np.int32], shares: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Texts in plain Latin letters with English words, and of foreign ones none, or few beside them.

    Of 6,450 texts in 97 other languages (as above) none passes; of English chats 93 % do.
    """
    words = np.maximum(counts[:, WORDS], 1)
    english, common, foreign = counts[:, ENGLISH], counts[:, ENGLISH] + counts[:, SHARED], counts[:, FOREIGN]
    few = (english >= 2) & (english >= 0.06 * words) & (common >= 0.2 * words) & (foreign <= 0.15 * english)
    none = (english >= 1) & (english >= 0.05 * words) & (common >= 0.15 * words) & (foreign == 0)
    plain = shares[:, COUNTED.index("ascii")] >= 0.97
    passing: NDArray[np.bool_] = plain & (few | none)
    return passing


def decide_language(text: str, likely: Verdict, shares: NDArray[np.float64], letters: float) -> Verdict:
    """What py3langid found likely, if that is sure enough, else what langdetect says.

    A short text on which the two do not agree is undetermined: names and commands look like many a
    language.
    """
    if is_sure(likely, shares):
        return likely
    verdict = langdetect(text)
    if letters < SHORT_LETTERS and verdict.language != likely.language:
        named = "zh" if shares[HAN] >= HAN_SHARE else UNDETERMINED
        return Verdict(named, verdict.probability, "judges")
    return verdict


def is_sure(verdict: Verdict, shares: NDArray[np.float64]) -> bool:
    """Whether py3langid's verdict stands: sure enough, and a language that has an ISO 639-1 code."""
    if len(verdict.language) != 2 or verdict.probability is None:
        return False
    if verdict.language == "en":
        return verdict.probability >= SURE_OF_ENGLISH
    if verdict.language == "zh" and shares[HAN] >= HAN_SHARE:
        return verdict.probability >= SURE_OF_CHINESE
    return verdict.probability >= SURE
