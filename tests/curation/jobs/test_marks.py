"""A whole run over marked rows: what carries no loss, from the file to the ledger and the shards."""

import orjson
import polars as pl
import pytest
from small_recipe import no_documents, write_jsonl

from curation.jobs.curate import curate
from curation.release.verify import verify

RECIPE = """\
name: marked
version: 1.0.0
seed: 3
base_model: {id: x/y, code: XY}
sources:
  one: {uri: one.jsonl, reader: messages, group: talk}
  two: {uri: two.jsonl, reader: sharegpt, group: talk}
mixture: {shares: {talk: 1.0}, total: max, max_repeat: 1}
split: {eval: 0.0}
stages: [normalise, chat, exact_duplicates, near_duplicates]
gates: []
"""


def row(text: str, *weights: int | None) -> dict:
    said = [
        {"role": role, "content": f"{role} speaks of {text}, part {place}", "weight": weight}
        for place, weight in enumerate(weights)
        for role in ("user", "assistant")
    ]
    return {"messages": [m if m["role"] == "assistant" else {**m, "weight": None} for m in said]}


def shared(made: dict, *trained: bool) -> dict:
    names = {"user": "human", "assistant": "gpt"}
    turns = [{"from": names[m["role"]], "value": m["content"]} for m in made["messages"]]
    for turn, is_trained in zip(turns[1::2], trained, strict=True):
        turn["train"] = is_trained
    return {"conversations": turns}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("marked")
    copied = row("copies", None, 0, None)
    write_jsonl(
        folder / "one.jsonl",
        [row("plain rows", None, None), copied, row("nothing", 0, 0), row("halves", 0.5), row("first", 0, 1)],
    )
    write_jsonl(folder / "two.jsonl", [shared(copied, False, True, True), shared(row("alone", 1), False)])
    (folder / "r.yaml").write_text(RECIPE, encoding="utf-8")
    return curate(folder / "r.yaml", documents=no_documents, out=folder / "out", workers=1)


def test_every_marked_row_has_its_fate_and_says_which_turns_carry_no_loss(made):
    ledger = pl.read_parquet(made.dataset / "ledger/*.parquet").sort("source", "row")
    told = [
        (source, fate, stage, reason, orjson.loads(detail or "{}").get("masked"))
        for source, fate, stage, reason, detail in ledger.select(
            "source", "fate", "stage", "reason", "detail"
        ).iter_rows()
    ]
    assert told == [
        ("one", "train", None, None, None),
        ("one", "train", None, None, [[1, "copy"], [3, "marked"]]),
        ("one", "dropped", "trainable", "nothing_to_train", [[1, "marked"], [3, "marked"]]),
        ("one", "dropped", "read", "invalid_mark", None),
        ("one", "train", None, None, [[1, "marked"]]),
        ("two", "dropped", "exact_duplicates", "exact_duplicate", [[1, "marked"]]),
        ("two", "dropped", "trainable", "nothing_to_train", [[1, "marked"]]),
    ]
    assert made.manifest.stages[-1].dropped == {"nothing_to_train": 2}


def test_the_shards_say_so_too_and_the_dataset_is_whole(made):
    shards = pl.read_parquet(made.dataset / "train/*.parquet")
    weights = [tuple(m["weight"] for m in messages) for messages in shards["messages"].to_list()]
    halves = (None, 0, None, None)
    assert sorted(weights, key=str) == sorted([(None,) * 4, (None, 0, None, 0, None, None), halves], key=str)
    assert verify(made.dataset).problems == []
