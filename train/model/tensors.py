"""Safetensors checkpoints read and written one tensor at a time, so that a model need not fit in memory.

The layout of a file: 8 bytes little-endian length, a JSON header of that length, the tensors' bytes.
Source: https://huggingface.co/docs/safetensors
"""

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from math import prod
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import orjson
import torch

from curation.errors import CurationError
from curation.files import pretty

DTYPES = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}
WHOLE, INDEX = "model.safetensors", "model.safetensors.index.json"
SHARD_BYTES = 5 * 10**9  # as transformers writes them
MAX_HEADER = 100 << 20
EDGE = 4096  # bytes at either end of a tensor that its fingerprint looks at


class Entry(NamedTuple):
    """Where a tensor lies: `start` in bytes from the beginning of `file`."""

    file: Path
    dtype: str
    shape: tuple[int, ...]
    start: int
    size: int


class Weights(Protocol):
    """Named tensors that are made when they are asked for."""

    @property
    def entries(self) -> Mapping[str, Entry]:
        """What there is, in the order of the files."""

    def read(self, name: str) -> torch.Tensor:
        """One tensor, in its own memory."""


class Checkpoint:
    """The tensors of a model folder: one model.safetensors, or shards with an index."""

    def __init__(self, folder: Path) -> None:
        self.entries: dict[str, Entry] = {}
        for file in checkpoint_files(folder):
            self.entries.update(read_header(file))

    def read(self, name: str) -> torch.Tensor:
        """One tensor, read from the disk."""
        return read_tensor(self.entries[name])


def checkpoint_files(folder: Path) -> list[Path]:
    """The safetensors files of a model folder. CurationError when there are none."""
    # As transformers chooses where both lie there: what is trained on is what is merged.
    if (folder / WHOLE).is_file():
        return [folder / WHOLE]
    if (folder / INDEX).is_file():
        try:
            index = orjson.loads((folder / INDEX).read_bytes())
            names = sorted(set(index["weight_map"].values()))
        except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
            raise CurationError(f"{folder / INDEX}: not an index of safetensors files ({error})") from error
        missing = [name for name in names if not (folder / name).is_file()]
        if missing:
            raise CurationError(f"{folder}: {missing[0]} is missing, which {INDEX} names; fetch it again")
        return [folder / name for name in names]
    kind = "only pickled weights" if list(folder.glob("*.bin")) else "no weights"
    raise CurationError(f"{folder}: {kind}; expected {WHOLE} or {INDEX}")


def read_header(file: Path) -> dict[str, Entry]:
    """The tensors of one safetensors file. CurationError when it is none, or not whole."""
    try:
        with file.open("rb") as stream:
            length = int.from_bytes(stream.read(8), "little")
            header = stream.read(length) if length <= MAX_HEADER else b""
    except OSError as error:
        raise CurationError(f"{file}: cannot be read: {error.strerror or error}") from error
    try:
        entries = parse_header(file, orjson.loads(header), 8 + length)
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise CurationError(f"{file}: no safetensors file, or not whole") from error
    ends = max((entry.start + entry.size for entry in entries.values()), default=8 + length)
    if file.stat().st_size != ends:
        raise CurationError(
            f"{file}: {file.stat().st_size:,} bytes, and its header asks for {ends:,}: not whole; "
            f"fetch it again"
        )
    return entries


def parse_header(file: Path, header: dict[str, Any], offset: int) -> dict[str, Entry]:
    """Entries of a header whose tensors begin at `offset`."""
    entries = {}
    for name, said in header.items():
        if name != "__metadata__":
            start, end = said["data_offsets"]
            entries[name] = Entry(file, said["dtype"], tuple(said["shape"]), offset + start, end - start)
    return dict(sorted(entries.items(), key=lambda item: item[1].start))


def read_tensor(entry: Entry) -> torch.Tensor:
    """A tensor in memory of its own."""
    if not entry.size:
        return torch.empty(entry.shape, dtype=DTYPES[entry.dtype])
    data = bytearray(entry.size)
    with entry.file.open("rb") as stream:
        stream.seek(entry.start)
        if stream.readinto(data) != entry.size:
            raise CurationError(f"{entry.file}: ends early: it changed while it was read")
    return torch.frombuffer(data, dtype=DTYPES[entry.dtype]).reshape(entry.shape)


