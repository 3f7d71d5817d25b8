"""What a run tells while it goes: the live line, training_….log, metrics.jsonl and TensorBoard.

Nothing here can end a run: a closed terminal or a missing tensorboard package is noted and passed over.
"""

import contextlib
import io
import logging
import os
import shutil
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
from tqdm import tqdm

from curation.errors import CurationError, Terminated, terminate
from curation.files import write_bytes
from train.run.checkpoints import disk_full

METRICS, BOARD = "metrics.jsonl", "tensorboard"


class Journal:
    """The files of a run in `folder`. Use as a context manager."""

    def __init__(self, folder: Path, *, now: datetime | None = None) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise CurationError(f"{folder}: cannot be made: {error.strerror or error}") from error
        started = (now or datetime.now()).strftime("%Y%m%d_%H%M%S")
        self.folder = folder
        self.log_path = folder / f"training_{started}.log"
        self.live = False

    def __enter__(self) -> "Journal":
        with contextlib.ExitStack() as opened:
            opened.enter_context(full_disk_told_once())
            self.file = opened.enter_context(self.log_path.open("a", encoding="utf-8", buffering=1))
            self.metrics = opened.enter_context((self.folder / METRICS).open("ab"))
            # Drawn anew: its files cannot be cut, and may hold steps that the run goes back behind.
            shutil.rmtree(self.folder / BOARD, ignore_errors=True)
            self.board = open_board(self.folder / BOARD)
            if self.board is not None:
                opened.callback(self.board.close)
                for line in read_metrics(self.folder):
                    self.draw(line)
            handler = logging.StreamHandler(self.file)
            logging.getLogger().addHandler(handler)
            opened.callback(logging.getLogger().removeHandler, handler)
            opened.callback(self.end_line)
            self.opened = opened.pop_all()
        return self

    def __exit__(self, *error: Any) -> None:
        self.opened.__exit__(*error)

    def say(self, text: str) -> None:
        """A line for the log and the terminal."""
        self.end_line()
        self.file.write(f"{datetime.now():%Y-%m-%d %H:%M:%S}  {text}\n")
        to_terminal(f"{text}\n")

    def record(self, kind: str, step: int, values: dict[str, Any]) -> None:
        """A line of metrics.jsonl, and its numbers for TensorBoard."""
        line = {"kind": kind, "step": step, "at": datetime.now(UTC).isoformat(timespec="seconds"), **values}
        self.metrics.write(orjson.dumps(line) + b"\n")
        self.metrics.flush()
        if self.board is not None:
            self.draw(line)

    def draw(self, line: Mapping[str, Any]) -> None:
        """The numbers of a line of metrics.jsonl for TensorBoard, at the time when they were measured."""
        at = datetime.fromisoformat(line["at"]).timestamp()
        for name, value in line.items():
            if name != "step" and isinstance(value, int | float):
                self.board.add_scalar(f"{line['kind']}/{name}", value, line["step"], walltime=at)

    def line(self, text: str) -> None:
        """The live line of a terminal; elsewhere nothing, the log has it."""
        if stderr_is_terminal():
            self.live = True
            # What wraps cannot be written over.
            to_terminal(f"\r\033[K{text[: shutil.get_terminal_size().columns - 1]}")

    def end_line(self) -> None:
        """Leave the live line."""
        if self.live:
            self.live = False
            to_terminal("\n")


def live_line(step: int, steps: int, values: dict[str, Any], left_s: float) -> str:
    """`step 120/5,000  10:34:00 left  loss 1.2340  lr 2e-05  4,210 tokens/s  7.78 s/step`."""
    return (
        f"step {step:,}/{steps:,}  {tqdm.format_interval(left_s)} left  loss {values['loss']:.4f}  "
        f"lr {values['learning_rate']:.3g}  {values['tokens_per_s']:,.0f} tokens/s  "
        f"{values['step_s']:.2f} s/step"
    )


def read_metrics(folder: Path) -> list[dict[str, Any]]:
    """The lines of metrics.jsonl; a last line that was cut off is left out."""
    path = folder / METRICS
    if not path.is_file():
        return []
    lines = []
    for line in path.read_bytes().split(b"\n"):
        with contextlib.suppress(orjson.JSONDecodeError):
            lines.append(orjson.loads(line))
    return lines


def rewind_metrics(folder: Path, step: int) -> None:
    """Forget what was measured after `step`; what happened (kind `event`) stays."""
    kept = [line for line in read_metrics(folder) if line["step"] <= step or line["kind"] == "event"]
    write_bytes(folder / METRICS, b"".join(orjson.dumps(line) + b"\n" for line in kept))


def open_board(folder: Path) -> Any:
    """A TensorBoard writer, null where the package is missing."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(str(folder))


@contextlib.contextmanager
def full_disk_told_once() -> Iterator[None]:
    """TensorBoard's thread prints no traceback on a full disk: its next caller is told of it anyway."""
    before = threading.excepthook

    def excepthook(failure: Any) -> None:
        if not disk_full(failure.exc_value):
            before(failure)

    threading.excepthook = excepthook
    try:
        yield
    finally:
        threading.excepthook = before


def to_terminal(text: str) -> None:
    """Write to stderr; a terminal that is gone is no reason to stop."""
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.write(text)
        sys.stderr.flush()


def stderr_is_terminal() -> bool:
    """Whether somebody watches."""
    with contextlib.suppress(OSError, ValueError):
        return sys.stderr.isatty()
    return False


@contextlib.contextmanager
def hangup_ignored() -> Iterator[None]:
    """A closed terminal does not end what runs here: from then on nothing is written to it."""
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "SIGHUP"):
        yield
        return
    # Now, not when it happens: while training runs, stdout stands for stderr.
    streams = (sys.stdout, sys.stderr)

    def hang_up(*_: object) -> None:
        with (
            contextlib.suppress(OSError, ValueError, io.UnsupportedOperation),
            Path(os.devnull).open("ab") as file,
        ):
            for stream in streams:
                os.dup2(file.fileno(), stream.fileno())

    before = signal.signal(signal.SIGHUP, hang_up)
    try:
        yield
    finally:
        signal.signal(signal.SIGHUP, before)


@contextlib.contextmanager
def asked_to_stop(stop: Callable[[type[KeyboardInterrupt]], None]) -> Iterator[None]:
    """Ctrl-C and SIGTERM call `stop` once, with what to raise at the end; a second one raises it at once."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def ask(number: int, _: object) -> None:
        stop(Terminated if number == signal.SIGTERM else KeyboardInterrupt)
        signal.signal(number, terminate if number == signal.SIGTERM else signal.default_int_handler)

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
