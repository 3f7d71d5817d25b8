"""The table of marks: how the formats of other trainers say which turns and rows carry loss, by client.

curation/turns/marks.py reads them. What is here of a client is what its own code or documents say.
"""

from collections.abc import Mapping

# Key of a turn → the value, 0 or 1 as a number or a truth value, that means: no loss. None: no value says
# so of a whole turn, and the row goes with any.
MARKS: Mapping[str, int | None] = {
    "weight": 0,  # OpenAI, mistral-finetune, Together, Fireworks, axolotl
    "train": 0,  # axolotl, as its documents write it
    "training": 0,  # axolotl's own name of it
    "loss": 0,  # ms-swift, XTuner
    "loss_scale": 0,  # ms-swift
    "loss_weight": 0,  # LLaMA-Factory v1
    "loss_mask": 0,
    "step_loss_mask": 0,  # slime
    "trainable": 0,  # tinker-cookbook
    "masked": 1,  # torchtune
    "mask": None,  # some mean by it what is trained, others what is not: the row's other turns tell
    "train_detail": None,  # axolotl: stretches of characters
    "training_detail": None,
}
# Keys of a row: `weight`, by which its loss is multiplied (Fireworks), and `mask`, which names the speaker
# that carries none (NeMo).
ROW_MARKS = ("weight", "mask")
