"""Running a stage over all rows as the engine does: prepare, bind, then each row's fate by its place."""

import tempfile
from pathlib import Path

import orjson

from curation.arrow import write_frame
from curation.row import drop, ids_of
from curation.stages.seam import Context, Keyed, Split


def split_by(stage, settings, rows, *, sources=()) -> Split:
    """(kept, dropped) in the order of the rows; details as in the ledger, with the survivor's id."""
    context = Context(sources=tuple(sources))
    prepared, find = stage.prepare(settings, context)(rows), stage.bind(settings, context)
    if isinstance(stage, Keyed):
        drops = find(prepared).drops
    else:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "prepared.arrow"
            write_frame(path, prepared)
            drops = find([path]).drops
    survivors = rows.select(ids_of(rows).alias("duplicate_of"), survivor_pos="pos", survivor_piece="piece")
    told = drops.join(survivors, on=["survivor_pos", "survivor_piece"], how="left")
    told = told.select("pos", "piece", "duplicate_of", why="reason", found="detail")
    told = rows.select("pos", "piece").join(told, on=["pos", "piece"], how="left", maintain_order="left")
    gone = told["why"].is_not_null()
    lines = told.filter(gone).select("duplicate_of", "found").iter_rows()
    details = [{**orjson.loads(found), "duplicate_of": survivor} for survivor, found in lines]
    return Split(rows.filter(~gone), drop(rows.filter(gone), told["why"].drop_nulls().to_list(), details))
