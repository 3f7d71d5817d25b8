"""The table of spellings: each is read as the call that it is, and nothing else is."""

import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.calls.call_like import call_like
from curation.calls.given_tools import Offer
from curation.calls.spellings import SPELLINGS, calls_in
from curation.calls.text_calls import call_turn
from curation.calls.tool_schemas import compile_tools
from curation.turns.control_tokens import CONTROL_TOKENS
from curation.turns.shape import Unfit

PROPERTIES = {
    "city": {"type": "string"},
    "days": {"type": "integer"},
    "metric": {"type": ["boolean", "null"]},
    "places": {"anyOf": [{"type": "array"}, {"type": "null"}]},
    "limits": {"type": "object"},
}
TOOLS = json.dumps([{"name": "weather", "parameters": {"type": "object", "properties": PROPERTIES}}])
OFFERED, OTHERS = Offer(TOOLS), Offer('[{"name": "clock"}]')
CALL = '{"name": "weather", "arguments": {"city": "Oslo"}}'


def read(text, offer=OFFERED):
    """Words before the calls, and the calls as (name, arguments); None where none was read."""
    found = calls_in(text, offer)
    return found and (
        text[: found.start].strip(),
        [(call["name"], json.loads(call["arguments"])) for call in found.calls],
    )


@pytest.mark.parametrize("name", SPELLINGS)
def test_every_spelling_is_read_with_the_words_before_it(name):
    words, calls = read(f"Let me see.\n\n{SPELLINGS[name].example}")
    assert words.startswith("Let me see.")
    assert calls == [("weather", {"city": "Oslo"})]
    assert calls_in(SPELLINGS[name].example, OFFERED).spelling == name


@pytest.mark.parametrize("name", SPELLINGS)
def test_a_call_of_a_tool_that_is_not_offered_is_told_and_only_control_tokens_are_read(name):
    example = SPELLINGS[name].example
    if any(token in example for token in CONTROL_TOKENS):
        assert read(example, OTHERS) is not None
    else:
        assert read(example, OTHERS) is None
        assert call_like(example, OTHERS) is not None


@pytest.mark.parametrize("name", SPELLINGS)
def test_a_call_with_text_behind_it_stays_and_is_told(name):
    text = f"{SPELLINGS[name].example}\nIt will be cold, I fear."
    assert read(text) is None
    assert call_like(text, OFFERED) is not None


@pytest.mark.parametrize(
    "text",
    [
        "[weather(city='Oslo'), weather(city='Rome')]",
        "weather(city='Oslo')\nweather(city='Rome')",
        '{"name": "weather", "parameters": {"city": "Oslo"}};{"name": "weather", "args": {"city": "Rome"}}',
        "[{'tool': 'weather', 'tool_input': {'city': 'Oslo'}},"
        " {'action': 'weather', 'input': {'city': 'Rome'}}]",
        '{"tool_calls": [{"function": {"name": "weather", "arguments": "{\\"city\\": \\"Oslo\\"}"}},'
        ' {"id": "b", "type": "function", "function": {"name": "weather", "arguments": {"city": "Rome"}}}]}',
        f"```json\n{CALL}\n```\n\n```json\n{CALL.replace('Oslo', 'Rome')}\n```",
        "Action: weather\nAction Input: {'city': 'Oslo'}\nAction: weather\nAction Input: {'city': 'Rome'}",
        '[TOOL_CALLS]weather{"city": "Oslo"}[TOOL_CALLS]weather[ARGS]{"city": "Rome"}</s>',
        '<function=weather>{"city": "Oslo"}</function><function=weather>{"city": "Rome"}</function>',
    ],
)
def test_calls_of_one_turn_stay_in_order(text):
    assert read(text)[1] == [("weather", {"city": "Oslo"}), ("weather", {"city": "Rome"})]


@pytest.mark.parametrize(
    ("written", "key", "value"),
    [
        ("42", "city", "42"),
        (" 42", "days", 42),
        ("4.5", "days", "4.5"),
        ("True", "metric", True),
        ("None", "metric", None),
        ("['a', 'b']", "places", ["a", "b"]),
        ('{"a": 1.10}', "limits", {"a": 1.1}),
        ("maybe", "metric", "maybe"),
        ("7", "undeclared", "7"),
    ],
)
def test_a_text_between_tags_gets_the_type_that_the_tool_declares(written, key, value):
    text = f'<invoke name="weather"><parameter name="{key}">{written}</parameter></invoke>'
    assert read(text)[1] == [("weather", {key: value})]


