import json
import shutil
from pathlib import Path

import pytest
from tiny_model import tiny_model

from curation.errors import CurationError, Refusal
from train.model.base import find_base
from train.model.sizes import check_vocabulary, commit_of, sizes_of

BIG = "deepseek-ai/DeepSeek-R1-Distill-Qwen-32B"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tiny_model(tmp_path_factory.mktemp("base"))


@pytest.fixture
def copy(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "copy")
    return tmp_path / "copy"


def test_another_architecture_is_refused(copy):
    config = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps({**config, "architectures": ["GPT2LMHeadModel"]}))
    with pytest.raises(CurationError, match="the architecture is GPT2LMHeadModel; expected one of Qwen2For"):
        find_base("example/tiny", folder=copy)


def test_a_folder_with_another_model_than_the_recipe_names_is_refused(folder):
    with pytest.raises(CurationError, match=f"not {BIG}: hidden_size 256 instead of 5120"):
        find_base(BIG, folder=folder)


@pytest.mark.parametrize("value", [None, "many"])
def test_a_config_without_its_sizes_is_one_line(copy, value):
    config = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps({**config, "num_attention_heads": value}))
    with pytest.raises(CurationError, match=r"config\.json: no num_attention_heads; expected the config"):
        find_base("example/tiny", folder=copy)


def test_a_model_that_is_not_here_says_how_to_fetch_it(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(
        CurationError, match="not on this machine; fetch it with `hf download example/none --rev"
    ):
        find_base("example/none", "abc")


def test_a_tokenizer_with_more_ids_than_embeddings_is_refused(folder, tmp_path):
    with pytest.raises(Refusal, match="the tokenizer's largest id is 700, the model has 448 embeddings"):
        check_vocabulary(sizes_of("example/tiny", folder), 700, tmp_path)


ONE, OTHER = "1" * 40, "2" * 40


def noted(folder: Path, name: str, commit: str) -> None:
    """What `hf download --local-dir` leaves beside a file."""
    notes = folder / ".cache/huggingface/download"
    notes.mkdir(parents=True, exist_ok=True)
    (notes / f"{name}.metadata").write_text(f"{commit}\netag\n1764000000.0\n")


def test_a_folder_tells_its_commit_where_the_hub_s_client_made_it(copy):
    assert commit_of(copy) is None
    noted(copy, "config.json", ONE)
    noted(copy, "model.safetensors", ONE)
    assert commit_of(copy) == ONE
    noted(copy, "model.safetensors", OTHER)
    assert commit_of(copy) is None, "files of two commits"
    snapshot = tiny_model(copy / "models--example--tiny" / "snapshots" / OTHER)
    assert commit_of(snapshot) == OTHER


def test_another_commit_than_the_frozen_one_is_refused(copy):
    noted(copy, "config.json", ONE)
    assert find_base("example/tiny", ONE, copy).commit == ONE
    assert find_base("example/tiny", "main", copy).as_dict()["commit"] == ONE
    with pytest.raises(Refusal, match=f"at commit {ONE}, the recipe names {OTHER}"):
        find_base("example/tiny", OTHER, copy)