def read_rows(entry: Entry, rows: Sequence[int]) -> torch.Tensor:
    """Some rows of a matrix, in the order asked for; nothing else of it is read."""
    count, columns = entry.shape
    size = entry.size // count
    data = bytearray(size * len(rows))
    view = memoryview(data)
    with entry.file.open("rb") as stream:
        for place, row in enumerate(rows):
            stream.seek(entry.start + row * size)
            if stream.readinto(view[place * size : (place + 1) * size]) != size:
                raise CurationError(f"{entry.file}: ends early: it changed while it was read")
    if not rows:
        return torch.empty((0, columns), dtype=DTYPES[entry.dtype])
    return torch.frombuffer(data, dtype=DTYPES[entry.dtype]).reshape(len(rows), columns)


def check_dtypes(entries: Mapping[str, Entry], where: Path) -> None:
    """CurationError unless every tensor is a plain float: quantised weights are not covered."""
    for name, entry in entries.items():
        if entry.dtype not in DTYPES:
            raise CurationError(
                f"{where}: {name} is {entry.dtype}: a quantised or unusual checkpoint; "
                f"use the base model in {', '.join(DTYPES)}"
            )


def fingerprint(folder: Path) -> str:
    """sha256 that tells base models apart without reading all of them.

    Over every tensor's name, dtype, shape and the first and last 4,096 bytes, in order of name, as text
    joined by tabs: the same however a model is cut into files. A 65 GB model takes about a second.
    """
    entries = Checkpoint(folder).entries
    digest = hashlib.sha256()
    for name in sorted(entries):
        entry = entries[name]
        with entry.file.open("rb") as stream:
            edges = hashlib.sha256()
            for start in (0, max(0, entry.size - EDGE)):
                stream.seek(entry.start + start)
                edges.update(stream.read(min(EDGE, entry.size)))
        digest.update(f"{name}\t{entry.dtype}\t{list(entry.shape)}\t{edges.hexdigest()}\n".encode())
    return digest.hexdigest()


def shards(entries: Mapping[str, Entry], limit: int = SHARD_BYTES) -> list[list[str]]:
    """Names per file: in order, a file closed before it would pass `limit` bytes."""
    files: list[list[str]] = [[]]
    size = 0
    for name, entry in entries.items():
        if files[-1] and size + entry.size > limit:
            files.append([])
            size = 0
        files[-1].append(name)
        size += entry.size
    return files


def write_checkpoint(folder: Path, weights: Weights, limit: int = SHARD_BYTES) -> dict[str, str]:
    """Write all tensors to `folder`, as transformers names files, and return each file's sha256.

    One tensor is in memory at a time. The bytes depend on names, shapes and values only.
    """
    parts = shards(weights.entries, limit)
    if len(parts) == 1:
        return {WHOLE: write_file(folder / WHOLE, weights, parts[0])}
    digests: dict[str, str] = {}
    places: dict[str, str] = {}
    for number, names in enumerate(parts, start=1):
        file = f"model-{number:05}-of-{len(parts):05}.safetensors"
        digests[file] = write_file(folder / file, weights, names)
        places |= dict.fromkeys(names, file)
    total = sum(entry.size for entry in weights.entries.values())
    index = pretty({"metadata": {"total_size": total}, "weight_map": dict(sorted(places.items()))})
    (folder / INDEX).write_bytes(index)
    return {**digests, INDEX: hashlib.sha256(index).hexdigest()}


def write_file(path: Path, weights: Weights, names: Sequence[str]) -> str:
    """One safetensors file, synced to the disk; its sha256."""
    digest = hashlib.sha256()
    with path.open("wb") as stream:
        for chunk in file_chunks(weights, names):
            stream.write(chunk)
            digest.update(chunk)
        stream.flush()
        os.fsync(stream.fileno())
    return digest.hexdigest()


def file_chunks(weights: Weights, names: Sequence[str]) -> Iterator[bytes | memoryview]:
    """The bytes of a safetensors file: its header, then a tensor each."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    start = 0
    for name in names:
        entry = weights.entries[name]
        header[name] = {
            "dtype": entry.dtype,
            "shape": list(entry.shape),
            "data_offsets": [start, start + entry.size],
        }
        start += entry.size
    text = orjson.dumps(header)
    text += b" " * (-len(text) % 8)
    yield len(text).to_bytes(8, "little") + text
    for name in names:
        tensor = weights.read(name)
        entry = weights.entries[name]
        assert (tuple(tensor.shape), tensor.dtype) == (entry.shape, DTYPES[entry.dtype]), name
        if prod(entry.shape):
            yield tensor_bytes(tensor)


def tensor_bytes(tensor: torch.Tensor) -> memoryview:
    """A tensor's bytes, without a copy."""
    flat: Any = tensor.contiguous().reshape(-1).view(torch.uint8).numpy()
    return memoryview(flat)
