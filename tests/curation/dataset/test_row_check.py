import polars as pl
from tiny_dataset import FILES, first_problem, forge, write_parquet

from curation.dataset.manifest import ListedFile
from curation.dataset.row_check import read_shard, shard_problems
from curation.release.verify import verify
from curation.row import MESSAGE_KEYS


def test_a_truncated_shard_is_named(dataset):
    path = dataset / FILES[0]
    path.write_bytes(path.read_bytes()[:-40])
    found = [str(problem) for problem in verify(dataset).problems]
    assert found[0].startswith(f"{FILES[0]}: ")
    assert any("not a shard any more" in text for text in found)


def test_the_first_changed_row_is_named_even_when_the_manifest_was_forged(dataset):
    path = dataset / FILES[0]
    rows = pl.read_parquet(path)
    third = pl.int_range(pl.len()) == 3
    forge(dataset, pl.when(third).then(pl.lit("[]")).otherwise("tools").alias("tools"))
    assert (
        first_problem(verify(dataset))
        == f"{FILES[0]}: row 3: its content is not that of its id {rows['id'][3]}"
    )


def test_other_columns_make_no_shard(dataset):
    path = dataset / FILES[0]
    write_parquet(path, pl.read_parquet(path).with_columns(extra=1))
    found = [str(problem) for problem in verify(dataset).problems]
    assert any("not a shard any more: columns" in text for text in found)


def test_a_weight_belongs_to_the_content_of_its_row(dataset):
    path = dataset / FILES[0]
    id_of_first = pl.read_parquet(path)["id"][0]
    masked = pl.element().struct.with_fields(weight=pl.lit(0, pl.UInt8))
    forge(dataset, pl.col("messages").list.eval(masked))
    assert (
        first_problem(verify(dataset))
        == f"{FILES[0]}: row 0: its content is not that of its id {id_of_first}"
    )


def test_shards_made_before_turns_had_a_weight_are_whole(dataset):
    path = dataset / FILES[0]
    fields = [pl.element().struct.field(key) for key in MESSAGE_KEYS]
    older = pl.read_parquet(path).with_columns(pl.col("messages").list.eval(pl.struct(fields)))
    write_parquet(path, older)
    listed = ListedFile(path=FILES[0], rows=older.height, bytes=0, sha256="")
    assert list(shard_problems(listed, read_shard(path))) == []
