"""Parquet, Arrow, CSV and TSV as records: each row becomes the bytes of one JSON object."""

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from curation.errors import SourceError
from curation.sources import decoding
from curation.sources.decoding import BrokenFile, Stored
from curation.sources.records import BATCH_BYTES, MAX_DOCUMENT_BYTES, Bad, Filtered, Noted, Record
from curation.text import UnknownEncoding, to_text

_DELIMITERS = (",", ";", "\t", "|")
# One field may be a whole book; the csv module's default of 128 KiB would refuse it.
_MAX_FIELD = 1 << 30
_BATCH_ROWS = 8192


def csv_records(parts: Iterable[bytes], delimiter: str | None = None) -> Iterator[list[Record]]:
    """A record per CSV row under the header; the delimiter is guessed from the header if not given.

    A row with more or fewer fields than the header, or a quote that never closes, is a Bad record.
    """
    csv.field_size_limit(_MAX_FIELD)
    feed = _Lines(parts)
    batch: list[Record] = []
    size = 0
    try:
        first = next(feed, "")
        reader = csv.reader(_again(first, feed), delimiter=delimiter or _delimiter(first), strict=True)
        try:
            header = _header(next(reader, []))
        except csv.Error as error:
            yield [Bad(f"CSV header: {_csv_fault(error)}", feed.text)]
            return
        while True:
            record = _csv_row(reader, header, feed)
            if record is None:
                break
            batch.append(record)
            size += feed.taken()
            if size > BATCH_BYTES:
                yield batch
                batch, size = [], 0
    except BrokenFile as error:
        batch.append(Bad(str(error)))
    yield batch


class _Lines(Iterator[str]):
    """Text lines with their ends, decoded one by one; remembers how the last ones were mended."""

    def __init__(self, parts: Iterable[bytes]) -> None:
        self._lines = _ended_lines(parts)
        self._read = 0
        self.repair: str | None = None
        self.text = ""

    def __next__(self) -> str:
        line = next(self._lines)
        self._read += len(line)
        try:
            text, repair = to_text(line)
        except UnknownEncoding:
            text, repair = line.decode(errors="replace"), "damaged_utf8"
        self.repair = self.repair or repair
        if len(self.text) < 1000:
            self.text += text[:1000]
        return text

    def taken(self) -> int:
        """Bytes read since the last call."""
        count, self._read = self._read, 0
        return count


def _ended_lines(parts: Iterable[bytes]) -> Iterator[bytes]:
    carry: list[bytes] = []
    for part in parts:
        found = part.splitlines(keepends=True) if b"\n" not in part else part.split(b"\n")
        if b"\n" not in part:
            carry.append(part)
            continue
        found[0] = b"".join((*carry, found[0]))
        carry = [found.pop()]
        for line in found:
            yield line + b"\n"
    if last := b"".join(carry):
        yield last


def _again(first: str, rest: Iterator[str]) -> Iterator[str]:
    yield first
    yield from rest


def _delimiter(header: str) -> str:
    return max(_DELIMITERS, key=header.count)


def _header(names: list[str]) -> list[str]:
    """Column names, made unique: a second `text` is `text_2`."""
    seen: dict[str, int] = {}
    unique = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        unique.append(name if seen[name] == 1 else f"{name}_{seen[name]}")
    return unique


def _csv_fault(error: csv.Error) -> str:
    """What is wrong, in words for the one who has the file and not for the one who opens it."""
    if "new-line character" in str(error):
        return "lines end with a carriage return alone; save the file with line feeds"
    return str(error)


def _csv_row(reader: Any, header: list[str], feed: _Lines) -> Record | None:
    """The next row that is not blank, or None at the end."""
    while True:
        feed.repair, feed.text = None, ""
        try:
            fields = next(reader, None)
        except csv.Error as error:
            return Bad(f"CSV: {_csv_fault(error)}", feed.text)
        if fields is None:
            return None
        if not fields:
            continue
        if len(fields) != len(header):
            return Bad(f"CSV row of {len(fields)} fields under a header of {len(header)}", feed.text)
        data = orjson.dumps(dict(zip(header, fields, strict=True)))
        return Noted(data, feed.repair) if feed.repair else data


def _seekable(path: Stored) -> Any:
    """A file to be read here and there: by its path, or in memory where it is compressed or in an archive."""
    if isinstance(path, Path) and decoding.compression(path) is None:
        return path
    data = io.BytesIO()
    for block in decoding.blocks(path):
        data.write(block)
        if data.tell() > MAX_DOCUMENT_BYTES:
            raise BrokenFile("a packed table of several GiB; unpack it first")
    data.seek(0)
    return data


