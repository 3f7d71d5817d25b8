"""Sources to frames: which files, in which pieces, and every record of them as a line of a frame.

Nothing is lost: a record that cannot be read, or has not the shape that its reader expects, is a
line without messages, with the reason and how its text begins.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import partial
from itertools import chain, count, islice, pairwise
from pathlib import Path, PurePosixPath
from typing import Any, cast

import orjson
import polars as pl

from curation.errors import SourceError
from curation.readers import where
from curation.readers.answers import check_answers
from curation.readers.conversion import Found, converted, converter, fits, text_rows, wanted_columns
from curation.readers.keys.counts import KeyCounts, told_keys
from curation.readers.keys.shapes import may_tell
from curation.readers.regrouping import gathered, holds, unfolded
from curation.readers.seam import Taken, reader_of
from curation.recipe.readers import READERS
from curation.recipe.source import Source
from curation.row import encode, no_loss
from curation.sources import archives, decoding, records, tables
from curation.sources.archives import Member
from curation.sources.decoding import BrokenFile, Stored
from curation.sources.hub_files import ABOUT
from curation.sources.no_data import no_data
from curation.sources.records import Bad, Filtered, Record, Refused
from curation.turns.chat_api import KEYS
from curation.turns.shape import Convert, Row

READ_SCHEMA: dict[str, Any] = {
    "row": pl.UInt32,
    "messages": pl.String,
    "tools": pl.String,
    "notes": pl.String,
    "reason": pl.String,
    "detail": pl.String,
}
# Of a file. The loop saves a second in 100 MB, takes half a second to load, and several to compile when
# it is new.
QUICK_BYTES = 32 << 20
_SHOWN = 200
_BATCH_ROWS = 1 << 16
_PROBED = 100


@dataclass(frozen=True)
class Chunk:
    """A piece of a file: a byte range of plain JSON lines, a range of row groups of a Parquet file
    (0 to 0 for all of them), or 0 to the file's size for anything else."""

    path: Stored
    start: int
    end: int


def list_files(source: Source, data_root: Path, *, name: str) -> list[Path]:
    """The files of a source below the data root, sorted by their path from there.

    `uri` is a file, a glob, or a folder with `files` patterns; a folder without them stands for the
    files right in it. Hidden files count only where a pattern names them. Raises SourceError where
    nothing matches, or a path or a symbolic link leads out of the data root.
    """
    if not data_root.is_dir():
        raise SourceError(
            f"source {name}: the data root {data_root} is no folder; see data_root or --data-root"
        )
    root = data_root.resolve()
    _must_stay_inside(source.uri, root, name)
    target = data_root / source.uri
    if target.is_dir():
        patterns = [source.files] if isinstance(source.files, str) else source.files or ["*"]
        for pattern in patterns:
            _must_stay_inside(pattern, root, name)
        found = {path for pattern in patterns for path in _glob(target, pattern)}
    elif source.files is not None:
        raise SourceError(f"source {name}: `files` needs a folder, but {target} is not one")
    else:
        found = {target} if target.exists() else set(_glob(data_root, source.uri))
    paths = sorted((p for p in found if not p.is_dir()), key=lambda p: p.relative_to(data_root).as_posix())
    if len(paths) > 1:
        paths = [path for path in _once(paths) if not _describes(path)]
    if not paths:
        raise SourceError(f"source {name}: {_nothing(target, source, data_root)}")
    for path in paths:
        _check_file(path, root, name)
        check_answers(path, source, root, name)
    return paths


def _once(paths: Sequence[Path]) -> list[Path]:
    """Every file once, under the name of a link where there is one: a cache of the hub links to its "
    "blobs."""
    if not any(path.is_symlink() for path in paths):
        return list(paths)
    known: dict[Path, Path] = {}
    for path in sorted(paths, key=lambda path: not path.is_symlink()):
        known.setdefault(path.resolve(), path)
    kept = set(known.values())
    return [path for path in paths if path in kept]


