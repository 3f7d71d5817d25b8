"""`aj verify`: is everything still what it was? A dataset, or a frozen recipe with its data."""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple

from curation.dataset.integrity import check_dataset, file_problem, is_dataset, problem_text
from curation.dataset.manifest import APPROVALS, MANIFEST, SPLITS, Manifest, half_written, read_recipe
from curation.dataset.row_check import Problem
from curation.errors import CurationError
from curation.files import canonical, file_digest
from curation.release.approval import check_approvals
from curation.release.frozen import Frozen, looks_frozen, read_bytes, read_frozen
from curation.release.signing import allowed_signers_path

SHOWN = 20  # problems in the text


class VerifyResult(NamedTuple):
    """What was checked and what is wrong, the first problem first.

    notes: what could not be checked here, and why.
    """

    path: Path
    kind: Literal["dataset", "frozen recipe"]
    files: int
    rows: int
    problems: list[Problem]
    notes: list[str]

    @property
    def ok(self) -> bool:
        """Whether everything that was checked is as it was."""
        return not self.problems

    def as_json(self) -> str:
        """The result for programs."""
        found = {
            "path": str(self.path),
            "kind": self.kind,
            "ok": self.ok,
            "files": self.files,
            "rows": self.rows,
            "problems": [problem._asdict() for problem in self.problems],
            "notes": self.notes,
        }
        return canonical(found).decode()

    def as_text(self) -> str:
        """The result for people: what differs first of all."""
        lines = [f"differs  {problem}" for problem in self.problems[:SHOWN]]
        if len(self.problems) > SHOWN:
            lines.append(f"         and {len(self.problems) - SHOWN} more; --json lists them")
        if self.ok:
            seen = f" of {self.files:,} files and {self.rows:,} rows" if self.rows else ""
            lines.append(f"whole    {self.path}: {self.kind}{seen}")
        return "\n".join([*lines, *(f"note     {note}" for note in self.notes)])


def verify(path: Path, data: Path | None = None) -> VerifyResult:
    """Hash everything again. `data`: the dataset of a frozen recipe, wherever it lies now.

    What is changed, absent, unlisted or unparsable is in the result. Raises CurationError only when
    `path` is missing or neither dataset nor frozen recipe.
    """
    if not path.exists():
        raise CurationError(f"{path}: does not exist; expected a dataset folder or a frozen recipe")
    if path.is_dir() and is_dataset(path):
        return verify_dataset(path)
    if path.is_file() and looks_frozen(read_bytes(path)):
        return verify_frozen(path, data)
    raise CurationError(f"{path}: neither a dataset nor a frozen recipe")


def verify_dataset(dataset: Path) -> VerifyResult:
    """A dataset and its approvals. One without an approval is whole, too."""
    checked = check_dataset(dataset)
    problems, notes = list(checked.problems), []
    if checked.manifest is not None and any((dataset / name).exists() for name in APPROVALS):
        problems += approval_problems(dataset, checked.manifest)
        notes += unknown_signers(any((dataset / f"{name}.sig").exists() for name in APPROVALS))
    else:
        notes.append("not approved")
    for name in APPROVALS:
        if (dataset / f"{name}.sig").exists() and not (dataset / name).exists():
            problems.append(Problem(f"{name}.sig", None, "signs an approval that is absent"))
    notes += [
        f"{left.name}: left by a command that was killed; may be removed" for left in half_written(dataset)
    ]
    return VerifyResult(dataset, "dataset", checked.files, checked.rows, problems, notes)


def approval_problems(dataset: Path, manifest: Manifest) -> list[Problem]:
    """What is wrong with the approvals of a dataset, as far as this machine can tell."""
    try:
        check_approvals(
            dataset, read_recipe(dataset, manifest), know_signers=allowed_signers_path().is_file()
        )
    except OSError as error:
        return [Problem(APPROVALS[0], None, f"approves a file that cannot be read: {error.filename}")]
    except CurationError as error:
        return [Problem(APPROVALS[0], None, problem_text(error, dataset / APPROVALS[0]))]
    return []


def unknown_signers(is_signed: bool) -> list[str]:
    """A note when there are signatures and no list of who may sign."""
    allowed = allowed_signers_path()
    return [f"signatures not checked: {allowed} is missing"] if is_signed and not allowed.is_file() else []


def verify_frozen(path: Path, data: Path | None) -> VerifyResult:
    """A frozen recipe, and with `data` every byte of the dataset that it names."""
    try:
        frozen = read_frozen(path, know_signers=allowed_signers_path().is_file())
    except CurationError as error:
        return VerifyResult(
            path, "frozen recipe", 1, 0, [Problem(path.name, None, problem_text(error, path))], []
        )
    notes = unknown_signers(any(entry.signature for entry in frozen.approvals))
    if data is None:
        notes.append("its data was not looked at; name the dataset with --data DIR")
        return VerifyResult(path, "frozen recipe", 1, 0, [], notes)
    if not data.is_dir():
        raise CurationError(f"{data}: no such folder; expected the dataset of {path}")
    problems = list(data_problems(frozen, data))
    found = verify_dataset(data) if is_dataset(data) else None
    files, rows = (found.files, found.rows) if found else (0, 0)
    problems += found.problems if found else []
    return VerifyResult(path, "frozen recipe", files + 1, rows, list(dict.fromkeys(problems)), notes)


def data_problems(frozen: Frozen, data: Path) -> Iterator[Problem]:
    """Shards and manifest of a folder against those that were frozen."""
    for split in SPLITS:
        for shard in frozen.shards[split]:
            problem = file_problem(data, shard)
            if problem is not None:
                yield problem
    if not (data / MANIFEST).is_file():
        yield Problem(MANIFEST, None, "absent")
    elif file_digest(data / MANIFEST) != frozen.manifest_sha256:
        yield Problem(MANIFEST, None, "not the manifest that was frozen: its digest differs")
