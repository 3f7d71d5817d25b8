"""`aj fetch` against a server of the hub's protocol: the right bytes, or a clear error."""

import hashlib
import logging
import os
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from hub_layouts import SEVEN, fill, parquet, tokenizer_model, wildchat_row
from hub_recipe import SOURCES, hub_recipe, only, point_at
from hub_server import Fault, HubServer, Repo, running
from huggingface_hub import snapshot_download
from small_recipe import no_documents

from curation.engine.plan import NotFetched
from curation.errors import CurationError, Refusal, SourceError
from curation.jobs.check import check
from curation.jobs.check_online import check_online
from curation.jobs.curate import curate
from curation.jobs.fetch import fetch
from curation.recipe.load import load_recipe
from curation.release.approval import approve
from curation.release.freeze import freeze
from curation.release.frozen import read_frozen
from curation.sources.fetch_model import fetch_base_model
from curation.sources.fetched import TOKENIZER, fetched_sources

ROOT = Path(__file__).resolve().parents[3]
WILDCHAT = "allenai/WildChat-1M"
SECOND = "data/train-00001-of-00003.parquet"


@pytest.fixture
def hub(tmp_path, monkeypatch) -> Iterator[HubServer]:
    """A hub with the seven sources; the client's retries do not clutter the output."""
    logging.getLogger("huggingface_hub").setLevel(logging.CRITICAL)
    with running() as server:
        fill(server)
        for name, value in point_at(server, tmp_path / "cache").items():
            monkeypatch.setenv(name, value)
        yield server


