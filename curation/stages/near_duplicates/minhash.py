"""Near duplicates among millions of texts: MinHash candidates, each verified exactly.

The semantics are those of `linking.link`. Texts are read where they lie (pointer and length), so
that mapped files need no copy; what is kept in memory is about 40 bytes
a row and 4 per band, and 300 for a row that shares a band with another.
Every step works on all rows or on blocks whose size does not depend on the number of threads, and
what one thread does depends on no other: the result is the same for any number of them.
"""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from queue import Empty, SimpleQueue
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from curation.stages.near_duplicates import kernels
from curation.stages.near_duplicates.kernels import (
    SLOTS,
    Characters,
    Index,
    Limits,
    Pairs,
    Scratch,
    Signatures,
    State,
)
from curation.stages.near_duplicates.linking import COUNTS, REPORT_EVERY, Links, report_from
from curation.stages.near_duplicates.shingles import LAST_LETTER, character_classes

MISS = 2e-4  # the chance to miss a pair whose similarity is just the threshold
SIGN_BYTES = 4 << 20  # of text signed by one call
FIRST_BLOCK, LAST_BLOCK = 128, 4096  # rows compared before the next are settled
COMPARE_ROWS = 256  # of a block, compared by one call
KEPT_PER_BUCKET, DROPPED_PER_BUCKET = 128, 16
FAILURES, PAIRS = 16, 32  # comparisons of one row: without and with success


class Texts(NamedTuple):
    """Texts as they lie in memory, in file order; `owner` keeps that memory alive."""

    addresses: npt.NDArray[np.int64]
    lengths: npt.NDArray[np.int64]
    owner: object


class Twins(NamedTuple):
    """Rows with equal shingles, by rank.

    copies, firsts   rows that follow another with the same shingles and context, and that other
    others, heads    the first rows of further contexts, and the first row of all
    """

    copies: npt.NDArray[np.int64]
    firsts: npt.NDArray[np.int64]
    others: npt.NDArray[np.int64]
    heads: npt.NDArray[np.int64]


def link(
    texts: Texts,
    contexts: npt.NDArray[np.uint64],
    order: npt.NDArray[np.uint32],
    threshold: float,
    *,
    threads: int | None = None,
) -> Links:
    """Find the near duplicates among texts.

    contexts: in file order. order: the place of every row in survivor order. The links are by
    rank, as `linking.link` gives them.
    """
    with ThreadPoolExecutor(threads or available_threads()) as pool:
        signatures = sign(texts, *bands_for(threshold), pool)
        twins = find_twins(signatures, contexts, order)
        index, active = bucket_rows(texts, contexts, order, signatures, twins, pool)
        longest = int(signatures.counts[order[active]].max(initial=0))
        del signatures
        linking = Linking(index, longest, threshold, pool)
        linking.join(np.searchsorted(active, twins.others), np.searchsorted(active, twins.heads))
        linking.run()
    return assembled(linking, active, twins, len(order))


def assembled(linking: "Linking", active: npt.NDArray[np.int64], twins: Twins, rows: int) -> Links:
    """Everything found, by rank: for the rows that were linked, and for copies of other rows."""
    state = linking.state
    survivors, similarities = np.full(rows, -1), np.zeros(rows)
    survivors[active] = np.where(state.survivors < 0, -1, active[state.survivors])
    similarities[active] = state.similarities
    of_first = survivors[twins.firsts]
    survivors[twins.copies] = np.where(of_first < 0, twins.firsts, of_first)
    similarities[twins.copies] = np.where(of_first < 0, 1.0, similarities[twins.firsts])
    one = [twins.copies, twins.others, *(active[found[0]] for found in linking.found)]
    other = [twins.firsts, twins.heads, *(active[found[1]] for found in linking.found)]
    equal = np.ones(len(twins.copies) + len(twins.others))
    counts = sum((scratch.counts for scratch in linking.scratches), np.zeros(3, np.int64))
    return Links(
        survivors,
        similarities,
        np.concatenate(one),
        np.concatenate(other),
        np.concatenate([equal, *(found[2] for found in linking.found)]),
        dict(zip(COUNTS, counts.astype(float).tolist(), strict=True)),
    )


