"""Which language of its script a text is in, by py3langid and langdetect together.

A kept language needs little; that a text is in none of them needs both judges.
"""

import math
import re
from collections.abc import Collection, Sequence
from typing import NamedTuple

from curation.recipe.kinds import LANGUAGES
from curation.stages.language.models import UNDETERMINED, langdetect, langid

# The languages of each script, as far as the judges know them, the commonest first.
SCRIPT_LANGUAGES = {
    "cyrillic": ("ru", "uk", "bg", "sr", "be", "mk", "kk", "ky", "mn", "tg", "tt", "ba", "uz"),
    "arabic": ("ar", "fa", "ur", "ps", "ku", "ug"), "devanagari": ("hi", "mr", "ne", "gom"),
    "bengali": ("bn", "as"), "han": ("zh", "ja"), "ethiopic": ("am",), "hangul": ("ko",), "thai": ("th",),
    "greek": ("el",), "hebrew": ("he",), "gurmukhi": ("pa",), "gujarati": ("gu",), "tamil": ("ta",),
    "telugu": ("te",), "kannada": ("kn",), "malayalam": ("ml",), "sinhala": ("si",), "georgian": ("ka",),
    "armenian": ("hy",), "khmer": ("km",), "lao": ("lo",), "myanmar": ("my",), "other": ("or", "dz"),
}  # fmt: skip
LATIN = "latin"
_ELSEWHERE = {name for names in SCRIPT_LANGUAGES.values() for name in names} - {"sr", "uz", "ku", "gom"}
LANGUAGES_OF = {LATIN: LANGUAGES - _ELSEWHERE} | {s: frozenset(n) for s, n in SCRIPT_LANGUAGES.items()}

# py3langid's first choice stands from these on: a kept language, one that gives a ruled out text its name,
# the script of a text in two.
LIKELY = 0.3
SURE = 0.9
SURE_OF_SCRIPT = 0.5
# What English is taken for: in a short text, names of plants and animals are Latin; Pidgin is half English.
SHORT_LETTERS = 300
LIKE_NAMES = "la"
LIKE_ENGLISH = "pcm"

# The evidence for the kept languages is the log of the best one's chance over that of the best other, by
# both judges, for the text and for the text without names; each bounded, so that none decides alone. A text
# with words or letters that English does not have is ruled out from RULED_OUT down, another one, which may
# be names, from UNSUPPORTED down, if it has some more words than names and numbers. Of the test sentences
# of lingua in 50 other languages of Latin script, cut at 40 characters, 92 % are, and none of the English.
BOUND = 6.0
RULED_OUT, FEW_LETTERS = -8.0, 4
UNSUPPORTED, FEW_WORDS = -9.0, 2
MIN_UNSUPPORTED = 20
NAME = re.compile(r"\b\w*[A-Z0-9_]\w*")
WORD = re.compile(r"[^\W\d_]{2,}")
OTHER_SCRIPTS = re.compile("[^\\0-\u02af\u0300-\u036f\u1e00-\u1eff\u2000-\u206f]+")
# Beyond ASCII, and no sign of phonetic script.
MARKED_LETTER = re.compile("[\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u024f\u1e00-\u1eff]")


class Verdict(NamedTuple):
    """A language and how probable py3langid holds it, null where it was not asked. `by` names the judge."""

    language: str
    probability: float | None
    by: str


class Open(NamedTuple):
    """A text that script and words leave open, with what they tell of it.

    script   what most of its letters are from, or may be, where `mixed` says so
    letters  as `weigh` counts them
    english  whether more than a few of its words are English
    foreign  whether any is a common word of another language
    """

    text: str
    script: str
    mixed: bool
    letters: float
    english: bool
    foreign: bool


def judge(rows: Sequence[Open], keep: Collection[str]) -> list[Verdict]:
    """The language of each text in its script: a kept one, or another where it can be none of those."""
    wanted = frozenset(keep)
    first = langid([row.text for row in rows])
    found: list[Verdict | None] = []
    doubtful: list[tuple[int, Open]] = []
    for number, row in enumerate(rows):
        if row.mixed:
            row = settle(row, first.share(number, LANGUAGES_OF[row.script]))
        of_script = LANGUAGES_OF[row.script]
        language, chance = first.best(number, of_script)
        is_kept = language in wanted and chance >= LIKELY
        if is_kept or (row.script != LATIN and of_script.isdisjoint(wanted)):
            found.append(Verdict(language, round(chance, 4), "py3langid"))
        else:
            found.append(None)
            doubtful.append((number, row))
    second = weigh_evidence([row for _, row in doubtful], wanted)
    for (number, _), verdict in zip(doubtful, second, strict=True):
        found[number] = verdict
    return [verdict for verdict in found if verdict is not None]


def settle(row: Open, share: float) -> Open:
    """A text in two scripts, settled on the one that is not Latin by py3langid's share for its languages."""
    if share >= SURE_OF_SCRIPT:
        return row._replace(mixed=False)
    return row._replace(mixed=False, script=LATIN, text=OTHER_SCRIPTS.sub(" ", row.text))


def weigh_evidence(rows: Sequence[Open], keep: frozenset[str]) -> list[Verdict]:
    """The verdict of both judges on texts that py3langid alone does not find in a kept language."""
    texts = [row.text for row in rows]
    bare = [NAME.sub(" ", text.lower() if text.isupper() else text) for text in texts]
    judged = [(langid(some), langdetect(some)) for some in (texts, bare)]
    found = []
    for number, row in enumerate(rows):
        kept, others = LANGUAGES_OF[row.script] & keep, LANGUAGES_OF[row.script] - keep
        if "en" in kept:
            others = others - {LIKE_ENGLISH}
        odds = [one.odds(number, kept, others) for pair in judged for one in pair]
        evidence = sum(max(-BOUND, min(BOUND, one)) for one in odds) if kept else -math.inf
        sure, arbiter = judged[0][0].best(number, others), judged[0][1].best(number, others)
        if row.letters < SHORT_LETTERS and sure[0] == LIKE_NAMES:
            found.append(Verdict(UNDETERMINED, None, "judges"))
        elif not row.english and evidence < bound_of(row, bare[number]):
            name = sure if sure[1] >= SURE or not arbiter[1] else arbiter
            found.append(Verdict(name[0], round(name[1], 4), "py3langid" if name is sure else "langdetect"))
        elif evidence > 0:
            language, chance = judged[0][0].best(number, kept)
            found.append(Verdict(language, round(chance, 4), "judges"))
        else:
            found.append(Verdict(UNDETERMINED, None, "judges"))
    return found


def bound_of(row: Open, bare: str) -> float:
    """The evidence under which a text is ruled out; minus infinity where there is little beside names."""
    words = set(WORD.findall(bare))
    if row.script != LATIN:
        return RULED_OUT
    if row.foreign or MARKED_LETTER.search(bare):
        return RULED_OUT if sum(map(len, words)) >= FEW_LETTERS else -math.inf
    enough = len(words) >= FEW_WORDS and row.letters >= MIN_UNSUPPORTED
    return UNSUPPORTED if enough else -math.inf
