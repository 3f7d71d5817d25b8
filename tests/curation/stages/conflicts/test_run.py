"""conflicts in a whole run: flags in the ledger that name the other row, gates per source, samples."""

import json
from pathlib import Path

import polars as pl
import pytest
from small_recipe import conversation, no_documents, small_recipe, write_jsonl

from curation.jobs.curate import Finished, curate

ANSWERS = ("It is ripe on 3 May.", "It is ripe on 9 June.", "Ask at the mill.")
GATES = [
    {"metric": "conflicts.share", "max": 0, "bounds": {"two": 0.15}},
    {"metric": "conflicts.contradicting_share", "max": 0},
]


def run(folder: Path, **conflicts) -> Finished:
    """Twenty rows of a source and three that answer one question, and those of another source without any."""
    stages = ["normalise", "chat", "exact_duplicates", {"conflicts": conflicts}, "near_duplicates"]
    recipe = small_recipe(folder, stages=stages, gates=GATES)
    asked = {"role": "user", "content": "When is the fruit ripe?"}
    rows = [{"messages": [asked, {"role": "assistant", "content": answer}]} for answer in ANSWERS]
    write_jsonl(folder / "data/two.jsonl", [*(conversation(1000 + n, words=45) for n in range(20)), *rows])
    return curate(recipe, documents=no_documents, out=folder / "out", workers=1)


@pytest.fixture(scope="module")
def flagged(tmp_path_factory) -> Finished:
    return run(tmp_path_factory.mktemp("flagged"))


def lines_of(done: Finished) -> dict[int, dict]:
    """The ledger's lines of the three rows, by their answer."""
    ledger = pl.read_parquet(done.dataset / "ledger/*.parquet").filter(pl.col("source") == "two")
    return {line["row"] - 20: line for line in ledger.filter(pl.col("row") >= 20).iter_rows(named=True)}


def test_the_ledger_names_the_row_with_the_other_answer(flagged):
    lines = lines_of(flagged)
    flags = {answer: json.loads(line["detail"])["flags"] for answer, line in lines.items()}
    told = {"stage": "conflicts", "turn": 1, "answers": 3}
    assert flags == {
        0: [{**told, "flag": "contradicting_answer", "by": "numbers", "other": lines[1]["id"]}],
        1: [{**told, "flag": "contradicting_answer", "by": "numbers", "other": lines[0]["id"]}],
        2: [{**told, "flag": "other_answer", "other": lines[0]["id"]}],
    }
    assert {line["fate"] for line in lines.values()} <= {"train", "eval"}


def test_the_gates_measure_every_source(flagged):
    share, contradicting = flagged.gates.gates
    assert {one.source: (one.measured, one.passed) for one in share.sources} == {
        "one": (0.0, True),
        "two": (3 / 23, True),
    }
    assert {one.source: one.measured for one in contradicting.sources} == {"one": 0.0, "two": 2 / 23}
    assert not contradicting.passed


def test_two_rows_that_differ_are_a_sample(flagged):
    samples = pl.read_parquet(flagged.dataset / "samples.parquet")
    (pair,) = samples.filter(pl.col("kind") == "conflict").iter_rows(named=True)
    assert (pair["row"], pair["other_row"], pair["reason"], pair["stage"]) == (20, 21, "numbers", "conflicts")
    assert ANSWERS[1] in pair["other_messages"]
    assert samples.filter(pl.col("kind") == "near_pair")["reason"].null_count() > 0


def test_a_row_that_goes_names_the_row_that_stays(tmp_path):
    done = run(tmp_path, action="keep_one", rule="longest")
    lines = lines_of(done)
    assert [line["reason"] for line in lines.values()] == ["conflicting_answer", None, "conflicting_answer"]
    assert json.loads(lines[0]["detail"])["kept_instead"] == lines[1]["id"]
    none = run(tmp_path / "none", action="drop")
    assert {line["reason"] for line in lines_of(none).values()} == {"conflicting_answer"}
    first = json.loads(lines_of(none)[0]["detail"])
    assert "kept_instead" not in first
    assert first["flags"][0]["other"] == "two:data/two.jsonl:21"


@pytest.mark.slow
def test_the_number_of_workers_changes_no_byte(flagged):
    folder = flagged.dataset.parent
    two = curate(folder / "recipe.yaml", documents=no_documents, out=folder / "two", workers=2)
    for path in sorted(flagged.dataset.rglob("*.*")):
        if path.name != "timings.json":
            other = two.dataset / path.relative_to(flagged.dataset)
            assert other.read_bytes() == path.read_bytes(), path.name
