import json

import pytest
from shapes import calls, read, said

from curation.turns.response_items import turns_of_items
from curation.turns.shape import Unfit

COLUMNS = {"messages": "input", "completion": "output", "system": "instructions"}


def called(number):
    return {"type": "function_call", "call_id": f"c{number}", "name": "f", "arguments": f'{{"n": {number}}}'}


def gave(number):
    return {"type": "function_call_output", "call_id": f"c{number}", "output": str(number)}


def output(text):
    return {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": text}]}


def test_a_response_is_read_with_its_calls_and_thoughts():
    record = {
        "instructions": "Be brief.",
        "input": "Add them.",
        "output": [
            {"type": "reasoning", "summary": [{"type": "summary_text", "text": "Ask twice."}]},
            called(1),
            called(2),
            gave(1),
            gave(2),
            output("3"),
        ],
    }
    row = read("messages", record, columns=COLUMNS)
    assert said(row) == [
        ("system", "Be brief."),
        ("user", "Add them."),
        ("assistant", "<think>\nAsk twice.\n</think>\n\n"),
        ("tool", "1"),
        ("tool", "2"),
        ("assistant", "3"),
    ]
    assert calls(row) == [("c1", "f", '{"n": 1}'), ("c2", "f", '{"n": 2}')]
    assert [message["tool_call_id"] for message in row.messages if message["role"] == "tool"] == ["c1", "c2"]


def test_items_may_be_the_conversation_itself():
    items = [{"role": "user", "content": "hi"}, output("I add."), called(1), gave(1), output("done")]
    row = read("messages", {"messages": items})
    assert [role for role, _ in said(row)] == ["user", "assistant", "tool", "assistant"]
    assert said(row)[1] == ("assistant", "I add.")
    assert calls(row) == [("c1", "f", '{"n": 1}')]


def test_what_is_no_text_and_no_function_is_refused():
    items = [{"role": "user", "content": "hi"}, {"type": "web_search_call", "id": "w"}]
    with pytest.raises(Unfit, match="an item of type web_search_call"):
        read("messages", {"messages": items})


def test_plain_turns_are_no_items():
    assert turns_of_items(json.dumps([{"role": "user", "content": "hi"}]).encode()) is None
    assert turns_of_items(b'[{"from": "human"}, 3]') is None
