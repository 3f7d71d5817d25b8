"""How many rows of a source have which keys, and the first value of each."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
import numpy as np
import polars as pl
from msgspec import Raw
from numpy.typing import NDArray

from curation.jsontext import JSON_ERRORS
from curation.readers.columns import look_up
from curation.readers.keys.shapes import Keys, Shape, turns_of
from curation.readers.keys.telling import beginning
from curation.recipe.source import Source
from curation.sources.records import Record

# `part` is read, ignored or refused; `rows` have the key with anything in it; `row` is the first of them,
# counted from 0 within what was read, and `value` how its value begins: both null where it was not decoded.
KEYS_SCHEMA: dict[str, Any] = {
    "part": pl.String,
    "key": pl.String,
    "rows": pl.UInt64,
    "row": pl.UInt32,
    "value": pl.String,
}
MOST_TOLD = 50
_MOST_SHAPES = 10_000
_OBJECT = msgspec.json.Decoder(dict[str, Raw])
_Entry = tuple[str, str]


class PlainLines(NamedTuple):
    """By record of a batch: whether its keys are plain, and which of `shapes` it has."""

    is_plain: list[bool]
    which: NDArray[np.int64]
    shapes: list[Shape | None]


class KeyCounts:
    """Counts the records that could be read, whatever becomes of them."""

    def __init__(self, source: Source) -> None:
        self.keys = Keys(source)
        self.rows = 0
        # The number of the first record of the file that is read now, where several are counted together.
        self.start = 0
        # Of every shape its rows, the first of them and its record. By identity: shapes are kept by `keys`,
        # and here as long as they are counted.
        self._shapes: dict[int, tuple[Shape, int, int, bytes]] = {}
        self._counts: Counter[_Entry] = Counter()
        self._first: dict[_Entry, tuple[int, str]] = {}
        self._pruned: Counter[str] = Counter()

    def add(self, shape: Shape, row: int, data: bytes, rows: int = 1) -> None:
        """Count rows of a shape none of whose keys is refused; `row` is the first, and `data` its record."""
        self.rows += rows
        row += self.start
        known = self._shapes.get(id(shape))
        if known is None:
            if len(self._shapes) >= _MOST_SHAPES:
                self._settle()
            self._shapes[id(shape)] = (shape, rows, row, data)
        elif row < known[2]:
            self._shapes[id(shape)] = (shape, known[1] + rows, row, data)
        else:
            self._shapes[id(shape)] = (shape, known[1] + rows, known[2], known[3])

    def plain(self, batch: Sequence[Record]) -> "PlainLines":
        """Which records of a batch have keys that the compiled loop tells, and that change nothing."""
        digests = self.keys.digests([record if record.__class__ is bytes else b"" for record in batch])
        _, first, which = np.unique(digests, return_index=True, return_inverse=True)
        shapes = [self.keys.of_digest(int(digests[place]), batch[place]) for place in first.tolist()]
        sound = np.array([shape is not None and not shape.suspects for shape in shapes], np.bool_)
        return PlainLines(sound[which].tolist(), which, shapes)

    def add_plain(self, lines: "PlainLines", taken: pl.Series, batch: Sequence[Record], start: int) -> None:
        """Count the records of a batch that became rows; `start` is the number of its first."""
        places = taken.arg_true().to_numpy()
        found, first, rows = np.unique(lines.which[places], return_index=True, return_counts=True)
        for which, place, count in zip(found.tolist(), places[first].tolist(), rows.tolist(), strict=True):
            shape, record = lines.shapes[which], batch[place]
            assert shape is not None
            assert isinstance(record, bytes)
            self.add(shape, start + place, record, count)

    def add_refused(self, shape: Shape, row: int, data: bytes, refused: Collection[str]) -> None:
        """Count one row of which some keys are refused."""
        self.rows += 1
        self._shape(shape, self.start + row, data, 1, refused)

    def _settle(self) -> None:
        for shape, rows, row, data in self._shapes.values():
            self._shape(shape, row, data, rows, frozenset())
        self._shapes = {}

    def _shape(self, shape: Shape, row: int, data: bytes, rows: int, refused: Collection[str]) -> None:
        for told in shape.read:
            self._one("refused" if told in refused else "read", told, row, data, rows)
        suspected = [suspect.told for suspect in shape.suspects]
        for told in (*shape.ignored, *suspected):
            self._one("refused" if told in refused else "ignored", told, row, data, rows)
        for told in set(refused).difference(shape.read, shape.ignored, suspected):
            self._one("refused", told, row, data, rows)

    def _one(self, part: str, told: str, row: int, data: bytes, rows: int) -> None:
        entry = (part, told)
        self._counts[entry] += rows
        if entry not in self._first or row < self._first[entry][0]:
            self._first[entry] = (row, _first_value(data, told))

    def add_pruned(self, told: str, rows: int) -> None:
        """Count rows for a key of a Parquet file whose values are not decoded."""
        self._pruned[told] += rows

    def frame(self) -> pl.DataFrame:
        """Columns as in KEYS_SCHEMA, by part and key."""
        self._settle()
        lines: list[tuple[str, str, int, int | None, str | None]] = [
            (part, told, rows, *self._first[part, told]) for (part, told), rows in self._counts.items()
        ]
        lines += [
            ("ignored", told, min(rows, self.rows), None, None) for told, rows in self._pruned.items() if rows
        ]
        return pl.DataFrame(lines, schema=KEYS_SCHEMA, orient="row").sort("part", "key")


def _first_value(data: bytes, told: str) -> str:
    under, mark, key = told.rpartition("[].")
    try:
        if not mark:
            return beginning(_OBJECT.decode(data)[told])
        turns = Raw(data) if not under else look_up(_OBJECT.decode(data), under)
        values = (turn[key] for turn in turns_of(turns) if key in turn) if turns is not None else iter(())
        empty = {b"null", b'""', b"[]", b"{}"}
        return beginning(next(value for value in values if bytes(value) not in empty))
    except (*JSON_ERRORS, KeyError, StopIteration):
        return ""


def told_keys(frames: Iterable[pl.DataFrame]) -> Mapping[str, Any]:
    """What is told of the keys of a source, from the counts of its chunks.

    read: keys, ignored and refused: key → rows, each the most frequent first and then by name; of the ignored
    ones MOST_TOLD, and how many more there are as `more_ignored`.
    """
    summed = (
        pl.concat([pl.DataFrame(schema=KEYS_SCHEMA), *frames])
        .group_by("part", "key")
        .agg(pl.col("rows").sum())
        .sort(["rows", "key"], descending=[True, False])
    )
    parts = {
        part: dict(summed.filter(pl.col("part") == part).select("key", "rows").iter_rows())
        for part in ("read", "ignored", "refused")
    }
    told = dict(list(parts["ignored"].items())[:MOST_TOLD])
    return {
        "read": list(parts["read"]),
        "ignored": told,
        "more_ignored": len(parts["ignored"]) - len(told),
        "refused": parts["refused"],
    }
