"""Clusters and the eval split: what belongs together goes whole to train or to eval (DESIGN.md §4)."""

from collections import defaultdict
from collections.abc import Iterable, Mapping

import polars as pl

from curation.row import digest


class Forest:
    """Union-find over row positions. The root of a tree is its smallest position."""

    def __init__(self) -> None:
        self.parents: dict[int, int] = {}

    def find(self, node: int) -> int:
        """The root of a node's tree; a node never joined is its own."""
        parents = self.parents
        root = node
        while (parent := parents.get(root, root)) != root:
            root = parent
        while (parent := parents.get(node, node)) != root:
            parents[node] = root
            node = parent
        return root

    def join(self, one: int, other: int) -> None:
        """Make two trees one."""
        one, other = self.find(one), self.find(other)
        if one != other:
            self.parents[max(one, other)] = min(one, other)


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
    joined = forest.parents
    return pl.Series("cluster", [forest.find(p) if p in joined else p for p in index["pos"]], dtype=pl.UInt64)


def eval_rows(index: pl.DataFrame, share: float, seed: int) -> pl.Series:
    """Which rows of `index` (pos, id, group, cluster) are the eval split, as a Boolean column.

    Per group floor(share * its rows). Clusters come in order of digest(seed, smallest id); one
    that does not fit into the room of every group it touches is skipped.
    """
    room = {group: int(share * count + 1e-9) for group, count in index.group_by("group").len().iter_rows()}
    if not any(room.values()):
        return pl.Series("eval", [False] * index.height, dtype=pl.Boolean)
    smallest = index.group_by("cluster").agg(pl.col("id").min())
    order = sorted((digest(seed, row_id), cluster) for cluster, row_id in smallest.iter_rows())
    chosen = fill(order, sizes(index), room)
    return index.select(eval=pl.col("cluster").is_in(sorted(chosen)))["eval"]


def sizes(index: pl.DataFrame) -> dict[int, dict[str, int]]:
    """Rows of every cluster by group."""
    found: dict[int, dict[str, int]] = defaultdict(dict)
    for cluster, group, count in index.group_by("cluster", "group").len().iter_rows():
        found[cluster][group] = count
    return found


def fill(
    order: Iterable[tuple[str, int]], sizes: Mapping[int, Mapping[str, int]], room: dict[str, int]
) -> set[int]:
    """Take clusters in order into the room of their groups, until there is none."""
    chosen = set()
    for _, cluster in order:
        needs = sizes[cluster]
        if all(room[group] >= count for group, count in needs.items()):
            chosen.add(cluster)
            for group, count in needs.items():
                room[group] -= count
            if not any(room.values()):
                break
    return chosen
