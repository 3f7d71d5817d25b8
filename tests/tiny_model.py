"""A tiny base model, made once per test run and copied to wherever a test wants it."""

import shutil
import tempfile
from functools import lru_cache
from pathlib import Path

import torch

from train.model.tiny import write_tiny_model

# Several threads that wait for each other on a busy machine take ten times as long as one.
torch.set_num_threads(1)


@lru_cache(maxsize=1)
def made() -> Path:
    return write_tiny_model(Path(tempfile.mkdtemp(prefix="tiny-model-")))


def tiny_model(folder: Path) -> Path:
    """Config, weights and tokenizer of a random Qwen2 with the control tokens of aj_r1 in `folder`."""
    shutil.copytree(made(), folder, dirs_exist_ok=True)
    return folder
