"""The version that a report compares with: found, summed up, and counted as an input."""

import orjson
import pytest

from curation.dataset.manifest import read_manifest
from curation.errors import CurationError, RecipeError
from curation.jobs.curate import curate
from curation.recipe.load import load_recipe
from curation.release.approval import approve
from curation.release.baseline import BASELINE, baseline, baseline_bytes
from curation.release.freeze import freeze
from curation.release.verify import verify
from reports.pages.documents import documents, remake_report
from tests.small_recipe import small_recipe


def make(folder, name, **changes):
    recipe = small_recipe(folder, **changes)
    run = curate(recipe, documents=documents, out=folder / name, workers=1)
    return recipe, run.dataset


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_first_version_has_none(here):
    recipe, dataset = make(here, "first")
    assert baseline(load_recipe(recipe)) is None
    assert not (dataset / BASELINE).exists()
    assert "no earlier version" in (dataset / "report.html").read_text("utf-8")


def test_the_highest_lower_frozen_version_is_the_baseline_and_counts_as_an_input(here):
    _, first = make(here, "first")
    newer = small_recipe(
        here, version="1.1.0", mixture={"shares": {"first": 0.5, "second": 0.5}, "total": "max"}
    )
    dataset = curate(newer, documents=documents, out=here / "second", workers=1).dataset
    assert not (dataset / BASELINE).exists()

    small_recipe(here)  # the recipe as it was when it was frozen
    approve(first, by="A Person")
    freeze(first)
    newer = small_recipe(
        here, version="1.1.0", mixture={"shares": {"first": 0.5, "second": 0.5}, "total": "max"}
    )
    with pytest.raises(CurationError, match="another baseline"):
        curate(newer, documents=documents, out=dataset, workers=1)
    curate(newer, documents=documents, out=dataset, workers=1, force=True)
    told = orjson.loads((dataset / BASELINE).read_bytes())
    assert (told["kind"], told["version"], told["root"]) == ("frozen", "1.0.0", read_manifest(first).root)
    html = (dataset / "report.html").read_text("utf-8")
    assert "Since small 1.0.0" in html
    assert "Share asked of each group" in html
    assert verify(dataset).ok
    assert remake_report(dataset)[1] is False
    assert curate(newer, documents=documents, out=dataset, workers=1).unchanged


def test_a_dataset_named_in_the_recipe_is_compared_in_full(here):
    make(here, "first")
    stages = ["normalise", "chat", "exact_duplicates", {"near_duplicates": {"similarity": 1.0}}]
    _, dataset = make(here, "second", version="1.1.0", baseline="first", stages=stages)
    told = orjson.loads((dataset / BASELINE).read_bytes())
    assert told["kind"] == "dataset"
    html = (dataset / "report.html").read_text("utf-8")
    for wanted in ("Since small 1.0.0", "Rows dropped by reason", "stages.near_duplicates.similarity"):
        assert wanted in html


@pytest.mark.parametrize("name", ["nowhere", "data", "recipe.yaml"])
def test_what_is_no_baseline_is_one_line_with_the_key(here, name):
    recipe = load_recipe(small_recipe(here, baseline=name))
    with pytest.raises(RecipeError, match=r"recipe\.yaml:\d+: baseline: "):
        baseline_bytes(recipe)
