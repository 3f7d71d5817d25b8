"""A recipe over hub and https sources, and an environment that points at a hub of the tests' own."""

import hashlib
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from hub_layouts import fill
from hub_server import HubServer, running
from small_recipe import conversation, no_documents, write_jsonl

from curation.jobs.curate import curate
from curation.release.approval import approve
from curation.release.freeze import freeze

WILDCHAT = "allenai/WildChat-1M"
SECOND = "data/train-00001-of-00003.parquet"

SOURCES: dict[str, dict[str, Any]] = {
    "wildchat": {
        "uri": "hf://datasets/allenai/WildChat-1M",
        "revision": "main",
        "files": "data/train-*.parquet",
        "reader": "wildchat",
        "group": "conversational",
        "where": {"language": "English", "toxic": False},
        "take": 50,
    },
    "ultrachat": {
        "uri": "hf://datasets/HuggingFaceH4/ultrachat_200k",
        "revision": "main",
        "files": "data/train_sft-*.parquet",
        "reader": "messages",
        "group": "conversational",
    },
    "kisanvaani": {
        "uri": "hf://datasets/KisanVaani/agriculture-qa-english-only",
        "reader": "qa",
        "group": "plants",
        "columns": {"question": "question", "answer": "answers"},
    },
    "gardening": {
        "uri": "hf://datasets/mlfoundations-dev/stackexchange_gardening",
        "files": "data/*.parquet",
        "reader": "sharegpt",
        "group": "plants",
    },
    "gardening_qa": {"uri": "hf://datasets/Offline100/gardening-qa", "reader": "qa", "group": "plants"},
    "skein": {
        "uri": "hf://datasets/ToastyPigeon/skein-text-adventures",
        "files": ["cys-split.json", "floyd-split.json"],
        "reader": "adventure",
        "group": "strategic",
    },
    "custom": {"uri": "data/*.jsonl", "reader": "messages", "group": "custom"},
}


def hub_recipe(folder: Path, sources: Mapping[str, Mapping[str, Any]] = SOURCES, **changes: Any) -> Path:
    """A recipe over some sources, with equal shares; `changes` replace its keys. Returns its path."""
    write_jsonl(folder / "data/custom.jsonl", [conversation(70_000 + n) for n in range(40)])
    groups = list(dict.fromkeys(source["group"] for source in sources.values()))
    shares = {group: round(1 / len(groups), 6) for group in groups}
    shares[groups[0]] = round(1 - sum(list(shares.values())[1:]), 6)
    recipe = {
        "name": "hub",
        "version": "1.0.0",
        "seed": 17,
        "base_model": {"id": "org/model", "code": "Model", "revision": "main"},
        "sources": dict(sources),
        "mixture": {"shares": shares, "total": "max", "max_repeat": 16},
        "split": {"eval": 0.05},
        "stages": ["normalise", "chat", "exact_duplicates"],
        "gates": [{"metric": "eval.leaked_rows", "max": 0}],
        **changes,
    }
    path = folder / "recipe.yaml"
    path.write_text(yaml.safe_dump(recipe, sort_keys=False))
    return path


def only(*names: str, **changes: Any) -> dict[str, dict[str, Any]]:
    """Some of the sources; `changes` are made to each of them."""
    return {name: {**SOURCES[name], **changes} for name in names}


def point_at(hub: HubServer, folder: Path) -> dict[str, str]:
    """Environment for a client of this hub, with its caches in `folder`."""
    return {
        "HF_ENDPOINT": hub.url,
        "HF_HOME": str(folder / "huggingface"),
        "HF_HUB_CACHE": str(folder / "huggingface/hub"),
        "HF_TOKEN": "",
        "HF_HUB_OFFLINE": "0",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "AJ_CACHE": str(folder / "aj"),
        "NO_PROXY": "127.0.0.1,localhost",
    }


@contextmanager
def seven_sources(cache: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    """A hub with the seven sources, for this process; the client's retries do not clutter the output."""
    logging.getLogger("huggingface_hub").setLevel(logging.CRITICAL)
    with running() as server:
        fill(server)
        for name, value in point_at(server, cache).items():
            monkeypatch.setenv(name, value)
        yield server


def digests(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def served(hub: HubServer, repo: str, *paths: str) -> dict[str, str]:
    """Digests of files as the newest commit has them."""
    files = hub.repos[repo].commits[hub.repos[repo].branches["main"]]
    return {path: hashlib.sha256(files[path]).hexdigest() for path in paths}


def frozen_from(recipe: Path, folder: Path) -> Path:
    """The frozen recipe of what `recipe` gives."""
    done = curate(recipe, documents=no_documents, out=folder / "out", workers=1)
    approve(done.dataset, "Ada")
    return freeze(done.dataset, folder / "frozen.yaml")