def open_parquet(path: Stored) -> pq.ParquetFile:
    """A Parquet file; in memory where it is packed.

    Raises BrokenFile when it is no Parquet file or its footer is damaged.
    """
    try:
        return pq.ParquetFile(_seekable(path))
    except (pa.ArrowException, OSError) as error:
        raise BrokenFile(f"no readable Parquet file: {_first_line(error)}") from None


class Columns(NamedTuple):
    """What is needed of a Parquet file.

    where      column → what it must be; rows that do not pass never become text
    passes     see `curation.readers.where.passes`
    wanted     the columns that the reader looks at, or None for all
    turn_keys  the keys of turns that it looks at; hashes, countries and times stay unread
    tells      whether a key, of a turn or of a row, is to be looked at all the same; of bytes, whether there
               are any
    pruned     told of every other key, `messages[].country` for one of turns, and the rows of a row group
               that have it: those whose value is not null by the file's statistics (all where it has none);
               of a key of turns all rows, where any turn has a value
    """

    where: Mapping[str, Any]
    passes: Callable[[str, Any], bool]
    wanted: frozenset[str] | None
    turn_keys: frozenset[str]
    tells: Callable[[str, bool], bool] = lambda key, of_turn: False
    pruned: Callable[[str, int], None] = lambda told, rows: None


def parquet_records(path: Stored, groups: range | None, columns: Columns) -> Iterator[list[Record]]:
    """A record per row of the row groups; a group that cannot be read ends with one Bad record."""
    try:
        with open_parquet(path) as file:
            all_groups = range(file.metadata.num_row_groups)
            chosen = all_groups if groups is None else groups[: len(all_groups)]
            for group in chosen:
                yield from _row_group(file, group, columns)
    except BrokenFile as error:
        yield [Bad(str(error))]


