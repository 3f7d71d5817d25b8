"""Rewriting the few rows of a frame that need it, one by one in Python; all others pass untouched."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import polars as pl

from curation.row import drop
from curation.stages.seam import Split


class Rewritten(NamedTuple):
    """A row that stays, as it now reads."""

    messages: str
    tools: str | None
    notes: str | None


class Rejected(NamedTuple):
    """A row that goes, why, and its notes."""

    reason: str
    detail: Mapping[str, Any]
    notes: str | None


Verdict = Rewritten | Rejected | None
# messages, tools, notes of one row → its new text, its rejection, or None when it stays as it is.
Decide = Callable[[str, str | None, str | None], Verdict]
# The same for the rows of a frame, a verdict for each: for deciding over many texts at once.
DecideTogether = Callable[[pl.DataFrame], Iterable[Verdict]]


def rewrite(rows: pl.DataFrame, suspects: pl.Series, decide: Decide) -> Split:
    """Give the rows where `suspects` is true to `decide`, and take its verdicts.

    Needs `messages`, `tools` and `notes`; keeps every other column and the order. A cheap
    vectorised `suspects` that is true too often costs time only, never correctness.
    """
    return rewrite_together(
        rows, suspects, lambda part: map(decide, part["messages"], part["tools"], part["notes"])
    )


def rewrite_together(rows: pl.DataFrame, suspects: pl.Series, decide: DecideTogether) -> Split:
    """`rewrite` with a `decide` of frames, which hold up to 4,096 suspects."""
    places = suspects.fill_null(True).arg_true()
    # Slices bound the memory that Python strings take, however large the frame is.
    changed: list[tuple[int, Rewritten]] = []
    rejected: list[tuple[int, Rejected]] = []
    for part in places.to_frame("place").iter_slices(4096):
        for place, verdict in zip(part["place"], decide(rows[part["place"]]), strict=True):
            if isinstance(verdict, Rewritten):
                changed.append((place, verdict))
            elif verdict is not None:
                rejected.append((place, verdict))
    return _split(_apply(rows, changed), rejected)


def _apply(rows: pl.DataFrame, changed: list[tuple[int, Rewritten]]) -> pl.DataFrame:
    if not changed:
        return rows
    places = [place for place, _ in changed]
    return rows.with_columns(
        _scatter(rows[name], places, [getattr(new, name) for _, new in changed]) for name in Rewritten._fields
    )


def _split(rows: pl.DataFrame, rejected: list[tuple[int, Rejected]]) -> Split:
    """`rows` without the rejected ones, and these; `rejected` is in the order of the frame."""
    places = [place for place, _ in rejected]
    gone = pl.repeat(False, rows.height, dtype=pl.Boolean, eager=True).scatter(places, True)
    dropped = rows.filter(gone).with_columns(
        pl.Series("notes", [verdict.notes for _, verdict in rejected], dtype=pl.String)
    )
    return Split(
        rows.filter(~gone),
        drop(dropped, [v.reason for _, v in rejected], [v.detail for _, v in rejected]),
    )


def _scatter(column: pl.Series, places: list[int], values: list[str | None]) -> pl.Series:
    return column.clone().scatter(places, pl.Series(values, dtype=pl.String))
