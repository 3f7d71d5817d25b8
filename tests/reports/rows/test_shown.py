import orjson

from curation.row import encode, message, note
from reports.rows.shown import shown


def test_long_rows_are_cut_and_say_so():
    messages = [{"role": "user", "content": "a" * 5000}] * 20
    sample = dict.fromkeys(("id", "stage", "reason", "detail", "notes", "tools"))
    sample |= {"source": "s", "group": "g", "file": "f", "row": 1, "piece": 0, "fate": "train"}
    keys = dict.fromkeys(("name", "tool_calls", "tool_call_id"))
    sample["messages"] = orjson.dumps([{**m, **keys} for m in messages]).decode()
    row = shown(sample)
    assert len(row.turns) == 8
    assert row.turns[-2].skipped == 12
    assert row.turns[0].more == 3800


def test_a_turn_without_loss_says_why_also_behind_what_is_left_out():
    said = [message("user", "a"), message("assistant", "b") | {"weight": 0}] * 10
    sample = dict.fromkeys(("id", "stage", "reason", "detail", "tools"))
    sample |= {"source": "s", "group": "g", "file": "f", "row": 1, "piece": 0, "fate": "train"}
    notes = note('{"repair":"ids","stage":"tools"}', no_loss=[[1, "copy"], [19, "marked"]])
    row = shown({**sample, "messages": encode(said), "notes": notes})
    assert [turn.no_loss for turn in row.turns] == [None, "copy", None, "", None, "", None, "marked"]
    assert row.notes == ["tools: ids"]
