"""What a model said, taken apart and compared with what the row says."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.rendering.template import built_in
from curation.row import message
from train.use.tool_calls import Call, Tools, parse_answer, same, score

TOOLS = json.dumps(
    [
        {
            "type": "function",
            "function": {
                "name": "bash",
                "parameters": {
                    "type": "object",
                    "properties": {"command": {"type": "string"}},
                    "required": ["command"],
                    "additionalProperties": False,
                },
            },
        }
    ]
)
RIGHT = '<tool_call>\n{"name": "bash", "arguments": {"command": "ls"}}\n</tool_call>'
EXPECTED = [{"name": "bash", "arguments": '{"command":"ls"}'}]


def scored(text: str, expected=EXPECTED):
    return tuple(score(parse_answer(text), expected, Tools(TOOLS)))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (RIGHT, (True, True, True, True)),
        (f"<think>\nhm\n</think>\n\nSure.\n{RIGHT}", (True, True, True, True)),
        (RIGHT.replace('"ls"', '"ls -l"'), (True, True, True, False)),
        (RIGHT.replace('"bash"', '"sh"'), (True, False, False, False)),
        (RIGHT.replace('"command"', '"cmd"'), (True, False, True, False)),
        (f"{RIGHT}\n{RIGHT}", (True, True, False, False)),
        (RIGHT.replace("</tool_call>", ""), (False, False, False, False)),
        ("I would call bash.", (False, False, False, False)),
        (f"<think>{RIGHT}</think>No.", (False, False, False, False)),
    ],
)
def test_each_claim_is_about_the_whole_turn(text, expected):
    assert scored(text) == expected


@pytest.mark.parametrize(
    ("block", "problem"),
    [
        ('{"name": "bash", "arguments": {}', "never closed"),
        ("{oops}</tool_call>", "no JSON"),
        ('{"arguments": {}}</tool_call>', "no name"),
        ('{"name": "bash", "arguments": "ls"}</tool_call>', "no JSON object"),
        ('{"name": "bash", "arguments": {"x": NaN}}</tool_call>', "NaN"),
        ("[" * 100_000 + "</tool_call>", "no JSON"),
    ],
)
def test_a_call_that_is_none_says_why(block, problem):
    (call,) = parse_answer(f"<tool_call>{block}").calls
    assert problem in call.problem
    assert call.name is None


ARGUMENTS = st.dictionaries(
    st.text(max_size=5),
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=9),
    max_size=3,
)


@given(
    st.lists(st.tuples(st.sampled_from(["bash", "read_file"]), ARGUMENTS), min_size=1, max_size=3), st.text()
)
def test_what_a_template_writes_is_read_back(calls, said):
    if "<tool_call>" in said or "</think>" in said or "</tool_call>" in json.dumps(calls, ensure_ascii=False):
        return
    written = [{"id": None, "name": n, "arguments": json.dumps(a, ensure_ascii=False)} for n, a in calls]
    template = built_in("aj_r1")
    text = template.parts([message("assistant", said, tool_calls=written)], None)[1]
    answer = parse_answer(text.removeprefix("<｜Assistant｜>").removesuffix(template.end))  # noqa: RUF001
    assert answer.calls == [Call(name, arguments, None) for name, arguments in calls]
    assert answer.content == said.strip()


def test_values_are_compared_as_json():
    assert same({"a": [1, 2.0]}, {"a": [1.0, 2]})
    assert not same({"a": True}, {"a": 1})
    assert not same([1], [1, 1])


def test_a_schema_that_points_elsewhere_is_not_followed():
    tools = json.dumps([{"name": "x", "parameters": {"$ref": "http://127.0.0.1:9/schema"}}])
    assert Tools(tools).problem(Call("x", {}, None)) is None


def test_an_answer_becomes_a_message_that_renders_again():
    one = parse_answer(f"Sure.\n{RIGHT}").as_message(3)
    assert one["tool_calls"] == [{"id": "call00003", "name": "bash", "arguments": '{"command":"ls"}'}]
    assert one["content"] == "Sure."
