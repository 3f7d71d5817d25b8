"""Base models without their weights and without torch: sizes, and what is refused before a weight is read."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import orjson
from msgspec.structs import replace

from curation.errors import CurationError, Refusal
from curation.recipe.load import TrainSettings, is_commit
from train.model.families.decoder import heads, rotary
from train.model.families.table import FAMILIES, IN_GGUF, KNOWN, architecture, family_of

CONFIG = "config.json"
# The largest `--max-lora-rank`: https://docs.vllm.ai/en/v0.14.0/api/vllm/config/lora
VLLM_RANK = 512
SIZES = ("hidden_size", "num_hidden_layers", "intermediate_size", "vocab_size")


def sizes_of(model_id: str, folder: Path | None = None, revision: str | None = None) -> Mapping[str, Any]:
    """The config that a dry run computes from: of a folder, a known model, or the hub's cache."""
    if folder is not None:
        return read_config(folder)
    if model_id in KNOWN:
        return KNOWN[model_id]
    return read_config(cached(model_id, revision))


def cached(model_id: str, revision: str | None) -> Path:
    """The folder of a model that is here already: a path, or a snapshot in the hub's cache."""
    if Path(model_id).is_dir():
        return Path(model_id)
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(model_id, revision=revision, local_files_only=True))
    except (LocalEntryNotFoundError, HFValidationError, OSError) as error:
        at = f" --revision {revision}" if revision else ""
        raise CurationError(
            f"base model {model_id}: not on this machine; fetch it with `hf download {model_id}{at}`, or "
            f"name its folder with --base-model DIR"
        ) from error


def here(model_id: str, folder: Path | None = None, revision: str | None = None) -> Path | None:
    """The folder with a model's weights and tokenizer: as it was given, or the hub's cache; else null."""
    try:
        found = folder or cached(model_id, revision)
    except CurationError:
        return None
    return found if (found / "tokenizer.json").is_file() and any(found.glob("*.safetensors")) else None


def read_config(folder: Path) -> dict[str, Any]:
    """config.json of a model folder, of an architecture that can be trained here."""
    if not folder.is_dir():
        raise CurationError(f"{folder}: no such folder; expected a base model")
    path = folder / CONFIG
    try:
        config = orjson.loads(path.read_bytes())
    except OSError as error:
        raise CurationError(f"{path}: cannot be read: {error.strerror or error}") from error
    except orjson.JSONDecodeError as error:
        raise CurationError(f"{path}: not JSON: {error}") from error
    if not isinstance(config, dict) or architecture(config) not in FAMILIES:
        found = architecture(config) if isinstance(config, dict) else "nothing readable"
        raise CurationError(f"{path}: the architecture is {found}; expected one of {', '.join(FAMILIES)}")
    missing = [key for key in (*SIZES, "num_attention_heads") if not isinstance(config.get(key), int)]
    if missing:
        raise CurationError(f"{path}: no {missing[0]}; expected the config of a base model")
    return config


def limits(config: Mapping[str, Any], settings: TrainSettings) -> list[str]:
    """What cannot be done with the adapter once it is trained, to be said before."""
    found = []
    if settings.tokens or settings.modules_to_save:
        found.append(
            "rows of the vocabulary are trained: vLLM and llama.cpp take no such adapter beside its base "
            "model; `aj merge` and `aj export` make what they take"
        )
    if settings.use_dora:
        found.append(
            "use_dora: `aj merge` and `aj export` cover no DoRA adapter; it can be evaluated and tried"
        )
    elif quantised(config):
        found.append(
            f"a base model quantised by {quantised(config)}: `aj merge` and `aj export` take the one that it "
            f"was made from"
        )
    elif architecture(config) not in IN_GGUF:
        found.append(
            f"{architecture(config)}: `aj export` covers {', '.join(IN_GGUF)} only; `aj merge` does it"
        )
    if settings.lora_r > VLLM_RANK:
        found.append(f"lora_r {settings.lora_r}: vLLM serves adapters up to {VLLM_RANK}; merge it for vLLM")
    sides = {name: min(both) for name, both in family_of(config).layers(config).items()}
    name = min(with_targets(config, settings).target_modules, key=lambda name: sides[name])
    if settings.lora_r > sides[name]:
        found.append(f"lora_r {settings.lora_r}: more than the {sides[name]} that the rank of {name} can be")
    return found


def quantised(config: Mapping[str, Any]) -> str | None:
    """How the weights of a base model were quantised, null where they were not."""
    found = config.get("quantization_config")
    return str(found.get("quant_method", "an unknown method")) if found else None


def check_quantised(config: Mapping[str, Any], settings: TrainSettings) -> None:
    """Raise CurationError when weights that are quantised in another way are to be quantised again."""
    if settings.load_in_4bit and quantised(config) not in (None, "bitsandbytes"):
        raise CurationError(
            f"train.load_in_4bit: expected false, the base model is quantised by {quantised(config)} already"
        )


