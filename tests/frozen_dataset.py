"""An approved and frozen dataset of a few rows for a tiny base model, for tests of the trainer."""

from pathlib import Path
from typing import Any, NamedTuple

from tiny_dataset import tiny_dataset
from tiny_model import tiny_model

from curation.release.approval import approve
from curation.release.freeze import freeze

TRAIN: dict[str, Any] = {
    "lora_r": 4,
    "lora_alpha": 8,
    "lora_dropout": 0.1,
    "batch_size": 2,
    "gradient_accumulation_steps": 2,
    "max_steps": 6,
    "max_seq_length": 320,
    "learning_rate": 1e-3,
    "warmup_steps": 1,
    "save_steps": 2,
    "eval_steps": 3,
    "logging_steps": 1,
}


class Frozen(NamedTuple):
    """Where everything lies; `kwargs` are what `train.run.train.train` takes beside the frozen recipe."""

    frozen: Path
    data: Path
    base: Path
    out: Path

    @property
    def kwargs(self) -> dict[str, Path]:
        return {"data": self.data, "base_model": self.base, "out": self.out}

    @property
    def work(self) -> Path:
        return self.out.with_name(f"{self.out.name}.work")


def frozen_dataset(folder: Path, *, train: Any = None, tokens: int | None = None, **changes: Any) -> Frozen:
    """The tiny dataset, approved and frozen; `train` and `changes` are keys of its recipe."""
    changes = {"base_model": {"id": "example/tiny", "code": "Tiny"}, **changes}
    data = tiny_dataset(folder / "data", tokens=tokens, train={**TRAIN, **(train or {})}, **changes)
    approve(data, "Test Person")
    frozen = freeze(data, folder / "frozen.yaml")
    return Frozen(frozen, data, tiny_model(folder / "base"), folder / "AJ-Tiny-v1.0.0-lora")
