"""A whole run: nothing lost, nothing different, nothing half-written."""

import errno
import hashlib
import json
import shutil
import signal
import time
from pathlib import Path

import polars as pl
import pytest
from forks import Fork, fork
from small_recipe import conversation, no_documents, small_recipe, write_jsonl

from curation.errors import CurationError
from curation.jobs.curate import Finished, curate, locked
from curation.mixture.choice import Infeasibility
from curation.progress import Progress
from curation.release.approval import approve
from curation.row import encode, kept_keys, row_id
from reports.rows.unfinished import is_unfinished, lines_of


def run(recipe: Path, out: str = "out", **options: object) -> Finished:
    return curate(recipe, documents=no_documents, out=recipe.parent / out, workers=1, **options)


def bytes_of(dataset: Path) -> dict[str, str]:
    """Digests of every file but the one with the times."""
    return {
        path.relative_to(dataset).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in dataset.rglob("*")
        if path.is_file() and path.name != "timings.json"
    }


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Finished:
    return run(small_recipe(tmp_path_factory.mktemp("small")))


def ledger_of(done: Finished) -> pl.DataFrame:
    return pl.read_parquet(done.dataset / "ledger/*.parquet")


def test_every_input_row_has_exactly_one_fate(finished):
    ledger = ledger_of(finished)
    assert ledger.select("source", "file", "row").is_duplicated().sum() == 0
    rows = finished.manifest.rows
    assert rows.read == ledger.height == 80 + 3 + 40 + 2 + 60
    assert rows.read == rows.dropped + rows.unselected + rows.train + rows.eval
    for name, source in finished.manifest.sources.items():
        here = ledger.filter(pl.col("source") == name)
        assert source.read == here.height == sum(file.rows for file in source.files)
        assert source.train == here.filter(pl.col("fate") == "train").height
        assert sum(source.dropped.values()) == here.filter(pl.col("fate") == "dropped").height


def test_what_was_dropped_says_why_and_names_the_survivor(finished):
    dropped = ledger_of(finished).filter(pl.col("fate") == "dropped")
    assert dict(dropped["reason"].value_counts().iter_rows()) == {
        "unreadable": 2,
        "exact_duplicate": 2,
        "near_duplicate": 1,
    }
    assert dropped["id"].null_count() == dropped.height
    near = dropped.row(by_predicate=pl.col("reason") == "near_duplicate", named=True)
    detail = json.loads(near["detail"])
    assert 0.8 <= detail["similarity"] < 1
    survivor = ledger_of(finished).filter(pl.col("id") == detail["duplicate_of"])
    assert survivor.height == 1
    broken = dropped.row(by_predicate=(pl.col("row") == 80) & (pl.col("reason") == "unreadable"), named=True)
    assert json.loads(broken["detail"])["text"] == "{broken"


def test_shards_hold_the_rows_under_their_ids_in_seeded_order(finished):
    for split, count in (
        ("train", finished.manifest.written.train),
        ("eval", finished.manifest.written.eval),
    ):
        rows = pl.read_parquet(finished.dataset / split / "*.parquet")
        assert rows.height == count
        for stored, messages, tools in rows.select("id", "messages", "tools").iter_rows():
            # A message has the key only where it is 0.
            said = [{k: v for k, v in m.items() if k != "weight" or v == 0} for m in messages]
            text = json.dumps([said, tools], sort_keys=True, separators=(",", ":"), ensure_ascii=False)
            assert stored == "sha256:" + hashlib.sha256(text.encode()).hexdigest()
        order = [
            hashlib.sha256(f"17\t{i}\t{repeat}".encode()).hexdigest()
            for i, repeat in rows.select("id", "repeat").iter_rows()
        ]
        assert order == sorted(order)


def test_the_root_is_the_documented_digest_of_the_shards(finished):
    total = hashlib.sha256()
    for split in ("train", "eval"):
        rows = pl.read_parquet(finished.dataset / split / "*.parquet")
        for stored, repeat in rows.select("id", "repeat").iter_rows():
            total.update(f"{split}\t{stored}\t{repeat}\n".encode())
    assert total.hexdigest() == finished.manifest.root


@pytest.mark.slow
def test_the_number_of_workers_changes_no_byte(finished):
    recipe = finished.dataset.parent / "recipe.yaml"
    two = curate(recipe, documents=no_documents, out=recipe.parent / "two", workers=2)
    assert bytes_of(two.dataset) == bytes_of(finished.dataset)


def test_the_same_command_again_does_nothing_again(finished):
    recipe = finished.dataset.parent / "recipe.yaml"
    again = run(recipe)
    assert again.unchanged
    assert (again.tasks_run, again.manifest) == (0, finished.manifest)


