"""What a run leaves whose mixture cannot be had: a ledger to look at, and the way of every group's rows."""

import shutil
from collections.abc import Mapping
from pathlib import Path

import msgspec
import polars as pl

from curation import row
from curation.dataset.samples import Lookup
from curation.engine.pipeline import Pipeline
from curation.mixture.choice import Infeasibility
from curation.mixture.funnel import Drop, Funnel, funnels
from curation.mixture.shortage import render
from curation.places import Place
from curation.recipe.load import stage_plan
from curation.stages.pii.hiding import Hiding

LEDGER = "ledger"
_SHOWN = 80


def explained(found: Infeasibility, pipeline: Pipeline, dataset: Path) -> Infeasibility:
    """The same with the way of every group's rows, one row of each reason, and where the ledger lies.

    The ledger lies in the work folder, where it is no dataset and the next run sweeps it.
    """
    work = pipeline.executor.work
    left = work / LEDGER
    beside = work / "tmp" / LEDGER
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir(parents=True)
    for name, done in zip(pipeline.plan.sources, pipeline.undecided(), strict=True):
        shutil.copyfile(done.folder / "ledger.parquet", beside / f"{name}.parquet")
    shutil.rmtree(left, ignore_errors=True)
    beside.rename(left)
    ledger = pl.scan_parquet(sorted(left.glob("*.parquet")), glob=False)
    stages = [(name, kind) for name, kind, _ in stage_plan(pipeline.plan.recipe)]
    groups = funnels(ledger, pipeline.groups(), stages)
    groups = with_texts(groups, pipeline)
    text = (
        f"{render(found.problem, groups)}\nledger  {left}, a line per row: aj why {dataset} SOURCE:FILE:ROW"
    )
    return Infeasibility(found.problem, text)


def with_texts(groups: Mapping[str, Funnel], pipeline: Pipeline) -> dict[str, Funnel]:
    """The funnels, each drop with the beginning of its row."""
    lookup = Lookup(pipeline.executor.work / "tasks", pipeline.chunk_table(), pipeline.groups())

    def shown(drop: Drop) -> Drop:
        messages = lookup.content(lookup.places.position(Place(*drop.place)), 0)["messages"]
        text = in_a_line(said_first(messages) if messages else drop.text)
        return msgspec.structs.replace(drop, text=text, said=Hiding().text(drop.said))

    return {
        group: msgspec.structs.replace(one, drops=[shown(drop) for drop in one.drops])
        for group, one in groups.items()
    }


def said_first(messages: str) -> str:
    """The first message that says something, the system prompt apart."""
    return next((m["content"] for m in row.decode(messages) if m["content"] and m["role"] != "system"), "")


def in_a_line(text: str) -> str:
    """How a text begins, in one line, without personal data."""
    line = " ".join(Hiding().text(text[: 4 * _SHOWN]).split())
    return line if len(line) <= _SHOWN else f"{line[: _SHOWN - 1]}…"
