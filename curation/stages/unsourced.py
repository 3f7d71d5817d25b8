"""Calls with values that stand nowhere before them: made up, perhaps. Flagged, never dropped.

A value is sourced where half of its words, or its number, stand in what the system, the user and results
said, or in what the assistant said before the user spoke last (the user saw it); or where the tools spell
it. Case, punctuation, accents, the ends of words, number words, separators of thousands and the spelling of
dates and times do not matter, nor whether a number was told or follows from two that were; initials and
codes (SF, JFK) stand for names. Rows in scripts without spaces are not judged.

What the assistant writes itself has no source and is not asked for one: text of more than a few words,
code, commands, queries, and whatever the key says is made. The flag names the keys, never their values,
which may be personal data: the ledger is there for all to read.
"""

import re
import unicodedata
from collections.abc import Iterator
from functools import partial
from typing import Any

import msgspec
import orjson
import polars as pl

from curation.recipe.stages import Unsourced
from curation.row import note
from curation.stages.rewriting import Rewritten, rewrite
from curation.stages.seam import Context, Rows, RowsFn, Split
from curation.stages.trajectories.runs import Turn

MOST_WORDS = 5  # of a value that is looked for; a longer one is written, not copied
SMALL = 10  # numbers up to it are chosen as often as told
STEM = 4  # letters of a word that tell it, as Philly and Philadelphia have them in common
MOST_NUMBERS = 60  # the latest, from which another may follow
TOLD = 5  # keys that a flag names

_decode = msgspec.json.Decoder(list[Turn]).decode
_WORD = re.compile(r"[^\W\d_]+|\d+(?:[.,]\d+)*")
_DATE = re.compile(r"(?:(\d{4})[-/])?(\d{1,2})[-/](\d{1,2})(?:[T ].*)?")
_TIME = re.compile(r"(\d{1,2}):(\d\d)(?::\d\d)?(?: ?[ap]\.?m\.?)?", re.IGNORECASE)
# A day that is told by another: which date it is stands nowhere.
_DAY = re.compile(
    r"\b(?:today|tonight|tomorrow|yesterday|next|last|coming|following|ago|day after|later|weekend|now"
    r"|(?:mon|tues|wednes|thurs|fri|satur|sun)day)\b"
)
_CLOCK = re.compile(r"\b(?:noon|midday|midnight|morning|afternoon|evening|tonight|now|half past|quarter)\b")
# Keys and tools whose values the assistant makes up, as its work.
_MADE = re.compile(
    r"(?:^|_)(?:query|queries|q|search|keyword|keywords|command|cmd|code|script|sql|content|contents|text|body"
    r"|message|msg|subject|title|thought|thoughts|reason|reasoning|explanation|summary|description|note|notes"
    r"|comment|prompt|expression|formula|regex|pattern|password|uuid|token|language|lang|locale"
    r"|format|unit|units|type|mode|sort|order|filename|file|path|currency|encoding|color|colour|style|genre"
    r"|category|tags?|label|input|equation|function|variable|lines?|limit|offset|page|timeout|max|min|count|seed)(?:_|$)"
)
# A ticker, an airport, a country: what it stands for is known to whoever writes it.
_CODE = re.compile(r"[A-Z]{2,5}")
_UNSPACED = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff]")
# What names one thing: a flight, an order.
_NAME = re.compile(r"(?=[\w-]*\d)(?=[\w-]*[A-Za-z]{2})[\w-]{5,}")
_CODED = re.compile(r"[{}()=<>*\\/]{2}|://")
_FILLERS = frozenset(["the", "and", "for", "with", "from", "near"])
# Months, minutes, cents, and the words for large numbers.
_FACTORS = {1.0, 12.0, 60.0, 100.0, 1e3, 1e4, 1e5, 1e6, 1e9}
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen"
    " seventeen eighteen nineteen twenty"
)
_FIRSTS = "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth"
_TENS = "thirty forty fifty sixty seventy eighty ninety"
_NUMBERS = {
    word: str(first + step * n)
    for words, first, step in ((_ONES, 0, 1), (_FIRSTS, 1, 1), (_TENS, 30, 10))
    for n, word in enumerate(words.split())
}


def unsourced(rows: pl.DataFrame) -> Split:
    """All rows, flagged where a value of a call stands nowhere before it.

    Needs `messages`, `tools`, `notes`.
    """
    suspects = rows["messages"].str.contains('"tool_calls":[{', literal=True)

    def decide(text: str, offered: str | None, notes: str | None) -> Rewritten | None:
        if _UNSPACED.search(text) is not None:
            return None
        found = list(made_up(_decode(text.encode()), offered or ""))
        if not found:
            return None
        turns = sorted({turn for turn, _ in found})
        keys = list(dict.fromkeys(key for _, key in found))[:TOLD]
        told = note(notes, stage="unsourced", flag="unsourced_argument", turns=turns, keys=keys)
        return Rewritten(text, offered, told)

    return rewrite(rows, suspects, decide)


