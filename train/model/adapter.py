"""A LoRA adapter on a base model, merged one tensor at a time: the same bits as peft's own merge.

Rows of the vocabulary that were trained, and embedding or output layer trained whole, take the place of the
base model's. What the arithmetic here does not cover (DoRA, biases, other modules beside the adapter, a
quantised base, an adapter for another base) is refused with the reason, never guessed.
"""

import hashlib
import math
import re
from collections.abc import Iterable, Mapping
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
VOCABULARY = {"embed_tokens": EMBEDDING, "lm_head": HEAD}
TOKENS = ".token_adapter.trainable_tokens_delta"

# Settings of peft that change nothing about a merge, or that are read here; any other one that is
# set is a method that this merge does not know.
COVERED = frozenset({
    "task_type", "peft_type", "auto_mapping", "peft_version", "base_model_name_or_path", "revision",
    "inference_mode", "r", "target_modules", "exclude_modules", "lora_alpha", "lora_dropout", "use_rslora",
    "init_lora_weights", "megatron_core", "eva_config", "qalora_group_size", "modules_to_save",
    "trainable_token_indices", "ensure_weight_tying",
})  # fmt: skip
# Beginnings that leave the base model's weights as they are; others (PiSSA, OLoRA, …) change them.
KEPT_BASE = frozenset({True, False, "gaussian", "eva", "orthogonal"})
REASONS = {
    "use_dora": "it is a DoRA adapter, whose norms a streamed merge does not have",
    "bias": "it trained biases",
    "lora_bias": "it trained biases",
}


class Pair(NamedTuple):
    """The two factors of one layer's adapter."""

    a: Entry
    b: Entry


class Rows(NamedTuple):
    """Rows of one matrix that were trained: what stands in them now, and their ids."""

    values: Entry
    ids: list[int]


class Adapter:
    """The factors of an adapter folder, by the name of the weight that they change.

    rows: those of the vocabulary that were trained. whole: matrices that were trained whole. scale:
    alpha / r, or alpha / sqrt(r) with use_rslora. digest: sha256 that stands for weights and settings.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = read_json(folder / CONFIG)
        check_config(folder, self.config)
        rank, alpha = self.config["r"], self.config["lora_alpha"]
        self.scale: float = alpha / (math.sqrt(rank) if self.config.get("use_rslora") else rank)
        entries = read_header(folder / WEIGHTS)
        self.rows = trained_rows(folder, self.config, entries)
        self.whole = trained_whole(folder, self.config, entries)
        check_dtypes(entries, folder / WEIGHTS)
        self.pairs = pairs(folder, entries)

    @property
    def digest(self) -> str:
        """sha256 over the digests of the adapter's weights and settings."""
        return adapter_digest(self.folder)

    @property
    def changed(self) -> set[str]:
        """Names of the weights that it changes."""
        return {*self.pairs, *self.rows, *self.whole}

    def delta(self, name: str) -> torch.Tensor:
        """What is added to the weight `name`, in float32: as peft computes it on a CPU."""
        pair = self.pairs[name]
        product = read_tensor(pair.b).float() @ read_tensor(pair.a).float()
        return product.mul_(self.scale)


