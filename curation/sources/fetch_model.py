"""The base model's weights into the hub's own cache, every file verified, where training looks for them.

Safetensors only: other formats of weights can hold code.
"""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple

from huggingface_hub import hf_hub_download, try_to_load_from_cache

from curation.errors import SourceError
from curation.files import file_digest
from curation.progress import Progress
from curation.recipe.load import Recipe
from curation.sources.fetched import FetchedFile, Record, base_model, is_inside, read_record, write_record
from curation.sources.hub import Hub, Snapshot, hub_cache, patiently

MODEL_FILES = ("*.safetensors", "*.safetensors.index.json", "*.json", "*.jinja", "merges.txt", "*LICENSE*")
WORKERS = 4


class FetchedModel(NamedTuple):
    """The base model in the hub's cache. came: bytes that were not here before."""

    repo: str
    commit: str
    folder: Path
    came: int


def fetch_base_model(recipe: Recipe, *, tell: Callable[[str], None] = lambda line: None) -> FetchedModel:
    """Bring the base model that a recipe names; a branch becomes the commit that it stands at now.

    Raises SourceError when it cannot be had, or has no safetensors.
    """
    address = base_model(recipe)
    hub = Hub()
    try:
        at = hub.snapshot(recipe.base_model.id, recipe.base_model.revision, "model")
        chosen = model_files(at)
    except SourceError as error:
        raise SourceError(f"{address.at}: {error}") from error
    record = read_record(address.entry)
    known = {f.path for f in record.files} if record and record.commit == at.commit else set()
    missing = [path for path in chosen if path not in known or not is_cached(at, path)]
    total = sum(at.files[path].bytes for path in missing)
    tell(f"base model  {len(chosen)} files, {total / 1e9:,.2f} GB to come at {at.commit[:12]}")
    bring(hub, at, missing, total)
    config = name_branch(hub, at, recipe.base_model.revision, chosen[0])
    folder = config.parent
    files = [
        FetchedFile(path=p, bytes=at.files[p].bytes, sha256=at.files[p].sha256 or file_digest(folder / p))
        for p in chosen
    ]
    asked = recipe.base_model.revision
    write_record(
        address.entry,
        Record(uri=address.uri, asked=asked, commit=at.commit, folder=at.commit[:12], files=files),
    )
    return FetchedModel(at.repo, at.commit, folder, total)


def model_files(at: Snapshot) -> list[str]:
    """What training and export read of a model, the configuration first."""
    names = [name for name in at.files if "/" not in name and is_inside(name)]
    chosen = sorted(name for name in names if any(fnmatchcase(name, form) for form in MODEL_FILES))
    if "config.json" not in chosen or not any(name.endswith(".safetensors") for name in chosen):
        raise SourceError(f"{at.repo}: has no config.json with safetensors; aj loads no other weights")
    return ["config.json", *(name for name in chosen if name != "config.json")]


def is_cached(at: Snapshot, path: str) -> bool:
    """Whether the hub's cache has a file of that size at this commit."""
    found = try_to_load_from_cache(at.repo, path, cache_dir=hub_cache(), revision=at.commit)
    return isinstance(found, str) and Path(found).stat().st_size == at.files[path].bytes


def bring(hub: Hub, at: Snapshot, missing: Sequence[str], total: int) -> None:
    """Download and verify files, several at once; the first error ends it, what came stays."""
    stop, lock = threading.Event(), threading.Lock()
    with Progress("fetching", total, unit="B") as line:

        def tick(size: int) -> None:
            with lock:
                line.add(size, size)

        workers = ThreadPoolExecutor(WORKERS, thread_name_prefix="fetch")
        try:
            for done in [workers.submit(hub.download, at, path, tick, stop) for path in missing]:
                done.result()
        except BaseException:
            stop.set()
            raise
        finally:
            workers.shutdown(cancel_futures=True)


def name_branch(hub: Hub, at: Snapshot, revision: str | None, path: str) -> Path:
    """Have the client note which commit the branch stands at, for those who ask its cache by branch."""
    return Path(
        patiently(
            f"{at.repo}: {path}",
            lambda: hf_hub_download(
                at.repo,
                path,
                revision=revision or "main",
                endpoint=hub.endpoint,
                token=hub.token,
                cache_dir=hub_cache(),
            ),
        )
    )
