"""The gatekeeper: what is trained on is what was approved, byte for byte. No flag turns it off.

`admit` hashes every shard again and counts the root again; `Admitted.parts` hashes the bytes that it
hands out, so that a file swapped after the check is refused too.
"""

import hashlib
import io
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import polars as pl

from curation.dataset.manifest import MANIFEST, SPLITS, ListedFile, difference, read_manifest, shard_files
from curation.errors import CurationError, Refusal
from curation.files import file_digest
from curation.recipe.load import Recipe, recipe_from
from curation.release.frozen import Frozen, frozen_sources, read_frozen
from curation.rendering.template import NAMED, Template, edition_of, load_template
from curation.row import root_digest


@dataclass(frozen=True)
class Admitted:
    """A frozen recipe whose data is there and is what was approved."""

    frozen: Frozen
    recipe: Recipe
    path: Path
    data: Path

    def parts(self, split: str) -> Iterator[pl.DataFrame]:
        """The shards of a split in order, with the columns of DESIGN.md §3. Raises Refusal."""
        for file in self.frozen.shards[split]:
            yield pl.read_parquet(io.BytesIO(checked_bytes(self.data, file)))


def admit(frozen_path: Path, data: Path | None = None) -> Admitted:
    """Check a frozen recipe and the dataset it names.

    data  the dataset's folder; default build/<name>-v<version>

    Raises Refusal when the recipe was edited, nobody approved it, or any shard differs from the one
    that was approved; CurationError when there is no such file or folder.
    """
    frozen = read_frozen(frozen_path)
    recipe = recipe_from(frozen.recipe, str(frozen_path), folder=frozen_path.parent)
    folder = data or Path("build") / f"{frozen.name}-v{frozen.version}"
    if not folder.is_dir():
        raise CurationError(
            f"{folder}: no such folder; expected the dataset of {frozen_path}: use --data DIR"
        )
    if not frozen.approvals:
        raise Refusal(f"{frozen_path}: nobody approved this dataset; run `aj approve` and `aj freeze`")
    admitted = Admitted(frozen, recipe, frozen_path, folder)
    check_shards(admitted)
    check_root(admitted)
    check_manifest(admitted)
    check_template(admitted)
    check_evaluation(admitted)
    return admitted


def check_manifest(admitted: Admitted) -> None:
    """Raise Refusal unless recipe and shards are those of the manifest that was approved.

    An approval, and its signature, covers the manifest's digest; what a frozen recipe says beside
    that, its train settings included, could be edited and sealed anew by anyone.
    """
    frozen, data = admitted.frozen, admitted.data
    if not (data / MANIFEST).is_file() or file_digest(data / MANIFEST) != frozen.manifest_sha256:
        raise Refusal(
            f"{data / MANIFEST}: not the manifest that was approved; `aj verify` tells what differs"
        )
    manifest = read_manifest(data)
    if manifest.recipe.sha256 != frozen.recipe_sha256:
        raise Refusal(f"{admitted.path}: the recipe in it is not the one that was approved; freeze again")
    if any(frozen.shards[split] != shard_files(manifest, split) for split in SPLITS):
        raise Refusal(f"{admitted.path}: the shards in it are not those that were approved; freeze again")
    if (frozen.sources, frozen.versions) != (frozen_sources(manifest), manifest.versions):
        raise Refusal(
            f"{admitted.path}: the sources or versions in it are not those that were approved; freeze again"
        )


def check_template(admitted: Admitted) -> None:
    """Raise Refusal unless a template that the recipe names by its path is the one that curation used."""
    name = admitted.recipe.template
    path = admitted.recipe.data_folder / name
    if name in NAMED or not path.is_file():
        return
    counted = {
        sha256
        for key, sha256 in admitted.frozen.versions.items()
        if key.startswith("tokens:") and PurePosixPath(key.removeprefix("tokens:")).name == path.name
    }
    if file_digest(path) not in counted:
        raise Refusal(f"{path}: not the template that the dataset was curated with; its bytes changed")


def template_of(admitted: Admitted, tokenizer_dir: Path | None = None) -> Template:
    """The template that the dataset's rows were counted with, for a tokenizer's folder.

    One that records no template was counted with the first edition. Raises as `load_template`, and Refusal
    when it was another edition than is known here.
    """
    recipe = admitted.recipe
    thinking = recipe.train.thinking
    recorded = admitted.frozen.versions.get(f"template:{PurePosixPath(recipe.template).name}")
    if recorded not in (None, edition_of(recipe.template, thinking)):
        raise Refusal(
            f"{admitted.path}: its rows were counted with another edition of the template {recipe.template} "
            f"than this version has; train with the version that made it, or curate again"
        )
    return load_template(
        recipe.template, tokenizer_dir, root=recipe.data_folder, thinking=thinking, first=recorded is None
    )


def check_evaluation(admitted: Admitted) -> None:
    """Raise Refusal when the recipe has bounds on the eval split, and no row in it to measure them on."""
    files = {f"{one.kind}.{one.name}" for one in admitted.recipe.asked}
    on_rows = [one for one in admitted.recipe.bounds if str(one.metric).rpartition(".")[0] not in files]
    if on_rows and not sum(file.rows or 0 for file in admitted.frozen.shards["eval"]):
        raise Refusal(
            f"{admitted.path}: asks for an evaluation, and its eval split is empty: no adapter of it could "
            f"be exported; set `split: {{eval: 0.01}}` and curate again"
        )


def check_shards(admitted: Admitted) -> None:
    """Raise Refusal with the first shard whose bytes are not those that were approved."""
    files = [file for split in SPLITS for file in admitted.frozen.shards[split]]
    if not admitted.frozen.shards["train"]:
        raise Refusal(f"{admitted.path}: no train shard; there is nothing to train on")
    with ThreadPoolExecutor(2) as pool:
        found = pool.map(lambda file: difference(admitted.data, file), files)
        for file, what in zip(files, found, strict=True):
            if what is not None:
                raise Refusal(
                    f"{admitted.data / file.path}: not the shard that was approved: {what}; "
                    f"training on it is refused"
                )


def check_root(admitted: Admitted) -> None:
    """Raise Refusal unless the rows in the shards add up to the approved root."""

    def lines() -> Iterator[tuple[str, str, int]]:
        for split in SPLITS:
            for file in admitted.frozen.shards[split]:
                rows = pl.read_parquet(
                    io.BytesIO(checked_bytes(admitted.data, file)), columns=["id", "repeat"]
                )
                for row_id, repeat in rows.iter_rows():
                    yield split, row_id, repeat

    root = root_digest(lines())
    if root != admitted.frozen.root:
        raise Refusal(
            f"{admitted.data}: its rows have the root {root[:12]}…, approved was {admitted.frozen.root[:12]}…"
        )


def checked_bytes(data: Path, file: ListedFile) -> bytes:
    """The bytes of a shard. Raises Refusal unless they are the approved ones."""
    path = data / file.path
    try:
        content = path.read_bytes()
    except OSError as error:
        raise Refusal(f"{path}: cannot be read: {error.strerror or error}") from error
    if hashlib.sha256(content).hexdigest() != file.sha256:
        raise Refusal(f"{path}: not the shard that was approved: its bytes changed; training is refused")
    return content
