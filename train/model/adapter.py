"""A LoRA adapter on a base model, merged one tensor at a time: the same bits as peft's own merge.

What the arithmetic here does not cover (DoRA, biases, whole modules beside the adapter, a quantised
base, an adapter for another base) is refused with the reason, never guessed.
"""

import hashlib
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import torch

from curation.errors import CurationError, Refusal
from curation.files import canonical, file_digest
from train.model.families.decoder import EMBEDDING, HEAD
from train.model.tensors import Checkpoint, Entry, check_dtypes, read_header, read_tensor

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
PREFIX = "base_model.model."
LORA = re.compile(r"(?P<module>.+)\.lora_(?P<side>[AB])\.weight")

# Settings of peft that change nothing about a merge, or that are read here; any other one that is
# set is a method that this merge does not know.
COVERED = frozenset({
    "task_type", "peft_type", "auto_mapping", "peft_version", "base_model_name_or_path", "revision",
    "inference_mode", "r", "target_modules", "exclude_modules", "lora_alpha", "lora_dropout", "use_rslora",
    "init_lora_weights", "megatron_core", "eva_config", "qalora_group_size",
})  # fmt: skip
# Beginnings that leave the base model's weights as they are; others (PiSSA, OLoRA, …) change them.
KEPT_BASE = frozenset({True, False, "gaussian", "eva", "orthogonal"})
REASONS = {
    "use_dora": "it is a DoRA adapter, whose norms a streamed merge does not have",
    "modules_to_save": "it holds whole modules besides the adapter (an enlarged vocabulary, for example)",
    "trainable_token_indices": "it trained rows of the embedding",
    "bias": "it trained biases",
    "lora_bias": "it trained biases",
}


class Pair(NamedTuple):
    """The two factors of one layer's adapter."""

    a: Entry
    b: Entry


class Adapter:
    """The factors of an adapter folder, by the name of the weight that they change.

    scale: alpha / r, or alpha / sqrt(r) with use_rslora. digest: sha256 that stands for weights and
    settings.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = read_json(folder / CONFIG)
        check_config(folder, self.config)
        rank, alpha = self.config["r"], self.config["lora_alpha"]
        self.scale: float = alpha / (math.sqrt(rank) if self.config.get("use_rslora") else rank)
        self.pairs = pairs(folder, read_header(folder / WEIGHTS))

    @property
    def digest(self) -> str:
        """sha256 over the digests of the adapter's weights and settings."""
        return adapter_digest(self.folder)

    def delta(self, name: str) -> torch.Tensor:
        """What is added to the weight `name`, in float32: as peft computes it on a CPU."""
        pair = self.pairs[name]
        product = read_tensor(pair.b).float() @ read_tensor(pair.a).float()
        return product.mul_(self.scale)


class Merged:
    """A base model's weights with an adapter added: `Weights`, made as they are asked for."""

    def __init__(self, base: Checkpoint, adapter: Adapter) -> None:
        self.base, self.adapter = base, adapter
        self.entries = base.entries

    def read(self, name: str) -> torch.Tensor:
        """One weight in the base model's dtype."""
        weight = self.base.read(name)
        if name not in self.adapter.pairs:
            return weight
        merged = weight.float().add_(self.adapter.delta(name)).to(weight.dtype)
        if not torch.isfinite(merged).all():
            raise CurationError(
                f"{self.adapter.folder}: {name} is not finite once merged; the adapter is broken"
            )
        return merged


def merged_weights(base: Path, adapter: Path) -> Merged:
    """The weights of `base` with `adapter` added, once both are known to fit. CurationError otherwise."""
    checkpoint = Checkpoint(base)
    check_dtypes(checkpoint.entries, base)
    check_base_config(base)
    factors = Adapter(adapter)
    check_fit(factors, checkpoint.entries, base)
    check_vocabulary(adapter, checkpoint.entries, base)
    return Merged(checkpoint, factors)


