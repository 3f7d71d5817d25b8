"""Every family of the table: what it says is what transformers and llama.cpp make of such a model."""

import gguf
import pytest
import torch
from msgspec.structs import replace
from peft import LoraConfig, get_peft_model
from transformers import AutoConfig, AutoModelForCausalLM

from curation.recipe.load import TrainSettings
from train.model.base import find_base
from train.model.families.decoder import EMBEDDING, HEAD, LAYER, NORM, heads, rotary
from train.model.families.family import Family
from train.model.families.table import FAMILIES, KNOWN, architecture, family_of
from train.model.gpus import count_parameters
from train.model.load_model import check_weights, load, lora_config
from train.model.sizes import limits, model_settings, read_config, with_targets
from train.model.tensors import Checkpoint
from train.model.tiny import write_tiny_model
from train.ship.gguf_writer import architecture as gguf_architecture
from train.ship.gguf_writer import tensor_names

ON_A_CPU = TrainSettings(load_in_4bit=False, bf16=False, optimizer="adamw_torch")
families = pytest.mark.parametrize("family", FAMILIES.values(), ids=lambda family: family.model_type)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    made = {}

    def folder(family: Family):
        if family not in made.values():
            made[write_tiny_model(tmp_path_factory.mktemp(family.model_type), family=family)] = family
        return next(path for path, one in made.items() if one is family)

    return folder


@families
def test_its_config_is_read_and_its_weights_take_an_adapter(family, tiny):
    base = find_base("example/tiny", folder=tiny(family))
    assert family_of(base.config) is family
    check_weights(base)
    layers = list(family.layers(base.config))
    model = load(base, replace(ON_A_CPU, target_modules=layers), backend="peft").model
    adapted = {name.split(".")[-4] for name, _ in model.named_parameters() if ".lora_A." in name}
    assert adapted == set(layers)


@families
def test_all_linear_are_the_layers_that_peft_means(family, tiny):
    base = find_base("example/tiny", folder=tiny(family))
    named = with_targets(base.config, replace(ON_A_CPU, target_modules="all-linear"))
    assert named.target_modules == list(family.layers(base.config))
    assert with_targets(base.config, named) is named
    config = LoraConfig(task_type="CAUSAL_LM", target_modules="all-linear")
    peft_s = get_peft_model(AutoModelForCausalLM.from_pretrained(base.folder), config)
    ours = load(base, replace(ON_A_CPU, target_modules="all-linear"), backend="peft").model
    assert [name for name, _ in ours.named_parameters()] == [name for name, _ in peft_s.named_parameters()]


@families
def test_its_linear_layers_and_parameters_are_those_of_transformers(family, tiny):
    config = read_config(tiny(family))
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(tiny(family)))
    assert type(model).__name__ == family.architecture
    linear = {
        name.split(".")[-1]: (module.in_features, module.out_features)
        for name, module in model.model.layers[0].named_modules()
        if isinstance(module, torch.nn.Linear)
    }
    assert family.layers(config) == linear
    assert count_parameters(config, ON_A_CPU).base == pytest.approx(model.num_parameters(), rel=1e-3)
    biased = {name.split(".")[-2] for name in model.state_dict() if name.endswith(".bias")}
    assert biased == ({"q_proj", "k_proj", "v_proj"} if family.has_biases else set())


@families
def test_its_weights_are_named_as_those_of_all_families(family, tiny):
    names = Checkpoint(tiny(family)).entries.keys()
    assert {EMBEDDING, NORM, HEAD} <= names
    rest = names - {EMBEDDING, NORM, HEAD}
    assert all(name.startswith((LAYER.format(0), LAYER.format(1))) for name in rest)


@families
def test_it_is_exported_or_said_not_to_be(family, tiny):
    config = read_config(tiny(family))
    told = limits(config, TrainSettings())
    if family.gguf is None:
        assert told[0].startswith(f"{family.architecture}: `aj export` covers ")
        return
    assert told == []
    assert gguf.MODEL_ARCH_NAMES[gguf_architecture(config)] == family.gguf
    named = tensor_names(Checkpoint(tiny(family)), config)
    assert [named[0][0], named[-2][0], named[-1][0]] == [
        "token_embd.weight",
        "output.weight",
        "output_norm.weight",
    ]


@families
def test_a_window_counts_where_transformers_uses_it(family):
    sizes = {
        **KNOWN["Qwen/Qwen2.5-7B-Instruct"],
        "architectures": [family.architecture],
        "sliding_window": 64,
    }
    assert model_settings(sizes)["sliding_window"] == (64 if family.slides else None)
    assert model_settings({**sizes, "use_sliding_window": True})["sliding_window"] == 64


@pytest.mark.parametrize("name", KNOWN)
def test_a_model_of_known_sizes_is_counted_as_transformers_counts_it(name):
    config = AutoConfig.for_model(family_of(KNOWN[name]).model_type, **KNOWN[name])
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config)
        model = get_peft_model(model, lora_config(TrainSettings()))
    found = count_parameters(KNOWN[name], TrainSettings())
    trainable, total = model.get_nb_trainable_parameters()
    assert found.adapter == trainable
    assert found.base == pytest.approx(total - trainable, rel=1e-4)


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({}, {"rope_theta": None, "rope_type": "default"}),
        ({"rope_theta": 1e4}, {"rope_theta": 1e4, "rope_type": "default"}),
        (
            {"rope_theta": 1e4, "rope_scaling": {"type": "yarn", "factor": 2.0}},
            {"rope_theta": 1e4, "factor": 2.0, "rope_type": "yarn"},
        ),
        (
            {"rope_parameters": {"rope_type": "llama3", "rope_theta": 5e5}},
            {"rope_theta": 5e5, "rope_type": "llama3"},
        ),
    ],
)
def test_rotary_settings_read_alike_however_they_were_written(config, expected):
    assert rotary(config) == expected


def test_a_config_that_says_little_of_heads_means_one_of_keys_each():
    little = {"hidden_size": 64, "num_attention_heads": 4}
    assert heads(little) == (4, 4, 16)
    assert heads({**little, "num_key_value_heads": 2, "head_dim": 32}) == (4, 2, 32)


def test_no_two_families_share_a_name():
    assert len({family.model_type for family in FAMILIES.values()}) == len(FAMILIES)
    assert all(family.architecture == name for name, family in FAMILIES.items())
    assert architecture({}) == "unknown"
