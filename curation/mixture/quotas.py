"""How many of which: quotas of groups and sources, and the rows that fill them. No file is touched.

Totals, shares and quotas speak of training rows as they are written, repeats included. Arithmetic is
exact (fractions, not floats), ties go by name, and rows rank by digest(seed, id), so nothing depends
on the order in which anything arrives.
"""

import math
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, NamedTuple

import polars as pl

from curation.recipe.model import OnShortage, Unit
from curation.row import ranks_of

# How far `on_shortage: repeat` goes (DESIGN.md §5).
MAX_REPEATS = 16


class Available(NamedTuple):
    """What one source has left for training: each row once. `tokens` counts only by tokens."""

    rows: int
    tokens: int
    group: str
    weight: float = 1.0


@dataclass(frozen=True)
class MixturePlan:
    """A mixture that can be had. Quotas are in `unit`; `groups` and `sources` each add up to `total`.

    asked_total  what the recipe asked for, or the largest feasible for `max`
    max_repeat   the cap in force, raised by `on_shortage: repeat`
    shortage     what was done about one: shrink, redistribute, repeat, or nothing
    """

    unit: Unit
    total: int
    asked_total: int
    max_repeat: int
    groups: Mapping[str, int]
    sources: Mapping[str, int]
    available: Mapping[str, Available]
    shortage: Literal["shrink", "redistribute", "repeat"] | None = None


@dataclass(frozen=True)
class Infeasible:
    """A mixture that cannot be had, with all that the ways out are computed from.

    room  what each group can give at `max_repeat`, in `unit`
    """

    available: Mapping[str, Available]
    shares: Mapping[str, float]
    unit: Unit
    total: int | Literal["max"]
    max_repeat: int
    room: Mapping[str, int]

    @property
    def quotas(self) -> dict[str, int]:
        """What each group would have to give; nothing for a total of `max`."""
        return group_quotas(0 if self.total == "max" else self.total, self.shares)

    @property
    def short(self) -> dict[str, int]:
        """Groups that cannot give their part and by how much (0: they have nothing), the worst first."""
        found = {group: 0 for group, share in self.shares.items() if share > 0 and not self.room[group]}
        if self.total != "max":
            found |= lacking(self.total, self.shares, self.room)
        return dict(sorted(found.items(), key=lambda entry: (-entry[1], entry[0])))


def plan(
    available: Mapping[str, Available],
    *,
    shares: Mapping[str, float] | Literal["natural"],
    unit: Unit = "rows",
    total: int | Literal["max"] = "max",
    max_repeat: int = 4,
    on_shortage: OnShortage = "stop",
) -> MixturePlan | Infeasible:
    """Quotas of every group and source, or why there are none.

    available   per source; the group of each has a share
    shares      per group, normalised to add up to 1; natural ones are what the groups have
    total       in `unit`; `max` is the largest that every group can serve under `max_repeat`, of natural
                shares every row once

    A total is feasible when each group has room for its exact part, before any rounding.
    """
    most = max_repeat
    if isinstance(shares, str):
        groups = dict.fromkeys(source.group for source in available.values())
        had = {group: capacity(available, group, unit, 1) for group in groups}
        # With nothing at all every group falls short.
        shares = had if any(had.values()) else dict.fromkeys(had, 1)
        most = 1
    room = {group: capacity(available, group, unit, max_repeat) for group in shares}
    once = {group: capacity(available, group, unit, most) for group in shares}
    asked = largest_total(shares, once) if total == "max" else total
    quotas, repeats, shortage = group_quotas(asked, shares), max_repeat, None
    if asked == 0 or lacking(asked, shares, room):
        solved = None if total == "max" else mend(available, shares, unit, asked, max_repeat, on_shortage)
        if solved is None or on_shortage == "stop":
            return Infeasible(available, shares, unit, total, max_repeat, room)
        quotas, repeats = solved
        shortage = on_shortage
    sources: dict[str, int] = {}
    for group, quota in quotas.items():
        sources |= source_quotas(quota, available, group, unit, repeats)
    return MixturePlan(
        unit=unit,
        total=sum(quotas.values()),
        asked_total=asked,
        max_repeat=repeats,
        groups=quotas,
        sources=sources,
        available=available,
        shortage=shortage,
    )


