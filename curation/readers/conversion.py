"""Records to rows: the reader's shape, the recipe's `where` and `system`, and what cannot be read."""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path

import msgspec

from curation.jsontext import JSON_ERRORS, explain, from_python, mend
from curation.readers import where
from curation.readers.seam import reader_of
from curation.recipe.readers import READERS
from curation.recipe.source import Source
from curation.sources import decoding
from curation.sources.decoding import Stored
from curation.sources.records import Bad, Filtered, Noted, Record
from curation.text import UnknownEncoding
from curation.turns.chat_api import say
from curation.turns.shape import Convert, Dropped, Row, Unfit

Found = Row | Bad | Filtered

_EXPECTED = (*JSON_ERRORS, Unfit, UnknownEncoding)


def converter(source: Source, path: Path) -> Convert:
    """The function that makes rows of this source's records. Raises SourceError for wrong settings."""
    made = reader_of(source.reader).converter
    assert made is not None, f"reader {source.reader} takes no records"
    return made(source, path)


def wanted_columns(source: Source) -> frozenset[str] | None:
    """The columns of a wide file that the reader looks at; None for all."""
    reader = READERS[source.reader]
    if not reader.narrow or source.records:
        return None
    known = {name for names in reader.columns.values() for name in names}
    named = {path.partition(".")[0] for path in (source.columns or {}).values()}
    filtered = {path.partition(".")[0] for path in source.where or {}}
    return frozenset(known | set(reader.keys) | named | filtered)


def converted(batches: Iterable[list[Record]], convert: Convert, source: Source) -> Iterator[Found]:
    """Every record of the batches as a row, or as what kept it from being one."""
    step = _step(convert, source)
    for batch in batches:
        for record in batch:
            if record.__class__ is bytes:
                try:
                    yield step(record)
                except _EXPECTED as error:
                    yield _careful(record, error, step)
            elif isinstance(record, Noted):
                yield _noted(record, step)
            else:
                yield record  # type: ignore[misc]


def _step(convert: Convert, source: Source) -> Callable[[bytes], Row | Filtered]:
    """`convert` with the recipe's filter before it and its system prompt after it."""
    prompted: Callable[[bytes], Row] = convert
    if source.system is not None:
        prompted = partial(_with_system, convert, source.system)
    if not source.where:
        return prompted
    wanted, passing = source.where, where.passes(source.where)

    def step(data: bytes) -> Row | Filtered:
        return where.filtered(data, wanted, passing) or prompted(data)

    return step


def _with_system(convert: Convert, system: str, data: bytes) -> Row:
    row = convert(data)
    if row.messages[0]["role"] != "system":
        row.messages.insert(0, say("system", system))
    return row


def _careful(data: bytes, error: BaseException, step: Callable[[bytes], Row | Filtered]) -> Found:
    """A second try on mended bytes; if there is nothing to mend, or it does not help, Bad."""
    if isinstance(error, Dropped):
        return _refused(data, error)
    try:
        mended, repairs = mend(data)
        if not repairs and (read := _from_python(data)) is not None:
            mended, repairs = read, ["python_repr"]
        if not repairs:
            return _refused(data, error)
        found = step(mended)
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


def _noted(record: Noted, step: Callable[[bytes], Row | Filtered]) -> Found:
    try:
        found: Found = step(record.data)
    except _EXPECTED as error:
        found = _careful(record.data, error, step)
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
