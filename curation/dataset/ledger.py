"""The ledger: one line per input row with its one fate, and why (DESIGN.md §4)."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
import polars as pl
import pyarrow as pa

from curation.arrow import read_frame, to_arrow
from curation.dataset.shards import parquet_writer
from curation.places import files_and_rows
from curation.row import LEDGER_SCHEMA, read_notes, without_loss
from curation.task import Task

# Whatever the chunks, so that they change no byte.
ROWS_PER_GROUP = 1 << 16
FATES = ("train", "eval", "unselected", "dropped")  # best first

LEDGER_ARROW = pa.schema(
    [(name, pa.uint32() if dtype == pl.UInt32 else pa.string()) for name, dtype in LEDGER_SCHEMA.items()]
)
EVENT_COLUMNS = ("pos", "piece", "stage", "reason", "detail")
Event = dict[str, Any]


def write_ledger(task: Task, work: Path, out: Path) -> dict[str, Any]:
    """The ledger of one source, chunk by chunk, and its counts.

    `chunks` lists, in order, the ordinal, the files (see `curation.places`), and the keys of the chunk's
    tasks; `fates` is the task that decided over all rows.
    """
    params = task.params
    chosen = work / "tasks" / params["fates"]
    fates, noted = (read_frame(chosen / name) for name in ("fates.arrow", "noted.arrow"))
    counts: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    read = 0
    with parquet_writer(out / "ledger.parquet", LEDGER_ARROW) as writer:
        waiting = pl.DataFrame(schema=LEDGER_SCHEMA)
        for chunk in params["chunks"]:
            low = chunk["ordinal"] << 32
            here = pl.col("pos").is_between(low, low + (1 << 32) - 1)
            lines = chunk_lines(
                work / "tasks", chunk, fates.filter(here), noted.filter(here), params["source"]
            )
            read += lines.height
            counts.update(dict(lines["fate"].value_counts().iter_rows()))
            dropped = lines.filter(pl.col("fate") == "dropped")
            reasons.update(dict(dropped["reason"].value_counts().iter_rows()))
            waiting = pl.concat([waiting, lines])
            while waiting.height >= ROWS_PER_GROUP:
                writer.write_table(to_arrow(waiting[:ROWS_PER_GROUP]).cast(LEDGER_ARROW))
                waiting = waiting[ROWS_PER_GROUP:]
        if waiting.height:
            writer.write_table(to_arrow(waiting).cast(LEDGER_ARROW))
    return {"rows": read, "fates": dict(counts), "reasons": dict(reasons)}


def chunk_lines(
    tasks: Path, chunk: Mapping[str, Any], fates: pl.DataFrame, noted: pl.DataFrame, source: str
) -> pl.DataFrame:
    """The ledger's lines of one chunk. Every input row has exactly one.

    noted: what stages over all rows noted of its rows.
    """
    inputs = read_frame(tasks / chunk["rows"][0] / "inputs.arrow")
    notes = [notes_of(tasks / key / "kept.arrow") for key in reversed(chunk["rows"])]
    events = [fates]
    for key in (*chunk["rows"], chunk["index"]):
        dropped = read_frame(tasks / key / "dropped.arrow", [*EVENT_COLUMNS, "notes"])
        notes.insert(0, dropped.select("pos", "piece", "notes").filter(pl.col("notes").is_not_null()))
        events.append(
            dropped.with_columns(id=pl.lit(None, pl.String), fate=pl.lit("dropped")).select(fates.columns)
        )
    # The latest notes of a row hold the earlier ones.
    latest = pl.concat(notes).unique(["pos", "piece"], keep="first", maintain_order=True)
    with_notes = with_noted(pl.concat(events).join(latest, on=["pos", "piece"], how="left"), noted)
    lives = lives_of(with_notes)
    low = chunk["ordinal"] << 32
    places = files_and_rows(chunk)
    assert places.height == inputs.height, f"{source}: {inputs.height} rows are not {places.height}"
    lines = (
        inputs.select("input_id", "taken", pos=pl.col("row").cast(pl.UInt64) + low)
        .hstack(places)
        .join(lives, on="pos", how="left", maintain_order="left")
    )
    left_out = ~pl.col("taken")
    lines = lines.select(
        source=pl.lit(source),
        file="file",
        row="row",
        input_id="input_id",
        id="id",
        fate=pl.when(left_out).then(pl.lit("unselected")).otherwise("fate"),
        stage=pl.when(left_out).then(pl.lit("take")).otherwise("stage"),
        reason="reason",
        detail="detail",
    )
    assert lines.height == inputs.height, f"{source}: a row has two fates"
    assert not lines["fate"].null_count(), f"{source}: a row has no fate"
    return lines


def with_noted(rows: pl.DataFrame, noted: pl.DataFrame) -> pl.DataFrame:
    """`rows` with the lines of `noted` at the end of their notes."""
    if noted.is_empty():
        return rows
    more = rows.join(noted, on=["pos", "piece"], how="left", maintain_order="left")
    notes = pl.concat_str("notes", "note", separator="\n", ignore_nulls=True)
    either = pl.col("notes").is_not_null() | pl.col("note").is_not_null()
    return more.with_columns(notes=pl.when(either).then(notes)).drop("note")


def notes_of(kept: Path) -> pl.DataFrame:
    """pos, piece and notes of the rows that a task kept and that have notes."""
    return read_frame(kept, ["pos", "piece", "notes"]).filter(pl.col("notes").is_not_null())


def lives_of(events: pl.DataFrame) -> pl.DataFrame:
    """The one fate of every input row, from the fates of it or of its pieces, by `pos`.

    A whole row has one event; a split row has one a piece.
    """
    whole = events.filter(pl.col("piece") == 0)
    noted = whole.filter(pl.col("notes").is_not_null())
    details = [evidence(d, n) for d, n in noted.select("detail", "notes").iter_rows()]
    noted = noted.with_columns(pl.Series("detail", details, dtype=pl.String))
    pieces: dict[int, list[Event]] = defaultdict(list)
    for event in events.filter(pl.col("piece") > 0).sort("pos", "piece").iter_rows(named=True):
        pieces[event["pos"]].append(event)
    split = pl.DataFrame([life_of(parts) for parts in pieces.values()], schema=events.schema)
    found = pl.concat([whole.filter(pl.col("notes").is_null()), noted, split.select(events.columns)])
    return found.drop("piece", "notes")


def life_of(events: list[Event]) -> Event:
    """The fate of a split row: the best of its pieces', with all of them in `detail.parts`.

    In `detail.masked` a turn of a piece is [turn, reason, piece], the piece as its place in `parts`.
    """
    best = min(events, key=lambda e: (FATES.index(e["fate"]), e["piece"]))
    parts = [[e["id"], e["fate"], e["reason"]] for e in events]
    notes = "\n".join(dict.fromkeys(n for e in events if e["notes"] for n in e["notes"].split("\n")))
    masked = [
        [turn, reason, place]
        for place, event in enumerate(events)
        for turn, reason in without_loss(event["notes"]).items()
    ]
    return {**best, "id": None, "detail": evidence(best["detail"], notes or None, parts, masked)}


def evidence(
    detail: str | None,
    notes: str | None,
    parts: list[Any] | None = None,
    masked: list[list[Any]] | None = None,
) -> str | None:
    """`detail` with the row's repairs, flags, turns without loss and place in an archive, and its parts."""
    if notes is None and parts is None:
        return detail
    found = orjson.loads(detail) if detail else {}
    entries = read_notes(notes)
    flags = [entry for entry in entries if "flag" in entry]
    told_apart = {"flag", "no_loss", "member"}
    repairs = [entry for entry in entries if not told_apart & entry.keys()]
    masked = masked or [[turn, reason] for turn, reason in without_loss(notes).items()]
    found.update({"masked": masked} if masked else {})
    members = [entry["member"] for entry in entries if "member" in entry]
    found.update({"member": members[0]} if members else {})
    found.update({"repairs": repairs} if repairs else {})
    found.update({"flags": flags} if flags else {})
    found.update({"parts": parts} if parts else {})
    return orjson.dumps(found, option=orjson.OPT_SORT_KEYS).decode()
