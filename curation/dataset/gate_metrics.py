"""What the gates measure. Shares and counts are taken from the files themselves.

What no file of the dataset tells any more (clusters across the split, verdicts of the tools stage,
personal data that was masked) comes from the run, in `metrics`, and is kept in gates.json.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from curation.dataset.gate_sql import tables
from curation.dataset.manifest import Manifest
from curation.dataset.signatures import drifting
from curation.recipe.load import Recipe, stage_plan
from curation.recipe.metrics import RUN_METRICS, shares_of_source
from curation.recipe.model import MAX_STEPS, TrainSettings
from curation.recipe.stages import STAGES, UNREAD


@dataclass(frozen=True)
class Measures:
    """Measured values by metric, and those of the source metrics by source. None is not measured."""

    overall: Mapping[str, float | None]
    by_source: Mapping[str, Mapping[str, float | None]]


def measures(dataset: Path, metrics: Mapping[str, float], manifest: Manifest, recipe: Recipe) -> Measures:
    """Every metric of a dataset; `metrics` are those of the run."""
    scanned = tables(dataset)
    shards = shard_facts(scanned, recipe.train.max_seq_length)
    overall: dict[str, float | None] = {name: metrics.get(name) for name in RUN_METRICS}
    overall |= {
        "mixture.max_share_error": share_error(manifest),
        "mixture.max_repeat": shards["max_repeat"],
        "mixture.max_exposure": exposure(shards, recipe.train),
        "rows.train": shards["train"],
        "rows.eval": shards["eval"],
        "tools.drifting_names": len(drifting(scanned)),
        "tokens.max": shards["max_tokens"],
        "tokens.over_context": shards["over_context"],
    }
    of_ledger = source_measures(scanned["ledger"], manifest, recipe)
    return Measures(
        overall, {name: {**of, **shares_of_source(metrics, name)} for name, of in of_ledger.items()}
    )


def shard_facts(scanned: Mapping[str, pl.LazyFrame], context: int) -> dict[str, float | None]:
    """Counts over the shards. Token counts are None unless every row has one."""
    train, eval_, both = pl.collect_all(
        [
            scanned["train"].select(
                pl.len(), repeat=pl.col("repeat").max(), tokens=pl.col("tokens").cast(pl.Int64).sum()
            ),
            scanned["eval"].select(pl.len()),
            pl.concat([scanned[split].select("tokens") for split in ("train", "eval")]).select(
                most=pl.col("tokens").max(),
                over=(pl.col("tokens") > context).sum(),
                unknown=pl.col("tokens").null_count(),
            ),
        ]
    )
    counted = both["unknown"].item() == 0
    return {
        "train": train["len"].item(),
        "eval": eval_["len"].item(),
        "max_repeat": train["repeat"].item() or 0,
        "train_tokens": train["tokens"].item() if counted else None,
        "max_tokens": (both["most"].item() or 0) if counted else None,
        "over_context": both["over"].item() if counted else None,
    }


def share_error(manifest: Manifest) -> float:
    """The largest |got / sum of got - share| over the groups, in the mixture's unit."""
    groups = manifest.mixture.groups.values()
    total = sum(group.got for group in groups)
    return max((abs(group.got / max(total, 1) - group.asked) for group in groups), default=0.0)


def exposure(shards: Mapping[str, float | None], train: TrainSettings) -> float | None:
    """How often training shows the most repeated row: its repeats * epochs over the written rows.

    Without `epochs`, max_steps updates take batch_size * gradient_accumulation_steps sequences each:
    of max_seq_length tokens where they are packed, which needs token counts, else of one row.
    """
    most, rows, tokens = shards["max_repeat"], shards["train"], shards["train_tokens"]
    if train.epochs is not None:
        return (most or 0) * train.epochs
    sequences = (train.max_steps or MAX_STEPS) * train.batch_size * train.gradient_accumulation_steps
    shown, written = (sequences * train.max_seq_length, tokens) if train.packing else (sequences, rows)
    return (most or 0) * shown / written if written else None


def source_measures(
    ledger: pl.LazyFrame, manifest: Manifest, recipe: Recipe
) -> dict[str, dict[str, float | None]]:
    """The source metrics of every source, from the ledger.

    Shares are of the rows read. Where `take` left rows out, every row that it took stands for
    (readable rows / rows taken) rows, so that a share tells about the source, not about `take`.
    """
    kinds = {name: stage for name, stage, _ in stage_plan(recipe)}
    counts = ledger.group_by("source", "fate", "stage", "reason").agg(pl.len().alias("rows")).collect()
    found = {}
    for name in manifest.sources:
        here = counts.filter(pl.col("source") == name).drop("source").iter_rows()
        found[name] = source_shares(here, kinds)
    return found


def source_shares(
    counts: Iterable[tuple[str, str | None, str | None, int]], kinds: Mapping[str, str]
) -> dict[str, float | None]:
    """The metrics of one source from (fate, stage, reason, rows)."""
    read = left_out = unreadable = invalid = duplicate = dropped = 0
    for fate, stage, reason, rows in counts:
        read += rows
        if fate == "unselected" and stage == "take":
            left_out += rows
        elif fate == "dropped" and reason in UNREAD:
            unreadable += rows
        elif fate == "dropped":
            dropped += rows
            declared = STAGES.get(kinds.get(stage or "", ""))
            invalid += rows if declared and declared.counts_as == "invalid" else 0
            duplicate += rows if declared and declared.counts_as == "duplicate" else 0
    taken = read - unreadable - left_out
    weight = (read - unreadable) / taken if taken else 0.0
    shares = {
        "source.invalid_share": unreadable + weight * invalid,
        "source.duplicate_share": weight * duplicate,
        "source.kept_share": weight * (taken - dropped),
    }
    # A source without a row has no share; a gate on it fails rather than passes.
    parts = {name: part / read if read else None for name, part in shares.items()}
    return {"source.read": read, **parts}
