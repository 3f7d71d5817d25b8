"""How the hub is asked: patiently, and never beyond reason."""

import hashlib
from email.utils import formatdate
from pathlib import Path
from time import time

import httpx
import pytest
from hub_server import git_sha1

from curation.errors import SourceError
from curation.sources.hub import RepoFile, patiently, retry_after, verified


def test_a_file_is_verified_by_the_digest_that_its_commit_names(tmp_path):
    data = b"some rows\n" * 1000
    path = tmp_path / "rows"
    path.write_bytes(data)
    sha256 = hashlib.sha256(data).hexdigest()
    assert verified(path, RepoFile("rows", len(data), sha256, "")) == sha256
    assert verified(path, RepoFile("rows", len(data), None, git_sha1(data))) == sha256
    assert verified(path, RepoFile("rows", len(data), "0" * 64, git_sha1(data))) is None
    assert verified(path, RepoFile("rows", len(data), None, "0" * 40)) is None
    assert verified(path, RepoFile("rows", len(data) + 1, sha256, "")) is None


def response(**headers: str) -> httpx.Response:
    return httpx.Response(503, headers=headers, request=httpx.Request("GET", "https://hub"))


def test_retry_after_is_seconds_or_a_date():
    assert retry_after(response(**{"Retry-After": "7"})) == 7
    assert 20 < (retry_after(response(**{"Retry-After": formatdate(time() + 30, usegmt=True)})) or 0) <= 31
    assert retry_after(response(**{"Retry-After": "soon"})) is None
    assert retry_after(response()) is None
    assert retry_after(None) is None


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (httpx.ReadError("reset by peer"), r"connection to the hub broke 6 times \(reset by peer\)"),
        (OSError("Consistency check failed: file should be of size 9"), "broke 6 times"),
        (httpx.HTTPStatusError("", request=response().request, response=response()), "the hub answers 503"),
    ],
)
def test_what_keeps_failing_is_told_after_six_times(error, message, monkeypatch):
    waits: list[float] = []
    monkeypatch.setattr("curation.sources.hub.time.sleep", waits.append)
    calls: list[int] = []

    def call() -> None:
        calls.append(1)
        raise error

    with pytest.raises(SourceError, match=message):
        patiently("org/name", call)
    assert len(calls) == 6
    assert waits == [1.0, 2.0, 4.0, 8.0, 16.0]


def test_a_full_disk_is_no_reason_to_try_again():
    calls: list[int] = []

    def call() -> None:
        calls.append(1)
        raise OSError(28, "No space left on device", str(Path("/cache/blob")))

    with pytest.raises(OSError, match="No space left"):
        patiently("org/name", call)
    assert len(calls) == 1
