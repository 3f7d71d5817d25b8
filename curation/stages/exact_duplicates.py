"""Rows with equal messages and tools: one stays, and it is always the same one.

The row that stays is the first by the order of sources (those named in `keep` first, the others
after them in recipe order), then by position in the input. Near duplicates keep by the same order.
Reason: `exact_duplicate`.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

import polars as pl

from curation.recipe.stages import ExactDuplicates
from curation.row import ids_of
from curation.stages.seam import DROPS_SCHEMA, Context, Keyed, Outcome, PrepareFn, no_pairs

PREPARED_SCHEMA = {"pos": pl.UInt64, "piece": pl.UInt32, "rank": pl.UInt32, "digest": pl.String}
_ORDER = ("rank", "pos", "piece")
_DETAIL = '{"similarity":1.0}'


def keep_order(keep: Sequence[str], sources: Sequence[str]) -> dict[str, int]:
    """The rank of every source: those in `keep` first, unlisted ones after them in recipe order."""
    order = dict.fromkeys((*keep, *sources))
    return {source: rank for rank, source in enumerate(order)}


def prepare(rows: pl.DataFrame, *, order: dict[str, int]) -> pl.DataFrame:
    """pos, piece, rank of the source and digest of messages and tools, in hex, of every row."""
    digests = ids_of(rows).str.strip_prefix("sha256:").alias("digest")
    rank = rows["source"].replace_strict(order, default=len(order), return_dtype=pl.UInt32)
    return pl.DataFrame(
        [rows["pos"], rows["piece"], rank.alias("rank"), digests],
        schema=PREPARED_SCHEMA,
    )


def find_duplicates(prepared: pl.DataFrame) -> Outcome:
    """Every row of a prepared frame but the first of its equals, with the row that stays."""
    first = prepared.select(pl.col("pos", "piece").sort_by(*_ORDER).first().over("digest"))
    drops = prepared.select(
        "pos",
        "piece",
        reason=pl.lit("exact_duplicate"),
        detail=pl.lit(_DETAIL),
        survivor_pos=first["pos"],
        survivor_piece=first["piece"],
    ).filter((pl.col("pos") != pl.col("survivor_pos")) | (pl.col("piece") != pl.col("survivor_piece")))
    return Outcome(drops.sort("pos", "piece").cast(pl.Schema(DROPS_SCHEMA)), no_pairs())


def _bind_prepare(settings: Any, context: Context) -> PrepareFn:
    assert isinstance(settings, ExactDuplicates)
    return partial(prepare, order=keep_order(settings.keep, context.sources))


def _bind(settings: Any, context: Context) -> Any:
    return find_duplicates


STAGE = Keyed(key="digest", prepare=_bind_prepare, bind=_bind)
