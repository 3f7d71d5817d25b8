"""What Unsloth changed in transformers and peft, put back: what runs next finds the stock code.

Unsloth replaces the forward passes, the rotary embedding and the preparation for generation of a whole
architecture, and peft's forward pass: for its own model, but in the classes. Another model that the same
process loads afterwards, as `aj run` does to measure the adapter, would run through them: they ignore
`logits_to_keep` where it is a tensor, and expect a model that Unsloth prepared.
"""

import contextlib
import gc
import importlib
import sys
from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import Any

import peft
import torch

from train.model.families.table import family_of

ABSENT: Any = object()


@contextlib.contextmanager
def put_back(config: Mapping[str, Any]) -> Iterator[None]:
    """Leave the architecture's module and peft's model as they were, and no model in the GPU's memory."""
    kind = family_of(config).model_type
    module = importlib.import_module(f"transformers.models.{kind}.modeling_{kind}")
    places = [module, *classes_of(module), peft.PeftModelForCausalLM]
    before = [(place, dict(vars(place))) for place in places]
    try:
        yield
    finally:
        if "unsloth" in sys.modules:
            for place, names in before:
                restore(place, names)
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


def classes_of(module: ModuleType) -> list[type]:
    """The classes that a module defines."""
    found = [value for value in vars(module).values() if isinstance(value, type)]
    return [value for value in found if value.__module__ == module.__name__]


def restore(place: Any, names: Mapping[str, Any]) -> None:
    """Give a module or a class the attributes that it had; of a class, take away those it had not."""
    for name, value in names.items():
        if vars(place).get(name, ABSENT) is not value:
            setattr(place, name, value)
    if isinstance(place, type):
        for name in [name for name in vars(place) if name not in names and not name.startswith("__")]:
            delattr(place, name)
