"""Hermes' and Qwen's way to write tool calls into the text, read as calls, results and tools."""

import json
import time

import orjson
import polars as pl
import pytest
from system_turns import HERMES, OFFERS, OTHER, WEATHER

from curation.calls.given_tools import given_tools
from curation.calls.text_calls import text_calls
from curation.row import MESSAGE_KEYS, decode, frame, read_notes
from curation.stages.chat import chat
from curation.stages.tools import tools as check_tools

CALL = '<tool_call>\n{"name": "weather", "arguments": {"city": "Oslo",  "days": 1.0}}\n</tool_call>'
PYTHON_CALL = "<tool_call>\n{'arguments': {'city': 'Oslo', 'now': True}, 'name': 'weather'}\n</tool_call>\n"


def said(*turns):
    return [dict.fromkeys(MESSAGE_KEYS) | {"role": role, "content": content} for role, content in turns]


def read(*turns, tools=None):
    """(role, content, [(name, arguments)]) of each message, or None where nothing was read."""
    found = text_calls(said(*turns), tools)
    return found and [
        (m["role"], m["content"], [(c["name"], c["arguments"]) for c in m["tool_calls"] or ()])
        for m in found.messages
    ]


def test_a_call_keeps_the_spelling_of_its_arguments_and_the_words_before_it():
    assert read(("user", "q"), ("assistant", f"<think>\nhm\n</think>\n\nLet me see.\n{CALL}"))[1] == (
        "assistant",
        "<think>\nhm\n</think>\n\nLet me see.",
        [("weather", '{"city": "Oslo",  "days": 1.0}')],
    )


def test_calls_of_one_turn_stay_in_order_and_python_is_read_as_json():
    assert read(("user", "q"), ("assistant", f"{PYTHON_CALL}{CALL}"))[1][2] == [
        ("weather", '{"city": "Oslo", "now": true}'),
        ("weather", '{"city": "Oslo",  "days": 1.0}'),
    ]


def test_arguments_that_are_no_json_are_left_for_the_tools_stage_to_judge():
    broken = '<tool_call>{"name": "weather", "arguments": {"city": Oslo}}</tool_call>'
    assert read(("user", "q"), ("assistant", broken))[1][2] == [("weather", '{"city": Oslo}')]


@pytest.mark.parametrize("role", ["tool", "user"])
def test_results_become_a_message_each_whoever_is_said_to_speak(role):
    results = (
        '<tool_response>\n{"name": "weather", "content": {"t": 1.0}}\n</tool_response>\n'
        "<tool_response>\n11 % and plenty\n</tool_response>"
    )
    found = text_calls(said(("user", "q"), ("assistant", CALL + CALL), (role, results)), None)
    assert [(m["role"], m["name"], m["content"]) for m in found.messages[2:]] == [
        ("tool", "weather", '{"t": 1.0}'),
        ("tool", None, "11 % and plenty"),
    ]


def test_a_result_keeps_the_id_that_it_names():
    text = '<tool_response>{"tool_call_id": "c7", "name": "weather", "content": "cold"}</tool_response>'
    result = text_calls(said(("user", "q"), ("assistant", CALL), ("tool", text)), None).messages[2]
    assert (result["tool_call_id"], result["content"]) == ("c7", "cold")


@pytest.mark.parametrize(
    "turn",
    [
        f"{CALL}\nThere you are.",
        "<tool_call>\n{oops",
        "<tool_call>say(hello)</tool_call>",
        "<tool_call></tool_call>",
        f"<think>\n{CALL}\n</think>\n\nno call",
        f"{CALL} and {CALL}",
    ],
)
def test_what_is_not_beyond_doubt_stays_text(turn):
    assert read(("user", "q"), ("assistant", turn)) is None


def test_what_a_user_spells_is_no_call_and_no_result():
    assert read(("user", CALL), ("assistant", "a")) is None
    assert read(("user", "<tool_response>x</tool_response>"), ("assistant", "a")) is None


def test_a_hermes_row_passes_the_stages_with_its_calls_checked():
    turns = said(
        ("system", HERMES.format(tools=str([WEATHER]))),
        ("user", "How is Oslo?"),
        ("assistant", "<tool_call>\n{'arguments': {'city': 'Oslo'}, 'name': 'weather'}\n</tool_call>\n"),
        ("tool", '<tool_response>\n{"name": "weather", "content": "cold"}\n</tool_response>\n'),
        ("assistant", "Cold."),
    )
    kept, dropped = chat(frame([turns]))
    assert not dropped.height
    assert read_notes(kept["notes"][0]) == [{"stage": "chat", "repair": "calls_in_text", "count": 3}]
    kept, dropped = check_tools(kept, schema="any")
    assert not dropped.height
    messages = decode(kept["messages"][0])
    assert messages[2]["tool_calls"] == [{"id": "call_0", "name": "weather", "arguments": '{"city": "Oslo"}'}]
    assert messages[3]["tool_call_id"] == "call_0"


def test_a_row_that_only_lists_tools_is_read_too():
    turns = said(("system", f"<tools>[{json.dumps(OTHER)}]</tools>"), ("user", "q"), ("assistant", "a"))
    kept, _ = chat(frame([turns]))
    assert orjson.loads(kept["tools"][0]) == [OTHER]
    assert [m["role"] for m in decode(kept["messages"][0])] == ["user", "assistant"]


