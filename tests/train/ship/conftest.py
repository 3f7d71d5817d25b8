"""A tiny base, its adapter and their merged model: made once a module, for all that is shipped."""

import pytest
from tiny_adapter import tiny_adapter, tiny_base

from train.ship.merge import merge


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return tiny_base(tmp_path_factory.mktemp("base") / "tiny")


@pytest.fixture(scope="module")
def adapter(tmp_path_factory, base):
    return tiny_adapter(tmp_path_factory.mktemp("adapter") / "AJ-Tiny-v1.0.0-lora", base)


@pytest.fixture(scope="module")
def merged(tmp_path_factory, adapter):
    return merge(adapter, tmp_path_factory.mktemp("merged") / "AJ-Tiny-v1.0.0-merged").out


@pytest.fixture
def without_llama(monkeypatch):
    monkeypatch.setattr("train.ship.export.has_llama", lambda: False)
