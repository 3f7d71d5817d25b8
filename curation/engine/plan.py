"""The plan of a run: which files, cut into which chunks, through which phases. No row is read here."""

import glob
import os
import posixpath
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePath
from typing import Any, NamedTuple

import msgspec
import orjson

from curation.dataset.questions import evaluation_digests
from curation.errors import RecipeError
from curation.files import file_digest
from curation.readers.reading import Chunk, chunks, companions, list_files, probe
from curation.recipe.load import Recipe, offered_schemas, recipe_digest, stage_plan
from curation.recipe.source import Source
from curation.recipe.stages import StageSettings
from curation.rendering.template import NAMED, edition_of
from curation.row import digest
from curation.sources.fetched import TOKENIZER, commits, record_of, refuse_changed
from curation.stages.seam import Context, Rows, stage_kind

# Files up to so many bytes are read several at a time, up to so many bytes, by and large so many.
SMALL_FILE_BYTES = 128 << 10
BATCH_BYTES = 2 << 20
FILES_PER_BATCH = 256

__all__ = [
    "TOKENIZER",
    "InputFile",
    "NotFetched",
    "Piece",
    "Plan",
    "PlannedChunk",
    "PlannedStage",
    "make_plan",
]


class NotFetched(RecipeError):
    """Something that the recipe names by address is not on this machine yet."""


class InputFile(NamedTuple):
    """One file of a source; `name` is relative to the data root, with `/`."""

    source: str
    path: Path
    name: str
    bytes: int
    sha256: str


class Piece(NamedTuple):
    """A stretch of a file, or all of it. `limit`: no more records than so many, for a preview."""

    file: InputFile
    chunk: Chunk
    limit: int | None = None

    @property
    def size(self) -> int:
        """Bytes on disk; a whole file where the chunk counts row groups."""
        return min(self.file.bytes, max(self.chunk.end - self.chunk.start, 1 << 16))


class PlannedChunk(NamedTuple):
    """What one task reads: a stretch of a file, or several small files of one source.

    Ordinals follow recipe, file and byte order.
    """

    ordinal: int
    source: str
    pieces: tuple[Piece, ...]

    @property
    def size(self) -> int:
        """Bytes on disk, for the order of work."""
        return sum(piece.size for piece in self.pieces)


@dataclass(frozen=True)
class PlannedStage:
    """A stage of the recipe: its unique name there, its file's name, its settings."""

    name: str
    stage: str
    settings: StageSettings

    @property
    def is_rows(self) -> bool:
        """Whether it works batch by batch, or needs all rows at once."""
        return isinstance(stage_kind(self.stage), Rows)

    def params(self, files: Mapping[str, str]) -> dict[str, Any]:
        """What decides its output. `files`: digests of the files that it reads."""
        return {
            "name": self.name,
            "stage": self.stage,
            "settings": msgspec.to_builtins(self.settings),
            "files": dict(files),
        }


