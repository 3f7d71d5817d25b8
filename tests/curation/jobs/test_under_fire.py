"""Kill, fill the disk, collide, deceive: nothing is lost, nothing is half-written, nothing gets out.

The figures are printed (pytest -s). AJ_KILLS sets the kills of a curate run.
"""

import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import polars as pl
import pytest
from finished import finished
from forks import Fork, fork
from hub_layouts import fill
from hub_recipe import hub_recipe, only, point_at
from hub_server import HubServer, running
from small_recipe import conversation, no_documents, small_recipe, write_jsonl
from tiny_dataset import tiny_dataset

import aj
from curation.errors import CurationError, RecipeError, SourceError
from curation.files import write_bytes
from curation.jobs.curate import Finished, curate
from curation.jobs.fetch import fetch
from curation.recipe.load import load_recipe
from curation.release.approval import approve, read_approvals
from curation.release.freeze import freeze
from curation.release.frozen import read_frozen
from curation.release.verify import verify
from curation.sources.download import download
from reports.rows.review import Review

KILLS = int(os.environ.get("AJ_KILLS", "50"))

# Code that says how often it changed something on the disk (in its main process). Before change number
# `last` it is killed, and its workers with it.
DRIVER = """
import os, sys
CHANGES = {{"os.link", "os.mkdir", "os.remove", "os.rename", "os.rmdir", "shutil.copyfile", "shutil.rmtree"}}
count = 0

def watch(event, told):
    global count
    writes = event == "open" and isinstance(told[2], int) and told[2] & (os.O_WRONLY | os.O_RDWR)
    if writes or event in CHANGES:
        count += 1
        if count == {0}:
            os.killpg(0, 9)

sys.addaudithook(watch)
{1}
print(count, flush=True)
"""
# All but curation.dataset.samples, which runs Polars as it is imported.
LIBRARIES = """
from pathlib import Path
import curation.jobs.assemble, curation.mixture.choice, curation.jobs.curate, curation.jobs.fetch
import curation.release.freeze, curation.dataset.ledger, curation.dataset.shards, curation.engine.tasks
from small_recipe import no_documents
"""
CURATE = "curation.jobs.curate.curate(Path({0!r}), documents=no_documents, out=Path({1!r}), workers={2})"
FETCH = "curation.jobs.fetch.fetch(Path({0!r}))"
FREEZE = "curation.release.freeze.freeze(Path({0!r}), Path({1!r}))"
APPROVE = "curation.release.approval.approve(Path({0!r}), 'Ada')"
WRITE = "curation.files.write_bytes(Path({0!r}), b'new')"


def start(code: str, *, last: int = 0, **environment: str) -> Fork:
    """A process of its own group that runs `code`, killed before its change `last`."""
    return fork(DRIVER.format(last, code), libraries=LIBRARIES, **environment)


def changes(code: str, **environment: str) -> int:
    """How often some code changes something on the disk."""
    process = start(code, **environment)
    assert process.wait() == 0, process.stderr
    return int(process.stdout)


def kill(code: str, last: int, **environment: str) -> None:
    """Run some code and kill -9 it, with its workers, before its change `last`."""
    process = start(code, last=last, **environment)
    assert process.wait() == -signal.SIGKILL, process.stderr


