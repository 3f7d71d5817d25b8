"""From the rows that passed every stage to the rows that are written: clusters, eval, mixture, order.

One task decides for all rows, on a few columns; its output names every written row and every
row's fate. The order of a shard is that of sha256(seed, id, repeat).
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import orjson
import polars as pl

from curation.arrow import read_frame, write_frame
from curation.errors import Refusal
from curation.mixture.clusters import clusters, eval_rows
from curation.mixture.quotas import Available, Infeasible, MixturePlan, plan, select
from curation.mixture.shortage import render
from curation.places import Places
from curation.recipe.load import Mixture
from curation.row import digest, root_digest
from curation.stages.seam import FLAGS_SCHEMA, no_pairs
from curation.task import Task

# One line per written row, in shard order: where the row lies and what the mixture made of it.
WRITTEN_SCHEMA: dict[str, Any] = {
    "pos": pl.UInt64,
    "piece": pl.UInt32,
    "offset": pl.UInt32,
    "id": pl.String,
    "source": pl.String,
    "group": pl.String,
    "repeat": pl.UInt16,
}

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


# What stages over all rows note of a row, the other row named as in `detail`.
NOTED_SCHEMA: dict[str, Any] = {"pos": pl.UInt64, "piece": pl.UInt32, "note": pl.String}


class Infeasibility(Refusal):
    """The mixture cannot be had: what the ways out are computed from, and the text that tells them."""

    def __init__(self, problem: Infeasible, text: str) -> None:
        super().__init__(text)
        self.problem = problem


def choose(task: Task, work: Path, out: Path) -> dict[str, Any]:
    """Decide every row's fate. Writes written.arrow, fates.arrow and noted.arrow; the summary counts.

    Raises Infeasibility before anything is written when the mixture cannot be had.
    """
    params = task.params
    tasks = work / "tasks"
    index, pairs = clustered(tasks, params)
    index = index.with_columns(
        eval_rows(index, params["eval_share"], params["seed"], params["eval_at_least"])
    )
    mixture = msgspec.convert(params["mixture"], Mixture)
    solved = solve(index.filter(~pl.col("eval")), params["sources"], mixture, params["preview"])
    chosen = select(index.filter(~pl.col("eval")), solved, seed=params["seed"])
    written = written_rows(index, chosen, params["seed"])
    root = root_digest(written.select("split", "id", "repeat").iter_rows())
    write_frame(out / "written.arrow", written.select("split", *WRITTEN_SCHEMA))
    write_fates(tasks, params, index, written, out)
    return {
        "root": root,
        "written": dict(written["split"].value_counts().iter_rows()),
        "mixture": mixture_counts(index, written, mixture, solved),
        "metrics": leaks(written, pairs),
    }


def undecided(task: Task, work: Path, out: Path) -> dict[str, Any]:
    """The fates of a run whose mixture cannot be had: every row that passed the stages is unselected.

    Writes fates.arrow and noted.arrow, from which the ledger is made.
    """
    index, _ = clustered(work / "tasks", task.params)
    nothing = index.head(0).with_columns(split=pl.lit("train"))
    write_fates(work / "tasks", task.params, index, nothing, out)
    return {"rows": index.height}


def clustered(tasks: Path, params: Mapping[str, Any]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Every row that passed the stages with its `cluster`, and the verified pairs."""
    index = read_index(tasks, params["chunks"], params["groups"])
    pairs = read_pairs(tasks, params["over_all"])
    return index.with_columns(clusters(index, pairs.select("pos", "other_pos").iter_rows())), pairs


def read_index(tasks: Path, chunks: Sequence[Mapping[str, Any]], groups: Mapping[str, str]) -> pl.DataFrame:
    """Every row that passed the stages: the columns of tasks.INDEX_SCHEMA, source and group."""
    frames = [
        read_frame(tasks / chunk["index"] / "index.arrow").with_columns(
            source=pl.lit(chunk["source"]), group=pl.lit(groups[chunk["source"]])
        )
        for chunk in chunks
    ]
    return pl.concat(frames)