def _describes(path: Path) -> bool:
    """Whether a file tells of a data set and holds none of its rows, as `save_to_disk` of datasets "
    "writes."""
    if path.name == "state.json":
        return b'"_data_files"' in decoding.first_bytes(path, 1 << 12)
    return path.name in ABOUT


def _must_stay_inside(uri: str, root: Path, name: str) -> None:
    path = PurePosixPath(uri)
    if path.is_absolute() or ".." in path.parts or "\0" in uri:
        raise SourceError(f"source {name}: '{uri}' leads out of the data root {root}; use a path below it")


def _glob(folder: Path, pattern: str) -> Iterator[Path]:
    try:
        for path in folder.glob(pattern):
            inside = path.relative_to(folder).parts
            if not any(part.startswith(".") for part in inside) or "/." in f"/{pattern}":
                yield path
    except (ValueError, NotImplementedError) as error:
        raise SourceError(f"'{pattern}' is no glob: {error}") from None


def _nothing(target: Path, source: Source, data_root: Path) -> str:
    if target.is_dir():
        asked = source.files if source.files is not None else "any file"
        return f"{target} has no files matching {asked!r}; the folder has: {_listed(target)}"
    parent = target.parent if target.parent.is_dir() else data_root
    names = [path.name for path in parent.iterdir()]
    close = get_close_matches(target.name, names, n=1)
    hint = f"did you mean '{close[0]}'?" if close else f"{parent} has: {_listed(parent)}"
    return f"no file matches '{source.uri}' below {data_root}; {hint}"


def _listed(folder: Path) -> str:
    names = sorted(path.name for path in folder.iterdir())
    return ", ".join(names[:8]) + (", …" if len(names) > 8 else "") or "nothing"


def _check_file(path: Path, root: Path, name: str) -> None:
    try:
        str(path).encode()
    except UnicodeEncodeError:
        raise SourceError(f"source {name}: the file name {str(path)!r} is not UTF-8; rename it") from None
    if not path.resolve().is_relative_to(root):
        raise SourceError(f"source {name}: {path} is a link out of the data root {root}")
    if not path.is_file():
        raise SourceError(f"source {name}: {path} is no regular file")
    if not os.access(path, os.R_OK):
        raise SourceError(f"source {name}: {path} cannot be opened: permission denied")


def chunks(path: Path, source: Source, *, chunk_bytes: int = 32 << 20) -> list[Chunk]:
    """The pieces in which a file is read, in order; the same for the same bytes.

    Plain JSON lines are cut at line starts and Parquet at row groups, so that a big file is read in
    parallel. Everything else is one piece, and so is a file whose records are gathered into rows.
    Raises SourceError for a wrong `encoding`.
    """
    _check_encoding(source)
    size = path.stat().st_size
    whole = [Chunk(path, 0, size)]
    is_small = size <= chunk_bytes and not decoding.bare_name(path).endswith((".parquet", ".pq"))
    if is_small or _is_text(path, source) or no_data(path) is not None or archives.kind(path) is not None:
        return whole
    form = records.file_format(path)
    is_gathered = reader_of(source.reader).gather(source) is not None
    if form == "parquet":
        if decoding.compression(path) or is_gathered:
            return [Chunk(path, 0, 0)]
        try:
            return [Chunk(path, part.start, part.stop) for part in tables.parquet_plan(path, chunk_bytes)]
        except BrokenFile:
            return [Chunk(path, 0, 0)]
    if form != "lines" or decoding.compression(path) or is_gathered:
        return whole
    if source.encoding or decoding.marked_encoding(decoding.first_bytes(path, 4)) not in (None, "utf-8"):
        return whole
    cuts = _line_starts(path, size, chunk_bytes)
    return [Chunk(path, start, end) for start, end in pairwise(cuts)]


