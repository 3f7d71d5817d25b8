"""Near duplicates: what is said is compared, every pair is verified, survivors follow the recipe.

A row is dropped only if the Jaccard similarity of its word 5-grams to those of a row that stays
reaches the threshold, and, unless `system: ignore`, both have the same system prompts. What is
said are the texts of users and assistants and the tool calls; system prompts, tool schemas and
tool results are left out, since rows of one agent share them without being alike. Of a piece only its own
turns are compared, not those that it carries again.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from curation.arrow import open_table
from curation.recipe.stages import NearDuplicates
from curation.row import carried, digest, ids_of
from curation.stages.near_duplicates.linking import COUNTS, Links, link_datasketch, link_small
from curation.stages.seam import (
    DROPS_SCHEMA,
    PAIRS_SCHEMA,
    Context,
    Outcome,
    PrepareFn,
    Reduce,
    no_drops,
    no_pairs,
)

# Up to this size plain Python is faster than loading the compiled code, and misses no pair.
SMALL_ROWS, SMALL_BYTES = 3000, 1_500_000
ID_LENGTH = len("sha256:") + 64
REPORTED_PAIRS = 1000  # pairs just under the threshold that are passed on


# Neither can be part of a cycle; untracked they decode half as fast again.
class _SaidCall(msgspec.Struct, gc=False):
    name: str
    arguments: str


class _SaidMessage(msgspec.Struct, gc=False):
    role: str
    content: str | None = None
    tool_calls: list[_SaidCall] | None = None


_messages = msgspec.json.Decoder(list[_SaidMessage]).decode


def prepare(settings: NearDuplicates, context: Context) -> PrepareFn:
    """What is compared of every row, and what decides which row stays.

    Rows of the sources in `keep` stay first, in that order, then those of the recipe's other sources; within
    a source the row with the lower id.
    """
    order = dict.fromkeys([*settings.keep, *context.sources])
    ranks = {source: rank for rank, source in enumerate(order)}
    is_distinct = settings.system == "distinct"

    def prepared(rows: pl.DataFrame) -> pl.DataFrame:
        said, keys = [], []
        # Row by row: what one decodes to is still in the cache, and gone before the next.
        for text, notes in zip(rows["messages"], rows["notes"], strict=True):
            messages = _messages(text)
            start, end = carried(notes)
            said.append(what_is_said([*messages[:start], *messages[end:]] if end else messages))
            keys.append(context_key(messages) if is_distinct else 0)
        rank = rows["source"].replace_strict(ranks, default=len(ranks), return_dtype=pl.UInt32)
        return rows.select(
            "pos",
            "piece",
            rank.alias("rank"),
            ids_of(rows),
            pl.Series("said", said, dtype=pl.String),
            pl.Series("context_key", keys, dtype=pl.UInt64),
        )

    return prepared


def what_is_said(messages: Sequence[_SaidMessage]) -> str:
    """The texts of users and assistants and the names and arguments of tool calls, in order."""
    parts = []
    for message in messages:
        if message.role in ("user", "assistant"):
            if message.content:
                parts.append(message.content)
            for call in message.tool_calls or ():
                parts += (call.name, call.arguments)
    return "\n".join(parts)


def context_key(messages: Sequence[_SaidMessage]) -> int:
    """64 bits of a digest of the row's system prompts; 0 without one."""
    prompts = [message.content for message in messages if message.role == "system" and message.content]
    return _text_key("\0".join(prompts)) if prompts else 0


@lru_cache(maxsize=1024)
def _text_key(text: str) -> int:
    return int.from_bytes(sha256(text.encode()).digest()[:8], "big")


def bind(settings: NearDuplicates, context: Context) -> Callable[[Sequence[Path]], Outcome]:
    """Find the near duplicates among all prepared rows, read through the mapped files."""

    def outcome(paths: Sequence[Path]) -> Outcome:
        rows = _Prepared([open_table(path) for path in paths])
        if not rows.count:
            return Outcome(no_drops(), no_pairs(), dict.fromkeys((*COUNTS, "pairs"), 0.0))
        order = rows.survivor_order()
        links = find_links(rows, order, settings)
        return outcome_of(rows, order, links, settings.similarity, context.seed)

    return outcome


