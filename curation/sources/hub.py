"""The Hugging Face hub through its own client: what a repository holds, and its files, verified.

Every file is checked against the digest that its commit names (sha256 of large files, git's own of
small ones): the client itself compares sizes only. A file that does not match is downloaded once
more and then refused.
"""

import email.utils
import hashlib
import os
import re
import threading
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeVar

import httpx
from huggingface_hub import HfApi, get_session, hf_hub_download
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.hf_api import RepoFile as ListedFile
from tqdm import tqdm

from curation.errors import SourceError

Kind = Literal["dataset", "model"]
Tick = Callable[[int], None]
Answer = TypeVar("Answer")

TIMEOUT_S = 60.0
TRIES = 6
LONGEST_WAIT_S = 300.0
BUSY = frozenset({408, 425, 429, 500, 502, 503, 504})
BLOCK = 1 << 20


class RepoFile(NamedTuple):
    """A file as its commit names it; `sha256` of what git keeps outside itself (LFS), else `git_sha1`."""

    path: str
    bytes: int
    sha256: str | None
    git_sha1: str


@dataclass(frozen=True)
class Snapshot:
    """A repository at one commit. `card`: the metadata of its dataset card."""

    repo: str
    kind: Kind
    commit: str
    files: Mapping[str, RepoFile]
    card: Mapping[str, Any]


class Stopped(Exception):
    """Raised in a downloading thread when the run ends."""


class Hub:
    """One hub, with the token of the environment or none. Endpoint: $HF_ENDPOINT."""

    def __init__(self) -> None:
        # False keeps the client from looking for a token that was stored by `hf auth login`.
        self.token: str | Literal[False] = os.environ.get("HF_TOKEN") or False
        self.endpoint = os.environ.get("HF_ENDPOINT")
        self.api = HfApi(endpoint=self.endpoint, token=self.token)
        # `aj fetch` looks at the space itself, before the first byte.
        warnings.filterwarnings("ignore", message="Not enough free disk space", category=UserWarning)
        get_session().timeout = httpx.Timeout(TIMEOUT_S)

    def snapshot(self, repo: str, revision: str | None, kind: Kind) -> Snapshot:
        """What a repository holds at a revision; a branch becomes the commit that it stands at now."""
        what = f"{repo}{f'@{revision}' if revision else ''}"
        try:
            info = patiently(
                what, lambda: self.api.repo_info(repo, repo_type=kind, revision=revision, timeout=TIMEOUT_S)
            )
            commit = str(info.sha)
            entries = patiently(
                what,
                lambda: list(self.api.list_repo_tree(repo, repo_type=kind, revision=commit, recursive=True)),
            )
            card = getattr(info, "card_data", None)
            files = {e.path: as_file(e) for e in entries if isinstance(e, ListedFile)}
            return Snapshot(repo, kind, commit, files, card.to_dict() if card is not None else {})
        except (ValueError, TypeError, LookupError, AttributeError) as error:
            # The client takes what answers for a hub; a proxy's login page is none.
            raise SourceError(
                f"{what}: the answer is not a hub's ({first_line(error)}); "
                "is a proxy between, or HF_ENDPOINT wrong?"
            ) from error

    def download(self, at: Snapshot, path: str, tick: Tick, stop: threading.Event) -> tuple[Path, str]:
        """A file in the hub's cache on this machine, and its sha256.

        Raises SourceError when the bytes are twice not those that the commit names.
        """
        listed = at.files[path]
        found = self.get(at, path, tick, stop, force=False)
        sha256 = verified(found, listed)
        if sha256 is None:
            tick(-listed.bytes)
            found = self.get(at, path, tick, stop, force=True)
            sha256 = verified(found, listed)
        if sha256 is None:
            found.resolve().unlink(missing_ok=True)
            raise SourceError(
                f"{at.repo}: {path}: what the hub sends is not what commit {at.commit[:12]} names "
                f"(expected {listed.sha256 or listed.git_sha1}); try again later, or another revision"
            )
        return found, sha256

    def get(self, at: Snapshot, path: str, tick: Tick, stop: threading.Event, *, force: bool) -> Path:
        """Download through the client, as often as it takes."""
        counted = 0

        def count(size: int) -> None:
            nonlocal counted
            if stop.is_set():
                raise Stopped
            counted += size
            tick(size)

        def download() -> str:
            nonlocal counted
            tick(-counted)
            counted = 0
            return hf_hub_download(
                at.repo,
                path,
                repo_type=at.kind,
                revision=at.commit,
                endpoint=self.endpoint,
                token=self.token,
                cache_dir=hub_cache(),
                force_download=force,
                tqdm_class=counting(count),
            )

        found = Path(patiently(f"{at.repo}: {path}", download))
        if at.files[path].bytes != counted:
            tick(at.files[path].bytes - counted)
        return found


def hub_cache() -> Path | None:
    """Where the client keeps files, from the environment as it is now; None for its default."""
    if folder := os.environ.get("HF_HUB_CACHE"):
        return Path(folder)
    home = os.environ.get("HF_HOME")
    return Path(home) / "hub" if home else None


