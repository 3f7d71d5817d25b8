"""What the decoders of all families have in common: names of tensors, linear layers, heads, rotary settings.

Configs are config.json as transformers 4 or 5 wrote it.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

Config = Mapping[str, Any]

# Names of weights in a checkpoint; those of a layer begin with LAYER and its number.
EMBEDDING, NORM, HEAD = "model.embed_tokens.weight", "model.norm.weight", "lm_head.weight"
LAYER = "model.layers.{}."


class Heads(NamedTuple):
    """The attention heads of a layer, those of keys and values, and the width of each."""

    queries: int
    keys: int
    width: int


def heads(config: Config) -> Heads:
    """What a config says of attention heads, or what it means where it says nothing."""
    queries = int(config["num_attention_heads"])
    return Heads(
        queries,
        int(config.get("num_key_value_heads") or queries),
        int(config.get("head_dim") or int(config["hidden_size"]) // queries),
    )


def linear_layers(config: Config) -> dict[str, tuple[int, int]]:
    """The linear layers of one decoder layer: name → (inputs, outputs). They take the adapter."""
    hidden, inner = int(config["hidden_size"]), int(config["intermediate_size"])
    queries, keys, width = heads(config)
    return {
        "q_proj": (hidden, queries * width),
        "k_proj": (hidden, keys * width),
        "v_proj": (hidden, keys * width),
        "o_proj": (queries * width, hidden),
        "gate_proj": (hidden, inner),
        "up_proj": (hidden, inner),
        "down_proj": (inner, hidden),
    }


def rotary(config: Config) -> dict[str, Any]:
    """The rotary settings, `rope_theta` (null where nothing says) and `rope_type` among them."""
    found = {**(config.get("rope_scaling") or {}), **(config.get("rope_parameters") or {})}
    kind = found.pop("type", None) or "default"
    return {"rope_theta": config.get("rope_theta"), **found, "rope_type": found.get("rope_type", kind)}
