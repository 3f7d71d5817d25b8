"""Peak anonymous memory of a process and all its children, sampled.

Mapped files are not counted: the kernel drops their pages when memory is short. Anonymous memory
is `RssAnon` of /proc/<pid>/status, a counter that costs the watched process nothing to read (walking
its pages, as smaps_rollup does, holds it up). What a fork shares with its parent counts twice; the
pipeline does not fork.
"""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

INTERVAL_S = 0.05


@dataclass
class Peak:
    """The most that was seen, in bytes."""

    anonymous: int = 0


def children(pid: int) -> Iterator[int]:
    """A process and everything below it."""
    yield pid
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            listed = task.read_text().split()
        except OSError:
            continue
        for child in listed:
            yield from children(int(child))


def anonymous_bytes(pid: int) -> int:
    """Anonymous memory of one process; 0 when it has gone."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    for line in lines:
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) * 1024
    return 0


@contextmanager
def sampled_peak(pid: int | None = None) -> Iterator[Peak]:
    """Watch a process and all its children while the block runs, or this process alone."""
    peak, stop = Peak(), threading.Event()

    def watch() -> None:
        while not stop.wait(INTERVAL_S):
            # Looking for children takes a hundred times as long, which would count as this process's own.
            watched = [os.getpid()] if pid is None else set(children(pid))
            peak.anonymous = max(peak.anonymous, sum(map(anonymous_bytes, watched)))

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield peak
    finally:
        stop.set()
        thread.join()
