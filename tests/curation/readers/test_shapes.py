"""What holds for every source shape: no call is lost, and none is read where it has no place."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from shapes import CALLED, TALK, calls, found, read

from curation.sources.records import Refused

ARGUMENTS = st.dictionaries(st.text(max_size=5), st.integers() | st.text(max_size=5) | st.none(), max_size=3)
MADE = st.lists(st.tuples(st.sampled_from(["find", "math.add", "größe"]), ARGUMENTS), min_size=1, max_size=3)


def in_openai(made):
    entries = [
        {"id": f"c{n}", "type": "function", "function": {"name": name, "arguments": json.dumps(given)}}
        for n, (name, given) in enumerate(made)
    ]
    return "messages", {"messages": [*TALK, {"role": "assistant", "content": None, "tool_calls": entries}]}


def flat_as(key):
    def written(made):
        entries = [{"name": name, key: given} for name, given in made]
        return "messages", {"messages": [*TALK, {"role": "assistant", "tool_calls": entries}]}

    return written


def nested_as(key):
    def written(made):
        entries = [{"function": {"name": name, key: given}} for name, given in made]
        return "wildchat", {"conversation": [*TALK, {"role": "assistant", "tool_calls": entries}]}

    return written


def in_old_openai(made):
    turns = [{"role": "assistant", "function_call": {"name": n, "arguments": json.dumps(a)}} for n, a in made]
    return "messages", {"messages": [*TALK, *turns]}


def in_sharegpt(key):
    def written(made):
        said = json.dumps([{"name": name, key: given} for name, given in made])
        return "sharegpt", {
            "conversations": [{"from": "human", "value": "hi"}, {"from": "function_call", "value": said}]
        }

    return written


def in_steps(made):
    steps = [{"step_type": "action", "tool": name, "tool_input": given} for name, given in made]
    return "trajectory", {"task": "hi", "trajectory": steps}


@pytest.mark.parametrize(
    "written",
    [
        in_openai,
        in_old_openai,
        in_steps,
        *(form(key) for form in (flat_as, nested_as) for key in ("arguments", "parameters", "input", "args")),
        *(in_sharegpt(key) for key in ("arguments", "parameters")),
    ],
)
@given(made=MADE)
def test_no_call_and_no_argument_is_lost_in_any_shape(written, made):
    reader, record = written(made)
    found = [(name, json.loads(arguments)) for _, name, arguments in calls(read(reader, record))]
    assert found == made


@pytest.mark.parametrize(
    ("reader", "record", "settings"),
    [
        ("qa", {"question": "q", "answer": "a", **CALLED}, {}),
        ("alpaca", {"instruction": "q", "output": "a", **CALLED}, {}),
        ("adventure", {"text": "> look\nA road.", **CALLED}, {}),
        ("sharegpt", {"conversations": [{"from": "human", "value": "q"}, {"from": "gpt", **CALLED}]}, {}),
        (
            "map",
            {"turns": [{"who": "a", "content": "q"}, {"who": "b", "content": "a", **CALLED}]},
            {"map": {"turns": "turns", "role": "who", "roles": {"a": "user", "b": "assistant"}}},
        ),
    ],
)  # fmt: skip
def test_a_reader_that_has_no_place_for_calls_refuses_them(reader, record, settings):
    (made,) = found(reader, record, **settings)
    assert isinstance(made, Refused)
    assert made.key.endswith("tool_calls")
    for nothing in (None, []):
        emptied = json.loads(
            json.dumps(record).replace(json.dumps(CALLED["tool_calls"]), json.dumps(nothing))
        )
        (row,) = found(reader, emptied, **settings)
        assert row.messages
