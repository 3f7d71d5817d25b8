import polars as pl
import pytest
from tiny_dataset import FILES, first_problem, forge, seal, tiny_recipe, write_parquet

from curation.release.verify import verify
from curation.row import row_id


@pytest.mark.parametrize("name", FILES)
def test_an_absent_file_is_named(dataset, name):
    (dataset / name).unlink()
    result = verify(dataset)
    assert name in {problem.file for problem in result.problems}


def test_an_unlisted_file_is_named(dataset):
    (dataset / "train/part-00002.parquet").write_bytes((dataset / FILES[0]).read_bytes())
    assert first_problem(verify(dataset)) == "train/part-00002.parquet: not listed in the manifest"


def test_a_link_is_no_file_of_a_dataset(dataset, tmp_path):
    (tmp_path / "elsewhere").write_bytes((dataset / "README.md").read_bytes())
    (dataset / "README.md").unlink()
    (dataset / "README.md").symlink_to(tmp_path / "elsewhere")
    assert "README.md: a link" in first_problem(verify(dataset))


def test_a_row_forged_with_its_id_is_unknown_to_the_ledger(dataset):
    path = dataset / FILES[0]
    rows = pl.read_parquet(path)
    forged = row_id('[{"content":"evil"}]', None)
    forge(dataset, pl.when(pl.int_range(pl.len()) == 0).then(pl.lit(forged)).otherwise("id").alias("id"))
    found = [str(problem) for problem in verify(dataset).problems]
    assert f"train: {forged} is in a shard, but not in train in the ledger" in found
    assert f"ledger: {rows['id'][0]} is in train there, but in no shard" in found


def test_rows_that_leave_the_ledger_break_conservation(dataset):
    path = dataset / "ledger/part-00000.parquet"
    lines = pl.read_parquet(path)
    write_parquet(path, lines.filter(pl.col("fate") != "unselected"))
    seal(dataset, tiny_recipe())
    found = [str(problem) for problem in verify(dataset).problems]
    assert any("ledger: source web: " in text for text in found)
    assert "ledger: web:web.jsonl: not each of its 10 rows once" in found


def test_a_row_told_twice_in_the_ledger_is_noticed(dataset):
    path = dataset / "ledger/part-00001.parquet"
    lines = pl.read_parquet(path)
    twice = pl.when(pl.col("row") == 9).then(8).otherwise("row").cast(pl.UInt32).alias("row")
    write_parquet(path, lines.with_columns(twice))
    seal(dataset, tiny_recipe())
    assert first_problem(verify(dataset)) == "ledger: books:books.jsonl: not each of its 10 rows once"