def _row_group(file: pq.ParquetFile, group: int, columns: Columns) -> Iterator[list[Record]]:
    meta = file.metadata.row_group(group)
    per_row = max(1, meta.total_byte_size // max(1, meta.num_rows))
    size = max(1, min(_BATCH_ROWS, BATCH_BYTES // per_row))
    leaves = _leaves(file, columns)
    _tell_pruned(file, meta, frozenset(leaves), columns.pruned)
    # In a dictionary a few bytes stand for one text in millions of rows.
    stored = sum(meta.column(place).total_compressed_size for place in range(meta.num_columns))
    left = max(decoding.EXPANSION_FLOOR_BYTES, decoding.MAX_EXPANSION * stored)
    try:
        for batch in file.iter_batches(size, row_groups=[group], columns=leaves, use_threads=False):
            found = _objects(batch, columns)
            left -= sum(len(record) for record in found if isinstance(record, bytes))
            if left < 0:
                times = decoding.MAX_EXPANSION
                raise BrokenFile(
                    f"Parquet row group {group} expands more than {times} times: refused as a bomb"
                )
            yield found
    except (pa.ArrowException, OSError) as error:
        raise BrokenFile(f"Parquet row group {group} cannot be read: {_first_line(error)}") from None


def arrow_records(path: Stored, columns: Columns) -> Iterator[list[Record]]:
    """A record per row of an Arrow file or stream; one that cannot be read on ends with one Bad record."""
    try:
        source = _seekable(path)
        size = source.stat().st_size if isinstance(source, Path) else len(source.getbuffer())
        left = max(decoding.EXPANSION_FLOOR_BYTES, decoding.MAX_EXPANSION * size)
        with pa.memory_map(str(source)) if isinstance(source, Path) else pa.PythonFile(source, "r") as file:
            for batch in _arrow_batches(file):
                found = _objects(_read_of(batch, columns), columns)
                left -= sum(len(record) for record in found if isinstance(record, bytes))
                if left < 0:
                    times = decoding.MAX_EXPANSION
                    raise BrokenFile(f"Arrow data expands more than {times} times: refused as a bomb")
                yield found
    except BrokenFile as error:
        yield [Bad(str(error))]
    except (pa.ArrowException, OSError, ValueError) as error:
        yield [Bad(f"Arrow data cannot be read: {_first_line(error)}")]


def _arrow_batches(file: Any) -> Iterator[pa.RecordBatch]:
    """Batches of an Arrow file (Feather is one) or stream (as `save_to_disk` of datasets writes)."""
    is_file = file.read(6) == b"ARROW1"
    file.seek(0)
    opened = pa.ipc.open_file(file) if is_file else pa.ipc.open_stream(file)
    _must_have_text(opened.schema)
    stored = map(opened.get_batch, range(opened.num_record_batches)) if is_file else opened
    for batch in stored:
        size = max(1, min(_BATCH_ROWS, BATCH_BYTES * batch.num_rows // max(1, batch.get_total_buffer_size())))
        for start in range(0, batch.num_rows, size):
            yield batch.slice(start, size)


def _read_of(batch: pa.RecordBatch, columns: Columns) -> pa.RecordBatch:
    """Columns of a batch that are wanted, of turns the known keys, bytes where they tell; tells the rest."""
    names = batch.schema.names
    types = {field.name: field.type for field in batch.schema}
    telling = {name for name in names if columns.tells(name, False)}
    readable = {name for name in names if _readable(types[name])}
    if columns.wanted is not None and readable & (columns.wanted | set(columns.where)):
        readable &= columns.wanted | set(columns.where) | telling
    kept = [name for name in names if name in readable | telling]
    for name in names:
        if name not in kept:
            columns.pruned(name, len(batch) - batch.column(name).null_count)
    arrays = [_known_turns(name, batch.column(name), columns) for name in kept]
    return pa.RecordBatch.from_arrays(arrays, names=kept)


def _known_turns(name: str, array: pa.Array, columns: Columns) -> pa.Array:
    """A list of turns with the keys that are looked at; any other array as it is."""
    if not {"role", "content"} <= _turn_keys(array.type):
        return array
    inner = array.flatten()
    keys = []
    for field in inner.type:
        if _is_looked_at(field.name, columns):
            keys.append(field.name)
        elif inner.field(field.name).null_count < len(inner):
            columns.pruned(f"{name}[].{field.name}", len(array))
    turns = pa.StructArray.from_arrays([inner.field(key) for key in keys], names=keys, mask=inner.is_null())
    lengths = pc.fill_null(pc.list_value_length(array), 0)
    ends = pc.cumulative_sum(lengths.cast(pa.int64()))
    offsets = pa.concat_arrays([pa.array([0], pa.int64()), ends])
    return pa.LargeListArray.from_arrays(offsets, turns, mask=array.is_null())


def _leaves(file: pq.ParquetFile, columns: Columns) -> list[str]:
    """Paths of the values to decode: wanted, and of lists of turns the known keys; bytes where they tell."""
    fields = {field.name: field.type for field in file.schema_arrow}
    telling = {name for name in fields if columns.tells(name, False)}
    readable = {name for name, dtype in fields.items() if _readable(dtype)}
    if columns.wanted is not None and readable & (columns.wanted | set(columns.where)):
        # With none of them there, all are read, so that the error can name what is.
        readable &= columns.wanted | set(columns.where) | telling
    readable |= telling
    turns = {name for name, dtype in fields.items() if {"role", "content"} <= _turn_keys(dtype)}
    chosen = []
    for place in range(len(file.schema)):
        path = file.schema.column(place).path
        parts = path.split(".")
        if path in readable or parts[0] in readable:
            if parts[0] in turns and len(parts) > 3 and not _is_looked_at(parts[3], columns):
                continue
            chosen.append(path)
    return chosen


def _is_looked_at(key: str, columns: Columns) -> bool:
    return key in columns.turn_keys or columns.tells(key, True)


def _tell_pruned(
    file: pq.ParquetFile, meta: Any, leaves: frozenset[str], pruned: Callable[[str, int], None]
) -> None:
    """What a row group has of keys whose values are not decoded."""
    found: dict[str, int] = {}
    decoded = {path.partition(".")[0] for path in leaves}
    for place in range(meta.num_columns):
        column = meta.column(place)
        path = column.path_in_schema
        if path in leaves:
            continue
        parts = path.split(".")
        nested = len(parts) > 1
        told = f"{parts[0]}[].{parts[3]}" if parts[0] in decoded and len(parts) > 3 else parts[0]
        if file.schema.column(place).logical_type.type in ("NULL", "UNKNOWN"):  # of nulls alone
            continue
        known = column.statistics is not None and column.statistics.has_null_count
        values = column.num_values - column.statistics.null_count if known else meta.num_rows
        rows = min(values, meta.num_rows) if not nested else meta.num_rows if values else 0
        found[told] = max(found.get(told, 0), rows)
    for told, rows in found.items():
        pruned(told, rows)


def _turn_keys(dtype: pa.DataType) -> set[str]:
    """The keys of the objects in a list."""
    if not (pa.types.is_list(dtype) or pa.types.is_large_list(dtype)):
        return set()
    inner = dtype.value_type
    return {inner.field(i).name for i in range(inner.num_fields)} if pa.types.is_struct(inner) else set()


def _objects(batch: pa.RecordBatch, columns: Columns) -> list[Record]:
    bare = _without_bytes(batch)
    frame = pl.DataFrame(batch if bare is None else bare)
    if not columns.where:
        return list(_json_rows(frame))
    out: list[Record | None] = [None] * frame.height
    for column in columns.where:
        if column in frame.columns:
            for place, value in enumerate(frame[column].to_list()):
                if out[place] is None and not columns.passes(column, value):
                    out[place] = Filtered(column, value)
    kept = frame.filter(pl.Series([record is None for record in out], dtype=pl.Boolean))
    texts = iter(_json_rows(kept))
    return [next(texts) if record is None else record for record in out]


def _without_bytes(batch: pa.RecordBatch) -> pa.Table | None:
    """The batch with true in place of bytes, which JSON cannot hold; None where it has none."""
    if all(_readable(field.type, deep=True) for field in batch.schema):
        return None
    return pa.table({name: _stood_in(batch.column(name)) for name in batch.schema.names})


def _stood_in(array: pa.Array) -> pa.Array:
    dtype = array.type
    if _readable(dtype, deep=True):
        return array
    if pa.types.is_struct(dtype):
        inner = [_stood_in(part) for part in array.flatten()]
        names = [dtype.field(place).name for place in range(dtype.num_fields)]
        return pa.StructArray.from_arrays(inner, names, mask=array.is_null())
    if pa.types.is_list(dtype) or pa.types.is_large_list(dtype):
        kind = pa.ListArray if pa.types.is_list(dtype) else pa.LargeListArray
        start, end = array.offsets[0].as_py(), array.offsets[-1].as_py()
        offsets = pc.subtract(array.offsets, array.offsets[0])
        values = _stood_in(array.values.slice(start, end - start))
        return kind.from_arrays(offsets, values, mask=array.is_null())
    there = array.is_valid()
    return pc.if_else(there, there, pa.scalar(None, pa.bool_()))


def _json_rows(frame: pl.DataFrame) -> list[bytes]:
    text = io.BytesIO()
    frame.write_ndjson(text)
    return text.getvalue().split(b"\n")[: frame.height]


def _readable(dtype: pa.DataType, *, deep: bool = False) -> bool:
    """Whether values of a type can be JSON; bytes (images, audio) cannot. deep: nor turns that hold some."""
    turns = _turn_keys(dtype)
    if {"role", "content"} <= turns and not deep:
        return True
    if pa.types.is_nested(dtype):
        return all(_readable(dtype.field(i).type, deep=deep) for i in range(dtype.num_fields))
    if pa.types.is_dictionary(dtype):
        return _readable(dtype.value_type, deep=deep)
    return bool(
        pa.types.is_string(dtype)
        or pa.types.is_large_string(dtype)
        or pa.types.is_string_view(dtype)
        or pa.types.is_integer(dtype)
        or pa.types.is_floating(dtype)
        or pa.types.is_boolean(dtype)
        or pa.types.is_null(dtype)
        or pa.types.is_timestamp(dtype)
        or pa.types.is_date(dtype)
    )


def parquet_plan(path: Path, chunk_bytes: int) -> list[range]:
    """Ranges of row groups of about `chunk_bytes` uncompressed bytes each.

    Raises BrokenFile, and SourceError when no column can be read as text.
    """
    with open_parquet(path) as file:
        try:
            _must_have_text(file.schema_arrow)
        except BrokenFile as error:
            raise SourceError(f"{path}: {error}") from None
        plan, start, size = [], 0, 0
        for group in range(file.metadata.num_row_groups):
            size += file.metadata.row_group(group).total_byte_size
            if size >= chunk_bytes:
                plan.append(range(start, group + 1))
                start, size = group + 1, 0
        if start < file.metadata.num_row_groups or not plan:
            plan.append(range(start, file.metadata.num_row_groups))
    return plan


def _must_have_text(schema: pa.Schema) -> None:
    if not any(_readable(field.type) for field in schema):
        raise BrokenFile(f"no column holds text or numbers: {', '.join(schema.names)}")


def _first_line(error: BaseException) -> str:
    return str(error).split("\n", 1)[0][:200]
