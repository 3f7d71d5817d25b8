import pytest
from shapes import HELLO, calls, read, said

from curation.turns.shape import Unfit, Unsupported

ASKED, ANSWERED = {"from": "human", "value": "hi"}, {"from": "gpt", "value": "hello"}


def test_sharegpt_with_calls_observations_and_tools():
    record = {
        "system": "be brief",
        "conversations": [
            {"from": "human", "value": "weather?"},
            {"from": "function_call", "value": '{"name": "get", "arguments": {"city": "Ulm", "days": 1.0}}'},
            {"from": "observation", "value": '{"t": 3}'},
            {"from": "gpt", "value": "3 degrees"},
        ],
        "tools": '[{"name": "get"}]',
    }
    row = read("sharegpt", record)
    assert [m["role"] for m in row.messages] == ["system", "user", "assistant", "tool", "assistant"]
    assert calls(row) == [(None, "get", '{"city": "Ulm", "days": 1.0}')]
    assert row.tools == '[{"name":"get"}]'


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ('[{"name": "f", "arguments": {}}, {"name": "g", "arguments": "{}"}]', [("f", "{}"), ("g", "{}")]),
        ("""{"name": "f", "arguments": '{"x": 1}'}""", [("f", """'{"x": 1}'""")]),
        ("""{'name': 'f', 'arguments': {'x': 1}}""", [("f", "{'x': 1}")]),
    ],
)
def test_function_call_turns_that_are_not_quite_json_keep_their_arguments(value, expected):
    turns = [{"from": "human", "value": "x"}, {"from": "function_call", "value": value}]
    assert [
        (name, arguments) for _, name, arguments in calls(read("sharegpt", {"conversations": turns}))
    ] == expected


def test_a_function_call_without_a_name_is_refused():
    with pytest.raises(Unfit, match="names no function"):
        read("sharegpt", {"conversations": [{"from": "function_call", "value": "do it"}]})


def test_sharegpt_turns_with_role_and_content_are_read_too():
    assert said(read("sharegpt", {"conversations": HELLO})) == [("user", "hi"), ("assistant", "hello")]
    with pytest.raises(Unfit, match="expected turns of `from` and `value`"):
        read("sharegpt", {"conversations": [{"who": "x"}]})


@pytest.mark.parametrize("chosen", [ANSWERED, [ANSWERED], [ASKED, ANSWERED]])
def test_the_chosen_of_two_answers_may_follow_the_turns(chosen):
    record = {"conversations": [ASKED], "chosen": chosen, "rejected": {"from": "gpt", "value": "no"}}
    row = read("sharegpt", record, columns={"completion": "chosen"})
    assert said(row) == [("user", "hi"), ("assistant", "hello")]
    with pytest.raises(Unfit, match="expected one of: picked"):
        read("sharegpt", record, columns={"completion": "picked"})


def test_turns_before_the_chosen_answer_are_context():
    record = {"conversations": [ASKED, ANSWERED, ASKED], "chosen": ANSWERED}
    row = read("sharegpt", record, columns={"completion": "chosen"})
    assert [message.get("weight") for message in row.messages] == [None, 0, None, None]


def test_a_system_prompt_and_tools_stand_beside_turns_of_role_and_content_too():
    tools = [{"name": "f"}]
    row = read("sharegpt", {"system": "be brief", "conversations": HELLO, "available_tools": tools})
    assert said(row) == [("system", "be brief"), ("user", "hi"), ("assistant", "hello")]
    assert row.tools == '[{"name":"f"}]'


def test_of_two_system_prompts_that_differ_none_is_lost():
    own = [{"from": "system", "value": "be brief and kind"}, {"from": "human", "value": "hi"}]
    assert len(read("sharegpt", {"system": "be brief", "conversations": own}).messages) == 2
    with pytest.raises(Unsupported, match="another system prompt"):
        read("sharegpt", {"system": "speak like a pirate", "conversations": own})


@pytest.mark.parametrize("key", ["thinking", "reasoning", "reasoning_content"])
def test_a_turn_may_have_its_thought_beside_it(key):
    turns = [{"from": "human", "value": "?"}, {"from": "gpt", "value": "4", key: "2 and 2"}]
    row = read("sharegpt", {"conversations": turns})
    assert said(row)[1] == ("assistant", "<think>\n2 and 2\n</think>\n\n4")
    with pytest.raises(Unsupported):
        read("sharegpt", {"conversations": [{"from": "human", "value": "?", key: "2 and 2"}]})
