import json

import pytest

from curation.errors import CurationError
from curation.jobs.curate import curate
from curation.row import frame, row_ids
from curation.stages.exclude.exclusions import Exclusion, to_bytes
from curation.stages.exclude.stage import exclude
from tests.small_recipe import conversation, no_documents, small_recipe

ROWS = frame([conversation(n)["messages"] for n in range(4)])


def test_marked_rows_go_with_their_note_and_the_others_keep_their_order():
    ids = row_ids(ROWS["messages"], ROWS["tools"])
    split = exclude(ROWS, notes={ids[2]: "wrong answer"})
    assert split.kept["pos"].to_list() == [0, 1, 3]
    assert split.dropped.select("pos", "reason", "detail").rows() == [
        (2, "excluded", '{"note":"wrong answer"}')
    ]
    assert exclude(split.kept, notes={ids[2]: "wrong answer"}).dropped.height == 0


def test_a_row_answers_to_its_digest_as_read_too():
    changed = ROWS.with_columns(messages=ROWS["messages"].str.replace("oak", "OAK"))
    assert exclude(changed, notes={ROWS["input_id"][0]: ""}).dropped["pos"].to_list() == [0]


def test_nothing_marked_and_no_rows_are_no_trouble():
    assert exclude(ROWS, notes={}).kept.equals(ROWS)
    empty = exclude(ROWS.clear(), notes={"sha256:" + "0" * 64: ""})
    assert (empty.kept.height, empty.dropped.height) == (0, 0)
    assert "reason" in empty.dropped.columns


def test_a_recipe_names_the_file_and_the_ledger_has_the_note(tmp_path):
    import polars as pl

    row = frame([conversation(1001, words=45)["messages"]])["input_id"][0]
    (tmp_path / "marks.jsonl").write_bytes(to_bytes([Exclusion(input_id=row, note="dull")]))
    recipe = small_recipe(tmp_path, stages=["chat", {"exclude": {"file": "marks.jsonl"}}])
    run = curate(recipe, documents=no_documents, out=tmp_path / "out", workers=1)
    ledger = pl.read_parquet(sorted((run.dataset / "ledger").glob("*.parquet")))
    (line,) = ledger.filter(reason="excluded").to_dicts()
    assert (line["stage"], json.loads(line["detail"])) == ("exclude", {"note": "dull"})
    (tmp_path / "marks.jsonl").write_bytes(b"\n")
    with pytest.raises(CurationError, match="other files of a stage"):
        curate(recipe, documents=no_documents, out=tmp_path / "out", workers=1)


def test_a_file_that_is_not_there_is_told_before_anything_is_read(tmp_path):
    recipe = small_recipe(tmp_path, stages=[{"exclude": {"file": "none.jsonl"}}])
    with pytest.raises(CurationError, match=r"none\.jsonl"):
        curate(recipe, documents=no_documents, out=tmp_path / "out", workers=1)
