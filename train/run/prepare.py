"""Everything before the first weight is read: the approved rows as packed sequences, and the binding."""

import platform
from dataclasses import dataclass
from pathlib import Path

import torch

from curation.errors import Refusal
from curation.files import file_digest
from curation.recipe.kinds import as_stored
from curation.recipe.load import TrainSettings
from curation.versions import versions
from train.data.encoding import Encoder
from train.data.examples import Examples, load_examples
from train.data.gatekeeper import Admitted, template_of
from train.data.packing import Pack, PackedRun, best_fit
from train.data.steps import effective_batch, steps_of
from train.model.base import Base, find_base
from train.model.load_model import check_weights
from train.model.sizes import check_context, check_quantised, check_vocabulary, model_settings, with_targets
from train.model.token_rows import check_learnt, written
from train.run.checkpoints import Binding

PACKAGES = ("transformers", "peft", "accelerate", "tokenizers", "safetensors", "unsloth", "bitsandbytes")


@dataclass(frozen=True)
class Prepared:
    """All that a run needs but the model: the approved rows as packed sequences, and the binding.

    remarks: what is untypical of the base model.
    """

    admitted: Admitted
    settings: TrainSettings
    base: Base
    encoder: Encoder
    examples: Examples
    held_out: Examples
    packs: list[Pack]
    steps: int
    binding: Binding
    trial: bool
    remarks: list[str]

    @property
    def effective(self) -> int:
        """Sequences per update, whatever the batch became."""
        return effective_batch(self.settings)

    @property
    def epochs(self) -> float:
        """Passes over the data."""
        return self.steps * self.effective / len(self.packs)

    @property
    def run(self) -> PackedRun:
        """The sequences in the order of training."""
        count = self.steps * self.effective
        return PackedRun(self.examples.sequences, self.packs, count, self.settings.seed or 0)


def prepare(admitted: Admitted, base_model: Path | None, trial_steps: int | None) -> Prepared:
    """Encode and pack the approved rows for the base model. No weights are loaded."""
    recipe = admitted.recipe
    base = find_base(recipe.base_model.id, admitted.frozen.base_revision, base_model)
    settings = with_targets(base.config, recipe.train)
    check_context(base.config, settings)
    check_quantised(base.config, settings)
    template = template_of(admitted, base.folder)
    encoder = Encoder(base.folder, template)
    check_vocabulary(base.config, encoder.largest_id, base.folder)
    check_weights(base)
    examples = load_examples(admitted, encoder, "train", settings.max_seq_length)
    held_out = load_examples(admitted, encoder, "eval", settings.max_seq_length)
    used = written(encoder, examples.sequences, held_out.sequences)
    remarks = check_learnt(base.folder, base.config, encoder, used, settings)
    packs = packs_of(examples, settings)
    if not packs:
        raise Refusal(f"{admitted.path}: its train split holds no row")
    steps = steps_of(settings, len(packs))
    if trial_steps is not None:
        steps = min(trial_steps, steps)
    trial = trial_steps is not None
    binding = {
        "model": admitted.frozen.model,
        "root": admitted.frozen.root,
        "base_model": {
            "id": base.id,
            "fingerprint": base.fingerprint,
            "settings": model_settings(base.config),
        },
        "template": template.digest,
        "tokenizer": file_digest(base.folder / "tokenizer.json"),
        "vocabulary": encoder.largest_id + 1,
        "settings": as_stored(settings),
        "steps": steps,
        "trial": trial,
        "device": "cuda" if torch.cuda.is_available() else "cpu",
        "versions": used_versions(),
    }
    return Prepared(
        admitted, settings, base, encoder, examples, held_out, packs, steps, binding, trial, remarks
    )


def packs_of(examples: Examples, settings: TrainSettings) -> list[Pack]:
    """The sequences of a split: packed, or one example each."""
    lengths = examples.sequences.lengths()
    if settings.packing:
        return best_fit(lengths, settings.max_seq_length)
    return [[position] for position in range(len(lengths))]


def used_versions() -> dict[str, str]:
    """Versions of everything that can change what a step computes."""
    return {"python": platform.python_version(), "torch": torch.__version__, **versions(PACKAGES)}


def held_out_run(prepared: Prepared) -> PackedRun:
    """The eval split in sequences, once."""
    packs = packs_of(prepared.held_out, prepared.settings)
    return PackedRun(prepared.held_out.sequences, packs, len(packs), prepared.settings.seed or 0)


def pad_id(prepared: Prepared) -> int:
    """An id to pad with; padding is never a target, nor seen by anything that is."""
    found = prepared.base.config.get("pad_token_id")
    if found is None:
        found = prepared.base.config.get("eos_token_id")
    return int(found[0] if isinstance(found, list) else found or 0)
