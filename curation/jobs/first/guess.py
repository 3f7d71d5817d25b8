"""How one file would be read: a reader tried on its first records, as far as the chat stage, or why none.

Nothing is guessed that a name does not say; what remains open is told, for a person to decide.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import orjson
import polars as pl

from curation.calls.listed_tools import offered_names
from curation.calls.text_calls import OPEN
from curation.calls.tool_schemas import read_tools, tools_file
from curation.errors import SourceError
from curation.readers.conversion import converted, converter
from curation.readers.guessing.look import (
    LOOKED_AT,
    Look,
    candidates,
    collections,
    headless,
    look,
    source_of,
    text_candidates,
)
from curation.readers.guessing.unread_shapes import known_records, known_text
from curation.readers.keys.counts import KEYS_SCHEMA, KeyCounts, told_keys
from curation.readers.reading import chunks, holds_records, read
from curation.readers.regrouping import gathered
from curation.readers.seam import OWN, POSSIBLE, reader_of
from curation.readers.where import outcomes
from curation.recipe.keys import KINDS
from curation.recipe.kinds import BUILT_IN_SCHEMAS
from curation.recipe.readers import READERS
from curation.recipe.stages import REASONS, Chat
from curation.row import Message, decode, frame
from curation.sources.no_data import no_data
from curation.sources.records import Bad, Filtered, Record, Refused
from curation.stages.chat import STAGE as CHAT
from curation.stages.seam import Context
from curation.turns.shape import Row
from curation.visible import short

# Of a text so many rows are tried.
_TRIED = 200
# Where so many of the rows that call tools and offer none call these alone, they are offered.
_MOSTLY = 0.9
_OWN_TOOLS = BUILT_IN_SCHEMAS[0]


@dataclass(frozen=True)
class Guess:
    """A reader and its settings with the evidence, or None with what is there and what must be decided.

    settings  of the reader; a proposal where there is none
    keys      that are read; of what has no reader, those of the first record
    ignored   keys that say nothing of what a row means
    refused   keys for which some rows are dropped
    outcomes  keys that `where` could use → the first different values that they hold
    problem   why there is no reader
    rows      the first ones as they would be trained
    caution   why some of the records looked at become no rows
    """

    reader: str | None
    settings: dict[str, Any] = field(default_factory=dict)
    keys: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()
    outcomes: Mapping[str, str] = field(default_factory=dict)
    problem: str = ""
    rows: tuple[list[Message], ...] = ()
    has_calls: bool = False
    caution: str = ""

    @property
    def sample(self) -> list[Message]:
        """The first row."""
        return self.rows[0] if self.rows else []


@dataclass(frozen=True)
class Trial:
    """What came of some records: the rows that stand, how many were tried, and why the others fell.

    whole  of a text, whether all of it could be read
    keys   of records, as KeyCounts counts them
    bare   of each row that calls tools and offers none, their names
    """

    rows: list[list[Message]]
    tried: int
    reasons: Counter[str]
    whole: bool = True
    keys: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=KEYS_SCHEMA))
    bare: Sequence[set[str]] = ()

    @property
    def holds(self) -> bool:
        """Whether no more fell than became rows."""
        return bool(self.rows) and len(self.rows) * 2 >= self.tried

    def why(self) -> str:
        """The most frequent reason, and how many fell."""
        reason = self.reasons.most_common(1)[0][0] if self.reasons else "it has no rows"
        return f"{self.tried - len(self.rows)} of {self.tried} rows looked at fail: {reason}"


def guess(path: Path) -> Guess:
    """The reader under which most of a file's first records become rows that the chat stage keeps."""
    if fault := no_data(path):
        return Guess(None, problem=fault)
    try:
        return _of_records(path) if holds_records(path) else _of_text(path)
    except SourceError as error:
        return Guess(None, problem=str(error))


def _of_records(path: Path) -> Guess:
    looked = look(path)
    if not looked.objects:
        return Guess(None, problem=looked.broken or "no record is a readable JSON object")
    if start := headless(path, looked.objects):
        fault = f"its first line names no columns but is data ({start} …); put names above it"
        return Guess(None, problem=fault)
    found = _fitting(path, looked)
    if found.reader is not None or found.problem:
        return found
    for key, inside in collections(looked):
        inner = _fitting(path, inside)
        if inner.reader is not None:
            return replace(inner, settings={"records": key, **inner.settings})
        if inner.problem:
            return replace(found, problem=f"in `{key}`: {inner.problem}")
    return replace(found, problem=known_records(looked.objects) or "")


def _fitting(path: Path, looked: Look) -> Guess:
    """The first reader that the names speak for and that reads most of the records, or why it does not."""
    keys, shape = tuple(looked.objects[0]), known_records(looked.objects)
    withdrawn = Guess(None, keys=keys)
    for reader, candidate in candidates(path, looked):
        own = candidate.telling <= OWN
        if shape is not None and not own:
            break
        settings = {**candidate.settings, **wanted(looked.objects)}
        if candidate.asks:
            return Guess(None, _proposal(reader, settings), keys, problem=candidate.asks)
        trial = tried(path, reader, settings, looked)
        if trial.holds:
            return _found(reader, settings, looked, trial)
        failed = Guess(None, _proposal(reader, settings), keys, problem=shape or f"{reader}: {trial.why()}")
        if own:
            return failed
        if not withdrawn.problem and candidate.telling != POSSIBLE:
            withdrawn = failed
    return withdrawn


