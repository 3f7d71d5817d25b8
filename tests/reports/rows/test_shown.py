import orjson

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
