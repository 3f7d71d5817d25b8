"""What the shards tell: rows, tokens, repeats, turns and tools. Reads few columns, never all text."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from curation.dataset.manifest import SPLITS, Manifest, shard_files
from curation.dataset.thinking import Thoughts, figured_thoughts
from curation.mixture.shortage import fresh_worth

LANGUAGE_ROWS = 500  # train rows whose language is looked at
BINS = 40


@dataclass(frozen=True)
class Amount:
    """What was written of a group or source. unique: different train rows.

    tokens, trained  of the train rows, and how many of them carry loss; None when not counted
    without_loss     turns of the assistant's in train that carry none
    """

    train: int = 0
    eval: int = 0
    unique: int = 0
    tokens: int | None = None
    max_repeat: int = 0
    trained: int | None = None
    without_loss: int = 0

    @property
    def effective(self) -> int:
        """What the train rows with their copies are worth in fresh rows."""
        return round(fresh_worth(self.unique, self.train)) if self.unique else 0


@dataclass(frozen=True)
class Lengths:
    """Token counts of the written rows: a histogram as (from, to, rows), and quantiles by name."""

    bins: list[tuple[int, int, int]]
    quantiles: dict[str, int]
    over: int
    total: int


@dataclass(frozen=True)
class ToolUse:
    """One tool: its calls in the written rows, and the rows that call it."""

    name: str
    calls: int
    rows: int


@dataclass(frozen=True)
class Languages:
    """Languages of written rows, most frequent first, and of how many rows; exact: they are all rows."""

    rows: list[tuple[str, int]]
    judged: int
    exact: bool


@dataclass(frozen=True)
class ShardFacts:
    """All of it. trained: tokens of train that carry loss; None when not counted. thoughts: by group."""

    groups: dict[str, Amount]
    sources: dict[str, Amount]
    lengths: Lengths | None
    turns: list[tuple[str, int]]
    roles: dict[str, int]
    tools: list[ToolUse]
    calling_rows: int
    shared_ids: int
    trained: int | None = None
    languages: Languages = field(default_factory=lambda: Languages([], 0, True))
    thoughts: dict[str, Thoughts] = field(default_factory=dict)


def shard_facts(
    dataset: Path, manifest: Manifest, context: int, metrics: Mapping[str, float] | None = None
) -> ShardFacts:
    """Facts about all shards of a dataset; `context` is the training context in tokens.

    metrics: what the run counted of the rows that it wrote (gates.json).
    """
    metrics = metrics or {}
    rows = read_flat(dataset, manifest)
    trained = {name: int(tokens) for name, tokens in named(metrics, "tokens.trained.")}
    masked = {name: int(turns) for name, turns in named(metrics, "turns.without_loss.")}
    roles, turns, tools, calling = messages_facts(shard_paths(dataset, manifest))
    return ShardFacts(
        groups=amounts(rows, "group", trained, masked),
        sources=amounts(rows, "source", trained, masked),
        lengths=lengths(rows, context),
        turns=turns,
        roles=roles,
        tools=tools,
        calling_rows=calling,
        shared_ids=shared_ids(rows),
        trained=sum(trained.values()) if trained else None,
        languages=languages_written(metrics) or languages_of(dataset, manifest),
        thoughts=figured_thoughts(metrics, {name: one.group for name, one in manifest.sources.items()}),
    )


def named(metrics: Mapping[str, float], start: str) -> Iterator[tuple[str, float]]:
    """The metrics whose names begin so, by the rest of their names."""
    yield from ((name.removeprefix(start), n) for name, n in metrics.items() if name.startswith(start))


def shard_paths(dataset: Path, manifest: Manifest) -> list[Path]:
    """Every shard, train first."""
    return [dataset / file.path for split in SPLITS for file in shard_files(manifest, split)]


def read_flat(dataset: Path, manifest: Manifest) -> pl.DataFrame:
    """split, id, source, group, repeat and tokens of every written row."""
    columns = ["id", "source", "group", "repeat", "tokens"]
    frames = [
        pl.scan_parquet(dataset / file.path, glob=False).select(columns).with_columns(split=pl.lit(split))
        for split in SPLITS
        for file in shard_files(manifest, split)
    ]
    return pl.concat(frames).collect()


def amounts(
    rows: pl.DataFrame, by: str, trained: Mapping[str, int], masked: Mapping[str, int]
) -> dict[str, Amount]:
    """Written rows by group or source; by source, the tokens that carry loss and the turns that do not."""
    train = pl.col("split") == "train"
    members = dict(rows.group_by(by).agg(sources=pl.col("source").unique()).iter_rows())
    loss = {
        name: sum(trained.get(source, 0) for source in sources) if trained else None
        for name, sources in members.items()
    }
    turns = {name: sum(masked.get(source, 0) for source in sources) for name, sources in members.items()}
    amounts = rows.group_by(by).agg(
        train=train.sum(),
        eval=(~train).sum(),
        unique=(train & (pl.col("repeat") == 1)).sum(),
        tokens=pl.when(pl.col("tokens").null_count() == 0).then(
            pl.col("tokens").filter(train).cast(pl.Int64).sum()
        ),
        max_repeat=pl.col("repeat").filter(train).max().fill_null(0),
    )
    return {
        name: Amount(**entry, trained=loss[name], without_loss=turns[name])
        for entry in amounts.sort(by).iter_rows(named=True)
        for name in [entry.pop(by)]
    }


def lengths(rows: pl.DataFrame, context: int) -> Lengths | None:
    """The lengths of all written rows, or None when tokens were not counted."""
    tokens = rows["tokens"]
    if tokens.null_count() or not len(tokens):
        return None
    most = int(tokens.max() or 0)  # type: ignore[arg-type]
    width = nice_width(max(most, context))
    counted = dict((tokens // width).value_counts().iter_rows())
    bins = [(n * width, (n + 1) * width, counted.get(n, 0)) for n in range(most // width + 1)]
    ordered = tokens.sort()
    quantiles = {
        name: int(ordered[min(math.floor(share * len(ordered)), len(ordered) - 1)])
        for name, share in (("median", 0.5), ("90 %", 0.9), ("99 %", 0.99), ("longest", 1.0))
    }
    return Lengths(bins, quantiles, int((tokens > context).sum()), int(tokens.cast(pl.Int64).sum()))


def nice_width(most: int) -> int:
    """A bin width that reads well: at most BINS bins up to `most`."""
    exact = max(most / BINS, 1)
    power = 10 ** math.floor(math.log10(exact))
    return next(int(step * power) for step in (1, 2, 5, 10) if step * power >= exact)


def shared_ids(rows: pl.DataFrame) -> int:
    """Row ids that stand in both splits."""
    train = rows.filter(pl.col("split") == "train")["id"].unique()
    return int(rows.filter(pl.col("split") == "eval")["id"].is_in(train.implode()).sum())


def messages_facts(paths: Sequence[Path]) -> tuple[dict[str, int], list[tuple[str, int]], list[ToolUse], int]:
    """Messages by role, rows by number of messages, tools called, and rows that call any."""
    roles: dict[str, int] = {}
    turns: dict[int, int] = {}
    calls: list[pl.DataFrame] = []
    first = 0
    for path in paths:
        with pq.ParquetFile(path) as file:
            said = file.read(columns=["messages.list.element.role"])["messages"].combine_chunks()
            called = file.read(columns=["messages.list.element.tool_calls.list.element.name"])["messages"]
        tally(roles, pc.value_counts(pc.struct_field(said.flatten(), "role")))
        tally(turns, pc.value_counts(pc.list_value_length(said)))
        calls.append(tool_calls(called.combine_chunks(), first))
        first += len(said)
    used = pl.concat(calls)
    tools = used.group_by("name").agg(calls=pl.len(), rows=pl.col("row").n_unique())
    ordered = tools.sort(["calls", "name"], descending=[True, False])
    return (
        dict(sorted(roles.items())),
        turn_bins(turns),
        [ToolUse(**entry) for entry in ordered.iter_rows(named=True)],
        used["row"].n_unique(),
    )


def tool_calls(messages: pa.ListArray, first: int) -> pl.DataFrame:
    """name of every tool call, and the number of its row, counted from `first`."""
    of_message = pc.list_parent_indices(messages)
    lists = pc.struct_field(messages.flatten(), "tool_calls")
    of_call = pc.list_parent_indices(lists)
    names = pc.struct_field(lists.flatten(), "name")
    rows = pc.take(of_message, of_call)
    called = pl.DataFrame({"name": pl.from_arrow(names), "row": pl.from_arrow(rows)})
    return called.select(pl.col("name").cast(pl.String), pl.col("row").cast(pl.Int64) + first)


def tally(counts: dict[Any, int], found: pa.StructArray) -> None:
    """Add Arrow's value counts to a dict."""
    for entry in found.to_pylist():
        counts[entry["values"]] = counts.get(entry["values"], 0) + entry["counts"]


