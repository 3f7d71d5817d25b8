"""Work files: uncompressed Arrow IPC, written batch by batch, read through a memory map.

Strings are stored with offsets and bytes (large_string), so that a kernel can walk the mapped
file without a copy.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa

from curation.errors import CurationError


class FrameWriter:
    """Appends frames of one schema to an Arrow file; an empty file still has its columns."""

    def __init__(self, path: Path, schema: Mapping[str, Any]) -> None:
        self.path = path
        self.schema = dict(schema)
        self._arrow = to_arrow(pl.DataFrame(schema=self.schema)).schema
        self.rows = 0

    def __enter__(self) -> "FrameWriter":
        self._file = pa.OSFile(str(self.path), "wb")
        self._writer = pa.ipc.new_file(self._file, self._arrow)
        return self

    def write(self, frame: pl.DataFrame) -> None:
        """Append a frame; missing columns become null, others are left out."""
        if frame.height:
            columns = [
                pl.col(name).cast(dtype) if name in frame.columns else pl.lit(None, dtype).alias(name)
                for name, dtype in self.schema.items()
            ]
            for batch in to_arrow(frame.select(columns)).to_batches(max_chunksize=1 << 16):
                self._writer.write_batch(batch)
            self.rows += frame.height

    def __exit__(self, *_: object) -> None:
        try:
            self._writer.close()
        finally:
            self._file.close()


def to_arrow(frame: pl.DataFrame) -> pa.Table:
    """A frame as Arrow, strings with offsets and bytes."""
    return frame.to_arrow(compat_level=pl.CompatLevel.oldest())


def open_table(path: Path) -> pa.Table:
    """A work file as a table over the mapped file; nothing is read until it is touched."""
    try:
        return pa.ipc.open_file(pa.memory_map(str(path))).read_all()
    except (OSError, pa.ArrowInvalid) as error:
        raise CurationError(f"{path}: damaged work file ({error}); delete its folder and run again") from None


def read_frame(path: Path, columns: Sequence[str] | None = None) -> pl.DataFrame:
    """A work file as a frame."""
    table = open_table(path)
    return frame_of(table.select(list(columns)) if columns is not None else table)


def read_batches(path: Path, rows: int = 1 << 14) -> Iterator[pl.DataFrame]:
    """A work file in frames of at most `rows` rows; at least one, so that columns are known."""
    table = open_table(path)
    if not table.num_rows:
        yield frame_of(table)
    for start in range(0, table.num_rows, rows):
        yield frame_of(table.slice(start, rows))


def frame_of(table: pa.Table) -> pl.DataFrame:
    """An Arrow table as a frame."""
    frame = pl.from_arrow(table)
    assert isinstance(frame, pl.DataFrame)
    return frame


def write_frame(path: Path, frame: pl.DataFrame) -> None:
    """A whole frame as one work file."""
    with FrameWriter(path, frame.schema) as writer:
        writer.write(frame)