def available_threads() -> int:
    """The cores that this process may use, at most eight."""
    affinity = getattr(os, "sched_getaffinity", None)
    return min(8, len(affinity(0)) if affinity else os.cpu_count() or 1)


def bands_for(threshold: float) -> tuple[int, int]:
    """Bands and rows per band: the most selective that miss a pair at the threshold rarely enough.

    A pair of similarity s shares one of b bands of r rows with chance 1 - (1 - s^r)^b.
    Source: Leskovec, Rajaraman & Ullman, Mining of Massive Datasets, §3.4.
    """
    for rows in range(SLOTS, 1, -1):
        bands = SLOTS // rows
        if (1.0 - threshold**rows) ** bands <= MISS:
            return bands, rows
    return SLOTS, 1


@cache
def characters() -> Characters:
    """The tables by which the kernels know words: see kernels.Characters."""
    classes = character_classes().copy()
    codes = np.arange(len(classes), dtype=np.int32)
    many: list[list[int]] = []
    for code in range(LAST_LETTER + 1):
        folded = chr(code).casefold()
        if len(folded) > 1:
            codes[code] = kernels.MANY + len(many)
            many.append([len(folded), *map(ord, folded), 0, 0][:4])
        elif folded != chr(code):
            codes[code] = ord(folded)
        else:
            continue
        classes[code] = classes[ord(folded[0])]
    return Characters(codes << 2 | classes, np.array(many, np.int32))


@cache
def donors() -> tuple[npt.NDArray[np.uint16], npt.NDArray[np.uint8]]:
    """For kernels.sign: ranks, and for every slot all slots in an order of its own."""
    # A multiplicative generator of our own: numpy's streams may change between versions.
    state = 0x9E3779B97F4A7C15
    draws = np.empty(SLOTS * SLOTS, np.uint64)
    for k in range(len(draws)):
        state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
        draws[k] = state
    draws[:: SLOTS + 1] = 0  # the slot itself comes first
    order = draws.reshape(SLOTS, SLOTS).argsort(axis=1)
    ranks = order.argsort(axis=1).T << 8 | np.arange(SLOTS)[:, None]
    return np.ascontiguousarray(ranks, np.uint16), order.astype(np.uint8)


def sign(texts: Texts, bands: int, band_rows: int, pool: ThreadPoolExecutor) -> Signatures:
    """The signatures of all texts, in file order."""
    count = len(texts.lengths)
    signatures = Signatures(
        np.zeros(count, np.int32), np.zeros(count, np.uint64), np.zeros((bands, count), np.uint32)
    )
    # Untouched memory costs nothing, so one very long row is no burden to the others.
    words = int(texts.lengths.max(initial=0)) // 2 + 2
    free: SimpleQueue[npt.NDArray[np.uint64]] = SimpleQueue()

    def work(rows: tuple[int, int]) -> None:
        try:
            scratch = free.get_nowait()
        except Empty:
            scratch = np.empty(words, np.uint64)
        kernels.sign(*texts[:2], *rows, characters(), *donors(), band_rows, scratch, signatures)
        free.put(scratch)

    characters(), donors()
    for _ in pool.map(work, spans(texts.lengths)):
        pass
    return signatures


