"""The finished adapter: AJ-<code>-v<x.y.z>-lora/ with all that later commands need, there or not at all."""

import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import orjson
from peft import LoraConfig
from safetensors import SafetensorError

from curation.errors import CurationError, Refusal
from curation.files import file_digest, pretty, remove_half_written, self_digest, sync
from train.data.encoding import Encoder
from train.model.tokenizer_files import check_tokenizer, write_generation, write_tokenizer
from train.run.adapter_card import model_card
from train.run.checkpoints import disk_full

RUN = "run.json"
# The fields of peft 0.10's LoraConfig, which refuses any other.
PEFT_0_10 = frozenset({
    "alpha_pattern", "auto_mapping", "base_model_name_or_path", "bias", "fan_in_fan_out", "inference_mode",
    "init_lora_weights", "layer_replication", "layers_pattern", "layers_to_transform", "loftq_config",
    "lora_alpha", "lora_dropout", "megatron_config", "megatron_core", "modules_to_save", "peft_type", "r",
    "rank_pattern", "revision", "target_modules", "task_type", "use_dora", "use_rslora",
})  # fmt: skip
Documents = Callable[[Path, Mapping[str, Any]], Mapping[str, bytes]]


def write_output(
    out: Path,
    model: Any,
    *,
    base_folder: Path,
    encoder: Encoder,
    record: Mapping[str, Any],
    metrics: bytes,
    documents: Documents | None = None,
) -> dict[str, Any]:
    """Write the adapter's folder beside `out`, then rename it there. Returns the run record.

    documents  makes further files (the training report) from the folder and the record

    The same adapter gives the same bytes of weights wherever it was trained: no path of this machine
    is in it. A full disk is a CurationError, and leaves nothing behind that looks finished.
    """
    beside = out.with_name(f".{out.name}.{os.getpid()}.part")
    try:
        remove_half_written(out)
        beside.mkdir(parents=True)
        model.save_pretrained(str(beside))
        config = portable_config(beside, record["base"])
        write_tokenizer(base_folder, beside, encoder.template)
        write_generation(base_folder, beside, encoder.end_id)
        check_tokenizer(beside, encoder)
        (beside / "metrics.jsonl").write_bytes(metrics)
        (beside / "README.md").write_text(model_card(record, config), encoding="utf-8")
        for name, content in (documents(beside, record) if documents else {}).items():
            (beside / name).write_bytes(content)
        whole = sealed({**record, "files": listed(beside)})
        (beside / RUN).write_bytes(pretty(whole))
        for path in sorted(beside.iterdir()):
            # safetensors makes files that none but their owner may read.
            shutil.copymode(beside / RUN, path)
            sync(path)
        replace_folder(beside, out)
    except (OSError, SafetensorError) as error:
        if disk_full(error):
            raise CurationError(
                f"{out}: cannot write: the disk is full; free some space and go on with --resume"
            ) from error
        raise CurationError(f"{out}: cannot write: {getattr(error, 'strerror', None) or error}") from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return whole


def replace_folder(beside: Path, out: Path) -> None:
    """Put a finished folder in its place, whatever was there before."""
    out.parent.mkdir(parents=True, exist_ok=True)
    old = out.with_name(f".{out.name}.old.{os.getpid()}.part")
    if out.exists():
        out.rename(old)
    beside.rename(out)
    sync(out.parent)
    shutil.rmtree(old, ignore_errors=True)


def portable_config(folder: Path, base: Mapping[str, Any]) -> dict[str, Any]:
    """Write adapter_config.json anew, and return it: of no one machine, and for peft since 0.10.

    The base model is named as the recipe does, lists and keys are sorted, and keys that an older peft
    refuses, because it does not know them, stand there only where they say something.
    """
    path = folder / "adapter_config.json"
    config = orjson.loads(path.read_bytes())
    usual = vars(LoraConfig())
    config = {
        key: value for key, value in config.items() if key in PEFT_0_10 or value != usual.get(key, value)
    }
    config |= {"base_model_name_or_path": base["id"], "revision": base["commit"] or base["revision"]}
    config["target_modules"] = sorted(config["target_modules"])
    path.write_bytes(pretty(dict(sorted(config.items()))))
    return config


def listed(folder: Path) -> list[dict[str, Any]]:
    """Every file of a folder with its size and digest."""
    return [
        {"path": path.name, "bytes": path.stat().st_size, "sha256": file_digest(path)}
        for path in sorted(folder.iterdir())
    ]


def sealed(record: Mapping[str, Any]) -> dict[str, Any]:
    """A record with the digest of its other keys."""
    content = {key: value for key, value in record.items() if key != "self_sha256"}
    return {**content, "self_sha256": self_digest(content)}


def read_run(adapter: Path) -> dict[str, Any]:
    """The run record of a finished adapter.

    Raises CurationError when the folder is none, and Refusal when record or adapter were changed.
    """
    path = adapter / RUN
    try:
        record = orjson.loads(path.read_bytes())
    except FileNotFoundError:
        raise CurationError(f"{adapter}: no {RUN}; expected an adapter that `aj train` finished") from None
    except (OSError, orjson.JSONDecodeError) as error:
        raise Refusal(f"{path}: cannot be read: {error}") from error
    if not isinstance(record, dict) or record.get("self_sha256") != self_digest(record):
        raise Refusal(f"{path}: changed since it was written: self_sha256 does not match its content")
    for file in record["files"]:
        found = adapter / file["path"]
        if not found.is_file() or file_digest(found) != file["sha256"]:
            raise Refusal(f"{found}: not what `aj train` wrote")
    return record
