"""What the rows are worth: what judges flagged, by source, answers that differ, and tools that drift."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from curation.dataset.gate_sql import tables
from curation.dataset.manifest import Manifest
from curation.dataset.signatures import Drift, drifting
from curation.recipe.load import Recipe, stage_plan
from curation.recipe.metrics import METRICS
from curation.recipe.stages import STAGES
from reports.facts.dataset_tables import ledger

# What it finds has a table of its own.
CONFLICTS = METRICS["conflicts.share"].by


@dataclass(frozen=True)
class Flagged:
    """Rows of a source that a judge flagged, those of them that were written, and all that were."""

    source: str
    stage: str
    flag: str
    rows: int
    written: int
    of: int


@dataclass(frozen=True)
class Differing:
    """Rows of a source with an answer, and those of them to whose turns another row gives a different one.

    contradicting: part of those that differ. reworded: those that only say the same in other words.
    """

    source: str
    rows: int
    differing: int
    contradicting: int
    reworded: int


@dataclass(frozen=True)
class WorthFacts:
    """All of it. judges: the recipe's stages that flag what rows are worth, in its order."""

    judges: list[str]
    flagged: list[Flagged]
    conflicts: list[Differing]
    drifts: list[Drift]

    @property
    def is_calm(self) -> bool:
        """Whether nothing was found, by whatever looked."""
        return not (self.flagged or self.drifts or any(one.differing for one in self.conflicts))


def worth_facts(
    dataset: Path, manifest: Manifest, recipe: Recipe, metrics: Mapping[str, float]
) -> WorthFacts:
    """Facts from the ledger, the shards and what the run counted (gates.json)."""
    judges = [stage for _, stage, _ in stage_plan(recipe) if STAGES[stage].judges]
    return WorthFacts(
        judges=judges,
        flagged=list(flagged(dataset, manifest, judges)),
        conflicts=list(differing(manifest, metrics)),
        drifts=drifting(tables(dataset)),
    )


def flagged(dataset: Path, manifest: Manifest, judges: list[str]) -> Iterator[Flagged]:
    """What the judges flagged, by source in the recipe's order, most frequent first."""
    stages = {flag: stage for stage in judges if stage != CONFLICTS for flag in STAGES[stage].notes}
    # Inside a text of the evidence the quotes would be escaped.
    flag = pl.col("detail").str.extract_all(r'"flag":"\w+"').list.unique()
    found = (
        ledger(dataset)
        .filter(pl.col("detail").str.contains('"flag":"', literal=True))
        .select("source", written=pl.col("fate").is_in(["train", "eval"]), flag=flag)
        .explode("flag")
        .with_columns(flag=pl.col("flag").str.extract(r':"(\w+)"'))
        .filter(pl.col("flag").is_in(list(stages)))
        .group_by("source", "flag")
        .agg(rows=pl.len(), written=pl.col("written").sum())
        .sort("rows", "flag", descending=[True, False])
        .collect()
    )
    for name, source in manifest.sources.items():
        for _, what, rows, written in found.filter(pl.col("source") == name).iter_rows():
            yield Flagged(name, stages[what], what, rows, written, source.train + source.eval)


def differing(manifest: Manifest, metrics: Mapping[str, float]) -> Iterator[Differing]:
    """The sources with rows whose answers differ from others or reword them, in the recipe's order."""
    for source in manifest.sources:
        kinds = ("rows", "differing", "contradicting", "reworded")
        rows, *found = (int(metrics.get(f"{CONFLICTS}.{kind}.{source}", 0)) for kind in kinds)
        if any(found):
            yield Differing(source, rows, *found)
