"""Samples of what a run dropped, kept and did not read."""

import json

import polars as pl
import pytest

from curation.dataset.manifest import read_manifest
from curation.jobs.curate import curate
from reports.pages.documents import documents
from tests.small_recipe import conversation, small_recipe, write_jsonl


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    folder = tmp_path_factory.mktemp("keys")
    recipe = small_recipe(folder)
    rows = [
        {**conversation(8000 + n), "writer": f"ada{n}@mail.example.net", "image": "x.png" if n == 2 else None}
        for n in range(20)
    ]
    write_jsonl(folder / "data/two.jsonl", rows)
    curate(recipe, documents=documents, out=folder / "dataset", workers=1)
    return folder / "dataset"


def test_keys_stand_in_the_manifest(dataset):
    found = read_manifest(dataset).sources["two"]
    assert found.keys.read[0] == "messages"
    assert (found.keys.ignored, found.keys.refused) == ({"writer": 20}, {"image": 1})
    assert found.dropped["unsupported_key"] == 1


def test_the_first_value_of_a_key_is_a_sample_without_personal_data(dataset):
    keys = pl.read_parquet(dataset / "samples.parquet").filter(pl.col("kind") == "key")
    found = {(row["source"], row["row"]): json.loads(row["detail"]) for row in keys.iter_rows(named=True)}
    assert found == {
        ("two", 0): {"key": "writer", "part": "ignored", "value": "[HIDDEN_EMAIL_1]"},
        ("two", 2): {"key": "image", "part": "refused", "value": "x.png"},
    }


def test_the_report_tells_the_keys_of_a_source(dataset):
    page = (dataset / "report.html").read_text(encoding="utf-8")
    assert "<dt>keys ignored</dt><dd><code>writer</code> 20</dd>" in page
    assert "<dt>keys refused</dt><dd><code>image</code> 1</dd>" in page
