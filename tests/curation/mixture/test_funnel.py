import json

import polars as pl

from curation.mixture.funnel import Drop, funnels, said, told
from curation.recipe.stages import READING, STAGES
from curation.row import LEDGER_SCHEMA

STAGE_PLAN = [("chat", "chat"), ("length", "length"), ("length-2", "length")]


def ledger(*lines):
    """Lines of (source, row, fate, stage, reason, detail)."""
    keys = ("source", "row", "fate", "stage", "reason", "detail")
    rows = [{**dict(zip(keys, line, strict=True)), "file": "a"} for line in lines]
    return pl.LazyFrame(rows, schema=LEDGER_SCHEMA)


def dropped(source, row, stage, reason, **detail):
    return (source, row, "dropped", stage, reason, json.dumps(detail) if detail else None)


LINES = ledger(
    dropped("one", 3, "length-2", "too_long"),
    dropped("one", 1, "chat", "bad_role", role="elf", index=1),
    dropped("two", 0, "chat", "bad_role", role="dwarf", index=0),
    dropped("two", 2, "chat", "bad_role", role="dwarf", index=4),
    dropped("one", 0, "read", "unreadable", error="no key", text="{broken"),
    ("one", 2, "train", None, None, None),
    ("two", 1, "unselected", "take", None, None),
    ("three", 0, "unselected", "mixture", None, None),
)


def test_every_row_of_a_group_is_left_left_out_or_dropped_for_a_reason_in_the_order_of_the_stages():
    found = funnels(LINES, {"one": "g", "two": "g", "three": "h"}, STAGE_PLAN)
    assert found["g"].drops == [
        Drop(
            stage="read",
            kind="read",
            reason="unreadable",
            rows=1,
            said="no key",
            place=("one", "a", 0),
            text="{broken",
        ),
        Drop(stage="chat", kind="chat", reason="bad_role", rows=3, said="dwarf", place=("one", "a", 1)),
        Drop(stage="length-2", kind="length", reason="too_long", rows=1, place=("one", "a", 3)),
    ]
    assert (found["g"].read, found["g"].left_out, found["g"].left) == (7, 1, 1)
    assert (found["h"].read, found["h"].left) == (1, 1)


def test_short_groups_are_told_in_full_and_first():
    found = funnels(LINES, {"one": "z", "two": "z", "three": "h"}, STAGE_PLAN)
    assert list(told(found, ["z"])) == [
        "z: 7 rows read, 1 left out by take, 1 left by the stages",
        "  read: unreadable 1 (14.3%): no key; 5 left",
        "    such as one:a:0  {broken",
        "  chat: bad_role 3 (42.9%): dwarf; 2 left",
        "    such as one:a:1",
        "  length-2: too_long 1 (14.3%); 1 left",
        "    such as one:a:3",
        "h: 1 rows read, 1 left by the stages",
    ]


def test_what_most_of_some_evidence_names():
    assert said([None, '{"role": "a"}', '{"role": "b", "error": "c"}', '{"role": "b"}']) == "b"
    assert said(['{"index": 3}', None]) == ""
    assert len(said([json.dumps({"error": "x" * 200})])) == 60


def test_remedies_are_for_reasons_that_there_are():
    for step in (READING, *STAGES.values()):
        assert set(step.remedies) <= set(step.reasons)
