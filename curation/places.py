"""Where rows stand: from a position in a run to source, file and row, by the run's table of chunks.

A position is (ordinal of a chunk << 32) | row within the chunk. A chunk is a stretch of one file, or
several small files one after the other: {"ordinal", "source", "files": [[name, number of its first
row in that file, rows], …]}.
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any, NamedTuple

import numpy as np
import polars as pl

Chunk = Mapping[str, Any]


class Place(NamedTuple):
    """A row as people name it: source:file:row."""

    source: str
    file: str
    row: int


class Places:
    """The places of a run's rows."""

    def __init__(self, chunks: Sequence[Chunk]) -> None:
        self._chunks = {chunk["ordinal"]: chunk for chunk in chunks}
        self._starts: dict[int, list[int]] = {}

    def __getitem__(self, pos: int) -> Place:
        ordinal, row = pos >> 32, pos & 0xFFFFFFFF
        chunk = self._chunks[ordinal]
        if ordinal not in self._starts:
            self._starts[ordinal] = [0, *accumulate(rows for _, _, rows in chunk["files"])][:-1]
        # The last that starts there: those before it with the same start hold no row.
        number = bisect_right(self._starts[ordinal], row) - 1
        name, first, _ = chunk["files"][number]
        return Place(chunk["source"], name, first + row - self._starts[ordinal][number])

    def position(self, place: Place) -> int:
        """The position of a row. Raises KeyError where no chunk holds it."""
        for ordinal, chunk in self._chunks.items():
            start = ordinal << 32
            for name, first, rows in chunk["files"] if chunk["source"] == place.source else ():
                if name == place.file and first <= place.row < first + rows:
                    return int(start + place.row - first)
                start += rows
        raise KeyError(place)

    def chunk(self, pos: int) -> Chunk:
        """The chunk that a position lies in."""
        return self._chunks[pos >> 32]


def files_and_rows(chunk: Chunk) -> pl.DataFrame:
    """`file` and `row: u32` of every row of a chunk, in order."""
    names, firsts, counts = zip(*chunk["files"], strict=True)
    starts = np.repeat(np.array(firsts) - np.cumsum([0, *counts[:-1]]), counts)
    return pl.DataFrame(
        {
            "file": pl.Series(names, dtype=pl.String)[np.repeat(np.arange(len(names)), counts)],
            "row": pl.Series(starts + np.arange(sum(counts)), dtype=pl.UInt32),
        }
    )
