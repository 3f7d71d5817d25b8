"""The frozen recipe: one YAML file that says exactly what is trained on, and who approved it.

recipe + resolved sources + dataset root + every shard's digest + approvals. `aj train` accepts this
and nothing else.
"""

import hashlib
import re
from pathlib import Path
from typing import Any, Literal

import msgspec
import orjson
import yaml

from curation.dataset.manifest import ListedFile, Manifest, Part, SourceFile
from curation.errors import CurationError, RecipeError, Refusal
from curation.files import canonical, self_digest, write_bytes
from curation.recipe.load import Recipe, is_commit, recipe_digest, recipe_from
from curation.recipe.yaml_lines import parse_yaml
from curation.release.approval import Approval, Signed, check_people
from curation.release.version import Version, model_name, parse_version
from curation.sealed import Sealed

FROZEN_FOLDER = Path("recipes") / "frozen"
# A source of a hundred thousand files is listed in some 20 MB; more is no frozen recipe.
MAX_BYTES = 64 << 20
# What the strict reader would take for a number if it stood without quotes: digests, versions.
LIKE_A_NUMBER = re.compile(r"[-+]?[0-9.]+([eE][-+]?[0-9]+)?")


class FrozenSource(Part, frozen=True):
    """One source as it was read: the resolved revision and every file's digest."""

    group: str
    uri: str
    revision: str | None
    licence: str | None
    files: list[SourceFile]


class FrozenApproval(Part, frozen=True):
    """An approval as it stands in the dataset, and its signature where there is one."""

    document: Approval
    signature: str | None


class Frozen(Sealed, frozen=True):
    """A frozen recipe. Shards are named relative to the dataset directory.

    recipe: the resolved recipe, whose canonical JSON has the digest `recipe_sha256`. train: its
    train settings. manifest_sha256: digest of the dataset's manifest.json. base_commit: the base
    model's commit; null where nothing here tells which one its revision stands for.
    """

    format: Literal[1]
    name: str
    version: str
    model: str
    root: str
    manifest_sha256: str
    recipe_sha256: str
    recipe: dict[str, Any]
    sources: dict[str, FrozenSource]
    shards: dict[str, list[ListedFile]]
    approvals: list[FrozenApproval]
    train: dict[str, Any]
    versions: dict[str, str]
    base_commit: str | None = None

    @property
    def base_revision(self) -> str | None:
        """The base model's commit, else its revision as the recipe has it."""
        asked: str | None = self.recipe["base_model"].get("revision")
        return self.base_commit or asked

    @property
    def signed(self) -> list[Signed]:
        """The approvals as curation/release/approval.py checks them."""
        return [Signed(entry.document, entry.signature) for entry in self.approvals]


def frozen_sources(manifest: Manifest) -> dict[str, FrozenSource]:
    """What a frozen recipe says of its sources."""
    return {
        name: FrozenSource(
            group=source.group,
            uri=source.uri,
            revision=source.revision,
            licence=source.licence,
            files=source.files,
        )
        for name, source in manifest.sources.items()
    }


class Quoted(yaml.SafeDumper):
    """A dumper without aliases, whose text reads back as text."""

    def ignore_aliases(self, data: Any) -> bool:
        """Equal values are written out each time: an alias can expand without bound."""
        return True


def represent_text(dumper: Quoted, text: str) -> yaml.ScalarNode:
    """Text, in quotes where it looks like a number."""
    style = "'" if LIKE_A_NUMBER.fullmatch(text) else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


Quoted.add_representer(str, represent_text)


def render(frozen: Frozen) -> bytes:
    """The bytes of a frozen recipe's file."""
    content = yaml.dump(frozen.as_dict(), Dumper=Quoted, sort_keys=False, allow_unicode=True, width=110)
    head = f"# {frozen.model}: made by `aj freeze`; any change makes it void\n"
    return (head + content).encode()


def write_frozen(path: Path, frozen: Frozen) -> None:
    """Write a frozen recipe whole."""
    write_bytes(path, render(frozen))


def read_frozen(path: Path, *, know_signers: bool = True) -> Frozen:
    """Read a frozen recipe and check all that it says of itself, signatures included.

    Raises CurationError when the file is no frozen recipe at all, and Refusal when it was changed
    or its approvals are not those that its recipe asks for. know_signers: as in
    `curation.release.approval.check_people`.
    """
    frozen = parse_frozen(path)
    recipe = frozen_recipe(frozen, path)
    if {frozen.root} != {entry.document.root for entry in frozen.approvals}:
        raise Refusal(f"{path}: approved for another dataset: the approval's root differs")
    if {frozen.manifest_sha256} != {entry.document.digests.manifest for entry in frozen.approvals}:
        raise Refusal(f"{path}: approved for another dataset: the approval's manifest digest differs")
    for entry in frozen.approvals:
        if entry.document.self_sha256 != self_digest(entry.document.as_dict()):
            raise Refusal(f"{path}: the approval in it was changed: its self_sha256 does not match")
    check_people(frozen.signed, recipe, str(path), know_signers=know_signers)
    return frozen


