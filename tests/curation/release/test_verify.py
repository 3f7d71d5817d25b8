import json
import shutil
from pathlib import Path

import polars as pl
import pytest
from tiny_dataset import FILES, first_problem, forge, tiny_dataset

from curation.dataset.integrity import check_dataset
from curation.errors import CurationError, Refusal
from curation.release.freeze import freeze
from curation.release.verify import verify


def flip(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at % len(data)] ^= 0x01
    path.write_bytes(data)


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


def test_a_forged_dataset_is_no_longer_the_approved_one(dataset):
    forge(dataset, (pl.col("tokens") + 1).alias("tokens"))
    assert check_dataset(dataset).problems == []
    assert "approval.json: approves another dataset: manifest.json had digest" in first_problem(
        verify(dataset)
    )


def test_a_dataset_without_its_manifest_is_damaged_and_not_unknown(dataset):
    (dataset / "manifest.json").unlink()
    assert first_problem(verify(dataset)).startswith("manifest.json: ")


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
    assert (
        first_problem(verify(frozen, dataset))
        == f"{FILES[1]}: its bytes are not those that the manifest lists"
    )


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