def furthest_command(run: Mapping[str, Any]) -> Literal["export", "merge", "try"]:
    """The last command that will take a finished adapter, by its run record."""
    if run["trial"] or run["settings"]["use_dora"]:
        return "try"
    return "export" if run["base"]["architecture"] in IN_GGUF else "merge"


def model_settings(config: Mapping[str, Any]) -> dict[str, Any]:
    """What of a config decides the answers beside the weights, alike however transformers 4 or 5 wrote it."""
    queries, keys, width = heads(config)
    rope = rotary(config)
    theta = rope.pop("rope_theta")
    return {
        "architecture": architecture(config),
        "num_hidden_layers": int(config["num_hidden_layers"]),
        "num_attention_heads": queries,
        "num_key_value_heads": keys,
        "head_dim": width,
        "hidden_act": config.get("hidden_act", "silu"),
        "rms_norm_eps": config.get("rms_norm_eps"),
        "rope_theta": theta,
        "rope": rope,
        "sliding_window": config.get("sliding_window") if slides(config) else None,
        "tie_word_embeddings": bool(config.get("tie_word_embeddings")),
    }


def slides(config: Mapping[str, Any]) -> bool:
    """Whether attention looks back through a window only."""
    return bool(config.get("use_sliding_window", family_of(config).slides))


def check_known(model_id: str, config: Mapping[str, Any], folder: Path) -> None:
    """Raise CurationError when the folder holds another model than one whose sizes are known."""
    known = KNOWN.get(model_id)
    if known is None:
        return
    wrong = [key for key in SIZES if config.get(key) != known[key]]
    if wrong or architecture(config) != known["architectures"][0]:
        differences = ", ".join(f"{key} {config.get(key)} instead of {known[key]}" for key in wrong)
        raise CurationError(f"{folder}: not {model_id}: {differences or architecture(config)}")


def check_commit(model_id: str, folder: Path, revision: str | None) -> str | None:
    """The commit that a folder holds. Raises Refusal when `revision` is another."""
    commit = commit_of(folder)
    if commit is not None and is_commit(revision) and commit != revision:
        raise Refusal(f"{folder}: holds {model_id} at commit {commit}, the recipe names {revision}")
    return commit


def commit_of(folder: Path) -> str | None:
    """The hub's commit that a folder holds: of a snapshot in its cache, or as `hf download` noted it."""
    place = folder.resolve()
    if place.parent.name == "snapshots" and is_commit(place.name):
        return place.name
    notes = place / ".cache" / "huggingface" / "download"
    # The first line of a note is the commit; a folder that was filled twice may hold files of two.
    found = {
        (notes / f"{path.name}.metadata").read_text(encoding="utf-8").split("\n")[0]
        for path in [place / "config.json", *place.glob("*.safetensors")]
        if (notes / f"{path.name}.metadata").is_file()
    }
    return next(iter(found)) if len(found) == 1 and all(map(is_commit, found)) else None


def check_vocabulary(config: Mapping[str, Any], largest_id: int, where: Path) -> None:
    """Raise Refusal when the tokenizer has ids that the model has no embedding for."""
    rows = int(config["vocab_size"])
    if largest_id >= rows:
        raise Refusal(
            f"{where}: the tokenizer's largest id is {largest_id}, the model has {rows} embeddings; this is "
            f"the tokenizer of another model"
        )


def with_targets(config: Mapping[str, Any], settings: TrainSettings) -> TrainSettings:
    """The settings with the layers that get an adapter by their names, whichever way the recipe says it.

    Raises CurationError when it names layers that the model does not have.
    """
    known = family_of(config).layers(config)
    if settings.target_modules == "all-linear":
        return replace(settings, target_modules=list(known))
    unknown = [name for name in settings.target_modules if name not in known]
    if unknown:
        raise CurationError(f"train.target_modules: no layer {unknown[0]}; the model has {', '.join(known)}")
    return settings


def check_context(config: Mapping[str, Any], settings: TrainSettings) -> None:
    """Raise CurationError when the recipe's sequences are longer than the model has positions for."""
    most, asked = positions(config), settings.max_seq_length
    if most is not None and asked > most:
        raise CurationError(
            f"train.max_seq_length: expected at most {most}, the positions of the base model, got {asked}"
        )


def positions(config: Mapping[str, Any]) -> int | None:
    """The longest sequence that a model has positions for, scaled ones too; null where the config is silent.

    Source: https://huggingface.co/docs/transformers/internal/rope_utils, `factor` of a scaling times the
    length before it.
    """
    most = config.get("max_position_embeddings")
    rope = rotary(config)
    if most is None:
        return None
    before = rope.get("original_max_position_embeddings") or most
    return max(int(most), int(before * (rope.get("factor") or 1)))
