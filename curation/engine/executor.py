"""Tasks run once each, on whatever engine: what is the same for all engines, and what an engine is."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Protocol, Self

from curation.engine.work import Done, read_done
from curation.task import Task

Numbered = tuple[int, Task]


class Engine(Protocol):
    """Where tasks run: `with` starts what that takes and ends it.

    workers  how many at once, for people to read
    finish   runs every task by `run_task(task, work)` and gives its number with what it made, as each is
             done; an engine decides nothing else, and is no part of a dataset's identity
    """

    workers: int

    def __enter__(self) -> Self: ...

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: object) -> None: ...

    def finish(self, tasks: Sequence[Numbered], work: Path) -> Iterator[tuple[int, Done]]: ...


class Executor:
    """Runs tasks on an engine, in the folder `work`, and counts what was run and what was found finished."""

    def __init__(self, engine: Engine, work: Path) -> None:
        self.engine, self.work = engine, work
        self.reused = 0
        self.ran = 0
        self.used: set[str] = set()

    def run(self, tasks: Sequence[Task], tick: Callable[[Done, Task], None] | None = None) -> list[Done]:
        """Run every task; the answers are in the order of the tasks, whatever the order of work."""
        answers: dict[int, Done] = {}
        for number, done in self._unordered(tasks):
            answers[number] = done
            self.used.add(done.key)
            self.reused += done.reused
            self.ran += not done.reused
            if tick:
                tick(done, tasks[number])
        return [answers[number] for number in range(len(tasks))]

    def _unordered(self, tasks: Sequence[Task]) -> Iterator[tuple[int, Done]]:
        waiting: list[int] = []
        for number, task in enumerate(tasks):
            finished = read_done(task.key, self.work / "tasks" / task.key)
            if finished is not None:
                yield number, finished
            else:
                waiting.append(number)
        # The largest first, so that no worker is left alone with one at the end.
        waiting.sort(key=lambda number: (-tasks[number].size, number))
        yield from self.engine.finish([(number, tasks[number]) for number in waiting], self.work)