def mend(
    available: Mapping[str, Available],
    shares: Mapping[str, float],
    unit: Unit,
    total: int,
    max_repeat: int,
    on_shortage: OnShortage,
) -> tuple[dict[str, int], int] | None:
    """Quotas and cap after what `on_shortage` allows, or None where it does not help."""
    room = {group: capacity(available, group, unit, max_repeat) for group in shares}
    if on_shortage == "shrink":
        largest = largest_total(shares, room, total)
        return (group_quotas(largest, shares), max_repeat) if largest else None
    if on_shortage == "redistribute":
        moved = redistributed(total, shares, room)
        return (moved, max_repeat) if moved and total else None
    if on_shortage == "repeat":
        needed = repeats_needed(available, shares, unit, total)
        if needed is not None and needed <= max(MAX_REPEATS, max_repeat):
            return group_quotas(total, shares), needed
    return None


def capacity(available: Mapping[str, Available], group: str, unit: Unit, max_repeat: int) -> int:
    """The most that a group can give when each row may be written `max_repeat` times."""
    return max_repeat * sum(amount(a, unit) for a in available.values() if a.group == group)


def amount(source: Available, unit: Unit) -> int:
    """What a source has, each row once."""
    return source.rows if unit == "rows" else source.tokens


def exact(value: float) -> Fraction:
    """The decimal that was written: 0.1 is a tenth."""
    return Fraction(repr(value))


def group_quotas(total: int, shares: Mapping[str, float]) -> dict[str, int]:
    """`total` by shares, largest remainder: each within one of its exact part."""
    return rounded(exact_parts(total, shares)) or dict.fromkeys(shares, 0)


