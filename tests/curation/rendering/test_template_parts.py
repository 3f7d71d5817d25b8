# ruff: noqa: RUF001 - DeepSeek spells its role tokens with fullwidth bars.

import json

import pytest
from conversations import AGENT, MESSAGES, SCHEMA, TOOLS, TOOLS_TEXT
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.rendering.template import BUILT_IN, Template, built_in, known_template, render_jinja, spans
from curation.rendering.template_parts import HEAD_BYTES, RenderError
from curation.row import encode, message

EDITIONS = {
    **{name: built_in(name) for name in BUILT_IN},
    **{f"{name} empty": built_in(name, "empty") for name in BUILT_IN},
    **{f"{name} first": built_in(name, first=True) for name in BUILT_IN},
}
# What an answer is made of, as rows have it.
PIECES = (
    "",
    "\n",
    "  ",
    "<think>",
    "</think>",
    "\n</think>\n\n",
    "<think>\nhm\n</think>\n\n",
    "said",
    "x < y\n",
)
ANSWERS = st.lists(st.sampled_from(PIECES), max_size=6).map("".join)


def test_aj_r1_writes_deepseeks_roles_and_closes_every_call():
    text = built_in("aj_r1").render(AGENT, None)
    assert text == (
        "<｜begin▁of▁sentence｜>You keep house.<｜User｜>What runs?<｜Assistant｜>"
        '<tool_call>\n{"name": "bash", "arguments": {"command": "docker ps"}}\n</tool_call>\n'
        '<tool_call>\n{"name": "bash", "arguments": {"n": 1, "big": 123456789012345678901234567890}}\n'
        "</tool_call><｜end▁of▁sentence｜>"
        "<｜User｜><tool_response>\nweb\n</tool_response>\n<tool_response>\ndb\n</tool_response>"
        "<｜Assistant｜><think>\ntwo\n</think>\n\nweb and db<｜end▁of▁sentence｜>"
    )


def test_chatml_writes_results_as_one_user_turn_and_no_system_turn_of_its_own():
    assert built_in("chatml").render(AGENT[1:], None) == (
        "<|im_start|>user\nWhat runs?<|im_end|>\n<|im_start|>assistant\n"
        '<tool_call>\n{"name": "bash", "arguments": {"command": "docker ps"}}\n</tool_call>\n'
        '<tool_call>\n{"name": "bash", "arguments": {"n": 1, "big": 123456789012345678901234567890}}\n'
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


@pytest.mark.parametrize("name", EDITIONS)
@given(messages=MESSAGES, tools=TOOLS, said=ANSWERS, thought=st.none() | ANSWERS)
@settings(max_examples=150, deadline=None)
def test_plain_python_writes_what_jinja_renders(name, messages, tools, said, thought):
    template = EDITIONS[name]
    messages = [*messages, {**message("assistant", said), "reasoning_content": thought}]
    for how in (
        {},
        {"add_generation_prompt": True},
        {"add_generation_prompt": True, "enable_thinking": False},
    ):
        assert template.render(messages, tools, **how) == render_jinja(template, messages, tools, **how)


@pytest.mark.parametrize("name", EDITIONS)
@given(messages=MESSAGES, said=ANSWERS)
@settings(max_examples=150, deadline=None)
def test_json_bytes_bound_rendered_bytes_without_calls(name, messages, said):
    plain = [{**m, "tool_calls": None} for m in [*messages, message("assistant", said)]]
    rendered = EDITIONS[name].render(plain, None)
    assert len(rendered.encode()) <= len(encode(plain).encode()) + HEAD_BYTES


@pytest.mark.parametrize("tools", ["{}", "nope", '"x"'])
def test_tools_that_are_no_json_array_are_a_render_error(tools):
    with pytest.raises(RenderError, match="tools: "):
        built_in("aj_r1").render(AGENT, tools)


def said(template: Template, **turn) -> str:
    """What an assistant turn says, its end token cut off."""
    text, ((start, end),) = spans(
        template, [message("user", "q"), {**message("assistant", None), **turn}], None
    )
    assert text[start:end].endswith(template.end)
    return text[start:end].removesuffix(template.end)


CALL = {"id": "a", "name": "bash", "arguments": '{"command":"ls"}'}
WRITTEN = '<tool_call>\n{"name": "bash", "arguments": {"command": "ls"}}\n</tool_call>'


@pytest.mark.parametrize("name", BUILT_IN)
@pytest.mark.parametrize(
    ("as_found", "taken_apart", "written"),
    [
        ("<think>two</think>web", ("two\n", "web"), "<think>\ntwo\n</think>\n\nweb"),
        ("<think>\ntwo\n</think>\n\nweb \n", ("two", "\n\nweb"), "<think>\ntwo\n</think>\n\nweb"),
        ("two\n</think>\n\nweb", ("two", "web"), "<think>\ntwo\n</think>\n\nweb"),
        ("  web", (None, "  web\n"), "  web"),
        ("I say <think> and </think>", ("", "I say <think> and </think>"), "I say <think> and </think>"),
        ("<think>a</think> b </think>", ("a", " b </think>"), "<think>\na\n</think>\n\n b </think>"),
    ],
)
def test_a_thought_reads_the_same_in_the_content_and_beside_it(name, as_found, taken_apart, written):
    template, (thought, words) = built_in(name), taken_apart
    assert said(template, content=as_found) == written
    assert said(template, content=words, reasoning_content=thought) == written
    for content in (as_found, as_found + "\n\n"):
        assert said(template, content=content, tool_calls=[CALL]) == f"{written}\n{WRITTEN}"


@pytest.mark.parametrize("name", BUILT_IN)
def test_a_call_after_a_thought_needs_no_line_of_its_own(name):
    template = built_in(name)
    thought = "<think>\nhm\n</think>\n\n"
    assert said(template, content="<think>hm</think>", tool_calls=[CALL]) == thought + WRITTEN
    assert said(template, content="\n", tool_calls=[CALL]) == WRITTEN


@pytest.mark.parametrize("name", BUILT_IN)
def test_an_empty_thought_is_given_and_a_thought_is_learnt(name):
    template, asked = built_in(name, "empty"), [message("user", "q")]
    for content, learnt in (
        ("web", "web"),
        ("\n\n  web\n", "  web"),
        ("<think>\n\n</think>\n\nweb", "web"),
        ("<think>two</think>web", "two\n</think>\n\nweb"),
    ):
        assert said(template, content=content) == learnt
        text = template.render([*asked, message("assistant", content)], None)
        prompt = template.render(asked, None, add_generation_prompt=True, enable_thinking="two" in learnt)
        assert text == prompt + learnt + template.end + template.tail
    assert template.opens == "<think>\n"


@pytest.mark.parametrize("name", EDITIONS)
def test_a_template_is_known_by_its_text(name):
    template = EDITIONS[name]
    assert known_template(template.source) == template
    assert known_template(template.source + "\n") is None
    assert len({one.digest for one in EDITIONS.values()}) == len(EDITIONS)


@pytest.mark.parametrize("name", BUILT_IN)
def test_the_first_edition_writes_what_a_row_spells(name):
    template = built_in(name, first=True)
    call = {"id": "a", "name": "f", "arguments": '{"n":1.0,"t":"\\u00e9"}'}
    assert said(template, content="<think>a</think>b\n", tool_calls=[call]) == (
        '<think>a</think>b\n\n<tool_call>\n{"name": "f", "arguments": {"n":1.0,"t":"\\u00e9"}}\n</tool_call>'
    )
