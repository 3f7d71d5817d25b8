"""Checkpoints that are whole and belong to this run, or are not used.

A save is whole once `whole.json` lies in it, written last: it lists the digest of every file and the
binding, the digests and settings of everything that decides what the next step does.
"""

import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from curation.errors import NO_ROOM, CurationError, Refusal
from curation.files import file_digest, pretty, self_digest, sync, write_bytes

MARKER = "whole.json"
NAME = re.compile(r"checkpoint-(\d+)")
KEPT = 2
# How the parts of a binding are called in messages.
WORDS = {"settings": "train"}
# What a person may want to put back rather than lose hours of work.
ENVIRONMENT = ("versions", "device")
# What torch.save and safetensors say when a disk is full.
FULL_DISK = ("No space left", "File too large", "Disk quota", "PytorchStreamWriter", "unexpected pos")

Binding = dict[str, Any]
Batches = list[dict[str, int]]


class Checkpoint(NamedTuple):
    """A whole checkpoint. `batches`: from which step on it was trained with how many sequences at once."""

    path: Path
    step: int
    batches: Batches
    accumulation: int


def seal(folder: Path, binding: Binding, batches: Batches, accumulation: int) -> Checkpoint:
    """Mark a finished save as whole, once every byte of it is on the disk.

    accumulation: with the last of the batches.
    """
    files = []
    for path in sorted(folder.iterdir()):
        if path.name != MARKER:
            sync(path)
            files.append({"path": path.name, "bytes": path.stat().st_size, "sha256": file_digest(path)})
    sync(folder)
    document = {
        "format": 1,
        "step": step_of(folder),
        "batches": batches,
        "accumulation": accumulation,
        "binding": binding,
        "files": files,
    }
    write_bytes(folder / MARKER, pretty({**document, "self_sha256": self_digest(document)}))
    return Checkpoint(folder, step_of(folder), batches, accumulation)


def step_of(folder: Path) -> int:
    """The step in a checkpoint's name, -1 for another name."""
    found = NAME.fullmatch(folder.name)
    return int(found[1]) if found else -1


def saved(folder: Path) -> list[Path]:
    """All checkpoints in a folder, whole or not, the newest first."""
    if not folder.is_dir():
        return []
    return sorted((path for path in folder.iterdir() if step_of(path) >= 0), key=step_of, reverse=True)


def whole(folder: Path) -> list[Path]:
    """The whole checkpoints in a folder, the newest first."""
    return [path for path in saved(folder) if (path / MARKER).is_file()]


def read_marker(path: Path) -> dict[str, Any]:
    """The marker of a whole checkpoint. Raises Refusal when the checkpoint is not whole."""
    try:
        document = orjson.loads((path / MARKER).read_bytes())
    except FileNotFoundError:
        raise Refusal(f"{path}: its save was cut off, so it is not whole") from None
    except (OSError, orjson.JSONDecodeError) as error:
        raise Refusal(f"{path / MARKER}: cannot be read: {error}") from error
    if not isinstance(document, dict) or document.get("self_sha256") != self_digest(document):
        raise Refusal(f"{path / MARKER}: changed since it was written")
    if step_of(path) not in {-1, document["step"]}:
        raise Refusal(f"{path}: holds step {document['step']}; rename it to checkpoint-{document['step']}")
    for file in document["files"]:
        if not (path / file["path"]).is_file() or file_digest(path / file["path"]) != file["sha256"]:
            raise Refusal(f"{path}: {file['path']} is not what was saved")
    return document


def open_checkpoint(path: Path, binding: Binding) -> Checkpoint:
    """A checkpoint to go on from.

    Raises Refusal when it is not whole, or when anything that it is bound to has changed, naming
    what; CurationError when there is none.
    """
    if not path.is_dir():
        raise CurationError(f"{path}: no such checkpoint; expected a folder such as checkpoint-500")
    marker = read_marker(path)
    found = list(differences(marker["binding"], binding))
    if found:
        more = f" and {len(found) - 3} more" if len(found) > 3 else ""
        raise Refusal(
            f"{path}: belongs to another run: {'; '.join(found[:3])}{more}; restore what changed, or start "
            f"anew with --force"
        )
    # Markers of earlier versions know the last batch alone.
    batches = marker.get("batches") or [{"step": marker["step"], "batch": marker["batch"]}]
    return Checkpoint(path, marker["step"], batches, marker["accumulation"])


def newest(folder: Path, binding: Binding) -> tuple[Checkpoint, list[str]]:
    """The newest whole checkpoint, and why newer ones were passed over.

    Raises CurationError when there is none, and Refusal when it belongs to another run.
    """
    passed = []
    for path in saved(folder):
        try:
            read_marker(path)
        except Refusal as error:
            passed.append(str(error))
            continue
        return open_checkpoint(path, binding), passed
    reason = f" ({passed[0]})" if passed else ""
    raise CurationError(f"{folder}: no whole checkpoint to resume from{reason}; run without --resume")


def how_to_go_on(folder: Path) -> str:
    """What a person does after a stop: there may be no whole checkpoint yet."""
    return "go on with --resume" if whole(folder) else "run the same command again"


def disk_full(error: BaseException) -> bool:
    """Whether a save failed for want of space. torch and safetensors say it in words alone."""
    if isinstance(error, OSError) and error.errno in NO_ROOM:
        return True
    return any(words in str(error) for words in FULL_DISK)


def only_environment_changed(folder: Path, binding: Binding) -> bool:
    """Whether the newest whole checkpoint is of this work, but of other packages or another device."""
    for path in saved(folder):
        try:
            before = read_marker(path)["binding"]
        except Refusal:
            continue
        return not any(before.get(key) != binding[key] for key in binding if key not in ENVIRONMENT)
    return False


def differences(before: Any, now: Any, name: str = "") -> Iterator[str]:
    """What changed between two bindings: `train.learning_rate was 2e-05, is 0.0001`."""
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        for key in sorted({*before, *now}):
            path = f"{name}.{key}" if name else WORDS.get(key, key)
            yield from differences(before.get(key), now.get(key), path)
    elif before != now:
        yield f"{name} was {short(before)}, is {short(now)}"


def short(value: Any) -> str:
    """A value in a message; digests are cut."""
    text = value if isinstance(value, str) else orjson.dumps(value).decode()
    return f"{text[:12]}…" if re.fullmatch(r"[0-9a-f]{64}", text) else text


def prune(folder: Path, keep: int = KEPT) -> None:
    """Remove all but the newest whole checkpoints, and every save that was cut off before them."""
    kept = whole(folder)[:keep]
    if kept:
        for path in saved(folder):
            if step_of(path) < step_of(kept[0]) and path not in kept:
                remove(path)


def remove_after(folder: Path, step: int) -> None:
    """Remove checkpoints of later steps: the run goes on from an earlier one."""
    for path in saved(folder):
        if step_of(path) > step:
            remove(path)


def remove(path: Path) -> None:
    """Remove a checkpoint, its marker first, so that a half-removed one is never taken for whole."""
    (path / MARKER).unlink(missing_ok=True)
    if path.is_dir():
        shutil.rmtree(path)
    sync(path.parent)
