"""What became of a group's rows: how many each stage left, and why the others went."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec
import orjson
import polars as pl

from curation.recipe.stages import READING, STAGES

# What a reason's evidence is told by, the most telling first.
_TELLING = ("role", "tool", "token", "name", "language", "column", "error", "last")
_LOOKED_AT = 1000
_SHOWN = 60


class Drop(msgspec.Struct, frozen=True, kw_only=True):
    """Input rows of one group that one stage dropped for one reason.

    stage   its name in the recipe; `read` for the reading itself
    kind    the stage it is
    said    what most of them are dropped for, such as the role that is none
    place   source, file and row of the first of them
    text    how that row begins; from the ledger, only where it could not be read
    """

    stage: str
    kind: str
    reason: str
    rows: int
    said: str = ""
    place: tuple[str, str, int]
    text: str = ""

    @property
    def is_duplicate(self) -> bool:
        """Whether other rows say the same, so that these would add nothing."""
        return self.kind in STAGES and STAGES[self.kind].counts_as == "duplicate"

    @property
    def remedy(self) -> str:
        """What may bring these rows back; empty where a recipe cannot."""
        step = READING if self.kind == "read" else STAGES.get(self.kind)
        told = step.remedies.get(self.reason, "") if step else ""
        return told.replace("{}", self.said or "the speaker")


class Funnel(msgspec.Struct, frozen=True, kw_only=True):
    """One group. `read`: its input rows; `left_out`: those that `take` left out; `drops` in stage order."""

    read: int
    left_out: int = 0
    drops: list[Drop] = []

    @property
    def left(self) -> int:
        """Input rows of which something got through every stage."""
        return self.read - self.left_out - sum(drop.rows for drop in self.drops)


def funnels(
    ledger: pl.LazyFrame, groups: Mapping[str, str], stages: Sequence[tuple[str, str]]
) -> dict[str, Funnel]:
    """The funnel of every group that has a row, from a ledger (DESIGN.md §4).

    groups: source → group. stages: (name in the recipe, stage) in order.
    """
    order = {name: (place, kind) for place, (name, kind) in enumerate([("read", "read"), *stages])}
    lines = ledger.with_columns(group=pl.col("source").replace_strict(groups, return_dtype=pl.String))
    rows = dict(lines.group_by("group").agg(pl.len()).collect().iter_rows())
    take = pl.col("stage").eq_missing("take")
    left_out = dict(lines.filter(take).group_by("group").agg(pl.len()).collect().iter_rows())
    gone = (
        lines.filter(pl.col("fate") == "dropped")
        .group_by("group", "stage", "reason")
        .agg(
            pl.len().alias("rows"),
            pl.struct("source", "file", "row", "detail")
            .sort_by("source", "file", "row")
            .first()
            .alias("first"),
            pl.col("detail").head(_LOOKED_AT).alias("details"),
        )
        .collect()
    )
    drops: dict[str, list[Drop]] = {group: [] for group in rows}
    for row in gone.iter_rows(named=True):
        drops[row["group"]].append(
            Drop(
                stage=row["stage"],
                kind=order[row["stage"]][1],
                reason=row["reason"],
                rows=row["rows"],
                said=said(row["details"]),
                place=(row["first"]["source"], row["first"]["file"], row["first"]["row"]),
                text=_record(row["first"]["detail"]),
            )
        )
    return {
        group: Funnel(
            read=read,
            left_out=left_out.get(group, 0),
            drops=sorted(drops[group], key=lambda drop: (order[drop.stage][0], -drop.rows, drop.reason)),
        )
        for group, read in sorted(rows.items())
    }


def said(details: Sequence[str | None]) -> str:
    """What most of some evidence names; empty where it names nothing."""
    found = Counter(filter(None, map(_telling, details)))
    return min(found, key=lambda text: (-found[text], text), default="")


def _record(detail: str | None) -> str:
    """How a record begins that could not be read."""
    evidence: dict[str, Any] = orjson.loads(detail) if detail else {}
    return str(evidence.get("text", ""))


def _telling(detail: str | None) -> str:
    evidence: dict[str, Any] = orjson.loads(detail) if detail else {}
    value = next((evidence[key] for key in _TELLING if isinstance(evidence.get(key), str)), "")
    return value if len(value) <= _SHOWN else f"{value[: _SHOWN - 1]}…"


def told(found: Mapping[str, Funnel], short: Sequence[str]) -> Iterator[str]:
    """The funnels as lines: short groups with a sample row of each reason, the others in a line each."""
    for group in sorted(found, key=lambda name: (name not in short, name)):
        one = found[group]
        taken = f", {one.left_out:,} left out by take" if one.left_out else ""
        yield f"{group}: {one.read:,} rows read{taken}, {one.left:,} left by the stages"
        if group in short:
            yield from _drops(one)


def _drops(one: Funnel) -> Iterator[str]:
    left = one.read - one.left_out
    for drop in one.drops:
        left -= drop.rows
        why = f": {drop.said}" if drop.said else ""
        yield f"  {drop.stage}: {drop.reason} {drop.rows:,} ({drop.rows / one.read:.1%}){why}; {left:,} left"
        source, file, row = drop.place
        yield f"    such as {source}:{file}:{row}" + (f"  {drop.text}" if drop.text else "")
