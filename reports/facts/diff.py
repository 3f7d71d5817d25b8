"""`aj diff`: what differs between two datasets, row by row, by source and by reason.

Rows are matched by what they were as read: the n-th row of a source with a digest is the same row in
both, wherever it stands in its file. An unreadable record is matched by its place.
"""

from pathlib import Path
from typing import Any

import msgspec
import polars as pl

from curation.dataset.gates import read_gates
from curation.dataset.manifest import read_manifest, read_recipe
from curation.release.baseline import of_dataset
from reports.facts.changes import Change, changes_since
from reports.facts.dataset_tables import ledger

EXAMPLES = 5  # rows named for every way in which rows differ
KINDS = ("added", "removed", "changed", "moved")
WRITTEN = pl.col("fate").is_in(["train", "eval"])


class SourceDiff(msgspec.Struct, frozen=True, kw_only=True):
    """One source: rows written before and now, and how many differ, by kind."""

    before: int
    now: int
    added: int
    removed: int
    changed: int
    moved: int


class Cause(msgspec.Struct, frozen=True, kw_only=True):
    """Rows that differ in one way for one reason, with some of them as source:file:row."""

    kind: str
    source: str
    why: str
    rows: int
    examples: list[str]


class Diff(msgspec.Struct, frozen=True, kw_only=True):
    """Two datasets compared. same_rows: whether both roots are equal, so that all rows are.

    totals  input rows by kind: added (written now and not before), removed, changed (written in both,
            with another text), moved (the same text in another split)
    causes  why, most rows first
    """

    old: str
    new: str
    old_root: str
    new_root: str
    same_rows: bool
    totals: dict[str, int]
    sources: dict[str, SourceDiff]
    causes: list[Cause]
    changes: dict[str, list[Change]]

    @property
    def equal(self) -> bool:
        """Whether nothing differs at all that a dataset is made of."""
        return self.same_rows and not any(self.changes.values())

    @property
    def same_but(self) -> str | None:
        """What is the matter with equal rows; None where rows differ."""
        if self.same_rows:
            return "in the same order"
        return None if any(self.totals.values()) else "in other copies or another order"


def diff(old: Path, new: Path) -> Diff:
    """Compare two dataset directories. Raises CurationError when one is none."""
    before, now = read_manifest(old), read_manifest(new)
    rows = differing_rows(old, new)
    changes = changes_since(of_dataset(old), now, read_gates(new), read_recipe(new, now))
    assert changes is not None
    differing = {
        name: [change for change in list_ if change.before != change.now]
        for name, list_ in changes._asdict().items()
    }
    counts = dict(rows.group_by("kind").len().iter_rows())
    return Diff(
        old=f"{before.recipe.name} {before.recipe.version}",
        new=f"{now.recipe.name} {now.recipe.version}",
        old_root=before.root,
        new_root=now.root,
        same_rows=before.root == now.root,
        totals={kind: counts.get(kind, 0) for kind in KINDS},
        sources=source_diffs(old, new, rows),
        causes=causes(rows),
        changes=differing,
    )


def differing_rows(old: Path, new: Path) -> pl.DataFrame:
    """One line per input row that is written differently: kind, source, place, ids, fates and why."""
    before, now = matched(old), matched(new)
    both = before.join(now, on=["source", "match", "nth"], how="full", suffix="_now", coalesce=True)
    written, written_now = (
        pl.col("fate").is_in(["train", "eval"]),
        pl.col("fate_now").is_in(["train", "eval"]),
    )
    was, is_ = written.fill_null(False), written_now.fill_null(False)
    kind = (
        pl.when(is_ & ~was).then(pl.lit("added"))
        .when(was & ~is_).then(pl.lit("removed"))
        .when(was & is_ & (pl.col("final") != pl.col("final_now"))).then(pl.lit("changed"))
        .when(was & is_ & (pl.col("fate") != pl.col("fate_now"))).then(pl.lit("moved"))
    )  # fmt: skip
    why = (
        pl.when(kind == "added").then(cause("was", ""))
        .when(kind == "removed").then(cause("now", "_now"))
        .when(kind == "moved").then(pl.format("{} to {}", "fate", "fate_now"))
        .otherwise(pl.lit("other text"))
    )  # fmt: skip
    place = pl.format("{}:{}:{}", "source", pl.coalesce("file_now", "file"), pl.coalesce("row_now", "row"))
    return (
        both.with_columns(kind=kind, why=why, place=place)
        .filter(pl.col("kind").is_not_null())
        .select(
            "kind", "source", "why", "place", "fate", "fate_now", input_id=pl.col("match"),
            id=pl.col("final"), id_now=pl.col("final_now"),
        )
        .sort("kind", "source", "why", "place")
        .collect()
    )  # fmt: skip


def matched(dataset: Path) -> pl.LazyFrame:
    """The ledger with what its rows are matched by, and `final`: the id, or those of the pieces."""
    pieces = pl.col("detail").str.extract_all(r'\["sha256:[0-9a-f]{64}"').list.join("")
    split = pl.col("detail").str.contains('"parts"', literal=True)
    match = pl.coalesce("input_id", pl.format("{}:{}", "file", "row"))
    return (
        ledger(dataset)
        .with_columns(match=match, final=pl.coalesce("id", pl.when(split).then(pieces), pl.lit("")))
        .with_columns(nth=pl.int_range(pl.len()).over("source", "match"))
        .drop("detail", "id")
    )


def cause(when: str, side: str) -> pl.Expr:
    """Why a row is not written on one side, in words."""
    fate, stage, reason = (pl.col(f"{name}{side}") for name in ("fate", "stage", "reason"))
    return (
        pl.when(fate.is_null()).then(pl.lit(f"{when} not in the source"))
        .when(fate == "dropped").then(pl.format(f"{when} dropped by {{}}: {{}}", stage, reason))
        .otherwise(pl.format(f"{when} left out by {{}}", stage.fill_null("mixture")))
    )  # fmt: skip


def source_diffs(old: Path, new: Path, rows: pl.DataFrame) -> dict[str, SourceDiff]:
    """The counts of every source of either dataset, equal ones too."""
    sides = [
        dict(ledger(side).filter(WRITTEN).group_by("source").len().collect().iter_rows())
        for side in (old, new)
    ]
    counted = {(s, k): n for s, k, n in rows.group_by("source", "kind").len().iter_rows()}
    names = dict.fromkeys([*read_manifest(old).sources, *read_manifest(new).sources])
    return {
        name: SourceDiff(
            before=sides[0].get(name, 0),
            now=sides[1].get(name, 0),
            **{kind: counted.get((name, kind), 0) for kind in KINDS},
        )
        for name in names
    }


def causes(rows: pl.DataFrame) -> list[Cause]:
    """Differing rows by kind, source and reason."""
    grouped = (
        rows.group_by("kind", "source", "why")
        .agg(rows=pl.len(), examples=pl.col("place").sort().head(EXAMPLES))
        .sort("rows", "kind", "source", "why", descending=[True, False, False, False])
    )
    return [Cause(**entry) for entry in grouped.iter_rows(named=True)]


def as_json(found: Diff) -> dict[str, Any]:
    """The comparison for a program."""
    content: dict[str, Any] = msgspec.to_builtins(found)
    content["equal"] = found.equal
    content["changes"] = {
        name: [dict(zip(Change._fields, change, strict=True)) for change in list_]
        for name, list_ in found.changes.items()
    }
    return content
