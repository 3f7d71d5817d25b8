"""A mixture that cannot be had, answered: what is short, and the ways out with their figures.

The ways are ranked: first those that the recipe alone can take, by how much of what was asked they
lose, then new rows, then what needs a waiver. The loss is a share of the total: rows not written
(shrink), rows of another group than asked (redistribute), rows that copies do not stand in for
(repeat), rows still missing when those that one reason dropped are back (mend). A group that lost its
rows to the stages is never to be removed for that.

What copies are worth follows Muennighoff et al. 2023 (arXiv 2305.16264): U different rows seen
1 + R times are worth U + U R* (1 - exp(-R / R*)) fresh ones, R* = 15.387756 (§3, App. A). It was
fitted on pretraining; here it ranks, it promises nothing.
"""

import math
from collections.abc import Iterable, Mapping
from typing import Literal

import msgspec

from curation.mixture.funnel import Drop, Funnel, told
from curation.mixture.quotas import (
    MAX_REPEATS,
    Infeasible,
    amount,
    capacity,
    group_quotas,
    largest_total,
    redistributed,
    repeats_needed,
)
from curation.recipe.model import Unit

HALF_LIFE = 15.387756
# Up to here copies are nearly as good as fresh rows (the same paper, §1).
GOOD_REPEATS = 4
PAPER = "Muennighoff et al. 2023, arXiv 2305.16264"
SHOWN_GROUPS = 5
SHOWN_MISSING = 4
SHOWN_SHORT = 4


class GroupShare(msgspec.Struct, frozen=True, kw_only=True):
    """One group in a way out, in the mixture's unit. `repeats`: the most copies of one row."""

    quota: int
    share: float
    repeats: int


class Way(msgspec.Struct, frozen=True, kw_only=True):
    """One way out.

    kind    what to do
    total   what is written then, in the mixture's unit
    loss    share of the asked total that is lost by it, 0 to 1
    groups  every group as it would be
    add     add: what is missing per group, each row once
    cap     repeat: the max_repeat it takes
    worth   repeat: what the copies of the short groups are worth, in fresh rows or tokens
    drop    mend: the rows that one reason dropped of a short group
    change  what to write into the recipe
    waiver  whether the recipe also needs a waiver of mixture.max_repeat
    """

    kind: Literal["mend", "shrink", "redistribute", "repeat", "add", "remove"]
    total: int
    loss: float
    groups: dict[str, GroupShare]
    change: str
    add: dict[str, int] = {}
    cap: int | None = None
    worth: int | None = None
    drop: Drop | None = None
    waiver: bool = False


class ShortGroup(msgspec.Struct, frozen=True, kw_only=True):
    """A group that cannot reach its quota: what it should give, has, and can give with repeats."""

    share: float
    quota: int
    available: int
    room: int


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """Why a mixture cannot be had and what can be done; `msgspec.to_builtins` makes it JSON."""

    unit: Unit
    total: int | Literal["max"]
    max_repeat: int
    short: dict[str, ShortGroup]
    ways: list[Way]
    groups: dict[str, Funnel] = {}


def answer(problem: Infeasible, groups: Mapping[str, Funnel] | None = None) -> Answer:
    """The ways out of a mixture that cannot be had, best first.

    groups: what became of the rows of each group, where that is known.
    """
    groups = groups or {}
    found = [*mend(problem, groups), shrink(problem), redistribute(problem), repeat(problem), add(problem)]
    ways = [way for way in (*found, remove(problem, groups)) if way is not None]
    ways.sort(key=rank)
    return Answer(
        unit=problem.unit,
        total=problem.total,
        max_repeat=problem.max_repeat,
        short={
            group: ShortGroup(
                share=problem.shares[group],
                quota=problem.room[group] + missing,
                available=once(problem, group),
                room=problem.room[group],
            )
            for group, missing in problem.short.items()
        },
        ways=ways,
        groups=dict(groups),
    )


def rank(way: Way) -> tuple[int, float]:
    """What ways are sorted by. Those that need more rows than there are come after those that do not."""
    is_part = way.kind == "add" or (way.kind == "mend" and way.loss > 0)
    return 2 if way.waiver else int(is_part), way.loss


def once(problem: Infeasible, group: str) -> int:
    """What a group has, each row once."""
    return capacity(problem.available, group, problem.unit, 1)