def parse_frozen(path: Path) -> Frozen:
    """A frozen recipe that is whole: right layout, its own digest, its own bytes."""
    data = read_bytes(path)
    if not looks_frozen(data):
        raise CurationError(f"{path}: no frozen recipe; expected a file that `aj freeze` wrote")
    try:
        content = parse_yaml(data.decode(), str(path)).value
    except (RecipeError, UnicodeDecodeError) as error:
        raise Refusal(f"{path}: not readable any more: {error}") from error
    try:
        if not isinstance(content, dict) or content.get("self_sha256") != self_digest(content):
            raise Refusal(f"{path}: changed since it was written: self_sha256 does not match its content")
        frozen = msgspec.convert(content, Frozen)
    except (msgspec.ValidationError, orjson.JSONEncodeError) as error:
        raise Refusal(f"{path}: another layout than this version of aj reads: {error}") from error
    if render(frozen) != data:
        raise Refusal(f"{path}: changed since it was written: same values, other bytes")
    return frozen


def read_bytes(path: Path) -> bytes:
    """The bytes of a file that may be a frozen recipe."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise CurationError(f"{path}: cannot be read: {error.strerror or error}") from error
    if len(data) > MAX_BYTES:
        raise CurationError(f"{path}: larger than {MAX_BYTES >> 20} MiB; no frozen recipe is")
    return data


def looks_frozen(data: bytes) -> bool:
    """Whether a file was meant as a frozen recipe, whole or not."""
    return sum(key in data for key in (b"\nmanifest_sha256: ", b"\napprovals:", b"\nself_sha256: ")) >= 2


def frozen_recipe(frozen: Frozen, path: Path) -> Recipe:
    """The recipe inside a frozen one, checked against its digest, and against what is said twice."""
    if hashlib.sha256(canonical(frozen.recipe)).hexdigest() != frozen.recipe_sha256:
        raise Refusal(f"{path}: the recipe in it is not the one that made the dataset: its digest differs")
    recipe = recipe_from(frozen.recipe, str(path), folder=path.parent)
    if recipe_digest(recipe) != frozen.recipe_sha256:
        raise Refusal(f"{path}: the recipe in it reads differently in this version of aj")
    model = model_name(recipe.base_model.code, recipe.version, "lora")
    said = (frozen.name, frozen.version, frozen.model, frozen.train)
    if said != (recipe.name, recipe.version, model, frozen.recipe["train"]):
        raise Refusal(f"{path}: name, version, model or train settings are not those of the recipe in it")
    revision = recipe.base_model.revision
    if is_commit(revision) and frozen.base_commit not in {None, revision}:
        raise Refusal(f"{path}: the base model's commit is not that of the recipe in it")
    return recipe


def at_frozen_commit(recipe: Recipe, frozen: Frozen) -> Recipe:
    """The recipe, its base model at the commit that was frozen."""
    model = msgspec.structs.replace(recipe.base_model, revision=frozen.base_revision)
    return msgspec.structs.replace(recipe, base_model=model)


def previous_frozen(folder: Path, name: str, version: str) -> Path | None:
    """The frozen recipe of that name with the highest version below `version` in a folder.

    Name and version are read from the file, whatever it is called. None when there is none.
    """
    limit = parse_version(version)
    found: list[tuple[Version, Path]] = []
    for path in sorted(folder.glob("*.y*ml")) if folder.is_dir() else []:
        entry = named(path)
        if entry is not None and entry[0] == name and entry[1] < limit:
            found.append((entry[1], path))
    return max(found, default=(None, None))[1]


def named(path: Path) -> tuple[str, Version] | None:
    """Name and version of a frozen recipe, from its first lines; None for another file."""
    with path.open("rb") as file:
        head = file.read(1024).decode("utf-8", "replace")
    name = re.search(r"^name: '?([^'\n]+)'?$", head, re.MULTILINE)
    version = re.search(r"^version: '?([0-9.]+)'?$", head, re.MULTILINE)
    model = re.search(r"^model: ", head, re.MULTILINE)
    if not (name and version and model):
        return None
    try:
        return name[1], parse_version(version[1])
    except CurationError:
        return None
