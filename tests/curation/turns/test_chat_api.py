import pytest
from hypothesis import given
from hypothesis import strategies as st
from shapes import CALLED, HELLO, TALK, calls, read, said

from curation.row import decode, encode
from curation.turns.shape import Unfit, Unsupported


@pytest.mark.parametrize(
    "turn",
    [
        {
            "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"x": 1}'}}
            ]
        },
        {"tool_calls": [{"id": "c1", "name": "f", "arguments": {"x": 1}}]},
        {"tool_calls": [{"id": "c1", "function": {"name": "f", "arguments": {"x": 1}}}]},
        {"tool_calls": [{"id": "c1", "name": "f", "parameters": {"x": 1}}]},
    ],
    ids=["openai", "flat", "nested object", "parameters"],
)
def test_tool_calls_of_every_spelling(turn):
    record = {"messages": [HELLO[0], {"role": "assistant", "content": None, **turn}]}
    assert calls(read("messages", record)) == [("c1", "f", '{"x": 1}')]


def test_legacy_function_calls_and_results():
    turns = [
        HELLO[0],
        {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": "{}"}},
        {"role": "function", "name": "f", "content": "42"},
    ]
    row = read("messages", {"messages": turns, "functions": [{"name": "f"}]})
    assert calls(row) == [(None, "f", "{}")]
    assert (row.messages[2]["role"], row.messages[2]["name"], row.tools) == ("tool", "f", '[{"name":"f"}]')


def test_tool_results_carry_their_call():
    turns = [*HELLO, {"role": "tool", "content": "ok", "tool_call_id": "c1"}]
    turns += [{"role": "tool", "content": "ok", "tool_call_ids": ["c2"]}]
    assert [m["tool_call_id"] for m in read("messages", {"messages": turns}).messages] == [
        None,
        None,
        "c1",
        "c2",
    ]


def test_a_tool_result_that_is_an_object_keeps_its_text():
    data = b'{"messages": [{"role": "user", "content": "x"}, {"role": "tool", "content": {"a": 1.50}}]}'
    assert said(read("messages", data))[1] == ("tool", '{"a": 1.50}')


ARGUMENTS = [
    '{"x": 1.50}',
    '{"x":12345678901234567890123}',
    '{ "b":1, "a" : [ 1e400 ] }',
    '{"x": "\\u00e9\\/"}',
    "[]",
]


@pytest.mark.parametrize("arguments", ARGUMENTS)
def test_object_arguments_keep_their_bytes(arguments):
    call = f'{{"name": "f", "arguments": {arguments}}}'
    flat = f'{{"messages": [{{"role": "assistant", "tool_calls": [{call}]}}]}}'
    assert calls(read("messages", flat.encode())) == [(None, "f", arguments)]


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_string_arguments_and_contents_stay_as_they_are(text):
    call = {"id": "1", "function": {"name": "f", "arguments": text}}
    record = {"messages": [{"role": "assistant", "content": text, "tool_calls": [call]}]}
    row = read("messages", record)
    assert decode(encode(row.messages)) == row.messages
    assert (row.messages[0]["content"], calls(row)[0][2]) == (text, text)


def test_parts_of_text_are_joined_and_other_parts_are_refused():
    parts = [{"type": "text", "text": "a"}, "b"]
    assert said(read("messages", {"messages": [{"role": "user", "content": parts}]})) == [("user", "a\nb")]
    image = [{"type": "text", "text": "what is this?"}, {"type": "image_url", "image_url": {"url": "x"}}]
    with pytest.raises(Unfit, match="part of type image_url is no text"):
        read("messages", {"messages": [{"role": "user", "content": image}]})


def test_reasoning_beside_the_content_becomes_thinking_inside_it():
    row = read("messages", {"messages": [{"role": "assistant", "content": "4", "reasoning_content": "2+2"}]})
    assert said(row) == [("assistant", "<think>\n2+2\n</think>\n\n4")]
    assert row.notes == [{"stage": "read", "repair": "reasoning_content"}]


@pytest.mark.parametrize("tools", [[{"name": "f"}], '[{"name": "f"}]', {"name": "f"}, '[ {"name":"f"} ]'])
def test_tools_are_a_json_array(tools):
    assert read("messages", {"messages": HELLO, "tools": tools}).tools == '[{"name":"f"}]'


@pytest.mark.parametrize("tools", [None, [], "", "[]", {}])
def test_no_tools_are_none(tools):
    assert read("messages", {"messages": HELLO, "tools": tools}).tools is None


def test_tools_that_are_no_json_are_left_for_the_tools_stage():
    assert read("messages", {"messages": HELLO, "tools": "[{'name': 'f'}]"}).tools == "[{'name': 'f'}]"


def test_a_call_that_is_written_in_the_old_place_too_is_one_call():
    turn = {"role": "assistant", "function_call": {"name": "f", "arguments": "{}"}, **CALLED}
    assert calls(read("messages", {"messages": [*TALK, turn]})) == [("1", "f", "{}")]


def test_a_tool_result_may_be_a_list_of_any_json():
    turns = [*TALK, {"role": "tool", "content": [{"a": 1.50}, 2]}, {"role": "tool", "content": ["a", "b"]}]
    assert [content for _, content in said(read("messages", {"messages": turns}))[1:]] == [
        '[{"a": 1.5}, 2]',
        "a\nb",
    ]


@pytest.mark.parametrize("key", ["reasoning_content", "reasoning", "thinking", "thought"])
def test_a_thought_is_one_under_each_of_its_names(key):
    row = read("messages", {"messages": [{"role": "assistant", "content": "4", key: "2 and 2"}]})
    assert said(row) == [("assistant", "<think>\n2 and 2\n</think>\n\n4")]
    assert row.notes == [{"stage": "read", "repair": "reasoning_content"}]


@pytest.mark.parametrize(
    "beside", [{"thinking": "on"}, {"reasoning": True}, {"thought": None}, {"thinking": ""}]
)
def test_a_mode_is_no_thought(beside):
    row = read("messages", {"messages": [{"role": "assistant", "content": "4", **beside}]})
    assert (said(row), row.notes) == ([("assistant", "4")], [])


def test_a_thought_is_written_once():
    for beside in ({"reasoning": "2 and 2", "reasoning_content": "2 and 2"}, {"thinking": "2 and 2"}):
        for content in ("<think>\n2 and 2\n</think>\n\n4", "4"):
            row = read("messages", {"messages": [{"role": "assistant", "content": content, **beside}]})
            assert said(row) == [("assistant", "<think>\n2 and 2\n</think>\n\n4")]


@pytest.mark.parametrize(
    "turn",
    [
        {"role": "assistant", "content": "4", "thinking": "2 and 2", "reasoning": "3 and 1"},
        {"role": "user", "content": "?", "thinking": "2 and 2"},
        {"role": "assistant", "content": "4", "thinking": ["2 and 2"]},
        {"role": "assistant", "content": [{"type": "redacted_thinking", "data": "xyz"}]},
    ],
)
def test_thoughts_that_have_no_place_are_no_row(turn):
    with pytest.raises(Unsupported):
        read("messages", {"messages": [turn]})


@pytest.mark.parametrize(
    "part",
    [
        {"type": "thinking", "thinking": "2 and 2", "signature": "x"},
        {"type": "thinking", "thinking": [{"type": "text", "text": "2 and 2"}]},
        {"type": "reasoning", "text": "2 and 2"},
    ],
)
def test_a_part_of_thinking_is_the_thought_of_its_turn(part):
    turn = {"role": "assistant", "content": [part, {"type": "text", "text": "4"}]}
    assert said(read("messages", {"messages": [turn]})) == [("assistant", "<think>\n2 and 2\n</think>\n\n4")]


def test_tools_of_a_turn_are_those_of_the_row():
    system = {"role": "system", "content": "be brief", "tools": [{"name": "f"}]}
    assert read("messages", {"messages": [system, *HELLO]}).tools == '[{"name":"f"}]'
    assert (
        read("messages", {"messages": [system, *HELLO], "tools": [{"name": "f"}]}).tools == '[{"name":"f"}]'
    )
    with pytest.raises(Unsupported, match="tools change"):
        read("messages", {"messages": [system, *HELLO, {**system, "tools": [{"name": "g"}]}]})