class _Prepared:
    """Prepared rows in plan order, over mapped tables."""

    def __init__(self, tables: Sequence[pa.Table]) -> None:
        self.table = pa.concat_tables([table for table in tables if table.num_rows] or tables[:1])
        self.count: int = self.table.num_rows

    def numbers(self, column: str, dtype: type[np.generic]) -> npt.NDArray[Any]:
        """A column of numbers."""
        # pyarrow's own conversion would load pandas first.
        stored = np.dtype(str(self.table.schema.field(column).type))
        parts = [
            np.frombuffer(c.buffers()[1], stored, len(c), c.offset * stored.itemsize)
            for c in self.table[column].chunks
            if len(c)
        ]
        return np.concatenate([np.zeros(0, dtype), *parts])

    def spans(self, column: str) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Where every text of a column lies in memory, and its bytes."""
        addresses, lengths = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
        for chunk in self.table[column].chunks:
            _, offsets, data = chunk.buffers()
            ends = np.frombuffer(offsets, np.int64)[chunk.offset : chunk.offset + len(chunk) + 1]
            addresses.append(ends[:-1] + (data.address if data else 0))
            lengths.append(np.diff(ends))
        return np.concatenate(addresses), np.concatenate(lengths)

    def id_keys(self) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint64]]:
        """The first 128 bits of every id, as two columns."""
        parts = [np.zeros((0, 2), np.uint64)]
        for chunk in self.table["id"].chunks:
            _, offsets, data = chunk.buffers()
            first = np.frombuffer(offsets, np.int64)[chunk.offset]
            letters = np.frombuffer(data, np.uint8, len(chunk) * ID_LENGTH, first)
            letters = letters.reshape(-1, ID_LENGTH)[:, ID_LENGTH - 64 : ID_LENGTH - 32]
            digits = np.where(letters < ord("a"), letters - ord("0"), letters - (ord("a") - 10))
            pairs = np.ascontiguousarray(digits[:, 0::2] << 4 | digits[:, 1::2])
            parts.append(pairs.view(">u8").astype(np.uint64))
        keys = np.concatenate(parts)
        return keys[:, 0], keys[:, 1]

    def survivor_order(self) -> npt.NDArray[np.uint32]:
        """The places of the rows in the order in which they stay: rank, id, pos, piece."""
        high, low = self.id_keys()
        rank = self.numbers("rank", np.uint32).astype(np.uint64)
        # This orders nearly all rows, so the full comparison is for the few others.
        first = (rank << np.uint64(48)) | (high >> np.uint64(16))
        order = np.argsort(first)
        same = first[order[1:]] == first[order[:-1]]
        tied = np.flatnonzero(np.r_[same, False] | np.r_[False, same])
        places = order[tied]
        keys = (self.numbers(name, np.uint64)[places] for name in ("piece", "pos"))
        order[tied] = places[np.lexsort((*keys, low[places], high[places], rank[places]))]
        return order.astype(np.uint32)

    def texts(self, order: npt.NDArray[np.uint32]) -> list[str]:
        """What is said, in an order; a copy."""
        return self.table["said"].take(pa.array(order)).to_pylist()  # type: ignore[no-any-return]


def find_links(rows: _Prepared, order: npt.NDArray[np.uint32], settings: NearDuplicates) -> Links:
    """The near duplicates by the back end that the recipe names."""
    contexts = rows.numbers("context_key", np.uint64)
    addresses, lengths = rows.spans("said")
    if settings.backend == "datasketch":
        return link_datasketch(rows.texts(order), contexts[order].tolist(), settings.similarity)
    if rows.count <= SMALL_ROWS and lengths.sum() <= SMALL_BYTES:
        return link_small(rows.texts(order), contexts[order].tolist(), settings.similarity)
    # The compiler is loaded only where it is worth its second.
    from curation.stages.near_duplicates import minhash

    return minhash.link(minhash.Texts(addresses, lengths, rows), contexts, order, settings.similarity)


def outcome_of(
    rows: _Prepared, order: npt.NDArray[np.uint32], links: Links, threshold: float, seed: int
) -> Outcome:
    """The links as drops and pairs by position."""
    pos, piece = rows.numbers("pos", np.uint64), rows.numbers("piece", np.uint32)
    dropped = np.flatnonzero(links.survivors >= 0)
    own, survivor = order[dropped], order[links.survivors[dropped]]
    drops = pl.DataFrame(
        {
            "pos": pos[own],
            "piece": piece[own],
            "reason": ["near_duplicate"] * len(own),
            "detail": [f'{{"similarity":{round(s, 4)}}}' for s in links.similarities[dropped].tolist()],
            "survivor_pos": pos[survivor],
            "survivor_piece": piece[survivor],
        },
        schema=DROPS_SCHEMA,
    )
    is_pair = links.similarity >= threshold
    chosen = np.r_[np.flatnonzero(is_pair), just_under(rows, order, links, np.flatnonzero(~is_pair), seed)]
    one, other = order[links.one[chosen]], order[links.other[chosen]]
    pairs = pl.DataFrame(
        {
            "pos": pos[one],
            "piece": piece[one],
            "other_pos": pos[other],
            "other_piece": piece[other],
            "similarity": links.similarity[chosen],
            "by": pl.repeat(None, len(one), dtype=pl.String, eager=True),
        },
        schema=PAIRS_SCHEMA,
    ).sort("pos", "piece", "other_pos", "other_piece")
    counts = {**links.metrics, "pairs": float(is_pair.sum())}
    return Outcome(drops.sort("pos", "piece"), pairs, counts)


def just_under(
    rows: _Prepared,
    order: npt.NDArray[np.uint32],
    links: Links,
    pairs: npt.NDArray[np.int64],
    seed: int,
) -> npt.NDArray[np.int64]:
    """At most REPORTED_PAIRS of the pairs under the threshold, those of lowest digest(seed, ids)."""
    if len(pairs) <= REPORTED_PAIRS:
        return pairs
    ids = rows.table["id"]
    one, other = (ids.take(pa.array(order[side[pairs]])).to_pylist() for side in (links.one, links.other))
    ranks = [digest(seed, a, b) for a, b in zip(one, other, strict=True)]
    return np.sort(pairs[np.argsort(np.array(ranks), kind="stable")[:REPORTED_PAIRS]])


STAGE = Reduce(prepare=prepare, bind=bind)
