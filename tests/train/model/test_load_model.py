"""The base model with its adapter: how it is loaded, and what is refused."""

import json
import os
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file
from tiny_model import tiny_model
from transformers import AutoConfig, AutoModelForCausalLM

from curation.errors import CurationError, Refusal
from curation.recipe.load import TrainSettings
from curation.rendering.template import load_template
from train.model.base import find_base
from train.model.families.table import KNOWN
from train.model.gpus import count_parameters
from train.model.load_model import attention, check_device, check_weights, load, lora_config, parameters

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


def test_flash_attention_is_for_16_bits_and_for_the_package_that_has_it(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr("train.model.load_model.is_flash_attn_2_available", lambda: True)
    assert attention(torch.bfloat16) == "flash_attention_2"
    assert attention(torch.float32) == "sdpa"
    monkeypatch.setattr("train.model.load_model.is_flash_attn_2_available", lambda: False)
    assert attention(torch.bfloat16) == "sdpa"


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


def test_layers_that_the_model_lacks_are_named(folder):
    settings = TrainSettings(target_modules=["q_proj", "c_attn"])
    with pytest.raises(CurationError, match="no layer c_attn; the model has q_proj, k_proj"):
        load(find_base("example/tiny", folder=folder), settings)


def test_4_bit_needs_a_gpu(folder):
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    with pytest.raises(CurationError, match="load_in_4bit needs a CUDA GPU"):
        load(find_base("example/tiny", folder=folder), TrainSettings(load_in_4bit=True))


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