def _line_starts(path: Path, size: int, step: int) -> list[int]:
    cuts = [0]
    with path.open("rb") as file:
        for place in range(step, size, step):
            if place <= cuts[-1]:
                continue
            file.seek(place - 1)
            while (piece := file.readline(1 << 20)) and not piece.endswith(b"\n"):
                pass
            if cuts[-1] < file.tell() < size:
                cuts.append(file.tell())
    return [*cuts, size]


def _check_encoding(source: Source) -> None:
    if source.encoding is not None:
        try:
            "a".encode(source.encoding)
        except (LookupError, ValueError):
            raise SourceError(
                f"unknown encoding '{source.encoding}'; for example cp1252, gb18030, utf-16"
            ) from None


def _is_text(path: Stored, source: Source) -> bool:
    """Whether the reader takes a file as plain text, not as records."""
    form = READERS[source.reader].form
    return form == "text" or (form == "either" and not records.is_structured(path))


def holds_records(path: Path) -> bool:
    """Whether a file, or the first member of an archive that is some data, holds records and no text."""
    if archives.kind(path) is None:
        return records.is_structured(path) or records.opens_json(path)
    return any(
        isinstance(member, Member)
        and no_data(member) is None
        and (records.is_structured(member) or records.opens_json(member))
        for member in islice(archives.members(path), _PROBED)
    )


def read(
    chunk: Chunk, source: Source, *, file: str, limit: int | None = None, counts: KeyCounts | None = None
) -> Iterator[pl.DataFrame]:
    """The records of a chunk, in order, in frames of about 16 MB of text; at least one frame.

    Columns: row u32 (from 0 within the chunk, blank lines and CSV headers excluded), messages str?
    (canonical JSON), tools str?, notes str?, reason str?, detail str? (a JSON object). A line has
    either messages or a reason: `unreadable` or what a reader refuses a record for ({"error", "text": the
    first 200 characters, …}), `filtered` ({"column", "value"}) or `unsupported_key` ({"key", "meaning",
    "value"}).
    file: the path from the data root, which a book's citation shows where it has no title.
    limit: read no more than so many records, for a preview.
    counts: where the keys of the records are counted.
    """
    counts = KeyCounts(source) if counts is None else counts
    is_large = limit is None and isinstance(chunk.path, Path) and chunk.path.stat().st_size >= QUICK_BYTES
    quick = reader_of(source.reader).quick(source) if is_large else None
    if quick is not None and archives.kind(chunk.path) is None and records.file_format(chunk.path) == "lines":
        yield from _quick_frames(chunk, source, quick, counts)
    else:
        yield from _frames(islice(_found(chunk, source, file, counts, compiled=is_large), limit))


def _frames(rows: Iterable[Found]) -> Iterator[pl.DataFrame]:
    """Rows, one by one, as frames; at least one."""
    out = _Lines(0)
    for found in rows:
        if isinstance(found, Row):
            out.add_row(found)
        else:
            out.add_refused(found)
        if out.size >= records.BATCH_BYTES or len(out.texts) >= _BATCH_ROWS:
            yield out.frame()
            out = _Lines(out.start + len(out.texts))
    if out.texts or out.start == 0:
        yield out.frame()


def _quick_frames(
    chunk: Chunk, source: Source, quick: Callable[[Sequence[bytes]], Taken], counts: KeyCounts
) -> Iterator[pl.DataFrame]:
    """The frames of a chunk of JSON lines: by the loop what is beyond doubt, all else by the converter."""
    _check_encoding(source)
    assert isinstance(chunk.path, Path)
    convert = converter(source, chunk.path)
    start = 0
    for batch in _larger(records_of(chunk, source, partial(fits, convert), wanted_columns(source))):
        plain = counts.plain(batch)
        lines = [
            cast(bytes, record) if is_plain else b""
            for record, is_plain in zip(batch, plain.is_plain, strict=True)
        ]
        messages, tools = quick(lines)
        counts.add_plain(plain, messages.is_not_null(), batch, start)
        places = messages.is_null().arg_true()
        rest = [batch[place] for place in places]
        found = converted([rest], convert, source, counts, (places + start).to_list())
        left = pl.concat(_frames(found))
        columns = [pl.int_range(start, start + len(batch), dtype=pl.UInt32, eager=True).alias("row")]
        columns += [messages.scatter(places, left["messages"]), tools.scatter(places, left["tools"])]
        for name in ("notes", "reason", "detail"):
            empty = pl.repeat(None, len(batch), dtype=pl.String, eager=True).alias(name)
            columns.append(empty.scatter(places, left[name]))
        yield pl.DataFrame(columns, schema=READ_SCHEMA)
        start += len(batch)


