"""The dataset card."""

import polars as pl
import pytest
import yaml

from curation.dataset.gates import read_gates
from curation.dataset.manifest import read_manifest
from reports.pages.dataset_card import card, plain
from tests.finished import finished
from tests.tiny_dataset import tiny_dataset


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return finished(tmp_path_factory.mktemp("small"))


def header_of(text):
    _, front, body = text.split("---\n", 2)
    return yaml.safe_load(front), body


def test_the_header_tells_the_hub_where_the_splits_are(dataset):
    header, body = header_of((dataset / "README.md").read_text("utf-8"))
    (config,) = header["configs"]
    assert {entry["split"] for entry in config["data_files"]} == {"train", "eval"}
    for entry in config["data_files"]:
        written = getattr(read_manifest(dataset).written, entry["split"])
        assert pl.read_parquet(dataset / entry["path"]).height == written
    assert header["task_categories"] == ["text-generation"]
    assert header["size_categories"] == ["n<1K"]
    assert read_manifest(dataset).root in body


def test_the_card_loads_as_the_library_for_the_hub_reads_it(dataset):
    hub = pytest.importorskip("huggingface_hub")
    loaded = hub.DatasetCard.load(dataset / "README.md", ignore_metadata_errors=False)
    assert loaded.data.pretty_name == "small 1.0.0"


@pytest.mark.parametrize(
    ("licence", "header"),
    [
        ("CC0-1.0", {"license": "cc0-1.0"}),
        ("my own", {"license": "other", "license_name": "by-source", "license_details": "my own"}),
    ],
)
def test_licences_are_those_of_the_sources_that_gave_rows(tmp_path, licence, header):
    import msgspec

    folder = tiny_dataset(tmp_path / "tiny")
    manifest = read_manifest(folder)
    sources = {n: msgspec.structs.replace(s, licence=licence) for n, s in manifest.sources.items()}
    manifest = msgspec.structs.replace(manifest, sources=sources)
    found, _ = header_of(card(manifest, read_gates(folder), []).decode())
    assert {key: found[key] for key in header} == header


def test_text_of_the_recipe_cannot_break_the_tables():
    assert plain("a|b\n<script>[x](y)`") == "a\\|b \\<script\\>\\[x\\](y)\\`"
