"""`aj freeze`: an approved dataset becomes a frozen recipe, or a person reads why not."""

from datetime import UTC, datetime
from pathlib import Path

import msgspec

from curation.dataset.manifest import MANIFEST, SPLITS, Manifest, shard_files
from curation.errors import CurationError
from curation.files import file_digest
from curation.recipe.load import Recipe
from curation.release.approval import Signed, check_approvals, ready
from curation.release.frozen import (
    FROZEN_FOLDER,
    Frozen,
    FrozenApproval,
    frozen_sources,
    parse_frozen,
    previous_frozen,
    render,
    write_frozen,
)
from curation.release.version import changes, check_version, model_name, parse_version
from curation.sources.fetched import base_commit


def freeze(
    dataset: Path, out: Path | None = None, *, now: datetime | None = None, force: bool = False
) -> Path:
    """Write the frozen recipe of a dataset; returns its path. Freezing again changes nothing.

    out  default recipes/frozen/<name>-v<version>.yaml under the current folder
    now  when waivers are judged; default this moment

    Raises Refusal when the dataset is damaged, a preview, failed or not approved as its recipe
    asks, when a waiver has expired, or when the version does not say what changed since the
    previous frozen recipe beside `out`; CurationError when `out` holds something else.
    """
    manifest, recipe, _ = ready(dataset, now or datetime.now(UTC))
    approvals = check_approvals(dataset, recipe)
    frozen = freeze_of(dataset, manifest, recipe, approvals)
    path = out or FROZEN_FOLDER / f"{recipe.name}-v{recipe.version}.yaml"
    refuse_wrong_version(frozen, path.parent)
    if path.exists() and path.read_bytes() in same_but_for_commit(path, frozen):
        return path
    if path.exists() and not force:
        raise CurationError(f"{path}: holds something else already; use --force to replace it, or --out")
    write_frozen(path, frozen)
    return path


def same_but_for_commit(path: Path, frozen: Frozen) -> list[bytes]:
    """What may stand at `path` already: the base model may have been fetched, or its branch moved, since."""
    try:
        before = parse_frozen(path).base_commit
    except CurationError:
        return [render(frozen)]
    return [render(frozen), render(msgspec.structs.replace(frozen, base_commit=before))]


def freeze_of(dataset: Path, manifest: Manifest, recipe: Recipe, approvals: list[Signed]) -> Frozen:
    """What the frozen recipe says."""
    content = recipe.as_dict()
    return Frozen(
        format=1,
        name=recipe.name,
        version=recipe.version,
        model=model_name(recipe.base_model.code, recipe.version, "lora"),
        root=manifest.root,
        manifest_sha256=file_digest(dataset / MANIFEST),
        recipe_sha256=manifest.recipe.sha256,
        recipe=content,
        sources=frozen_sources(manifest),
        shards={split: shard_files(manifest, split) for split in SPLITS},
        approvals=[FrozenApproval(document=s.approval, signature=s.signature) for s in approvals],
        train=content["train"],
        versions=manifest.versions,
        base_commit=base_commit(recipe),
    )


def refuse_wrong_version(frozen: Frozen, folder: Path) -> None:
    """Raise Refusal when the version does not say what changed since the previous one."""
    place = previous_frozen(folder, frozen.name, frozen.version)
    if place is None:
        return
    previous = parse_frozen(place)
    change = changes(frozen.recipe, frozen.root, previous.recipe, previous.root)
    check_version(parse_version(frozen.version), parse_version(previous.version), change)
