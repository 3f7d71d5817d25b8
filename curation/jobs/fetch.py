"""`aj fetch`: everything that a recipe names by address comes here, verified, once.

A branch is resolved to the commit that it stands at now and recorded. Of a frozen recipe the very
commits and files are fetched that it names, or nothing.
"""

import json
import os
import shutil
import threading
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple

import httpx
import msgspec
from huggingface_hub.constants import HF_HUB_CACHE

from curation.errors import CurationError, Refusal, SourceError
from curation.files import alone_in, cache_folder, sync
from curation.jobs.fetch_plan import Job, look, unchanged
from curation.progress import Progress
from curation.recipe.load import Recipe, is_commit, is_hub, load_recipe
from curation.release.frozen import (
    Frozen,
    FrozenSource,
    at_frozen_commit,
    frozen_recipe,
    looks_frozen,
    read_bytes,
    read_frozen,
)
from curation.sources.download import download, web
from curation.sources.fetched import (
    TOKENIZER,
    Address,
    FetchedFile,
    Record,
    addresses,
    read_record,
    write_record,
)
from curation.sources.hub import Hub, Tick, hub_cache

WORKERS = 8
Tell = Callable[[str], None]


class Fetched(NamedTuple):
    """One source that is here now.

    came    bytes that were not here before
    was     the commit of the fetch before this one
    pinned  whether the recipe itself says which commit or digest it must be
    """

    name: str
    record: Record
    folder: Path
    came: int
    was: str | None
    pinned: bool


def fetch(
    path: Path,
    *,
    offline: bool = False,
    force: bool = False,
    data_root: Path | None = None,
    tell: Tell = lambda line: None,
) -> list[Fetched]:
    """Fetch what a recipe or a frozen recipe names by address; returns it in their order.

    offline  only look whether it is here, whole and unchanged
    force    fetch again what is here
    tell     takes a line for each source and one with the sum, before the download starts

    Raises SourceError for what cannot be had, and Refusal when files are not those that a frozen
    recipe names. Whatever came whole before an error stays for the next run.
    """
    recipe, found = read(path, data_root)
    frozen = {} if found is None else found.sources
    wanted = list(addresses(recipe))
    if not wanted:
        return []
    if offline or os.environ.get("HF_HUB_OFFLINE", "").upper() in {"1", "ON", "YES", "TRUE"}:
        return [found_here(address, frozen) for address in wanted]
    waiting = partial(tell, "another fetch is running; waiting for it")
    with alone_in(cache_folder(), waiting=waiting, advice="; set AJ_CACHE"), web() as client:
        hub = Hub()
        jobs = [look(address, frozen, hub, client, force=force) for address in wanted]
        announce(jobs, tell)
        refuse_full_disk(jobs)
        bring(jobs, hub, client)
        return [finish(job) for job in jobs]


def recipe_at(path: Path, data_root: Path | None) -> Recipe:
    """A recipe; that of a frozen one with its base model at the commit that was frozen."""
    recipe, frozen = read(path, data_root)
    return recipe if frozen is None else at_frozen_commit(recipe, frozen)


def read(path: Path, data_root: Path | None) -> tuple[Recipe, Frozen | None]:
    """A recipe; of a frozen one also what it was read from."""
    if path.is_file() and looks_frozen(read_bytes(path)):
        frozen = read_frozen(path, know_signers=False)
        return frozen_recipe(frozen, path), frozen
    return load_recipe(path, data_root=data_root), None


def found_here(address: Address, frozen: Mapping[str, FrozenSource]) -> Fetched:
    """What an earlier fetch left, every byte checked. Raises SourceError when it is not all there."""
    record = read_record(address.entry)
    pinned = frozen.get(address.name)
    if record is None:
        raise SourceError(f"{address.at}: {address.uri} is not here; run `aj fetch` without --offline")
    folder = address.entry / record.folder
    whole = unchanged(folder, record)
    if damaged := [file.path for file in record.files if file.path not in whole]:
        raise SourceError(f"{folder / damaged[0]}: absent or changed; run `aj fetch` without --offline")
    if pinned is not None:
        refuse_other(address, {file.path: file.sha256 for file in pinned.files}, whole)
    return Fetched(address.name, record, folder, 0, record.commit, is_pinned(address))


