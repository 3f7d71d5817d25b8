"""The tables of a dataset directory, scanned lazily. Names with glob characters are taken as they stand."""

from pathlib import Path

import polars as pl

from curation.row import LEDGER_SCHEMA


def ledger(dataset: Path) -> pl.LazyFrame:
    """One line per input row (DESIGN.md §4)."""
    files = sorted((dataset / "ledger").glob("*.parquet"))
    return pl.scan_parquet(files, glob=False) if files else pl.LazyFrame(schema=LEDGER_SCHEMA)


def samples(dataset: Path) -> pl.LazyFrame:
    """The chosen rows and pairs of curation/dataset/samples.py."""
    return pl.scan_parquet(dataset / "samples.parquet", glob=False)
