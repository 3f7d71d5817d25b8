"""Logits by transformers, one layer in memory at a time, so that a model of any size can be compared with.

Everything is computed in float32 on the CPU, from the weights as they are made: base and adapter need
no merged copy.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from train.model.families.decoder import EMBEDDING, HEAD, LAYER, NORM
from train.model.tensors import Weights

HEAD_ROWS = 16384  # of the output matrix at a time


@torch.inference_mode()
def reference_logits(
    weights: Weights, config_folder: Path, texts: Sequence[Sequence[int]]
) -> list[torch.Tensor]:
    """Logits [tokens, vocabulary] of each sequence of ids, in float32."""
    from transformers import AutoConfig, AutoModelForCausalLM

    config = AutoConfig.from_pretrained(config_folder, local_files_only=True)
    with torch.device("meta"):
        make: Any = AutoModelForCausalLM.from_config
        model = make(config, dtype=torch.float32, attn_implementation="sdpa").eval()
    decoder = model.model
    rotary = type(decoder.rotary_emb)(config=config)
    embedding = weights.read(EMBEDDING)
    states = [embedding[torch.tensor(ids)].float().unsqueeze(0) for ids in texts]
    head = embedding if HEAD not in weights.entries else None
    del embedding
    positions = [torch.arange(len(ids)).unsqueeze(0) for ids in texts]
    angles = [rotary(state, place) for state, place in zip(states, positions, strict=True)]
    for number, layer in enumerate(decoder.layers):
        load(layer, weights, LAYER.format(number))
        states = [
            forward(layer, state, place, angle)
            for state, place, angle in zip(states, positions, angles, strict=True)
        ]
        layer.to("meta")
    decoder.norm.load_state_dict({"weight": weights.read(NORM).float()}, assign=True)
    states = [decoder.norm(state)[0] for state in states]
    head = weights.read(HEAD) if head is None else head
    logits: list[list[torch.Tensor]] = [[] for _ in states]
    for first in range(0, len(head), HEAD_ROWS):
        part = head[first : first + HEAD_ROWS].float().T
        for found, state in zip(logits, states, strict=True):
            found.append(state @ part)
    return [torch.cat(found, dim=-1) for found in logits]


def load(layer: torch.nn.Module, weights: Weights, prefix: str) -> None:
    """Give a layer without memory its weights, in float32."""
    layer.load_state_dict(
        {name: weights.read(prefix + name).float() for name in layer.state_dict()}, assign=True
    )


def forward(
    layer: torch.nn.Module, state: torch.Tensor, positions: torch.Tensor, angles: Any
) -> torch.Tensor:
    """One causal layer: without a mask, scaled dot product attention is causal by itself."""
    found = layer(state, attention_mask=None, position_ids=positions, position_embeddings=angles)
    result: torch.Tensor = found[0] if isinstance(found, tuple) else found
    return result