@dataclass(frozen=True)
class Plan:
    """Everything that a run needs to know before it reads a row.

    sources     the recipe's, a branch of the hub replaced by the commit that was fetched
    companions  for a file, the digests of further files that decide how it reads, by name
    """

    recipe: Recipe
    context: Context
    sources: Mapping[str, Source]
    files: Sequence[InputFile]
    chunks: Sequence[PlannedChunk]
    stages: Sequence[PlannedStage]
    stage_files: Mapping[str, Mapping[str, str]]
    companions: Mapping[Path, Mapping[str, str]]

    @cached_property
    def phases(self) -> list[list[PlannedStage]]:
        """Runs of row stages, each stage over all rows alone. The first is a run, perhaps empty."""
        found: list[list[PlannedStage]] = [[]]
        for stage in self.stages:
            if stage.is_rows and (not found[-1] or found[-1][-1].is_rows):
                found[-1].append(stage)
            else:
                found.append([stage])
        return found

    @cached_property
    def context_json(self) -> str:
        """The context as a task's path: it says where things lie, not what they hold."""
        values = {
            "seed": self.context.seed,
            "sources": list(self.context.sources),
            "data_root": str(self.context.data_root),
            "tokenizer": str(self.context.tokenizer) if self.context.tokenizer else None,
            "template": self.context.template,
            "thinking": self.context.thinking,
            "offered": self.context.offered,
            "written": self.context.written,
        }
        return orjson.dumps(values, option=orjson.OPT_SORT_KEYS).decode()

    @cached_property
    def context_digest(self) -> dict[str, Any]:
        """What of the context decides a stage's output; what is offered stands in the tools stage's files."""
        tools = (stage.name for stage in self.stages if stage.stage == "tools")
        return {
            "seed": self.context.seed,
            "sources": list(self.context.sources),
            "template": [self.context.template, edition_of(self.context.template, self.context.thinking)],
            "offered": self.context.offered,
            "written": self.context.written,
            "given": {stage: self.stage_files.get(stage, {}) for stage in tools},
            "files": self.stage_files.get("", {}),
        }

    def companion_files(self, source: str) -> list[tuple[str, Path, str]]:
        """(name, path, digest) of every file that is read beside another of the source, once."""
        found = {}
        for file in (f for f in self.files if f.source == source):
            for beside, sha256 in self.companions[file.path].items():
                name = posixpath.normpath(posixpath.join(posixpath.dirname(file.name), beside))
                found[name] = (name, file.path.parent / beside, sha256)
        listed = {file.name for file in self.files if file.source == source}
        return [found[name] for name in sorted(found) if name not in listed]

    def input_digests(self) -> dict[str, str]:
        """Digests of the files that stages, template, tokens and evaluation are made of, by these."""
        named = PurePath(self.context.template).name
        edition = {f"template:{named}": edition_of(self.context.template, self.context.thinking)}
        files = {
            f"{stage or 'tokens'}:{name}": sha256
            for stage, files in self.stage_files.items()
            for name, sha256 in files.items()
        }
        return edition | files | evaluation_digests(self.recipe, self.context.data_root)

    @property
    def recipe_sha256(self) -> str:
        """Digest of the resolved recipe."""
        return recipe_digest(self.recipe)

    def stage_params(self, stage: PlannedStage) -> dict[str, Any]:
        """`PlannedStage.params` with the digests of its files and the context."""
        return {**stage.params(self.stage_files.get(stage.name, {})), "context": self.context_digest}


def make_plan(
    recipe: Recipe, data_root: Path, *, fetched: Mapping[str, Path] | None = None, base: Path | None = None
) -> Plan:
    """Find and hash the input files, cut them into chunks, and lay out the stages.

    fetched  for hub and https sources, the folder that holds their files
    base     the recipe's folder, where a tokenizer's or a template's relative path may also start
    """
    fetched = fetched or {}
    context = make_context(recipe, data_root, base, fetched.get(TOKENIZER))
    files = hashed(input_files(recipe, data_root, fetched))
    refuse_changed(fetched, ((file.source, file.name, file.sha256) for file in files))
    stages = [PlannedStage(*entry) for entry in stage_plan(recipe)]
    stage_files = {
        name: named_digests(paths, data_root) for name, paths in side_files(stages, context).items()
    }
    cut = batched([Piece(f, chunk) for f in files for chunk in chunks(f.path, recipe.sources[f.source])])
    beside = {f.path: companion_digests(f, recipe.sources[f.source]) for f in files}
    return Plan(recipe, context, resolved(recipe, fetched), files, cut, stages, stage_files, beside)


def batched(pieces: Sequence[Piece]) -> list[PlannedChunk]:
    """Pieces as chunks, in order: a task costs more than a small file, so small ones share one.

    Where a batch ends hangs on the digests of names, as far as its size allows: a file that comes, goes or
    grows makes other batches than its own only within that bound.
    """
    groups: list[list[Piece]] = []
    size, ended = 0, True
    for piece in pieces:
        size += piece.file.bytes
        whole = piece.file.bytes <= SMALL_FILE_BYTES
        if not ended and whole and size <= BATCH_BYTES and groups[-1][0].file.source == piece.file.source:
            groups[-1].append(piece)
        else:
            groups.append([piece])
            size = piece.file.bytes
        ended = not whole or int(digest(piece.file.name)[:8], 16) % FILES_PER_BATCH == 0
    return [PlannedChunk(number, group[0].file.source, tuple(group)) for number, group in enumerate(groups)]


def companion_digests(file: InputFile, source: Source) -> dict[str, str]:
    """Digests of the files that decide how a file reads, by their name from its folder."""
    folder = file.path.parent
    return {os.path.relpath(path, folder): file_digest(path) for path in companions(file.path, source)}


def side_files(stages: Sequence[PlannedStage], context: Context) -> dict[str, list[Path]]:
    """The files that decide the output besides the sources: by row stage, "" for the context's."""
    found = {"": tokenizer_files(context)}
    for stage in stages:
        kind = stage_kind(stage.stage)
        if isinstance(kind, Rows):
            found[stage.name] = list(kind.files(stage.settings, context))
    return found


