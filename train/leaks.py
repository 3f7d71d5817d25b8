"""Do packed examples see each other? Tested on the loaded model before the first step."""

from collections.abc import Sequence
from typing import Any

import torch

from curation.errors import Refusal
from train.packing import Sequences

# Change of the untouched example's logits, as a share of that of the changed one. Measured: 0 (eager)
# to 2e-7 (sdpa) when the mask is right, of the order of 1 when it is not.
TOLERANCE = 1e-2
LONGEST = 96


def leak(model: Any, first: Sequence[int], second: Sequence[int], vocabulary: int) -> float:
    """How much the second example's logits move when the first is replaced, relative to the first's.

    vocabulary  ids below it are real tokens
    """
    device = next(model.parameters()).device
    other = [(token + vocabulary // 2) % vocabulary for token in first]
    positions = torch.tensor([[*range(len(first)), *range(len(second))]], device=device)
    was_training = model.training
    model.eval()
    with torch.no_grad():
        one, two = (
            model(
                input_ids=torch.tensor([[*begun, *second]], device=device),
                position_ids=positions,
                use_cache=False,
            ).logits[0]
            for begun in (first, other)
        )
    model.train(was_training)
    moved = (one.float() - two.float()).abs().amax(dim=-1)
    changed = float(moved[: len(first)].max())
    return float(moved[len(first) :].max()) / changed if changed else 0.0


def check_packing(model: Any, sequences: Sequences, vocabulary: int) -> float:
    """The leak between the first two examples; Refusal when there is one."""
    if len(sequences.starts) < 3:
        return 0.0
    first, second = (
        sequences.ids[sequences.starts[n] : sequences.starts[n + 1]][:LONGEST].tolist() for n in (0, 1)
    )
    found = leak(model, first, second, vocabulary)
    if not found <= TOLERANCE:
        raise Refusal(
            f"packed examples see each other with this model's attention (a leak of {found:.2g}, allowed is "
            f"{TOLERANCE}); set `packing: false` in the recipe's train section"
        )
    return found
