"""Is a dataset what its run wrote? Every byte is hashed again, every promise counted again."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import orjson
import polars as pl

from curation.dataset.gates import read_gates
from curation.dataset.manifest import (
    MANIFEST,
    ListedFile,
    Manifest,
    dataset_files,
    difference,
    read_manifest,
    read_recipe,
)
from curation.dataset.row_check import CheckedRows, Problem, check_rows, one_line
from curation.errors import CurationError, Refusal
from curation.row import LEDGER_SCHEMA

FATES = ("dropped", "unselected", "train", "eval")


class Checked(NamedTuple):
    """What was looked at, and what is wrong, the first problem first. No manifest: it is unreadable."""

    manifest: Manifest | None
    files: int
    rows: int
    problems: list[Problem]


def is_dataset(path: Path) -> bool:
    """Whether a folder is a dataset, or was one before its manifest went missing."""
    return (path / MANIFEST).exists() or ((path / "ledger").is_dir() and (path / "gates.json").exists())


def check_dataset(dataset: Path) -> Checked:
    """Check files, rows, root, ledger and gates of a dataset, but not its approval.

    Raises CurationError only when `dataset` is none.
    """
    if not is_dataset(dataset):
        raise CurationError(f"{dataset}: no dataset; expected a folder with a {MANIFEST}")
    try:
        manifest = read_manifest(dataset)
    except CurationError as error:
        return Checked(None, 0, 0, [Problem(MANIFEST, None, problem_text(error, dataset / MANIFEST))])
    problems = list(file_problems(dataset, manifest))
    rows = check_rows(dataset, manifest)
    problems += rows.problems
    problems += count_problems(manifest, rows)
    problems += ledger_problems(dataset, manifest, rows)
    problems += document_problems(dataset, manifest)
    return Checked(manifest, len(manifest.files) + 1, rows.rows, problems)


def problem_text(error: Exception, path: Path) -> str:
    """An error without the path that the problem names anyway."""
    return one_line(error).removeprefix(f"{path}: ")


def file_problems(dataset: Path, manifest: Manifest) -> Iterator[Problem]:
    """Files that are changed, absent or not listed."""
    with ThreadPoolExecutor(2) as pool:
        results = pool.map(lambda file: file_problem(dataset, file), manifest.files)
        yield from (problem for problem in results if problem is not None)
    listed = {file.path for file in manifest.files}
    for name in dataset_files(dataset):
        if name not in listed:
            yield Problem(name, None, "not listed in the manifest")


def file_problem(dataset: Path, file: ListedFile) -> Problem | None:
    """What is wrong with the bytes of one listed file."""
    what = difference(dataset, file)
    return Problem(file.path, None, what) if what else None


def count_problems(manifest: Manifest, rows: CheckedRows) -> Iterator[Problem]:
    """Root, numbers of rows, and conservation, within the manifest and against the shards."""
    if rows.root != manifest.root:
        yield Problem(MANIFEST, None, f"root {manifest.root}, but the shards make {rows.root}")
    for split, ids in rows.ids.items():
        if ids.len() != getattr(manifest.written, split):
            stated = getattr(manifest.written, split)
            yield Problem(MANIFEST, None, f"written.{split} is {stated}, but the shards hold {ids.len()}")
    for name, source in manifest.sources.items():
        fates = sum(source.dropped.values()) + source.unselected + source.train + source.eval
        files = sum(file.rows for file in source.files)
        if not source.read == fates == files:
            yield Problem(
                MANIFEST, None, f"source {name}: read {source.read}, fates {fates}, rows of files {files}"
            )
    sources = manifest.sources.values()
    for key in ("read", "unselected", "train", "eval"):
        if getattr(manifest.rows, key) != sum(getattr(source, key) for source in sources):
            yield Problem(MANIFEST, None, f"rows.{key} is not the sum over the sources")
    if manifest.rows.dropped != sum(sum(source.dropped.values()) for source in sources):
        yield Problem(MANIFEST, None, "rows.dropped is not the sum over the sources")


def ledger_problems(dataset: Path, manifest: Manifest, rows: CheckedRows) -> Iterator[Problem]:
    """Conservation in the ledger: one line an input row, its fates those of manifest and shards."""
    parts = []
    for file in sorted(f.path for f in manifest.files if f.path.startswith("ledger/")):
        try:
            part = pl.read_parquet(dataset / file, glob=False)
            if dict(part.schema) != LEDGER_SCHEMA:
                raise ValueError(f"columns {dict(part.schema)}; expected {LEDGER_SCHEMA}")
        except (OSError, ValueError, pl.exceptions.PolarsError) as error:
            yield Problem(file, None, f"not a ledger any more: {one_line(error)}")
            return
        parts.append(part)
    if not parts:
        yield Problem("ledger", None, "absent")
        return
    ledger = pl.concat(parts)
    yield from fate_problems(ledger, manifest)
    yield from id_problems(ledger, rows)


def fate_problems(ledger: pl.DataFrame, manifest: Manifest) -> Iterator[Problem]:
    """Counts by source, fate and reason against the manifest's; rows counted twice or not at all."""
    counts = ledger.group_by("source", "fate", "reason").len().rows()
    for name, source in manifest.sources.items():
        here = [(fate, reason, n) for place, fate, reason, n in counts if place == name]
        found = {fate: sum(n for f, _, n in here if f == fate) for fate in FATES}
        reasons = {reason: n for fate, reason, n in here if fate == "dropped"}
        expected = (source.unselected, source.train, source.eval)
        if (found["unselected"], found["train"], found["eval"]) != expected or reasons != source.dropped:
            yield Problem("ledger", None, f"source {name}: {found}, {reasons}; the manifest says otherwise")
    if set(ledger["source"].unique()) - set(manifest.sources):
        yield Problem("ledger", None, "holds a source that the manifest does not")
    places = ledger.group_by("source", "file").agg(
        pl.len(), pl.col("row").n_unique().alias("distinct"), pl.col("row").max().alias("last")
    )
    found_rows = {(source, file): tuple(counts) for source, file, *counts in places.iter_rows()}
    for name, source in manifest.sources.items():
        for file in source.files:
            wanted = (file.rows, file.rows, file.rows - 1)
            if found_rows.get((name, file.path), (0, 0, -1)) != wanted:
                yield Problem("ledger", None, f"{name}:{file.path}: not each of its {file.rows} rows once")


