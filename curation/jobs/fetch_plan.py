"""What `aj fetch` has to bring: for every address the commit, the files, and what is here already."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from posixpath import dirname, join, normpath

import httpx

from curation.errors import Refusal, SourceError
from curation.files import file_digest
from curation.recipe.load import is_hub
from curation.release.frozen import FrozenSource
from curation.sources.download import file_name, size_of
from curation.sources.fetched import (
    TOKENIZER,
    Address,
    FetchedFile,
    Record,
    is_inside,
    missing_files,
    read_record,
)
from curation.sources.hub import Hub, Kind, Snapshot
from curation.sources.hub_files import select

TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja", "chat_template.json")


@dataclass
class Job:
    """One source on its way: where it goes, what of it is needed, what is here already."""

    address: Address
    entry: Path
    commit: str | None
    folder: str
    # path → bytes, None where the server does not say
    sizes: dict[str, int | None]
    snapshot: Snapshot | None = None
    expected: Mapping[str, str] = field(default_factory=dict)
    here: dict[str, FetchedFile] = field(default_factory=dict)
    was: str | None = None
    came: list[str] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)

    @property
    def missing(self) -> list[str]:
        """The files that must come."""
        return [path for path in self.sizes if path not in self.here]

    @property
    def to_come(self) -> int:
        """Bytes that must come, as far as the servers say."""
        return sum(self.sizes[path] or 0 for path in self.missing)


def look(
    address: Address, frozen: Mapping[str, FrozenSource], hub: Hub, client: httpx.Client, *, force: bool
) -> Job:
    """What a source is now, and how much of it is here; with `force` as if nothing were.

    Raises SourceError with the line of the recipe that names it, and Refusal as `look_at_hub`.
    """
    pinned = frozen.get(address.name)
    try:
        if is_hub(address.uri):
            job = look_at_hub(address, pinned, hub)
        else:
            job = look_at_web(address, pinned, client)
    except SourceError as error:
        raise SourceError(f"{address.at}: {error}") from error
    record = read_record(job.entry)
    if record is not None:
        job.was = record.commit
        if record.folder == job.folder and not force:
            job.here = unchanged(job.entry / record.folder, record)
    job.came = job.missing
    return job


def look_at_hub(address: Address, pinned: FrozenSource | None, hub: Hub) -> Job:
    """The commit and the files of a hub source."""
    kind, repo = repository(address)
    revision = pinned.revision if pinned is not None else address.source.revision
    snapshot = hub.snapshot(repo, revision, kind)
    names = list(snapshot.files)
    expected: dict[str, str] = {}
    if address.name == TOKENIZER:
        chosen = [name for name in TOKENIZER_FILES if name in snapshot.files]
        if "tokenizer.json" not in chosen:
            raise SourceError(f"{repo}: has no tokenizer.json")
    elif pinned is not None:
        expected = {file.path: file.sha256 for file in pinned.files}
        chosen = list(expected)
        if absent := [path for path in chosen if path not in snapshot.files]:
            raise Refusal(
                f"{repo}: commit {snapshot.commit[:12]} has no {absent[0]}, which the frozen recipe names"
            )
    else:
        chosen = select(names, address.source, snapshot.card)
    answers = [p for p in halves(chosen, address.source.answers, snapshot) if p not in chosen]
    chosen += answers
    for path in chosen:
        if not is_inside(path):
            raise SourceError(f"{repo}: the file name {path!r} leads out of its folder; aj does not take it")
    sizes: dict[str, int | None] = {path: snapshot.files[path].bytes for path in chosen}
    return Job(
        address,
        address.entry,
        snapshot.commit,
        snapshot.commit[:12],
        sizes,
        snapshot,
        expected,
        answers=answers,
    )


def repository(address: Address) -> tuple[Kind, str]:
    """(kind, id) of a hub address."""
    path = address.uri.removeprefix("hf://")
    if path.startswith("datasets/"):
        return "dataset", path.removeprefix("datasets/")
    return "model", path


def halves(chosen: Sequence[str], answers: str | None, snapshot: Snapshot) -> Iterator[str]:
    """Files with the other half of each row, beside the files with the first one."""
    for path in chosen if answers else ():
        beside = normpath(join(dirname(path), answers or ""))
        within = join(beside, path.rpartition("/")[2])
        yield from (name for name in (beside, within) if name in snapshot.files)


def look_at_web(address: Address, pinned: FrozenSource | None, client: httpx.Client) -> Job:
    """The one file of an https source; without a sha256 what is here stands for it."""
    name = file_name(address.uri)
    entry = address.entry
    sha256 = pinned.files[0].sha256 if pinned is not None and pinned.files else address.source.sha256
    record = read_record(entry)
    folder = sha256[:12] if sha256 else record.folder if record else "unpinned"
    size = None
    if record is None or record.folder != folder or missing_files(entry / folder, record):
        size = size_of(client, address.uri)
    else:
        size = record.files[0].bytes
    return Job(address, entry, None, folder, {name: size}, expected={name: sha256} if sha256 else {})


def unchanged(folder: Path, record: Record) -> dict[str, FetchedFile]:
    """The files of a record whose bytes are still those that came."""
    found = {}
    for file in record.files:
        path = folder / file.path
        if path.is_file() and path.stat().st_size == file.bytes and file_digest(path) == file.sha256:
            found[file.path] = file
    return found
