import shutil

import pytest
from safetensors.torch import load_file, save_file
from tiny_model import tiny_model

from curation.errors import CurationError
from train.model.base import find_base


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tiny_model(tmp_path_factory.mktemp("base"))


@pytest.fixture
def copy(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "copy")
    return tmp_path / "copy"


def test_missing_weights_are_one_line(copy):
    (copy / "model.safetensors").unlink()
    with pytest.raises(CurationError, match=r"no weights; expected model\.safetensors"):
        find_base("example/tiny", folder=copy)


def test_weights_cut_short_are_one_line(copy):
    weights = copy / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(CurationError, match="not whole"):
        find_base("example/tiny", folder=copy)


def test_other_weights_of_the_same_shape_are_another_base(copy, folder):
    weights = load_file(copy / "model.safetensors")
    weights["lm_head.weight"] = weights["lm_head.weight"] + 1
    save_file(weights, copy / "model.safetensors")
    prints = {find_base("example/tiny", folder=place).fingerprint for place in (copy, folder)}
    assert len(prints) == 2