def _proposal(reader: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    return {"reader": reader, **settings} if settings else {}


def _found(reader: str, settings: dict[str, Any], looked: Look, trial: Trial) -> Guess:
    calls = any(m["tool_calls"] or OPEN in (m["content"] or "") for row in trial.rows for m in row)
    told = told_keys([trial.keys])
    ours = sum(names <= _own_tools() for names in trial.bare)
    if ours and ours >= _MOSTLY * len(trial.bare):
        settings = {**settings, "tools": _OWN_TOOLS}
    return Guess(
        reader,
        settings,
        tuple(told["read"]),
        ignored=tuple(told["ignored"]),
        refused=tuple(told["refused"]),
        outcomes=_outcomes(looked.objects, settings),
        rows=tuple(trial.rows),
        has_calls=calls,
        caution=trial.why() if trial.reasons else "",
    )


@cache
def _own_tools() -> frozenset[str]:
    return frozenset(offered_names(read_tools(tools_file(_OWN_TOOLS, Path()))))


def tried(path: Path, reader: str, settings: Mapping[str, Any], looked: Look) -> Trial:
    """What the reader and the chat stage make of the records looked at, those that pass `where` alone.

    Where none of the first passes, all are tried.
    """
    source = source_of(reader, settings)
    batches = iter([list[Record](looked.records)])
    if (by := reader_of(reader).gather(source)) is not None:
        batches = gathered(batches, by)
    counts = KeyCounts(source)
    found = list(converted(batches, converter(source, path), source, counts))
    if all(isinstance(one, Filtered) for one in found) and "where" in settings:
        return tried(path, reader, {key: value for key, value in settings.items() if key != "where"}, looked)
    rows = [one for one in found if isinstance(one, Row)]
    reasons = Counter(one.error for one in found if isinstance(one, Bad))
    reasons.update(_refusal(one) for one in found if isinstance(one, Refused))
    kept, bare, dropped = _chat([row.messages for row in rows], [row.tools for row in rows])
    return Trial(kept, len(rows) + reasons.total(), reasons + dropped, keys=counts.frame(), bare=bare)


def _refusal(one: Refused) -> str:
    """Why a row is refused for one of its keys, and what to write."""
    advice = f"; write {one.advice % one.key if '%s' in one.advice else one.advice}" if one.advice else ""
    return f"`{one.key}`: {one.meaning}{advice}"


def _chat(
    conversations: Sequence[Sequence[Mapping[str, Any]]], tools: Sequence[str | None]
) -> tuple[list[list[Message]], list[set[str]], Counter[str]]:
    """The conversations that the chat stage keeps, what they call without any tools, why it drops others."""
    if not conversations:
        return [], [], Counter()
    kept, dropped = CHAT.bind(Chat(), Context())(frame(conversations, tools))
    reasons = Counter(map(_why, dropped["reason"], dropped["detail"]))
    rows = [decode(text) for text in kept["messages"]]
    without = [row for row, offered in zip(rows, kept["tools"], strict=True) if offered is None]
    called = [{call["name"] for turn in row for call in turn["tool_calls"] or ()} for row in without]
    return rows, [names for names in called if names], reasons


def _why(reason: str, detail: str) -> str:
    """Why the chat stage drops a row, with the word it is about: `bad_role 'narrator', a role that is …`."""
    said = [value for value in orjson.loads(detail).values() if isinstance(value, str)]
    return f"{reason}{f' {short(said[0], 40)!r}' if said else ''}, {REASONS[reason]}"


def wanted(objects: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The `where` of answers that their makers judged: those that they liked."""
    # In sets for KTO the first records may all be good ones.
    kto = "label" if all("completion" in one or "messages" in one for one in objects) else "kto_tag"
    for kind, wish in (("verdict", True), ("withdrawn", False)):
        for key in KINDS[kind].rows:
            spelt = {str(one.get(key)).lower() for one in objects}
            if spelt <= {"true", "false"} and (str(not wish).lower() in spelt or key == kto):
                return {"where": {key: wish}}
    return {}


def _outcomes(objects: Sequence[Mapping[str, Any]], settings: Mapping[str, Any]) -> dict[str, str]:
    """Keys that tell how a row came out, and what they hold."""
    asked = settings.get("where", {})
    return {
        key: ", ".join(str(value).lower() if isinstance(value, bool) else str(value) for value in values)
        for key, values in outcomes(objects).items()
        if key not in asked
    }


def _of_text(path: Path) -> Guess:
    """A plain text: the first reader that says it is its own, or that reads it whole."""
    for name, candidate in text_candidates(path):
        settings = dict(candidate.settings)
        trial = _tried_text(path, name, settings)
        if trial is not None and trial.holds and (candidate.is_sure or trial.whole):
            return Guess(name, settings, rows=tuple(trial.rows[:LOOKED_AT]))
    *others, last = (READERS[name].no_text for name in sorted(READERS) if READERS[name].no_text)
    return Guess(None, problem=known_text(path) or f"text that is {', '.join(others)} and {last}")


def _tried_text(path: Path, reader: str, settings: Mapping[str, Any]) -> Trial | None:
    """What the reader makes of a text, and the chat stage of its first rows; None if it cannot be read."""
    source = source_of(reader, settings)
    try:
        frames = [one for chunk in chunks(path, source) for one in read(chunk, source, file=path.name)]
    except SourceError:
        return None
    good = [(m, t) for one in frames for m, t in zip(one["messages"], one["tools"], strict=True) if m]
    first = good[:_TRIED]
    kept, _, dropped = _chat([decode(m) for m, _ in first], [t for _, t in first])
    return Trial(kept, len(first), dropped, all(one["reason"].is_null().all() for one in frames))