def id_problems(ledger: pl.DataFrame, rows: CheckedRows) -> Iterator[Problem]:
    """Every id in the shards is the fate of an input row, and the other way round."""
    whole = ledger.filter(pl.col("id").is_not_null()).select("id", "fate")
    split = ledger.filter(pl.col("id").is_null() & pl.col("detail").str.contains('"parts":[', literal=True))
    pieces = [
        (row_id, fate)
        for detail in split["detail"]
        for row_id, fate, _ in orjson.loads(detail)["parts"]
        if row_id is not None
    ]
    known = pl.concat([whole, pl.DataFrame(pieces, schema=whole.schema, orient="row")])
    for name, ids in rows.ids.items():
        listed = known.filter(pl.col("fate") == name)["id"].unique()
        absent = listed.filter(~listed.is_in(ids.unique().implode()))
        foreign = ids.filter(~ids.is_in(listed.implode()))
        if absent.len():
            yield Problem("ledger", None, f"{absent.sort()[0]} is in {name} there, but in no shard")
        if foreign.len():
            yield Problem(name, None, f"{foreign[0]} is in a shard, but not in {name} in the ledger")


def document_problems(dataset: Path, manifest: Manifest) -> Iterator[Problem]:
    """gates.json and recipe.json by their own seals."""
    try:
        gates = read_gates(dataset)
        if gates.root != manifest.root:
            yield Problem("gates.json", None, "measured on another dataset: its root differs")
    except CurationError as error:
        yield Problem("gates.json", None, problem_text(error, dataset / "gates.json"))
    try:
        read_recipe(dataset, manifest)
    except Refusal as error:
        yield Problem("recipe.json", None, problem_text(error, dataset / "recipe.json"))
    except (CurationError, orjson.JSONDecodeError) as error:
        yield Problem("recipe.json", None, f"not a recipe of this version of aj: {one_line(error)}")
