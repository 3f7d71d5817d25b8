"""The tasks of a curation run over one chunk of a source: read, stage, prepare, index."""

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec
import orjson
import polars as pl

from curation.arrow import FrameWriter, read_batches, read_frame
from curation.dataset.shards import token_counter
from curation.readers.keys.counts import KEYS_SCHEMA, KeyCounts
from curation.readers.reading import Chunk, read
from curation.recipe.metrics import full_names
from curation.recipe.source import Source
from curation.recipe.stages import STAGES, TRAINABLE
from curation.row import (
    COPY,
    FRAME_SCHEMA,
    NO_LOSS,
    close_row,
    decode,
    digest,
    drop,
    is_trained,
    mask,
    open_row,
    row_id,
    row_ids,
    seeded,
)
from curation.sources.records import BATCH_BYTES
from curation.stages.seam import (
    DROPS_SCHEMA,
    FLAGS_SCHEMA,
    MASKS_SCHEMA,
    PAIRS_SCHEMA,
    Keyed,
    PrepareFn,
    Reduce,
    RowsFn,
    Split,
    context_of,
    stage_kind,
)
from curation.task import Task

# A row between phases: what the stages take, its id as it now reads, and what they may have found out.
KEPT_SCHEMA: dict[str, Any] = {
    **FRAME_SCHEMA,
    "id": pl.String,
    "tokens": pl.UInt32,
    "language": pl.String,
}
DROPPED_SCHEMA: dict[str, Any] = {
    **FRAME_SCHEMA,
    "stage": pl.String,
    "reason": pl.String,
    "detail": pl.String,
}
# One line per input row of a chunk; `taken` is false for what `take` left out.
INPUTS_SCHEMA: dict[str, Any] = {"row": pl.UInt32, "input_id": pl.String, "taken": pl.Boolean}
RANKS_SCHEMA: dict[str, Any] = {"row": pl.UInt32, "rank": pl.String}
INDEX_SCHEMA: dict[str, Any] = {
    "pos": pl.UInt64,
    "piece": pl.UInt32,
    "offset": pl.UInt32,
    "id": pl.String,
    "tokens": pl.UInt32,
    "first_user": pl.String,
    "rank": pl.String,
    "order": pl.String,
}


@lru_cache(maxsize=64)
def _bound(name: str, settings: str, context: str, part: str) -> Callable[..., Any]:
    kind = stage_kind(name)
    bound_settings = msgspec.convert(orjson.loads(settings), STAGES[name].settings)
    bound_context = context_of(orjson.loads(context))
    return getattr(kind, part)(bound_settings, bound_context)  # type: ignore[no-any-return]


def bind(task: Task, stage: Mapping[str, Any], part: str) -> Callable[..., Any]:
    """The function of a stage as the recipe sets it; `part` is bind or prepare."""
    settings = orjson.dumps(stage["settings"], option=orjson.OPT_SORT_KEYS).decode()
    return _bound(stage["stage"], settings, task.paths["context"], part)


class Tally:
    """What the stages of a task did, by name, and what the gates want to know of it."""

    def __init__(self) -> None:
        self.stages: dict[str, dict[str, Any]] = {}
        self.metrics: Counter[str] = Counter()
        self.cpu_s: dict[str, float] = defaultdict(float)

    def add(self, name: str, rows: pl.DataFrame, split: Split) -> None:
        kept, dropped = split
        counts = self.stages.setdefault(name, {"in": 0, "added": 0, "out": 0, "dropped": {}})
        counts["in"] += rows.height
        counts["added"] += kept.height + dropped.height - rows.height
        counts["out"] += kept.height
        for reason, count in dropped["reason"].value_counts().iter_rows():
            counts["dropped"][reason] = counts["dropped"].get(reason, 0) + count

    def summary(self) -> dict[str, Any]:
        return {"stages": self.stages, "metrics": dict(self.metrics), "stage_cpu_s": dict(self.cpu_s)}


