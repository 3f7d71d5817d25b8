"""manifest.json: what a dataset holds, where it came from, and the digest of every file.

It is written last: where it exists, the run finished (DESIGN.md §4).
"""

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec
import orjson

from curation.errors import CurationError, Refusal
from curation.files import file_digest
from curation.recipe.load import Recipe, recipe_from
from curation.recipe.model import Unit
from curation.sealed import Sealed, read_sealed, schema_of, write_sealed

MANIFEST = "manifest.json"
RECIPE = "recipe.json"
# Files of a dataset that the manifest does not list: itself, what people add, and times.
APPROVALS = ("approval.json", "approval-2.json")
UNLISTED = frozenset({MANIFEST, "timings.json", *APPROVALS, *(f"{name}.sig" for name in APPROVALS)})
# What a killed command leaves of a file that it was writing into a finished dataset.
HALF_WRITTEN = re.compile(
    rf"\.({'|'.join(re.escape(name) for name in sorted([*UNLISTED, 'report.html']))})\.\d+\.part"
)

SPLITS = ("train", "eval")


class Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Base of what a manifest is made of: no key is optional, none is unknown."""


class RecipeRef(Part, frozen=True):
    """Which recipe made the dataset. `sha256` is the digest of the bytes of its `recipe.json`."""

    name: str
    version: str
    sha256: str


class RowCounts(Part, frozen=True):
    """Input rows by fate: read = dropped + unselected + train + eval."""

    read: int
    dropped: int
    unselected: int
    train: int
    eval: int


class Written(Part, frozen=True):
    """Rows in the shards, repeats and pieces included."""

    train: int
    eval: int


class SourceFile(Part, frozen=True):
    """One input file. `rows` counts its input rows, unreadable ones included."""

    path: str
    bytes: int
    sha256: str
    rows: int


class SourceKeys(Part, frozen=True):
    """What became of the keys of a source's records; `messages[].name` is one of turns.

    read: by the reader or by `where`. ignored, refused: key → rows in which it holds anything (null, "",
    [] and {} hold nothing), the most rows first and then by name; of the ignored keys 50, and `more_ignored`
    says how many more there are. Unreadable rows count in none. A column of a Parquet file that is not
    decoded counts its values that are not null by the file's own statistics; a key of turns that is not
    decoded, all rows of the row groups in which any turn has it.
    """

    read: list[str]
    ignored: dict[str, int]
    more_ignored: int
    refused: dict[str, int]


class SourceCounts(Part, frozen=True, omit_defaults=True):
    """One source: where it came from and the fates of its input rows, dropped ones by reason.

    keys: null in what earlier versions made, where they are not recorded.
    """

    group: str
    uri: str
    revision: str | None
    licence: str | None
    files: list[SourceFile]
    read: int
    dropped: dict[str, int]
    unselected: int
    train: int
    eval: int
    keys: SourceKeys | None = None


class GroupCounts(Part, frozen=True):
    """One group of the mixture, in the mixture's unit except `unique` and `max_repeat`.

    asked: the recipe's share, 0 to 1. got: written to train. available: what the stages and eval
    left to choose from, each row once. quota: what the solved mixture wanted. unique: different
    rows written to train. max_repeat: the most often that one of them was written.
    """

    asked: float
    got: int
    available: int
    quota: int
    unique: int
    max_repeat: int


class MixtureCounts(Part, frozen=True):
    """The solved mixture. `total` is what it aimed for, in `unit`, over all groups."""

    unit: Unit
    total: int
    groups: dict[str, GroupCounts]


class StageCounts(Part, frozen=True):
    """One stage, counting pieces: in + added = out + Σ dropped."""

    name: str
    entered: int = msgspec.field(name="in")
    added: int
    out: int
    dropped: dict[str, int]


class ListedFile(Part, frozen=True):
    """One file of the dataset, relative to it, with `/`. `rows` is null for what is no table."""

    path: str
    rows: int | None
    bytes: int
    sha256: str


class Manifest(Sealed, frozen=True):
    """manifest.json. `sample` is present, and true, in a preview made by `--sample` alone."""

    format: Literal[1]
    recipe: RecipeRef
    root: str
    rows: RowCounts
    written: Written
    sources: dict[str, SourceCounts]
    mixture: MixtureCounts
    stages: list[StageCounts]
    files: list[ListedFile]
    versions: dict[str, str]
    sample: bool = False


def write_manifest(dataset: Path, manifest: Manifest) -> Manifest:
    """Write `<dataset>/manifest.json` atomically; returns it with `self_sha256`."""
    return write_sealed(dataset / MANIFEST, manifest)


def read_manifest(dataset: Path) -> Manifest:
    """The manifest of a finished dataset.

    Raises CurationError when `dataset` is none, and Refusal when its manifest was changed.
    """
    if not dataset.is_dir():
        raise CurationError(f"{dataset}: no such folder; expected a dataset that `aj curate` made")
    if not (dataset / MANIFEST).is_file():
        raise CurationError(f"{dataset}: no {MANIFEST}, so no run finished here; run `aj curate` first")
    return read_sealed(dataset / MANIFEST, Manifest)


def read_recipe(dataset: Path, manifest: Manifest) -> Recipe:
    """The resolved recipe that made a dataset, from its `recipe.json`.

    Raises Refusal when the file is not the one that the manifest names.
    """
    path = dataset / RECIPE
    try:
        data = path.read_bytes()
    except OSError as error:
        raise Refusal(f"{path}: cannot be read: {error.strerror or error}") from error
    if hashlib.sha256(data).hexdigest() != manifest.recipe.sha256:
        raise Refusal(f"{path}: not the recipe that the manifest names: its digest differs")
    return recipe_from(orjson.loads(data), str(path), folder=dataset)


def dataset_files(dataset: Path) -> list[str]:
    """Every file of the dataset that a manifest lists, relative with `/`, sorted.

    Symbolic links count as files, whatever they point to.
    """
    found = (
        path.relative_to(dataset).as_posix()
        for path in dataset.rglob("*")
        if path.is_symlink() or not path.is_dir()
    )
    left = {path.name for path in half_written(dataset)}
    return sorted(name for name in found if name not in UNLISTED | left)


def half_written(dataset: Path) -> list[Path]:
    """What killed commands left in a dataset; nothing reads it, and the next command of a kind removes it."""
    return [
        path
        for path in sorted(dataset.glob(".*.part"))
        if HALF_WRITTEN.fullmatch(path.name) and path.is_file() and not path.is_symlink()
    ]


def list_files(dataset: Path, rows: Mapping[str, int]) -> list[ListedFile]:
    """The manifest's `files`: everything under `dataset`, with the row counts of the tables."""
    return [
        ListedFile(
            path=name,
            rows=rows.get(name),
            bytes=(dataset / name).stat().st_size,
            sha256=file_digest(dataset / name),
        )
        for name in dataset_files(dataset)
    ]


