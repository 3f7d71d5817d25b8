import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hub_layouts import tokenizer_model
from hub_recipe import digests, frozen_from, hub_recipe, only, seven_sources
from hub_server import HubServer
from huggingface_hub import snapshot_download

import aj
from curation.errors import SourceError
from curation.jobs.fetch import fetch, recipe_at
from curation.recipe.load import load_recipe
from curation.sources.fetch_model import fetch_base_model


@pytest.fixture
def hub(tmp_path, monkeypatch) -> Iterator[HubServer]:
    with seven_sources(tmp_path / "cache", monkeypatch) as server:
        yield server


def test_the_base_model_comes_into_the_hubs_own_cache_without_pickles(hub, tmp_path, monkeypatch):
    hub.repos["org/model"] = tokenizer_model({"tokenizer.json": b"{}", "pytorch_model.bin": b"pickle"})
    recipe = load_recipe(hub_recipe(tmp_path, only("kisanvaani")))
    model = fetch_base_model(recipe)
    assert sorted(digests(model.folder)) == [
        "config.json",
        "model-00001-of-00001.safetensors",
        "tokenizer.json",
    ]
    assert model.commit == hub.repos["org/model"].branches["main"]
    offline = snapshot_download(
        "org/model", revision="main", cache_dir=os.environ["HF_HUB_CACHE"], local_files_only=True
    )
    assert Path(offline) == model.folder
    hub.requests.clear()
    assert fetch_base_model(recipe).came == 0
    assert not hub.count("GET /storage")
    hub.repos["org/model"].commit({"config.json": b"{}", "pytorch_model.bin": b"pickle"})
    with pytest.raises(SourceError, match=r"base_model\.id: .* aj loads no other weights"):
        fetch_base_model(recipe)


def test_the_weights_of_a_frozen_recipe_come_at_the_commit_that_was_frozen(hub, tmp_path, monkeypatch):
    files = {"tokenizer.json": b"{}"}
    repo = hub.repos["org/model"] = tokenizer_model(files)
    recipe = hub_recipe(tmp_path, only("kisanvaani"))
    fetch(recipe)
    first = fetch_base_model(load_recipe(recipe)).commit
    frozen = frozen_from(recipe, tmp_path)
    repo.commit({**repo.commits[repo.branches["main"]], "config.json": b'{"changed": true}'})
    assert aj.main(["fetch", str(frozen), "--base-model"]) == 0
    assert fetch_base_model(recipe_at(frozen, None)).commit == first
