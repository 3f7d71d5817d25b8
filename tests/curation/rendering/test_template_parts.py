# ruff: noqa: RUF001 - DeepSeek spells its role tokens with fullwidth bars.

import json

import pytest
from conversations import AGENT, MESSAGES, SCHEMA, TOOLS, TOOLS_TEXT
from hypothesis import given, settings

from curation.rendering.template import BUILT_IN, built_in, render_jinja
from curation.rendering.template_parts import HEAD_BYTES, RenderError
from curation.row import encode


def test_aj_r1_writes_deepseeks_roles_and_closes_every_call():
    text = built_in("aj_r1").render(AGENT, None)
    assert text == (
        "<｜begin▁of▁sentence｜>You keep house.<｜User｜>What runs?<｜Assistant｜>"
        '<tool_call>\n{"name": "bash", "arguments": {"command":"docker ps"}}\n</tool_call>\n'
        '<tool_call>\n{"name": "bash", "arguments": {"n": 1.0, "big": 123456789012345678901234567890}}\n'
        "</tool_call><｜end▁of▁sentence｜>"
        "<｜User｜><tool_response>\nweb\n</tool_response>\n<tool_response>\ndb\n</tool_response>"
        "<｜Assistant｜><think>\ntwo\n</think>\n\nweb and db<｜end▁of▁sentence｜>"
    )


def test_chatml_writes_results_as_one_user_turn_and_no_system_turn_of_its_own():
    assert built_in("chatml").render(AGENT[1:], None) == (
        "<|im_start|>user\nWhat runs?<|im_end|>\n<|im_start|>assistant\n"
        '<tool_call>\n{"name": "bash", "arguments": {"command":"docker ps"}}\n</tool_call>\n'
        '<tool_call>\n{"name": "bash", "arguments": {"n": 1.0, "big": 123456789012345678901234567890}}\n'
        "</tool_call><|im_end|>\n"
        "<|im_start|>user\n<tool_response>\nweb\n</tool_response>\n<tool_response>\ndb\n</tool_response>"
        "<|im_end|>\n<|im_start|>assistant\n<think>\ntwo\n</think>\n\nweb and db<|im_end|>\n"
    )


@pytest.mark.parametrize("name", BUILT_IN)
def test_tools_stand_after_the_system_text_one_a_line_unescaped(name):
    text = built_in(name).render(AGENT, TOOLS_TEXT)
    assert "You keep house.\n\n# Tools" in text
    assert f"<tools>\n{json.dumps(SCHEMA)}\n</tools>" in text
    assert text == built_in(name).render(AGENT, json.dumps([SCHEMA]))


@pytest.mark.parametrize("name", BUILT_IN)
@given(messages=MESSAGES, tools=TOOLS)
@settings(max_examples=150, deadline=None)
def test_plain_python_writes_what_jinja_renders(name, messages, tools):
    template = built_in(name)
    for add in (False, True):
        assert template.render(messages, tools, add_generation_prompt=add) == render_jinja(
            template, messages, tools, add_generation_prompt=add
        )


@pytest.mark.parametrize("name", BUILT_IN)
@given(messages=MESSAGES)
@settings(max_examples=150, deadline=None)
def test_json_bytes_bound_rendered_bytes_without_calls(name, messages):
    plain = [{**m, "tool_calls": None} for m in messages]
    rendered = built_in(name).render(plain, None)
    assert len(rendered.encode()) <= len(encode(plain).encode()) + HEAD_BYTES


@pytest.mark.parametrize("tools", ["{}", "nope", '"x"'])
def test_tools_that_are_no_json_array_are_a_render_error(tools):
    with pytest.raises(RenderError, match="tools: "):
        built_in("aj_r1").render(AGENT, tools)
