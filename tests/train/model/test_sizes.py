import json

import pytest
from tiny_model import tiny_model

from curation.recipe.load import TrainSettings
from train.model.families.table import KNOWN
from train.model.sizes import limits, model_settings, positions

BIG = "deepseek-ai/DeepSeek-R1-Distill-Qwen-32B"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tiny_model(tmp_path_factory.mktemp("base"))


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


def test_a_base_model_has_the_same_settings_whichever_transformers_wrote_them(folder):
    new = json.loads((folder / "config.json").read_text())
    old = {key: value for key, value in new.items() if key not in {"rope_parameters", "head_dim"}}
    old |= {"rope_theta": 1e6, "rope_scaling": None, "sliding_window": 4096, "use_sliding_window": False}
    assert model_settings(old) == model_settings(new)
    yarn = {"type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32768}
    written = {"rope_parameters": {**yarn, "rope_type": yarn["type"], "rope_theta": 1e6}}
    assert model_settings({**old, "rope_scaling": yarn}) == model_settings({**new, **written})
    assert model_settings({**old, "rope_scaling": yarn}) != model_settings(old)


def test_what_cannot_be_exported_is_told_beforehand():
    assert limits(KNOWN[BIG], TrainSettings()) == []
    assert limits(KNOWN[BIG], TrainSettings(use_dora=True))[0].startswith("use_dora: `aj merge` and")
    llama = {**KNOWN[BIG], "architectures": ["LlamaForCausalLM"]}
    assert limits(llama, TrainSettings())[0].startswith("LlamaForCausalLM: `aj export` covers Qwen2")