def _larger(batches: Iterable[list[Record]]) -> Iterator[list[Record]]:
    """Batches of records as larger ones of about 16 MB and at most _BATCH_ROWS; at least one."""
    gathered: list[Record] = []
    size = 0
    for record in chain.from_iterable(batches):
        if size >= records.BATCH_BYTES or len(gathered) >= _BATCH_ROWS:
            yield gathered
            gathered, size = [], 0
        gathered.append(record)
        size += len(record) if isinstance(record, bytes) else 0
    yield gathered


def companions(path: Path, source: Source) -> list[Path]:
    """Further files whose bytes decide how a file of the source reads: they count as inputs."""
    return reader_of(source.reader).companions(path, source)


def probe(paths: list[Path], source: Source, *, name: str) -> None:
    """A look at the first records of a source, before hours are spent on it.

    Raises SourceError when none of the first 100 records of its first file fits the reader: then
    the recipe names the wrong reader or columns, and the message has the first record's fault; or all of them
    have a key that changes what they say and that the reader does not read. So it does when one of its files
    is none that any reader takes, such as a pointer of Git LFS.
    """
    first: Bad | None = None
    refused: Refused | None = None
    for path in paths:
        if (what := _unread(path, source)) is not None:
            advice = "" if len(paths) == 1 else "; or leave it out by `files`"
            raise SourceError(f"source {name}: {path.name} {what}{advice}")
    _check_failed(paths, source, name)
    # A book is read whole, and its reader says itself what it looked for.
    for path in (p for p in paths[:1] if not _is_text(p, source)):
        look = _found(chunks(path, source)[0], source, path.name, KeyCounts(source))
        for found in islice(look, _PROBED):
            if isinstance(found, Bad) and found.reason == records.UNREADABLE:
                first = first or found
            elif isinstance(found, Refused) and not found.varies:
                refused = refused or found
            else:
                return
    if refused is not None and first is None:
        advice = f"; write {refused.advice}" if refused.advice else ""
        raise SourceError(
            f"source {name}: every record looked at in {paths[0].name} has `{refused.key}`, which reader "
            f"{source.reader} does not read: {refused.meaning} ({refused.value[:60]!r}){advice}"
        )
    if first is not None:
        raise SourceError(
            f"source {name}: no record of {paths[0].name} fits reader {source.reader}: {first.error}"
        )


def _check_failed(paths: list[Path], source: Source, name: str) -> None:
    """Raises SourceError when `failed` names a column that none of the first records has."""
    for path in (p for p in paths[:1] if source.failed and not _is_text(p, source)):
        fitting = partial(fits, converter(source, path))
        found = chain.from_iterable(
            records_of(chunks(path, source)[0], source, fitting, wanted_columns(source))
        )
        looked_at = [data for data in islice(found, _PROBED) if isinstance(data, bytes)]
        if (told := where.absent(looked_at, source.failed)) is not None:
            column, keys = told
            raise SourceError(
                f"source {name}: no record looked at in {path.name} has `{column}`, which `failed` "
                f"names; the first"
                f" has: {', '.join(keys[:20])}"
            )


