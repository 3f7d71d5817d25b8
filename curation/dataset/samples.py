"""samples.parquet: a bounded, seeded choice of rows, so that the report needs nothing else.

Dropped rows of every reason, kept rows of every group, near pairs, also just under the threshold, and
pairs of rows whose answers differ. Ranked by digest(seed, source:file:row, piece), never by arrival.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from curation.arrow import frame_of, open_table, read_frame
from curation.places import Places
from curation.readers.keys.counts import told_keys
from curation.row import digest
from curation.stages.pii.hiding import Hiding
from curation.task import Task

PER_REASON = 12  # dropped rows of one source, stage and reason
PER_GROUP = 24  # kept rows of one group
PER_SOURCE = 4  # kept rows of one source
PER_DIFFERENCE = 6  # pairs of one source whose answers differ in one way
PAIRS = 40  # near pairs at or above the threshold, and as many just under it
MAX_TEXT = 60_000  # characters of one row's messages and tools; longer rows are left out of the samples

# kind is dropped, kept, near_pair, conflict or key; `other_*` is the survivor or the other row of a pair, and
# the `reason` of a conflict is by what the answers differ.
# `messages` is canonical JSON text; null when the row could not be read. A key's `detail` is {"key",
# "part": ignored or refused, "value"}: how its first value begins, personal data hidden.
SAMPLE_SCHEMA: dict[str, Any] = {
    "kind": pl.String,
    "source": pl.String,
    "group": pl.String,
    "file": pl.String,
    "row": pl.UInt32,
    "piece": pl.UInt32,
    "id": pl.String,
    "fate": pl.String,
    "stage": pl.String,
    "reason": pl.String,
    "detail": pl.String,
    "notes": pl.String,
    "messages": pl.String,
    "tools": pl.String,
    "similarity": pl.Float64,
    "other_source": pl.String,
    "other_file": pl.String,
    "other_row": pl.UInt32,
    "other_id": pl.String,
    "other_fate": pl.String,
    "other_messages": pl.String,
}
Record = dict[str, Any]
Column = np.ndarray[Any, np.dtype[Any]]


class Lookup:
    """Finds rows by position in the work files: as the last stage that kept or dropped them left them.

    noted: what stages over all rows noted of rows, to stand among their notes.
    """

    def __init__(
        self,
        tasks: Path,
        chunks: Sequence[Mapping[str, Any]],
        groups: Mapping[str, str],
        noted: pl.DataFrame | None = None,
    ) -> None:
        self.tasks, self.groups = tasks, groups
        self.noted = (
            {(pos, piece): note for pos, piece, note in noted.iter_rows()} if noted is not None else {}
        )
        self.places = Places(chunks)
        self._tables: dict[str, tuple[pa.Table, Column, Column]] = {}

    def place(self, pos: int) -> Record:
        """source, group, file and row of a position."""
        source, file, row = self.places[pos]
        return {"source": source, "group": self.groups[source], "file": file, "row": row}

    def content(self, pos: int, piece: int) -> Record:
        """messages, tools and notes of a row; all null when it could not be read."""
        for key in reversed(self.places.chunk(pos)["rows"]):
            for name in ("dropped.arrow", "kept.arrow"):
                table, positions, pieces = self._table(f"{key}/{name}")
                places = np.flatnonzero(positions == pos)
                for place in places[pieces[places] == piece][:1]:
                    found: Record = table.slice(int(place), 1).to_pylist()[0]
                    notes = [found["notes"], self.noted.get((pos, piece))]
                    return {**found, "notes": "\n".join(filter(None, notes)) or None}
        return {"messages": None, "tools": None, "notes": None}

    def _table(self, name: str) -> tuple[pa.Table, Column, Column]:
        if name not in self._tables:
            table = open_table(self.tasks / name)
            keys = frame_of(table.select(["pos", "piece"]))
            wanted = table.select(["messages", "tools", "notes"])
            self._tables[name] = wanted, keys["pos"].to_numpy(), keys["piece"].to_numpy()
        return self._tables[name]


def write_samples(task: Task, work: Path, out: Path) -> dict[str, Any]:
    """Choose the samples of a run; needs the keys of every chunk's tasks, and of `choose`."""
    params = task.params
    tasks = work / "tasks"
    fates, noted = (read_frame(tasks / params["fates"] / name) for name in ("fates.arrow", "noted.arrow"))
    lookup = Lookup(tasks, params["chunks"], params["groups"], noted)
    seed = params["seed"]
    chosen = [
        *dropped_samples(tasks, params["chunks"], fates, lookup, seed),
        *kept_samples(tasks / params["fates"], lookup, seed),
        *pair_samples(tasks, params["over_all"], fates, lookup, seed),
        *conflict_samples(tasks, params["over_all"], params["chunks"], fates, lookup, seed),
        *key_samples(tasks, params["chunks"], lookup),
    ]
    frame = pl.DataFrame(chosen, schema=SAMPLE_SCHEMA, orient="row")
    table = frame.to_arrow(compat_level=pl.CompatLevel.oldest())
    pq.write_table(table, out / "samples.parquet", compression="zstd", compression_level=3)
    return {"rows": frame.height}