class Merged:
    """A base model's weights with an adapter added: `Weights`, made as they are asked for.

    tied: its output layer is its embedding.
    """

    def __init__(self, base: Checkpoint, adapter: Adapter, *, tied: bool = False) -> None:
        self.base, self.adapter = base, adapter
        self.entries = base.entries
        self.tied = tied

    def read(self, name: str) -> torch.Tensor:
        """One weight in the base model's dtype."""
        if self.tied and name == HEAD and EMBEDDING in self.adapter.changed:
            name = EMBEDDING
        weight = self.base.read(name)
        if name not in self.adapter.changed:
            return weight
        if name in self.adapter.pairs:
            merged = weight.float().add_(self.adapter.delta(name)).to(weight.dtype)
        elif name in self.adapter.whole:
            merged = read_tensor(self.adapter.whole[name]).to(weight.dtype)
        else:
            rows = self.adapter.rows[name]
            merged = weight.index_copy(0, torch.tensor(rows.ids), read_tensor(rows.values).to(weight.dtype))
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
    return Merged(checkpoint, factors, tied=is_tied(base))


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
    """Factors by weight name. Refusal when the file holds anything else but parts of the vocabulary."""
    sides: dict[str, dict[str, Entry]] = {}
    for name, entry in entries.items():
        if name.endswith(TOKENS) or name.removeprefix(PREFIX) in VOCABULARY.values():
            continue
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
    return {name: Pair(both["A"], both["B"]) for name, both in sides.items()}


def trained_rows(folder: Path, config: Mapping[str, Any], entries: Mapping[str, Entry]) -> dict[str, Rows]:
    """Rows of the vocabulary that were trained, by weight name. Refusal when settings and file differ."""
    given: Any = config.get("trainable_token_indices") or {}
    by_module: dict[str, list[int]] = given if isinstance(given, dict) else {"embed_tokens": given}
    ids: dict[str, list[int]] = {VOCABULARY.get(last(name), name): rows for name, rows in by_module.items()}
    found = {
        name.removeprefix(PREFIX).removesuffix(TOKENS) + ".weight": entry
        for name, entry in entries.items()
        if name.endswith(TOKENS)
    }
    check_whole(folder, "trained rows", ids, found)
    return {name: Rows(entry, list(ids[name])) for name, entry in found.items()}


def trained_whole(folder: Path, config: Mapping[str, Any], entries: Mapping[str, Entry]) -> dict[str, Entry]:
    """Embedding and output layer that were trained whole, by weight name. Refusal for any other module."""
    asked = [VOCABULARY.get(last(name), name) for name in config.get("modules_to_save") or []]
    found = {name: entries[PREFIX + name] for name in VOCABULARY.values() if PREFIX + name in entries}
    if config.get("ensure_weight_tying") and EMBEDDING in found:
        # peft writes the one matrix twice.
        found.pop(HEAD, None)
    check_whole(folder, "whole module", asked, found)
    return found


def check_whole(folder: Path, what: str, asked: Iterable[str], found: Iterable[str]) -> None:
    """Refusal unless of the vocabulary's matrices those that the settings name are in the file."""
    odd = sorted({*asked} - {*VOCABULARY.values()})
    if odd:
        raise Refusal(
            f"{folder / CONFIG}: cannot be merged: {odd[0]} is trained beside the adapter; only "
            f"{' and '.join(VOCABULARY)} are merged so"
        )
    differing = sorted({*asked} ^ {*found})
    if differing:
        raise Refusal(
            f"{folder / WEIGHTS}: {CONFIG} and the file differ about the {what} {differing[0]}: not whole"
        )


def last(name: str) -> str:
    """A module's own name."""
    return name.rpartition(".")[2]


def is_tied(base: Path) -> bool:
    """Whether the output layer of a model is its embedding."""
    return bool(read_json(base / "config.json").get("tie_word_embeddings"))


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
    for name in (*adapter.rows, *adapter.whole):
        rows, columns = entries[name].shape
        found = adapter.whole[name].shape if name in adapter.whole else adapter.rows[name].values.shape
        ids = adapter.rows[name].ids if name in adapter.rows else range(rows)
        if found != (len(ids), columns) or max(ids) >= rows:
            raise Refusal(
                f"{adapter.folder}: made for another base model: {name} is {[rows, columns]} in {base}, its "
                f"trained rows are {list(found)}, up to row {max(ids)}"
            )
    ends = [name for name in adapter.pairs if name in (EMBEDDING, HEAD)]
    if not adapter.config.get("ensure_weight_tying"):
        ends += adapter.whole
    if is_tied(base) and ends:
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
