"""Rows with equal messages and tools: one stays, and it is always the same one.

The row that stays is the first by the order of sources (those named in `keep` first, the others
after them in recipe order), then by position in the input. Near duplicates keep by the same order.
Reason: `exact_duplicate`.

Whether turns carry loss is not compared. A turn that carries none in any of the equals carries none in
the row that stays (reason `copy`): what one set's makers marked is not trained because another's did not.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

import polars as pl

from curation.recipe.stages import ExactDuplicates
from curation.row import NO_LOSS, decode, ids_of, row_ids
from curation.stages.seam import DROPS_SCHEMA, MASKS_SCHEMA, Context, Keyed, Outcome, PrepareFn, no_pairs

PREPARED_SCHEMA = {
    "pos": pl.UInt64,
    "piece": pl.UInt32,
    "rank": pl.UInt32,
    "digest": pl.String,
    "masked": pl.String,
}
_ORDER = ("rank", "pos", "piece")
_DETAIL = '{"similarity":1.0}'


def keep_order(keep: Sequence[str], sources: Sequence[str]) -> dict[str, int]:
    """The rank of every source: those in `keep` first, unlisted ones after them in recipe order."""
    order = dict.fromkeys((*keep, *sources))
    return {source: rank for rank, source in enumerate(order)}


def prepare(rows: pl.DataFrame, *, order: dict[str, int]) -> pl.DataFrame:
    """pos, piece, rank of the source and digest of messages and tools, in hex, of every row.

    `masked` has a row's turns without loss, parted by spaces; null without any.
    """
    ids = ids_of(rows)
    places = rows["messages"].str.contains(NO_LOSS, literal=True).arg_true()
    some = rows["messages"][places]
    bare = row_ids(some.str.replace_all(NO_LOSS, "", literal=True), rows["tools"][places])
    digests = ids.scatter(places, bare).str.strip_prefix("sha256:").alias("digest")
    turns = [" ".join(str(n) for n, m in enumerate(decode(text)) if "weight" in m) for text in some]
    masked = pl.repeat(None, rows.height, dtype=pl.String, eager=True).scatter(places, turns)
    rank = rows["source"].replace_strict(order, default=len(order), return_dtype=pl.UInt32)
    return pl.DataFrame(
        [rows["pos"], rows["piece"], rank.alias("rank"), digests, masked.alias("masked")],
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
    drops = drops.sort("pos", "piece").cast(pl.Schema(DROPS_SCHEMA))
    return Outcome(drops, no_pairs(), masks=masks_of(prepared, drops))


def masks_of(prepared: pl.DataFrame, drops: pl.DataFrame) -> pl.DataFrame:
    """The turns that a row which stays carries loss on and one of its copies does not."""
    marked = prepared.filter(pl.col("masked").is_not_null()).select("pos", "piece", "masked")
    copies = drops.join(marked, on=["pos", "piece"]).select(
        pos="survivor_pos", piece="survivor_piece", turn=pl.col("masked").str.split(" ")
    )
    own = marked.with_columns(turn=pl.col("masked").str.split(" ")).drop("masked")
    asked, known = (rows.explode("turn").cast(pl.Schema(MASKS_SCHEMA)) for rows in (copies, own))
    return asked.unique().join(known, on=["pos", "piece", "turn"], how="anti").sort("pos", "piece", "turn")


def _bind_prepare(settings: Any, context: Context) -> PrepareFn:
    assert isinstance(settings, ExactDuplicates)
    return partial(prepare, order=keep_order(settings.keep, context.sources))


def _bind(settings: Any, context: Context) -> Any:
    return find_duplicates


STAGE = Keyed(key="digest", prepare=_bind_prepare, bind=_bind)
