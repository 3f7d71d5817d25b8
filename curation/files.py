"""Files written whole or not at all, and their digests."""

import fcntl
import glob
import hashlib
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import orjson

from curation.errors import CurationError


def cache_folder() -> Path:
    """$AJ_CACHE, else aj/ in the user's cache folder ($XDG_CACHE_HOME, else ~/.cache)."""
    if folder := os.environ.get("AJ_CACHE"):
        return Path(folder).absolute()
    configured = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (configured if configured.is_absolute() else Path.home() / ".cache") / "aj"


def file_digest(path: Path) -> str:
    """sha256 of a file's bytes, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A path beside `path` to write to; on success it is synced and renamed over `path`.

    On any error the half-written file is removed and `path` is as it was. A full disk becomes a
    CurationError that names the path.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        remove_half_written(path)
        yield beside
        sync(beside)
        beside.replace(path)
        sync(path.parent)
    except OSError as error:
        raise CurationError(f"{path}: cannot write: {error.strerror or error}") from error
    finally:
        # The disk may have gone away with the error; what is left then is swept by the next run.
        with suppress(OSError):
            beside.unlink(missing_ok=True)


@contextmanager
def alone_in(folder: Path, *, waiting: Callable[[], None] | None = None, advice: str = "") -> Iterator[None]:
    """One run at a time in a folder, which is made; the system frees the lock when a run dies.

    waiting  called before waiting for another run to end; without it, another run is an error
    advice   the end of the message where the folder cannot be written
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise CurationError(f"{folder}: cannot write: {error.strerror}{advice}") from None
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            if waiting is None:
                raise CurationError(
                    f"{folder}: another run is writing here; wait for it or choose another --out"
                ) from None
            waiting()
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def remove_half_written(path: Path) -> None:
    """Remove what killed processes left of `path` beside it; what a running one writes stays."""
    for left in path.parent.glob(f".{glob.escape(path.name)}.*.part"):
        pid = left.name.split(".")[-2]
        if pid.isdecimal() and not (int(pid) != os.getpid() and is_running(int(pid))):
            with suppress(OSError):
                shutil.rmtree(left) if left.is_dir() and not left.is_symlink() else left.unlink()


def is_running(pid: int) -> bool:
    """Whether a process of this number lives on this machine, whoever started it."""
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True


def sync(path: Path) -> None:
    """Flush a file's bytes, or a folder's entries, to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_bytes(path: Path, data: bytes) -> None:
    """Write a whole file atomically."""
    with replacing(path) as beside:
        beside.write_bytes(data)


def write_new(files: Mapping[Path, bytes], *, force: bool = False) -> None:
    """Write whole files, but over another file only with `force`; one with the same bytes stays.

    Raises CurationError before anything is written.
    """
    other = {path: data for path, data in files.items() if not path.is_file() or path.read_bytes() != data}
    for path in other:
        if path.exists() and not force:
            raise CurationError(f"{path} exists and holds something else; use --force to replace it")
    for path, data in other.items():
        write_bytes(path, data)


def canonical(value: Any) -> bytes:
    """Canonical JSON: sorted keys, no spaces, no ASCII escapes."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def self_digest(document: dict[str, Any]) -> str:
    """sha256 of a document's other keys than `self_sha256`, in canonical JSON."""
    rest = {key: value for key, value in document.items() if key != "self_sha256"}
    return hashlib.sha256(canonical(rest)).hexdigest()


def pretty(document: dict[str, Any]) -> bytes:
    """A document as it is stored: indented, in the order of its keys, with a final newline."""
    return orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