def turn_bins(turns: dict[int, int]) -> list[tuple[str, int]]:
    """Rows by number of messages: 1, 2, 3, 4, 5-8, 9-16, and so on."""
    bins: dict[tuple[int, int], int] = {}
    for number, rows in turns.items():
        low = number if number <= 4 else (1 << (number - 1).bit_length() - 1) + 1
        high = number if number <= 4 else 1 << (number - 1).bit_length()
        bins[low, high] = bins.get((low, high), 0) + rows
    return [(str(a) if a == b else f"{a}\u2013{b}", n) for (a, b), n in sorted(bins.items())]


def languages_written(metrics: Mapping[str, float]) -> Languages | None:
    """The languages of all written rows, as the stage `language` judged them; None without it."""
    counted = {name: int(rows) for name, rows in named(metrics, "language.written.")}
    return Languages(most_first(counted), sum(counted.values()), True) if counted else None


def languages_of(dataset: Path, manifest: Manifest) -> Languages:
    """The languages of the answers of the first train rows. Shard order is seeded: it is a fair choice."""
    from curation.row import encode, kept_keys
    from curation.stages.language.shares import languages_by_share
    from curation.turns.prose import sides_of

    files = shard_files(manifest, "train")
    if not files:
        return Languages([], 0, True)
    with pq.ParquetFile(dataset / files[0].path) as file:
        if not file.num_row_groups:
            return Languages([], 0, True)
        table = file.read_row_group(0, columns=["messages"]).slice(0, LANGUAGE_ROWS)
    _, answers = sides_of([encode([*map(kept_keys, said)]) for said in table["messages"].to_pylist()])
    verdicts = languages_by_share(answers)
    counted: dict[str, int] = {}
    for verdict in verdicts:
        counted[verdict.language] = counted.get(verdict.language, 0) + 1
    return Languages(most_first(counted), len(verdicts), manifest.written.train == len(verdicts))


def most_first(counted: Mapping[str, int]) -> list[tuple[str, int]]:
    """Names with their counts, most frequent first, ties by name."""
    return sorted(counted.items(), key=lambda entry: (-entry[1], entry[0]))
