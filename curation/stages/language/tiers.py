"""The language of a text, or that it is in none of those that are kept, decided as cheaply as can be trusted.

1. Scripts and common words (3 µs): what is written in another script is in none of the languages of this
   one, and English is told by its words.
2. py3langid (80 µs) where it finds a kept language, else with langdetect (200 µs for both): judges.py.

Few letters, code, and what the judges leave open are undetermined.
"""

import unicodedata
from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray

from curation.stages.language.judges import LATIN, SCRIPT_LANGUAGES, Open, Verdict, judge
from curation.stages.language.models import UNDETERMINED
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

# A sign of these is worth several letters: a word or a syllable.
DENSE = ("han", "kana", "hangul")
DENSE_WEIGHT = 3

# Fewer letters of Latin script tell nothing. Of another script a few rule out every language that is not
# written in it, but for Greek ones, which are signs too; which of its own languages it is takes more.
MIN_LETTERS = 12
FEW_OTHER_LETTERS = 2
FEW_GREEK_LETTERS = 4
MIN_TOLD_APART = 6
CODE_SHARE = 0.22
# Of all letters, those of another script: from where on a text is in that, from where on it may be although
# it has English words, and from where on it may be without.
SCRIPT_SHARE = 0.5
QUOTING_SHARE = 0.3
MIXED_SHARE = 0.15
# Of all words: fewer English ones may stand in any text.
ENGLISH_SHARE = 0.05

ASCII, OTHER_LATIN, HAN, KANA = (COUNTED.index(name) for name in ("ascii", "latin", "han", "kana"))
OTHERS = [name for name in COUNTED[:SCRIPTS] if name in SCRIPT_LANGUAGES]
OTHER_COLUMNS = [COUNTED.index(name) for name in OTHERS]


def languages(texts: Sequence[str], keep: Collection[str] = ("en",)) -> list[Verdict]:
    """The language of each text: ISO 639-1, or `undetermined`.

    keep: the languages wanted. A text is said to be in another one only where it can be in none of these.
    """
    texts = [text if text.isascii() else unicodedata.normalize("NFC", text) for text in texts]
    counts = count_features(texts)
    letters, shares = weigh(counts)
    others = shares[:, OTHER_COLUMNS]
    others[:, OTHERS.index("han")] += shares[:, KANA]
    leading, share = others.argmax(axis=1), others.max(axis=1)
    found = look(counts, letters, shares, leading, share, keep)
    is_other = share >= SCRIPT_SHARE
    may_be = is_other | ((share >= MIXED_SHARE) & (share * letters >= MIN_TOLD_APART))
    has_english = counts[:, ENGLISH] > ENGLISH_SHARE * counts[:, WORDS]
    rows = [row for row, verdict in enumerate(found) if verdict is None]
    asked = [
        Open(
            texts[row],
            OTHERS[leading[row]] if may_be[row] else LATIN,
            bool(may_be[row] and not is_other[row]),
            float(letters[row]),
            bool(has_english[row] and "en" in keep),
            bool(counts[row, FOREIGN] > 0),
        )
        for row in rows
    ]
    for row, verdict in zip(rows, judge(asked, keep), strict=True):
        found[row] = verdict
    return [verdict for verdict in found if verdict is not None]


def letters_of(texts: Sequence[str]) -> list[int]:
    """The letters of each text, as `weigh` counts them."""
    counted: list[int] = weigh(count_features(texts))[0].astype(int).tolist()
    return counted


def weigh(counts: NDArray[np.int32]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Letters of each text, dense ones by their weight, and the share of each script in them."""
    scripts = counts[:, :SCRIPTS].astype(np.float64)
    scripts[:, [COUNTED.index(name) for name in DENSE]] *= DENSE_WEIGHT
    letters = scripts.sum(axis=1)
    return letters, scripts / np.maximum(letters, 1)[:, None]


def look(
    counts: NDArray[np.int32],
    letters: NDArray[np.float64],
    shares: NDArray[np.float64],
    leading: NDArray[np.int64],
    share: NDArray[np.float64],
    keep: Collection[str],
) -> list[Verdict | None]:
    """What scripts and common words decide, null where they do not.

    leading, share: the script with most letters beside Latin, by its number in OTHERS, and its share.
    """
    found: list[Verdict | None] = [None] * len(counts)
    code = counts[:, SYMBOLS] / np.maximum(letters + counts[:, SYMBOLS], 1)
    mark(found, (code > CODE_SHARE) & (shares[:, OTHER_LATIN] == 0), UNDETERMINED, "code")
    mark(found, letters < MIN_LETTERS, UNDETERMINED, "length")
    mark(found, is_english(counts, shares) & (share < QUOTING_SHARE), "en", "words")
    enough = np.where(leading == OTHERS.index("greek"), FEW_GREEK_LETTERS, FEW_OTHER_LETTERS)
    for row in np.flatnonzero((share >= SCRIPT_SHARE) & (share * letters >= enough)).tolist():
        found[row] = of_script(OTHERS[leading[row]], letters[row], shares[row, HAN], shares[row, KANA], keep)
    return found


def of_script(script: str, letters: float, han: float, kana: float, keep: Collection[str]) -> Verdict | None:
    """What its script says of a text, null where the judges tell its languages apart.

    Of too few letters for that, the commonest one is named, if none of them is kept.
    """
    names = SCRIPT_LANGUAGES[script]
    if script == "han" and (kana <= 0.01 * han or kana >= 0.2):
        return Verdict("zh" if kana < 0.2 else "ja", None, "script")
    if len(names) == 1:
        return Verdict(names[0], None, "script")
    if letters >= MIN_TOLD_APART:
        return None
    is_kept = not set(names).isdisjoint(keep)
    return Verdict(UNDETERMINED, None, "length") if is_kept else Verdict(names[0], None, "script")


def mark(found: list[Verdict | None], rows: NDArray[np.bool_], language: str, by: str) -> None:
    """Give the marked rows a verdict; a later one replaces an earlier one."""
    verdict = Verdict(language, None, by)
    for row in np.flatnonzero(rows).tolist():
        found[row] = verdict


def is_english(counts: NDArray[np.int32], shares: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Texts with English words in plain Latin letters, and of foreign ones none, or few beside them.

    Letters of other scripts are passed over.
    """
    words = np.maximum(counts[:, WORDS], 1)
    english, common, foreign = counts[:, ENGLISH], counts[:, ENGLISH] + counts[:, SHARED], counts[:, FOREIGN]
    few = (english >= 2) & (english >= 0.06 * words) & (common >= 0.2 * words) & (foreign <= 0.15 * english)
    none = (english >= 1) & (english >= 0.05 * words) & (common >= 0.15 * words) & (foreign == 0)
    plain = shares[:, ASCII] >= 0.97 * (shares[:, ASCII] + shares[:, OTHER_LATIN])
    passing: NDArray[np.bool_] = plain & (few | none)
    return passing