def test_force_makes_a_finished_run_again_and_the_same_dataset_keeps_its_approval(tmp_path):
    recipe = small_recipe(tmp_path)
    first = run(recipe)
    approve(first.dataset, "Test Person")
    before = bytes_of(first.dataset)
    part = first.dataset / "train/part-00000.parquet"
    part.write_bytes(part.read_bytes()[:-4] + b"\0\0\0\0")
    again = run(recipe, force=True)
    assert (again.unchanged, again.tasks_run) == (False, 0)
    assert bytes_of(first.dataset) == before
    assert "approval.json" in {path.name for path in first.dataset.iterdir()}


def test_force_with_other_code_reads_the_rows_again(tmp_path, monkeypatch):
    recipe = small_recipe(tmp_path)
    first = run(recipe)
    monkeypatch.setattr("curation.task.code_version", lambda: "newer")
    assert run(recipe).unchanged
    assert run(recipe, force=True).tasks_run == first.tasks_run


def test_changed_inputs_are_refused_without_force(tmp_path):
    recipe = small_recipe(tmp_path)
    first = run(recipe)
    write_jsonl(tmp_path / "data/two.jsonl", [conversation(2000 + n) for n in range(50)])
    with pytest.raises(
        CurationError, match=r"holds a finished run with other files of source two; use --force"
    ):
        run(recipe)
    second = run(recipe, force=True)
    assert second.manifest.root != first.manifest.root
    assert second.tasks_reused >= 2, "the two unchanged files were read again"


def test_another_recipe_is_refused_without_force(tmp_path):
    run(small_recipe(tmp_path))
    with pytest.raises(CurationError, match="holds a finished run with another recipe"):
        run(small_recipe(tmp_path, seed=18))


def test_a_folder_with_other_things_is_never_written_into(tmp_path):
    recipe = small_recipe(tmp_path)
    (tmp_path / "out").mkdir()
    (tmp_path / "out/thesis.txt").write_text("mine")
    with pytest.raises(CurationError, match="is not empty and holds no dataset"):
        run(recipe, force=True)
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["thesis.txt"]


def test_two_runs_on_one_folder_at_once_are_refused(tmp_path):
    recipe = small_recipe(tmp_path)
    with locked(tmp_path / "out.work"), pytest.raises(CurationError, match="another run is writing here"):
        run(recipe)


def test_take_leaves_rows_unselected_and_says_so(tmp_path):
    recipe = small_recipe(tmp_path)
    text = recipe.read_text().replace("group: first", "group: first\n    take: 50")
    recipe.write_text(text)
    done = run(recipe)
    ledger = ledger_of(done).filter(pl.col("source") == "one")
    left = ledger.filter(pl.col("stage") == "take")
    assert left.height == 125 - 2 - 50
    assert set(left["fate"]) == {"unselected"}
    taken = ledger.filter(pl.col("input_id").is_not_null() & pl.col("stage").ne_missing("take"))
    rank = [hashlib.sha256(f"17\t{i}".encode()).hexdigest() for i in taken["input_id"]]
    rest = [hashlib.sha256(f"17\t{i}".encode()).hexdigest() for i in left["input_id"]]
    assert max(rank) <= min(rest)


def test_an_infeasible_mixture_stops_before_a_shard_is_written(tmp_path):
    recipe = small_recipe(
        tmp_path, mixture={"shares": {"first": 0.5, "second": 0.5}, "total": 5000, "max_repeat": 2}
    )
    with pytest.raises(Infeasibility, match="second"):
        run(recipe)
    assert not (tmp_path / "out").exists()
    # Asking for less goes on from what was read.
    smaller = small_recipe(tmp_path, mixture={"shares": {"first": 0.5, "second": 0.5}, "total": 100})
    assert run(smaller).tasks_reused > 0


def test_an_infeasible_mixture_tells_what_became_of_each_groups_rows_and_leaves_a_ledger(tmp_path):
    recipe = small_recipe(tmp_path, mixture={"shares": {"first": 0.5, "second": 0.5}, "total": "max"})
    asked = [{"role": "user", "content": f"write to oak{n}@example.org"} for n in range(9)]
    rows = [{"messages": [turn, {"role": "dwarf", "content": "no"}]} for turn in asked]
    write_jsonl(tmp_path / "data/two.jsonl", rows)
    with pytest.raises(Infeasibility) as failure:
        run(recipe)
    told = str(failure.value)
    assert "second: 9 rows read, 0 left by the stages\n  chat: bad_role 9 (100.0%): dwarf; 0 left" in told
    assert "such as two:data/two.jsonl:0  write to [HIDDEN_EMAIL_1]" in told
    assert "mend" in told
    assert "remove" not in told
    assert not (tmp_path / "out").exists()
    ledger = pl.read_parquet(tmp_path / "out.work/ledger/two.parquet")
    assert ledger["reason"].to_list() == ["bad_role"] * 9
    assert is_unfinished(tmp_path / "out")
    [line] = lines_of(tmp_path / "out", "two:data/two.jsonl:3")
    assert (line["stage"], line["fate"]) == ("chat", "dropped")
    # The next run sweeps it.
    assert not is_unfinished(run(small_recipe(tmp_path)).dataset)
    assert not (tmp_path / "out.work/ledger").exists()


