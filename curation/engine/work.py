"""Tasks and the local executor. A task's output folder is named by what decides its bytes.

The plan, the tasks and the commit rule are the same for every executor: an executor only runs
tasks. Running a task twice, or on two machines, is harmless: the first finished folder stays.
"""

import os
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from importlib import import_module
from multiprocessing import get_context
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


def start_worker(parent: int) -> None:
    """Leave Ctrl-C and SIGTERM to the main process, and end when it has gone."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)

    def watch() -> None:
        pause = threading.Event()
        while os.getppid() == parent:
            pause.wait(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


# Workers share the cores between them. A BLAS is not used, and its idle threads wait by spinning.
ONE_THREAD = ("POLARS_MAX_THREADS", "OPENBLAS_NUM_THREADS")


class LocalExecutor:
    """Runs tasks in spawned processes of this machine, or in this one when there is one worker.

    Never forks: a fork after Polars has started its threads can deadlock.
    """

    def __init__(self, work: Path, workers: int) -> None:
        self.work = work
        self.workers = workers
        self.reused = 0
        self.ran = 0
        self.used: set[str] = set()
        self._pool: ProcessPoolExecutor | None = None
        self._before: dict[str, str | None] = {}

    def __enter__(self) -> "LocalExecutor":
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if self._pool is not None:
            if kind is not None:
                # Half-done tasks are of no use; killed workers end the pool, and nothing is waited for.
                for process in list((getattr(self._pool, "_processes", None) or {}).values()):
                    process.kill()
            # Idle workers go by themselves while the caller goes on.
            self._pool.shutdown(wait=kind is not None)
            for name, value in self._before.items():
                if value is None:
                    del os.environ[name]
                else:
                    os.environ[name] = value

    def run(self, tasks: Sequence[Task], tick: Callable[[Done, Task], None] | None = None) -> list[Done]:
        """Run every task; the answers are in the order of the tasks, whatever the order of work."""
        answers: dict[int, Done] = {}
        for position, done in self._unordered(tasks):
            answers[position] = done
            self.used.add(done.key)
            self.reused += done.reused
            self.ran += not done.reused
            if tick:
                tick(done, tasks[position])
        return [answers[position] for position in range(len(tasks))]

    def _unordered(self, tasks: Sequence[Task]) -> Iterator[tuple[int, Done]]:
        waiting: list[int] = []
        for position, task in enumerate(tasks):
            finished = read_done(task.key, self.work / "tasks" / task.key)
            if finished is not None:
                yield position, finished
            else:
                waiting.append(position)
        # The largest first, so that no worker is left alone with one at the end.
        waiting.sort(key=lambda position: (-tasks[position].size, position))
        if self.workers == 1 or len(waiting) < 2:
            for position in waiting:
                yield position, run_task(tasks[position], self.work)
            return
        yield from self._in_pool([(position, tasks[position]) for position in waiting])

    def _in_pool(self, tasks: Sequence[tuple[int, Task]]) -> Iterator[tuple[int, Done]]:
        pool = self._start()
        futures: dict[Future[Done], int] = {pool.submit(run_task, t, self.work): n for n, t in tasks}
        try:
            while futures:
                # A short wait: Polars' signal handler lets a longer one sleep through Ctrl-C.
                ready, _ = wait(futures, timeout=0.2, return_when=FIRST_COMPLETED)
                for future in ready:
                    yield futures.pop(future), future.result()
        except BrokenProcessPool:
            raise CurationError(
                "a worker process was killed, perhaps for lack of memory; "
                "the same command goes on from what is finished (try --workers 1)"
            ) from None

    def _start(self) -> ProcessPoolExecutor:
        if self._pool is None:
            self._before = {name: os.environ.get(name) for name in ONE_THREAD}
            os.environ.update(dict.fromkeys(ONE_THREAD, "1"))
            self._pool = ProcessPoolExecutor(self.workers, get_context("spawn"), start_worker, (os.getpid(),))
        return self._pool
