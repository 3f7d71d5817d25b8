"""Rendering: the text of a row, the spans that training learns, and the templates that are refused."""

# ruff: noqa: RUF001 - DeepSeek spells its role tokens with fullwidth bars.

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from conversations import AGENT, MESSAGES, TOOLS, TOOLS_TEXT
from hypothesis import given, settings
from tiny_tokenizer import train_tokenizer
from transformers import PreTrainedTokenizerFast

from curation.errors import RecipeError, Refusal
from curation.rendering.template import (
    BUILT_IN,
    PrefixError,
    Template,
    built_in,
    load_template,
    normal,
    spans,
    template_digest,
)
from curation.row import message


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train_tokenizer(tmp_path_factory.mktemp("tokenizer"))


@pytest.mark.parametrize("name", BUILT_IN)
@given(messages=MESSAGES, tools=TOOLS)
@settings(max_examples=100, deadline=None)
def test_every_assistant_turn_lies_between_two_prefixes(name, messages, tools):
    template = built_in(name)
    text, found = spans(template, messages, tools)
    assert text == template.render(messages, tools)
    turns = [i for i, m in enumerate(messages) if m["role"] == "assistant"]
    assert len(found) == len(turns)
    for i, (start, end) in zip(turns, found, strict=True):
        before = template.render(messages[:i], tools, add_generation_prompt=True)
        after = template.render(messages[: i + 1], tools)
        assert text.startswith(before)
        assert text.startswith(after)
        assert (start, end) == (len(before), len(after) - len(template.tail))
        assert text[start:end].endswith(template.end)


@pytest.mark.parametrize("name", BUILT_IN)
def test_transformers_renders_the_same_text(name, folder):
    template = built_in(name)
    tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(folder / "tokenizer.json"))
    tokenizer.chat_template = template.source
    spelt = [normal(m, template) for m in AGENT]

    def openai(read: Callable[[str], Any]) -> list[dict[str, Any]]:
        calls = [[{**c, "arguments": read(c["arguments"])} for c in m["tool_calls"] or []] for m in spelt]
        return [
            {**m, "tool_calls": [{"id": c["id"], "type": "function", "function": c} for c in own]}
            for m, own in zip(AGENT, calls, strict=True)
        ]

    for messages in (spelt, openai(str), openai(json.loads), AGENT[1:2]):
        theirs = tokenizer.apply_chat_template(
            messages, tools=json.loads(TOOLS_TEXT), tokenize=False, add_generation_prompt=True
        )
        assert theirs == template.render(messages, TOOLS_TEXT, add_generation_prompt=True)


def test_spans_hold_calls_and_answers_and_nothing_else():
    text, found = spans(built_in("aj_r1"), AGENT, TOOLS_TEXT)
    first, second = (text[a:b] for a, b in found)
    assert first.startswith('<tool_call>\n{"name": "bash"')
    assert first.endswith("</tool_call><｜end▁of▁sentence｜>")
    assert second == "<think>\ntwo\n</think>\n\nweb and db<｜end▁of▁sentence｜>"


def test_a_path_renders_like_the_built_in_one(tmp_path):
    for name in BUILT_IN:
        path = tmp_path / f"{name}.jinja"
        path.write_text(built_in(name).source, encoding="utf-8")
        loaded = load_template(path.name, root=tmp_path)
        assert loaded.markup is None
        assert loaded.render(AGENT, TOOLS_TEXT) == built_in(name).render(AGENT, TOOLS_TEXT)
        assert spans(loaded, AGENT, TOOLS_TEXT) == spans(built_in(name), AGENT, TOOLS_TEXT)


def with_template(folder: Path, source: str) -> Path:
    config = {"chat_template": source, "eos_token": {"content": "<e>"}, "bos_token": "<b>"}
    (folder / "tokenizer_config.json").write_bytes(orjson.dumps(config))
    return folder


LOOP = (
    "{{ bos_token }}{% if tools %}{{ tools | tojson }}{% endif %}{% for m in messages %}[{{ m.role }}]"
    "{{ m.content }}{% if m.tool_calls %}{% for c in m.tool_calls %}{{ CALL }}{% endfor %}{% endif %}"
    "{{ eos_token }}{% endfor %}{% if add_generation_prompt %}[assistant]{% endif %}"
)