def chain(task: Task, entered: pl.DataFrame, tally: Tally, dropped_rows: FrameWriter) -> pl.DataFrame:
    """Run rows with their ids through the task's row stages, writing what they drop."""
    frame = entered.drop("id")
    for stage in task.params["stages"]:
        function: RowsFn = bind(task, stage, "bind")
        started = time.process_time()
        split = function(frame)
        tally.cpu_s[stage["name"]] += time.process_time() - started
        tally.add(stage["name"], frame, split)
        tally.metrics.update(full_names(stage["stage"], split.counts))
        dropped_rows.write(split.dropped.with_columns(stage=pl.lit(stage["name"])))
        frame = split.kept if STAGES[stage["stage"]].counts_tokens else uncounted(split.kept)
    return with_ids(frame, entered)


def with_ids(rows: pl.DataFrame, before: pl.DataFrame) -> pl.DataFrame:
    """`rows` with the column `id`; a digest is computed only where the text is not as it was `before`."""
    known = before.select("pos", "piece", "id", old_messages="messages", old_tools="tools")
    found = rows.join(known, on=["pos", "piece"], how="left", maintain_order="left").select(
        "id",
        changed=pl.col("messages").ne_missing(pl.col("old_messages"))
        | pl.col("tools").ne_missing(pl.col("old_tools")),
    )
    places = found["changed"].arg_true()
    new = row_ids(rows["messages"][places], rows["tools"][places])
    return rows.with_columns(found["id"].scatter(places, new))


def uncounted(rows: pl.DataFrame) -> pl.DataFrame:
    """`rows` without the token counts of a stage before: the text may have changed since."""
    return rows.with_columns(tokens=pl.lit(None, pl.UInt32)) if "tokens" in rows.columns else rows


def frames_of(task: Task, counts: list[int], keys: KeyCounts | None = None) -> Iterator[pl.DataFrame]:
    """What a reading task reads, in frames, `row` counted through its pieces; at least one frame.

    `counts` gains the rows of every piece; in `keys` the keys of the records are counted. Small files make
    one frame, so that a stage is called once for all of them.
    """
    source = msgspec.convert(task.params["source"], Source)
    waiting: list[pl.DataFrame] = []
    start = size = 0
    for piece in task.params["pieces"]:
        chunk = Chunk(Path(task.paths[f"file:{piece['file']}"]), piece["start"], piece["end"])
        counts.append(0)
        if keys is not None:
            keys.start = start
        for frame in read(chunk, source, file=piece["file"], limit=piece["limit"], counts=keys):
            waiting.append(frame.with_columns(pl.col("row") + (start - counts[-1])) if start else frame)
            counts[-1] += frame.height
            size += int(frame.estimated_size())
            if size > BATCH_BYTES or len(task.params["pieces"]) == 1:
                yield pl.concat(waiting)
                waiting, size = [], 0
        start += counts[-1]
    if waiting:
        yield pl.concat(waiting)


def rank_rows(task: Task, work: Path, out: Path) -> dict[str, Any]:
    """For `take`: the rank of every readable row of a chunk, digest(seed, input_id)."""
    seed = task.params["seed"]
    with FrameWriter(out / "ranks.arrow", RANKS_SCHEMA) as ranks:
        for batch in frames_of(task, []):
            readable = batch.filter(pl.col("reason").is_null())
            ids = row_ids(readable["messages"], readable["tools"])
            rank = pl.Series("rank", [digest(seed, i) for i in ids], dtype=pl.String)
            ranks.write(readable.select("row").with_columns(rank))
    return {"rows": ranks.rows}


