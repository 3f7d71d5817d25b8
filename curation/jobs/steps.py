"""Steps of a long run, each known by the digests of what it read and what it made.

A finished step is skipped on the next start. One whose inputs changed, or whose output is no longer
what it made, is done again; what follows is done again where that changed its own inputs.
"""

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import msgspec

from curation.errors import CurationError
from curation.files import canonical, file_digest, pretty, write_bytes

State = Literal["done", "changed", "damaged", "to do"]


@dataclass(frozen=True)
class Step:
    """One step.

    reads   the files and folders that it reads; None while one of them is not there yet
    asks    JSON: what else decides what it makes
    makes   the files and folders that it makes
    run     does it and returns a line or more for people; with True it may replace what it made before
    """

    name: str
    reads: Callable[[], Sequence[Path] | None]
    asks: Callable[[], Any]
    makes: Callable[[], Sequence[Path]]
    run: Callable[[bool], str]


class Known(msgspec.Struct, frozen=True):
    """The digest of a file while its size, time and inode stay."""

    stamp: tuple[int, int, int]
    sha256: str


class Finished(msgspec.Struct, frozen=True):
    """What a finished step read and made: the digest of its inputs, the sha256 of every file made."""

    inputs: str
    made: dict[str, str]


class Journal(msgspec.Struct):
    """The file that remembers: finished steps, those begun by us, and digests of large files.

    It decides only what is skipped. What is trained on is checked by freeze and train themselves.
    """

    format: Literal[1] = 1
    finished: dict[str, Finished] = {}
    begun: list[str] = []
    known: dict[str, Known] = {}


@dataclass
class Steps:
    """A run of steps with its journal at `path`."""

    path: Path
    steps: Sequence[Step]
    journal: Journal = field(default_factory=Journal)

    def __post_init__(self) -> None:
        try:
            self.journal = msgspec.json.decode(self.path.read_bytes(), type=Journal)
        except FileNotFoundError:
            pass
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise CurationError(
                f"{self.path}: not readable any more; remove it, and every step looks anew"
            ) from error

    def run(self, tell: Callable[[str], None]) -> None:
        """Do what is not done, in order. Whatever a step raises ends the run; what is done stays."""
        for step in self.steps:
            if self.state(step) == "done":
                tell(f"{step.name:9}done before, skipped")
                continue
            replace = step.name in self.journal.finished or step.name in self.journal.begun
            if not replace and not any(path.exists() for path in step.makes()):
                self.journal.begun.append(step.name)
                self.save()
            inputs = self.inputs(step)
            text = step.run(replace)
            tell("\n".join(f"{step.name:9}{line}" for line in text.splitlines()))
            self.record(step, inputs)

    def record(self, step: Step, inputs: str | None) -> None:
        """Remember a finished step. Inputs that it changed itself are taken as they are now."""
        now = self.inputs(step)
        assert now is not None, f"{step.name}: finished without its inputs"
        made = {str(path): self.digest(path) for top in step.makes() for path in files_of(top)}
        self.journal.finished[step.name] = Finished(inputs or now, made)
        if step.name in self.journal.begun:
            self.journal.begun.remove(step.name)
        self.save()

    def state(self, step: Step) -> State:
        """Whether a step must be done. A later step's answer can change when this one is done."""
        done = self.journal.finished.get(step.name)
        if done is None:
            return "to do"
        if self.inputs(step) != done.inputs:
            return "changed"
        whole = all(Path(path).is_file() and self.digest(Path(path)) == d for path, d in done.made.items())
        return "done" if whole else "damaged"

    def states(self) -> Iterator[tuple[Step, State]]:
        """Every step with its state, for people to look at."""
        for step in self.steps:
            yield step, self.state(step)

    def inputs(self, step: Step) -> str | None:
        """The digest of all that a step reads; None while something is not there."""
        reads = step.reads()
        if reads is None or not all(path.exists() for path in reads):
            return None
        listed = [[str(path), self.digest(path)] for top in reads for path in files_of(top)]
        return hashlib.sha256(canonical([step.asks(), listed])).hexdigest()

    def digest(self, path: Path) -> str:
        """The sha256 of a file, read again only when its size, time or inode changed."""
        status = path.stat()
        stamp = (status.st_size, status.st_mtime_ns, status.st_ino)
        known = self.journal.known.get(str(path))
        if known is None or known.stamp != stamp:
            known = self.journal.known[str(path)] = Known(stamp, file_digest(path))
        return known.sha256

    def save(self) -> None:
        """Write the journal whole."""
        write_bytes(self.path, pretty(msgspec.to_builtins(self.journal)))


def files_of(top: Path) -> list[Path]:
    """A file, or the files below a folder, sorted; those that tell times and the machine left out."""
    if not top.is_dir():
        return [top] if top.exists() else []
    found = [Path(folder) / name for folder, _, names in os.walk(top) for name in names]
    return sorted(path for path in found if path.name != "timings.json")
