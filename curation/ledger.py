"""The ledger: one line per input row with its one fate, and why (DESIGN.md §4)."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import orjson
import polars as pl
import pyarrow as pa

from curation.arrow import read_frame
from curation.row import read_notes
from curation.shards import parquet_writer
from curation.work import Task

FATES = ("train", "eval", "unselected", "dropped")  # best first

LEDGER_SCHEMA: dict[str, Any] = {
    "source": pl.String,
    "file": pl.String,
    "row": pl.UInt32,
    "input_id": pl.String,
    "id": pl.String,
    "fate": pl.String,
    "stage": pl.String,
    "reason": pl.String,
    "detail": pl.String,
}
LEDGER_ARROW = pa.schema(
    [(name, pa.uint32() if dtype == pl.UInt32 else pa.string()) for name, dtype in LEDGER_SCHEMA.items()]
)
# What happened to a row or a piece: `notes` are its repairs and flags, `detail` the evidence.
FATES_SCHEMA: dict[str, Any] = {
    "pos": pl.UInt64,
    "piece": pl.UInt32,
    "id": pl.String,
    "fate": pl.String,
    "stage": pl.String,
    "reason": pl.String,
    "detail": pl.String,
}
Event = dict[str, Any]


def write_ledger(task: Task, work: Path, out: Path) -> dict[str, Any]:
    """The ledger of one source, chunk by chunk, and its counts.

    `chunks` lists, in order, the file, the first row's number, the ordinal, and the keys of the
    chunk's tasks; `fates` is the task that decided over all rows.
    """
    params = task.params
    fates = read_frame(work / "tasks" / params["fates"] / "fates.arrow")
    counts: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    read = 0
    with parquet_writer(out / "ledger.parquet", LEDGER_ARROW) as writer:
        for chunk in params["chunks"]:
            low = chunk["ordinal"] << 32
            here = fates.filter(pl.col("pos").is_between(low, low + (1 << 32) - 1))
            lines = chunk_lines(work / "tasks", chunk, here, params["source"])
            read += lines.height
            counts.update(dict(lines["fate"].value_counts().iter_rows()))
            dropped = lines.filter(pl.col("fate") == "dropped")
            reasons.update(dict(dropped["reason"].value_counts().iter_rows()))
            if lines.height:
                writer.write_table(lines.to_arrow(compat_level=pl.CompatLevel.oldest()).cast(LEDGER_ARROW))
    return {"rows": read, "fates": dict(counts), "reasons": dict(reasons)}


def chunk_lines(tasks: Path, chunk: Mapping[str, Any], fates: pl.DataFrame, source: str) -> pl.DataFrame:
    """The ledger's lines of one chunk. Every input row has exactly one."""
    inputs = read_frame(tasks / chunk["rows"][0] / "inputs.arrow")
    notes = [read_frame(tasks / chunk["rows"][-1] / "kept.arrow", ["pos", "piece", "notes"])]
    events = [fates]
    for key in chunk["rows"]:
        dropped = read_frame(tasks / key / "dropped.arrow")
        if dropped.height:
            notes.append(dropped.select("pos", "piece", "notes"))
            events.append(
                dropped.select(
                    "pos", "piece", pl.lit(None, pl.String).alias("id"), pl.lit("dropped").alias("fate"),
                    "stage", "reason", "detail",
                )
            )  # fmt: skip
    told = pl.concat(events).join(
        # A row dropped by a stage over all rows is not in the last kept file when stages follow.
        pl.concat([*notes, *earlier_notes(tasks, chunk["rows"][:-1])]).unique(["pos", "piece"], keep="first"),
        on=["pos", "piece"],
        how="left",
    )
    lives = lives_of(told)
    low = chunk["ordinal"] << 32
    records = []
    for row, input_id, taken in inputs.select("row", "input_id", "taken").iter_rows():
        life = lives.get(low + row) if taken else {"fate": "unselected", "stage": "take"}
        assert life is not None, f"no fate for row {row} of {chunk['file']}"
        records.append(
            (
                source, chunk["file"], chunk["first"] + row, input_id, life.get("id"),
                life["fate"], life.get("stage"), life.get("reason"), life.get("detail"),
            )
        )  # fmt: skip
    return pl.DataFrame(records, schema=LEDGER_SCHEMA, orient="row")


def earlier_notes(tasks: Path, keys: Iterable[str]) -> list[pl.DataFrame]:
    """Notes of the rows that earlier row phases kept, the latest phase first."""
    return [read_frame(tasks / key / "kept.arrow", ["pos", "piece", "notes"]) for key in reversed(list(keys))]


def lives_of(events: pl.DataFrame) -> dict[int, Event]:
    """The one fate of every input row, from the fates of it or of its pieces."""
    lives: dict[int, list[Event]] = defaultdict(list)
    for event in events.sort("pos", "piece").iter_rows(named=True):
        lives[event["pos"]].append(event)
    return {pos: life_of(told) for pos, told in lives.items()}


def life_of(events: list[Event]) -> Event:
    """One fate: the row's own, or the best of its pieces' with all of them in `detail.parts`."""
    if len(events) == 1 and events[0]["piece"] == 0:
        (event,) = events
        return {**event, "detail": evidence(event["detail"], event["notes"])}
    best = min(events, key=lambda e: (FATES.index(e["fate"]), e["piece"]))
    parts = [[e["id"], e["fate"], e["reason"]] for e in events]
    notes = "\n".join(dict.fromkeys(n for e in events if e["notes"] for n in e["notes"].split("\n")))
    return {**best, "id": None, "detail": evidence(best["detail"], notes or None, parts)}


def evidence(detail: str | None, notes: str | None, parts: list[Any] | None = None) -> str | None:
    """`detail` with the repairs and flags of the row, and the parts of a split one."""
    if notes is None and parts is None:
        return detail
    found = orjson.loads(detail) if detail else {}
    entries = read_notes(notes)
    flags = [entry for entry in entries if "flag" in entry]
    repairs = [entry for entry in entries if "flag" not in entry]
    found.update({"repairs": repairs} if repairs else {})
    found.update({"flags": flags} if flags else {})
    found.update({"parts": parts} if parts else {})
    return orjson.dumps(found, option=orjson.OPT_SORT_KEYS).decode()
