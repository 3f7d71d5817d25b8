"""Do packed examples see each other? Tested on the loaded model before the first step."""

from collections.abc import Callable, Sequence
from typing import Any

import torch

from curation.errors import Refusal
from train.data.packing import IGNORED, Sequences

# Change of the untouched examples' logits, as a share of that of the changed one. Measured: 0 (eager)
# to 2e-7 (sdpa) when the mask is right, of the order of 1 when it is not.
TOLERANCE = 1e-2
LONGEST = 96
Collate = Callable[[Sequence[dict[str, list[int]]]], dict[str, Any]]


def leak(
    model: Any, first: Sequence[int], second: Sequence[int], vocabulary: int, collate: Collate, batch: int
) -> float:
    """How much the logits of all else move when one example is replaced, relative to its own.

    The batch has `batch` sequences of both examples and is made and given to the model as in training;
    in the first of them the first example is replaced. vocabulary: ids below it are real tokens
    """
    # Not that of the first weight: with little memory left, Unsloth keeps the embedding on the host.
    device = next(weight.device for weight in model.parameters() if weight.requires_grad)
    other = [(token + vocabulary // 2) % vocabulary for token in first]
    was_training = model.training
    model.eval()
    with torch.no_grad():
        one, two = (
            model(**as_trained(collate, [begun, *[first] * (batch - 1)], second, device)).logits
            for begun in (first, other)
        )
    model.train(was_training)
    moved = (one.float() - two.float()).abs().amax(dim=-1).reshape(-1)
    changed = float(moved[: len(first)].max())
    return float(moved[len(first) :].max()) / changed if changed else 0.0


def as_trained(collate: Collate, firsts: Sequence[Sequence[int]], second: Sequence[int], device: Any) -> Any:
    """A batch as training gives it to the model, without its labels."""
    rows = [
        {
            "input_ids": [*first, *second],
            "labels": [IGNORED] * (len(first) + len(second)),
            "position_ids": [*range(len(first)), *range(len(second))],
        }
        for first in firsts
    ]
    batch = collate(rows)
    return {name: tensor.to(device) for name, tensor in batch.items() if name != "labels"}


def check_packing(model: Any, sequences: Sequences, vocabulary: int, collate: Collate, batch: int) -> float:
    """The leak between the first two examples; Refusal when there is one."""
    if len(sequences.starts) < 3:
        return 0.0
    first, second = (
        sequences.ids[sequences.starts[n] : sequences.starts[n + 1]][:LONGEST].tolist() for n in (0, 1)
    )
    found = leak(model, first, second, vocabulary, collate, batch)
    if not found <= TOLERANCE:
        raise Refusal(
            f"packed examples see each other with this model's attention (a leak of {found:.2g}, allowed is "
            f"{TOLERANCE}); set `packing: false` in the recipe's train section"
        )
    return found
