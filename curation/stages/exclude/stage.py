"""Rows that a person looked at and marked to leave out (curation/stages/exclude/exclusions.py).

A row goes when its digest as it was read, or as it stands at this stage, is listed: put the stage
after those that repair rows, and a mark names the row wherever it comes from. Reason: `excluded`;
detail: the note.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl

from curation.errors import SourceError
from curation.recipe.stages import Exclude
from curation.row import drop, row_ids
from curation.stages.exclude.exclusions import read_exclusions
from curation.stages.seam import Context, Rows, RowsFn, Split


def exclude(rows: pl.DataFrame, *, notes: Mapping[str, str]) -> Split:
    """Rows without those that `notes` names: digest → why.

    Needs `input_id`, `messages`, `tools`. Order and columns are unchanged. Idempotent.
    """
    if not notes:
        return Split(rows, drop(rows.clear(), [], []))
    ids = row_ids(rows["messages"], rows["tools"])
    found = [notes.get(now, notes.get(read)) for now, read in zip(ids, rows["input_id"], strict=True)]
    gone = pl.Series([note is not None for note in found], dtype=pl.Boolean)
    details = [{"note": note} for note in found if note is not None]
    return Split(rows.filter(~gone), drop(rows.filter(gone), ["excluded"] * len(details), details))


def _files(settings: Any, context: Context) -> Sequence[Path]:
    assert isinstance(settings, Exclude)
    path = context.data_root / settings.file
    if not path.is_file():
        raise SourceError(
            f"exclude: `file` names {settings.file!r}, but {context.data_root} has no such file; "
            "`aj review DATASET` writes one"
        )
    return [path]


def _bind(settings: Any, context: Context) -> RowsFn:
    (path,) = _files(settings, context)
    return partial(
        exclude, notes={digest: mark.note for mark in read_exclusions(path) for digest in mark.ids}
    )


STAGE = Rows(bind=_bind, files=_files)
