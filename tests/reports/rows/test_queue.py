"""The queue: planted faults come early, in an order that the rows alone decide."""

import polars as pl
import pytest

from curation.dataset.manifest import read_manifest, read_recipe
from reports.rows.queue import AT, queue
from tests.finished import finished, planted_faults

FIRST = 20


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    return planted_faults(tmp_path_factory.mktemp("planted"))


def rows_of(dataset):
    return queue(dataset, read_recipe(dataset, read_manifest(dataset)))


def test_planted_faults_stand_at_least_five_times_as_often_among_the_first(planted):
    dataset, faults = planted
    lines = pl.read_parquet(sorted((dataset / "ledger").glob("*.parquet")))
    written = lines.filter(pl.col("fate").is_in(["train", "eval"]), pl.col("row").is_in(sorted(faults)))
    first = rows_of(dataset).head(FIRST)["row"].is_in(written["row"].to_list()).sum()
    assert first / FIRST >= 5 * written.height / lines.height


def test_a_row_comes_once_with_all_that_speaks_for_it(planted):
    rows = rows_of(planted[0])
    assert rows.select(AT).is_unique().all()
    (signs,) = rows.filter(row=210)["why"].to_list()
    assert "longest" in signs


def test_the_order_of_the_ledger_changes_nothing(planted, monkeypatch):
    dataset, _ = planted
    lines = pl.read_parquet(sorted((dataset / "ledger").glob("*.parquet")))
    before = rows_of(dataset)
    monkeypatch.setattr("reports.rows.queue.ledger", lambda _: lines.reverse().lazy())
    assert rows_of(dataset).equals(before)


def test_of_a_dataset_without_signs_nothing_is_asked(tmp_path):
    dataset = finished(tmp_path, stages=["normalise", "chat", "exact_duplicates"])
    assert rows_of(dataset).is_empty()
