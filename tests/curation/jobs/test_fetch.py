"""`aj fetch` against a server of the hub's protocol: the right bytes, or a clear error."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from hub_layouts import SEVEN, tokenizer_model
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

from curation.engine.plan import NotFetched
from curation.errors import CurationError, Refusal, SourceError
from curation.jobs.check import check
from curation.jobs.check_online import check_online
from curation.jobs.curate import curate
from curation.jobs.fetch import fetch
from curation.recipe.load import load_recipe
from curation.sources.fetched import TOKENIZER, fetched_sources

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def hub(tmp_path, monkeypatch) -> Iterator[HubServer]:
    with seven_sources(tmp_path / "cache", monkeypatch) as server:
        yield server


def test_the_seven_sources_come_whole_and_nothing_else_does(hub, tmp_path):
    told: list[str] = []
    found = {entry.name: entry for entry in fetch(hub_recipe(tmp_path), tell=told.append)}
    assert list(found) == [name for name in SOURCES if name != "custom"]
    for name, entry in found.items():
        repo = SOURCES[name]["uri"].removeprefix("hf://datasets/")
        assert entry.record.commit == hub.repos[repo].branches["main"]
        assert digests(entry.folder) == served(hub, repo, *(file.path for file in entry.record.files))
    assert [file.path for file in found["ultrachat"].record.files] == [
        f"data/train_sft-{part:05}-of-00003-a3ecf92756993583.parquet" for part in range(3)
    ]
    assert told[0].startswith("wildchat      3 files, 40.3 kB to come at ")
    assert told[-1].endswith(" in all")
    assert hub.tokens == {None}


def test_the_real_recipe_finds_its_files_in_repositories_of_those_layouts(hub, tmp_path):
    recipe = yaml.safe_load((ROOT / "recipes/mixed_v1.yaml").read_text())
    names = {name: s for name, s in recipe["sources"].items() if s["uri"].startswith("hf://")}
    assert [source["uri"] for source in names.values()] == [f"hf://datasets/{repo}" for repo in SEVEN]
    found = {entry.name: len(entry.record.files) for entry in fetch(hub_recipe(tmp_path, names))}
    assert found == {
        "wildchat": 3,
        "ultrachat": 3,
        "kisanvaani": 1,
        "stackexchange_gardening": 1,
        "gardening_qa": 1,
        "skein": 2,
    }


def test_curate_reads_what_was_fetched_and_records_the_commit(hub, tmp_path):
    recipe = hub_recipe(tmp_path)
    fetch(recipe)
    before = len(hub.requests)
    done = curate(recipe, documents=no_documents, out=tmp_path / "out", workers=1)
    assert len(hub.requests) == before, "curate went to the network"
    rows = done.manifest.rows
    assert rows.read == rows.dropped + rows.unselected + rows.train + rows.eval
    wildchat = done.manifest.sources["wildchat"]
    assert wildchat.revision == hub.repos[WILDCHAT].branches["main"]
    assert (wildchat.read, wildchat.dropped) == (120, {"filtered": 48})
    assert wildchat.unselected >= 120 - 48 - 50
    assert done.manifest.sources["custom"].revision is None
    assert [source.read for source in done.manifest.sources.values()] == [120, 60, 40, 20, 20, 12, 40]


def test_what_is_not_fetched_is_told_and_offline_does_not_try(hub, tmp_path):
    recipe = hub_recipe(tmp_path)
    with pytest.raises(
        NotFetched, match=r"sources\.wildchat\.uri: hf://\S+ is not fetched yet; run `aj fetch`"
    ):
        curate(recipe, documents=no_documents, out=tmp_path / "out", workers=1)
    with pytest.raises(SourceError, match="is not here; run `aj fetch` without --offline"):
        fetch(recipe, offline=True)
    assert not hub.requests
    fetch(recipe)
    hub.requests.clear()
    assert [entry.came for entry in fetch(recipe, offline=True)] == [0] * 6
    assert not hub.requests


def test_check_knows_the_counts_once_they_are_here(hub, tmp_path):
    recipe = hub_recipe(tmp_path, only("kisanvaani", "custom"))
    assert check(recipe).rows == {"kisanvaani": None, "custom": 40}
    fetch(recipe)
    assert check(recipe).rows == {"kisanvaani": 40, "custom": 40}


def test_a_connection_that_breaks_mid_file_gives_the_whole_file(hub, tmp_path):
    hub.faults += [Fault("GET /storage", cut=3000), Fault("GET /storage", cut=0)]
    (entry,) = fetch(hub_recipe(tmp_path, only("wildchat")))
    assert digests(entry.folder) == served(hub, WILDCHAT, *digests(entry.folder))


def test_a_large_file_is_gone_on_with_where_it_broke_off(hub, tmp_path):
    line = b'{"question": "what?", "answer": "that"}\n'
    hub.repos["Offline100/gardening-qa"] = Repo()
    hub.repos["Offline100/gardening-qa"].commit({"train.jsonl": line * 600_000})
    hub.faults.append(Fault("GET /storage", cut=15_000_000))
    (entry,) = fetch(hub_recipe(tmp_path, only("gardening_qa")))
    assert (entry.folder / "train.jsonl").read_bytes() == line * 600_000
    # The client writes stretches of 10 MiB and goes on after the last whole one.
    assert hub.count(f"bytes={10 << 20}-") == 1


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("where", ["/api/datasets", "/tree/", "HEAD /datasets", "GET /storage"])
def test_a_busy_hub_is_waited_for(hub, tmp_path, status, where):
    hub.faults.append(Fault(where, status=status, retry_after="0", times=2))
    (entry,) = fetch(hub_recipe(tmp_path, only("wildchat")))
    assert digests(entry.folder) == served(hub, WILDCHAT, *digests(entry.folder))
    assert hub.faults[0].times == 0


def test_a_hub_that_asks_for_an_hour_is_not_waited_for(hub, tmp_path):
    hub.faults.append(Fault("GET /storage", status=503, retry_after="3600", times=99))
    with pytest.raises(SourceError, match=r"train-0000\d-of-00003.parquet: the hub asks to wait 3600 s"):
        fetch(hub_recipe(tmp_path, only("wildchat")))


@pytest.mark.parametrize("told", ["\u00b2", "9" * 300, "soon", "-5", "Wed, 21 Oct 2015 07:28:00 GMT"])
def test_a_time_to_wait_that_says_nothing_is_no_time_to_wait(hub, tmp_path, monkeypatch, told):
    monkeypatch.setattr("curation.sources.hub.time.sleep", lambda _: None)
    hub.faults.append(Fault("GET /storage", status=503, retry_after=told, times=2))
    (entry,) = fetch(hub_recipe(tmp_path, only("wildchat")))
    assert digests(entry.folder) == served(hub, WILDCHAT, *digests(entry.folder))


@pytest.mark.parametrize("page", ["revision/main", "tree/{commit}"])
@pytest.mark.parametrize(
    "answer",
    [
        b"<html>please log in</html>",
        b"[5]",
        b'{"sha": 5, "siblings": 3}',
        b'[{"type": "file"}]',
        b'[{"type": "file", "path": 5, "size": 1, "oid": "x"}]',
        b'[{"type": "file", "path": "data/train-1.parquet", "size": -5, "oid": "x"}]',
    ],
)
def test_what_answers_and_is_no_hub_is_told_in_one_line(hub, tmp_path, page, answer):
    place = page.format(commit=hub.repos[WILDCHAT].branches["main"])
    hub.pages[f"/api/datasets/{WILDCHAT}/{place}"] = answer
    with pytest.raises(SourceError) as told:
        fetch(hub_recipe(tmp_path, only("wildchat")))
    assert "\n" not in str(told.value)
    assert "is a proxy between" in str(told.value) or "no file matches" in str(told.value)


def test_the_token_goes_to_the_hub_alone(hub, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    recipe = hub_recipe(tmp_path, only("wildchat"))
    assert not any(seen.problem for seen in check_online(load_recipe(recipe)))
    fetch(recipe)
    stored = [request for request in hub.authorised if "/storage/" in request]
    assert hub.count("/storage/") > 3
    assert hub.authorised
    assert not stored


def test_a_corrupted_file_is_fetched_again(hub, tmp_path):
    hub.faults.append(Fault(f"GET /storage/{hub.repos[WILDCHAT].branches['main']}/{SECOND}", flip=True))
    (entry,) = fetch(hub_recipe(tmp_path, only("wildchat")))
    assert digests(entry.folder) == served(hub, WILDCHAT, *digests(entry.folder))


def test_a_file_that_stays_corrupted_is_refused_and_not_kept(hub, tmp_path):
    recipe = hub_recipe(tmp_path, only("wildchat"))
    hub.faults.append(Fault(SECOND, flip=True, times=99))
    with pytest.raises(SourceError, match=f"{SECOND}: what the hub sends is not what commit"):
        fetch(recipe)
    assert fetched_sources(load_recipe(recipe)) == {}
    hub.faults.clear()
    (entry,) = fetch(recipe)
    assert digests(entry.folder) == served(hub, WILDCHAT, *digests(entry.folder))


def test_small_files_are_checked_by_the_digest_that_git_gives_them(hub, tmp_path):
    repo = Repo()
    repo.commit({"train.jsonl": b'{"question": "what?", "answer": "that"}\n'})
    hub.repos["Offline100/gardening-qa"] = repo
    hub.faults.append(Fault("GET /datasets/Offline100/gardening-qa", flip=True, times=99))
    with pytest.raises(SourceError, match=r"train\.jsonl: what the hub sends is not what commit"):
        fetch(hub_recipe(tmp_path, only("gardening_qa")))


def test_a_frozen_recipe_does_not_take_other_files_than_it_names(hub, tmp_path, monkeypatch):
    recipe = hub_recipe(tmp_path, only("kisanvaani", "custom"))
    fetch(recipe)
    path = frozen_from(recipe, tmp_path)
    repo = hub.repos["KisanVaani/agriculture-qa-english-only"]
    # A hub that gives other bytes under the same commit.
    repo.commits[repo.branches["main"]]["data/train-00000-of-00001.parquet"] += b"more"
    for name in ("AJ_CACHE", "HF_HUB_CACHE"):
        monkeypatch.setenv(name, str(tmp_path / "elsewhere" / name))
    with pytest.raises(Refusal, match="the frozen recipe names"):
        fetch(path)


def test_the_tokenizer_comes_without_the_weights(hub, tmp_path):
    files = {name: b'{"a": 1}' for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja")}
    hub.repos["org/model"] = tokenizer_model(files)
    recipe = hub_recipe(tmp_path, only("kisanvaani"), tokenizer={"id": "org/model"})
    _, entry = fetch(recipe)
    assert entry.name == TOKENIZER
    assert sorted(digests(entry.folder)) == sorted(files)
    assert fetched_sources(load_recipe(recipe))[TOKENIZER] == entry.folder
    assert not hub.count("safetensors")


def test_the_token_of_the_environment_opens_what_is_gated(hub, tmp_path, monkeypatch):
    hub.repos[WILDCHAT].gated = True
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    told: list[str] = []
    fetch(hub_recipe(tmp_path, only("wildchat")), tell=told.append)
    assert "Bearer hf_secret" in hub.tokens
    written = [p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()]
    assert not any(b"hf_secret" in data for data in [*written, "\n".join(told).encode()])


def test_a_stored_token_is_not_used(hub, tmp_path):
    path = Path(os.environ["HF_HOME"]) / "token"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("hf_stored")
    fetch(hub_recipe(tmp_path, only("kisanvaani")))
    assert hub.tokens == {None}


def test_a_disk_too_small_is_told_before_the_download(hub, tmp_path, monkeypatch):
    monkeypatch.setattr(
        "curation.jobs.fetch.shutil.disk_usage", lambda _: type("Usage", (), {"free": 1000})()
    )
    with pytest.raises(CurationError, match=r"40\.3 kB are to come and 1\.0 kB are free; make room"):
        fetch(hub_recipe(tmp_path, only("wildchat")))
    assert not hub.count("/resolve/")


def test_the_command_prints_what_came_and_what_to_do_next(hub, tmp_path):
    recipe = hub_recipe(tmp_path, only("kisanvaani", "custom"))
    command = [sys.executable, str(ROOT / "aj.py"), "fetch", str(recipe)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    commit = hub.repos["KisanVaani/agriculture-qa-english-only"].branches["main"]
    assert commit in done.stdout
    assert f"next    aj curate {recipe}" in done.stdout
    assert "1 file, 3.7 kB to come" in done.stderr
    told = subprocess.run([*command, "--offline", "--json"], capture_output=True, text=True, check=True)
    assert yaml.safe_load(told.stdout)["sources"]["kisanvaani"]["commit"] == commit
    wrong = hub_recipe(tmp_path, only("kisanvaani", revision="gone"))
    failed = subprocess.run([*command[:-1], str(wrong)], capture_output=True, text=True, check=False)
    assert (failed.returncode, failed.stdout) == (2, "")
