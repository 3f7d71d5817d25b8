"""The life of a row, told from a finished dataset."""

import json

import polars as pl
import pytest

from aj import main
from curation.errors import CurationError
from curation.jobs.curate import curate
from reports.pages.documents import documents
from reports.rows.life import lives
from reports.rows.why import why
from tests.finished import finished
from tests.small_recipe import conversation, small_recipe, write_jsonl


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return finished(
        tmp_path_factory.mktemp("small"), mixture={"shares": {"first": 0.6, "second": 0.4}, "total": "max"}
    )


def line(dataset, **where):
    rows = pl.read_parquet(sorted((dataset / "ledger").glob("*.parquet")))
    for column, value in where.items():
        rows = rows.filter(pl.col(column) == value)
    return rows.row(0, named=True)


def place(row):
    return f"{row['source']}:{row['file']}:{row['row']}"


def test_a_written_row_is_told_with_its_place_in_the_shards(dataset):
    row = line(dataset, fate="train")
    (life,) = why(dataset, place(row))
    assert life.fate == "train"
    assert [step.verdict for step in life.steps if step.stage == "chat"] == ["passed"]
    for written in life.places:
        shard = pl.read_parquet(dataset / written.file)
        assert shard["id"][written.row] == row["id"]
        assert shard["repeat"][written.row] == written.repeat
    assert life.messages is not None


@pytest.mark.parametrize("name", ["id", "input_id"])
def test_an_id_or_its_beginning_names_the_row(dataset, name):
    row = line(dataset, fate="train")
    assert why(dataset, row[name])[0].row == row["row"]
    assert why(dataset, row[name].removeprefix("sha256:")[:12])[0].row == row["row"]


def test_a_near_duplicate_is_told_with_its_survivor_and_the_survivor_with_it(dataset):
    row = line(dataset, reason="near_duplicate")
    (life,) = why(dataset, place(row))
    end = [step for step in life.steps if step.verdict == "dropped"]
    assert [step.reason for step in end] == ["near_duplicate"]
    assert life.similarity >= 0.8
    assert life.steps[-1].verdict == "not reached"
    survivors = why(dataset, life.survivor)
    assert any(place(row) in survivor.stands_for for survivor in survivors)


@pytest.fixture(scope="module")
def asked_alike(tmp_path_factory):
    """A dataset in which eight rows ask the same question, and one is a near duplicate of one of them."""
    folder = tmp_path_factory.mktemp("alike")
    recipe = small_recipe(folder, mixture={"shares": {"first": 0.6, "second": 0.4}, "total": 60})
    rows = [conversation(3000 + n, words=45) for n in range(40)]
    for row in rows[:8]:
        row["messages"][0]["content"] = "Which tree stands here?"
    near = json.loads(json.dumps(rows[3]))
    near["messages"][1]["content"] += " oak"
    write_jsonl(folder / "data/two.jsonl", [*rows, near])
    curate(recipe, documents=documents, out=folder / "dataset", workers=1)
    return folder / "dataset"


def test_a_row_is_told_with_the_rows_that_share_its_first_question_and_their_one_split(asked_alike):
    (life,) = why(asked_alike, "two:data/two.jsonl:0")
    gone = place(line(asked_alike, reason="near_duplicate", source="two"))
    alike = {f"two:data/two.jsonl:{n}" for n in (*range(1, 8), 40)} - {gone}
    assert {name for name, _ in life.cluster.members} == alike
    assert sum(life.cluster.fates.values()) == 8
    assert not {"train", "eval"} <= set(life.cluster.fates)
    text = lives([life], asked_alike)
    assert "cluster  8 rows alike or with the same first question" in text
    assert all(name in text for name in alike)


def test_a_dropped_duplicate_is_told_with_the_cluster_of_its_survivor(asked_alike):
    gone = line(asked_alike, reason="near_duplicate", source="two")
    (life,) = why(asked_alike, place(gone))
    assert life.fate == "dropped"
    assert len(life.cluster.members) == 8
    assert life.cluster.name == why(asked_alike, "two:data/two.jsonl:0")[0].cluster.name


def test_a_row_alone_has_no_cluster(asked_alike):
    (life,) = why(asked_alike, "two:data/two.jsonl:20")
    assert life.cluster is None
    assert "cluster" not in lives([life], asked_alike)


def test_turns_without_loss_say_why(tmp_path):
    made = conversation(5, turns=2)
    made["messages"][1]["weight"] = 0
    recipe = small_recipe(tmp_path)
    gone = conversation(9006)
    gone["messages"][1]["weight"] = 0
    write_jsonl(tmp_path / "data" / "two.jsonl", [made, gone])
    done = curate(recipe, documents=documents, out=tmp_path / "marked", workers=1)
    (life,) = why(done.dataset, "two:data/two.jsonl:0")
    assert life.masked == [(1, "marked")]
    assert lives([life], done.dataset).count("  assistant  no loss: marked\n") == 1
    (life,) = why(done.dataset, "two:data/two.jsonl:1")
    assert [(step.stage, step.reason) for step in life.steps if step.verdict == "dropped"] == [
        ("trainable", "nothing_to_train")
    ]


def test_an_unreadable_row_is_told_with_where_to_find_it(dataset):
    row = line(dataset, reason="unreadable")
    text = lives(why(dataset, place(row)), dataset)
    assert "as read  unreadable" in text
    assert "its text is not in the dataset" in text


@pytest.mark.parametrize(
    "row", ["nothing", "sha256:zz", "sha256:1234", "one:no.jsonl:0", "one:data/one-a.jsonl:9999", "none:x:1"]
)
def test_what_names_no_row_is_one_line(dataset, row):
    with pytest.raises(CurationError, match="no row of"):
        why(dataset, row)


def test_the_command_prints_the_life_and_knows_yes_from_no(dataset, capsys):
    assert main(["why", str(dataset), "one:data/one-a.jsonl:3"]) == 0
    assert "one:data/one-a.jsonl:3" in capsys.readouterr().out
    assert main(["why", str(dataset), "--text", "zzzzqqqq"]) == 1
    assert main(["why", str(dataset)]) == 2
    capsys.readouterr()
    assert main(["why", str(dataset), "--text", "oak", "--json"]) == 0
    assert main(["why", str(dataset), "one:data/one-a.jsonl:3", "--json"]) == 0
    assert [[*json.loads(line)] for line in capsys.readouterr().out.splitlines()] == [["rows"], ["rows"]]
