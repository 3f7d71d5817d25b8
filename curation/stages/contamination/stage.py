"""Rows that hold text of benchmarks or held-out sets.

A row goes when it holds at least `min_share` of the words of a text of a reference record, in passages that
prove something (overlap.py says which do); a text of fewer than `ngram` words must be there whole.
All of a row is searched: every message and the arguments of every tool call. Reason: `contaminated`; detail:
the file, the record (from 0) and the share of its text that is in the row.
"""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
import polars as pl

from curation.recipe.stages import Contamination
from curation.row import drop
from curation.stages.contamination.references import Reference, find_files, read_references
from curation.stages.seam import Context, Rows, RowsFn, Split

if TYPE_CHECKING:
    from curation.stages.contamination.overlap import Index

_SLICE_ROWS = 4096


def searching(against: Sequence[Reference], ngram: int, min_share: float) -> RowsFn:
    """Of many frames, the rows without those that hold text of `against`, whose index is made once.

    Needs `messages`. Order and columns are unchanged. Idempotent.
    """
    if not any(text for reference in against for text in reference.texts):
        return lambda rows: Split(rows, drop(rows.clear(), [], []))
    # The compiler is loaded only where there is something to compare with.
    from curation.stages.contamination.overlap import Index

    return partial(without, index=Index(against, ngram=ngram, min_share=min_share))


def without(rows: pl.DataFrame, *, index: "Index") -> Split:
    """Rows without those that hold a text of the index."""
    places: list[int] = []
    details: list[dict[str, Any]] = []
    for start in range(0, 0 if index.is_empty else rows.height, _SLICE_ROWS):
        said = [row_texts(messages) for messages in rows["messages"].slice(start, _SLICE_ROWS)]
        for offset, overlap in sorted(index.search(said).items()):
            places.append(start + offset)
            share = round(overlap.share, 4)
            details.append({"file": overlap.file, "record": overlap.record, "share": share})
    gone = pl.repeat(False, rows.height, dtype=pl.Boolean, eager=True).scatter(places, True)
    return Split(rows.filter(~gone), drop(rows.filter(gone), ["contaminated"] * len(places), details))


def row_texts(messages: str) -> list[str]:
    """All that is said in a row: every message, and the arguments of every call."""
    said: list[str] = []
    for message in orjson.loads(messages):
        if message["content"]:
            said.append(message["content"])
        said += [call["arguments"] for call in message["tool_calls"] or ()]
    return said


def _files(settings: Any, context: Context) -> Sequence[Path]:
    assert isinstance(settings, Contamination)
    return [found.path for found in find_files(settings.against, context.data_root)]


def _bind(settings: Any, context: Context) -> RowsFn:
    assert isinstance(settings, Contamination)
    references = read_references(find_files(settings.against, context.data_root))
    return searching(references, settings.ngram, settings.min_share)


STAGE = Rows(bind=_bind, files=_files)
