"""ToolACE's way to write tool calls, read as calls where nothing is in doubt."""

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.calls.python_calls import python_calls
from curation.row import MESSAGE_KEYS, decode, frame, read_notes
from curation.stages.chat import chat
from curation.stages.tools import tools as check_tools

NAMES = ["get_weather", "other", "Market Trends API", "maps.route"]
TOOLS = json.dumps([{"name": name, "parameters": {"type": "object"}} for name in NAMES])


def read(text):
    found = python_calls(text, sorted(NAMES, key=len, reverse=True))
    return found and [(call["name"], json.loads(call["arguments"])) for call in found]


@pytest.mark.parametrize(
    ("text", "calls"),
    [
        (
            '[get_weather(city="Paris", days=3), other()]',
            [("get_weather", {"city": "Paris", "days": 3}), ("other", {})],
        ),
        ("[Market Trends API(country='us')]\n", [("Market Trends API", {"country": "us"})]),
        ("[\n  maps.route(to=(1.5, -2)),\n  other()\n]", [("maps.route", {"to": [1.5, -2]}), ("other", {})]),
        ("[other(a=\")], other(\", b='it\\'s')]", [("other", {"a": ")], other(", "b": "it's"})]),
        ("[other(a={'b': [True, None]}, c='é')]", [("other", {"a": {"b": [True, None]}, "c": "é"})]),
    ],
)
def test_a_list_of_calls_to_offered_tools_is_read(text, calls):
    assert read(text) == calls


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "[1]",
        "See [other()]",
        "[other()] and more [other()]",
        "[unknown()]",
        "[other(), unknown()]",
        "[other(),]",
        "[other() other()]",
        "[other(1)]",
        "[other(*a)]",
        "[other(**{'a': 1})]",
        "[other(a=1, a=2)]",
        "[other(a=b)]",
        "[other(a=true)]",
        "[other(a=__import__('os'))]",
        "[other(a=1)(b=2)]",
        "[other(a={1: 2})]",
        "[other(a={1})]",
        "[other(a=b'x')]",
        "[other(a=1j)]",
        "[other(a=1e999)]",
        "[other(a='\\ud800')]",
        "[other(a='C:\\d')]",
        "[other(a='b]",
        "[other(a=1",
        f"[other(a={'[' * 5000}{']' * 5000})]",
        f"[other(a={'-' * 50_000}1)]",
    ],
)
def test_what_is_not_beyond_doubt_stays_text(text):
    assert read(text) is None


LITERALS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
CALLS = st.tuples(st.sampled_from(NAMES), st.dictionaries(st.sampled_from(["a", "b", "city"]), LITERALS))


@given(st.lists(CALLS, min_size=1, max_size=3))
def test_what_python_writes_is_read_back(calls):
    written = (f"{name}({', '.join(f'{k}={v!r}' for k, v in given.items())})" for name, given in calls)
    assert read(f"[{', '.join(written)}]") == calls


def test_numbers_keep_their_spelling():
    given = "a=1.10, b=3.14159265358979323846, c=-1e5, d=[123456789012345678901234567890], e={'f': 1e-999}"
    (call,) = python_calls(f"[other({given}, g=0x1F, h=1_0, i=.5, j=-0.0)]", NAMES)
    assert call["arguments"] == (
        '{"a": 1.10, "b": 3.14159265358979323846, "c": -1e5, "d": [123456789012345678901234567890], '
        '"e": {"f": 1e-999}, "g": 31, "h": 10, "i": 0.5, "j": -0.0}'
    )


@pytest.mark.parametrize(
    "arguments",
    [
        "a={'k': 1, 'k': 2}",
        "a=.14159265358979323846",
        "ﬁeld=1",
        'a="""x\r\ny"""',
        "a=1 # a note\n",
        "a=True + 1",
        "a=-True",
        "a={**{'b': 1}}",
    ],
)
def test_what_would_be_lost_or_another_in_json_stays_text(arguments):
    assert python_calls(f"[other({arguments})]", NAMES) is None


def test_a_text_that_never_ends_takes_no_long_time():
    started = time.monotonic()
    assert python_calls(f"""[other("{chr(92)}"{(chr(92) + '"') * 40_000})]""", NAMES) is None
    assert time.monotonic() - started < 2


@given(st.text("[]()other=,'\"\\ 1{}"))
def test_no_text_breaks_it(text):
    python_calls(text, NAMES)
    python_calls(f"[other({text})]", NAMES)


def said(*turns):
    return [dict.fromkeys(MESSAGE_KEYS) | {"role": role, "content": content} for role, content in turns]


ROW = said(
    ("user", "How is Paris?"),
    ("assistant", '<think>\nlook\n</think>\n\n[get_weather(city="Paris")]'),
    ("tool", "cold"),
    ("assistant", "Cold."),
)


def test_a_row_passes_the_stages_with_its_calls_checked():
    kept, dropped = chat(frame([ROW], [TOOLS]))
    assert not dropped.height
    assert read_notes(kept["notes"][0]) == [{"stage": "chat", "repair": "calls_in_text", "count": 1}]
    kept, dropped = check_tools(kept, schema="any")
    assert not dropped.height
    messages = decode(kept["messages"][0])
    assert messages[1]["content"] == "<think>\nlook\n</think>"
    assert messages[1]["tool_calls"] == [
        {"id": "call_0", "name": "get_weather", "arguments": '{"city": "Paris"}'}
    ]
    assert messages[2]["tool_call_id"] == "call_0"
    again, _ = chat(kept)
    assert again.equals(kept)


@pytest.mark.parametrize(("tools", "repair"), [(None, True), (TOOLS, False), ('[{"name": "x"}]', True)])
def test_without_the_tool_or_without_repair_the_text_stays(tools, repair):
    turns = said(("user", "q"), ("assistant", "[get_weather(city='Paris')]"))
    kept, _ = chat(frame([turns], [tools]), repair=repair)
    assert decode(kept["messages"][0]) == turns


def test_a_row_is_found_however_its_list_of_calls_is_laid_out():
    turns = said(("user", "q"), ("assistant", "[\n  other(),\n  other()\n]\n"))
    kept, _ = chat(frame([turns], [TOOLS]))
    assert len(decode(kept["messages"][0])[1]["tool_calls"]) == 2


def test_a_user_who_writes_calls_calls_nothing():
    turns = said(("user", "[other()]"), ("assistant", "What of it?"))
    kept, _ = chat(frame([turns], [TOOLS]))
    assert decode(kept["messages"][0]) == turns