def test_the_tokenizers_own_template_gets_calls_in_the_shape_it_understands(tmp_path):
    source = LOOP.replace("CALL", "c.function.name }}{{ c.function.arguments | tojson")
    template = load_template("model", with_template(tmp_path, source))
    assert (template.calls, template.null_content, template.end, template.tail) == ("object", "", "<e>", "")
    assert '[assistant]bash{"command": "docker ps"}' in template.render(AGENT, TOOLS_TEXT)
    text, found = spans(template, AGENT, None)
    assert [text[a:b][-3:] for a, b in found] == ["<e>", "<e>"]


def test_arguments_that_are_no_json_stay_text(tmp_path):
    source = LOOP.replace("CALL", "c.function.name }}{{ c.function.arguments | tojson")
    template = load_template("model", with_template(tmp_path, source))
    broken = [message("assistant", "", tool_calls=[{"id": None, "name": "bash", "arguments": "{'a"}])]
    assert '''bash"{'a"''' in template.render(broken, None)


GOOD_CALL = LOOP.replace("CALL", "c.name }}{{ c.arguments")


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        (LOOP.replace("{{ CALL }}", ""), "drops tool calls"),
        (GOOD_CALL.replace("{{ tools | tojson }}", ""), "drops the tools"),
        (GOOD_CALL.replace("{{ eos_token }}", ""), "ends no assistant turn with a token"),
        (
            LOOP.replace("CALL", "c.function.arguments | string | tojson"),
            "writes the arguments of tool calls as a quoted text",
        ),
        (
            GOOD_CALL.replace("{{ m.content }}", "{{ m.content.split('</think>')[-1] }}"),
            "drops earlier thinking, so it cannot be masked",
        ),
        (
            GOOD_CALL.replace(
                "{{ m.content }}", "{{ m.content if loop.last else m.content.replace('<think>', '') }}"
            ),
            "cannot be masked (template model: the assistant turn at message 4: its text changes",
        ),
        (
            GOOD_CALL.replace("generation_prompt %}[assistant]", "generation_prompt %}[assistant]<think>"),
            "cannot be masked (template model: the assistant turn at message 2: the text before it changes",
        ),
        (GOOD_CALL + "{{ strftime_now('%d') }}", "today's date"),
        ("{{ raise_exception('only the moon') }}", "cannot render a conversation with tool calls"),
        ("{{ messages.__class__.__mro__ }}", "cannot render a conversation with tool calls"),
    ],
)
def test_a_template_that_loses_something_is_refused_with_the_reason(tmp_path, source, reason):
    with pytest.raises(Refusal) as refused:
        load_template("model", with_template(tmp_path, source))
    assert reason in str(refused.value)
    assert str(refused.value).endswith("; use aj_r1 or chatml")


def test_chatml_is_refused_where_its_tokens_are_only_text(corpus):
    with pytest.raises(RecipeError, match=r"chatml needs <\|im_start\|>, <\|im_end\|> as single .*use aj_r1"):
        load_template("chatml", corpus / "tokenizer_r1_distill")
    assert load_template("aj_r1", corpus / "tokenizer_r1_distill").name == "aj_r1"


@pytest.mark.parametrize(
    ("name", "error", "says"),
    [
        ("aj_r2", RecipeError, "'aj_r2' is none of aj_r1, chatml, model, and no file"),
        ("model", RecipeError, "no tokenizer is given"),
    ],
)
def test_an_unknown_template_is_one_line(name, error, says):
    with pytest.raises(error, match=says):
        load_template(name)


def test_a_tokenizer_without_a_template_is_refused(folder):
    with pytest.raises(Refusal, match="has no chat template; use aj_r1 or chatml"):
        load_template("model", folder)


def test_a_template_with_a_syntax_error_names_its_line(tmp_path):
    (tmp_path / "t.jinja").write_text("a\n{% if %}")
    with pytest.raises(RecipeError, match="template: line 2: "):
        load_template("t.jinja", root=tmp_path)


def test_a_template_that_forgets_the_past_has_no_spans():
    source = "{% for m in messages %}{{ loop.revindex }}{{ m.content }};{% endfor %}"
    template = Template(name="mine", source=source, end=";")
    with pytest.raises(PrefixError, match="template mine: the assistant turn at message 1: "):
        spans(template, [message("user", "a"), message("assistant", "b"), message("user", "c")], None)


def test_the_digest_tells_templates_apart():
    digests = {template_digest(built_in(name)) for name in BUILT_IN}
    digests.add(Template(name="aj_r1", source=built_in("aj_r1").source, end="", calls="object").digest)
    assert len(digests) == 3
