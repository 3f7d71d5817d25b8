"""Models of other make than the tiny Qwen2: tied embeddings, Qwen3, widths that are no multiple of 256."""

import json
import os
import subprocess

import pytest
import torch
from tiny_adapter import tiny_adapter
from tiny_model import tiny_model
from transformers import AutoModelForCausalLM, Qwen2Config, Qwen2ForCausalLM, Qwen3Config, Qwen3ForCausalLM

from curation.errors import CurationError
from train.ship import export as exporting
from train.ship.export import export
from train.ship.merge import merge
from train.ship.quantise import QUANTS

SIZES = {
    "hidden_size": 256,
    "intermediate_size": 512,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "rope_parameters": {"rope_type": "default", "rope_theta": 1e6},
    "dtype": "bfloat16",
}
MODELS = {
    "tied": (Qwen2Config, Qwen2ForCausalLM, {"tie_word_embeddings": True}),
    "narrow": (Qwen2Config, Qwen2ForCausalLM, {"hidden_size": 160, "intermediate_size": 224}),
    "qwen3": (Qwen3Config, Qwen3ForCausalLM, {"head_dim": 32, "tie_word_embeddings": False}),
}


@pytest.fixture(params=MODELS)
def model(request, tmp_path):
    """An adapter on a model of that make, and its base."""
    base = tiny_model(tmp_path / "base")
    vocabulary = json.loads((base / "config.json").read_text())["vocab_size"]
    config, kind, changes = MODELS[request.param]
    with torch.random.fork_rng():
        torch.manual_seed(5)
        kind(config(**{**SIZES, "vocab_size": vocabulary, **changes})).to(torch.bfloat16).save_pretrained(
            base
        )
    return tiny_adapter(tmp_path / "AJ-Other-v1.0.0-lora", base), base


@pytest.mark.llama
def test_every_type_says_what_the_model_says(tmp_path, model):
    adapter, _ = model
    for one in export(adapter, list(QUANTS), out=tmp_path / "out"):
        assert one.record.check["kl_mean"] <= one.record.check["max_kl"]


def test_the_merged_model_answers_as_the_adapter_does(tmp_path, model):
    from peft import PeftModel

    adapter, base = model
    merge(adapter, tmp_path / "merged")
    ids = torch.arange(5, 40)[None]
    merged = AutoModelForCausalLM.from_pretrained(tmp_path / "merged", dtype="auto")
    adapted = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base, dtype="auto"), adapter)
    with torch.inference_mode():
        assert torch.equal(merged(ids).logits, adapted.merge_and_unload()(ids).logits)


@pytest.fixture
def small_disk(tmp_path):
    """A disk of one megabyte."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("only root can make a small disk")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_is_one_line_and_leaves_nothing(tmp_path, small_disk, monkeypatch):
    base = tiny_model(tmp_path / "base")
    adapter = tiny_adapter(tmp_path / "AJ-Tiny-v1.0.0-lora", base)
    with pytest.raises(CurationError, match="No space left"):
        merge(adapter, small_disk / "merged")
    with pytest.raises(CurationError, match=r"GB free, .* GB needed"):
        export(adapter, ["q8_0"], out=small_disk)
    monkeypatch.setattr(exporting, "check_space", lambda *_: None)
    with pytest.raises(CurationError, match=r"cannot write"):
        export(adapter, ["q8_0"], out=small_disk)
    assert list(small_disk.iterdir()) == []