def refuse_other(address: Address, expected: Mapping[str, str], files: Mapping[str, FetchedFile]) -> None:
    """Raise Refusal unless the files are those that a frozen recipe names."""
    for path, sha256 in expected.items():
        if path not in files or files[path].sha256 != sha256:
            found = files[path].sha256 if path in files else "absent"
            raise Refusal(
                f"{address.at}: {path} is {found}, the frozen recipe names {sha256}; "
                "fetch from where it was frozen"
            )


def announce(jobs: Sequence[Job], tell: Tell) -> None:
    """What comes and how large it is, before the first byte."""
    width = max(len(shown(job.address)) for job in jobs)
    for job in jobs:
        commit = f" at {job.commit[:12]}" if job.commit else ""
        moved = f" (was {job.was[:12]})" if job.was and job.was != job.commit else ""
        count = f"{len(job.sizes)} file{'s' if len(job.sizes) != 1 else ''}"
        come = "here already" if not job.missing else f"{to_come(job)} to come"
        tell(f"{shown(job.address):{width}}  {count}, {come}{commit}{moved}")
    total = sum(job.to_come for job in jobs)
    if total:
        tell(f"{'':{width}}  {size(total)} in all")


def shown(address: Address) -> str:
    """A source as it is called for people."""
    return "tokenizer" if address.name == TOKENIZER else address.name


def to_come(job: Job) -> str:
    """The size of what must come."""
    return "an unknown size" if any(job.sizes[p] is None for p in job.missing) else size(job.to_come)


def size(count: float) -> str:
    """Bytes for people: 431 B, 13.4 kB, 2.1 GB."""
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:,.0f} B" if unit == "B" else f"{count:,.1f} {unit}"
        count /= 1000
    return f"{count:,.1f} GB"


def refuse_full_disk(jobs: Sequence[Job]) -> None:
    """Raise CurationError when what comes does not fit, in the hub's cache or in ours."""
    needed = {cache_folder(): sum(job.to_come for job in jobs)}
    hub_place = hub_cache() or Path(HF_HUB_CACHE)
    if existing(hub_place).stat().st_dev != existing(cache_folder()).stat().st_dev:
        # Two disks: no hard links between them, so hub files lie on both.
        needed[hub_place] = sum(job.to_come for job in jobs if job.snapshot is not None)
    for place, count in needed.items():
        free = shutil.disk_usage(existing(place)).free
        if count > free:
            raise CurationError(
                f"{place}: {size(count)} are to come and {size(free)} are free; "
                "make room, or set AJ_CACHE and HF_HOME to a larger disk"
            )


def existing(place: Path) -> Path:
    """The folder itself, or the nearest above it that exists."""
    return next(folder for folder in (place, *place.absolute().parents) if folder.exists())


def bring(jobs: Sequence[Job], hub: Hub, client: httpx.Client) -> None:
    """Download what is missing, several files at once; the first error ends it, what came stays."""
    stop, lock = threading.Event(), threading.Lock()
    with Progress("fetching", sum(job.to_come for job in jobs), unit="B") as line:

        def tick(size: int) -> None:
            with lock:
                line.add(size, size)

        with pool(stop) as workers:
            running = {
                workers.submit(bring_file, job, path, hub, client, tick, stop): (job, path)
                for job in jobs
                for path in job.missing
            }
            done, _ = wait(running, return_when=FIRST_EXCEPTION)
            for future in done:
                job, path = running[future]
                job.here[path] = future.result()


@contextmanager
def pool(stop: threading.Event) -> Iterator[ThreadPoolExecutor]:
    """Threads that end with the block, also where it ends early."""
    workers = ThreadPoolExecutor(WORKERS, thread_name_prefix="fetch")
    try:
        yield workers
    except BaseException:
        stop.set()
        raise
    finally:
        workers.shutdown(cancel_futures=True)


