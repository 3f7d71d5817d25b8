import json

import orjson
import pytest
from system_turns import HERMES, OFFERS, OTHER, QWEN, WEATHER

from curation.calls.listed_tools import without_tools


@pytest.mark.parametrize(
    "listed",
    [
        json.dumps([WEATHER, OTHER]),
        json.dumps([WEATHER, OTHER], indent=2),
        str([WEATHER, OTHER]),
        f"{json.dumps(WEATHER)}\n{json.dumps(OTHER)}",
        f"{WEATHER}\n{OTHER}",
    ],
)
@pytest.mark.parametrize(("prompt", "left"), [(HERMES, "make assumptions."), (QWEN, "You are kind.")])
def test_tools_of_the_system_turn_become_the_rows_tools(prompt, left, listed):
    text, tools = without_tools(prompt.format(tools=listed), None)
    assert text.endswith(left)
    assert orjson.loads(tools) == [WEATHER, OTHER]


def test_what_else_the_system_turn_says_stays():
    prompt = (
        f"Be brief.\n<tools>\n{json.dumps(WEATHER)}\n</tools>\nNever guess. Each function call should be "
        "enclosed within <tool_call> </tool_call> XML tags.\nExample:\n<tool_call>\n{'name': <name>}\n"
        "</tool_call>\nBe kind."
    )
    assert without_tools(prompt, None)[0] == "Be brief.\n\nNever guess. \nBe kind."


def test_tools_that_the_row_has_stand():
    row = json.dumps([OTHER, WEATHER["function"]])
    text, tools = without_tools(QWEN.format(tools=json.dumps(WEATHER)), row)
    assert (text, tools) == ("You are kind.", row)


@pytest.mark.parametrize(
    "prompt", ["Say <tools></tools>.", "<tools>hammer</tools>", "<tools>[1]</tools>", "Write <tool_call> so."]
)
def test_a_system_turn_without_a_list_stays(prompt):
    assert without_tools(prompt, None) == (prompt, None)


def test_what_else_stands_under_the_heading_of_tools_stays():
    system = f"# Tools\nNever delete without asking.\n{OFFERS % 'f'}"
    assert without_tools(system, None)[0] == "# Tools\nNever delete without asking."