def test_without_repair_and_where_a_turn_cannot_be_read_the_row_is_dropped():
    turns = said(("user", "q"), ("assistant", CALL), ("tool", "r"), ("assistant", "<tool_call>oops"))
    assert chat(frame([turns]), repair=False).dropped["reason"][0] == "control_token"
    assert orjson.loads(chat(frame([turns])).dropped["detail"][0])["where"] == "messages[3].content"


@pytest.mark.parametrize(
    ("system", "tools"),
    [
        (f"A {OFFERS % 'f'} B {OFFERS % 'g'}", None),
        (f"A {OFFERS % 'f'}", '[{"name":"g"}]'),
    ],
)
def test_a_list_of_tools_that_would_be_lost_stays(system, tools):
    turns = said(("system", system), ("user", "q"), ("assistant", "a"))
    kept, _ = chat(frame([turns], [tools]))
    assert decode(kept["messages"][0]) == turns
    assert chat(kept).kept.equals(kept)


def test_a_second_system_turn_keeps_the_tools_that_the_first_does_not_list():
    turns = said(("system", OFFERS % "f"), ("system", OFFERS % "g"), ("user", "q"), ("assistant", "a"))
    kept, _ = chat(frame([turns], [None]))
    assert OFFERS % "g" in decode(kept["messages"][0])[0]["content"]
    assert chat(kept).kept.equals(kept)


@pytest.mark.parametrize(
    "call",
    [
        '{"name":"f","arguments":{},"why":"because"}',
        '{"name":"f","arguments":{"a":1},"parameters":{"a":2}}',
        '{"name":"g","name":"f","arguments":{}}',
        '[{"name":"f","arguments":{"a":1},"arguments":{}}]',
    ],
)
def test_a_call_of_which_something_would_be_lost_stays_text(call):
    turns = said(("user", "q"), ("assistant", f"<tool_call>{call}</tool_call>"))
    assert text_calls(turns, None) is None


@pytest.mark.parametrize("before", ["<think>\nPerhaps ", "```\n"])
def test_what_is_thought_or_shown_as_code_without_an_end_is_no_call(before):
    turns = said(("user", "q"), ("assistant", before + '<tool_call>{"name":"f","arguments":{}}</tool_call>'))
    assert text_calls(turns, None) is None


def test_a_result_with_a_key_twice_stays_whole():
    result = '{"content":"a","content":"b"}'
    turns = said(
        ("user", "q"),
        ("assistant", '<tool_call>{"name":"f","arguments":{}}</tool_call>'),
        ("tool", f"<tool_response>{result}</tool_response>"),
    )
    read = text_calls(turns, None)
    assert read is not None
    assert read.messages[-1]["content"] == result


@pytest.mark.parametrize("system", ["a" * 150_000 + "<tool_call>", "<tool_call>{" * 15_000])
def test_a_long_system_turn_takes_no_long_time(system):
    started = time.monotonic()
    text_calls(said(("system", system)), '[{"name":"f"}]')
    assert time.monotonic() - started < 2


@pytest.mark.parametrize(
    "turns",
    [
        [("user", "q"), ("assistant", "[f(),"), ("assistant", "f()]")],
        [("system", OFFERS[:20]), ("system", OFFERS[20:]), ("user", "q"), ("assistant", "[f()]")],
    ],
)
def test_calls_that_only_merged_turns_spell_are_read_at_once(turns):
    kept, _ = chat(frame([said(*turns)], ['[{"name":"f"}]']))
    assert chat(kept).kept.equals(kept)


OFFERED = json.dumps([WEATHER])


@pytest.mark.parametrize(
    ("result", "content"),
    [
        ("Observation: cold", "cold"),
        ('FUNCTION RESPONSE: {"t": 1.0}', '{"t": 1.0}'),
        ("[TOOL_RESULTS] cold [/TOOL_RESULTS]", "cold"),
        ("<function_results>\ncold\n</function_results>", "cold"),
    ],
)
def test_a_user_turn_that_is_a_result_by_its_words_is_one_after_a_call_only(result, content):
    asked = ("assistant", "Action: weather\nAction Input: {}")
    found = read(("user", "q"), asked, ("user", result), ("assistant", "a"), tools=OFFERED)
    assert found[2] == ("tool", content, [])
    assert read(("user", "q"), ("assistant", "Yes?"), ("user", result), tools=OFFERED) is None


def test_what_the_recipe_gives_a_source_is_offered_to_its_rows():
    turns = said(("user", "q"), ("assistant", '{"name": "weather", "arguments": {"city": "Oslo"}}'))
    rows = frame([turns], source="a")
    given = given_tools(OFFERED, {"b": "any"})
    kept, _ = chat(rows, given=given)
    assert decode(kept["messages"][0])[1]["tool_calls"][0]["name"] == "weather"
    # `any` is what form is checked against; it offers no tool by name.
    kept, _ = chat(rows.with_columns(source=pl.lit("b")), given=given)
    assert decode(kept["messages"][0]) == turns


def test_what_looks_like_a_call_is_flagged_once_and_counted():
    unread = said(("user", "q"), ("assistant", '<function=clock>{"zone": "UTC"}</function>'))
    calling = said(("user", "q"), ("assistant", CALL))
    rows = frame([unread, calling, said(("user", "q"), ("assistant", "a"))])
    split = chat(rows)
    assert split.counts == {"rows": 2, "unread": 1}
    flag = {
        "stage": "chat",
        "flag": "call_like_text",
        "message": 1,
        "spelling": "function",
        "near": '<function=clock>{"zone": "UTC"}</function>',
    }
    assert [read_notes(notes) for notes in split.kept["notes"][:1]] == [[flag]]
    assert chat(split.kept).kept.equals(split.kept)