def keys_of(path: Path, source: Source, *, limit: int = 1000) -> Mapping[str, Any]:
    """What becomes of the keys of the first records of a file: see "
    "`curation.readers.keys.counts.told_keys`.

    `advice` besides: refused key → what it says, how its first value begins, and what to write in the recipe.
    """
    counts = KeyCounts(source)
    first: dict[str, Mapping[str, str]] = {}
    for found in islice(_found(chunks(path, source)[0], source, path.name, counts), limit):
        if isinstance(found, Refused):
            first.setdefault(
                found.key, {"meaning": found.meaning, "value": found.value, "write": found.advice}
            )
    return {**told_keys([counts.frame()]), "advice": first}


def _found(
    chunk: Chunk, source: Source, file: str, counts: KeyCounts, *, compiled: bool = False
) -> Iterator[Found]:
    _check_encoding(source)
    if (what := _unread(chunk.path, source)) is not None:
        return iter([Bad(f"{chunk.path.name} {what}")])
    assert isinstance(chunk.path, Path)
    if archives.kind(chunk.path) is not None:
        return _in_archive(chunk.path, source, file, counts)
    if _is_text(chunk.path, source):
        return text_rows(chunk.path, source, file=file)
    return _rows_of(chunk, source, converter(source, chunk.path), counts, compiled=compiled)


def _rows_of(
    chunk: Chunk,
    source: Source,
    convert: Convert,
    counts: KeyCounts,
    places: Iterator[int] | None = None,
    *,
    compiled: bool = False,
) -> Iterator[Found]:
    """The rows of a chunk of records, or of a member of an archive."""
    fitting = partial(holds, path=source.records) if source.records else partial(fits, convert)
    wanted, pruned = wanted_columns(source), counts.add_pruned
    found = _records_in(chunk.path, source, fitting, wanted, chunk.start, chunk.end, pruned)
    if source.records:
        found = unfolded(found, source.records)
    if (by := reader_of(source.reader).gather(source)) is not None:
        found = gathered(found, by)
    return converted(found, convert, source, counts, places, compiled=compiled)


def _unread(path: Stored, source: Source) -> str | None:
    """What a file is that no reader takes; an encoding in the recipe says that it is text."""
    return no_data(path) if source.encoding is None else None


def _in_archive(path: Path, source: Source, file: str, counts: KeyCounts) -> Iterator[Found]:
    """What the members of an archive hold, each with the member's name."""
    takes_text = READERS[source.reader].form != "records"
    convert = converter(source, path) if READERS[source.reader].form != "text" else None
    done = 0
    for member in archives.members(path):
        if isinstance(member, Bad):
            yield member
            done += 1
            continue
        name, is_text = member.path, _is_text(member, source)
        if (what := _unread(member, source)) is not None:
            yield Bad(f"{name} {what}", member=name)
            done += 1
        elif not takes_text and not records.is_structured(member) and not records.opens_json(member):
            yield Bad(f"{name} is text, which reader {source.reader} does not take", member=name)
            done += 1
        else:
            if is_text:
                found = text_rows(member.let_go(), source, file=f"{file}/{name}")
            else:
                assert convert is not None
                found = _rows_of(Chunk(member, 0, 0), source, convert, counts, count(done))
            for one in found:
                done += 1
                if isinstance(one, Row):
                    one.notes.append({"stage": "read", "member": name})
                    yield one
                else:
                    yield one._replace(member=name)


def records_of(
    chunk: Chunk,
    source: Source,
    fitting: records.Fits,
    wanted: frozenset[str] | None = None,
    pruned: Callable[[str, int], None] = lambda told, rows: None,
) -> Iterator[list[Record]]:
    """The records of a chunk in batches, before any reader has looked at them.

    fitting  whether a JSON object is a record by itself, and not a collection of records
    wanted   the columns that are looked at of a wide file; None for all
    pruned   told of the others, see `curation.sources.tables.Columns`
    """
    if isinstance(chunk.path, Path) and archives.kind(chunk.path) is not None:
        for member in archives.members(chunk.path):
            if isinstance(member, Bad):
                yield [member]
            else:
                yield from _records_in(member, source, fitting, wanted, pruned=pruned)
    else:
        yield from _records_in(chunk.path, source, fitting, wanted, chunk.start, chunk.end, pruned)


