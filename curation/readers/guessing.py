"""Which reader fits a file: a look at its first records, or at its text."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec

from curation.calls.text_calls import OPEN
from curation.errors import SourceError
from curation.jsontext import JSON_ERRORS, mend, plain
from curation.readers.conversion import Found, converted, converter
from curation.readers.reading import chunks, holds_records, read, records_of
from curation.readers.seam import Candidate, reader_of
from curation.recipe.readers import READERS
from curation.recipe.source import Source
from curation.sources.no_data import no_data
from curation.sources.records import Bad, Filtered, Record, Refused
from curation.turns.shape import Row

LOOKED_AT = 20
# What a file of unknown records is opened with; what it makes of them does not count.
_ANY = next(iter(READERS))


@dataclass(frozen=True)
class Guess:
    """A reader and its settings, or None with the keys that were found instead, or what else is there."""

    reader: str | None
    settings: dict[str, Any] = field(default_factory=dict)
    keys: tuple[str, ...] = ()
    has_calls: bool = False
    problem: str = ""


def guess(path: Path) -> Guess:
    """The reader under which most of a file's first records become rows."""
    try:
        if (what := no_data(path)) is not None:
            return Guess(None, problem=what)
        return _of_records(path) if holds_records(path) else _of_text(path)
    except SourceError as error:
        return Guess(None, problem=str(error))


def _of_records(path: Path) -> Guess:
    looked = list(islice(_records(path), LOOKED_AT))
    found = [record for record in looked if isinstance(record, bytes)]
    objects = [value for data in found if isinstance(value := _value(data), dict)]
    if not objects:
        bad = next((record for record in looked if isinstance(record, Bad)), None)
        return Guess(None, problem=bad.error if bad else "no record is a readable JSON object")
    for reader, candidate in _candidates(path, objects):
        made = _found(path, reader, candidate.settings, found)
        # A row that is refused for one of its keys fits all the same: `aj check` says what to write.
        if sum(isinstance(one, Row | Refused) for one in made) * 2 > len(found):
            calls = any(
                message["tool_calls"] or OPEN in (message["content"] or "")
                for row in made
                if isinstance(row, Row)
                for message in row.messages
            )
            return Guess(reader, {**candidate.settings, **_wanted(objects)}, has_calls=calls)
    return Guess(None, keys=tuple(objects[0]))


def _records(path: Path) -> Iterator[Record]:
    source = _source(_ANY, {})
    first = chunks(path, source)[0]
    for batch in records_of(first, source, partial(_is_record, path)):
        yield from (record for record in batch if not isinstance(record, Filtered))


def _is_record(path: Path, data: bytes) -> bool:
    """Whether some reader makes a row of a JSON value as it stands."""
    value = _value(data)
    objects = [value] if isinstance(value, dict) else []
    return bool(objects) and any(
        isinstance(made, Row | Refused)
        for reader, candidate in _candidates(path, objects)
        for made in _found(path, reader, candidate.settings, [data])
    )


def _value(data: bytes) -> Any:
    try:
        return plain(msgspec.Raw(data))
    except JSON_ERRORS:
        try:
            return plain(msgspec.Raw(mend(data)[0]))
        except JSON_ERRORS:
            return None


def _source(reader: str, settings: Mapping[str, Any]) -> Source:
    return msgspec.convert({"uri": ".", "reader": reader, "group": "any", **settings}, Source)


def _found(path: Path, reader: str, settings: Mapping[str, Any], found: Sequence[bytes]) -> list[Found]:
    source = _source(reader, settings)
    return list(converted([found], converter(source, path), source))


def _candidates(path: Path, objects: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, Candidate]]:
    """Readers worth trying, the most telling first."""
    return iter(_ranked((name, reader_of(name).guess_records(path, objects)) for name in READERS))


def _ranked(found: Iterable[tuple[str, Iterable[Candidate]]]) -> list[tuple[str, Candidate]]:
    """What readers propose, the most telling first; alike ones in the table's order."""
    flat = [(name, one) for name, candidates in found for one in candidates]
    return sorted(flat, key=lambda entry: entry[1].telling)


def _wanted(objects: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The `where` of answers that people judged, as in sets for KTO: those that they liked."""
    if not all("completion" in one and isinstance(one.get("label"), bool) for one in objects):
        return {}
    return {"where": {"label": True}}


def _of_text(path: Path) -> Guess:
    """A plain text: the first reader that says it is its own, or that reads it whole."""
    for name, candidate in _ranked((name, reader_of(name).guess_text(path)) for name in READERS):
        if candidate.is_sure or _reads(path, name, candidate.settings):
            return Guess(name, dict(candidate.settings))
    *others, last = (READERS[name].no_text for name in sorted(READERS) if READERS[name].no_text)
    return Guess(None, problem=f"text that is {', '.join(others)} and {last}")


def _reads(path: Path, reader: str, settings: Mapping[str, Any]) -> bool:
    source = _source(reader, settings)
    try:
        frames = [frame for chunk in chunks(path, source) for frame in read(chunk, source, file=path.name)]
    except SourceError:
        return False
    return all(frame.height and frame["reason"].null_count() == frame.height for frame in frames)
