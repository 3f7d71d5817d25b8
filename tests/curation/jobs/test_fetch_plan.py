import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from hub_layouts import SEVEN, parquet, wildchat_row
from hub_recipe import (
    SECOND,
    SOURCES,
    WILDCHAT,
    digests,
    frozen_from,
    hub_recipe,
    only,
    served,
    seven_sources,
)
from hub_server import Fault, HubServer, Repo
from small_recipe import no_documents

from curation.errors import SourceError
from curation.jobs.curate import curate
from curation.jobs.fetch import fetch
from curation.release.frozen import read_frozen


@pytest.fixture
def hub(tmp_path, monkeypatch) -> Iterator[HubServer]:
    with seven_sources(tmp_path / "cache", monkeypatch) as server:
        yield server


def test_a_second_fetch_downloads_nothing(hub, tmp_path):
    recipe = hub_recipe(tmp_path)
    fetch(recipe)
    hub.requests.clear()
    told: list[str] = []
    assert sum(entry.came for entry in fetch(recipe, tell=told.append)) == 0
    assert not hub.count("/resolve/")
    assert all("here already" in line for line in told)


def test_a_branch_that_moves_between_two_calls_gives_one_commit(hub, tmp_path):
    repo = hub.repos[WILDCHAT]
    first = repo.branches["main"]
    files = {**repo.commits[first], SECOND: parquet([wildchat_row(9_000 + n) for n in range(7)])}
    hub.faults.append(Fault(f"/api/datasets/{WILDCHAT}/revision/main", then=lambda: repo.commit(files)))
    recipe = hub_recipe(tmp_path, only("wildchat"))
    (entry,) = fetch(recipe)
    assert entry.record.commit == first
    assert entry.record.files[1].sha256 == hashlib.sha256(repo.commits[first][SECOND]).hexdigest()
    told: list[str] = []
    (moved,) = fetch(recipe, tell=told.append)
    assert (moved.record.commit, moved.was) == (repo.branches["main"], first)
    assert f"(was {first[:12]})" in told[0]
    assert digests(moved.folder) == served(hub, WILDCHAT, *digests(moved.folder))
    assert not entry.folder.exists(), "files of the earlier commit lie about"


def test_a_commit_that_is_pinned_stays_whatever_the_branch_does(hub, tmp_path):
    repo = hub.repos[WILDCHAT]
    first = repo.branches["main"]
    repo.commit({"data/train-00000-of-00001.parquet": parquet([wildchat_row(1)])})
    (entry,) = fetch(hub_recipe(tmp_path, only("wildchat", revision=first)))
    assert entry.pinned
    assert len(entry.record.files) == 3


def test_a_frozen_recipe_fetches_its_own_commit_though_the_branch_moved(hub, tmp_path, monkeypatch):
    recipe = hub_recipe(tmp_path, only("kisanvaani", "custom"))
    fetch(recipe)
    path = frozen_from(recipe, tmp_path)
    commit = read_frozen(path).sources["kisanvaani"].revision
    repo = hub.repos["KisanVaani/agriculture-qa-english-only"]
    assert commit == repo.branches["main"]
    repo.commit({"data/train-00000-of-00001.parquet": parquet([{"question": "a", "answers": "b"}])})
    monkeypatch.setenv("AJ_CACHE", str(tmp_path / "elsewhere"))
    (entry,) = fetch(path)
    assert entry.record.commit == commit
    again = curate(recipe, documents=no_documents, out=tmp_path / "again", workers=1)
    assert again.manifest.root == read_frozen(path).root


def test_a_frozen_recipe_whose_commit_is_gone_is_not_fetched(hub, tmp_path, monkeypatch):
    recipe = hub_recipe(tmp_path, only("kisanvaani", "custom"))
    fetch(recipe)
    path = frozen_from(recipe, tmp_path)
    repo = hub.repos["KisanVaani/agriculture-qa-english-only"]
    gone = repo.branches["main"]
    del repo.commits[gone]
    repo.commit({"data/train-00000-of-00001.parquet": parquet([{"question": "a", "answers": "b"}])})
    monkeypatch.setenv("AJ_CACHE", str(tmp_path / "elsewhere"))
    with pytest.raises(SourceError, match=f"@{gone}: no such branch, tag or commit"):
        fetch(path)
    assert not list((tmp_path / "elsewhere").rglob("fetched.json"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"uri": "hf://datasets/org/none"}, "org/none.*: no such repository, or a private one"),
        ({"revision": "old"}, "@old: no such branch, tag or commit"),
        ({"files": "data/*.csv"}, r"no file matches 'data/\*\.csv'; the repository has: "),
        ({"uri": "hf://datasets/org/gated"}, "org/gated.*: gated; accept its terms on the hub"),
        ({"uri": "hf://datasets/org/script", "files": None}, r"script \(make\.py\), and aj runs no code"),
        ({"uri": "hf://datasets/org/script", "files": "*.py"}, "names code or pickled objects"),
        ({"uri": "hf://datasets/org/evil", "files": None}, "leads out of its folder"),
    ],
)
def test_what_cannot_be_had_is_told_with_its_line(hub, tmp_path, change, message):
    hub.repos["org/gated"] = Repo(gated=True)
    hub.repos["org/script"], hub.repos["org/evil"] = Repo(), Repo()
    hub.repos["org/script"].commit({"make.py": b"raise SystemExit", "README.md": b"#"})
    hub.repos["org/evil"].commit({"/nowhere/evil.jsonl": b"{}", "x/../../../evil.jsonl": b"{}"})
    source = {k: v for k, v in {**SOURCES["wildchat"], **change}.items() if v is not None}
    with pytest.raises(SourceError, match=message) as refused:
        fetch(hub_recipe(tmp_path, {"wildchat": source}))
    assert "recipe.yaml:" in str(refused.value)
    assert "\n" not in str(refused.value)
    assert not list(tmp_path.rglob("evil.jsonl"))
    assert not Path("/nowhere/evil.jsonl").exists()


def test_all_pages_of_a_long_listing_are_read(hub, tmp_path):
    hub.repos[WILDCHAT] = SEVEN[WILDCHAT](parts=23, rows=2)
    (entry,) = fetch(hub_recipe(tmp_path, only("wildchat")))
    assert len(entry.record.files) == 23