def adapter_digest(folder: Path) -> str:
    """sha256 over the digests of an adapter's weights and settings."""
    digests = {name: file_digest(folder / name) for name in (CONFIG, WEIGHTS)}
    return hashlib.sha256(canonical(digests)).hexdigest()


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object. CurationError when the file is absent or is none."""
    try:
        content = orjson.loads(path.read_bytes())
    except OSError as error:
        raise CurationError(f"{path}: cannot be read: {error.strerror or error}") from error
    except orjson.JSONDecodeError as error:
        raise CurationError(f"{path}: not JSON: {error}") from error
    if not isinstance(content, dict):
        raise CurationError(f"{path}: expected a JSON object")
    return content


def check_config(folder: Path, config: Mapping[str, Any]) -> None:
    """Refusal when the adapter is of a kind that this merge does not cover."""
    where = folder / CONFIG
    if config.get("peft_type") != "LORA":
        raise Refusal(f"{where}: peft_type {config.get('peft_type')!r}; only LORA adapters are merged")
    if not all(isinstance(config.get(key), int | float) and config[key] > 0 for key in ("r", "lora_alpha")):
        raise CurationError(f"{where}: r and lora_alpha must be positive numbers")
    for key, value in config.items():
        if key not in COVERED and value and value != "none":
            why = REASONS.get(key, f"its {key} is a method that this merge does not know")
            raise Refusal(f"{where}: cannot be merged: {why} ({key}: {value!r})")
    if config.get("init_lora_weights", True) not in KEPT_BASE:
        raise Refusal(
            f"{where}: cannot be merged: init_lora_weights {config['init_lora_weights']!r} changed the "
            f"base weights"
        )


def pairs(folder: Path, entries: Mapping[str, Entry]) -> dict[str, Pair]:
    """Factors by weight name. Refusal when the file holds anything else."""
    sides: dict[str, dict[str, Entry]] = {}
    for name, entry in entries.items():
        found = LORA.fullmatch(name.removeprefix(PREFIX))
        if found is None or not name.startswith(PREFIX) or len(entry.shape) != 2:
            raise Refusal(
                f"{folder / WEIGHTS}: cannot be merged: {name} is no factor of a linear layer's adapter"
            )
        sides.setdefault(found["module"] + ".weight", {})[found["side"]] = entry
    for name, both in sides.items():
        if len(both) != 2:
            raise Refusal(f"{folder / WEIGHTS}: {name} has only one of its two factors: not whole")
    if not sides:
        raise Refusal(f"{folder / WEIGHTS}: holds no adapter at all")
    check_dtypes(entries, folder / WEIGHTS)
    return {name: Pair(both["A"], both["B"]) for name, both in sides.items()}


def check_base_config(base: Path) -> None:
    """Refusal when the base model is quantised."""
    config = read_json(base / "config.json")
    if config.get("quantization_config"):
        raise Refusal(
            f"{base}: a quantised base model; merge into the one that it was made from (bf16 or fp32 weights)"
        )


def check_fit(adapter: Adapter, entries: Mapping[str, Entry], base: Path) -> None:
    """Refusal unless the adapter was made for a model of these layers and shapes."""
    for name, pair in adapter.pairs.items():
        if name not in entries:
            raise Refusal(f"{adapter.folder}: made for another base model: {base} has no {name}")
        (rows, rank), (inner, columns) = pair.b.shape, pair.a.shape
        if rank != inner or rank != adapter.config["r"]:
            raise Refusal(
                f"{adapter.folder}: {name} has rank {rank} and {inner}, not r = {adapter.config['r']}"
            )
        if entries[name].shape != (rows, columns):
            raise Refusal(
                f"{adapter.folder}: made for another base model: {name} is {list(entries[name].shape)} in "
                f"{base}, {[rows, columns]} in the adapter"
            )
    changed = {name.split(".")[-2] for name in adapter.pairs}
    left = [name for name in entries if name.split(".")[-2:-1] and name.split(".")[-2] in changed]
    missing = [name for name in left if name.endswith(".weight") and name not in adapter.pairs]
    if missing:
        raise Refusal(
            f"{adapter.folder}: made for another base model: it changes {len(adapter.pairs)} weights and "
            f"{base} has {len(missing)} more of these, {missing[0]} first"
        )
    tied = read_json(base / "config.json").get("tie_word_embeddings")
    ends = [name for name in adapter.pairs if name in (EMBEDDING, HEAD)]
    if tied and ends:
        raise Refusal(f"{adapter.folder}: cannot be merged: {ends[0]} is tied to another weight in {base}")


def check_vocabulary(adapter: Path, entries: Mapping[str, Entry], base: Path) -> None:
    """Refusal when the adapter's tokenizer has more tokens than the base model has embeddings."""
    path = adapter / "tokenizer.json"
    if EMBEDDING not in entries or not path.is_file():
        return
    rows = entries[EMBEDDING].shape[0]
    tokenizer = read_json(path)
    ids = [
        *tokenizer["model"]["vocab"].values(),
        *(token["id"] for token in tokenizer.get("added_tokens", [])),
    ]
    if max(ids) >= rows:
        raise Refusal(
            f"{adapter}: its tokenizer has ids up to {max(ids):,} and {base} has {rows:,} embeddings: "
            f"another or a resized vocabulary"
        )
