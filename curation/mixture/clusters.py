"""Clusters and the eval split: what belongs together goes whole to train or to eval (DESIGN.md §4)."""

from collections.abc import Iterable, Iterator

import polars as pl

from curation.row import ranks_of
from curation.stages.near_duplicates.linking import Forest

AT_ONCE = 10_000  # clusters looked up together


def clusters(index: pl.DataFrame, pairs: Iterable[tuple[int, int]]) -> pl.Series:
    """The cluster of every row of `index`, as the smallest position in it.

    index  pos u64 and first_user str?, the rows that passed every stage; pieces of one input row
           have one pos, and so one cluster
    pairs  verified near duplicates by position, dropped rows included
    """
    forest = Forest()
    for one, other in pairs:
        forest.join(one, other)
    same = index.filter(pl.col("first_user").is_not_null()).select("first_user", "pos")
    repeated = (
        same.group_by("first_user").agg(pl.col("pos").unique().sort()).filter(pl.col("pos").list.len() > 1)
    )
    for (members,) in repeated.select("pos").iter_rows():
        for other in members[1:]:
            forest.join(members[0], other)
    joined = list(forest.parents)
    roots = pl.DataFrame(
        {"pos": joined, "root": [forest.find(pos) for pos in joined]}, {"pos": pl.UInt64, "root": pl.UInt64}
    )
    found = index.select("pos").join(roots, on="pos", how="left", maintain_order="left")
    return found.select(cluster=pl.coalesce("root", "pos"))["cluster"]


# A smaller group gives no row to eval for `at_least`.
SMALLEST_HELD_OUT = 20


def eval_rows(index: pl.DataFrame, share: float, seed: int, at_least: int = 0) -> pl.Series:
    """Which rows of `index` (pos, id, group, cluster) are the eval split, as a Boolean column.

    Per group floor(share * its rows), of one of 20 and more no fewer than `at_least`. Clusters come in order
    of digest(seed, smallest id), a row's digest(seed, id) from `rank` where that is a column; one that does
    not fit into the room of every group it touches is skipped.
    """
    room = {
        group: max(int(share * count + 1e-9), at_least if count >= SMALLEST_HELD_OUT else 0)
        for group, count in index.group_by("group").len().iter_rows()
    }
    if not any(room.values()):
        return pl.Series("eval", [False] * index.height, dtype=pl.Boolean)
    ranked = index.with_columns(ranks_of(index, seed))
    smallest = ranked.group_by("cluster").agg(pl.col("rank").sort_by("id").first())
    order = smallest.sort("rank", "cluster")["cluster"]
    chosen = fill(needs_of(index, order), room)
    return index.select(eval=pl.col("cluster").is_in(sorted(chosen)))["eval"]


def needs_of(index: pl.DataFrame, order: pl.Series) -> Iterator[tuple[int, dict[str, int]]]:
    """Clusters in order, each with its rows by group; looked up a part at a time, for few are needed."""
    counted = index.group_by("cluster", "group").len()
    for part in order.to_frame("cluster").iter_slices(AT_ONCE):
        found: dict[int, dict[str, int]] = {cluster: {} for cluster in part["cluster"]}
        for cluster, group, count in counted.join(part, on="cluster", how="semi").iter_rows():
            found[cluster][group] = count
        yield from found.items()


def fill(order: Iterable[tuple[int, dict[str, int]]], room: dict[str, int]) -> set[int]:
    """Take clusters in order into the room of their groups, until there is none."""
    chosen = set()
    for cluster, needs in order:
        if all(room[group] >= count for group, count in needs.items()):
            chosen.add(cluster)
            for group, count in needs.items():
                room[group] -= count
            if not any(room.values()):
                break
    return chosen