def as_file(entry: ListedFile) -> RepoFile:
    """A listed file with the digests that its commit names. Raises TypeError for what is none."""
    if not isinstance(entry.path, str) or not isinstance(entry.size, int) or entry.size < 0:
        raise TypeError("a file without a path or a size")
    return RepoFile(entry.path, entry.size, entry.lfs.sha256 if entry.lfs else None, entry.blob_id)


def counting(count: Tick) -> Any:
    """A progress bar's class for the client, which shows nothing and counts bytes."""

    def start(bar: Any, *_: Any, **__: Any) -> None:
        tqdm.__init__(bar, disable=True)

    def update(bar: Any, size: float | None = 1) -> None:
        count(int(size or 0))

    return type("Counting", (tqdm,), {"__init__": start, "update": update})


def verified(path: Path, listed: RepoFile) -> str | None:
    """The sha256 of a file, or None when it is not the one that is listed."""
    size = path.stat().st_size
    if size != listed.bytes:
        return None
    sha256, git = hashlib.sha256(), hashlib.sha1(f"blob {size}\0".encode(), usedforsecurity=False)
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            sha256.update(block)
            if listed.sha256 is None:
                git.update(block)
    right = sha256.hexdigest() == listed.sha256 if listed.sha256 else git.hexdigest() == listed.git_sha1
    return sha256.hexdigest() if right else None


def patiently(what: str, call: Callable[[], Answer]) -> Answer:
    """Call the hub; wait as it asks when it is busy, and go on after a broken connection.

    Raises SourceError with what to do, for whatever the hub answers in the end.
    """
    for attempt in range(1, TRIES + 1):
        try:
            return call()
        except (
            RepositoryNotFoundError,
            RevisionNotFoundError,
            EntryNotFoundError,
            HFValidationError,
        ) as error:
            if not isinstance(error, LocalEntryNotFoundError):
                raise SourceError(explained(what, error)) from error
            failure: Exception = error
        except (HfHubHTTPError, httpx.HTTPStatusError, httpx.TransportError) as error:
            failure = error
        except (httpx.RequestError, httpx.InvalidURL) as error:
            raise SourceError(f"{what}: {first_line(error)}") from error
        except OSError as error:
            # The client's word for a file that came shorter than announced; others are the disk's.
            if "Consistency check failed" not in str(error):
                raise
            failure = error
        status = status_of(failure)
        if attempt == TRIES or (status is not None and status not in BUSY):
            raise SourceError(explained(what, failure)) from failure
        wait(what, failure, attempt)
    raise AssertionError("the last attempt returns or raises")


def wait(what: str, failure: Exception, attempt: int) -> None:
    """Sleep as long as the hub asks for, else longer each time."""
    asked = retry_after(getattr(failure, "response", None))
    if asked is not None and asked > LONGEST_WAIT_S:
        raise SourceError(f"{what}: the hub asks to wait {asked:.0f} s; try again then, or set HF_TOKEN")
    time.sleep(asked if asked is not None else min(0.5 * 2**attempt, 30.0))


def retry_after(response: Any) -> float | None:
    """Seconds that a Retry-After header asks for (RFC 9110, 10.2.3: seconds or a date)."""
    header = response.headers.get("Retry-After") if response is not None else None
    if header is None:
        return None
    if re.fullmatch(r"\s*[0-9]{1,9}\s*", header):
        return float(header)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(header).timestamp() - time.time())
    except (TypeError, ValueError):
        return None


def status_of(error: Exception) -> int | None:
    """The HTTP status behind an error; None for a broken connection."""
    response = getattr(error, "response", None)
    return None if response is None else int(response.status_code)


def explained(what: str, error: Exception) -> str:
    """One line for the user."""
    if isinstance(error, GatedRepoError):
        return f"{what}: gated; accept its terms on the hub, then set HF_TOKEN"
    if isinstance(error, RepositoryNotFoundError):
        return f"{what}: no such repository, or a private one; check the name, or set HF_TOKEN"
    if isinstance(error, RevisionNotFoundError):
        return f"{what}: no such branch, tag or commit; it may have been removed"
    if isinstance(error, LocalEntryNotFoundError):
        why = first_line(error.__cause__ or error)
        return f"{what}: the hub cannot be reached ({why}); try again, or use --offline with what is here"
    if isinstance(error, EntryNotFoundError):
        return f"{what}: no such file"
    if isinstance(error, HFValidationError):
        return f"{what}: no name of a repository: {first_line(error)}"
    status = status_of(error)
    if status == 429:
        return f"{what}: the hub refuses so many requests (429); wait, or set HF_TOKEN"
    if status in {401, 403}:
        return f"{what}: no access ({status}); set HF_TOKEN to a token that may read it"
    if status is not None:
        return f"{what}: the hub answers {status}; try again later"
    return f"{what}: the connection to the hub broke {TRIES} times ({first_line(error)}); try again"


def first_line(error: BaseException) -> str:
    """The first line of a message."""
    return str(error).strip().split("\n", 1)[0][:200]
