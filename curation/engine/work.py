"""Running a task: its output folder is named by what decides its bytes, and appears whole or not at all.

The same for every engine. Running a task twice, or on two machines, is harmless: the first finished
folder stays.
"""

import os
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import orjson

from curation.errors import CurationError
from curation.files import canonical, sync
from curation.task import Task


@dataclass(frozen=True)
class Done:
    """A finished task: its output folder, its summary, and whether an earlier run had finished it."""

    key: str
    folder: Path
    summary: Mapping[str, Any]
    reused: bool


def run_task(task: Task, work: Path) -> Done:
    """Run a task, or take what an earlier run finished. The output appears whole or not at all."""
    folder = work / "tasks" / task.key
    if (finished := read_done(task.key, folder)) is not None:
        return finished
    beside = work / "tmp" / f"{task.key}.{os.getpid()}"
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir(parents=True)
    try:
        module, _, name = task.run.partition(":")
        function: Callable[[Task, Path, Path], Mapping[str, Any]] = getattr(import_module(module), name)
        started = time.process_time()
        summary = dict(function(task, work, beside))
        summary["cpu_s"] = round(time.process_time() - started, 4)
        encoded = canonical(summary)
        (beside / "done.json").write_bytes(encoded)
        for path in beside.iterdir():
            sync(path)
        folder.parent.mkdir(parents=True, exist_ok=True)
        try:
            beside.rename(folder)
        except OSError:
            if (twin := read_done(task.key, folder)) is None:
                raise
            return twin
        sync(folder.parent)
        # As it is read back by a run that reuses it, so that no order of keys can differ.
        return Done(task.key, folder, orjson.loads(encoded), reused=False)
    except OSError as error:
        raise CurationError(f"{error.filename or beside}: {error.strerror or error}") from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def read_done(key: str, folder: Path) -> Done | None:
    """What an earlier run left of a task, if it finished."""
    try:
        summary = orjson.loads((folder / "done.json").read_bytes())
    except FileNotFoundError:
        return None
    return Done(key, folder, summary, reused=True)