def stage_files_of(recipe: Recipe, context: Context) -> list[Path]:
    """The side files of a recipe's stages, each once."""
    stages = [PlannedStage(*entry) for entry in stage_plan(recipe)]
    return sorted({path for paths in side_files(stages, context).values() for path in paths})


def resolved(recipe: Recipe, fetched: Mapping[str, Path]) -> dict[str, Source]:
    """The sources with the commits that were fetched in place of branches."""
    known = commits(fetched)
    return {
        name: msgspec.structs.replace(source, revision=known.get(name, source.revision))
        for name, source in recipe.sources.items()
    }


def make_context(
    recipe: Recipe, data_root: Path, base: Path | None = None, tokenizer: Path | None = None
) -> Context:
    """The context of a recipe; a tokenizer by path is looked for in the data root, then beside it.

    `tokenizer` is the folder of one that the recipe names by its hub id, once it is fetched.
    """
    places = [data_root, *([base] if base else [])]
    if recipe.tokenizer is not None and recipe.tokenizer.path is not None:
        tokenizer = first_existing(recipe.tokenizer.path, places, "tokenizer.path")
        if tokenizer.is_dir() and not (tokenizer / "tokenizer.json").is_file():
            raise RecipeError(f"{recipe.at('tokenizer', 'path')}: {tokenizer} has no tokenizer.json")
    elif recipe.tokenizer is not None and tokenizer is None:
        raise NotFetched(
            f"{recipe.at('tokenizer', 'id')}: {recipe.tokenizer.id} is not fetched yet; run `aj fetch` first"
        )
    template = recipe.template
    if template not in NAMED:
        template = str(first_existing(template, places, "template"))
    written = tuple(name for name, source in recipe.sources.items() if source.tools is not None)
    sources, offered = tuple(recipe.sources), offered_schemas(recipe)
    thinking = recipe.train.thinking
    return Context(recipe.seed, sources, data_root, tokenizer, template, offered, written, thinking)


def first_existing(name: str, places: Sequence[Path], key: str) -> Path:
    """The first of `places` that holds the path."""
    for place in places:
        if (place / name).exists():
            return place / name
    looked = " and ".join(str(place) for place in places)
    raise RecipeError(f"{key}: {name} does not exist (looked in {looked})")


def tokenizer_files(context: Context) -> list[Path]:
    """The files that decide how many tokens a row has."""
    found = []
    if context.tokenizer is not None:
        folder = context.tokenizer
        found = (
            sorted(folder.glob("*.json")) + sorted(folder.glob("*.jinja")) if folder.is_dir() else [folder]
        )
    return found if context.template in NAMED else [*found, Path(context.template)]


def named_digests(paths: Sequence[Path], data_root: Path) -> dict[str, str]:
    """Digests of files by their path from the data root, or by name outside it."""
    found = {}
    for path in paths:
        inside = path.is_relative_to(data_root)
        found[path.relative_to(data_root).as_posix() if inside else path.name] = file_digest(path)
    return found


def input_files(
    recipe: Recipe,
    data_root: Path,
    fetched: Mapping[str, Path],
    only: Collection[str] | None = None,
) -> list[tuple[str, Path, str]]:
    """(source, path, name) of every input file, sources in recipe order, files sorted.

    Raises SourceError for a file that is not there, and for a source none of whose first records
    fits its reader.
    """
    found: list[tuple[str, Path, str]] = []
    for name, source in recipe.sources.items():
        if only is not None and name not in only:
            continue
        root = data_root
        if "://" in source.uri:
            if name not in fetched:
                raise NotFetched(
                    f"{recipe.at('sources', name, 'uri')}: {source.uri} is not fetched yet; "
                    "run `aj fetch` first"
                )
            root = fetched[name]
            source = msgspec.structs.replace(source, uri=".", files=fetched_names(root, source))
        paths = list_files(source, root, name=name)
        probe(paths, source, name=name)
        found += [(name, path, path.relative_to(root).as_posix()) for path in paths]
    return found


def fetched_names(folder: Path, source: Source) -> str | list[str]:
    """The files of a fetched source, as patterns: those of its record, whatever else lies there."""
    record = record_of(folder)
    if record is None:
        return source.files or "**/*"
    return [glob.escape(file.path) for file in record.files if file.path not in record.answers]


def hashed(files: Sequence[tuple[str, Path, str]]) -> list[InputFile]:
    """Sizes and digests of the input files; reading is what takes the time, so two at once."""
    with ThreadPoolExecutor(4) as pool:
        digests = list(pool.map(lambda entry: file_digest(entry[1]), files))
    return [
        InputFile(source, path, name, path.stat().st_size, sha256)
        for (source, path, name), sha256 in zip(files, digests, strict=True)
    ]