def rounded(targets: Mapping[str, Fraction]) -> dict[str, int]:
    """Fractions that add up to a whole number, each rounded down or up so that the sum stays.

    The largest remainders round up, ties by name.
    """
    floors = {name: target.numerator // target.denominator for name, target in targets.items()}
    left = int(sum(targets.values(), Fraction(0))) - sum(floors.values())
    by_remainder = sorted(targets, key=lambda name: (floors[name] - targets[name], name))
    for name in by_remainder[:left]:
        floors[name] += 1
    return floors


def water_filled(total: int, weights: Mapping[str, Fraction], caps: Mapping[str, int]) -> dict[str, int]:
    """`total` in proportion to weights, none beyond its cap; what one cannot give goes to the others.

    The sum of the caps of those with a weight must reach `total`. Each is within one of its exact part.
    """
    open_names = {name for name, weight in weights.items() if weight > 0}
    targets = dict.fromkeys(weights, Fraction(0))
    left = Fraction(total)
    while open_names:
        level = left / sum((weights[name] for name in open_names), Fraction(0))
        full = {name for name in open_names if weights[name] * level >= caps[name]}
        for name in full or open_names:
            targets[name] = Fraction(caps[name]) if full else weights[name] * level
        if not full:
            break
        left -= sum(caps[name] for name in full)
        open_names -= full
    return rounded(targets)


def source_quotas(
    quota: int, available: Mapping[str, Available], group: str, unit: Unit, max_repeat: int
) -> dict[str, int]:
    """A group's quota divided among its sources by weight times available, none beyond its repeats."""
    members = {name: source for name, source in available.items() if source.group == group}
    weights = {name: exact(source.weight) * amount(source, unit) for name, source in members.items()}
    caps = {name: max_repeat * amount(source, unit) for name, source in members.items()}
    return water_filled(quota, weights, caps)


def exact_parts(total: int, shares: Mapping[str, float]) -> dict[str, Fraction]:
    """What each group should give, before rounding."""
    whole = sum((exact(share) for share in shares.values()), Fraction(0))
    return {group: total * exact(share) / whole for group, share in shares.items()} if whole else {}


def lacking(total: int, shares: Mapping[str, float], room: Mapping[str, int]) -> dict[str, int]:
    """Groups without room for their part of a total, and by how much, rounded up."""
    parts = exact_parts(total, shares)
    return {group: math.ceil(part - room[group]) for group, part in parts.items() if part > room[group]}


def largest_total(shares: Mapping[str, float], room: Mapping[str, int], limit: int | None = None) -> int:
    """The largest total, at most `limit`, that every group has room for its part of."""
    totals = [room[group] // part for group, part in exact_parts(1, shares).items() if part > 0]
    largest = int(min(totals, default=0))
    return largest if limit is None else min(largest, limit)


def redistributed(total: int, shares: Mapping[str, float], room: Mapping[str, int]) -> dict[str, int] | None:
    """Quotas when groups that run out leave the rest to those with room; None if all run out."""
    weights = {group: exact(share) for group, share in shares.items()}
    if sum(room[group] for group in weights if weights[group]) < total:
        return None
    return water_filled(total, weights, room)


def repeats_needed(
    available: Mapping[str, Available], shares: Mapping[str, float], unit: Unit, total: int
) -> int | None:
    """The smallest cap under which every group reaches its quota; None when one has nothing."""
    needed = 1
    for group, part in exact_parts(total, shares).items():
        once = capacity(available, group, unit, 1)
        if part and not once:
            return None
        needed = max(needed, math.ceil(part / once)) if part else needed
    return needed


def select(rows: pl.DataFrame, plan: MixturePlan, *, seed: int) -> pl.DataFrame:
    """The rows that fill a plan: pos u64, piece u32, repeat u16, by pos, piece and repeat.

    rows  pos u64, piece u32, id str, source str, and tokens u32 when the plan counts tokens; those
          that the plan's `available` was counted from; digest(seed, id) may stand in `rank`

    Within a source the lowest digest(seed, id) come first, equal ones by position. A source that
    must repeat goes through all its rows, then through the lowest again. By tokens a source stops
    before the row that does not fit, and what it leaves goes to the next of its group by name, so
    that each group is within one row of its quota.
    """
    assert plan.unit == "rows" or not rows["tokens"].null_count(), "a mixture by tokens counts them first"
    size = pl.col("tokens").cast(pl.Int64) if plan.unit == "tokens" else pl.lit(1, pl.Int64)
    ranked = rows.select("pos", "piece", "source", size.alias("size"), ranks_of(rows, seed))
    by_source = {
        str(name): frame.sort("rank", "pos", "piece")
        for (name,), frame in ranked.partition_by("source", as_dict=True).items()
    }
    sizes = {name: frame["size"].cum_sum().to_list() for name, frame in by_source.items()}
    counts: dict[str, int] = {}
    for group in plan.groups:
        quotas = {n: plan.sources[n] for n in sorted(plan.sources) if plan.available[n].group == group}
        counts |= settle({n: q for n, q in quotas.items() if n in sizes}, sizes, plan.max_repeat)
    chosen = [
        cycled(by_source[name].select("pos", "piece"), count) for name, count in counts.items() if count
    ]
    empty = pl.DataFrame(schema={"pos": pl.UInt64, "piece": pl.UInt32, "repeat": pl.UInt16})
    return pl.concat([empty, *chosen]).sort("pos", "piece", "repeat")


def settle(quotas: Mapping[str, int], sums: Mapping[str, list[int]], max_repeat: int) -> dict[str, int]:
    """How many rows, repeats included, each source of a group gives, in the order of `quotas`.

    sums  running sums of the sizes of a source's rows in rank order
    """
    counts = dict.fromkeys(quotas, 0)
    left = sum(quotas.values())
    spare = 0
    for name, quota in quotas.items():
        counts[name] = rows_within(quota + spare, sums[name], max_repeat)
        given = total_size(counts[name], sums[name])
        spare += quota - given
        left -= given
    # The last source may have run out: whoever has room takes what still fits.
    for name in quotas:
        before = total_size(counts[name], sums[name])
        counts[name] = max(counts[name], rows_within(before + left, sums[name], max_repeat))
        left -= total_size(counts[name], sums[name]) - before
    return counts


def rows_within(budget: int, sums: list[int], max_repeat: int) -> int:
    """How many rows, going round and round, fit into a budget."""
    if not sums or sums[-1] == 0 or budget <= 0:
        return 0
    passes, rest = divmod(budget, sums[-1])
    if passes >= max_repeat:
        return max_repeat * len(sums)
    return passes * len(sums) + bisect_right(sums, rest)


def total_size(count: int, sums: list[int]) -> int:
    """What the first `count` rows, going round and round, come to."""
    if not sums:
        return 0
    passes, rest = divmod(count, len(sums))
    return passes * sums[-1] + (sums[rest - 1] if rest else 0)


def cycled(ranked: pl.DataFrame, count: int) -> pl.DataFrame:
    """The first `count` rows of a ranking that starts over when it ends; `repeat` counts the rounds."""
    passes, rest = divmod(count, ranked.height)
    rounds = [ranked.with_columns(repeat=pl.lit(n + 1, pl.UInt16)) for n in range(passes)]
    return pl.concat([*rounds, ranked.head(rest).with_columns(repeat=pl.lit(passes + 1, pl.UInt16))])
