"""The base model and its adapter: sizes, refusals, and packing that leaks nothing."""

import json
import os
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file
from tiny_model import tiny_model
from transformers import AutoConfig, AutoModelForCausalLM

from curation.errors import CurationError, Refusal
from curation.recipe.load import TrainSettings
from curation.rendering.template import load_template
from train.data.packing import Collator, Sequences
from train.model.base import check_vocabulary, commit_of, find_base
from train.model.families.table import KNOWN
from train.model.gpus import GIB, count_parameters, estimate, memory_bytes, step_flops
from train.model.leaks import check_packing, leak
from train.model.load_model import attention, check_device, check_weights, load, lora_config, parameters
from train.model.sizes import limits, model_settings, positions, sizes_of

BIG = "deepseek-ai/DeepSeek-R1-Distill-Qwen-32B"
SMALL = TrainSettings(lora_r=4, gradient_checkpointing=False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tiny_model(tmp_path_factory.mktemp("base"))


@pytest.fixture
def copy(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "copy")
    return tmp_path / "copy"


def test_the_32b_architecture_has_536_870_912_trainable_parameters():
    known = {key: value for key, value in KNOWN[BIG].items() if key != "model_type"}
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(AutoConfig.for_model("qwen2", **known))
        model = get_peft_model(model, lora_config(TrainSettings()))
    assert parameters(model) == (536_870_912, 32_763_876_352 + 536_870_912)


@pytest.mark.parametrize(
    ("config", "most"),
    [
        ({}, None),
        ({"max_position_embeddings": 32768, "rope_parameters": {"rope_type": "default"}}, 32768),
        ({"max_position_embeddings": 4096, "rope_scaling": {"type": "linear", "factor": 2.0}}, 8192),
        # As Qwen2.5's model card asks for it, and Llama 3.1, whose config counts the scaled positions.
        (
            {
                "max_position_embeddings": 32768,
                "rope_scaling": {"type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32768},
            },
            131072,
        ),
        (
            {
                "max_position_embeddings": 131072,
                "rope_parameters": {
                    "rope_type": "llama3",
                    "factor": 8.0,
                    "original_max_position_embeddings": 8192,
                },
            },
            131072,
        ),
    ],
)
def test_positions_are_those_of_the_config_and_of_its_scaling(config, most):
    assert positions(config) == most


def test_sizes_alone_give_the_same_parameters():
    found = count_parameters(KNOWN[BIG], TrainSettings())
    assert (found.adapter, found.base) == (536_870_912, 32_763_876_352)


@pytest.mark.parametrize(("checkpointing", "pflop"), [(False, 4.43), (True, 6.55)])
def test_a_full_step_of_the_32b_is_as_many_operations_as_the_roofline_says(checkpointing, pflop):
    settings = TrainSettings(gradient_checkpointing=checkpointing)
    assert step_flops(KNOWN[BIG], settings) / 1e15 == pytest.approx(pflop, rel=0.01)


def test_the_32b_needs_a_card_of_141_gb_and_a_7b_in_4_bit_one_of_24():
    big = memory_bytes(KNOWN[BIG], TrainSettings())
    assert big["weights"] / GIB == pytest.approx(61.0, abs=0.1)
    fits = {told.gpu: told.fits for told in estimate(KNOWN[BIG], TrainSettings(), 5_000)}
    assert [fits[name] for name in ("H200", "A100", "RTX 4090")] == [True, False, False]
    small = TrainSettings(load_in_4bit=True, batch_size=1, lora_r=32, max_seq_length=1024)
    seven = "deepseek-ai/DeepSeek-R1-Distill-Qwen-7B"
    assert {t.gpu: t.fits for t in estimate(KNOWN[seven], small, 1_000)}["RTX 4090"]


def test_float32_takes_twice_the_memory_and_the_time_of_bfloat16():
    half, whole = TrainSettings(), TrainSettings(bf16=False)
    for use in ("weights", "activations"):
        assert memory_bytes(KNOWN[BIG], whole)[use] > 1.6 * memory_bytes(KNOWN[BIG], half)[use]
    told = [estimate(KNOWN[BIG], settings, 5_000)[0] for settings in (half, whole)]
    assert [one.fits for one in told] == [True, False]
    assert told[1].hours == pytest.approx(2 * told[0].hours)


@pytest.mark.parametrize("settings", [{"use_rslora": True}, {"use_dora": True}, {}])
def test_the_adapter_is_of_the_kind_that_the_recipe_asks_for(folder, settings):
    base, asked = find_base("example/tiny", folder=folder), TrainSettings(lora_r=4, **settings)
    loaded = load(base, asked)
    assert count_parameters(base.config, asked).adapter == parameters(loaded.model)[0]
    names = [name for name, weight in loaded.model.named_parameters() if weight.requires_grad]
    assert any("magnitude" in name for name in names) == settings.get("use_dora", False)
    scale = loaded.model.base_model.model.model.layers[0].self_attn.q_proj.scaling["default"]
    assert scale == (128 / 2 if settings.get("use_rslora") else 128 / 4)
    assert loaded.how["backend"] == "peft"


def test_the_adapter_begins_the_same_whatever_was_drawn_before(folder):
    base = find_base("example/tiny", folder=folder)
    first = load(base, SMALL).model.state_dict()
    torch.rand(100)
    second = load(base, SMALL).model.state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_packed_examples_do_not_see_each_other(folder):
    model = load(find_base("example/tiny", folder=folder), SMALL).model
    assert leak(model, [5, 6, 7, 8], [9, 10, 11], 400, Collator(0, 64), 2) < 1e-5
    assert leak(model, [5, 6, 7, 8], [9, 10, 11], 400, Collator(0, 64, flat=True), 2) < 1e-5


def test_the_leak_test_finds_a_leak(folder):
    model = load(find_base("example/tiny", folder=folder), SMALL).model
    forward = model.forward

    def leaking(**given):
        given.pop("position_ids")
        return forward(**given)

    model.forward = leaking
    sequences = Sequences(np.arange(7, dtype=np.int32), np.ones(7, dtype=np.bool_), np.array([0, 4, 7]))
    with pytest.raises(Refusal, match="packed examples see each other with this model's attention"):
        check_packing(model, sequences, 400, Collator(0, 64), 1)


def test_the_leak_test_finds_what_leaks_only_in_a_batch_of_several(folder):
    """As flash attention does in transformers: it reads positions of a single row alone."""
    model = load(find_base("example/tiny", folder=folder), SMALL).model
    forward = model.forward

    def flash(**given):
        if len(given["input_ids"]) > 1:
            given.pop("position_ids")
        return forward(**given)

    model.forward = flash
    sequences = Sequences(np.arange(7, dtype=np.int32), np.ones(7, dtype=np.bool_), np.array([0, 4, 7]))
    check_packing(model, sequences, 400, Collator(0, 64, flat=True), 2)
    with pytest.raises(Refusal, match="packed examples see each other"):
        check_packing(model, sequences, 400, Collator(0, 64), 2)


class Split(torch.nn.Module):
    """As Unsloth leaves a model on a card with little room: the embedding is not where the adapter is."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = torch.nn.Parameter(torch.zeros(400, 1, device="meta"), requires_grad=False)
        self.adapter = torch.nn.Parameter(torch.ones(400))

    def forward(self, input_ids, position_ids):
        return SimpleNamespace(logits=(self.adapter[input_ids] * input_ids).unsqueeze(-1))


def test_the_leak_test_goes_to_where_the_adapter_is():
    assert leak(Split(), [5, 6, 7, 8], [9, 10, 11], 400, Collator(0, 64), 1) == 0.0


def test_flash_attention_is_for_16_bits_and_for_the_package_that_has_it(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr("train.model.load_model.is_flash_attn_2_available", lambda: True)
    assert attention(torch.bfloat16) == "flash_attention_2"
    assert attention(torch.float32) == "sdpa"
    monkeypatch.setattr("train.model.load_model.is_flash_attn_2_available", lambda: False)
    assert attention(torch.bfloat16) == "sdpa"


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


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"num_hidden_layers": 3}, r"layers\.2\.\S+ is missing"),
        ({"vocab_size": 512}, r"lm_head\.weight is \[448, 256\], not \[512, 256\]"),
        ({"model_type": "llama"}, "its architecture is Qwen2ForCausalLM, its model_type that of Llama"),
        (
            {"model_type": "llama", "architectures": ["LlamaForCausalLM"]},
            r"k_proj\.bias is \[128\], not known",
        ),
        ({"layer_types": ["full_attention"]}, "cannot be used: .*layer_type"),
    ],
)
def test_weights_of_another_model_than_the_config_s_are_never_made_up(copy, changes, said):
    config = json.loads((copy / "config.json").read_text())
    config.pop("layer_types")
    (copy / "config.json").write_text(json.dumps({**config, **changes}))
    with pytest.raises(CurationError, match=said):
        check_weights(find_base("example/tiny", folder=copy))


def test_a_weight_that_is_missing_is_never_made_up(copy):
    weights = load_file(copy / "model.safetensors")
    weights.pop("model.layers.1.mlp.up_proj.weight")
    save_file(weights, copy / "model.safetensors", {"format": "pt"})
    with pytest.raises(Refusal, match=r"model\.layers\.1\.mlp\.up_proj\.weight is missing"):
        check_weights(find_base("example/tiny", folder=copy))


def test_missing_weights_are_one_line(copy):
    (copy / "model.safetensors").unlink()
    with pytest.raises(CurationError, match=r"no weights; expected model\.safetensors"):
        find_base("example/tiny", folder=copy)


def test_weights_cut_short_are_one_line(copy):
    weights = copy / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(CurationError, match="not whole"):
        find_base("example/tiny", folder=copy)


def test_a_model_that_is_not_here_says_how_to_fetch_it(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(
        CurationError, match="not on this machine; fetch it with `hf download example/none --rev"
    ):
        find_base("example/none", "abc")


def test_other_weights_of_the_same_shape_are_another_base(copy, folder):
    weights = load_file(copy / "model.safetensors")
    weights["lm_head.weight"] = weights["lm_head.weight"] + 1
    save_file(weights, copy / "model.safetensors")
    prints = {find_base("example/tiny", folder=place).fingerprint for place in (copy, folder)}
    assert len(prints) == 2


def test_a_base_model_has_the_same_settings_whichever_transformers_wrote_them(folder):
    new = json.loads((folder / "config.json").read_text())
    old = {key: value for key, value in new.items() if key not in {"rope_parameters", "head_dim"}}
    old |= {"rope_theta": 1e6, "rope_scaling": None, "sliding_window": 4096, "use_sliding_window": False}
    assert model_settings(old) == model_settings(new)
    yarn = {"type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32768}
    written = {"rope_parameters": {**yarn, "rope_type": yarn["type"], "rope_theta": 1e6}}
    assert model_settings({**old, "rope_scaling": yarn}) == model_settings({**new, **written})
    assert model_settings({**old, "rope_scaling": yarn}) != model_settings(old)


def test_a_tokenizer_with_more_ids_than_embeddings_is_refused(folder, tmp_path):
    with pytest.raises(Refusal, match="the tokenizer's largest id is 700, the model has 448 embeddings"):
        check_vocabulary(sizes_of("example/tiny", folder), 700, tmp_path)


def test_layers_that_the_model_lacks_are_named(folder):
    settings = TrainSettings(target_modules=["q_proj", "c_attn"])
    with pytest.raises(CurationError, match="no layer c_attn; the model has q_proj, k_proj"):
        load(find_base("example/tiny", folder=folder), settings)


def test_what_cannot_be_exported_is_told_beforehand():
    assert limits(KNOWN[BIG], TrainSettings()) == []
    assert limits(KNOWN[BIG], TrainSettings(use_dora=True))[0].startswith("use_dora: `aj merge` and")
    llama = {"architectures": ["LlamaForCausalLM"]}
    assert limits(llama, TrainSettings())[0].startswith("LlamaForCausalLM: `aj export` covers Qwen2")


def test_4_bit_needs_a_gpu(folder):
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    with pytest.raises(CurationError, match="load_in_4bit needs a CUDA GPU"):
        load(find_base("example/tiny", folder=folder), TrainSettings(load_in_4bit=True))


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
    with pytest.raises(Refusal, match=f"at commit {ONE}, the frozen recipe names {OTHER}"):
        find_base("example/tiny", OTHER, copy)


class Unsloth:
    """Stands for Unsloth 2026.10.7: its arguments by name, what it patches, and that it prints."""

    def __init__(self, patched: int) -> None:
        self.patched = patched

    def from_pretrained(
        self, *, model_name, max_seq_length, dtype, load_in_4bit, local_files_only,
        use_gradient_checkpointing, use_exact_model_name,
    ):  # fmt: skip
        print("a banner")
        assert local_files_only
        assert use_exact_model_name
        model = AutoModelForCausalLM.from_pretrained(model_name, dtype=dtype)
        for layer in model.model.layers[: self.patched]:
            layer.self_attn.forward = lambda *_: None
            layer.self_attn.forward.__module__ = "unsloth.models.llama"
        return model, None

    def get_peft_model(
        self, model, *, r, lora_alpha, lora_dropout, target_modules, use_rslora, bias,
        use_gradient_checkpointing, random_state, max_seq_length,
    ):  # fmt: skip
        return get_peft_model(model, LoraConfig(r=r, target_modules=target_modules))


def test_unsloth_is_told_what_it_takes_and_prints_nothing_where_results_go(folder, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "unsloth", SimpleNamespace(FastLanguageModel=Unsloth(2)))
    loaded = load(find_base("example/tiny", folder=folder), TrainSettings(lora_r=4), backend="unsloth")
    assert (loaded.how["backend"], loaded.how["patched_layers"]) == ("unsloth", 2)
    shown = capsys.readouterr()
    assert (shown.out, "a banner" in shown.err) == ("", True)


def test_unsloth_s_generated_code_is_not_written_to_the_current_folder(folder, monkeypatch):
    monkeypatch.delenv("UNSLOTH_COMPILE_LOCATION", raising=False)
    monkeypatch.setitem(sys.modules, "unsloth", SimpleNamespace(FastLanguageModel=Unsloth(2)))
    load(find_base("example/tiny", folder=folder), TrainSettings(lora_r=4), backend="unsloth")
    place = Path(os.environ["UNSLOTH_COMPILE_LOCATION"])
    assert place.is_absolute()
    assert Path.cwd() not in place.parents


@pytest.mark.parametrize("error", [ImportError, AttributeError, NotImplementedError])
def test_what_unsloth_cannot_load_is_one_line(folder, monkeypatch, error):
    class Broken(Unsloth):
        def from_pretrained(self, **_):
            raise error("it does not know this\ntransformers")

    monkeypatch.setitem(sys.modules, "unsloth", SimpleNamespace(FastLanguageModel=Broken(2)))
    with pytest.raises(CurationError, match="unsloth cannot load example/tiny: it does not know this; witho"):
        load(find_base("example/tiny", folder=folder), TrainSettings(lora_r=4), backend="unsloth")


def test_4_bits_that_unsloth_did_without_are_not_trained(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "unsloth", SimpleNamespace(FastLanguageModel=Unsloth(2)))
    monkeypatch.setattr("train.model.load_model.check_device", lambda _: None)
    settings = TrainSettings(lora_r=4, load_in_4bit=True)
    with pytest.raises(CurationError, match="unsloth loaded example/tiny in 16 bits, not 4"):
        load(find_base("example/tiny", folder=folder), settings, backend="unsloth")


def test_a_model_that_unsloth_patched_in_part_is_not_trained(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "unsloth", SimpleNamespace(FastLanguageModel=Unsloth(1)))
    with pytest.raises(CurationError, match="unsloth patched 1 of 2 layers of example/tiny"):
        load(find_base("example/tiny", folder=folder), TrainSettings(lora_r=4), backend="unsloth")


def test_a_model_that_does_not_fit_is_one_line(folder, monkeypatch):
    def full(*_, **__):
        raise RuntimeError("CUDA error: out of memory")

    monkeypatch.setattr("train.model.load_model.get_peft_model", full)
    with pytest.raises(CurationError, match="does not fit the GPU's memory; set load_in_4bit: true or a sh"):
        load(find_base("example/tiny", folder=folder), TrainSettings(lora_r=4))


def test_what_the_card_cannot_do_is_one_line(monkeypatch):
    with pytest.raises(CurationError, match="adamw_8bit needs a CUDA GPU; on a CPU set `optimizer: adamw"):
        check_device(TrainSettings(optimizer="adamw_8bit"))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "Tesla T4")
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: False)
    with pytest.raises(CurationError, match="Tesla T4 has no bfloat16; set `bf16: false`"):
        check_device(TrainSettings())
    check_device(TrainSettings(bf16=False))
    monkeypatch.setattr("train.model.load_model.has_package", lambda _: False)
    with pytest.raises(CurationError, match="paged_adamw_8bit needs bitsandbytes: pip install"):
        check_device(TrainSettings(optimizer="paged_adamw_8bit", bf16=False))


def test_a_broken_tokenizer_is_one_line(copy):
    for broken in (b"{", b"[]", b'{"added_tokens": [3]}'):
        (copy / "tokenizer.json").write_bytes(broken)
        with pytest.raises(CurationError, match=r"tokenizer\.json is no tokenizer\.json"):
            load_template("aj_r1", copy)
