"""A server on the loopback that speaks the part of the hub's HTTP API that its client needs to read.

Repositories are dictionaries of files; every commit is kept. Files above `LARGE` bytes are served as
the hub serves large ones: a redirect to storage, with the digest in `X-Linked-Etag`. A test can have
the server break off, be busy, or send wrong bytes.
"""

import hashlib
import json
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

LARGE = 2000
PAGE = 5


def git_sha1(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


@dataclass
class Repo:
    """A repository: its commits, where its branches stand, and the metadata of its card."""

    kind: str = "dataset"
    card: dict[str, Any] = field(default_factory=dict)
    gated: bool = False
    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)

    def commit(self, files: Mapping[str, bytes], branch: str = "main") -> str:
        """A new commit with these files; the branch moves to it."""
        listed = [f"{path} {git_sha1(data)}" for path, data in sorted(files.items())]
        told = "\n".join([self.branches.get(branch, ""), *listed])
        name = hashlib.sha1(told.encode()).hexdigest()
        self.commits[name] = dict(files)
        self.branches[branch] = name
        return name


@dataclass
class Fault:
    """What goes wrong with requests whose `METHOD path` contains `where`, so many times.

    status   answer with this status (and Retry-After)
    cut      break the connection after this many bytes of the body
    flip     change one byte of the body
    pause_s  wait before the answer
    then     call this after the answer
    """

    where: str
    times: int = 1
    status: int = 0
    retry_after: str | None = None
    cut: int | None = None
    flip: bool = False
    pause_s: float = 0.0
    then: Callable[[], Any] | None = None