def read_rows(task: Task, work: Path, out: Path) -> dict[str, Any]:
    """Read a chunk and run it through the first row stages.

    Writes kept.arrow, dropped.arrow, inputs.arrow and keys.arrow. With `cutoff` [rank, pos], rows ranked
    above it are left out by `take`. `pieces` of the summary: the rows of each.
    """
    params = task.params
    tally, key_counts = Tally(), KeyCounts(msgspec.convert(params["source"], Source))
    counts: list[int] = []
    with (
        FrameWriter(out / "kept.arrow", KEPT_SCHEMA) as kept,
        FrameWriter(out / "dropped.arrow", DROPPED_SCHEMA) as dropped,
        FrameWriter(out / "inputs.arrow", INPUTS_SCHEMA) as inputs,
    ):
        for batch in frames_of(task, counts, key_counts):
            frame, broken = identified(batch, params["name"], params["ordinal"])
            taken = chosen(frame, params["seed"], params["cutoff"])
            write_inputs(inputs, broken, frame, taken)
            dropped.write(broken)
            entering = frame.filter(taken).drop("row").with_columns(id="input_id")
            kept.write(chain(task, entering, tally, dropped))
    with FrameWriter(out / "keys.arrow", KEYS_SCHEMA) as keys:
        keys.write(key_counts.frame())
    return {**tally.summary(), "rows": inputs.rows, "pieces": counts, "kept": kept.rows}


