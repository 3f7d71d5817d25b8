"""One file from the web: resumed where it broke off, checked, and put in place whole."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

import httpx

from curation.errors import CurationError, SourceError
from curation.files import file_digest, sync
from curation.sources.hub import BUSY, TIMEOUT_S, TRIES, Stopped, Tick, first_line, wait

RANGE_NOT_SATISFIABLE = 416


class Broken(Exception):
    """A transfer that ended early or was turned away for now; the next attempt goes on."""

    def __init__(self, message: str, response: httpx.Response | None = None) -> None:
        super().__init__(message)
        self.response = response


@contextmanager
def web() -> Iterator[httpx.Client]:
    """A client that follows redirects, to https only."""

    def encrypted(request: httpx.Request) -> None:
        if request.url.scheme != "https":
            raise SourceError(f"{request.url}: a redirect to plain http, which can be changed on the way")

    hooks: dict[str, list[Callable[..., None]]] = {"request": [encrypted]}
    # Identity, because a range of a compressed answer is no range of the file.
    headers = {"Accept-Encoding": "identity", "User-Agent": "aj-curation"}
    with httpx.Client(follow_redirects=True, timeout=TIMEOUT_S, event_hooks=hooks, headers=headers) as client:
        yield client


def file_name(url: str) -> str:
    """The name under which a web file is kept: the last part of its path, made harmless."""
    name = unquote(urlsplit(url).path).rpartition("/")[2]
    kept = "".join(c if c.isalnum() or c in "._-" else "_" for c in name).lstrip(".")
    return kept[-100:] or "file"


def size_of(client: httpx.Client, url: str) -> int | None:
    """How large the server says that a file is; None when it does not say."""
    try:
        length = client.head(url).headers.get("Content-Length", "")
    except (httpx.HTTPError, httpx.InvalidURL):
        return None
    return int(length) if length.isascii() and length.isdigit() else None


def download(
    client: httpx.Client, url: str, target: Path, *, sha256: str | None, tick: Tick, stop: threading.Event
) -> str:
    """Download a file to `target`; returns its sha256.

    A part that an earlier run left is gone on with when `sha256` is pinned, which tells whether the
    whole is right. Raises SourceError when the file cannot be had or has another sha256.
    """
    try:
        return downloaded(client, url, target, sha256=sha256, tick=tick, stop=stop)
    except OSError as error:
        raise CurationError(f"{target}: cannot write: {error.strerror or error}") from error


def downloaded(
    client: httpx.Client, url: str, target: Path, *, sha256: str | None, tick: Tick, stop: threading.Event
) -> str:
    """`download`, with the disk's errors as they come."""
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.part")
    transfer = Transfer(client, url, part, sha256 is not None, tick, stop)
    resumed = sha256 is not None and part.exists()
    if not resumed:
        part.unlink(missing_ok=True)
    transfer.run()
    found = file_digest(part)
    if sha256 not in (None, found) and resumed:
        # What lay there was of another file, or damaged: once more from the start.
        part.unlink()
        transfer.run()
        found = file_digest(part)
    if sha256 not in (None, found):
        part.unlink()
        raise SourceError(
            f"{url}: its sha256 is {found}, not {sha256}; the file was changed, or damaged on the way: "
            "look at it before you pin another digest"
        )
    sync(part)
    part.replace(target)
    sync(target.parent)
    return found


@dataclass
class Transfer:
    """The bytes of a URL on their way into `part`, over as many requests as it takes.

    pinned     whether a digest will tell if the parts fit together
    validator  what identifies the file on the server (its ETag), for an answer to go on with
    """

    client: httpx.Client
    url: str
    part: Path
    pinned: bool
    tick: Tick
    stop: threading.Event
    validator: str | None = None

    def run(self) -> None:
        """Append to `part` until the whole file is there. Raises SourceError when it does not come."""
        for attempt in range(1, TRIES + 1):
            try:
                return self.request()
            except (httpx.TransportError, Broken) as error:
                if attempt == TRIES:
                    raise SourceError(
                        f"{self.url}: broke off {TRIES} times ({first_line(error)}); the same command goes on"
                    ) from error
                wait(self.url, error, attempt)
            except (httpx.RequestError, httpx.InvalidURL) as error:
                raise SourceError(f"{self.url}: {first_line(error)}") from error
            except OSError as error:
                raise CurationError(f"{self.part}: cannot write: {error.strerror or error}") from error

    def request(self) -> None:
        """One request: from where `part` ends to the end of the file."""
        have = self.part.stat().st_size if self.part.exists() else 0
        headers = {}
        if have and (self.pinned or self.validator):
            headers["Range"] = f"bytes={have}-"
        if headers and self.validator:
            headers["If-Range"] = self.validator
        with self.client.stream("GET", self.url, headers=headers) as response:
            status = response.status_code
            if status == RANGE_NOT_SATISFIABLE and headers:
                return
            if status in BUSY:
                raise Broken(f"the server answers {status}", response)
            if status not in {200, 206}:
                raise SourceError(f"{self.url}: the server answers {status}")
            if status == 206 and not starts_at(response, have):
                raise Broken("the server sent another range than was asked for")
            tag = response.headers.get("ETag", "")
            self.validator = tag if tag.startswith('"') else None
            self.receive(response)

    def receive(self, response: httpx.Response) -> None:
        """The body of an answer, appended where it goes on."""
        expected = response.headers.get("Content-Length", "")
        got = 0
        with self.part.open("ab" if response.status_code == 206 else "wb") as file:
            for block in response.iter_raw():
                if self.stop.is_set():
                    raise Stopped
                file.write(block)
                got += len(block)
                self.tick(len(block))
        if expected.isascii() and expected.isdigit() and got != int(expected):
            raise Broken(f"{got} bytes came of {expected}")


def starts_at(response: httpx.Response, have: int) -> bool:
    """Whether a partial answer begins where our part ends."""
    return str(response.headers.get("Content-Range", "")).startswith(f"bytes {have}-")