class HubServer:
    """The repositories, the faults still to come, and every request so far as `METHOD path range`.

    authorised: those that came with a token
    """

    def __init__(self) -> None:
        self.repos: dict[str, Repo] = {}
        self.pages: dict[str, bytes] = {}
        self.faults: list[Fault] = []
        self.requests: list[str] = []
        self.tokens: set[str | None] = set()
        self.authorised: list[str] = []
        self.sent = 0
        self.lock = threading.Lock()
        self.url = ""
        # Large files lie on another host than the API, as on the hub.
        self.storage = ""

    def fault_for(self, request: str) -> Fault | None:
        with self.lock:
            for fault in self.faults:
                if fault.times > 0 and fault.where in request:
                    fault.times -= 1
                    return fault
        return None

    def count(self, part: str) -> int:
        """Requests that contain some text."""
        return sum(part in request for request in self.requests)


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    hub: HubServer

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing on stderr."""

    def do_HEAD(self) -> None:
        self.serve()

    def do_GET(self) -> None:
        self.serve()

    def serve(self) -> None:
        parts = urlsplit(self.path)
        path, query = unquote(parts.path), parse_qs(parts.query)
        request = f"{self.command} {path} {self.headers.get('Range', '')}".rstrip()
        with self.hub.lock:
            self.hub.requests.append(request)
            self.hub.tokens.add(self.headers.get("Authorization"))
            self.hub.authorised += [request] if self.headers.get("Authorization") else []
        self.fault = self.hub.fault_for(request)
        if self.fault is not None:
            time.sleep(self.fault.pause_s)
        try:
            if self.fault is not None and self.fault.status:
                headers = {"Retry-After": self.fault.retry_after} if self.fault.retry_after else {}
                self.answer(b"busy", status=self.fault.status, **headers)
            elif path in self.hub.pages:
                self.body(self.hub.pages[path], {"ETag": f'"{git_sha1(self.hub.pages[path])}"'})
            elif path.startswith("/storage/"):
                self.storage(path.removeprefix("/storage/"))
            else:
                self.api(path, query)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True
        if self.fault is not None and self.fault.then is not None:
            self.fault.then()

    def api(self, path: str, query: Mapping[str, list[str]]) -> None:
        if path.startswith("/api/"):
            kind, _, rest = path.removeprefix("/api/").partition("/")
            name = "/".join(rest.split("/")[:2])
            tail = rest.split("/", 2)[2] if rest.count("/") > 1 else ""
        else:
            kind = "datasets" if path.startswith("/datasets/") else "models"
            rest = path.removeprefix("/datasets").lstrip("/")
            name = "/".join(rest.split("/")[:2])
            tail = rest.split("/", 2)[2] if rest.count("/") > 1 else ""
        repo = self.hub.repos.get(name)
        if repo is None or f"{repo.kind}s" != kind:
            return self.refuse(401, "RepoNotFound")
        if repo.gated and not self.headers.get("Authorization"):
            return self.refuse(401, "GatedRepo")
        verb, _, rest = tail.partition("/")
        if path.startswith("/api/") and verb in {"", "revision"}:
            return self.info(name, repo, rest or "main")
        if path.startswith("/api/") and verb == "tree":
            return self.tree(path, repo, rest, query)
        return self.resolve(repo, rest)

    def found(self, repo: Repo, revision: str) -> str | None:
        commit = repo.branches.get(revision, revision)
        return commit if commit in repo.commits else None

    def info(self, name: str, repo: Repo, revision: str) -> None:
        commit = self.found(repo, revision)
        if commit is None:
            return self.refuse(404, "RevisionNotFound")
        files = [{"rfilename": path} for path in sorted(repo.commits[commit])]
        told = {"id": name, "sha": commit, "cardData": repo.card, "siblings": files, "private": False}
        self.json({**told, "gated": repo.gated, "tags": [], "downloads": 0, "likes": 0})

    def tree(self, path: str, repo: Repo, revision: str, query: Mapping[str, list[str]]) -> None:
        commit = self.found(repo, revision)
        if commit is None:
            return self.refuse(404, "RevisionNotFound")
        entries: list[dict[str, Any]] = []
        for name, data in sorted(repo.commits[commit].items()):
            entry = {"type": "file", "path": name, "size": len(data), "oid": git_sha1(data)}
            if len(data) > LARGE:
                oid = hashlib.sha256(data).hexdigest()
                entry["lfs"] = {"oid": oid, "size": len(data), "pointerSize": 130}
            entries.append(entry)
        first = int(query.get("cursor", ["0"])[0])
        headers = {}
        if first + PAGE < len(entries):
            link = f"{self.hub.url}{path}?recursive=true&cursor={first + PAGE}"
            headers["Link"] = f'<{link}>; rel="next"'
        self.json(entries[first : first + PAGE], **headers)

    def resolve(self, repo: Repo, rest: str) -> None:
        revision, _, path = rest.partition("/")
        commit = self.found(repo, revision)
        if commit is None:
            return self.refuse(404, "RevisionNotFound")
        data = repo.commits[commit].get(path)
        if data is None:
            return self.refuse(404, "EntryNotFound", **{"X-Repo-Commit": commit})
        headers = {"X-Repo-Commit": commit, "ETag": f'"{git_sha1(data)}"'}
        if len(data) <= LARGE:
            return self.body(data, headers)
        oid = hashlib.sha256(data).hexdigest()
        headers |= {"X-Linked-Etag": f'"{oid}"', "X-Linked-Size": str(len(data))}
        self.answer(b"", status=302, Location=f"{self.hub.storage}/{commit}/{path}", **headers)

    def storage(self, rest: str) -> None:
        commit, _, path = rest.partition("/")
        for repo in self.hub.repos.values():
            if commit in repo.commits:
                data = repo.commits[commit][path]
                return self.body(data, {"ETag": f'"{hashlib.sha256(data).hexdigest()}"'})
        self.refuse(404, "EntryNotFound")

    def body(self, data: bytes, headers: dict[str, str]) -> None:
        asked = self.headers.get("Range")
        status = 200
        if self.fault is not None and self.fault.flip:
            data = data[: len(data) // 2] + bytes([data[len(data) // 2] ^ 1]) + data[len(data) // 2 + 1 :]
        matches = self.headers.get("If-Range", headers.get("ETag")) == headers.get("ETag")
        if asked and asked.startswith("bytes=") and matches:
            low, _, high = asked.removeprefix("bytes=").partition("-")
            start = int(low) if low else max(0, len(data) - int(high))
            end = min(int(high) + 1 if low and high else len(data), len(data))
            if start >= len(data):
                return self.answer(b"", status=416)
            headers = {**headers, "Content-Range": f"bytes {start}-{end - 1}/{len(data)}"}
            data, status = data[start:end], 206
        self.answer(data, status=status, **headers)

    def json(self, value: Any, **headers: str) -> None:
        self.answer(json.dumps(value).encode(), **{"Content-Type": "application/json", **headers})

    def refuse(self, status: int, code: str, **headers: str) -> None:
        self.answer(b"{}", status=status, **{"X-Error-Code": code, "X-Error-Message": code, **headers})

    def answer(self, data: bytes, *, status: int = 200, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command == "HEAD":
            return
        cut = self.fault.cut if self.fault is not None else None
        sent = data if cut is None else data[:cut]
        self.wfile.write(sent)
        with self.hub.lock:
            self.hub.sent += len(sent)
        if cut is not None:
            self.wfile.flush()
            self.close_connection = True
            self.connection.shutdown(2)


class Server(ThreadingHTTPServer):
    """A server that takes a client's death as it comes."""

    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


@contextmanager
def running(tls: Any = None) -> Iterator[HubServer]:
    """A hub on a free port of the loopback, until the block ends."""
    hub = HubServer()
    handler = type("BoundHandler", (Handler,), {"hub": hub})
    server = Server(("127.0.0.1", 0), handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    hub.url = f"{'https' if tls else 'http'}://127.0.0.1:{server.server_port}"
    hub.storage = f"http://localhost:{server.server_port}/storage"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
