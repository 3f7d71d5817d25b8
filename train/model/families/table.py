"""The families of base models that can be trained here, by the class that config.json names.

A new one is a file beside this one and an entry here; tests/train/model/families tries it.
"""

from train.model.families import llama, mistral, qwen2, qwen3
from train.model.families.decoder import Config
from train.model.families.family import Family

FAMILIES: dict[str, Family] = {one.FAMILY.architecture: one.FAMILY for one in (qwen2, qwen3, llama, mistral)}
# Those that `aj export` writes as GGUF files.
IN_GGUF = tuple(name for name, family in FAMILIES.items() if family.gguf is not None)
# Sizes of models that recipes name.
KNOWN: dict[str, Config] = {id: config for family in FAMILIES.values() for id, config in family.known.items()}


def architecture(config: Config) -> str:
    """The class that a config names, or `unknown`."""
    return str((config.get("architectures") or ["unknown"])[0])


def family_of(config: Config) -> Family:
    """The family of a model whose config was read by `read_config`."""
    return FAMILIES[architecture(config)]