def fits(content: Record) -> bool:
    """Whether a row is short enough to be a sample."""
    return sum(len(content[key] or "") for key in ("messages", "tools", "notes")) <= MAX_TEXT


def ranked(frame: pl.DataFrame, by: Sequence[str], most: int, seed: int, lookup: Lookup) -> pl.DataFrame:
    """At most `most` rows of every combination of `by`, those of lowest rank, in rank order."""
    ranks = [
        digest(seed, *lookup.place(pos).values(), piece)
        for pos, piece in frame.select("pos", "piece").iter_rows()
    ]
    return (
        frame.with_columns(pl.Series("rank", ranks, dtype=pl.String))
        .sort(*by, "rank")
        .group_by(by, maintain_order=True)
        .head(most)
    )


def dropped_samples(
    tasks: Path, chunks: Sequence[Mapping[str, Any]], fates: pl.DataFrame, lookup: Lookup, seed: int
) -> list[Record]:
    """Dropped rows of every source, stage and reason."""
    columns = ["pos", "piece", "stage", "reason", "detail"]
    early = [
        read_frame(tasks / key / "dropped.arrow", columns).with_columns(
            ordinal=pl.lit(chunk["ordinal"], pl.UInt64)
        )
        for chunk in chunks
        for key in (*chunk["rows"], chunk["index"])
    ]
    late = fates.filter(pl.col("fate") == "dropped").select(columns)
    every = pl.concat([*early, late.with_columns(ordinal=pl.col("pos") // (1 << 32))])
    every = every.join(sources_of(chunks), on="ordinal", how="left")
    found = []
    for row in ranked(every, ["source", "stage", "reason"], PER_REASON, seed, lookup).iter_rows(named=True):
        content = lookup.content(row["pos"], row["piece"])
        if fits(content):
            outcome = {key: row[key] for key in ("piece", "stage", "reason", "detail")}
            found.append(
                {"kind": "dropped", "fate": "dropped", **lookup.place(row["pos"]), **content, **outcome}
            )
    return found


def sources_of(chunks: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    """The source of every ordinal."""
    return pl.DataFrame(
        {"ordinal": [c["ordinal"] for c in chunks], "source": [c["source"] for c in chunks]},
        schema={"ordinal": pl.UInt64, "source": pl.String},
    )


def kept_samples(chosen: Path, lookup: Lookup, seed: int) -> list[Record]:
    """Written rows of every group, and some of every source."""
    written = read_frame(chosen / "written.arrow").filter(pl.col("repeat") == 1)
    # Ranking by the digest of the row's id costs nothing more: shard order is seeded already.
    groups = written.group_by("group", maintain_order=True).head(PER_GROUP)
    sources = written.group_by("source", maintain_order=True).head(PER_SOURCE)
    first = pl.concat([groups.select(written.columns), sources.select(written.columns)]).unique(
        ["pos", "piece"], keep="first", maintain_order=True
    )
    found = []
    for row in first.iter_rows(named=True):
        content = lookup.content(row["pos"], row["piece"])
        if fits(content):
            outcome = {"piece": row["piece"], "id": row["id"], "fate": row["split"]}
            found.append({"kind": "kept", **lookup.place(row["pos"]), **content, **outcome})
    return found


def pair_samples(
    tasks: Path, over_all: Sequence[Mapping[str, Any]], fates: pl.DataFrame, lookup: Lookup, seed: int
) -> list[Record]:
    """Near pairs, at or above the threshold and just under it, with both rows."""
    found = []
    for stage in over_all:
        for key in stage["keys"]:
            pairs = read_frame(tasks / key / "pairs.arrow").filter(pl.col("by").is_null())
            pairs = pairs.with_columns(above=pl.col("similarity") >= stage["threshold"])
            found += shown_pairs(ranked(pairs, ["above"], PAIRS, seed, lookup), stage["name"], fates, lookup)
    return found


def conflict_samples(
    tasks: Path,
    over_all: Sequence[Mapping[str, Any]],
    chunks: Sequence[Mapping[str, Any]],
    fates: pl.DataFrame,
    lookup: Lookup,
    seed: int,
) -> list[Record]:
    """Pairs of rows whose answers differ, of every source and way in which they do."""
    found = []
    for stage in over_all:
        for key in stage["keys"]:
            pairs = read_frame(tasks / key / "pairs.arrow").filter(pl.col("by").is_not_null())
            pairs = pairs.with_columns(ordinal=pl.col("pos") // (1 << 32))
            pairs = pairs.join(sources_of(chunks), on="ordinal", how="left")
            chosen = ranked(pairs, ["by", "source"], PER_DIFFERENCE, seed, lookup)
            found += shown_pairs(chosen, stage["name"], fates, lookup)
    return found


def key_samples(tasks: Path, chunks: Sequence[Mapping[str, Any]], lookup: Lookup) -> list[Record]:
    """The first value of every ignored or refused key that the manifest tells, where one was decoded."""
    by_source: dict[str, list[pl.DataFrame]] = {}
    for chunk in chunks:
        counted = read_frame(tasks / chunk["rows"][0] / "keys.arrow")
        place = pl.lit(chunk["ordinal"] << 32, pl.UInt64) + pl.col("row")
        by_source.setdefault(chunk["source"], []).append(counted.with_columns(pos=place))
    found = []
    for frames in by_source.values():
        told = told_keys(frame.drop("pos") for frame in frames)
        first = pl.concat(frames).filter(pl.col("pos").is_not_null()).sort("part", "key", "pos")
        first = first.unique(["part", "key"], keep="first", maintain_order=True)
        for part, key, pos, value in first.select("part", "key", "pos", "value").iter_rows():
            if part != "read" and key in told[part]:
                detail = {"key": key, "part": part, "value": Hiding().text(value)}
                text = orjson.dumps(detail, option=orjson.OPT_SORT_KEYS).decode()
                found.append({"kind": "key", **lookup.place(pos), "detail": text})
    return found


def fates_of(fates: pl.DataFrame, positions: pl.Series) -> dict[tuple[int, int], tuple[str | None, str]]:
    """(id, fate) of the rows at some positions, by position and piece."""
    here = fates.filter(pl.col("pos").is_in(positions.unique().implode()))
    return {(p, n): (i, f) for p, n, i, f in here.select("pos", "piece", "id", "fate").iter_rows()}


def shown_pairs(pairs: pl.DataFrame, stage: str, fates: pl.DataFrame, lookup: Lookup) -> list[Record]:
    """Pairs as samples, without those too long to show."""
    known = fates_of(fates, pl.concat([pairs["pos"], pairs["other_pos"]]))
    samples = (pair_sample(pair, stage, known, lookup) for pair in pairs.iter_rows(named=True))
    return [sample for sample in samples if sample]


def pair_sample(
    pair: Record, stage: str, fates: Mapping[tuple[int, int], tuple[str | None, str]], lookup: Lookup
) -> Record:
    """One pair as a sample; empty when one of the two is too long to show."""
    one, other = (pair["pos"], pair["piece"]), (pair["other_pos"], pair["other_piece"])
    content, twin = lookup.content(*one), lookup.content(*other)
    if not (fits(content) and fits(twin)):
        return {}
    row_id, fate = fates.get(one, (None, "dropped"))
    other_id, other_fate = fates.get(other, (None, "dropped"))
    return {
        "kind": "conflict" if pair["by"] else "near_pair",
        **lookup.place(one[0]),
        **content,
        "piece": one[1],
        "id": row_id,
        "fate": fate,
        "stage": stage,
        "reason": pair["by"],
        "similarity": pair["similarity"],
        **{f"other_{key}": value for key, value in lookup.place(other[0]).items() if key != "group"},
        "other_id": other_id,
        "other_fate": other_fate,
        "other_messages": twin["messages"],
    }
