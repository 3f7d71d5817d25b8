import json
import shutil
from pathlib import Path

import polars as pl
import pytest
from tiny_dataset import seal, tiny_dataset, tiny_recipe, write_parquet

from curation.dataset.integrity import check_dataset
from curation.errors import CurationError, Refusal
from curation.release.approval import approve
from curation.release.freeze import freeze
from curation.release.verify import VerifyResult, verify
from curation.row import row_id

FILES = [
    *("train/part-00000.parquet", "train/part-00001.parquet", "eval/part-00000.parquet"),
    *("ledger/part-00000.parquet", "ledger/part-00001.parquet", "samples.parquet", "recipe.json"),
    *("manifest.json", "gates.json", "report.html", "README.md", "croissant.json"),
]


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    dataset = tiny_dataset(tmp_path_factory.mktemp("whole") / "tiny")
    approve(dataset, "Ada")
    return dataset


@pytest.fixture
def dataset(whole, tmp_path) -> Path:
    """A copy of an approved dataset, to be harmed."""
    return shutil.copytree(whole, tmp_path / "tiny")


def flip(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at % len(data)] ^= 0x01
    path.write_bytes(data)


def first(result: VerifyResult) -> str:
    return str(result.problems[0])


def test_a_whole_dataset_verifies(whole):
    result = verify(whole)
    assert result.ok, result.problems
    assert (result.kind, result.files, result.rows) == ("dataset", 12, 13)


