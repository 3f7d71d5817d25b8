"""The Go template of the Modelfile as Ollama's own code read and rendered it (tests/ollama_record.py)."""

# ruff: noqa: RUF001 - DeepSeek spells its role tokens with fullwidth bars.

import json

import pytest
from ollama_record import FORMS, RECORD, TEMPLATES, Template, answer, digest, history

from curation.rendering.template import BUILT_IN, built_in
from curation.turns.thoughts import has_thought, split_thought
from train.ship.modelfile import go_template, modelfile

RECORDS = {(one["template"], one["form"]): one for one in json.loads(RECORD.read_text())["Ollama"]["records"]}
CASES = [(name, form) for name in TEMPLATES for form in FORMS]


def rendered(template: Template, form: str) -> str:
    """What training saw of the conversation, and the prompt for the next answer."""
    turn, tools = FORMS[form]
    thinks = has_thought(turn) or not template.opens
    return template.render(history(turn), tools, add_generation_prompt=True, enable_thinking=thinks)


@pytest.mark.parametrize(("name", "form"), CASES)
def test_the_record_was_made_with_this_template(name, form):
    record, (turn, tools) = RECORDS[name, form], FORMS[form]
    assert (record["digest"], record["answer"]) == (
        digest(TEMPLATES[name]),
        answer(TEMPLATES[name], turn, tools),
    ), "the Go template changed since Ollama was asked: ask again, as ollama_record.py says"


@pytest.mark.parametrize(("name", "form"), CASES)
def test_ollama_finds_the_tags_of_calls_and_thoughts(name, form):
    record = RECORDS[name, form]
    assert (record["tag"], record["thinks"]) == ("<tool_call>", ["<think>", "</think>"])


@pytest.mark.parametrize(("name", "form"), CASES)
def test_ollama_takes_an_answer_apart_as_it_was_meant(name, form):
    (turn, _), parsed = FORMS[form], RECORDS[name, form]["parsed"][0]
    thought, words = split_thought(turn["content"] or "")
    assert (parsed.get("thinking", "").strip(), parsed["content"].rstrip()) == (
        thought or "",
        words.rstrip(),
    )
    assert [
        (call["function"]["name"], call["function"]["arguments"]) for call in parsed.get("tool_calls", [])
    ] == [(call["name"], json.loads(call["arguments"], parse_int=float)) for call in turn["tool_calls"] or []]


@pytest.mark.parametrize(("name", "form"), CASES)
def test_however_it_is_cut_an_answer_parses_the_same(name, form):
    # But for words and calls that come in one piece: Ollama's chat handler keeps the words alone.
    turn, _ = FORMS[form]
    in_one_piece = bool(split_thought(turn["content"] or "")[1] and turn["tool_calls"])
    assert len(RECORDS[name, form]["parsed"]) == 1 + in_one_piece


@pytest.mark.parametrize(("name", "form"), CASES)
def test_ollama_shows_the_tools_that_training_showed(name, form):
    back, expected = (
        text.partition("</tools>") for text in (RECORDS[name, form]["back"], rendered(TEMPLATES[name], form))
    )
    if FORMS[form][1]:
        shown, meant = (
            json.loads(f"[{text[0].partition(chr(10) + '<tools>')[2].strip().replace(chr(10), ',')}]")
            for text in (back, expected)
        )
        assert shown == meant


@pytest.mark.parametrize("name", BUILT_IN)
def test_the_first_edition_keeps_what_it_wrote_and_has_the_tag(name):
    text = go_template(built_in(name, first=True).markup)
    assert "Thinking" not in text
    assert "{{ if .ToolCalls }}{{ range $n, $_ := .ToolCalls }}<tool_call>\n{" in text


def test_the_modelfile_names_the_file_the_stops_and_the_context():
    text = modelfile("AJ-Tiny-v1.0.0-q8.gguf", built_in("aj_r1"), 2048)
    assert "\nFROM ./AJ-Tiny-v1.0.0-q8.gguf\n" in text
    assert 'PARAMETER stop "<｜end▁of▁sentence｜>"' in text
    assert 'PARAMETER stop "<｜User｜>"' in text
    assert "PARAMETER num_ctx 2048\n" in text
    assert "-f AJ-Tiny-v1.0.0-q8.Modelfile" in text
    assert "num_ctx" not in modelfile("AJ-Tiny-v1.0.0-q8.gguf", built_in("aj_r1"), None)
