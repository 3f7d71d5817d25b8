import hashlib
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from hub_recipe import hub_recipe, point_at
from hub_server import Fault, HubServer, running
from hypothesis import given
from hypothesis import strategies as st

from curation.errors import SourceError
from curation.jobs.fetch import fetch
from curation.recipe.load import load_recipe
from curation.sources.download import file_name
from curation.sources.fetched import fetched_sources, is_inside


@pytest.fixture
def web(tmp_path, monkeypatch) -> Iterator[HubServer]:
    """A server of https pages with a certificate that the client trusts."""
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"]
    made = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    try:
        subprocess.run(
            [*made, "-days", "1", "-keyout", key, "-out", certificate, *names],
            check=True,
            capture_output=True,
        )
    except FileNotFoundError:
        pytest.skip("needs openssl to make a certificate")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with running(context) as server:
        for name, value in point_at(server, tmp_path / "cache").items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        yield server


BOOK = b"".join(b"Chapter %d. Of the virtues of herbs and their seasons.\n" % n for n in range(4000))


def book_recipe(folder: Path, web: HubServer, **changes: object) -> Path:
    source = {"uri": f"{web.url}/books/herbal.txt", "reader": "herbal", "group": "books", **changes}
    return hub_recipe(folder, {"book": source})


def test_a_book_is_fetched_by_its_digest_and_gone_on_with_where_it_broke_off(web, tmp_path):
    web.pages["/books/herbal.txt"] = BOOK
    web.faults += [Fault("GET", cut=100_000), Fault("GET", status=503, retry_after="0")]
    (entry,) = fetch(book_recipe(tmp_path, web, sha256=hashlib.sha256(BOOK).hexdigest()))
    assert (entry.folder / "herbal.txt").read_bytes() == BOOK
    assert entry.pinned
    assert web.count("bytes=100000-") == 2, "once refused, once answered"


def test_a_book_that_changes_between_two_stretches_is_not_patched_together(web, tmp_path):
    def other() -> None:
        web.pages["/books/herbal.txt"] = BOOK.upper()

    web.pages["/books/herbal.txt"] = BOOK
    web.faults.append(Fault("GET", cut=100_000, then=other))
    (entry,) = fetch(book_recipe(tmp_path, web))
    assert (entry.folder / "herbal.txt").read_bytes() == BOOK.upper()
    assert not entry.pinned
    assert entry.record.files[0].sha256 == hashlib.sha256(BOOK.upper()).hexdigest()


def test_a_part_of_an_earlier_run_is_gone_on_with(web, tmp_path):
    web.pages["/books/herbal.txt"] = BOOK
    recipe = book_recipe(tmp_path, web, sha256=hashlib.sha256(BOOK).hexdigest())
    web.faults.append(Fault("GET", cut=1000, times=99))
    web.faults[0].retry_after = "0"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("curation.sources.hub.time.sleep", lambda _: None)
        with pytest.raises(SourceError, match=r"broke off 6 times .* the same command goes on"):
            fetch(recipe)
    web.faults.clear()
    (entry,) = fetch(recipe)
    assert (entry.folder / "herbal.txt").read_bytes() == BOOK
    assert web.count("bytes=6000-") == 1


def test_a_book_with_another_digest_is_refused_and_not_kept(web, tmp_path):
    web.pages["/books/herbal.txt"] = BOOK
    recipe = book_recipe(tmp_path, web, sha256="0" * 64)
    with pytest.raises(SourceError, match=f"its sha256 is {hashlib.sha256(BOOK).hexdigest()}, not 0000"):
        fetch(recipe)
    assert fetched_sources(load_recipe(recipe)) == {}
    assert not list(tmp_path.rglob("*.part"))


def test_a_redirect_to_plain_http_is_not_followed(web, tmp_path, monkeypatch):
    web.pages["/books/herbal.txt"] = BOOK
    with running() as plain:
        plain.pages["/books/herbal.txt"] = BOOK
        monkeypatch.setattr(
            "hub_server.Handler.body",
            lambda self, *_: self.answer(b"", status=302, Location=f"{plain.url}/books/herbal.txt"),
        )
        with pytest.raises(SourceError, match="a redirect to plain http"):
            fetch(book_recipe(tmp_path, web))


def test_a_page_that_leads_to_itself_is_left(web, tmp_path, monkeypatch):
    web.pages["/books/herbal.txt"] = BOOK
    monkeypatch.setattr(
        "hub_server.Handler.body", lambda self, *_: self.answer(b"", status=302, Location=self.path)
    )
    with pytest.raises(SourceError, match=r"herbal\.txt: .*redirects"):
        fetch(book_recipe(tmp_path, web))


@given(st.text(max_size=60))
def test_the_name_of_a_web_file_is_harmless(text):
    name = file_name(f"https://example.org/{text}")
    assert is_inside(name)
    assert "/" not in name
    assert not name.startswith(".")
