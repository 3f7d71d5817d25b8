"""The engine of one machine: spawned processes, and no server."""

import os
import signal
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from pathlib import Path

from curation.engine.executor import Numbered
from curation.engine.work import Done, run_task
from curation.errors import CurationError

# Workers share the cores between them. A BLAS is not used, and its idle threads wait by spinning.
ONE_THREAD = ("POLARS_MAX_THREADS", "OPENBLAS_NUM_THREADS")


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


class Local:
    """Runs tasks in spawned processes, or in this one when there is one worker.

    Never forks: a fork after Polars has started its threads can deadlock.
    """

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self._pool: ProcessPoolExecutor | None = None
        self._before: dict[str, str | None] = {}

    def __enter__(self) -> "Local":
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

    def finish(self, tasks: Sequence[Numbered], work: Path) -> Iterator[tuple[int, Done]]:
        """Run the tasks; a worker that is killed is one line, and what is finished stays."""
        if self.workers == 1 or len(tasks) < 2:
            for number, task in tasks:
                yield number, run_task(task, work)
            return
        pool = self._start()
        futures: dict[Future[Done], int] = {pool.submit(run_task, task, work): n for n, task in tasks}
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
