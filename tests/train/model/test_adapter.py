import json

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_adapter import edited, seal, tiny_adapter, tiny_base

from curation.errors import CurationError, Refusal
from train.ship.merge import merge


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return tiny_base(tmp_path_factory.mktemp("base") / "tiny")


@pytest.fixture(scope="module")
def adapter(tmp_path_factory, base):
    return tiny_adapter(tmp_path_factory.mktemp("adapter") / "AJ-Tiny-v1.0.0-lora", base)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"use_dora": True}, "DoRA"),
        ({"bias": "all"}, "biases"),
        ({"lora_bias": True}, "biases"),
        ({"modules_to_save": ["embed_tokens"]}, r"whole module model\.embed_tokens\.weight: not whole"),
        (
            {"modules_to_save": ["q_norm"]},
            "q_norm is trained beside the adapter; only embed_tokens and lm_head",
        ),
        ({"trainable_token_indices": [1]}, r"trained rows model\.embed_tokens\.weight: not whole"),
        ({"rank_pattern": {"q_proj": 4}}, "rank_pattern"),
        ({"fan_in_fan_out": True}, "fan_in_fan_out"),
        ({"init_lora_weights": "pissa"}, "changed the base weights"),
        ({"some_future_method": {"x": 1}}, "some_future_method"),
        ({"peft_type": "IA3"}, "only LORA"),
        ({"r": 4}, "rank 8"),
    ],
)
def test_what_the_merge_does_not_cover_is_refused(tmp_path, adapter, changes, said):
    with pytest.raises(Refusal, match=said):
        merge(edited(adapter, tmp_path / "lora", **changes), tmp_path / "merged")
    assert not (tmp_path / "merged").exists()


def test_a_quantised_base_is_refused(tmp_path, base, adapter):
    other = tmp_path / "base"
    other.mkdir()
    for file in base.iterdir():
        (other / file.name).write_bytes(file.read_bytes())
    config = json.loads((other / "config.json").read_text())
    (other / "config.json").write_text(json.dumps({**config, "quantization_config": {"load_in_4bit": True}}))
    with pytest.raises(Refusal, match="quantised base"):
        merge(adapter, tmp_path / "merged", base=other)


def test_an_adapter_for_fewer_layers_or_other_widths_is_refused(tmp_path, base, adapter):
    lora = edited(adapter, tmp_path / "lora")
    factors = load_file(lora / "adapter_model.safetensors")
    save_file({n: w for n, w in factors.items() if "layers.1." not in n}, lora / "adapter_model.safetensors")
    seal(lora)
    with pytest.raises(Refusal, match="7 more of these"):
        merge(lora, tmp_path / "merged")
    wide = {
        n: torch.zeros(len(w), 99) if n.endswith("q_proj.lora_A.weight") else w for n, w in factors.items()
    }
    save_file(wide, lora / "adapter_model.safetensors")
    seal(lora)
    with pytest.raises(Refusal, match=r"\[256, 99\] in the adapter"):
        merge(lora, tmp_path / "merged")


def test_half_an_adapter_file_is_one_clear_line(tmp_path, adapter):
    lora = edited(adapter, tmp_path / "lora")
    file = lora / "adapter_model.safetensors"
    file.write_bytes(file.read_bytes()[:-100])
    seal(lora)
    with pytest.raises(CurationError, match="not whole"):
        merge(lora, tmp_path / "merged")


def test_a_resized_vocabulary_is_refused(tmp_path, adapter):
    lora = edited(adapter, tmp_path / "lora")
    tokenizer = json.loads((lora / "tokenizer.json").read_text())
    tokenizer["added_tokens"].append({**tokenizer["added_tokens"][0], "id": 5000, "content": "<new>"})
    (lora / "tokenizer.json").write_text(json.dumps(tokenizer))
    seal(lora)
    with pytest.raises(Refusal, match="resized vocabulary"):
        merge(lora, tmp_path / "merged")
