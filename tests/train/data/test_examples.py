"""Rows as examples: every one has a token that the loss falls on, or nothing is trained."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest
import yaml
from frozen_dataset import TRAIN
from hypothesis import given
from hypothesis import strategies as st
from small_recipe import no_documents, write_jsonl
from tiny_model import tiny_model

import aj
from curation.dataset.gate_sql import SHARD_COLUMNS
from curation.errors import Refusal
from curation.jobs.curate import curate
from curation.release.approval import approve
from curation.release.freeze import freeze
from curation.row import message
from train.data.encoding import Example
from train.data.examples import load_examples
from train.data.packing import IGNORED, PackedRun, best_fit

CAPACITY = 40
# A letter a token; x is trained.
MASK = st.text(".x", min_size=1, max_size=CAPACITY - 1)
TRAINED = MASK.map(lambda mask: f"{mask}x")


def test_rows_that_nobody_answers_are_refused_with_their_ids_before_and_when_training(tmp_path, capsys):
    asked = [[message("user", f"Does anybody answer {number}?")] for number in range(5)]
    answered = [message("user", "Who answers?"), message("assistant", "I do.")]
    write_jsonl(tmp_path / "rows.jsonl", [{"messages": row} for row in [answered, *asked]])
    recipe: dict[str, Any] = {
        "name": "bare",
        "version": "1.0.0",
        "seed": 17,
        "base_model": {"id": "example/tiny", "code": "Tiny"},
        "sources": {"rows": {"uri": "rows.jsonl", "reader": "messages", "group": "all"}},
        "mixture": {"shares": {"all": 1.0}, "max_repeat": 1},
        "split": {"eval": 0},
        "stages": ["normalise"],
        "gates": [],
        "train": TRAIN,
    }
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    data = curate(tmp_path / "recipe.yaml", documents=no_documents, out=tmp_path / "data", workers=1).dataset
    approve(data, "Test Person")
    frozen = freeze(data, tmp_path / "frozen.yaml")
    base = tiny_model(tmp_path / "base")
    given = ["train", str(frozen), "--data", str(data), "--base-model", str(base), "--out", f"{tmp_path}/out"]
    rows = pl.read_parquet(sorted((data / "train").glob("*.parquet")))
    bare = rows.filter(pl.col("messages").list.len() == 1)["id"].to_list()
    told = (
        f"aj train: {frozen}: rows of the train split have no token for the loss to fall on: "
        f"{', '.join(bare[:3])} and 2 more; curate again with `chat` among the stages, which drops a "
        f"conversation that nobody answers\n"
    )
    for more in (["--dry-run"], []):
        capsys.readouterr()
        assert aj.main([*given, *more]) == 1
        assert capsys.readouterr().err.endswith(told)
    assert not (tmp_path / "out").exists()


class Masks:
    """Stands for an encoder: the masks of a row's examples are what its user said."""

    def examples(self, rows: list) -> list[list[Example]]:
        masks = [turns[0]["content"].split() for turns, _ in rows]
        return [
            [Example(np.zeros(len(m), np.int32), np.array([c == "x" for c in m])) for m in row]
            for row in masks
        ]


def admitted(split: str, masks: list[str]) -> Any:
    """Rows with such masks as a split that was approved."""
    columns = {name: dtype for name, dtype in SHARD_COLUMNS.items() if name != "text"}
    rows = [(mask, "web", "all", [message("user", mask)], None, 1, None) for mask in masks]
    part = pl.DataFrame(rows, schema=columns, orient="row")
    shards = {split: [SimpleNamespace(rows=len(masks))]}
    return SimpleNamespace(
        frozen=SimpleNamespace(shards=shards), path=Path("frozen.yaml"), parts=lambda _: [part]
    )


@pytest.mark.parametrize("split", ["train", "eval"])
@pytest.mark.parametrize("mask", ["...", "x..", "x", "..x x..", ""])
def test_a_row_with_an_example_that_nothing_is_learnt_from_is_refused(split, mask):
    with pytest.raises(
        Refusal, match=rf"rows of the {split} split have no token .*: {mask.replace('.', '[.]')};"
    ):
        load_examples(admitted(split, [".x", mask]), Masks(), split, CAPACITY)


@given(
    masks=st.one_of(st.lists(MASK, min_size=1, max_size=12), st.lists(TRAINED, min_size=1, max_size=12)),
    packing=st.booleans(),
)
def test_no_update_is_without_a_target_whatever_rows_are_let_in(masks, packing):
    try:
        sequences = load_examples(admitted("train", masks), Masks(), "train", CAPACITY).sequences
    except Refusal:
        assert any("x" not in mask[1:] for mask in masks)
        return
    assert all("x" in mask[1:] for mask in masks)
    lengths = sequences.lengths()
    packs = best_fit(lengths, CAPACITY) if packing else [[place] for place in range(len(lengths))]
    run = PackedRun(sequences, packs, 2 * len(packs), seed=1)
    for place in range(len(run)):
        assert any(label != IGNORED for label in run[place]["labels"])
        assert run.targets(place, place + 1) > 0