@pytest.mark.parametrize("name", [*FILES, "approval.json"])
@pytest.mark.parametrize("place", [0, 1, 2, 3])
def test_a_flipped_byte_is_caught_by_verify_and_by_freeze(dataset, tmp_path, name, place):
    path = dataset / name
    flip(path, place * path.stat().st_size // 4 + place)
    result = verify(dataset)
    assert not result.ok
    assert name in {problem.file for problem in result.problems}
    with pytest.raises(Refusal) as refusal:
        freeze(dataset, tmp_path / "frozen.yaml")
    assert refusal.value.exit_code == 1
    assert not (tmp_path / "frozen.yaml").exists()


@pytest.mark.parametrize("name", FILES)
def test_an_absent_file_is_named(dataset, name):
    (dataset / name).unlink()
    result = verify(dataset)
    assert name in {problem.file for problem in result.problems}


def test_an_unlisted_file_is_named(dataset):
    (dataset / "train/part-00002.parquet").write_bytes((dataset / FILES[0]).read_bytes())
    assert first(verify(dataset)) == "train/part-00002.parquet: not listed in the manifest"


def test_a_link_is_no_file_of_a_dataset(dataset, tmp_path):
    (tmp_path / "elsewhere").write_bytes((dataset / "README.md").read_bytes())
    (dataset / "README.md").unlink()
    (dataset / "README.md").symlink_to(tmp_path / "elsewhere")
    assert "README.md: a link" in first(verify(dataset))


def test_a_truncated_shard_is_named(dataset):
    path = dataset / FILES[0]
    path.write_bytes(path.read_bytes()[:-40])
    found = [str(problem) for problem in verify(dataset).problems]
    assert found[0].startswith(f"{FILES[0]}: ")
    assert any("not a shard any more" in text for text in found)


def forge(dataset: Path, change: pl.Expr) -> None:
    """Change a column of the first shard, then make gates and manifest anew over it."""
    path = dataset / FILES[0]
    write_parquet(path, pl.read_parquet(path).with_columns(change))
    seal(dataset, tiny_recipe())


def test_the_first_changed_row_is_named_even_when_the_manifest_was_forged(dataset):
    path = dataset / FILES[0]
    rows = pl.read_parquet(path)
    third = pl.int_range(pl.len()) == 3
    forge(dataset, pl.when(third).then(pl.lit("[]")).otherwise("tools").alias("tools"))
    assert first(verify(dataset)) == f"{FILES[0]}: row 3: its content is not that of its id {rows['id'][3]}"


def test_a_row_forged_with_its_id_is_unknown_to_the_ledger(dataset):
    path = dataset / FILES[0]
    rows = pl.read_parquet(path)
    forged = row_id('[{"content":"evil"}]', None)
    forge(dataset, pl.when(pl.int_range(pl.len()) == 0).then(pl.lit(forged)).otherwise("id").alias("id"))
    found = [str(problem) for problem in verify(dataset).problems]
    assert f"train: {forged} is in a shard, but not in train in the ledger" in found
    assert f"ledger: {rows['id'][0]} is in train there, but in no shard" in found


def test_a_forged_dataset_is_no_longer_the_approved_one(dataset):
    forge(dataset, (pl.col("tokens") + 1).alias("tokens"))
    assert check_dataset(dataset).problems == []
    assert "approval.json: approves another dataset: manifest.json had digest" in first(verify(dataset))


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
    assert first(verify(dataset)) == "ledger: books:books.jsonl: not each of its 10 rows once"


def test_other_columns_make_no_shard(dataset):
    path = dataset / FILES[0]
    write_parquet(path, pl.read_parquet(path).with_columns(extra=1))
    found = [str(problem) for problem in verify(dataset).problems]
    assert any("not a shard any more: columns" in text for text in found)


def test_a_dataset_without_its_manifest_is_damaged_and_not_unknown(dataset):
    (dataset / "manifest.json").unlink()
    assert first(verify(dataset)).startswith("manifest.json: ")


def test_an_unapproved_dataset_is_whole(tmp_path):
    result = verify(tiny_dataset(tmp_path / "tiny"))
    assert result.ok
    assert result.notes == ["not approved"]


@pytest.mark.parametrize("name", ["nothing", "empty", "text.yaml"])
def test_what_is_neither_dataset_nor_frozen_recipe_is_a_wrong_request(tmp_path, name):
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.yaml").write_text("name: tiny\n")
    with pytest.raises(CurationError) as wrong:
        verify(tmp_path / name)
    assert wrong.value.exit_code == 2


def test_a_frozen_recipe_verifies_with_its_data_anywhere(dataset, tmp_path):
    frozen = freeze(dataset, tmp_path / "frozen.yaml")
    moved = shutil.move(dataset, tmp_path / "moved")
    assert verify(frozen).notes == ["its data was not looked at; name the dataset with --data DIR"]
    assert verify(frozen).as_text().splitlines()[0] == f"whole    {frozen}: frozen recipe"
    result = verify(frozen, Path(moved))
    assert result.ok, result.problems
    assert result.rows == 13


def test_a_frozen_recipe_notices_other_data(dataset, tmp_path):
    frozen = freeze(dataset, tmp_path / "frozen.yaml")
    flip(dataset / FILES[1], 100)
    assert first(verify(frozen, dataset)) == f"{FILES[1]}: its bytes are not those that the manifest lists"


def test_every_flipped_byte_of_a_frozen_recipe_is_noticed(whole, tmp_path):
    frozen = freeze(whole, tmp_path / "frozen.yaml")
    data = frozen.read_bytes()
    for at in range(0, len(data), 7):
        frozen.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
        assert not verify(frozen).ok, f"byte {at}"


def test_the_result_is_told_to_people_and_to_programs(dataset):
    assert verify(dataset).as_text() == f"whole    {dataset}: dataset of 12 files and 13 rows"
    (dataset / "README.md").unlink()
    result = verify(dataset)
    assert result.as_text() == "differs  README.md: absent"
    told = json.loads(result.as_json())
    assert told["ok"] is False
    assert told["problems"] == [{"file": "README.md", "row": None, "what": "absent"}]


def test_many_problems_are_counted(dataset):
    for number in range(25):
        (dataset / f"extra-{number:02}").touch()
    lines = verify(dataset).as_text().splitlines()
    assert lines[0] == "differs  extra-00: not listed in the manifest"
    assert lines[-1] == "         and 5 more; --json lists them"
