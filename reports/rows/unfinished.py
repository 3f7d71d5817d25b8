"""`aj why` where the mixture could not be had: the ledger that the run left in its work folder."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl

from curation.dataset.manifest import MANIFEST
from curation.errors import CurationError
from curation.jobs.shortfall import LEDGER
from curation.visible import visible


def is_unfinished(dataset: Path) -> bool:
    """Whether there is no dataset, but the ledger of a run that could not make it."""
    return not (dataset / MANIFEST).is_file() and _folder(dataset).is_dir()


def lines_of(dataset: Path, row: str) -> list[dict[str, Any]]:
    """The ledger's lines that `source:file:row` names. Raises CurationError when it names none."""
    ledger = pl.scan_parquet(sorted(_folder(dataset).glob("*.parquet")), glob=False)
    place = pl.format("{}:{}:{}", "source", "file", "row")
    found = ledger.filter((place == row) | (pl.col("input_id") == row)).collect().to_dicts()
    if not found:
        raise CurationError(
            f"{row}: no row of the run that could not make {dataset}; expected source:file:row"
        )
    return found


def told(lines: list[dict[str, Any]]) -> str:
    """Rows one after another, a line a fact."""
    return "\n\n".join("\n".join(_told(line)) for line in lines)


def _told(line: dict[str, Any]) -> Iterator[str]:
    yield visible(f"{line['source']}:{line['file']}:{line['row']}")
    yield f"  as read  {line['input_id'] or 'unreadable'}"
    why = "  ".join(line[key] for key in ("reason", "detail") if line[key])
    yield visible(f"  fate     {line['fate']} by {line['stage']}{f'  {why}' if why else ''}")
    yield "  written  nowhere: the mixture could not be had"


def _folder(dataset: Path) -> Path:
    return dataset.with_name(f"{dataset.name}.work") / LEDGER
