import json

import polars as pl
import pytest

from curation.dataset.manifest import read_manifest
from tests.finished import finished


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return finished(tmp_path_factory.mktemp("small"))


def test_croissant_names_every_shard_with_its_digest(dataset):
    found = json.loads((dataset / "croissant.json").read_bytes())
    manifest = read_manifest(dataset)
    objects = {o["@id"]: o for o in found["distribution"] if o["@type"] == "cr:FileObject"}
    shards = {f.path: f.sha256 for f in manifest.files if f.path.startswith(("train/", "eval/"))}
    assert {name: o["sha256"] for name, o in objects.items()} == shards
    assert found["conformsTo"] == "http://mlcommons.org/croissant/1.0"


def test_croissant_fields_are_the_columns_of_the_shards(dataset):
    found = json.loads((dataset / "croissant.json").read_bytes())
    for records in found["recordSet"]:
        split = records["@id"]
        columns = {field["@id"].removeprefix(f"{split}/") for field in records["field"]}
        assert columns == set(pl.read_parquet_schema(next((dataset / split).glob("*.parquet"))))