def identified(batch: pl.DataFrame, source: str, ordinal: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """A reader's batch as (rows for the stages, rows that could not be read)."""
    batch = batch.with_columns(
        pos=pl.col("row").cast(pl.UInt64) + (ordinal << 32),
        piece=pl.lit(0, pl.UInt32),
        source=pl.lit(source),
    )
    readable = batch.filter(pl.col("reason").is_null())
    broken = batch.filter(pl.col("reason").is_not_null()).with_columns(
        stage=pl.lit("read"), input_id=pl.lit(None, pl.String)
    )
    ids = row_ids(readable["messages"], readable["tools"])
    readable = readable.with_columns(pl.Series("input_id", ids, dtype=pl.String))
    return readable.select("row", *FRAME_SCHEMA), broken


def chosen(frame: pl.DataFrame, seed: int, cutoff: Sequence[Any] | None) -> pl.Series:
    """Which rows of a batch `take` chose; all of them without a cutoff."""
    if cutoff is None:
        return pl.Series([True] * frame.height, dtype=pl.Boolean)
    last = (cutoff[0], cutoff[1])
    return pl.Series(
        [
            (digest(seed, input_id), pos) <= last
            for input_id, pos in frame.select("input_id", "pos").iter_rows()
        ],
        dtype=pl.Boolean,
    )


def write_inputs(inputs: FrameWriter, broken: pl.DataFrame, frame: pl.DataFrame, taken: pl.Series) -> None:
    """One line per input row of a batch, in the order of the file."""
    lines = [
        broken.select("row", "input_id", taken=pl.lit(True)),
        frame.select("row", "input_id").with_columns(taken.alias("taken")),
    ]
    inputs.write(pl.concat(lines).sort("row"))


def alive(rows: pl.DataFrame, exclude: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """`rows` without what earlier stages over all rows dropped."""
    for drops in exclude:
        rows = rows.join(drops, on=["pos", "piece"], how="anti", maintain_order="left")
    return rows


def drops_of(task: Task, work: Path) -> list[pl.DataFrame]:
    """The drops of earlier stages over all rows, within this task's chunk."""
    low = task.params["ordinal"] << 32
    here = pl.col("pos").is_between(low, low + (1 << 32) - 1)
    return [
        read_frame(work / "tasks" / key / "drops.arrow", ["pos", "piece"]).filter(here)
        for key in task.params["exclude"]
    ]


def kept_of(task: Task, work: Path) -> Path:
    """The rows that the task before this one kept."""
    return work / "tasks" / str(task.params["rows"]) / "kept.arrow"


def stage_rows(task: Task, work: Path, out: Path) -> dict[str, Any]:
    """Run the rows of an earlier task through further row stages."""
    tally = Tally()
    exclude = drops_of(task, work)
    with (
        FrameWriter(out / "kept.arrow", KEPT_SCHEMA) as kept,
        FrameWriter(out / "dropped.arrow", DROPPED_SCHEMA) as dropped,
    ):
        for batch in read_batches(kept_of(task, work)):
            kept.write(chain(task, alive(batch, exclude), tally, dropped))
    return {**tally.summary(), "kept": kept.rows}


def prepare(task: Task, work: Path, out: Path) -> dict[str, Any]:
    """The columns that a stage over all rows needs, of the rows that are still there."""
    function: PrepareFn = bind(task, task.params["stage"], "prepare")
    exclude = drops_of(task, work)
    writer: FrameWriter | None = None
    for batch in read_batches(kept_of(task, work)):
        prepared = function(alive(batch, exclude))
        if writer is None:
            writer = FrameWriter(out / "prepared.arrow", prepared.schema).__enter__()
        writer.write(prepared)
    assert writer is not None
    writer.__exit__()
    return {"rows": writer.rows}


def keyed(task: Task, work: Path, out: Path) -> dict[str, Any]:
    """One partition of a keyed stage: all rows whose key falls into it."""
    kind = stage_kind(task.params["stage"]["stage"])
    assert isinstance(kind, Keyed)
    part, parts = task.params["part"], task.params["parts"]
    here = pl.col(kind.key).str.slice(0, 4).str.to_integer(base=16) % parts == part
    frames = [
        read_frame(work / "tasks" / key / "prepared.arrow").filter(here) for key in task.params["prepared"]
    ]
    outcome = bind(task, task.params["stage"], "bind")(pl.concat(frames))
    return write_outcome(out, task.params["stage"]["stage"], outcome)


def reduce(task: Task, work: Path, out: Path) -> dict[str, Any]:
    """A stage over all rows at once, on the mapped files of its prepared frames."""
    kind = stage_kind(task.params["stage"]["stage"])
    assert isinstance(kind, Reduce)
    files = [work / "tasks" / key / "prepared.arrow" for key in task.params["prepared"]]
    outcome = bind(task, task.params["stage"], "bind")(files)
    return write_outcome(out, task.params["stage"]["stage"], outcome)


def write_outcome(out: Path, stage: str, outcome: Any) -> dict[str, Any]:
    """drops.arrow, masks.arrow, flags.arrow and pairs.arrow in the order of position, and the counts.

    `masked` are the ordinals of the chunks with a row in masks.arrow.
    """
    with FrameWriter(out / "drops.arrow", DROPS_SCHEMA) as drops:
        drops.write(outcome.drops.sort("pos", "piece"))
    with FrameWriter(out / "masks.arrow", MASKS_SCHEMA) as masks:
        masks.write(outcome.masks.sort("pos", "piece", "turn"))
    with FrameWriter(out / "flags.arrow", FLAGS_SCHEMA) as flags:
        flags.write(outcome.flags.sort("pos", "piece", "note"))
    with FrameWriter(out / "pairs.arrow", PAIRS_SCHEMA) as pairs:
        pairs.write(outcome.pairs.sort("pos", "piece", "other_pos", "other_piece"))
    reasons = dict(outcome.drops["reason"].value_counts().iter_rows())
    counts = {name: float(n) for name, n in full_names(stage, outcome.counts).items()}
    masked = (outcome.masks["pos"] // (1 << 32)).unique().sort().to_list()
    return {"dropped": reasons, "metrics": counts, "masked": masked}


def mask_rows(task: Task, work: Path, out: Path) -> dict[str, Any]:
    """The rows of an earlier task, some turns of which a stage over all rows has taken the loss from."""
    low = task.params["ordinal"] << 32
    here = pl.col("pos").is_between(low, low + (1 << 32) - 1)
    masks = pl.concat(
        read_frame(work / "tasks" / key / "masks.arrow").filter(here) for key in task.params["masks"]
    )
    turns = {
        (pos, piece): some for pos, piece, some in masks.group_by("pos", "piece").agg("turn").iter_rows()
    }
    with (
        FrameWriter(out / "kept.arrow", KEPT_SCHEMA) as kept,
        FrameWriter(out / "dropped.arrow", DROPPED_SCHEMA),
    ):
        for batch in read_batches(kept_of(task, work)):
            kept.write(masked(batch, turns))
    return {"kept": kept.rows}


def masked(rows: pl.DataFrame, turns: Mapping[tuple[int, int], Sequence[int]]) -> pl.DataFrame:
    """`rows` without loss on some turns, by position and piece; with the ids that they have so."""
    new = []
    for place, (pos, piece) in enumerate(rows.select("pos", "piece").iter_rows()):
        if (pos, piece) in turns:
            text, notes = rows["messages"][place], rows["notes"][place]
            messages = open_row(text, notes)
            for turn in turns[pos, piece]:
                mask(messages[turn], COPY)
            text, notes = close_row(messages, notes)
            new.append((place, text, notes, row_id(text, rows["tools"][place])))
    if not new:
        return rows
    places, *columns = zip(*new, strict=True)
    return rows.with_columns(
        rows[name].scatter(places, pl.Series(values, dtype=pl.String))
        for name, values in zip(("messages", "notes", "id"), columns, strict=True)
    )


def index_rows(task: Task, work: Path, out: Path) -> dict[str, Any]:
    """What choosing needs of every row that passed the stages: its id, tokens, and digests.

    A row none of whose turns carries loss is dropped here.
    `offset` is the row's place in kept.arrow. `first_user` is the digest of the first user
    message, null when that is empty; `rank` is digest(seed, id), `order` digest(seed, id, 1).
    """
    count = token_counter(task) if task.params["count_tokens"] else None
    exclude = drops_of(task, work)
    seed = task.params["seed"]
    start = 0
    tally = Tally()
    with (
        FrameWriter(out / "index.arrow", INDEX_SCHEMA) as index,
        FrameWriter(out / "dropped.arrow", DROPPED_SCHEMA) as dropped,
    ):
        for batch in read_batches(kept_of(task, work)):
            rows = alive(batch.with_row_index("offset", offset=start), exclude)
            start += batch.height
            split = trainable(rows)
            tally.add(TRAINABLE, rows, split)
            dropped.write(split.dropped.with_columns(stage=pl.lit(TRAINABLE)))
            rows = split.kept
            rows = rows.with_columns(
                pl.Series("first_user", first_user(rows["messages"]), dtype=pl.String),
                seeded("rank", rows["id"], seed),
                seeded("order", rows["id"], seed, 1),
            )
            index.write(count(rows) if count else rows)
    return {**tally.summary(), "rows": index.rows}


def trainable(rows: pl.DataFrame) -> Split:
    """The rows with at least one turn that carries loss; `nothing_to_train` of the others."""
    suspects = rows["messages"].str.contains(NO_LOSS, literal=True).arg_true()
    places = [p for p in suspects if not any(map(is_trained, decode(rows["messages"][p])))]
    gone = pl.repeat(False, rows.height, dtype=pl.Boolean, eager=True).scatter(places, True)
    turns = [{"turns": rows["messages"][place].count(NO_LOSS)} for place in places]
    return Split(rows.filter(~gone), drop(rows.filter(gone), ["nothing_to_train"] * len(places), turns))


# The content of the first user message in canonical JSON, whose keys are sorted: a quote inside a
# text is escaped, so no text can pass for a key.
_STRING = r'"(?:[^"\\]|\\.)*"'
_FIRST_USER = rf'"content":({_STRING}|null),"name":(?:{_STRING}|null),"role":"user"'
_BLANK = r'^"(?:[\s\p{Z}]|\\[nrt])*"$'


def first_user(messages: pl.Series) -> list[str | None]:
    """The digest of each row's first user message; null when it is empty or absent."""
    said = messages.str.extract(_FIRST_USER)
    blank = said.str.contains(_BLANK) | (said == "null")
    return [
        None if text is None or empty else digest(text)[:32] for text, empty in zip(said, blank, strict=True)
    ]
