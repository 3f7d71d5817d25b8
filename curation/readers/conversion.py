"""Records to rows: the reader's shape, the recipe's `where` and `system`, and what cannot be read."""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from curation.errors import SourceError
from curation.jsontext import JSON_ERRORS, explain, mend
from curation.readers import adventure, alpaca, bfcl, lines, mapped, qa, sharegpt, trajectory, where
from curation.readers.answers import answer_file, keyed_records, text_lines
from curation.readers.messages import reader as messages
from curation.recipe.source import Source
from curation.sources import decoding
from curation.sources.records import Bad, Filtered, Noted, Record
from curation.text import UnknownEncoding
from curation.turns.chat_api import say
from curation.turns.shape import Convert, Row, Unfit

Found = Row | Bad | Filtered

_SHAPES: dict[str, Callable[[Source], Convert]] = {
    "messages": messages.converter,
    "wildchat": messages.converter,
    "alpaca": alpaca.converter,
    "qa": qa.converter,
    "sharegpt": sharegpt.converter,
    "adventure": adventure.converter,
    "trajectory": trajectory.converter,
}
_EXPECTED = (*JSON_ERRORS, Unfit, UnknownEncoding)


def converter(source: Source, path: Path) -> Convert:
    """The function that makes rows of this source's records. Raises SourceError for wrong settings."""
    answers = answer_file(path, source)
    if source.reader == "bfcl":
        return bfcl.converter(source, keyed_records(answers, "id") if answers else None, path.parent)
    if source.reader == "map":
        join = source.map.join if source.map else None
        return mapped.converter(source, keyed_records(answers, join) if answers and join else None)
    return _SHAPES[source.reader](source)


def wanted_columns(source: Source) -> frozenset[str] | None:
    """The columns of a wide file that a reader of conversations looks at; None for all."""
    if source.reader not in ("messages", "wildchat", "sharegpt"):
        return None
    named = {path.partition(".")[0] for path in (source.columns or {}).values()}
    filtered = {path.partition(".")[0] for path in source.where or {}}
    return frozenset({*messages.CONVERSATION_KEYS, *messages.TOOL_KEYS, "system"} | named | filtered)


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
    try:
        mended, repairs = mend(data)
        if not repairs:
            return Bad(explain(error), _start(data))
        found = step(mended)
    except _EXPECTED as second:
        return Bad(explain(second), _start(data))
    if isinstance(found, Row):
        found.notes.extend({"stage": "read", "repair": repair} for repair in repairs)
    return found


def _noted(record: Noted, step: Callable[[bytes], Row | Filtered]) -> Found:
    try:
        found = step(record.data)
    except _EXPECTED as error:
        return Bad(explain(error), _start(record.data))
    if isinstance(found, Row):
        found.notes.append({"stage": "read", "repair": record.repair})
    return found


def _start(data: bytes) -> str:
    return data[:1000].decode(errors="replace")


def fits(convert: Convert, data: bytes) -> bool:
    """Whether a record has the reader's shape, mended if need be."""
    try:
        convert(data)
    except _EXPECTED as error:
        try:
            return not isinstance(error, Unfit) and isinstance(convert(mend(data)[0]), Row)
        except _EXPECTED:
            return False
    return True


def text_rows(path: Path, source: Source, *, file: str) -> Iterator[Found]:
    """The rows of a plain text: a playthrough, a book, or two files of lines."""
    try:
        if source.reader == "lines":
            yield from _line_rows(path, source)
            return
        text, repair, broken = decoding.whole_text(path, source.encoding)
    except UnknownEncoding as error:
        yield Bad(str(error), decoding.first_bytes(path, 1000).decode(errors="replace"))
        return
    if source.reader == "herbal":
        yield from _book(text, source, file=file)
    elif text.strip():
        yield _playthrough(text, source, repair)
    if broken is not None:
        yield Bad(str(broken))


def _line_rows(path: Path, source: Source) -> Iterator[Found]:
    answers = answer_file(path, source)
    if answers is None:
        raise SourceError("reader lines needs `answers`: the file with the other line of each pair")
    asked, broken = text_lines(path, source.encoding)
    answered, broken_too = text_lines(answers, source.encoding)
    fault = broken or broken_too
    if fault is not None:
        # What lies behind the break is one unreadable record, not one a line of the whole file.
        asked, answered = asked[: len(answered)], answered[: len(asked)]
    for found in lines.rows(asked, answered, source):
        if isinstance(found, Unfit):
            yield Bad(str(found))
            continue
        if source.system is not None:
            found.messages.insert(0, say("system", source.system))
        yield found
    if fault is not None:
        yield Bad(str(fault))


def _book(text: str, source: Source, *, file: str) -> Iterator[Row]:
    # Imported here: the herbal reader's word lists cost time that no other source should pay.
    from curation.readers.herbal import reader as herbal

    yield from herbal.rows(text, source, file=file)


def _playthrough(text: str, source: Source, repair: str | None) -> Found:
    try:
        row = adventure.conversation(text, player=source.player)
    except Unfit as error:
        return Bad(str(error), text[:1000])
    if source.system is not None and row.messages[0]["role"] != "system":
        row.messages.insert(0, say("system", source.system))
    notes: list[dict[str, Any]] = [{"stage": "read", "repair": repair}] if repair else []
    return row._replace(notes=notes)