def test_the_progress_line_of_writing_counts_the_rows_of_the_shards_and_no_others(tmp_path, monkeypatch):
    lines = []

    class Told(Progress):
        def __init__(self, label: str, total: int) -> None:
            super().__init__(label, total)
            lines.append(self)

    monkeypatch.setattr("curation.engine.pipeline.Progress", Told)
    written = run(small_recipe(tmp_path)).manifest.written
    [line] = [line for line in lines if line.desc == "writing"]
    assert line.n == line.total
    assert line.rows == written.train + written.eval


def test_repeats_are_written_apart_and_counted(tmp_path):
    mixture = {"shares": {"first": 0.5, "second": 0.5}, "total": 200, "max_repeat": 4}
    done = run(small_recipe(tmp_path, mixture=mixture))
    group = done.manifest.mixture.groups["second"]
    assert (group.got, group.unique, group.max_repeat) == (100, 54, 2)
    rows = pl.read_parquet(done.dataset / "train/*.parquet")
    copies = rows.filter(pl.col("group") == "second").group_by("id").agg(pl.col("repeat").sort())
    assert all(repeats == list(range(1, len(repeats) + 1)) for repeats in copies["repeat"].to_list())


def test_a_preview_is_marked_and_reads_little(tmp_path):
    done = run(small_recipe(tmp_path), sample=20)
    assert done.manifest.sample
    assert 0 < done.manifest.rows.read <= 20


def test_nothing_the_run_wrote_is_left_when_a_file_vanishes(tmp_path):
    recipe = small_recipe(tmp_path)
    (tmp_path / "data/two.jsonl").unlink()
    with pytest.raises(CurationError, match=r"two\.jsonl"):
        run(recipe)
    assert not (tmp_path / "out").exists()


LIBRARIES = """
import sys
import aj, curation.jobs.curate, curation.engine.tasks, reports.pages.documents
"""


def start(recipe: Path, out: Path) -> Fork:
    """`aj curate` as a process of its own."""
    command = ["curate", str(recipe), "--out", str(out), "--workers", "1"]
    return fork(f"sys.exit(aj.main({command!r}))", libraries=LIBRARIES)


def test_a_full_disk_while_copying_names_the_file_that_could_not_be_written(tmp_path, monkeypatch):
    def full(source, target):
        # As the standard library raises it: the file that was read comes first.
        raise OSError(errno.ENOSPC, "No space left on device", str(source), None, str(target))

    monkeypatch.setattr("curation.jobs.assemble.shutil.copyfile", full)
    with pytest.raises(CurationError, match=r"train/part-00000\.parquet: cannot write: No space left"):
        run(small_recipe(tmp_path))


def test_a_run_that_reuses_every_task_writes_the_same_bytes_in_the_order_of_the_recipe(tmp_path):
    sources = {
        "b": {"uri": "data/one-*.jsonl", "reader": "messages", "group": "zinnias"},
        "a": {"uri": "data/two.jsonl", "reader": "messages", "group": "asters"},
    }
    mixture = {"shares": {"zinnias": 0.6, "asters": 0.4}, "total": "max", "max_repeat": 1}
    recipe = small_recipe(tmp_path, sources=sources, mixture=mixture)
    done = run(recipe)
    assert list(done.manifest.mixture.groups) == ["zinnias", "asters"]
    first = bytes_of(done.dataset)
    shutil.rmtree(done.dataset)
    again = run(recipe)
    assert (again.tasks_run, again.tasks_reused) == (0, done.tasks_run)
    assert bytes_of(again.dataset) == first


@pytest.mark.slow
def test_a_killed_run_goes_on_where_it_stopped_and_ends_in_the_same_bytes(tmp_path):
    recipe = small_recipe(tmp_path)
    whole = tmp_path / "whole"
    assert start(recipe, whole).wait() == 0
    shutil.rmtree(tmp_path / "whole.work")
    seconds = json.loads((whole / "timings.json").read_text())["wall_s"]
    out = tmp_path / "killed"
    for share, number in ((0.3, signal.SIGKILL), (0.6, signal.SIGTERM), (0.9, signal.SIGKILL)):
        process = start(recipe, out)
        time.sleep(seconds * share)
        process.send_signal(number)
        process.wait()
        assert not (out / "manifest.json").exists() or bytes_of(out) == bytes_of(whole)
    assert start(recipe, out).wait() == 0
    assert bytes_of(out) == bytes_of(whole)


def test_ids_follow_from_messages_as_loaded(finished):
    rows = pl.read_parquet(finished.dataset / "train/*.parquet")
    texts = [encode([*map(kept_keys, messages)]) for messages in rows["messages"].to_list()]
    assert [row_id(text, None) for text in texts] == rows["id"].to_list()