def read_pairs(tasks: Path, over_all: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    """Verified pairs at or above the threshold of the stage that found them."""
    frames = [
        read_frame(tasks / key / "pairs.arrow").filter(pl.col("similarity") >= stage["threshold"])
        for stage in over_all
        for key in stage["keys"]
    ]
    return pl.concat([no_pairs(), *frames])


def solve(
    train: pl.DataFrame, sources: Mapping[str, Mapping[str, Any]], mixture: Mixture, preview: bool
) -> MixturePlan:
    """The quotas, or Infeasibility. A preview takes the largest total that its few rows allow."""
    counted = {
        source: (rows, tokens or 0)
        for source, rows, tokens in train.group_by("source").agg(pl.len(), pl.col("tokens").sum()).iter_rows()
    }
    available = {
        name: Available(*counted.get(name, (0, 0)), group=source["group"], weight=source["weight"])
        for name, source in sources.items()
    }
    total = "max" if preview else mixture.total
    answer = plan(
        available,
        shares=mixture.shares,
        unit=mixture.unit,
        total=total,
        max_repeat=mixture.max_repeat,
        on_shortage=mixture.on_shortage,
    )
    if isinstance(answer, Infeasible):
        raise Infeasibility(answer, render(answer))
    return answer


def written_rows(index: pl.DataFrame, chosen: pl.DataFrame, seed: int) -> pl.DataFrame:
    """What is written, in shard order: train then eval, each by digest(seed, id, repeat)."""
    train = chosen.select("pos", "piece", pl.col("repeat").cast(pl.UInt16)).join(
        index, on=["pos", "piece"], how="left"
    )
    train = train.with_columns(split=pl.lit("train"))
    held = index.filter("eval").with_columns(split=pl.lit("eval"), repeat=pl.lit(1, pl.UInt16))
    written = pl.concat([train, held.select(train.columns)])
    # The index has the order of a row's first copy, which for most rows is the only one.
    again = written.filter(pl.col("repeat") > 1).select("id", "repeat")
    later = [digest(seed, row_id, repeat) for row_id, repeat in again.iter_rows()]
    order = written["order"].scatter((written["repeat"] > 1).arg_true(), later)
    return (
        written.with_columns(order)
        .sort(pl.col("split") == "eval", "order", "pos", "piece")
        .drop("order", "rank")
    )


def write_fates(
    tasks: Path, params: Mapping[str, Any], index: pl.DataFrame, written: pl.DataFrame, out: Path
) -> None:
    """fates.arrow and noted.arrow of a choice."""
    names = Names(index, params["chunks"])
    write_frame(out / "fates.arrow", all_fates(tasks, params, index, written, names))
    keys = [key for stage in params["over_all"] for key in stage["keys"]]
    flags = [read_frame(tasks / key / "flags.arrow") for key in keys]
    write_frame(out / "noted.arrow", noted(pl.concat([pl.DataFrame(schema=FLAGS_SCHEMA), *flags]), names))


def noted(flags: pl.DataFrame, names: "Names") -> pl.DataFrame:
    """The flags of stages over all rows as lines of notes, with the other row's name where they have one."""
    notes = []
    for text, other in zip(flags["note"], names.of(flags, "other"), strict=True):
        entry = orjson.loads(text) | ({"other": other} if other else {})
        notes.append(orjson.dumps(entry, option=orjson.OPT_SORT_KEYS).decode())
    found = flags.with_columns(pl.Series("note", notes, dtype=pl.String)).select(*NOTED_SCHEMA)
    return found.group_by("pos", "piece", maintain_order=True).agg(pl.col("note").str.join("\n"))


def all_fates(
    tasks: Path, params: Mapping[str, Any], index: pl.DataFrame, written: pl.DataFrame, names: "Names"
) -> pl.DataFrame:
    """The fate of every row that got as far as a stage over all rows, by position."""
    splits = written.select("pos", "piece", "split").unique(["pos", "piece"])
    alive = (
        index.select("pos", "piece", "id")
        .join(splits, on=["pos", "piece"], how="left")
        .with_columns(
            fate=pl.col("split").fill_null("unselected"),
            stage=pl.when(pl.col("split").is_null()).then(pl.lit("mixture")),
        )
    )
    alive = alive.join(names.clusters, on="pos", how="left", maintain_order="left")
    dropped = [
        over_all_drops(read_frame(tasks / key / "drops.arrow"), stage["name"], names)
        for stage in params["over_all"]
        for key in stage["keys"]
    ]
    columns = [
        pl.col(n).cast(t) if n in alive.columns else pl.lit(None, t).alias(n) for n, t in FATES_SCHEMA.items()
    ]
    return pl.concat([alive.select(columns), *dropped]).sort("pos", "piece")


class Names:
    """What another row is called: its final id, or source:file:row when it has none.

    clusters  `pos` and `detail` of the rows that passed the stages and whose cluster holds another
              such row: the detail names the cluster, by the place of the smallest position in it
    """

    def __init__(self, index: pl.DataFrame, chunks: Sequence[Mapping[str, Any]]) -> None:
        self.index = index.select("pos", "piece", "id")
        self.places = Places(chunks)
        several = index.select("pos", "cluster").unique().filter(pl.len().over("cluster") > 1)
        roots = several["cluster"].unique().sort()
        texts = [orjson.dumps({"cluster": self.place(root)}).decode() for root in roots]
        details = pl.DataFrame({"cluster": roots, "detail": pl.Series(texts, dtype=pl.String)})
        self.clusters = several.join(details, on="cluster", how="left").select("pos", "detail")

    def place(self, pos: int) -> str:
        """source:file:row of a position."""
        return ":".join(map(str, self.places[pos]))

    def of(self, rows: pl.DataFrame, which: str) -> list[str | None]:
        """The rows that `which` of a frame names, the survivor or the other row; None where it names none."""
        named = rows.select(pos=f"{which}_pos", piece=f"{which}_piece").join(
            self.index, on=["pos", "piece"], how="left", maintain_order="left"
        )
        return [
            None if pos is None else row_id or self.place(pos)
            for pos, row_id in named.select("pos", "id").iter_rows()
        ]


def over_all_drops(drops: pl.DataFrame, stage: str, names: Names) -> pl.DataFrame:
    """The drops of a stage over all rows as fates, each naming its survivor, if it has one."""
    details = []
    told = zip(drops["reason"], drops["detail"], names.of(drops, "survivor"), strict=True)
    for reason, detail, survivor in told:
        found = orjson.loads(detail) if detail else {}
        key = "duplicate_of" if reason.endswith("duplicate") else "kept_instead"
        found |= {key: survivor} if survivor else {}
        details.append(orjson.dumps(found, option=orjson.OPT_SORT_KEYS).decode())
    return drops.select(
        "pos",
        "piece",
        pl.lit(None, pl.String).alias("id"),
        pl.lit("dropped").alias("fate"),
        pl.lit(stage).alias("stage"),
        "reason",
        pl.Series("detail", details, dtype=pl.String),
    )


def mixture_counts(
    index: pl.DataFrame, written: pl.DataFrame, mixture: Mixture, solved: MixturePlan
) -> dict[str, Any]:
    """The manifest's account of the mixture."""
    by_tokens = mixture.unit == "tokens"
    amount = pl.col("tokens").cast(pl.Int64).sum() if by_tokens else pl.len().cast(pl.Int64)
    train = written.filter(pl.col("split") == "train")
    got = dict(train.group_by("group").agg(amount).iter_rows())
    had = dict(index.filter(~pl.col("eval")).group_by("group").agg(amount).iter_rows())
    shares = mixture.shares
    if isinstance(shares, str):
        shares = {group: had.get(group, 0) / (sum(had.values()) or 1) for group in solved.groups}
    unique = dict(train.group_by("group").agg(pl.struct("pos", "piece").n_unique()).iter_rows())
    most = dict(train.group_by("group").agg(pl.col("repeat").max()).iter_rows())
    return {
        "unit": mixture.unit,
        "total": solved.total,
        "groups": {
            group: {
                "asked": float(share),
                "got": got.get(group, 0),
                "available": had.get(group, 0),
                "quota": solved.groups[group],
                "unique": unique.get(group, 0),
                "max_repeat": most.get(group, 0),
            }
            for group, share in shares.items()
        },
    }


def leaks(written: pl.DataFrame, pairs: pl.DataFrame) -> dict[str, float]:
    """Measured on what is written: eval rows in a cluster with train rows, and pairs across."""
    in_train = written.filter(pl.col("split") == "train")["cluster"].unique()
    held = written.filter(pl.col("split") == "eval")
    leaked_rows = held.filter(pl.col("cluster").is_in(in_train.implode())).height
    where = written.select("pos", "split").unique()
    both = pairs.join(where, on="pos").join(where, left_on="other_pos", right_on="pos", suffix="_other")
    across = both.filter(pl.col("split") != pl.col("split_other")).height
    return {"eval.leaked_rows": leaked_rows, "eval.near_train_pairs": across}
