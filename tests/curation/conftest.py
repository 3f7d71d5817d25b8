"""An approved dataset, and a copy of it to be harmed: for whatever verifies."""

import shutil
from pathlib import Path

import pytest
from tiny_dataset import tiny_dataset

from curation.release.approval import approve


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    dataset = tiny_dataset(tmp_path_factory.mktemp("whole") / "tiny")
    approve(dataset, "Ada")
    return dataset


@pytest.fixture
def dataset(whole, tmp_path) -> Path:
    """A copy of an approved dataset, to be harmed."""
    return shutil.copytree(whole, tmp_path / "tiny")