class Told:
    """What was said so far: as it stands in small letters, and, where that is not enough, its words."""

    def __init__(self, offered: str) -> None:
        self.offered = offered.lower()
        self.texts: list[str] = []
        self._words: set[str] = set()
        self._read = 0

    def words(self) -> set[str]:
        """The words of everything said."""
        for text in self.texts[self._read :]:
            self._words |= words_of(text)
        self._read = len(self.texts)
        return self._words

    def has(self, value: str) -> bool:
        """Whether a value, or what stands for it, was said, or is written in the tools."""
        small = value.lower().strip()
        if small in self.offered or any(small in text for text in self.texts):
            return True
        return is_sourced(value.strip(), self.words(), self.texts)


def made_up(turns: list[Turn], offered: str) -> Iterator[tuple[int, str]]:
    """The turn and the key of every value of a call that stands nowhere before it."""
    told = Told(offered)
    own: list[str] = []
    for place, turn in enumerate(turns):
        said = (turn.content or "").lower()
        if turn.role == "assistant":
            for call in turn.tool_calls or ():
                for key, value in values_of(call.arguments):
                    if not told.has(value):
                        yield place, key
            own.append(said)
        else:
            if turn.role == "user":
                told.texts += own
                own = []
            told.texts.append(said)


def values_of(arguments: str | None) -> Iterator[tuple[str, str]]:
    """Key and value of what a call may have copied: short text and numbers that say something."""
    try:
        found = orjson.loads(arguments or "")
    except orjson.JSONDecodeError:
        return
    open_: list[tuple[str, Any]] = list(found.items()) if isinstance(found, dict) else []
    while open_:
        key, value = open_.pop(0)
        if _MADE.search(_CAMEL.sub("_", key).lower()):
            continue
        if isinstance(value, dict):
            open_ += value.items()
        elif isinstance(value, list):
            open_ += [(key, one) for one in value[:20]]
        elif isinstance(value, str):
            if (
                value.strip()
                and len(value.split()) <= MOST_WORDS
                and not re.search(r"[{}()=<>*\\/]{2}|://", value)
            ):
                yield key, value
        elif isinstance(value, int | float) and not isinstance(value, bool) and abs(value) > SMALL:
            yield key, f"{value:.10g}"


def is_sourced(value: str, known: set[str], texts: list[str]) -> bool:
    """Whether what stands for a value was said."""
    if date := _DATE.fullmatch(value):
        # Either may be the day.
        told = {str(int(part)) for part in date.groups()[1:] if int(part)} & known
        by_name = date[1] is None or str(int(date[3])) in known
        return (bool(told) and by_name) or any(_DAY.search(text) for text in texts)
    if time := _TIME.fullmatch(value):
        hour = int(time[1])
        return bool({str(hour), str(hour % 12 or 12)} & known) or any(_CLOCK.search(text) for text in texts)
    if _NAME.fullmatch(value):
        return False
    every = _WORD.findall(value.lower())
    words = [word for word in every if (len(word) > 2 or word.isdigit()) and word not in _FILLERS] or every
    told_words = [word for word in words if words_of(word) & known or word[:3] in known]
    if 2 * len(told_words) >= len(words) or _CODE.fullmatch(value):
        return True
    first = "".join(word[0] for word in every)
    # NY, NYC, and DC for Washington D.C.
    if len(first) > 1 and any(len(word) > 1 and (word in first or word[:-1] == first) for word in known):
        return True
    return len(words) == 1 and words[0][0].isdigit() and follows(float(words[0].replace(",", "")), known)


def follows(number: float, known: set[str]) -> bool:
    """Whether a number is the sum, the difference, the product or the quotient of two that were told."""
    told = sorted({float(word) for word in known if word[0].isdigit()} | _FACTORS)[-MOST_NUMBERS:]
    results = (r for a in told for b in told for r in (a + b, a - b, a * b, a / b if b else 0.0))
    return any(abs(number - result) < 0.005 for result in results)


def words_of(text: str) -> set[str]:
    """The words of a text by their beginnings, its numbers by what they are."""
    plain = text if text.isascii() else unicodedata.normalize("NFKD", text)
    found: set[str] = set()
    for word in _WORD.findall(plain.lower()):
        if word[0].isdigit():
            whole = word.replace(",", "")
            if whole.count(".") > 1:
                # A date or a version.
                found.update(part.lstrip("0") or "0" for part in whole.split("."))
                continue
            head, point, tail = whole.partition(".")
            tail = tail.rstrip("0")
            found.add((head.lstrip("0") or "0") + (point + tail if tail else ""))
        else:
            found.add(_NUMBERS.get(word, word[:STEM]))
    return found


def _bind(settings: Unsourced, context: Context) -> RowsFn:
    return partial(unsourced)


STAGE = Rows(bind=_bind)