def bring_file(
    job: Job, path: str, hub: Hub, client: httpx.Client, tick: Tick, stop: threading.Event
) -> FetchedFile:
    """One file, from the hub or the web, checked and in its place."""
    target = job.entry / job.folder / path
    expected = job.expected.get(path)
    if job.snapshot is None:
        sha256 = download(client, job.address.uri, target, sha256=expected, tick=tick, stop=stop)
    else:
        try:
            cached, sha256 = hub.download(job.snapshot, path, tick, stop)
        except OSError as error:
            where = error.filename or hub_cache() or HF_HUB_CACHE
            raise CurationError(f"{where}: cannot write: {error.strerror or error}") from error
        if expected is not None and sha256 != expected:
            raise Refusal(f"{job.address.at}: {path} is {sha256}, the frozen recipe names {expected}")
        place(cached, target)
    return FetchedFile(path=path, bytes=target.stat().st_size, sha256=sha256)


def place(cached: Path, target: Path) -> None:
    """The file of the hub's cache under its own name: a hard link, else a copy; whole or not at all.

    No symbolic link: the hub's cache may be cleared, and what a source reads must lie in its folder.
    """
    # One name for every process: fetches are alone, so what a killed one left is replaced by the next.
    beside = target.with_name(f".{target.name}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        beside.unlink(missing_ok=True)
        try:
            os.link(cached.resolve(), beside)
        except OSError:
            shutil.copyfile(cached, beside)
        sync(beside)
        beside.replace(target)
    except OSError as error:
        raise CurationError(f"{target}: cannot write: {error.strerror or error}") from error
    finally:
        beside.unlink(missing_ok=True)


def finish(job: Job) -> Fetched:
    """Write the record of a source whose files are all here, and remove what is not of it.

    That is the files of earlier commits, and what a fetch that was killed left half-written.
    """
    came = sum(job.here[path].bytes for path in job.came)
    record = Record(
        uri=job.address.uri,
        asked=job.address.source.revision,
        commit=job.commit,
        folder=job.folder,
        files=[job.here[path] for path in sorted(job.sizes)],
        answers=sorted(job.answers),
    )
    write_record(job.entry, record)
    try:
        for folder in job.entry.iterdir():
            if folder.is_dir() and folder.name != job.folder:
                shutil.rmtree(folder, ignore_errors=True)
        for left in half_written(job.entry / job.folder, job.sizes):
            left.unlink(missing_ok=True)
    except OSError as error:
        place = error.filename or job.entry
        raise CurationError(f"{place}: cannot remove: {error.strerror or error}") from error
    return Fetched(job.address.name, record, job.entry / job.folder, came, job.was, is_pinned(job.address))


def half_written(folder: Path, files: Container[str]) -> list[Path]:
    """What killed fetches left in a source's folder, its own files aside. No link is followed.

    A rename onto another link to the same file does nothing (POSIX), so that a whole file can have
    a second name like this, too.
    """
    if folder.is_symlink():
        return []
    paths = (Path(place) / name for place, _, names in os.walk(folder) for name in names)
    hidden = (path for path in paths if path.name.startswith(".") and path.name.endswith(".part"))
    return [path for path in hidden if path.relative_to(folder).as_posix() not in files]


def is_pinned(address: Address) -> bool:
    """Whether the recipe says which commit or digest it must be."""
    if is_hub(address.uri):
        return is_commit(address.source.revision)
    return address.source.sha256 is not None


def as_json(found: Sequence[Fetched]) -> str:
    """What was fetched, for a program."""
    sources = {
        entry.name.rstrip(":"): {
            "uri": entry.record.uri,
            "commit": entry.record.commit,
            "pinned": entry.pinned,
            "folder": str(entry.folder),
            "bytes_came": entry.came,
            "files": [msgspec.to_builtins(file) for file in entry.record.files],
        }
        for entry in found
    }
    return json.dumps({"sources": sources})


def as_text(found: Sequence[Fetched], path: Path) -> str:
    """What was fetched, what the recipe might pin, and what comes next."""
    if not found:
        return f"{path}: names nothing that must be fetched\nnext    aj curate {path}"
    lines = []
    for entry in found:
        held = f"{len(entry.record.files)} files, {size(sum(f.bytes for f in entry.record.files))}"
        lines.append(f"{entry.name.rstrip(':')}  {held}  {entry.record.commit or ''}".rstrip())
        if not entry.pinned and entry.record.commit is None:
            lines.append(f"    not pinned; write  sha256: {entry.record.files[0].sha256}")
        elif not entry.pinned and entry.name != TOKENIZER:
            lines.append(f"    not pinned; write  revision: {entry.record.commit}")
    return "\n".join([*lines, f"next    aj curate {path}"])