def bytes_of(folder: Path) -> dict[str, str]:
    """Digests of every file but the one with the times."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in {"timings.json"}
    }


def run(recipe: Path, out: Path, workers: int = 1) -> Finished:
    return curate(recipe, documents=no_documents, out=out, workers=workers)


@pytest.mark.slow
def test_curate_killed_at_random_moments_ends_in_the_same_bytes(tmp_path):
    recipe = small_recipe(tmp_path)
    expected = bytes_of(run(recipe, tmp_path / "whole").dataset)

    def command(out: Path, workers: int) -> str:
        return CURATE.format(str(recipe), str(out), workers)

    moments = {workers: changes(command(tmp_path / f"count-{workers}", workers)) for workers in (1, 2)}
    chance, shares = random.Random(50), []
    for number in range(KILLS):
        out, workers = tmp_path / f"out-{number}", 2 if number % 10 == 9 else 1
        kill(command(out, workers), chance.randint(1, moments[workers]))
        if (out / "manifest.json").exists():
            assert bytes_of(out) == expected
        done = run(recipe, out)
        assert bytes_of(out) == expected
        shares.append(1.0 if done.unchanged else done.tasks_reused / (done.tasks_run + done.tasks_reused))
        assert not list((tmp_path / f"{out.name}.work/tmp").glob("*"))
        shutil.rmtree(out)
        shutil.rmtree(tmp_path / f"{out.name}.work")
    shares.sort()
    mean, median = sum(shares) / KILLS, shares[KILLS // 2]
    print(
        f"\n{KILLS} runs of {moments[1]} changes to the disk, each killed before one of them: {KILLS} "
        f"identical roots; work reused: mean {mean:.0%}, median {median:.0%}, "
        f"range {shares[0]:.0%} to {shares[-1]:.0%}"
    )
    assert mean > 0.2


@pytest.fixture
def hub(tmp_path, monkeypatch) -> Iterator[HubServer]:
    with running() as server:
        fill(server)
        for name, value in point_at(server, tmp_path / "cache").items():
            monkeypatch.setenv(name, value)
        yield server


@pytest.mark.slow
def test_fetch_killed_at_random_moments_ends_in_the_same_files(hub, tmp_path, monkeypatch):
    recipe = hub_recipe(tmp_path)
    expected = {entry.name: entry.record for entry in fetch(recipe)}
    total = sum(file.bytes for record in expected.values() for file in record.files)
    moments = changes(FETCH.format(str(recipe)), **point_at(hub, tmp_path / "cache-count"))
    chance, came = random.Random(51), []
    for number in range(10):
        environment = point_at(hub, tmp_path / f"cache-{number}")
        # Eight threads share the work, so that the count differs a little from run to run.
        kill(FETCH.format(str(recipe)), chance.randint(1, moments * 3 // 4), **environment)
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        before = hub.sent
        found = fetch(recipe)
        assert {entry.name: entry.record for entry in found} == expected
        for entry in found:
            held = {f.path: f.sha256 for f in entry.record.files}
            assert bytes_of(entry.folder) == held, "a half-written file lies about"
        came.append(hub.sent - before)
    reused = 1 - sum(came) / (len(came) * total)
    print(
        f"\n10 fetches of {moments} changes to the disk, each killed before one of them: the same {total:,} "
        f"bytes; {reused:.0%} not sent again"
    )


DIE = "import os; die = lambda *_, **__: os.kill(os.getpid(), 9)\n"
AFTER_RENAME = "Path.replace = lambda self, to, rename=Path.replace: (rename(self, to), die())"


@pytest.mark.parametrize(
    ("there", "end"),
    [
        pytest.param(False, "curation.jobs.fetch.sync = die", id="before the first file gets its name"),
        pytest.param(True, "curation.jobs.fetch.sync = die", id="before a file gets its name again"),
        # A rename onto another link to the same file does nothing, and the first name stays.
        pytest.param(True, AFTER_RENAME, id="while a file has two names"),
        pytest.param(False, "curation.jobs.fetch.write_record = die", id="before a record is written"),
        pytest.param(False, "curation.files.sync = die", id="before a record gets its name"),
        pytest.param(True, "curation.jobs.fetch.half_written = die", id="before it cleans up"),
    ],
)
def test_what_a_fetch_leaves_that_is_killed_is_gone_after_the_next(hub, tmp_path, there, end):
    recipe = hub_recipe(tmp_path, only("kisanvaani", "skein"))
    expected = {entry.name: entry.record for entry in fetch(recipe)}
    if not there:
        shutil.rmtree(tmp_path / "cache/aj")
    command = f"{DIE}{end}\ncuration.jobs.fetch.fetch(Path({str(recipe)!r}), force=True)"
    assert start(command).wait() == -signal.SIGKILL
    found = fetch(recipe)
    assert {entry.name: entry.record for entry in found} == expected
    for entry in found:
        assert bytes_of(entry.folder) == {file.path: file.sha256 for file in entry.record.files}
    assert not list((tmp_path / "cache/aj").rglob(".*"))


def test_cleaning_up_after_a_fetch_follows_no_link_and_takes_no_other_file(hub, tmp_path):
    recipe = hub_recipe(tmp_path, only("kisanvaani"))
    (entry,) = fetch(recipe)
    precious = tmp_path / "elsewhere/.notes.part"
    precious.parent.mkdir()
    precious.write_text("mine")
    (entry.folder / "linked").symlink_to(precious.parent)
    (entry.folder / "data/.linked.part").symlink_to(precious)
    (entry.folder / "notes.txt").write_text("mine too")
    fetch(recipe)
    assert precious.read_text() == "mine"
    assert (entry.folder / "notes.txt").exists()
    assert not (entry.folder / "data/.linked.part").is_symlink()
    (entry.folder / "linked").unlink()
    entry.folder.rename(tmp_path / "elsewhere/files")
    entry.folder.symlink_to(tmp_path / "elsewhere/files")
    (tmp_path / "elsewhere/files/.mine.part").write_text("mine")
    fetch(recipe)
    assert (tmp_path / "elsewhere/files/.mine.part").exists()


def test_a_fetch_that_cannot_clean_up_says_so_in_one_line(hub, tmp_path, monkeypatch):
    recipe = hub_recipe(tmp_path, only("kisanvaani"))
    (entry,) = fetch(recipe)
    left = entry.folder / "data/.left.part"
    left.touch()

    def read_only(self: Path, missing_ok: bool = False) -> None:
        raise OSError(30, "Read-only file system", str(self))

    monkeypatch.setattr(Path, "unlink", read_only)
    with pytest.raises(CurationError) as told:
        fetch(recipe)
    assert str(told.value) == f"{left}: cannot remove: Read-only file system"


def test_freeze_killed_at_any_moment_leaves_a_whole_file_or_none(tmp_path):
    dataset = tiny_dataset(tmp_path / "tiny")
    approve(dataset, "Ada")
    expected = freeze(dataset, tmp_path / "whole.yaml").read_bytes()
    path = tmp_path / "frozen/recipe.yaml"
    command = FREEZE.format(str(dataset), str(path))
    moments = changes(command)
    for moment in range(1, moments + 1):
        shutil.rmtree(path.parent)
        kill(command, moment)
        assert not path.exists() or path.read_bytes() == expected
        assert freeze(dataset, path).read_bytes() == expected
        assert [left.name for left in path.parent.iterdir()] == [path.name]
    print(f"\nfreeze killed before each of its {moments} changes to the disk: the same file each time")


def test_approve_killed_at_any_moment_leaves_an_approval_or_none(tmp_path):
    dataset = tiny_dataset(tmp_path / "tiny")
    command = APPROVE.format(str(dataset))
    moments = changes(command)
    for moment in range(1, moments + 1):
        (dataset / "approval.json").unlink()
        kill(command, moment)
        assert verify(dataset).ok
        if not read_approvals(dataset):
            approve(dataset, "Ada")
        assert [signed.approval.by for signed in read_approvals(dataset)] == ["Ada"]
        assert verify(dataset).ok
    print(f"\napprove killed before each of its {moments} changes to the disk: an approval or none")


def test_a_file_written_whole_is_the_old_or_the_new_one_after_any_kill(tmp_path):
    """Marks, journals, records, measurements, cards: all are written by this function."""
    path = tmp_path / "file"
    path.write_bytes(b"old")
    moments = changes(WRITE.format(str(path)))
    for moment in range(1, moments + 1):
        path.write_bytes(b"old")
        kill(WRITE.format(str(path)), moment)
        assert path.read_bytes() in (b"old", b"new")
        write_bytes(path, b"new")
        assert [left.name for left in tmp_path.iterdir()] == ["file"]
        assert path.read_bytes() == b"new"
    assert moments >= 3


def test_what_an_approval_leaves_that_is_killed_is_no_part_of_the_dataset(tmp_path):
    dataset = tiny_dataset(tmp_path / "tiny")
    command = f"{DIE}curation.files.sync = die\n{APPROVE.format(str(dataset))}"
    assert start(command).wait() == -signal.SIGKILL
    (left,) = dataset.glob(".approval.json.*.part")
    whole = verify(dataset)
    assert whole.ok
    assert f"{left.name}: left by a command that was killed; may be removed" in whole.notes
    approve(dataset, "Ada")
    assert not left.exists()
    assert freeze(dataset, tmp_path / "frozen.yaml").exists()


@pytest.mark.parametrize(
    "name", [".approval.json.1x.part", ".other.json.7.part", "train/.approval.json.7.part"]
)
def test_no_other_file_passes_for_a_half_written_one(tmp_path, name):
    dataset = tiny_dataset(tmp_path / "tiny")
    (dataset / name).write_text("{}")
    assert [str(problem) for problem in verify(dataset).problems] == [f"{name}: not listed in the manifest"]


def test_half_written_files_of_dead_processes_go_and_those_of_living_ones_stay(tmp_path):
    ended = subprocess.Popen(["true"])
    ended.wait()
    dead = [tmp_path / f".a[b].json.{pid}.part" for pid in (ended.pid, os.getpid(), "9" * 30)]
    others = [f".a[b].json.{os.getppid()}.part", ".a[b].json.me.part", f".ab.json.{ended.pid}.part"]
    for path in [*dead, *(tmp_path / name for name in others)]:
        path.write_text("half")
    (tmp_path / f".a[b].json.old.{ended.pid}.part/folder").mkdir(parents=True)
    write_bytes(tmp_path / "a[b].json", b"whole")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*others, "a[b].json"])


@pytest.mark.slow
def test_two_runs_on_one_folder_at_once_never_mix(tmp_path):
    recipe = small_recipe(tmp_path)
    expected = run(recipe, tmp_path / "whole").manifest.root
    refused = 0
    for number in range(4):
        out = tmp_path / f"out-{number}"
        both = [start(CURATE.format(str(recipe), str(out), 1)) for _ in range(2)]
        codes = [process.wait() for process in both]
        assert 0 in codes
        refused += sum(code != 0 for code in codes)
        assert run(recipe, out).unchanged
        assert run(recipe, out).manifest.root == expected
    print(f"\n4 pairs of runs on one folder: {refused} turned away, 4 datasets whole")


@pytest.fixture
def small_disk(tmp_path) -> Iterator[Path]:
    """A file system of its own, of 4 KiB until `resize`. Needs the right to mount."""
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=4k", "tmpfs", str(place)]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("a full disk needs the right to mount a tmpfs")
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


def failure(call: Callable[[], object]) -> Exception | None:
    """What a call raises of a user's errors and of the system's, if it does."""
    try:
        call()
    except (CurationError, OSError) as error:
        return error
    return None


def resize(disk: Path, kib: int) -> None:
    subprocess.run(["mount", "-o", f"remount,size={kib}k", str(disk)], check=True)


@pytest.mark.slow
def test_curate_on_a_full_disk_says_so_and_succeeds_once_there_is_space(tmp_path, small_disk):
    recipe = small_recipe(tmp_path)
    expected = bytes_of(run(recipe, tmp_path / "whole").dataset)
    out = small_disk / "out"
    messages: set[str] = set()
    for kib in [*range(8, 120, 12), *range(120, 1200, 60)]:
        resize(small_disk, kib)
        error = failure(lambda: run(recipe, out))
        if error is None:
            break
        assert isinstance(error, CurationError)
        assert error.exit_code == 2
        assert "No space left on device" in str(error), str(error)
        assert "\n" not in str(error)
        assert not (out / "manifest.json").exists()
        messages.add(str(error).rpartition("/")[2])
    resize(small_disk, 64 << 10)
    assert bytes_of(run(recipe, out).dataset) == expected
    print(f"\nthe disk was full in {len(messages)} different places; {kib} KiB were enough")
    assert len(messages) >= 5


@pytest.mark.slow
def test_approve_and_freeze_on_a_full_disk_leave_nothing_half_written(tmp_path, small_disk):
    resize(small_disk, 64 << 10)
    done = run(small_recipe(tmp_path), small_disk / "out")
    fill_up(small_disk)
    with pytest.raises(CurationError, match=r"approval\.json: cannot write: No space left") as full:
        approve(done.dataset, "Ada")
    assert full.value.exit_code == 2
    assert not (done.dataset / "approval.json").exists()
    (small_disk / "ballast").unlink()
    approve(done.dataset, "Ada")
    fill_up(small_disk)
    with pytest.raises(CurationError, match=r"frozen\.yaml: cannot write: No space left"):
        freeze(done.dataset, small_disk / "frozen.yaml")
    assert not list(small_disk.glob("*frozen.yaml*"))
    (small_disk / "ballast").unlink()
    assert read_frozen(freeze(done.dataset, small_disk / "frozen.yaml")).root == done.manifest.root


def fill_up(disk: Path) -> None:
    """Leave not one page."""
    with (disk / "ballast").open("wb", buffering=0) as file:
        try:
            while file.write(b"\0" * 4096):
                pass
        except OSError:
            pass


@pytest.mark.slow
def test_every_command_that_writes_tells_of_a_full_disk_in_one_line(
    tmp_path, small_disk, monkeypatch, capsys
):
    resize(small_disk, 64 << 10)
    dataset, recipe = finished(small_disk), small_disk / "recipe.yaml"
    report = (dataset / "report.html").read_bytes()
    monkeypatch.chdir(small_disk)
    marks = small_disk / "marks.jsonl"
    review = Review(dataset, marks)
    place = review.ledger.filter(pl.col("fate") == "train").rows(named=True)[0]
    row = f"{place['source']}:{place['file']}:{place['row']}"
    review.mark(row, "first", "Ada")
    before = bytes_of(small_disk)
    fill_up(small_disk)
    for command in (
        ["init", "data", "--out", "new/recipe.yaml"],
        ["curate", str(recipe), "--out", "other"],
        ["demo", "--out", "demo"],
        ["report", str(dataset), "--out", "report.html"],
        ["diff", str(dataset), str(dataset), "--html", "diff.html"],
        ["gate", str(dataset), "--junit", "gates.xml"],
        ["approve", str(dataset), "--by", "Ada"],
        ["run", str(recipe)],
    ):
        assert aj.main(command) == 2, command
        assert "No space left on device" in capsys.readouterr().err.splitlines()[-1]
    with pytest.raises(CurationError, match=r"marks\.jsonl: cannot write: No space left on device"):
        review.mark(row, "second", "Ada")
    (small_disk / "ballast").unlink()
    after = {path: digest for path, digest in bytes_of(small_disk).items() if path in before}
    assert after == before
    assert (dataset / "report.html").read_bytes() == report
    assert not [path for path in small_disk.rglob(".*") if path.name.endswith(".part")]
    assert aj.main(["approve", str(dataset), "--by", "Ada"]) == 0


@pytest.mark.slow
@pytest.mark.parametrize("place", ["HF_HUB_CACHE", "AJ_CACHE"])
def test_fetch_on_a_full_disk_says_so_and_goes_on_once_there_is_space(
    hub, tmp_path, small_disk, place, monkeypatch
):
    recipe = hub_recipe(tmp_path)
    monkeypatch.setenv(place, str(small_disk / "cache"))
    monkeypatch.setattr("curation.jobs.fetch.refuse_full_disk", lambda jobs: None)
    for kib in (4, 24, 48, 64, 96, 120, 144):
        resize(small_disk, kib)
        error = failure(lambda: fetch(recipe))
        assert error is None or (isinstance(error, CurationError) and "No space left on device" in str(error))
    resize(small_disk, 64 << 10)
    assert [len(entry.record.files) for entry in fetch(recipe)] == [3, 3, 1, 1, 1, 2]
    assert sum(entry.came for entry in fetch(recipe, offline=True)) == 0


@pytest.mark.slow
def test_a_download_on_a_full_disk_says_so_and_goes_on_once_there_is_space(tmp_path, small_disk):
    book = os.urandom(300_000)
    digest = hashlib.sha256(book).hexdigest()
    target, stop = small_disk / "cache/book.txt", threading.Event()
    with running() as server, httpx.Client() as client:
        server.pages["/book.txt"] = book

        def fetch_book() -> str:
            url = f"{server.url}/book.txt"
            return download(client, url, target, sha256=digest, tick=lambda _: None, stop=stop)

        for kib in (8, 64, 200):
            resize(small_disk, kib)
            with pytest.raises(CurationError, match="No space left on device"):
                fetch_book()
            assert not target.exists()
        resize(small_disk, 1024)
        assert fetch_book() == digest
        assert server.count("bytes=") >= 2, "what had come was sent again"
    assert target.read_bytes() == book


@pytest.mark.slow
def test_merge_and_export_on_a_full_disk_say_so_and_succeed_once_there_is_space(tmp_path, small_disk):
    from tiny_adapter import tiny_adapter, tiny_base

    from train.ship.export import export
    from train.ship.merge import merge

    adapter = tiny_adapter(tmp_path / "adapter", tiny_base(tmp_path / "base"))
    for name, write in {
        "merged": lambda: merge(adapter, small_disk / "merged"),
        "exported": lambda: export(adapter, ["q8_0"], out=small_disk / "exported"),
    }.items():
        for kib in (16, 64, 200):
            resize(small_disk, kib)
            error = failure(write)
            assert isinstance(error, CurationError), repr(error)
            assert error.exit_code == 2
            assert "\n" not in str(error)
            assert [path.name for path in small_disk.rglob("*") if path.is_file()] == []
        resize(small_disk, 256 << 10)
        assert write()
        shutil.rmtree(small_disk / name)


HUGE = {
    "deep nesting": '{"messages": ' + "[" * 200_000 + "]" * 200_000 + "}",
    "deep objects": '{"messages": ' + '{"a":' * 100_000 + "1" + "}" * 100_000 + "}",
    "a huge number": '{"messages": ' + "9" * 1_000_000 + "}",
    "a huge exponent": '{"messages": [{"role": "user", "content": 1e99999999}]}',
    "a lone surrogate": '{"messages": [{"role": "user", "content": "\\ud800"}]}',
    "a NUL": '{"messages": [{"role": "user", "content": "a\0b"}]}',
    "a million keys": "{" + ",".join(f'"k{n}":1' for n in range(300_000)) + "}",
    "a million turns": json.dumps({"messages": [{"role": "user", "content": "x"}] * 100_000}),
}


@pytest.mark.slow
def test_hostile_lines_go_through_a_whole_run_and_each_has_a_fate(tmp_path):
    recipe = small_recipe(tmp_path)
    path = tmp_path / "data/two.jsonl"
    with path.open("a", encoding="utf-8", errors="surrogatepass") as file:
        for line in HUGE.values():
            file.write(line + "\n")
        file.write(json.dumps(conversation(1)) + "\n")
    begun = time.process_time()
    done = run(recipe, tmp_path / "out")
    rows = done.manifest.rows
    assert done.manifest.sources["two"].read == 60 + len(HUGE) + 1
    assert rows.read == rows.dropped + rows.unselected + rows.train + rows.eval
    assert verify(done.dataset).ok
    assert time.process_time() - begun < 120


@pytest.mark.slow
def test_a_line_of_a_hundred_megabytes_is_one_row(tmp_path):
    recipe = small_recipe(tmp_path)
    with (tmp_path / "data/two.jsonl").open("a") as file:
        content = "oak " * (25 << 20)
        for row in ({"messages": [{"role": "user", "content": content}]}, {"messages": content}):
            file.write(json.dumps(row) + "\n")
        file.write(json.dumps(conversation(1)) + "\n")
    begun = time.process_time()
    done = run(recipe, tmp_path / "out")
    two = done.manifest.sources["two"]
    assert two.read == 60 + 3
    print(f"\ntwo lines of 105 MB: {time.process_time() - begun:.1f} CPU s, dropped {two.dropped}")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("uri", "../outside.jsonl"),
        ("uri", "/etc/passwd"),
        ("uri", "data/../../outside.jsonl"),
        ("uri", "file:///etc/passwd"),
        ("uri", "data\\..\\..\\outside.jsonl"),
        ("uri", "~/.ssh/id_ed25519"),
        ("uri", "link.jsonl"),
        ("uri", "linked/*.jsonl"),
        ("uri", "hf://datasets/../../etc/passwd"),
        ("uri", "hf://datasets/org/name/../../x"),
        ("answers", "../../outside.jsonl"),
    ],
)
def test_a_recipe_cannot_read_outside_its_data_root(tmp_path, key, value):
    root = tmp_path / "root"
    recipe = small_recipe(root)
    write_jsonl(tmp_path / "outside.jsonl", [conversation(1)])
    (root / "link.jsonl").symlink_to(tmp_path / "outside.jsonl")
    (root / "linked").symlink_to(tmp_path)
    text = recipe.read_text()
    if key == "uri":
        text = text.replace("uri: data/two.jsonl", f"uri: '{value}'")
    else:
        text = text.replace("uri: data/two.jsonl", f"uri: data/two.jsonl\n    {key}: '{value}'")
    assert value in text
    recipe.write_text(text)
    with pytest.raises((RecipeError, SourceError)) as refused:
        run(recipe, tmp_path / "out")
    assert refused.value.exit_code == 2
    assert not (tmp_path / "out").exists()


DOUBLED = zip("abcdefgh", "bcdefghi", strict=True)
BOMBS = {
    "aliases": "a: &a [x, x, x]\n" + "".join(f"{c}: &{c} [*{p}, *{p}]\n" for p, c in DOUBLED),
    "nesting": "a: " + "[" * 50_000,
    "python": "a: !!python/object/apply:os.system ['touch {0}']\n",
    "size": "a: " + "x" * (40 << 20) + "\n",
    "keys": "".join(f"k{n}: 1\n" for n in range(200_000)),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_recipe_that_is_a_bomb_is_refused_at_once(tmp_path, name):
    path = tmp_path / "recipe.yaml"
    path.write_text(BOMBS[name].replace("{0}", str(tmp_path / "made")))
    begun = time.process_time()
    with pytest.raises(CurationError) as refused:
        load_recipe(path)
    assert time.process_time() - begun < 20
    assert len(str(refused.value)) < 20_000
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize(
    "sql",
    [
        "select count(*) from read_csv('/etc/passwd')",
        "select count(*) from '/etc/passwd'",
        'select count(*) from "/etc/passwd"',
        "select count(*) from read_parquet('x.parquet')",
        "select count(*) from train, ledger",
        "select count(*) from train where id in (select id from read_json('x'))",
        "select 1; drop table train",
        "copy train to '/tmp/x'",
    ],
)
def test_a_gate_reads_nothing_but_its_three_tables(tmp_path, sql):
    recipe = small_recipe(tmp_path, gates=[{"sql": sql, "max": 0, "name": "spy"}])
    with pytest.raises(CurationError, match="gate spy: "):
        run(recipe, tmp_path / "out")


@pytest.mark.parametrize(
    "name",
    ["a\nb.jsonl", "a'b\"c.jsonl", "<script>.jsonl", "$(touch x).jsonl", "-rf.jsonl", "x" * 240 + ".jsonl"],
)
def test_hostile_file_names_are_names_like_others(tmp_path, name):
    recipe = small_recipe(tmp_path)
    (tmp_path / "data/two.jsonl").rename(tmp_path / "data" / name)
    text = recipe.read_text().replace("uri: data/two.jsonl", "uri: data\n    files: '*'")
    for path in (tmp_path / "data").glob("one-*"):
        path.rename(tmp_path / path.name)
    recipe.write_text(text.replace("uri: data/one-*.jsonl", "uri: one-*.jsonl"))
    done = run(recipe, tmp_path / "out")
    assert [file.path for file in done.manifest.sources["two"].files] == [f"data/{name}"]
    assert verify(done.dataset).ok


def test_no_control_code_of_a_name_reaches_the_terminal(tmp_path, capsys):
    recipe = small_recipe(tmp_path)
    name = '"data/two\\e]0;owned\\a\\u202E.jsonl"'
    recipe.write_text(recipe.read_text().replace("data/two.jsonl", name))
    assert aj.main(["check", str(recipe)]) == 2
    told = capsys.readouterr().err
    assert "two⟨U+001B⟩]0;owned⟨U+0007⟩⟨U+202E⟩.jsonl" in told
    assert told.count("\n") == 1


def test_a_folder_that_holds_no_tokenizer_is_told_in_one_line(tmp_path):
    recipe = small_recipe(
        tmp_path,
        tokenizer={"path": "data"},
        stages=["normalise", "chat", {"length": {"max_tokens": 100}}],
    )
    with pytest.raises(
        RecipeError, match=r"recipe\.yaml:\d+: tokenizer\.path: .*data has no tokenizer\.json"
    ):
        run(recipe, tmp_path / "out")
