import pytest
from shapes import HELLO, calls, read, said

from curation.turns.shape import Unfit


def test_a_trajectory_of_typed_steps():
    record = {
        "task": "Fix it",
        "context": {"error_message": "boom", "files": [{"path": "a.py", "content": "x"}]},
        "trajectory": [
            {"step_type": "thought", "content": "look"},
            {"step_type": "action", "tool": "read", "tool_input": {"n": 1}},
            {"step_type": "observation", "content": "x"},
            {"step_type": "final_answer", "content": "done"},
        ],
    }
    row = read("trajectory", record)
    assert said(row) == [
        ("user", "Fix it\n\nerror message: boom\n\na.py:\n```\nx\n```"),
        ("assistant", "look"),
        ("tool", "x"),
        ("assistant", "done"),
    ]
    assert calls(row) == [("call_1", "read", '{"n": 1}')]
    assert row.messages[2]["tool_call_id"] == "call_1"


INTERCODE = {"query": "count", "turn_history": {"actions": ["ls\n", "wc"], "observations": ["a", 3]}}


def test_a_trajectory_in_columns_as_calls_of_bash():
    row = read("trajectory", INTERCODE)
    assert calls(row) == [("call_0", "bash", '{"command":"ls"}'), ("call_2", "bash", '{"command":"wc"}')]
    assert said(row)[-1] == ("assistant", None)
    assert row.notes == [{"stage": "read", "repair": "last_observation", "characters": 1}]


def test_a_trajectory_as_text():
    expected = [("user", "count"), ("assistant", "ls\n"), ("user", "a"), ("assistant", "wc")]
    assert said(read("trajectory", INTERCODE, action="text")) == expected


def test_a_trajectory_opens_with_what_its_history_told():
    record = {
        "history": [{"role": "system", "content": "s"}, *HELLO],
        "trajectory": [{"action": "ls", "observation": "a", "thought": "look\n", "response": "…"}],
    }
    assert said(read("trajectory", record)) == [
        ("system", "s"),
        ("user", "hi"),
        ("assistant", "look"),
    ]


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({"query": "x"}, "expected one of: trajectory, turn_history, steps"),
        ({"trajectory": [{"action": "ls"}]}, "expected one of: query, task"),
        ({"query": "x", "trajectory": []}, "has no steps"),
        (
            {"query": "x", "turn_history": {"actions": ["a"], "observations": []}},
            "1 actions but 0 observations",
        ),
        ({"query": "x", "trajectory": [{"step_type": "nap"}]}, "unknown step_type 'nap'"),
    ],
)
def test_a_trajectory_says_what_it_lacks(record, message):
    with pytest.raises(Unfit, match=message):
        read("trajectory", record)
