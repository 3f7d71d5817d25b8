import json

import msgspec
import pytest
from shapes import HELLO, TALK, read, said, source

from curation.errors import SourceError
from curation.readers.conversion import converter
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


ASKED, SAID = HELLO


@pytest.mark.parametrize(
    ("columns", "record"),
    [
        ({"messages": "prompt", "completion": "completion"}, {"prompt": [ASKED], "completion": [SAID]}),
        (
            {"messages": "prompt", "completion": "chosen"},
            {"prompt": [ASKED], "chosen": HELLO, "rejected": [SAID]},
        ),
        ({"messages": "chosen"}, {"chosen": HELLO, "rejected": TALK}),
        ({"messages": "prompt", "completion": "said"}, {"prompt": [ASKED], "said": "hello"}),
        (
            {"messages": "inputs.messages", "completion": "outputs.choices.0.message"},
            {"inputs": {"messages": [ASKED]}, "outputs": {"choices": [{"message": SAID}]}},
        ),
    ],
    ids=["prompt and completion", "preference", "chosen", "text", "traced calls"],
)
def test_what_follows_the_messages_may_stand_beside_them(columns, record):
    assert said(read("messages", record, columns=columns)) == [("user", "hi"), ("assistant", "hello")]


def test_of_what_is_followed_nothing_is_trained():
    """As TRL trains prompt and completion: on the completion."""
    prompt = [ASKED, SAID, {"role": "user", "content": "and?"}, {**SAID, "weight": 1}]
    for completion in ([SAID], [*prompt, SAID]):
        record = {"prompt": prompt, "completion": completion}
        row = read("messages", record, columns={"messages": "prompt", "completion": "completion"})
        assert [message.get("weight") for message in row.messages] == [None, 0, None, None, None]


def test_what_follows_the_messages_must_be_there():
    with pytest.raises(Unfit, match=r"keys found: messages, done; expected one of: completion"):
        read("messages", {"messages": TALK, "done": 1}, columns={"completion": "completion"})


def test_a_batch_is_answered_in_another_file(tmp_path):
    """OpenAI's batches: requests in one file, responses in another, by `custom_id`."""
    answers = [{"custom_id": "a", "response": {"body": {"choices": [{"message": SAID}]}}}]
    (tmp_path / "out.jsonl").write_text("".join(json.dumps(one) + "\n" for one in answers))
    columns = {"messages": "body.messages", "completion": "response.body.choices.0.message"}
    convert = converter(source("messages", columns=columns, answers="out.jsonl"), tmp_path / "in.jsonl")
    asked = json.dumps({"custom_id": "a", "body": {"messages": TALK}}).encode()
    assert said(convert(asked)) == [("user", "hi"), ("assistant", "hello")]
    with pytest.raises(Unfit, match="no record with custom_id b"):
        convert(asked.replace(b'"a"', b'"b"'))
    with pytest.raises(SourceError, match="completion"):
        converter(source("messages", answers="out.jsonl"), tmp_path / "in.jsonl")
