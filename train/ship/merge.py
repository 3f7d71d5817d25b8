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

from curation.errors import CurationError
from curation.files import file_digest, remove_half_written, sync
from curation.sealed import write_sealed
from train.model.adapter import Merged, adapter_digest
from train.model.families.table import IN_GGUF, architecture
from train.model.sizes import read_config
from train.model.tensors import SHARD_BYTES, fingerprint, write_checkpoint
from train.run.model_folder import MERGE, MergeRecord, find_model, parent_of

# Files that come with the adapter, then those that come with the base model.
FROM_ADAPTER = (
    "tokenizer.json", "tokenizer_config.json", "chat_template.jinja", "special_tokens_map.json",
    "vocab.json", "merges.txt",
)  # fmt: skip
FROM_BASE = ("config.json", "generation_config.json", *FROM_ADAPTER)


class MergeResult(NamedTuple):
    """What was made: `bytes` of weights in `tensors` tensors, `changed` of which the adapter changed.

    exportable: `aj export` takes it.
    """

    out: Path
    tensors: int
    changed: int
    bytes: int
    exportable: bool

    def as_text(self) -> str:
        """For people."""
        return (
            f"merged  {self.out}: {self.changed} of {self.tensors} tensors changed, "
            f"{self.bytes / 1e9:,.2f} GB\n"
            f"next    {f'aj export {self.out} --quant q4_k_m' if self.exportable else f'aj try {self.out}'}"
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
        files = copy_files(model.base, FROM_BASE, beside) | copy_files(adapter, FROM_ADAPTER, beside)
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
    changed = len(weights.adapter.pairs) if isinstance(weights, Merged) else 0
    exportable = not model.run.get("trial") and architecture(read_config(model.base)) in IN_GGUF
    return MergeResult(out, len(weights.entries), changed, size, exportable)


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


def copy_files(source: Path, names: tuple[str, ...], target: Path) -> dict[str, str]:
    """Copy those of the files that exist; their digests by name."""
    copied = {}
    for name in names:
        if (source / name).is_file():
            shutil.copyfile(source / name, target / name)
            copied[name] = file_digest(target / name)
    return copied
