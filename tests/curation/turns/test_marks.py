"""Marks of makers: what carries no loss, in the spellings of every client, by every reader of turns."""

import json
from pathlib import Path

import polars as pl
import pytest

from curation.readers.conversion import converted, converter
from curation.readers.reading import chunks, read
from curation.recipe.marks import MARKS
from curation.recipe.source import Mapping, Source
from curation.sources.records import Bad
from curation.turns.marks import Marked
from curation.turns.shape import Row

SHAPES = {
    "messages": ("messages", "role", "content", ("user", "assistant")),
    "wildchat": ("conversation", "role", "content", ("user", "assistant")),
    "sharegpt": ("conversations", "from", "value", ("human", "gpt")),
    "map": ("talk", "who", "said", ("me", "you")),
}
LAYOUT = Mapping(turns="talk", role="who", content="said", roles={"me": "user", "you": "assistant"})
WHOLE = [key for key, no_loss in MARKS.items() if no_loss is not None]


def source(reader: str) -> Source:
    return Source(uri="a.jsonl", reader=reader, group="g", map=LAYOUT if reader == "map" else None)


def record(reader: str, *marks: dict, **beside: object) -> dict:
    """A row of two exchanges whose turns have these marks, in a reader's shape."""
    turns, speaker, said, names = SHAPES[reader]
    return {
        turns: [
            {speaker: names[place % 2], said: f"turn {place}", **mark} for place, mark in enumerate(marks)
        ],
        **beside,
    }


def found(made: object, reader: str = "messages") -> Row | Bad:
    line = json.dumps(made).encode()
    (row,) = converted([[line]], converter(source(reader), Path("a.jsonl")), source(reader))
    return row


def weights(row: Row) -> list[int | None]:
    return [message.get("weight") for message in row.messages]


def test_every_mark_of_the_table_is_decoded_with_a_turn():
    assert Marked.__struct_fields__ == tuple(MARKS)


@pytest.mark.parametrize("reader", SHAPES)
@pytest.mark.parametrize("key", WHOLE)
def test_no_loss_masks_the_turn_and_loss_or_nothing_leaves_it(reader, key):
    for no_loss in (MARKS[key], bool(MARKS[key]), float(MARKS[key])):
        row = found(record(reader, {}, {key: no_loss}, {}, {key: not no_loss}), reader)
        assert weights(row) == [None, 0, None, None]
        assert row.notes == []
    assert weights(found(record(reader, {}, {key: None}), reader)) == [None, None]


@pytest.mark.parametrize("reader", SHAPES)
@pytest.mark.parametrize("value", [0.5, 2, -1, "no", "0", [], [0, 1], {"a": 1}])
def test_what_says_neither_yes_nor_no_drops_the_row_and_says_where(reader, value):
    row = found(record(reader, {}, {}, {}, {"loss_scale": value}), reader)
    assert isinstance(row, Bad)
    assert row.reason == "invalid_mark"
    assert row.detail == {"turn": 3, "key": "loss_scale", "value": json.dumps(value).replace(" ", "")} or (
        json.loads(row.detail["value"]) == value
    )
    assert row.error.startswith("turn 3: `loss_scale` is ")


@pytest.mark.parametrize("key", [key for key, no_loss in MARKS.items() if no_loss is None])
def test_what_marks_parts_of_a_turn_drops_the_row(key):
    assert (
        found(record("messages", {}, {key: [{"begin_offset": 0, "train": False}]})).reason == "invalid_mark"
    )
    assert weights(found(record("messages", {}, {key: None}))) == [None, None]


def test_of_two_marks_on_a_turn_either_masks_it():
    assert weights(found(record("messages", {}, {"train": True, "weight": 0}))) == [None, 0]


def test_loss_asked_for_on_a_turn_that_is_not_the_assistants_is_flagged():
    row = found(record("messages", {"train": True}, {}, {"weight": 1}, {}))
    assert row.notes == [{"stage": "read", "flag": "mark_elsewhere", "turns": [0, 2]}]
    silent = found(record("messages", {"train": False}, {}, {"weight": 0}, {}))
    assert (weights(silent), silent.notes) == ([None] * 4, [])


def test_parts_of_a_content_are_masked_together_or_not_at_all():
    def said(*marks: dict) -> Row | Bad:
        parts = [{"type": "text", "text": "so", **mark} for mark in marks]
        return found(record("messages", {}, {"content": parts}))

    assert weights(said({"train": False}, {"weight": 0})) == [None, 0]
    assert weights(said({"train": True}, {})) == [None, None]
    assert said({"train": False}, {}).reason == "invalid_mark"


@pytest.mark.parametrize("reader", ["messages", "wildchat", "sharegpt"])
def test_marks_of_a_row_are_those_of_all_its_turns(reader):
    assert weights(found(record(reader, {}, {}, weight=0), reader)) == [None, 0]
    assert weights(found(record(reader, {}, {}, weight=1.0), reader)) == [None, None]
    assert weights(found(record(reader, {}, {}, mask="Assistant"), reader)) == [None, 0]
    assert weights(found(record(reader, {}, {}, mask="User"), reader)) == [None, None]
    for wrong in ({"weight": 0.5}, {"mask": "0110"}, {"mask": [0, 1]}):
        assert found(record(reader, {}, {}, **wrong), reader).reason == "invalid_mark"


def test_a_turn_whose_role_the_chat_stage_names_keeps_its_mark():
    row = found(
        {"messages": [{"role": "user", "content": "a"}, {"role": " AI", "content": "b", "loss": False}]}
    )
    assert weights(row) == [None, 0]


def test_marks_are_read_from_columns_too(tmp_path):
    path = tmp_path / "a.parquet"
    made = record("messages", {"weight": 1}, {"weight": 0}, {"weight": 1}, {"weight": 1})
    pl.DataFrame([made]).write_parquet(path)
    (chunk,) = chunks(path, source("messages"))
    (frame,) = read(chunk, source("messages"), file="a.parquet")
    assert frame["messages"][0].count('"weight":0') == 1
    assert json.loads(frame["notes"][0].split("\n")[-1]) == {"no_loss": [[1, "marked"]]}


@pytest.mark.parametrize(
    ("masks", "expected"),
    [
        ((1, 0), [None, None]),
        ((0, 1), [None, None]),
        ((1, 0, 1, 1), [None, None, None, 0]),
        ((False, True, False, False), [None, None, None, 0]),
        ((True, None, None, False), [None] * 4),
    ],
)
def test_what_a_mask_means_is_told_by_the_turns_that_never_carry_loss(masks, expected):
    row = found(record("messages", *({"mask": mask} for mask in masks)))
    assert weights(row) == expected


@pytest.mark.parametrize("masks", [(0, 0), (1, 1), (None, 0), (None, 1, None, 0), (1, 2)])
def test_a_mask_that_nothing_explains_drops_the_row(masks):
    assert found(record("messages", *({"mask": mask} for mask in masks))).reason == "invalid_mark"