def figures(problem: Infeasible, quotas: Mapping[str, int]) -> dict[str, GroupShare]:
    """Groups with given quotas."""
    total = sum(quotas.values())
    return {
        group: GroupShare(
            quota=quota,
            share=round(quota / total, 6) if total else 0.0,
            repeats=-(-quota // once(problem, group)) if quota else 0,
        )
        for group, quota in quotas.items()
    }


def mend(problem: Infeasible, groups: Mapping[str, Funnel]) -> Iterable[Way]:
    """For each short group the reason that dropped most of its rows, if a recipe can bring them back.

    What `where` leaves out is meant to go, but where it leaves nothing. The rows may yet fall to
    later stages, so these figures are the most that they can be.
    """
    for group, missing in problem.short.items():
        drops = groups[group].drops if group in groups else []
        lost = [
            drop
            for drop in drops
            if not drop.is_duplicate and (drop.reason != "filtered" or not groups[group].left)
        ]
        most = max(lost, key=lambda drop: drop.rows, default=None)
        if most is None or (problem.unit == "tokens" and once(problem, group)):
            continue
        still = max(0, missing - most.rows * problem.max_repeat)
        yield Way(
            kind="mend",
            total=0 if problem.total == "max" else problem.total,
            loss=0.0 if problem.total == "max" or problem.unit == "tokens" else still / problem.total,
            groups={},
            add={group: most.rows},
            drop=most,
            change=most.remedy,
        )


def shrink(problem: Infeasible) -> Way | None:
    """The largest total that keeps the shares under the cap."""
    if problem.total == "max":
        return None
    largest = largest_total(problem.shares, problem.room, problem.total)
    if not largest:
        return None
    return Way(
        kind="shrink",
        total=largest,
        loss=1 - largest / problem.total,
        groups=figures(problem, group_quotas(largest, problem.shares)),
        change="on_shortage: shrink",
    )


def redistribute(problem: Infeasible) -> Way | None:
    """The asked total, with what short groups lack taken from those with room."""
    if problem.total == "max":
        return None
    quotas = redistributed(problem.total, problem.shares, problem.room)
    if quotas is None:
        return None
    moved = sum(max(0, problem.quotas[group] - quota) for group, quota in quotas.items())
    return Way(
        kind="redistribute",
        total=problem.total,
        loss=moved / problem.total,
        groups=figures(problem, quotas),
        change="on_shortage: redistribute",
    )


def repeat(problem: Infeasible) -> Way | None:
    """The asked total and shares, with more copies of each row."""
    if problem.total == "max":
        return None
    cap = repeats_needed(problem.available, problem.shares, problem.unit, problem.total)
    if cap is None:
        return None
    needed = {group: problem.room[group] + missing for group, missing in problem.short.items()}
    worth = sum(fresh_worth(once(problem, group), quota) for group, quota in needed.items())
    return Way(
        kind="repeat",
        total=problem.total,
        loss=(sum(needed.values()) - worth) / problem.total,
        groups=figures(problem, problem.quotas),
        cap=cap,
        worth=round(worth),
        change=f"max_repeat: {cap}" if cap > MAX_REPEATS else "on_shortage: repeat",
        waiver=cap > MAX_REPEATS,
    )


def fresh_worth(unique: int, written: int) -> float:
    """Fresh rows that `written` rows out of `unique` different ones stand for (see the module)."""
    extra = max(0.0, written / unique - 1)
    return min(unique, written) + unique * HALF_LIFE * (1 - math.exp(-extra / HALF_LIFE))


def add(problem: Infeasible) -> Way | None:
    """New rows for the short groups, under the cap as it is."""
    missing = {group: max(1, -(-lacking // problem.max_repeat)) for group, lacking in problem.short.items()}
    total = 0 if problem.total == "max" else problem.total
    return Way(
        kind="add",
        total=total,
        loss=0.0,
        groups={},
        add=missing,
        change="more files under sources",
    )


def remove(problem: Infeasible, groups: Mapping[str, Funnel]) -> Way | None:
    """Without the groups that have nothing, for a total of `max`; the others keep their proportions.

    Not where a group has nothing because its rows were dropped.
    """
    empty = [group for group in problem.shares if problem.room[group] == 0]
    if any(groups[group].drops for group in empty if group in groups):
        return None
    rest = {group: share for group, share in problem.shares.items() if group not in empty and share > 0}
    if problem.total != "max" or not rest:
        return None
    total = largest_total(rest, problem.room)
    return Way(
        kind="remove",
        total=total,
        loss=sum(problem.shares[group] for group in empty),
        groups=figures(problem, group_quotas(total, rest)),
        change=f"remove {', '.join(empty)} from shares and sources",
    )


def render(problem: Infeasible, groups: Mapping[str, Funnel] | None = None) -> str:
    """The answer as text for the terminal: at most 14 lines, and the groups' funnels where they are known."""
    found = answer(problem, groups)
    lines = [*headline(found), *told(found.groups, list(found.short))]
    lines.append("ways out, best first (keys under `mixture:`)" if found.ways else "there is no way out")
    labels = {"add": "add rows", "repeat": "repeat more"}
    for number, way in enumerate(found.ways, 1):
        first, *more = described(way, found, problem)
        lines.append(f"  {number}  {labels.get(way.kind, way.kind):<13} {first}")
        lines += [f"{'':19}{line}" for line in more]
    return "\n".join(lines)


def headline(found: Answer) -> list[str]:
    """What is short: one line, or one and one for each of the worst groups."""
    lines = [shortfall(group, short, found) for group, short in found.short.items()]
    if len(lines) == 1:
        return [f"mixture infeasible: {lines[0]}"]
    first = f"mixture infeasible: {len(lines)} groups fall short at max_repeat {found.max_repeat}"
    hidden = len(lines) - SHOWN_SHORT
    rest = [f"  and {hidden} more"] if hidden > 0 else []
    return [first, *(f"  {line}" for line in lines[:SHOWN_SHORT]), *rest]


def shortfall(group: str, short: ShortGroup, found: Answer) -> str:
    """One short group in words."""
    if not short.available:
        return f"{group} has a share of {percent(short.share)} and no rows left"
    what = "different rows" if found.unit == "rows" else "tokens"
    return (
        f"{group} can give {short.room:,} of {short.quota:,} {found.unit}"
        f" ({short.available:,} {what}, max_repeat {found.max_repeat})"
    )


def described(way: Way, found: Answer, problem: Infeasible) -> list[str]:
    """One way out in one or two lines."""
    unit = found.unit
    if way.kind == "shrink":
        assert found.total != "max"
        first = (
            f"{way.total:,} {unit}, {percent(way.total / found.total)} of {found.total:,}; the shares stay"
        )
        return [f"{first}  →  {way.change}", listed(way, as_shares=False)]
    if way.kind == "redistribute":
        moved = round(way.loss * way.total)
        first = f"{way.total:,} {unit}; {moved:,} ({percent(way.loss)}) go to groups with room"
        return [f"{first}  →  {way.change}", listed(way, as_shares=True)]
    if way.kind == "remove":
        return [f"{way.total:,} {unit} of the other groups  →  {way.change}", listed(way, as_shares=True)]
    if way.kind == "mend":
        assert way.drop is not None
        return list(mended(way.drop, way, found))
    if way.kind == "add":
        return [missing_rows(way, problem)]
    change = f"{way.change} and a waiver" if way.waiver else way.change
    asked = sum(short.quota for short in found.short.values())
    first = f"up to {way.cap} copies of a row; {asked:,} {unit} worth about {way.worth:,} fresh"
    return [f"{first}  →  {change}", *warning(way)]


def mended(drop: Drop, way: Way, found: Answer) -> Iterable[str]:
    """What dropped most of a group's rows, and what may bring them back."""
    ((group, rows),) = way.add.items()
    why = f" ({drop.said})" if drop.said else ""
    remedy = f"  →  {way.change}" if way.change else "; the ledger has each row's reason"
    yield f"{drop.stage}: {drop.reason} {rows:,} of {found.groups[group].read:,} rows of {group}{why}{remedy}"


def warning(way: Way) -> Iterable[str]:
    """What many copies do, by how many they are."""
    assert way.cap is not None
    if way.cap > MAX_REPEATS:
        yield f"beyond {MAX_REPEATS} copies little more is learnt ({PAPER})"
    elif way.cap > GOOD_REPEATS:
        yield f"beyond {GOOD_REPEATS}, copies teach less than fresh rows ({PAPER})"


def missing_rows(way: Way, problem: Infeasible) -> str:
    """What new rows it takes; tokens also in rows of the group's usual length."""
    what = "more different rows" if problem.unit == "rows" else "more tokens"
    if len(way.add) == 1:
        ((group, missing),) = way.add.items()
        return f"{missing:,} {what} of {group}{about_rows(missing, group, problem)}"
    shown = [f"{group} {missing:,}" for group, missing in list(way.add.items())[:SHOWN_MISSING]]
    if len(way.add) > SHOWN_MISSING:
        shown.append(f"and {len(way.add) - SHOWN_MISSING} more groups")
    return f"{what}: {' · '.join(shown)}"


def about_rows(missing: int, group: str, problem: Infeasible) -> str:
    """Missing tokens in rows of the group's usual length."""
    members = [source for source in problem.available.values() if source.group == group]
    rows = sum(source.rows for source in members)
    if problem.unit == "rows" or not rows:
        return ""
    return f" (about {-(-missing * rows // max(1, sum(amount(s, 'tokens') for s in members))):,} rows)"


def listed(way: Way, *, as_shares: bool) -> str:
    """The groups of a way in one line, the largest first."""
    groups = sorted(way.groups.items(), key=lambda entry: (-entry[1].quota, entry[0]))
    shown = [
        f"{group} {percent(share.share) if as_shares else f'{share.quota:,}'}"
        for group, share in groups[:SHOWN_GROUPS]
    ]
    return " · ".join(shown) + (f" · {len(groups) - SHOWN_GROUPS} more" if len(groups) > SHOWN_GROUPS else "")


def percent(share: float) -> str:
    """A share as a percentage with what digits it needs."""
    value = share * 100
    return f"{value:.2g} %" if value < 1 else f"{value:.1f} %".replace(".0 %", " %")
