"""Compiling the loops, with machine code kept in a folder that the digest of their sources names.

    <cache>/kernels/<digest>/<numba's files>

numba notices a change only in the file of the function that is called, not in what that calls from other
files, and so would go on with old machine code. A new digest is a new folder; those that nothing has used
for some weeks are swept.
"""

import hashlib
import os
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

import llvmlite
import numba
from numba.core.caching import CompileResultCacheImpl, FunctionCache, UserProvidedCacheLocator

from curation.files import cache_folder

PACKAGE = Path(__file__).parent
config: Any = numba.config
UNUSED_S = 21 * 24 * 3600

_DIGEST = re.compile(r"[0-9a-f]{32}")
_COMPILES = re.compile(rb"^@compiled", re.MULTILINE)
_IMPORT = re.compile(
    r"^\s*(?:import (?P<module>curation[\w.]*)"
    r"|from (?P<package>curation[\w.]*) import (?P<names>\([^)]*\)|.*))",
    re.MULTILINE,
)


class _Implementation(CompileResultCacheImpl):
    # Nowhere else: the other places know nothing of our digest.
    _locator_classes = [UserProvidedCacheLocator]  # noqa: RUF012


class _Cache(FunctionCache):
    """numba's cache; a full disk, or a file that cannot be read or is broken, costs time only."""

    _impl_class = _Implementation

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        try:
            return super().load_overload(sig, target_context)  # type: ignore[no-untyped-call]
        except Exception:
            # What broken bytes raise is for pickle and LLVM to say; the loop is compiled and stored anew.
            with suppress(Exception):
                self.flush()  # type: ignore[no-untyped-call]
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        # The index is read before it is written, and may be what is broken.
        with suppress(Exception):
            super().save_overload(sig, data)  # type: ignore[no-untyped-call]


def compiled_with(**options: Any) -> Any:
    """A decorator: compile a function on first use, as `numba.njit` with these options does."""

    def compiled(function: Callable[..., Any]) -> Any:
        loop: Any = numba.njit(**options)(function)
        folder = kernel_folder()
        if folder is not None and hasattr(loop, "enable_caching"):  # NUMBA_DISABLE_JIT leaves the function
            # RuntimeError: by now the folder cannot be written.
            with suppress(RuntimeError), _numba_caching_in(folder):
                loop._cache = _Cache(function)  # type: ignore[no-untyped-call]
        return loop

    return compiled


@contextmanager
def _numba_caching_in(folder: Path) -> Iterator[None]:
    before, config.CACHE_DIR = config.CACHE_DIR, str(folder)
    try:
        yield
    finally:
        config.CACHE_DIR = before


@cache
def kernel_folder() -> Path | None:
    """The folder of this code's machine code, made and marked as used; None where none can be written."""
    for place in _places():
        folder = place / "kernels" / source_digest()
        with suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True)
            os.utime(folder)
            tempfile.TemporaryFile(dir=folder).close()
            sweep(folder)
            return folder
    return None


def _places() -> Iterator[Path]:
    """Where machine code may lie, the best place first; NUMBA_CACHE_DIR is the only one if it is set."""
    if config.CACHE_DIR:
        yield Path(config.CACHE_DIR).absolute() / "aj"
        return
    with suppress(RuntimeError):  # a user without a home
        yield cache_folder()
    yield PACKAGE / "__pycache__"


def sweep(folder: Path) -> None:
    """Remove the folders of other digests beside this one that were not used for weeks.

    A process that still runs on one of them makes it again.
    """
    for other in folder.parent.iterdir():
        if other != folder and _DIGEST.fullmatch(other.name) and not other.is_symlink():
            with suppress(OSError):
                if time.time() - other.stat().st_mtime > UNUSED_S:
                    shutil.rmtree(other)


@cache
def source_digest() -> str:
    """Digest of the kernels' sources, of numba and of its compiler."""
    total = hashlib.sha256(f"{numba.__version__}\t{llvmlite.__version__}\n".encode())
    for path in kernel_sources():
        total.update(f"{path.relative_to(PACKAGE).as_posix()}\n".encode())
        total.update(hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()[:32]


def kernel_sources() -> list[Path]:
    """Every file that compiles loops, and all that these import of ours."""
    waiting = [path for path in PACKAGE.rglob("*.py") if _COMPILES.search(path.read_bytes())]
    found: set[Path] = set()
    while waiting:
        path = waiting.pop()
        if path not in found:
            found.add(path)
            waiting += _imported(path)
    return sorted(found)


def _imported(path: Path) -> Iterator[Path]:
    for match in _IMPORT.finditer(path.read_text(encoding="utf-8")):
        package = match["module"] or match["package"]
        names = re.findall(r"\w+", match["names"] or "")
        for module in (package, *(f"{package}.{name}" for name in names)):
            file = PACKAGE.parent.joinpath(*module.split(".")).with_suffix(".py")
            if file.is_file():
                yield file
