"""Which rows are near duplicates of which: the semantics, in plain Python.

Rows are settled in survivor order. A row is dropped if its similarity to a row that was kept
before it, under the same system context, reaches the threshold; nothing is dropped because of a
row that was dropped itself. Pairs across contexts, and pairs with dropped rows, are found too, as
far as they are needed to connect everything that belongs together.

`minhash.link` does the same for millions of rows; this is what it is tested against, what small
inputs use, since it needs no compiler, and what verifies the candidates of other back ends.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from math import ceil
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from curation.stages.near_duplicates.shingles import jaccard, shingles

Shingles = frozenset[tuple[str, ...]]

JUST_UNDER = 0.1  # pairs at most this far below the threshold are passed on to the report
REPORT_EVERY = 8  # one row in so many looks for such a pair
COUNTS = ("candidates", "verified", "capped")  # rows looked at, compared exactly, limits reached


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


class Links(NamedTuple):
    """What was found, by rank (the row's place in survivor order).

    survivors      the kept row that a row is a duplicate of; -1: the row is kept
    similarities   its similarity to the survivor
    one, other, similarity   verified pairs, also some just under the threshold
    metrics        by name, see COUNTS
    """

    survivors: npt.NDArray[np.int64]
    similarities: npt.NDArray[np.float64]
    one: npt.NDArray[np.int64]
    other: npt.NDArray[np.int64]
    similarity: npt.NDArray[np.float64]
    metrics: dict[str, float]


def report_from(threshold: float) -> float:
    """The similarity from which pairs under the threshold are reported."""
    return max(threshold - JUST_UNDER, threshold / 2)


class Index:
    """Finds every earlier row whose similarity can reach the threshold. For small inputs.

    Two sets of similarity t must share one of their n - ceil(t * n) + 1 rarest shingles.
    Source: Bayardo, Ma & Srikant, Scaling Up All Pairs Similarity Search, WWW 2007.
    """

    def __init__(self, sets: Sequence[Shingles], threshold: float) -> None:
        self._threshold, self._report_from = threshold, report_from(threshold)
        self._counts = Counter(s for distinct in set(sets) for s in distinct)
        self._rows: dict[tuple[str, ...], list[int]] = defaultdict(list)

    def _rarest(self, own: Shingles, threshold: float) -> list[tuple[str, ...]]:
        most = len(own) - ceil(threshold * len(own) - 1e-9) + 1
        return sorted(own, key=lambda shingle: (self._counts[shingle], shingle))[:most]

    def candidates(self, own: Shingles, reports: bool) -> set[int]:
        """The rows added so far that may be similar; with `reports` also just under the threshold."""
        rarest = self._rarest(own, self._report_from if reports else self._threshold)
        return {row for shingle in rarest for row in self._rows.get(shingle, ())}

    def add(self, rank: int, own: Shingles, is_kept: bool) -> None:
        """Add a row that is settled."""
        for shingle in self._rarest(own, self._report_from):
            self._rows[shingle].append(rank)


class DatasketchIndex:
    """Candidates from datasketch's MinHashLSH at its defaults; only kept rows are found again."""

    def __init__(self, threshold: float) -> None:
        from datasketch import MinHashLSH

        self._lsh = MinHashLSH(threshold=threshold, num_perm=128)

    def _minhash(self, own: Shingles) -> Any:
        from datasketch import MinHash

        minhash = MinHash(num_perm=128, seed=1)
        minhash.update_batch([" ".join(shingle).encode() for shingle in own])
        return minhash

    def candidates(self, own: Shingles, reports: bool) -> set[int]:
        """The kept rows so far that share a band."""
        self._last = self._minhash(own)
        return set(self._lsh.query(self._last))

    def add(self, rank: int, own: Shingles, is_kept: bool) -> None:
        """Add the row that was asked for last."""
        if is_kept:
            self._lsh.insert(rank, self._last, check_duplication=False)


class _Settled:
    """What is known of the rows so far."""

    def __init__(self, threshold: float, contexts: Sequence[int]) -> None:
        self.threshold, self.contexts = threshold, contexts
        self.survivors = [-1] * len(contexts)
        self.similarities = [0.0] * len(contexts)
        self.pairs: list[tuple[int, int, float]] = []
        self.forest = Forest()
        self.counts: Counter[str] = Counter()

    def pair(self, rank: int, other: int, similarity: float) -> None:
        """Note a verified pair that reaches the threshold."""
        self.pairs.append((rank, other, similarity))
        self.forest.join(rank, other)

    def drop(self, rank: int, survivor: int, similarity: float) -> None:
        """A row is a duplicate of one that stays."""
        self.survivors[rank], self.similarities[rank] = survivor, similarity

    def compare(
        self, rank: int, own: Shingles, others: Iterable[int], sets: Callable[[int], Shingles]
    ) -> None:
        """Verify a row's candidates; its survivor is the most similar kept row, the earliest of equals.

        Every REPORT_EVERYth row also notes the closest pair under the threshold.
        """
        just_under = (0.0, 0)
        for other in sorted(others, key=lambda other: (self.survivors[other] >= 0, other)):
            decides = self.survivors[other] < 0 and self.contexts[other] == self.contexts[rank]
            if not decides and self.forest.find(other) == self.forest.find(rank):
                continue
            similarity = jaccard(own, sets(other))
            self.counts["verified"] += 1
            if similarity < self.threshold:
                just_under = max(just_under, (similarity, -other))
                continue
            self.pair(rank, other, similarity)
            if decides and similarity > self.similarities[rank]:
                self.drop(rank, other, similarity)
        if rank % REPORT_EVERY == 0 and just_under[0] >= report_from(self.threshold):
            self.pairs.append((rank, -just_under[1], just_under[0]))

    def links(self) -> Links:
        one, other, similarity = zip(*self.pairs, strict=True) if self.pairs else ((), (), ())
        metrics = {name: float(self.counts[name]) for name in COUNTS}
        return Links(
            np.array(self.survivors, np.int64),
            np.array(self.similarities, np.float64),
            np.array(one, np.int64),
            np.array(other, np.int64),
            np.array(similarity, np.float64),
            metrics,
        )


def link(
    count: int,
    sets: Callable[[int], Shingles],
    contexts: Sequence[int],
    threshold: float,
    index: Index | DatasketchIndex,
) -> Links:
    """Settle `count` rows in survivor order; `sets` gives the shingles of a rank.

    Rows with equal shingles under one context are settled without a search, so that any number of
    copies stays linear.
    """
    settled = _Settled(threshold, contexts)
    seen: dict[Shingles, dict[int, int]] = {}
    for rank in range(count):
        own = sets(rank)
        if not own:
            continue
        twins = seen.setdefault(own, {})
        if twins:
            twin = twins.get(contexts[rank], next(iter(twins.values())))
            settled.pair(rank, twin, 1.0)
            if contexts[rank] in twins:
                survivor = settled.survivors[twin]
                if survivor < 0:
                    settled.drop(rank, twin, 1.0)
                else:
                    settled.drop(rank, survivor, settled.similarities[twin])
                continue
        twins[contexts[rank]] = rank
        others = index.candidates(own, reports=rank % REPORT_EVERY == 0)
        settled.counts["candidates"] += len(others)
        settled.compare(rank, own, others, sets)
        index.add(rank, own, settled.survivors[rank] < 0)
    return settled.links()


def link_small(texts: Sequence[str], contexts: Sequence[int], threshold: float) -> Links:
    """Link a few thousand texts, in survivor order, missing no pair."""
    sets = [shingles(text) for text in texts]
    return link(len(sets), sets.__getitem__, contexts, threshold, Index(sets, threshold))


def link_datasketch(texts: Sequence[str], contexts: Sequence[int], threshold: float) -> Links:
    """Link texts, in survivor order, with datasketch's candidates."""
    sets = lru_cache(maxsize=1 << 14)(lambda rank: shingles(texts[rank]))
    return link(len(texts), sets, contexts, threshold, DatasketchIndex(threshold))
