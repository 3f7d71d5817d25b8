"""Stages and readers are found by their names: a new one is a file in its room, and nothing else loads it."""

from importlib import import_module
from types import ModuleType


def by_name(room: str, name: str, inner: str) -> ModuleType:
    """The file of that name in a room; where a folder has the name, the file `inner` in it."""
    found = import_module(f"{room}.{name}")
    return import_module(f"{room}.{name}.{inner}") if hasattr(found, "__path__") else found