def _records_in(
    path: Stored,
    source: Source,
    fitting: records.Fits,
    wanted: frozenset[str] | None,
    start: int = 0,
    end: int = 0,
    pruned: Callable[[str, int], None] = lambda told, rows: None,
) -> Iterator[list[Record]]:
    """The records of a file, or of a member of an archive, which is read for the last time."""
    form = records.file_format(path)
    plain = isinstance(path, Path) and decoding.compression(path) is None
    if isinstance(path, Member):
        path = path.let_go()
    if form in ("parquet", "arrow"):
        asked = source.where or {}
        columns = tables.Columns(asked, where.passes(asked), wanted, KEYS, may_tell, pruned)
        if form == "arrow":
            return tables.arrow_records(path, columns)
        return tables.parquet_records(path, range(start, end) if end else None, columns)
    stored = decoding.blocks(path, start, end) if plain else decoding.blocks(path)
    # A byte order mark is one at the start of the file only, not where a later chunk begins.
    parts = stored if start else decoding.utf8(stored, source.encoding)
    if form == "csv":
        return tables.csv_records(parts)
    if form == "tsv":
        return tables.csv_records(parts, "\t")
    return records.json_document(parts, fitting) if form == "json" else records.json_lines(parts)


class _Lines:
    """Lines of the next frame. What most rows do not have is kept by line."""

    def __init__(self, start: int) -> None:
        self.start = start
        self.size = 0
        self.texts: list[str | None] = []
        self._sparse: dict[str, dict[int, str]] = {"tools": {}, "notes": {}, "reason": {}, "detail": {}}

    def add_row(self, row: Row) -> None:
        text = encode(row.messages)
        if any("weight" in message for message in row.messages):
            row.notes.append(no_loss(row.messages))
        if row.tools is not None:
            self._sparse["tools"][len(self.texts)] = row.tools
            self.size += len(row.tools)
        if row.notes:
            self._sparse["notes"][len(self.texts)] = "\n".join(map(_json, row.notes))
        self.size += len(text)
        self.texts.append(text)

    def add_refused(self, found: Bad | Filtered | Refused) -> None:
        reason, evidence = _refused(found)
        self._sparse["reason"][len(self.texts)] = reason
        self._sparse["detail"][len(self.texts)] = _json(evidence)
        self.texts.append(None)

    def frame(self) -> pl.DataFrame:
        height = len(self.texts)
        columns = [
            pl.int_range(self.start, self.start + height, dtype=pl.UInt32, eager=True).alias("row"),
            pl.Series("messages", self.texts, dtype=pl.String),
        ]
        for name, cells in self._sparse.items():
            values: list[str | None] = [None] * height
            for place, value in cells.items():
                values[place] = value
            columns.append(pl.Series(name, values, dtype=pl.String))
        return pl.DataFrame(columns, schema=READ_SCHEMA)


def _json(value: dict[str, Any]) -> str:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()


def _refused(found: Bad | Filtered | Refused) -> tuple[str, dict[str, Any]]:
    """The reason and the evidence of a record that is no row."""
    inside = {} if found.member is None else {"member": found.member}
    if isinstance(found, Bad):
        return found.reason, {**found.detail, "error": found.error, "text": found.text[:_SHOWN], **inside}
    if isinstance(found, Refused):
        evidence = {"key": found.key, "meaning": found.meaning, "value": found.value[:_SHOWN]}
        return "unsupported_key", {**evidence, **inside}
    value = found.value if isinstance(found.value, bool | int | float | None) else str(found.value)[:_SHOWN]
    return "filtered", {"column": found.column, "value": value, **inside}
