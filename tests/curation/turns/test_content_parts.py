"""Contents in parts, as Anthropic and Gemini write them: texts, calls, results and thoughts."""

import json

import pytest
from shapes import calls, read, said

from curation.readers.messages.quick import canonical_rows
from curation.row import frame
from curation.stages.chat import chat
from curation.stages.tools import tools as check_tools
from curation.turns.shape import Unfit

ASKED = {"role": "user", "content": "Look at both."}


def use(number):
    return {"type": "tool_use", "id": f"t{number}", "name": "look", "input": {"n": number}}


def result(number, content, **more):
    return {"type": "tool_result", "tool_use_id": f"t{number}", "content": content, **more}


def passes(row):
    """Whether the stages keep a row with its calls."""
    kept, dropped = chat(frame([row.messages], [row.tools]))
    return not dropped.height and not check_tools(kept, schema="any").dropped.height


def test_anthropics_blocks_are_calls_and_results_by_their_ids():
    turns = [
        ASKED,
        {"role": "assistant", "content": [{"type": "text", "text": "Yes."}, use(1), use(2)]},
        {
            "role": "user",
            "content": [
                result(2, [{"type": "text", "text": "two"}]),
                result(1, "none", is_error=True),
                {"type": "text", "text": "Go on."},
            ],
        },
        {
            "role": "assistant",
            "content": [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "So."}],
        },
    ]
    row = read("messages", {"system": [{"type": "text", "text": "Be kind."}], "messages": turns})
    assert said(row) == [
        ("system", "Be kind."),
        ("user", "Look at both."),
        ("assistant", "Yes."),
        ("tool", "two"),
        ("tool", "none"),
        ("user", "Go on."),
        ("assistant", "<think>\nhm\n</think>\n\nSo."),
    ]
    assert calls(row) == [("t1", "look", '{"n": 1}'), ("t2", "look", '{"n": 2}')]
    assert [m["tool_call_id"] for m in row.messages[3:5]] == ["t2", "t1"]
    assert row.notes == [
        {"stage": "read", "flag": "failed_call", "id": "t1"},
        {"stage": "read", "repair": "reasoning_content"},
    ]
    assert passes(row)


def test_geminis_parts_are_calls_and_results_and_its_declarations_tools():
    record = {
        "systemInstruction": {"parts": [{"text": "Be kind."}]},
        "tools": [{"functionDeclarations": [{"name": "look", "parameters": {"type": "OBJECT"}}]}],
        "contents": [
            {"role": "user", "parts": [{"text": "Look at both."}]},
            {
                "role": "model",
                "parts": [
                    {"text": "hm", "thought": True},
                    {"functionCall": {"name": "look", "args": {"n": 1.0}}},
                    {"function_call": {"name": "look", "args": {"n": 2}}},
                ],
            },
            {
                "role": "function",
                "parts": [
                    {"functionResponse": {"name": "look", "response": {"t": 1.0}}},
                    {"function_response": {"name": "look", "response": "two"}},
                ],
            },
            {"role": "model", "parts": [{"text": "Both"}, {"text": "are well."}]},
        ],
    }
    row = read("messages", record)
    assert said(row) == [
        ("system", "Be kind."),
        ("user", "Look at both."),
        ("assistant", "<think>\nhm\n</think>\n\n"),
        ("tool", '{"t": 1.0}'),
        ("tool", "two"),
        ("assistant", "Both\nare well."),
    ]
    assert calls(row) == [(None, "look", '{"n": 1.0}'), (None, "look", '{"n": 2}')]
    assert json.loads(row.tools) == [{"name": "look", "parameters": {"type": "OBJECT"}}]
    assert passes(row)


@pytest.mark.parametrize(
    "part",
    [
        {"type": "image", "source": {}},
        {"inlineData": {"mimeType": "image/png", "data": "aa"}},
        {"type": "redacted_thinking", "data": "x"},
        use(1),
        5,
    ],
)
def test_a_part_that_is_none_of_these_is_refused_with_its_kind(part):
    with pytest.raises(Unfit, match=r"part|encrypted"):
        read("messages", {"messages": [{"role": "user", "content": [part]}]})


@pytest.mark.parametrize("parts", [[{"text": "hi"}], []])
def test_the_quick_way_leaves_a_turn_in_parts_to_the_reader(parts):
    line = json.dumps({"messages": [{"role": "user", "content": "x", "parts": parts}]}).encode()
    assert canonical_rows([line], "messages").messages[0] is None


@pytest.mark.parametrize(
    ("caller", "answerer"),
    [("tool_call", "tool_response"), ("function-call", "function-response"), ("tool_use", "tool_result")],
)
@pytest.mark.parametrize("reader", ["messages", "sharegpt"])
def test_turns_that_are_calls_by_their_role_are_parallel_calls_of_the_results_after_them(
    reader, caller, answerer
):
    talk = [
        ("user", "Look at both."),
        (caller, '<think>\nhm\n</think>\n\n{"name": "look", "arguments": {"n": 1}}'),
        (caller, '{"name": "look", "arguments": {"n": 2}}'),
        (answerer, "one"),
        (answerer, "two"),
        ("assistant", "Both are well."),
    ]
    keys = ("role", "content") if reader == "messages" else ("from", "value")
    column = "messages" if reader == "messages" else "conversations"
    row = read(reader, {column: [dict(zip(keys, turn, strict=True)) for turn in talk]})
    kept, _ = check_tools(chat(frame([row.messages], [row.tools])).kept, schema="any")
    _, calling, one, two, _ = json.loads(kept["messages"][0])
    assert calling["content"] == "<think>\nhm\n</think>"
    assert [json.loads(call["arguments"]) for call in calling["tool_calls"]] == [{"n": 1}, {"n": 2}]
    assert [call["id"] for call in calling["tool_calls"]] == [one["tool_call_id"], two["tool_call_id"]]
