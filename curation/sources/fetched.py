"""What `aj fetch` brought here: one folder a source in the user's cache, with a record beside it.

    <cache>/<name>-<digest of what was asked>/fetched.json
    <cache>/<name>-<digest of what was asked>/<commit or sha256, shortened>/<the files>

The record names the commit that a branch stood at and the sha256 of every file, so that `aj curate`
knows what it reads without a network. It is replaced in one rename: a fetch that was killed leaves
the earlier one in place.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec

from curation.errors import SourceError
from curation.files import cache_folder, canonical, pretty, write_bytes
from curation.recipe.load import Recipe, is_commit, is_https, is_hub
from curation.recipe.readers import READERS
from curation.recipe.source import Source

# The key of the tokenizer's folder among what was fetched; no source can have this name.
TOKENIZER = "tokenizer:"
BASE_MODEL = "base_model:"
RECORD = "fetched.json"
# Models are fetched as sources are, and no reader ever sees them.
NO_READER = next(iter(READERS))


class FetchedFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One file; `path` is relative to the record's folder, with `/`."""

    path: str
    bytes: int
    sha256: str


class Record(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """fetched.json. `asked` is the revision as the recipe has it, `commit` what it stood for then.

    answers: those of the files that hold only the other half of rows (see Source.answers).
    """

    format: Literal[1] = 1
    uri: str
    asked: str | None
    commit: str | None
    folder: str
    files: list[FetchedFile]
    answers: list[str] = []


class Address(NamedTuple):
    """Something that a recipe names by address, and where the recipe does so."""

    name: str
    uri: str
    source: Source
    at: str

    @property
    def entry(self) -> Path:
        """Its folder in the cache."""
        settings = msgspec.to_builtins(self.source)
        asked = {
            key: settings[key] for key in ("uri", "revision", "files", "subset", "split", "sha256", "answers")
        }
        digest = hashlib.sha256(canonical(asked)).hexdigest()[:16]
        asked |= {"kind": BASE_MODEL} if self.name == BASE_MODEL else {}
        slug = re.sub(r"[^A-Za-z0-9.]+", "-", self.uri.partition("://")[2].removeprefix("datasets/"))
        return cache_folder() / f"{slug.strip('-.')[-60:]}-{digest}"


def addresses(recipe: Recipe) -> Iterator[Address]:
    """What the recipe names by address: its hub and https sources, then its tokenizer."""
    for name, source in recipe.sources.items():
        if is_hub(source.uri) or is_https(source.uri):
            yield Address(name, source.uri, source, recipe.at("sources", name, "uri"))
    if recipe.tokenizer is not None and recipe.tokenizer.id is not None:
        model = recipe.tokenizer.id
        revision = recipe.base_model.revision if model == recipe.base_model.id else None
        uri = f"hf://{model}"
        source = Source(uri=uri, revision=revision, reader=NO_READER, group="")
        yield Address(TOKENIZER, uri, source, recipe.at("tokenizer", "id"))


def base_model(recipe: Recipe) -> Address:
    """The base model of a recipe. Its record says what came; its files stay in the hub's cache."""
    uri = f"hf://{recipe.base_model.id}"
    source = Source(uri=uri, revision=recipe.base_model.revision, reader=NO_READER, group=BASE_MODEL)
    return Address(BASE_MODEL, uri, source, recipe.at("base_model", "id"))


def base_commit(recipe: Recipe) -> str | None:
    """The commit that the base model's revision stands for, where it is known here. No network.

    A commit stands for itself. Of a branch it is the one that the tokenizer came from, by which tokens
    were counted, where that is the base model's; else that of the weights.
    """
    if is_commit(recipe.base_model.revision):
        return recipe.base_model.revision
    own = recipe.tokenizer is not None and recipe.tokenizer.id == recipe.base_model.id
    tokenizers = [address for address in addresses(recipe) if own and address.name == TOKENIZER]
    records = [read_record(address.entry) for address in [*tokenizers, base_model(recipe)]]
    return next((record.commit for record in records if record and record.commit), None)


def fetched_sources(recipe: Recipe) -> dict[str, Path]:
    """The folders of what is here, by source name; TOKENIZER for the tokenizer's. No network.

    What was not fetched, or not as the recipe has it now, is left out.
    """
    found = {}
    for address in addresses(recipe):
        record = read_record(address.entry)
        if record is not None and not missing_files(address.entry / record.folder, record):
            found[address.name] = address.entry / record.folder
    return found


def read_record(entry: Path) -> Record | None:
    """The record in a folder of the cache; None without one, or with one of another layout."""
    try:
        record = msgspec.json.decode((entry / RECORD).read_bytes(), type=Record)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return None
    inside = [record.folder, *(file.path for file in record.files)]
    return record if all(map(is_inside, inside)) and "/" not in record.folder else None


def write_record(entry: Path, record: Record) -> None:
    """Write a record whole, after the files that it names."""
    write_bytes(entry / RECORD, pretty(msgspec.to_builtins(record)))


def record_of(folder: Path) -> Record | None:
    """The record of a folder of files, where `aj fetch` made it."""
    record = read_record(folder.parent)
    return record if record is not None and record.folder == folder.name else None


def missing_files(folder: Path, record: Record) -> list[str]:
    """Files of a record that are not there, or of another size."""
    missing = []
    for file in record.files:
        path = folder / file.path
        if not path.is_file() or path.stat().st_size != file.bytes:
            missing.append(file.path)
    return missing


def is_inside(path: str) -> bool:
    """Whether a name from elsewhere stays below the folder it is put in, on any system."""
    parts = path.split("/")
    plain = not any(character in path for character in "\\:\0") and path.isprintable()
    return plain and bool(path) and not any(part in {"", ".", ".."} for part in parts)


def commits(fetched: Mapping[str, Path]) -> dict[str, str]:
    """The commit of every source that has one."""
    records = {name: record_of(folder) for name, folder in fetched.items()}
    return {name: r.commit for name, r in records.items() if r is not None and r.commit is not None}


def refuse_changed(fetched: Mapping[str, Path], files: Iterable[tuple[str, str, str]]) -> None:
    """Raise SourceError when a file is not the one that was fetched.

    files: (source, path from its folder, sha256) as they are now
    """
    known = {
        (name, file.path): file.sha256
        for name, folder in fetched.items()
        if (record := record_of(folder)) is not None
        for file in record.files
    }
    for name, path, sha256 in files:
        if known.get((name, path), sha256) != sha256:
            raise SourceError(
                f"source {name}: {fetched[name] / path} was changed after it was fetched; "
                "run `aj fetch` again, which mends it"
            )