def difference(dataset: Path, file: ListedFile) -> str | None:
    """How a file of the dataset differs from what the manifest lists; None when it does not.

    A link is a difference, whatever it points to: what it leads to can change unseen.
    """
    path = dataset / file.path
    if path.is_symlink() or not path.resolve().is_relative_to(dataset.resolve()):
        return "a link, or outside the dataset; expected a file of its own"
    if not path.is_file():
        return "absent"
    try:
        size = path.stat().st_size
        if size != file.bytes:
            return f"{size} bytes; the manifest says {file.bytes}"
        if file_digest(path) != file.sha256:
            return "its bytes are not those that the manifest lists"
    except OSError as error:
        return f"cannot be read: {error.strerror or error}"
    return None


def shard_files(manifest: Manifest, split: str) -> list[ListedFile]:
    """The listed shards of a split, in order."""
    return sorted((file for file in manifest.files if is_shard(file.path, split)), key=lambda file: file.path)


def is_shard(name: str, split: str) -> bool:
    """Whether a path names a shard of the split: `<split>/part-….parquet`."""
    return name.startswith(f"{split}/part-") and name.endswith(".parquet")


def manifest_schema() -> dict[str, Any]:
    """What schemas/manifest.schema.json holds."""
    return schema_of(Manifest, "manifest.json of a curated dataset")
