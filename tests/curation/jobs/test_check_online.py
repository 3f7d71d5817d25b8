"""`aj check --online`: what is there is looked at, not downloaded."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hub_layouts import parquet, wildchat_row
from hub_recipe import SOURCES, hub_recipe, only, seven_sources
from hub_server import HubServer, Repo

from curation.jobs.check_online import Seen, check_online
from curation.recipe.load import load_recipe

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def hub(tmp_path, monkeypatch) -> Iterator[HubServer]:
    with seven_sources(tmp_path / "cache", monkeypatch) as server:
        yield server


def look(path: Path) -> dict[str, Seen]:
    return {seen.name: seen for seen in check_online(load_recipe(path))}


def test_the_seven_sources_are_there_with_the_columns_that_their_readers_want(hub, tmp_path):
    seen = look(hub_recipe(tmp_path))
    assert list(seen) == [name for name in SOURCES if name != "custom"]
    assert all(entry.problem is None for entry in seen.values()), seen
    assert seen["wildchat"].columns[:4] == ["conversation_hash", "model", "timestamp", "conversation"]
    assert (seen["wildchat"].files, seen["gardening_qa"].columns) == (3, [])
    assert not list((tmp_path / "cache").rglob("*.parquet"))


def test_a_large_file_is_read_by_its_ends_only(hub, tmp_path):
    rows = [wildchat_row(n, words=1000) for n in range(3000)]
    hub.repos["allenai/WildChat-1M"] = Repo()
    data = parquet(rows, group=100)
    hub.repos["allenai/WildChat-1M"].commit({"data/train-00000-of-00001.parquet": data})
    seen = look(hub_recipe(tmp_path, only("wildchat")))
    assert seen["wildchat"].problem is None
    assert (seen["wildchat"].bytes, hub.sent < len(data) / 3) == (len(data), True)


@pytest.mark.parametrize(
    ("name", "change", "problem"),
    [
        ("kisanvaani", {"columns": {"answer": "reply"}}, "answer"),
        ("kisanvaani", {"reader": "messages", "columns": None}, "no record of train-00000-of-00001.parquet"),
        ("kisanvaani", {"uri": "hf://datasets/org/none"}, "no such repository"),
        ("wildchat", {"where": {"lang": "English"}}, "lang"),
        ("gardening_qa", {"reader": "sharegpt"}, r"no record of train.jsonl fits reader sharegpt"),
    ],
)
def test_what_would_not_fit_is_told(hub, tmp_path, name, change, problem):
    source = {key: value for key, value in {**SOURCES[name], **change}.items() if value is not None}
    (seen,) = look(hub_recipe(tmp_path, {name: source})).values()
    assert seen.problem is not None
    assert problem in seen.problem


def test_the_command_says_which_sources_are_not_there(hub, tmp_path):
    sources = {**only("kisanvaani"), "lost": {**SOURCES["gardening"], "uri": "hf://datasets/org/lost"}}
    command = [sys.executable, str(ROOT / "aj.py"), "check", str(hub_recipe(tmp_path, sources)), "--online"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "kisanvaani  there: 1 files, 0.0 MB; columns question, answers" in done.stdout
    assert "lost  NOT READY" in done.stdout