def test_numbers_between_tags_and_in_json_keep_their_spelling():
    tags = '<tool_call>weather\n<arg_key>limits</arg_key>\n<arg_value>{"a": 1.10}</arg_value>\n</tool_call>'
    assert calls_in(tags, OFFERED).calls[0]["arguments"] == '{"limits": {"a": 1.10}}'
    line = '{"name": "weather", "arguments": {"limits":  {"a": 1e2}}}'
    assert calls_in(line, OFFERED).calls[0]["arguments"] == '{"limits":  {"a": 1e2}}'


@pytest.mark.parametrize(
    "text",
    [
        f"It is said that {CALL}",
        f"<think>\n{CALL}",
        f"```\n{CALL}",
        '{"name": "weather", "arguments": {"city": "Oslo"}, "why": "to know"}',
        '{"name": "weather", "name": "weather", "arguments": {}}',
        "weather('Oslo')",
        "weather(city=place)",
        "<function=weather><parameter=city>a</parameter><parameter=city>b</parameter></function>",
    ],
)
def test_what_is_not_beyond_doubt_or_would_lose_something_stays_text(text):
    assert read(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "The weather in Oslo is cold.",
        "The weather (in Oslo) is cold: {cold}",
        '```json\n{"name": "app", "version": 3, "parameters": {"lr": 0.1}}\n```',
        '{"name": "weather_app", "parameters": {"type": "object", "properties": {}}}',
        "```python\nprint(sum(x for x in range(10)))\n```",
        "[1, 2, 3]",
        "[link](https://weather.example)",
        "Action: go home. Then act.",
        ">>> weather",
        "Call weather if you like.",
    ],
)
@pytest.mark.parametrize("offer", [OFFERED, OTHERS, Offer(None)])
def test_an_ordinary_answer_is_neither_read_nor_told(text, offer):
    assert read(text, offer) is None
    assert call_like(text, offer) is None


def test_what_a_recipe_gives_is_offered_like_what_the_row_lists():
    given_to_it = compile_tools(TOOLS, repair=False)
    assert read(CALL, Offer(None, given_to_it)) == ("", [("weather", {"city": "Oslo"})])
    assert read(CALL, Offer('[{"name": "clock"}]', given_to_it)) is None


def test_arguments_that_are_wrong_are_read_for_the_tools_stage_to_judge():
    assert calls_in('{"name": "weather", "arguments": {"city": Oslo}}', OFFERED).calls == [
        {"id": None, "name": "weather", "arguments": '{"city": Oslo}'}
    ]
    assert calls_in("Action: weather\nAction Input: Oslo", OFFERED).calls[0]["arguments"] == "Oslo"


def test_a_turn_that_is_a_call_by_its_role_may_think_first_and_call_any_tool():
    assert call_turn(f"<think>\nhm\n</think>\n\n{CALL}") == (
        "<think>\nhm\n</think>",
        [{"id": None, "name": "weather", "arguments": '{"city": "Oslo"}'}],
    )
    assert call_turn(f"I need it: {CALL}")[0] == "I need it:"
    with pytest.raises(Unfit, match="holds more than a name and arguments"):
        call_turn('{"name": "weather", "arguments": {}, "why": 1}')


WRITERS = {
    "json": lambda a: json.dumps({"name": "weather", "arguments": a}),
    "python": lambda a: f"[weather({', '.join(f'{key}={value!r}' for key, value in a.items())})]",
    "react": lambda a: f"Action: weather\nAction Input: {json.dumps(a)}",
    "fence": lambda a: f"```json\n{json.dumps([{'name': 'weather', 'arguments': a}], indent=1)}\n```",
    "name_and_json": lambda a: f"weather\n{json.dumps(a, indent=2)}",
}
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.text("ab c{}", max_size=3), inner, max_size=2)
    ),
    max_leaves=4,
)


@settings(max_examples=60)
@given(st.sampled_from(sorted(WRITERS)), st.dictionaries(st.sampled_from(["city", "from", "x"]), VALUES))
def test_whatever_is_passed_is_read_back(name, passed):
    assert read(WRITERS[name](passed)) == ("", [("weather", passed)])


@pytest.mark.parametrize(
    "text",
    [
        "<tool_call>{" * 10_000,
        "Action: weather\nAction Input:" * 5_000,
        "weather\n" + "\n" * 50_000 + "{",
        "[{" * 20_000,
        "```json\n" * 10_000,
        "<function=weather>" + " " * 50_000,
        "\n{'a" * 10_000,
    ],
)
def test_a_text_that_only_begins_calls_takes_no_long_time(text):
    started = time.monotonic()
    calls_in(text, OFFERED)
    call_like(text, OFFERED)
    assert time.monotonic() - started < 2