def digests(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def served(hub: HubServer, repo: str, *paths: str) -> dict[str, str]:
    """Digests of files as the newest commit has them."""
    files = hub.repos[repo].commits[hub.repos[repo].branches["main"]]
    return {path: hashlib.sha256(files[path]).hexdigest() for path in paths}


def test_the_seven_sources_come_whole_and_nothing_else_does(hub, tmp_path):
    told: list[str] = []
    found = {entry.name: entry for entry in fetch(hub_recipe(tmp_path), tell=told.append)}
    assert list(found) == [name for name in SOURCES if name != "custom"]
    for name, entry in found.items():
        repo = SOURCES[name]["uri"].removeprefix("hf://datasets/")
        assert entry.record.commit == hub.repos[repo].branches["main"]
        assert digests(entry.folder) == served(hub, repo, *(file.path for file in entry.record.files))
    assert [file.path for file in found["ultrachat"].record.files] == [
        f"data/train_sft-{part:05}-of-00003-a3ecf92756993583.parquet" for part in range(3)
    ]
    assert told[0].startswith("wildchat      3 files, 40.3 kB to come at ")
    assert told[-1].endswith(" in all")
    assert hub.tokens == {None}


def test_the_real_recipe_finds_its_files_in_repositories_of_those_layouts(hub, tmp_path):
    recipe = yaml.safe_load((ROOT / "recipes/mixed_v1.yaml").read_text())
    names = {name: s for name, s in recipe["sources"].items() if s["uri"].startswith("hf://")}
    assert [source["uri"] for source in names.values()] == [f"hf://datasets/{repo}" for repo in SEVEN]
    found = {entry.name: len(entry.record.files) for entry in fetch(hub_recipe(tmp_path, names))}
    assert found == {
        "wildchat": 3,
        "ultrachat": 3,
        "kisanvaani": 1,
        "stackexchange_gardening": 1,
        "gardening_qa": 1,
        "skein": 2,
    }


def test_curate_reads_what_was_fetched_and_records_the_commit(hub, tmp_path):
    recipe = hub_recipe(tmp_path)
    fetch(recipe)
    before = len(hub.requests)
    done = curate(recipe, documents=no_documents, out=tmp_path / "out", workers=1)
    assert len(hub.requests) == before, "curate went to the network"
    rows = done.manifest.rows
    assert rows.read == rows.dropped + rows.unselected + rows.train + rows.eval
    wildchat = done.manifest.sources["wildchat"]
    assert wildchat.revision == hub.repos[WILDCHAT].branches["main"]
    assert (wildchat.read, wildchat.dropped) == (120, {"filtered": 48})
    assert wildchat.unselected >= 120 - 48 - 50
    assert done.manifest.sources["custom"].revision is None
    assert [source.read for source in done.manifest.sources.values()] == [120, 60, 40, 20, 20, 12, 40]


def test_a_second_fetch_downloads_nothing(hub, tmp_path):
    recipe = hub_recipe(tmp_path)
    fetch(recipe)
    hub.requests.clear()
    told: list[str] = []
    assert sum(entry.came for entry in fetch(recipe, tell=told.append)) == 0
    assert not hub.count("/resolve/")
    assert all("here already" in line for line in told)


def test_what_is_not_fetched_is_told_and_offline_does_not_try(hub, tmp_path):
    recipe = hub_recipe(tmp_path)
    with pytest.raises(
        NotFetched, match=r"sources\.wildchat\.uri: hf://\S+ is not fetched yet; run `aj fetch`"
    ):
        curate(recipe, documents=no_documents, out=tmp_path / "out", workers=1)
    with pytest.raises(SourceError, match="is not here; run `aj fetch` without --offline"):
        fetch(recipe, offline=True)
    assert not hub.requests
    fetch(recipe)
    hub.requests.clear()
    assert [entry.came for entry in fetch(recipe, offline=True)] == [0] * 6
    assert not hub.requests


def test_check_knows_the_counts_once_they_are_here(hub, tmp_path):
    recipe = hub_recipe(tmp_path, only("kisanvaani", "custom"))
    assert check(recipe).rows == {"kisanvaani": None, "custom": 40}
    fetch(recipe)
    assert check(recipe).rows == {"kisanvaani": 40, "custom": 40}


def test_a_connection_that_breaks_mid_file_gives_the_whole_file(hub, tmp_path):
    hub.faults += [Fault("GET /storage", cut=3000), Fault("GET /storage", cut=0)]
    (entry,) = fetch(hub_recipe(tmp_path, only("wildchat")))
    assert digests(entry.folder) == served(hub, WILDCHAT, *digests(entry.folder))


def test_a_large_file_is_gone_on_with_where_it_broke_off(hub, tmp_path):
    line = b'{"question": "what?", "answer": "that"}\n'
    hub.repos["Offline100/gardening-qa"] = Repo()
    hub.repos["Offline100/gardening-qa"].commit({"train.jsonl": line * 600_000})
    hub.faults.append(Fault("GET /storage", cut=15_000_000))
    (entry,) = fetch(hub_recipe(tmp_path, only("gardening_qa")))
    assert (entry.folder / "train.jsonl").read_bytes() == line * 600_000
    # The client writes stretches of 10 MiB and goes on after the last whole one.
    assert hub.count(f"bytes={10 << 20}-") == 1


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("where", ["/api/datasets", "/tree/", "HEAD /datasets", "GET /storage"])
def test_a_busy_hub_is_waited_for(hub, tmp_path, status, where):
    hub.faults.append(Fault(where, status=status, retry_after="0", times=2))
    (entry,) = fetch(hub_recipe(tmp_path, only("wildchat")))
    assert digests(entry.folder) == served(hub, WILDCHAT, *digests(entry.folder))
    assert hub.faults[0].times == 0


def test_a_hub_that_asks_for_an_hour_is_not_waited_for(hub, tmp_path):
    hub.faults.append(Fault("GET /storage", status=503, retry_after="3600", times=99))
    with pytest.raises(SourceError, match=r"train-0000\d-of-00003.parquet: the hub asks to wait 3600 s"):
        fetch(hub_recipe(tmp_path, only("wildchat")))


@pytest.mark.parametrize("told", ["\u00b2", "9" * 300, "soon", "-5", "Wed, 21 Oct 2015 07:28:00 GMT"])
def test_a_time_to_wait_that_says_nothing_is_no_time_to_wait(hub, tmp_path, monkeypatch, told):
    monkeypatch.setattr("curation.sources.hub.time.sleep", lambda _: None)
    hub.faults.append(Fault("GET /storage", status=503, retry_after=told, times=2))
    (entry,) = fetch(hub_recipe(tmp_path, only("wildchat")))
    assert digests(entry.folder) == served(hub, WILDCHAT, *digests(entry.folder))


@pytest.mark.parametrize("page", ["revision/main", "tree/{commit}"])
@pytest.mark.parametrize(
    "answer",
    [
        b"<html>please log in</html>",
        b"[5]",
        b'{"sha": 5, "siblings": 3}',
        b'[{"type": "file"}]',
        b'[{"type": "file", "path": 5, "size": 1, "oid": "x"}]',
        b'[{"type": "file", "path": "data/train-1.parquet", "size": -5, "oid": "x"}]',
    ],
)
def test_what_answers_and_is_no_hub_is_told_in_one_line(hub, tmp_path, page, answer):
    place = page.format(commit=hub.repos[WILDCHAT].branches["main"])
    hub.pages[f"/api/datasets/{WILDCHAT}/{place}"] = answer
    with pytest.raises(SourceError) as told:
        fetch(hub_recipe(tmp_path, only("wildchat")))
    assert "\n" not in str(told.value)
    assert "is a proxy between" in str(told.value) or "no file matches" in str(told.value)


def test_the_token_goes_to_the_hub_alone(hub, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    recipe = hub_recipe(tmp_path, only("wildchat"))
    assert not any(seen.problem for seen in check_online(load_recipe(recipe)))
    fetch(recipe)
    stored = [request for request in hub.authorised if "/storage/" in request]
    assert hub.count("/storage/") > 3
    assert hub.authorised
    assert not stored


def test_a_branch_that_moves_between_two_calls_gives_one_commit(hub, tmp_path):
    repo = hub.repos[WILDCHAT]
    first = repo.branches["main"]
    files = {**repo.commits[first], SECOND: parquet([wildchat_row(9_000 + n) for n in range(7)])}
    hub.faults.append(Fault(f"/api/datasets/{WILDCHAT}/revision/main", then=lambda: repo.commit(files)))
    recipe = hub_recipe(tmp_path, only("wildchat"))
    (entry,) = fetch(recipe)
    assert entry.record.commit == first
    assert entry.record.files[1].sha256 == hashlib.sha256(repo.commits[first][SECOND]).hexdigest()
    told: list[str] = []
    (moved,) = fetch(recipe, tell=told.append)
    assert (moved.record.commit, moved.was) == (repo.branches["main"], first)
    assert f"(was {first[:12]})" in told[0]
    assert digests(moved.folder) == served(hub, WILDCHAT, *digests(moved.folder))
    assert not entry.folder.exists(), "files of the earlier commit lie about"


def test_a_commit_that_is_pinned_stays_whatever_the_branch_does(hub, tmp_path):
    repo = hub.repos[WILDCHAT]
    first = repo.branches["main"]
    repo.commit({"data/train-00000-of-00001.parquet": parquet([wildchat_row(1)])})
    (entry,) = fetch(hub_recipe(tmp_path, only("wildchat", revision=first)))
    assert entry.pinned
    assert len(entry.record.files) == 3


def test_a_corrupted_file_is_fetched_again(hub, tmp_path):
    hub.faults.append(Fault(f"GET /storage/{hub.repos[WILDCHAT].branches['main']}/{SECOND}", flip=True))
    (entry,) = fetch(hub_recipe(tmp_path, only("wildchat")))
    assert digests(entry.folder) == served(hub, WILDCHAT, *digests(entry.folder))


def test_a_file_that_stays_corrupted_is_refused_and_not_kept(hub, tmp_path):
    recipe = hub_recipe(tmp_path, only("wildchat"))
    hub.faults.append(Fault(SECOND, flip=True, times=99))
    with pytest.raises(SourceError, match=f"{SECOND}: what the hub sends is not what commit"):
        fetch(recipe)
    assert fetched_sources(load_recipe(recipe)) == {}
    hub.faults.clear()
    (entry,) = fetch(recipe)
    assert digests(entry.folder) == served(hub, WILDCHAT, *digests(entry.folder))


def test_small_files_are_checked_by_the_digest_that_git_gives_them(hub, tmp_path):
    repo = Repo()
    repo.commit({"train.jsonl": b'{"question": "what?", "answer": "that"}\n'})
    hub.repos["Offline100/gardening-qa"] = repo
    hub.faults.append(Fault("GET /datasets/Offline100/gardening-qa", flip=True, times=99))
    with pytest.raises(SourceError, match=r"train\.jsonl: what the hub sends is not what commit"):
        fetch(hub_recipe(tmp_path, only("gardening_qa")))


def test_a_file_changed_here_is_noticed_by_curate_and_mended_by_fetch(hub, tmp_path):
    recipe = hub_recipe(tmp_path, only("kisanvaani", "custom"))
    (entry,) = fetch(recipe)
    path = entry.folder / entry.record.files[0].path
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(SourceError, match="was changed after it was fetched; run `aj fetch` again"):
        curate(recipe, documents=no_documents, out=tmp_path / "out", workers=1)
    with pytest.raises(SourceError, match="absent or changed; run `aj fetch` without --offline"):
        fetch(recipe, offline=True)
    fetch(recipe)
    assert digests(entry.folder) == {f.path: f.sha256 for f in entry.record.files}


def frozen_from(recipe: Path, folder: Path) -> Path:
    done = curate(recipe, documents=no_documents, out=folder / "out", workers=1)
    approve(done.dataset, "Ada")
    return freeze(done.dataset, folder / "frozen.yaml")


def test_a_frozen_recipe_fetches_its_own_commit_though_the_branch_moved(hub, tmp_path, monkeypatch):
    recipe = hub_recipe(tmp_path, only("kisanvaani", "custom"))
    fetch(recipe)
    path = frozen_from(recipe, tmp_path)
    commit = read_frozen(path).sources["kisanvaani"].revision
    repo = hub.repos["KisanVaani/agriculture-qa-english-only"]
    assert commit == repo.branches["main"]
    repo.commit({"data/train-00000-of-00001.parquet": parquet([{"question": "a", "answers": "b"}])})
    monkeypatch.setenv("AJ_CACHE", str(tmp_path / "elsewhere"))
    (entry,) = fetch(path)
    assert entry.record.commit == commit
    again = curate(recipe, documents=no_documents, out=tmp_path / "again", workers=1)
    assert again.manifest.root == read_frozen(path).root


def test_a_frozen_recipe_whose_commit_is_gone_is_not_fetched(hub, tmp_path, monkeypatch):
    recipe = hub_recipe(tmp_path, only("kisanvaani", "custom"))
    fetch(recipe)
    path = frozen_from(recipe, tmp_path)
    repo = hub.repos["KisanVaani/agriculture-qa-english-only"]
    gone = repo.branches["main"]
    del repo.commits[gone]
    repo.commit({"data/train-00000-of-00001.parquet": parquet([{"question": "a", "answers": "b"}])})
    monkeypatch.setenv("AJ_CACHE", str(tmp_path / "elsewhere"))
    with pytest.raises(SourceError, match=f"@{gone}: no such branch, tag or commit"):
        fetch(path)
    assert not list((tmp_path / "elsewhere").rglob("fetched.json"))


def test_a_frozen_recipe_does_not_take_other_files_than_it_names(hub, tmp_path, monkeypatch):
    recipe = hub_recipe(tmp_path, only("kisanvaani", "custom"))
    fetch(recipe)
    path = frozen_from(recipe, tmp_path)
    repo = hub.repos["KisanVaani/agriculture-qa-english-only"]
    # A hub that gives other bytes under the same commit.
    repo.commits[repo.branches["main"]]["data/train-00000-of-00001.parquet"] += b"more"
    for name in ("AJ_CACHE", "HF_HUB_CACHE"):
        monkeypatch.setenv(name, str(tmp_path / "elsewhere" / name))
    with pytest.raises(Refusal, match="the frozen recipe names"):
        fetch(path)


def test_the_tokenizer_comes_without_the_weights(hub, tmp_path):
    files = {name: b'{"a": 1}' for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja")}
    hub.repos["org/model"] = tokenizer_model(files)
    recipe = hub_recipe(tmp_path, only("kisanvaani"), tokenizer={"id": "org/model"})
    _, entry = fetch(recipe)
    assert entry.name == TOKENIZER
    assert sorted(digests(entry.folder)) == sorted(files)
    assert fetched_sources(load_recipe(recipe))[TOKENIZER] == entry.folder
    assert not hub.count("safetensors")


def test_the_base_model_comes_into_the_hubs_own_cache_without_pickles(hub, tmp_path, monkeypatch):
    hub.repos["org/model"] = tokenizer_model({"tokenizer.json": b"{}", "pytorch_model.bin": b"pickle"})
    recipe = load_recipe(hub_recipe(tmp_path, only("kisanvaani")))
    model = fetch_base_model(recipe)
    assert sorted(digests(model.folder)) == [
        "config.json",
        "model-00001-of-00001.safetensors",
        "tokenizer.json",
    ]
    assert model.commit == hub.repos["org/model"].branches["main"]
    offline = snapshot_download(
        "org/model", revision="main", cache_dir=os.environ["HF_HUB_CACHE"], local_files_only=True
    )
    assert Path(offline) == model.folder
    hub.requests.clear()
    assert fetch_base_model(recipe).came == 0
    assert not hub.count("GET /storage")
    hub.repos["org/model"].commit({"config.json": b"{}", "pytorch_model.bin": b"pickle"})
    with pytest.raises(SourceError, match=r"base_model\.id: .* aj loads no other weights"):
        fetch_base_model(recipe)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"uri": "hf://datasets/org/none"}, "org/none.*: no such repository, or a private one"),
        ({"revision": "old"}, "@old: no such branch, tag or commit"),
        ({"files": "data/*.csv"}, r"no file matches 'data/\*\.csv'; the repository has: "),
        ({"uri": "hf://datasets/org/gated"}, "org/gated.*: gated; accept its terms on the hub"),
        ({"uri": "hf://datasets/org/script", "files": None}, r"script \(make\.py\), and aj runs no code"),
        ({"uri": "hf://datasets/org/script", "files": "*.py"}, "names code or pickled objects"),
        ({"uri": "hf://datasets/org/evil", "files": None}, "leads out of its folder"),
    ],
)
def test_what_cannot_be_had_is_told_with_its_line(hub, tmp_path, change, message):
    hub.repos["org/gated"] = Repo(gated=True)
    hub.repos["org/script"], hub.repos["org/evil"] = Repo(), Repo()
    hub.repos["org/script"].commit({"make.py": b"raise SystemExit", "README.md": b"#"})
    hub.repos["org/evil"].commit({"/nowhere/evil.jsonl": b"{}", "x/../../../evil.jsonl": b"{}"})
    source = {k: v for k, v in {**SOURCES["wildchat"], **change}.items() if v is not None}
    with pytest.raises(SourceError, match=message) as refused:
        fetch(hub_recipe(tmp_path, {"wildchat": source}))
    assert "recipe.yaml:" in str(refused.value)
    assert "\n" not in str(refused.value)
    assert not list(tmp_path.rglob("evil.jsonl"))
    assert not Path("/nowhere/evil.jsonl").exists()


