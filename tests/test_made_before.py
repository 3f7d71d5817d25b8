"""What an earlier version approved and froze stays valid (DESIGN.md §4, §5).

tests/made_before holds two small datasets, curated and approved at commit b56eff7, before a message had a
`weight` and a manifest told of keys: version 1.0.0, frozen, and 1.1.0, which repeats rows up to twice.
"""

import json
import shutil
from pathlib import Path

import polars as pl
import pytest
from tiny_model import tiny_model

import aj
from curation.rendering.template import built_in
from train.data.gatekeeper import admit, template_of

BEFORE = Path(__file__).parent / "made_before"
ROOT = "ad5d4094cd99daf54ab08ea6151708f99be1d9afa756d4f6adca54a7e35fc64e"


@pytest.fixture
def before(tmp_path) -> Path:
    return shutil.copytree(BEFORE, tmp_path / "before")


def frozen(before: Path) -> list[str]:
    return [str(before / "small-v1.0.0.frozen.yaml"), "--data", str(before / "small-v1.0.0")]


def test_dataset_and_frozen_recipe_verify(before):
    assert aj.main(["verify", str(before / "small-v1.1.0")]) == 0
    assert aj.main(["verify", *frozen(before)]) == 0


def test_its_approval_still_freezes_it(before, tmp_path):
    again = tmp_path / "again.yaml"
    assert aj.main(["freeze", str(before / "small-v1.0.0"), "--out", str(again)]) == 0
    assert f"root: {ROOT}" in again.read_text()


def test_a_changed_byte_is_still_noticed(before):
    shard = before / "small-v1.0.0/train/part-00000.parquet"
    data = bytearray(shard.read_bytes())
    data[200] ^= 1
    shard.write_bytes(data)
    assert aj.main(["verify", *frozen(before)]) == 1


def test_training_admits_it_and_trains_what_it_trained(before, tmp_path, capsys):
    base = tiny_model(tmp_path / "base")
    given = [*frozen(before), "--base-model", str(base), "--out", str(tmp_path / "out")]
    assert aj.main(["train", *given, "--dry-run", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    template = template_of(admit(before / "small-v1.0.0.frozen.yaml", before / "small-v1.0.0"))
    assert template == built_in("aj_r1", first=True)
    assert {name: source["rows"] for name, source in told["sources"].items()} == {"agent": 11, "garden": 11}
    assert aj.main(["train", *given, "--show", "1"]) == 0
    assert " trained ---" in capsys.readouterr().out


def test_report_diff_gate_and_why_take_it(before, tmp_path):
    old, new = str(before / "small-v1.0.0"), str(before / "small-v1.1.0")
    assert aj.main(["report", old, "--out", str(tmp_path / "report.html")]) == 0
    assert aj.main(["diff", old, new]) == 0
    assert aj.main(["gate", old]) == 0
    row = pl.read_parquet(before / "small-v1.0.0/train/part-00000.parquet")["id"][0]
    for about in (row, "garden:garden.jsonl:12"):
        assert aj.main(["why", old, about]) == 0
