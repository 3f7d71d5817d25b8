"""Records to rows: the reader's shape, the recipe's `where` and `system`, and what cannot be read."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import count, repeat
from pathlib import Path

import msgspec

from curation.jsontext import JSON_ERRORS, explain, from_python, mend
from curation.readers import where
from curation.readers.keys.counts import KeyCounts
from curation.readers.keys.shapes import Shape
from curation.readers.keys.telling import refusals
from curation.readers.seam import reader_of
from curation.recipe.readers import READERS
from curation.recipe.source import Source
from curation.sources import decoding
from curation.sources.decoding import Stored
from curation.sources.records import Bad, Filtered, Noted, Record, Refused
from curation.text import UnknownEncoding
from curation.turns.chat_api import say
from curation.turns.shape import Convert, Dropped, Row, Unfit, Unsupported

Found = Row | Bad | Filtered | Refused

_EXPECTED = (*JSON_ERRORS, Unfit, UnknownEncoding)


def converter(source: Source, path: Path) -> Convert:
    """The function that makes rows of this source's records. Raises SourceError for wrong settings."""
    made = reader_of(source.reader).converter
    assert made is not None, f"reader {source.reader} takes no records"
    return made(source, path)


def wanted_columns(source: Source) -> frozenset[str] | None:
    """The columns of a wide file that the reader looks at; None for all.

    Those that may change what a row says are looked at all the same.
    """
    reader = READERS[source.reader]
    if not reader.narrow or source.records:
        return None
    known = {name for names in reader.columns.values() for name in names}
    named = {path.partition(".")[0] for path in (source.columns or {}).values()}
    asked = {path.partition(".")[0] for path in (*(source.where or {}), *source.failed)}
    return frozenset(known | set(reader.keys) | named | asked)


def converted(
    batches: Iterable[Sequence[Record]],
    convert: Convert,
    source: Source,
    counts: KeyCounts | None = None,
    places: Iterable[int] | None = None,
    *,
    compiled: bool = False,
) -> Iterator[Found]:
    """Every record of the batches as a row, or as what kept it from being one.

    counts    where the keys of those that are no Bad record are counted
    places    the number of each record, by default from 0
    compiled  whether a loop looks at the keys, which pays where there is much to look at
    """
    step = _Step(convert, source, KeyCounts(source) if counts is None else counts)
    numbers = count() if places is None else iter(places)
    for batch in batches:
        shapes: Iterable[Shape | None] = step.counts.keys.shapes(batch) if compiled else repeat(None)
        for record, shape, number in zip(batch, shapes, numbers, strict=False):
            if record.__class__ is bytes:
                try:
                    yield step(record, shape, number)
                except _EXPECTED as error:
                    yield _careful(record, error, step, number)
            elif isinstance(record, Noted):
                yield _noted(record, step, number)
            else:
                yield record  # type: ignore[misc]


class _Step:
    """`convert` with the recipe's filter before it; then its keys, failed runs, a system prompt."""

    def __init__(self, convert: Convert, source: Source, counts: KeyCounts) -> None:
        self._convert, self._system = convert, source.system
        self._where = source.where
        self._passing = where.passes(source.where or {})
        self._failed, self._failing = source.failed, where.passes(source.failed)
        self.counts = counts

    def __call__(self, data: bytes, shape: Shape | None, number: int) -> Row | Filtered | Refused:
        if self._where and (left_out := where.filtered(data, self._where, self._passing)):
            self.counts.add(shape or self.counts.keys.shape(data), number, data)
            return left_out
        try:
            row = self._convert(data)
        except Unsupported as error:
            self.counts.add_refused(shape or self.counts.keys.shape(data), number, data, [error.key])
            return Refused(error.key, error.meaning, error.value)
        except Dropped:
            self.counts.add(shape or self.counts.keys.shape(data), number, data)
            raise
        shape = shape or self.counts.keys.shape(data)
        if shape.suspects and (found := refusals(shape.suspects, data, row)):
            self.counts.add_refused(shape, number, data, [suspect.told for suspect, _ in found])
            suspect, value = found[0]
            varies = suspect.kind.telling in ("false", "true", "unmarked")
            return Refused(suspect.told, suspect.kind.meaning, value, suspect.advice, varies)
        self.counts.add(shape, number, data)
        if self._failed and (outcome := where.failed(data, self._failed, self._failing)):
            row.notes.append({"stage": "read", "flag": "failed_run", **outcome})
        if self._system is not None and row.messages[0]["role"] != "system":
            row.messages.insert(0, say("system", self._system))
        return row


def _careful(data: bytes, error: BaseException, step: _Step, number: int) -> Found:
    """A second try on mended bytes; if there is nothing to mend, or it does not help, Bad."""
    if isinstance(error, Dropped):
        return _refused(data, error)
    try:
        mended, repairs = mend(data)
        if not repairs and (read := _from_python(data)) is not None:
            mended, repairs = read, ["python_repr"]
        if not repairs:
            return _refused(data, error)
        found = step(mended, None, number)
    except _EXPECTED as second:
        return _refused(data, second)
    if isinstance(found, Row):
        found.notes.extend({"stage": "read", "repair": repair} for repair in repairs)
    return found


def _from_python(data: bytes) -> bytes | None:
    """See `from_python`; what is no JSON object is left alone."""
    try:
        return from_python(data)
    except msgspec.MsgspecError:
        return None
    except ValueError as error:
        raise Unfit(str(error)) from None


def _noted(record: Noted, step: _Step, number: int) -> Found:
    try:
        found: Found = step(record.data, None, number)
    except _EXPECTED as error:
        found = _careful(record.data, error, step, number)
    if isinstance(found, Row):
        found.notes.append({"stage": "read", "repair": record.repair})
    return found


def _refused(data: bytes, error: BaseException) -> Bad:
    bad = Bad(explain(error), _start(data))
    return bad._replace(reason=error.reason, detail=error.detail) if isinstance(error, Dropped) else bad


def _start(data: bytes) -> str:
    return data[:1000].decode(errors="replace")


def fits(convert: Convert, data: bytes) -> bool:
    """Whether a record has the reader's shape, mended if need be."""
    try:
        convert(data)
    except Dropped:
        return True
    except _EXPECTED as error:
        try:
            return not isinstance(error, Unfit) and isinstance(convert(mend(data)[0]), Row)
        except _EXPECTED:
            return False
    return True


def text_rows(path: Stored, source: Source, *, file: str) -> Iterator[Found]:
    """The rows of a plain text: a playthrough, a book, or two files of lines."""
    rows = reader_of(source.reader).rows
    assert rows is not None, f"reader {source.reader} takes no text"
    try:
        yield from rows(path, source, file=file)
    except UnknownEncoding as error:
        yield Bad(str(error), decoding.first_bytes(path, 1000).decode(errors="replace"))