def spans(lengths: npt.NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    """Ranges of rows with about SIGN_BYTES of text each."""
    ends = np.cumsum(lengths + 64)
    first = 0
    while first < len(lengths):
        done = ends[first - 1] if first else 0
        last = max(first + 1, int(np.searchsorted(ends, done + SIGN_BYTES)))
        yield first, last
        first = last


def find_twins(
    signatures: Signatures, contexts: npt.NDArray[np.uint64], order: npt.NDArray[np.uint32]
) -> Twins:
    """Rows with equal shingles, known by the sum of 64-bit hashes and their count."""
    by_sum = np.argsort(signatures.sums)
    ordered = signatures.sums[by_sum]
    same = ordered[1:] == ordered[:-1]
    places = by_sum[np.r_[same, False] | np.r_[False, same]] if len(same) else by_sum[:0]
    places = places[signatures.counts[places] > 0]
    ranks = np.empty(len(order), np.uint32)
    ranks[order] = np.arange(len(order), dtype=np.uint32)
    rank = ranks[places].astype(np.int64)
    keys = (signatures.sums[places], signatures.counts[places], contexts[places])
    sort = np.lexsort((rank, *reversed(keys)))
    rank, (sums, counts, context) = rank[sort], (key[sort] for key in keys)
    starts = np.ones(len(rank), bool)
    starts[1:] = (sums[1:] != sums[:-1]) | (counts[1:] != counts[:-1])
    opens = starts.copy()
    opens[1:] |= context[1:] != context[:-1]
    firsts = rank[np.maximum.accumulate(np.where(opens, np.arange(len(rank)), 0))]
    heads = np.minimum.reduceat(rank, np.flatnonzero(starts)) if len(rank) else rank
    head = heads[np.cumsum(starts) - 1]
    further = opens & (rank != head)
    return Twins(rank[~opens], firsts[~opens], rank[further], head[further])


def bucket_rows(
    texts: Texts,
    contexts: npt.NDArray[np.uint64],
    order: npt.NDArray[np.uint32],
    signatures: Signatures,
    twins: Twins,
    pool: ThreadPoolExecutor,
) -> tuple[Index, npt.NDArray[np.int64]]:
    """The rows that share a band with another, their buckets, and their ranks.

    Copies and rows without a word are in no bucket.
    """
    candidates = signatures.counts > 0
    candidates[order[twins.copies]] = False
    ranks = np.empty(len(order), np.uint64)
    ranks[order] = np.arange(len(order), dtype=np.uint64)
    rows = np.flatnonzero(candidates)
    ranks = ranks[rows]
    bands = list(pool.map(lambda keys: shared(keys, rows, ranks), signatures.keys))
    is_shared = np.zeros(len(order), bool)
    for members, _ in bands:
        is_shared[members] = True
    active = np.flatnonzero(is_shared)
    numbers = np.cumsum(is_shared, dtype=np.int32) - 1
    buckets = np.full((len(active), len(bands)), -1, np.int32)
    count = 0
    for band, (members, sizes) in enumerate(bands):
        buckets[numbers[members], band] = np.repeat(
            np.arange(count, count + len(sizes), dtype=np.int32), sizes
        )
        count += len(sizes)
    sizes = np.concatenate([sizes for _, sizes in bands])
    places = order[active]
    index = Index(
        texts.addresses[places],
        texts.lengths[places],
        contexts[places],
        buckets,
        np.cumsum(sizes) - sizes,
        np.empty(int(sizes.sum()), np.int32),
        np.zeros(count, np.int32),
        np.zeros(count, np.int32),
    )
    return index, active


def shared(
    keys: npt.NDArray[np.uint32], rows: npt.NDArray[np.int64], ranks: npt.NDArray[np.uint64]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """The ranks of rows whose key is that of another, bucket after bucket, and the buckets' sizes."""
    # Eight bits per row: where there are no near duplicates, seven rows of eight are out.
    seen, twice = np.zeros((2, 1 << max(0, len(rows).bit_length() - 3)), np.uint64)
    ordered = np.empty(len(rows), np.uint64)
    ordered = ordered[: kernels.crowded(keys, rows, ranks, seen, twice, ordered)]
    ordered.sort()
    keys = (ordered >> np.uint64(32)).astype(np.uint32)
    same = np.flatnonzero(keys[1:] == keys[:-1])
    if not len(same):
        return same, same
    is_shared = np.zeros(len(keys), bool)
    is_shared[same] = True
    is_shared[same + 1] = True
    first = np.flatnonzero(np.r_[True, np.diff(same) > 1])
    sizes = np.diff(np.r_[first, len(same)]) + 1
    return (ordered[is_shared] & np.uint64(0xFFFFFFFF)).astype(np.int64), sizes


def scratch(index: Index, shingles: int, least: float) -> Scratch:
    """The memory of one thread, for rows of at most so many shingles."""
    words = shingles + kernels.WORDS_PER_SHINGLE
    extra = int(words / least) + 16
    # The kernel takes the next power of two, so twice of what it asks for is enough.
    table = 4 * extra + 64
    return Scratch(
        np.empty(words, np.uint64),
        np.empty(words, np.uint64),
        np.zeros(table, np.uint64),
        np.zeros(table, np.int64),
        np.empty(extra, np.int64),
        np.zeros(len(index.lengths), np.int32),
        np.empty(index.buckets.shape[1] * (KEPT_PER_BUCKET + DROPPED_PER_BUCKET), np.uint64),
        np.zeros(3, np.int64),
    )


class Linking:
    """Settles the rows of an index block by block.

    A block is compared with what is settled, which the threads share among them, and then within
    itself, which is short and done in order.
    """

    def __init__(self, index: Index, longest: int, threshold: float, pool: ThreadPoolExecutor) -> None:
        self.index, self.pool = index, pool
        rows = len(index.lengths)
        self.state = State(
            np.zeros(rows, np.int32),
            np.zeros((rows, kernels.SKETCH_BITS // 64), np.uint64),
            np.arange(rows, dtype=np.int32),
            np.full(rows, -1, np.int32),
            np.zeros(rows),
        )
        lowest = report_from(threshold)
        self.limits = Limits(threshold, lowest, REPORT_EVERY, KEPT_PER_BUCKET, DROPPED_PER_BUCKET, FAILURES)
        self.longest = longest
        most = min(rows, LAST_BLOCK)
        self.pairs = Pairs(
            np.zeros(most, np.int32), np.empty((most, PAIRS), np.int32), np.empty((most, PAIRS), np.float64)
        )
        self.scratches: list[Scratch] = []
        self.free: SimpleQueue[Scratch] = SimpleQueue()
        self.found: list[tuple[npt.NDArray[np.int64], npt.NDArray[np.int32], npt.NDArray[np.float64]]] = []

    def join(self, rows: npt.NDArray[np.int64], earlier: npt.NDArray[np.int64]) -> None:
        """Join rows with earlier ones, before any is settled."""
        self.state.parents[rows] = earlier

    def run(self) -> None:
        """Settle every row."""
        first = 0
        rows = len(self.index.lengths)
        while first < rows:
            # The block grows with what is settled, so that few pairs fall within one.
            last = min(first + max(FIRST_BLOCK, min(LAST_BLOCK, first // 2)), rows)
            self.block(first, last)
            first = last

    def block(self, first: int, last: int) -> None:
        """Settle some rows."""
        pairs = self.pairs
        pairs.counts[:] = 0
        parts = [(a, min(a + COMPARE_ROWS, last)) for a in range(first, last, COMPARE_ROWS)]
        # Handing a single part to another thread costs more than it is worth.
        run = self.pool.map if len(parts) > 1 else map
        for _ in run(lambda part: self.work(part[0], part[1], first, False), parts):
            pass
        self.work(first, last, first, True)
        counts = pairs.counts[: last - first]
        line = np.repeat(np.arange(last - first), counts)
        place = np.arange(len(line)) - np.repeat(np.cumsum(counts) - counts, counts)
        self.found.append((line + first, pairs.other[line, place], pairs.similarity[line, place]))

    def work(self, first: int, last: int, block: int, settles: bool) -> None:
        """Compare or settle rows, with the scratch of this thread."""
        try:
            own = self.free.get_nowait()
        except Empty:
            own = scratch(self.index, self.longest, self.limits.report_from)
            self.scratches.append(own)
        arguments = self.index, self.state, self.limits, characters(), own, self.pairs
        kernels.link(first, last, block, settles, *arguments)
        self.free.put(own)
