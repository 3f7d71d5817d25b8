"""What a model said, taken apart and compared with what the row says."""

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from curation.calls.tool_schemas import compile_tools
from curation.rendering.template import built_in
from curation.row import frame, message
from curation.stages.tools import tools as tools_stage
from train.use.tool_calls import AnswerCall, Tools, parse_answer, same, score

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
@example([("bash", {"cmd": "</think>"}), ("bash", {"cmd": "ls"})], "I look.")
def test_what_a_template_writes_is_read_back(calls, said):
    if "<tool_call>" in said or "</think>" in said or "</tool_call>" in json.dumps(calls, ensure_ascii=False):
        return
    written = [{"id": None, "name": n, "arguments": json.dumps(a, ensure_ascii=False)} for n, a in calls]
    template = built_in("aj_r1")
    text = template.parts([message("assistant", said, tool_calls=written)], None)[1]
    answer = parse_answer(text.removeprefix("<｜Assistant｜>").removesuffix(template.end))  # noqa: RUF001
    assert answer.calls == [AnswerCall(name, arguments, None) for name, arguments in calls]
    assert answer.content == said.strip()


def test_values_are_compared_as_json():
    assert same({"a": [1, 2.0]}, {"a": [1.0, 2]})
    assert not same({"a": True}, {"a": 1})
    assert not same([1], [1, 1])


PLACE = {"type": "object", "required": ["city"], "properties": {"city": {"type": "string"}}}
BIN = {"type": "object", "required": ["shelf"], "properties": {"shelf": {"type": "integer"}}}
# It looks ahead and refers back, and a run of x can be cut in more ways than anyone waits for.
COSTLY = {"type": "object", "properties": {"tag": {"type": "string", "pattern": r"^(?=(x+)+$)(x|xx)+\1y$"}}}
OFFERED = {
    "plain": [{"name": "find", "parameters": PLACE}],
    "as OpenAI writes it": [{"type": "function", "function": {"name": "find", "parameters": PLACE}}],
    "as Anthropic writes it": [{"name": "find", "input_schema": PLACE}],
    "two of one name": [{"name": "find", "parameters": PLACE}, {"name": "find", "parameters": BIN}],
    "types of Python": [{"name": "find", "parameters": {**PLACE, "type": "dict"}}],
    "a table": [{"name": "find", "parameters": {"city": {"type": "str"}, "n": {"type": "int, optional"}}}],
    "no parameters": [{"name": "find", "parameters": None}],
    "nothing at all": [{"name": "find"}],
    "a costly pattern": [{"name": "find", "parameters": COSTLY}],
    "no schema": [{"name": "find", "parameters": {"type": "object", "required": "city"}}],
    "an address": [{"name": "find", "parameters": {"$ref": "http://127.0.0.1:9/schema"}}],
    "a circle": [{"name": "find", "parameters": {"$ref": "#"}}],
    "no name": [{"parameters": PLACE}],
    "one tool and no list": {"name": "find", "parameters": PLACE},
    "a shell": [{"name": "bash", "parameters": {"type": "object"}}],
}
PASSED = (
    '{"city": "Ulm"}', '{"city": 3}', "{}", '{"shelf": 4}', '{"shelf": "four"}', '{"city": "Ulm", "n": "x"}',
    '{"city": "Ulm", "city": "Bonn"}', '{"arguments": {"city": "Ulm"}}', f'{{"n": {"9" * 30}}}',
    '{"tag": "' + "x" * 60 + '"}', '{"command": "ls | wc -l"}', '{"command": "for (("}',
)  # fmt: skip


@pytest.mark.parametrize("offered", OFFERED.values(), ids=OFFERED)
@pytest.mark.parametrize("name", ["find", "bash"])
@pytest.mark.parametrize("passed", PASSED)
def test_a_models_call_is_valid_where_the_tools_stage_would_keep_it_as_it_stands(offered, name, passed):
    text = json.dumps(offered)
    call = {"id": "call_1", "name": name, "arguments": passed}
    rows = frame([[message("user", "go"), message("assistant", None, tool_calls=[call])]], [text])
    split = tools_stage(rows, schema="any", repair=["types"])
    (made,) = parse_answer(f'<tool_call>\n{{"name": "{name}", "arguments": {passed}}}\n</tool_call>').calls
    assert made.problem is None
    problem = Tools(text).problem(made)
    assert (problem is None) == (split.kept.height == 1)
    if problem is not None and split.dropped["reason"][0] == "arguments_invalid":
        assert json.loads(split.dropped["detail"][0])["error"] in problem


@pytest.mark.parametrize(
    ("offered", "passed", "told"),
    [
        ("as Anthropic writes it", "{}", "'city' is a required property"),
        ("plain", '{"city": 3}', "3 is not of type 'string' (at $.city)"),
        ("plain", '{"city": "Ulm", "city": "Bonn"}', "the key 'city' is written twice"),
        ("an address", "{}", "unusable tools: find: $ref 'http://127.0.0.1:9/schema' leaves the schema"),
        ("a shell", '{"city": "Ulm"}', "no tool named find"),
    ],
)
def test_why_a_call_is_not_valid_is_said_in_the_stages_words(offered, passed, told):
    (made,) = parse_answer(f'<tool_call>{{"name": "find", "arguments": {passed}}}</tool_call>').calls
    assert told in Tools(json.dumps(OFFERED[offered])).problem(made)


def test_a_command_that_is_no_bash_is_judged_by_the_recipes_setting():
    (made,) = parse_answer('<tool_call>{"name": "bash", "arguments": {"command": "if"}}</tool_call>').calls
    offered = json.dumps(OFFERED["a shell"])
    assert Tools(offered).problem(made) == "no bash, at line 1, column 1: if"
    assert Tools(offered, "flag").problem(made) is None
    assert Tools(offered, "ignore").problem(made) is None


def test_tools_are_compiled_once_for_both_with_the_same_bounds():
    text = json.dumps(OFFERED["a costly pattern"])
    assert Tools(text).offered is compile_tools(text, repair=True)
    problem = Tools(text).problem(AnswerCall("find", {"tag": "x" * 60}, None))
    assert problem.startswith("Error executing regex: Max limit for backtracking count exceeded")


@pytest.mark.parametrize("tools", [None, "[]"])
def test_where_nothing_is_offered_no_call_is_valid(tools):
    assert Tools(tools).problem(AnswerCall("find", {}, None)) == "no tool named find"


def test_arguments_go_back_to_the_model_as_it_spelt_them():
    text = (
        '<tool_call>{"name": "f", "arguments": {"n": 123456789012345678901234567890, "x": 1.50}}</tool_call>'
    )
    (made,) = parse_answer(text).calls
    assert made.written == '{"n":123456789012345678901234567890,"x":1.50}'
    assert parse_answer(text).as_message(0)["tool_calls"][0]["arguments"] == made.written


def test_half_a_character_is_no_json():
    (made,) = parse_answer('<tool_call>{"name": "f", "arguments": {"x": "\\ud800"}}</tool_call>').calls
    assert made.problem.startswith("no JSON")


def test_an_answer_becomes_a_message_that_renders_again():
    one = parse_answer(f"Sure.\n{RIGHT}").as_message(3)
    assert one["tool_calls"] == [{"id": "call00003", "name": "bash", "arguments": '{"command":"ls"}'}]
    assert one["content"] == "Sure."
