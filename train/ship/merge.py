"""`aj merge`: base model and adapter as one folder that transformers and others load.

Written beside its place and renamed once whole; merge.json comes last and says from what it was made.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import torch

from curation.errors import CurationError, Refusal
from curation.files import file_digest, pretty, remove_half_written, sync
from curation.sealed import write_sealed
from train.data.encoding import Encoder
from train.model.adapter import Merged, adapter_digest, read_json
from train.model.families.table import IN_GGUF, architecture
from train.model.sizes import read_config
from train.model.tensors import SHARD_BYTES, fingerprint, write_checkpoint
from train.model.tokenizer_files import check_tokenizer, write_generation, write_tokenizer
from train.run.model_folder import (
    MERGE,
    MergeRecord,
    Model,
    evaluate_command,
    find_model,
    following_command,
    model_template,
    parent_of,
)
from train.run.serving import merged_serving
from train.ship.evaluation import passing_evaluation

CONFIG = "config.json"


class MergeResult(NamedTuple):
    """What was made: `bytes` of weights in `tensors` tensors, `changed` of which the adapter changed.

    following: the command that takes it from here.
    """

    out: Path
    tensors: int
    changed: int
    bytes: int
    following: str

    def as_text(self) -> str:
        """For people."""
        return (
            f"merged  {self.out}: {self.changed} of {self.tensors} tensors changed, "
            f"{self.bytes / 1e9:,.2f} GB\n"
            f"next    {self.following}"
        )


def merge(
    adapter: Path,
    out: Path,
    *,
    base: Path | None = None,
    force: bool = False,
    shard_bytes: int = SHARD_BYTES,
) -> MergeResult:
    """Write base model and adapter as one model to `out`, one tensor in memory at a time.

    The weights are those of peft's `merge_and_unload` bit for bit, in the base model's dtype. Raises
    Refusal for what cannot be merged, CurationError when `out` exists or the disk is full.
    """
    model = find_model(adapter, base)
    if model.kind != "adapter" or model.base is None:
        raise CurationError(f"{adapter}: no adapter; only an adapter can be merged into its base model")
    weights = model.weights()
    with folder_beside(out, force=force) as beside:
        (beside / "README.md").write_text(card(model), encoding="utf-8")
        files = write_settings(model.base, adapter, beside)
        files |= write_checkpoint(beside, weights, shard_bytes)
        record = MergeRecord(
            format=1,
            model=model.name,
            base=str(model.base),
            base_fingerprint=fingerprint(model.base),
            adapter=str(adapter),
            adapter_sha256=adapter_digest(adapter),
            run=model.run,
            files=dict(sorted(files.items())),
            versions={"torch": str(torch.__version__)},
        )
        write_sealed(beside / MERGE, record)
    size = sum(entry.size for entry in weights.entries.values())
    changed = len(weights.adapter.changed) if isinstance(weights, Merged) else 0
    return MergeResult(out, len(weights.entries), changed, size, following(model, out))


def following(model: Model, out: Path) -> str:
    """The command that takes the merged model of an adapter, and will not be refused."""
    assert model.base is not None
    if model.run.get("trial") or architecture(read_config(model.base)) not in IN_GGUF:
        return following_command("try", out)
    try:
        passing_evaluation([out, model.path], model.run.get("evaluation") or [], model.adapter_sha256)
    except Refusal:
        return evaluate_command(out, model.run)
    return following_command("export", out)


def card(model: Model) -> str:
    """README.md: what this is, and how it is served."""
    return (
        f"# {model.name}\n\nA merged model, adapter and base model in one: `{MERGE}` says which.\n\n"
        f"{merged_serving(model.run, model.name)}"
    )


def beside_adapter(adapter: Path) -> Path:
    """Where a merged model goes by default: AJ-…-lora becomes AJ-…-merged."""
    return parent_of(adapter) / f"{adapter.resolve().name.removesuffix('-lora')}-merged"


@contextmanager
def folder_beside(out: Path, *, force: bool) -> Iterator[Path]:
    """A folder to write to that becomes `out` once all is well; on any error nothing is left of it."""
    if out.exists() and not force:
        raise CurationError(f"{out} exists; use --force to replace it, or --out for another folder")
    if out.exists() and not (out / MERGE).is_file() and (not out.is_dir() or any(out.iterdir())):
        raise CurationError(f"{out}: --force replaces merged models only, and this is none: no {MERGE} in it")
    beside = out.with_name(f".{out.name}.{os.getpid()}.part")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        remove_half_written(out)
        beside.mkdir()
        yield beside
        sync(beside)
        if out.is_dir():
            shutil.rmtree(out)
        beside.replace(out)
        sync(out.parent)
    except OSError as error:
        raise CurationError(f"{out}: cannot write: {error.strerror or error}") from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def write_settings(base: Path, adapter: Path, target: Path) -> dict[str, str]:
    """Everything but the weights: the base's settings, the adapter's tokenizer, the stops of both.

    Digests by name. Refusal when transformers reads the tokenizer otherwise than training did.
    """
    template = model_template(adapter)
    encoder = Encoder(adapter, template)
    write_tokenizer(adapter, target, template)
    stops = write_generation(base, target, encoder.end_id)
    config = read_json(base / CONFIG)
    config["eos_token_id"] = stops if len(stops) > 1 else stops[0]
    (target / CONFIG).write_bytes(pretty(config))
    check_tokenizer(target, encoder)
    return {path.name: file_digest(path) for path in sorted(target.iterdir())}
