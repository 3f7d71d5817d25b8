"""A streamed merge gives the bits of peft's, and refuses what it does not cover."""

import errno
import json
import shutil
from pathlib import Path

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file, save_file
from tiny_adapter import edited, seal, tiny_adapter, tiny_base
from transformers import AutoModelForCausalLM

from curation.errors import CurationError, Refusal
from curation.files import file_digest
from train.model.tensors import Checkpoint
from train.run.model_folder import parent_of
from train.ship import merge as merging
from train.ship.merge import beside_adapter, merge


@pytest.mark.parametrize("dtype", ["bfloat16", "float32", "float16"])
@pytest.mark.parametrize("use_rslora", [False, True])
def test_every_bit_is_that_of_merge_and_unload(tmp_path, dtype, use_rslora):
    base = tiny_base(tmp_path / "base", dtype)
    adapter = tiny_adapter(tmp_path / "lora", base, use_rslora=use_rslora)
    merge(adapter, tmp_path / "merged", shard_bytes=500_000)
    ours = Checkpoint(tmp_path / "merged")
    model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base, dtype="auto"), adapter)
    theirs = model.merge_and_unload().state_dict()
    assert set(ours.entries) == set(theirs)
    for name, weight in theirs.items():
        assert weight.dtype == getattr(torch, dtype)
        assert torch.equal(ours.read(name), weight), name


def test_of_whole_weights_and_shards_the_merge_takes_what_transformers_takes(tmp_path, base, adapter):
    both = tmp_path / "both"
    shutil.copytree(base, both)
    AutoModelForCausalLM.from_pretrained(base).save_pretrained(tmp_path / "cut", max_shard_size="500KB")
    for shard in (tmp_path / "cut").glob("model*"):
        shutil.copy(shard, both)
    for shard in both.glob("model-*.safetensors"):
        save_file({name: weight + 1 for name, weight in load_file(shard).items()}, shard, {"format": "pt"})
    loaded = AutoModelForCausalLM.from_pretrained(both).state_dict()
    assert torch.equal(Checkpoint(both).read("model.norm.weight"), loaded["model.norm.weight"])
    merge(adapter, tmp_path / "merged", base=both)


def test_an_adapter_stored_in_bfloat16_merges_as_peft_loads_it(tmp_path, base):
    adapter = tiny_adapter(tmp_path / "lora", base)
    factors = load_file(adapter / "adapter_model.safetensors")
    save_file({n: w.bfloat16() for n, w in factors.items()}, adapter / "adapter_model.safetensors")
    seal(adapter)
    merge(adapter, tmp_path / "merged")
    model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base, dtype="auto"), adapter)
    theirs = model.merge_and_unload().state_dict()
    ours = Checkpoint(tmp_path / "merged")
    assert all(torch.equal(ours.read(name), weight) for name, weight in theirs.items())


def test_the_merged_folder_loads_in_transformers_and_records_what_it_was_made_from(tmp_path, base, adapter):
    found = merge(adapter, tmp_path / "merged", shard_bytes=500_000)
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "merged", dtype="auto")
    assert found.tensors == len(model.state_dict())
    assert found.changed == 14
    record = json.loads((tmp_path / "merged" / "merge.json").read_text())
    assert record["files"] == {name: file_digest(tmp_path / "merged" / name) for name in record["files"]}
    assert set(record["files"]) == {p.name for p in (tmp_path / "merged").iterdir()} - {"merge.json"}
    assert "chat_template.jinja" in record["files"]
    assert "aj export" in found.as_text()


def test_what_is_next_after_a_trial_is_not_refused(tmp_path, base):
    trial = tiny_adapter(tmp_path / "AJ-Tiny-v1.0.0-lora-trial", base, run={"trial": True})
    assert merge(trial, tmp_path / "merged").as_text().endswith(f"next    aj try {tmp_path / 'merged'}")