def test_the_token_of_the_environment_opens_what_is_gated(hub, tmp_path, monkeypatch):
    hub.repos[WILDCHAT].gated = True
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    told: list[str] = []
    fetch(hub_recipe(tmp_path, only("wildchat")), tell=told.append)
    assert "Bearer hf_secret" in hub.tokens
    written = [p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()]
    assert not any(b"hf_secret" in data for data in [*written, "\n".join(told).encode()])


def test_a_stored_token_is_not_used(hub, tmp_path):
    path = Path(os.environ["HF_HOME"]) / "token"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("hf_stored")
    fetch(hub_recipe(tmp_path, only("kisanvaani")))
    assert hub.tokens == {None}


def test_all_pages_of_a_long_listing_are_read(hub, tmp_path):
    hub.repos[WILDCHAT] = SEVEN[WILDCHAT](parts=23, rows=2)
    (entry,) = fetch(hub_recipe(tmp_path, only("wildchat")))
    assert len(entry.record.files) == 23


def test_a_disk_too_small_is_told_before_the_download(hub, tmp_path, monkeypatch):
    monkeypatch.setattr(
        "curation.jobs.fetch.shutil.disk_usage", lambda _: type("Usage", (), {"free": 1000})()
    )
    with pytest.raises(CurationError, match=r"40\.3 kB are to come and 1\.0 kB are free; make room"):
        fetch(hub_recipe(tmp_path, only("wildchat")))
    assert not hub.count("/resolve/")


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


def test_the_command_prints_what_came_and_what_to_do_next(hub, tmp_path):
    recipe = hub_recipe(tmp_path, only("kisanvaani", "custom"))
    command = [sys.executable, str(ROOT / "aj.py"), "fetch", str(recipe)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    commit = hub.repos["KisanVaani/agriculture-qa-english-only"].branches["main"]
    assert commit in done.stdout
    assert f"next    aj curate {recipe}" in done.stdout
    assert "1 file, 3.7 kB to come" in done.stderr
    told = subprocess.run([*command, "--offline", "--json"], capture_output=True, text=True, check=True)
    assert yaml.safe_load(told.stdout)["sources"]["kisanvaani"]["commit"] == commit
    wrong = hub_recipe(tmp_path, only("kisanvaani", revision="gone"))
    failed = subprocess.run([*command[:-1], str(wrong)], capture_output=True, text=True, check=False)
    assert (failed.returncode, failed.stdout) == (2, "")
