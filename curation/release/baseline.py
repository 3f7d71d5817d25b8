"""baseline.json: the summary of the earlier version that a report compares with (DESIGN.md §4).

It is the dataset or frozen recipe that the recipe's `baseline` names, else the highest lower frozen
version of that name. It counts as an input: another baseline makes another dataset directory.
"""

from pathlib import Path
from typing import Any

import msgspec

from curation.dataset.gates import read_gates
from curation.dataset.manifest import Manifest, read_manifest, read_recipe
from curation.errors import CurationError, RecipeError
from curation.files import canonical
from curation.recipe.load import Recipe
from curation.release.frozen import FROZEN_FOLDER, Frozen, parse_frozen, previous_frozen

BASELINE = "baseline.json"


def baseline(recipe: Recipe, frozen_folder: Path = FROZEN_FOLDER) -> dict[str, Any] | None:
    """The summary of the version to compare with, or None when there is no earlier one.

    Keys: format, kind (dataset or frozen), name, version, root, recipe (in full), written, sources
    {name: {group, revision, read, …}}; of a dataset also rows, dropped counts, mixture and gates.
    Raises RecipeError when the recipe names one that is not there or is none.
    """
    if recipe.baseline is None:
        path = previous_frozen(frozen_folder, recipe.name, recipe.version)
        return None if path is None else of_frozen(parse_frozen(path))
    path = named_path(recipe)
    try:
        return of_dataset(path) if path.is_dir() else of_frozen(parse_frozen(path))
    except CurationError as error:
        raise RecipeError(f"{recipe.at('baseline')}: {error}") from error


def baseline_bytes(recipe: Recipe, frozen_folder: Path = FROZEN_FOLDER) -> bytes | None:
    """What baseline.json holds, or None when there is none to write."""
    found = baseline(recipe, frozen_folder)
    return None if found is None else canonical(found) + b"\n"


def named_path(recipe: Recipe) -> Path:
    """The recipe's `baseline`, relative to the recipe's folder, else to the current one."""
    assert recipe.baseline is not None
    beside = Path(recipe.document.name).parent / recipe.baseline
    path = beside if beside.exists() else Path(recipe.baseline)
    if not path.exists():
        raise RecipeError(
            f"{recipe.at('baseline')}: {recipe.baseline} does not exist, neither beside the recipe nor here; "
            "expected a dataset or a frozen recipe"
        )
    return path


def of_dataset(dataset: Path) -> dict[str, Any]:
    """The summary of a dataset directory."""
    manifest = read_manifest(dataset)
    gates = read_gates(dataset)
    return {
        "format": 1,
        "kind": "dataset",
        "name": manifest.recipe.name,
        "version": manifest.recipe.version,
        "root": manifest.root,
        "recipe": read_recipe(dataset, manifest).as_dict(),
        "rows": msgspec.to_builtins(manifest.rows),
        "written": msgspec.to_builtins(manifest.written),
        "sources": sources_of(manifest),
        "mixture": msgspec.to_builtins(manifest.mixture),
        "gates": [{"name": g.name, "measured": g.measured, "passed": g.passed} for g in gates.gates],
    }


def sources_of(manifest: Manifest) -> dict[str, Any]:
    """The sources of a manifest without their files."""
    found = {}
    for name, source in manifest.sources.items():
        entry = msgspec.to_builtins(source)
        del entry["files"]
        found[name] = {**entry, "files": sorted(file.sha256 for file in source.files)}
    return found


def of_frozen(frozen: Frozen) -> dict[str, Any]:
    """The summary of a frozen recipe, which tells less than a dataset: no drops, no measured gates."""
    return {
        "format": 1,
        "kind": "frozen",
        "name": frozen.name,
        "version": frozen.version,
        "root": frozen.root,
        "recipe": frozen.recipe,
        "written": {split: sum(file.rows or 0 for file in files) for split, files in frozen.shards.items()},
        "sources": {
            name: {
                "group": source.group,
                "revision": source.revision,
                "licence": source.licence,
                "read": sum(file.rows for file in source.files),
                "files": sorted(file.sha256 for file in source.files),
            }
            for name, source in frozen.sources.items()
        },
    }