def test_what_is_made_beside_a_model_is_told_as_the_model_was(tmp_path, monkeypatch):
    (tmp_path / "build/AJ-Tiny-lora").mkdir(parents=True)
    (tmp_path / "link-lora").symlink_to("build/AJ-Tiny-lora")
    monkeypatch.chdir(tmp_path)
    assert beside_adapter(Path("build/AJ-Tiny-lora")) == Path("build/AJ-Tiny-merged")
    assert parent_of(Path("build")) == Path()
    assert beside_adapter(Path("link-lora")) == tmp_path / "build/AJ-Tiny-merged"
    monkeypatch.chdir("build/AJ-Tiny-lora")
    assert beside_adapter(Path()) == tmp_path / "build/AJ-Tiny-merged"


def test_merging_twice_gives_the_same_bytes(tmp_path, adapter):
    for name in ("first", "second"):
        merge(adapter, tmp_path / name)
    first, second = tmp_path / "first", tmp_path / "second"
    assert all(file.read_bytes() == (second / file.name).read_bytes() for file in first.iterdir())


def test_a_base_of_the_same_shapes_with_other_weights_is_refused(tmp_path, base, adapter):
    other = tiny_base(tmp_path / "base")
    weights = load_file(other / "model.safetensors")
    weights["model.layers.1.mlp.up_proj.weight"][-1, -1] += 1
    save_file(weights, other / "model.safetensors")
    with pytest.raises(Refusal, match="another base model"):
        merge(adapter, tmp_path / "merged", base=other)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("1000000.0", "10000.0", r"rope_theta was 1000000\.0, is 10000\.0"),
        ("1e-05", "0.001", r"rms_norm_eps was 0\.00001, is 0\.001"),
        ("Qwen2ForCausalLM", "Qwen3ForCausalLM", "architecture was Qwen2ForCausalLM, is Qwen3ForCausalLM"),
    ],
)
def test_a_base_of_the_same_weights_with_other_settings_is_refused(tmp_path, adapter, old, new, said):
    other = tiny_base(tmp_path / "base")
    text = (other / "config.json").read_text()
    assert old in text
    (other / "config.json").write_text(text.replace(old, new))
    with pytest.raises(Refusal, match=f"trained on another base model than .*: {said}"):
        merge(adapter, tmp_path / "merged", base=other)


def test_an_adapter_changed_after_training_is_refused(tmp_path, adapter):
    lora = edited(adapter, tmp_path / "lora")
    file = lora / "adapter_model.safetensors"
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    with pytest.raises(Refusal, match="not what `aj train` wrote"):
        merge(lora, tmp_path / "merged")


def test_a_base_model_that_is_not_here_names_the_ways_out(tmp_path, adapter):
    lora = edited(adapter, tmp_path / "lora", base_model_name_or_path="example/absent-32b")
    with pytest.raises(CurationError, match=r"hf download example/absent-32b.*--base-model DIR"):
        merge(lora, tmp_path / "merged")


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()])
def test_a_full_disk_and_ctrl_c_leave_nothing_behind(tmp_path, adapter, monkeypatch, error):
    def fail(*_):
        raise error

    monkeypatch.setattr(merging, "write_checkpoint", fail)
    expected = CurationError if isinstance(error, OSError) else KeyboardInterrupt
    with pytest.raises(expected, match=r"No space left|^$"):
        merge(adapter, tmp_path / "merged")
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_to_is_one_line(tmp_path, adapter):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(CurationError, match=r"merged: cannot write: (File exists|Not a directory)"):
        merge(adapter, tmp_path / "file" / "merged")


def test_nothing_finished_is_replaced_without_force_and_nothing_else_with_it(tmp_path, adapter):
    merge(adapter, tmp_path / "merged")
    with pytest.raises(CurationError, match="--force"):
        merge(adapter, tmp_path / "merged")
    merge(adapter, tmp_path / "merged", force=True)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.txt").write_text("years of work")
    with pytest.raises(CurationError, match="replaces merged models only"):
        merge(adapter, tmp_path / "other", force=True)
    assert (tmp_path / "other" / "thesis.txt").exists()


def test_a_killed_run_leaves_nothing_that_passes_for_a_model(tmp_path, adapter):
    left = tmp_path / ".merged.99999999.part"
    left.mkdir()
    (left / "model.safetensors").write_bytes(b"half")
    merge(adapter, tmp_path / "merged")
    assert not left.exists()
