import json

import msgspec
import pytest
from shapes import HELLO, read, said

from curation.turns.shape import Unfit


@pytest.mark.parametrize("key", ["messages", "conversation", "conversations", "traj", "history"])
def test_messages_are_found_under_their_usual_names(key):
    assert said(read("messages", {"id": 7, key: HELLO})) == [("user", "hi"), ("assistant", "hello")]


def test_messages_may_be_the_record_itself_or_a_json_string():
    assert said(read("messages", HELLO)) == said(read("messages", {"messages": json.dumps(HELLO)}))


def test_columns_name_other_keys():
    record = {"talk": HELLO, "functions_offered": [{"name": "f"}], "prompt": "be kind"}
    columns = {"messages": "talk", "tools": "functions_offered", "system": "prompt"}
    row = read("messages", record, columns=columns)
    assert said(row)[0] == ("system", "be kind")
    assert row.tools == '[{"name":"f"}]'


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({"text": "hi"}, r"keys found: text; expected one of: messages, conversation"),
        ({"mesages": HELLO}, r"did you mean columns: \{messages: mesages\}\?"),
        ({"messages": []}, "the conversation has no turns"),
        ({"messages": [{"content": "x"}]}, r"missing required field `role` - at `\$\[0\]`"),
        ({"messages": [{"role": "user", "content": 5}]}, r"got `int` - at `\$\[0\].content`"),
        ({"messages": [{"role": "assistant", "tool_calls": [{"id": "1"}]}]}, "a tool call has no name"),
        ([1, 2], "got `int`"),
    ],
)
def test_what_is_no_conversation_says_what_was_found(record, message):
    with pytest.raises((Unfit, msgspec.ValidationError), match=message):
        read("messages", record)


def test_sharegpt_turns_under_the_wrong_reader_name_the_right_one():
    with pytest.raises(Unfit, match="are read by `reader: sharegpt`"):
        read("messages", {"conversations": [{"from": "human", "value": "x"}]})


def test_tools_stand_under_the_first_key_that_holds_any():
    offered = [{"name": "f"}]
    for record in (
        {"functions": offered},
        {"tools": None, "functions": offered},
        {"tools": [], "function": offered},
    ):
        assert read("messages", {"messages": HELLO, **record}).tools == '[{"name":"f"}]'
    assert read("messages", {"messages": HELLO, "function": "planner"}).tools is None
    assert read("messages", {"messages": HELLO, "tools": "broken"}).tools == "broken"
