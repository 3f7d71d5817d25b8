"""The Go template of the Modelfile as Ollama's own code read and rendered it (tests/ollama_record.py)."""

# ruff: noqa: RUF001 - DeepSeek spells its role tokens with fullwidth bars.

import json

import pytest
from ollama_record import FIRST_FORMS, FORMS, RECORD, TEMPLATES, answer, digest, history

from curation.rendering.template import BUILT_IN, built_in
from curation.turns.thoughts import split_thought
from train.ship.modelfile import go_template, modelfile

RECORDS = {(one["template"], one["form"]): one for one in json.loads(RECORD.read_text())["Ollama"]["records"]}
CASES = [(name, form) for name in TEMPLATES for form in FORMS]


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
    before = TEMPLATES[name].render(history(FORMS[form][0])[:2], FORMS[form][1])
    assert RECORDS[name, form]["back"].startswith(before)


@pytest.mark.parametrize("name", BUILT_IN)
def test_the_first_edition_keeps_what_it_wrote_and_has_the_tag(name):
    text = go_template(built_in(name, first=True).markup)
    assert "Thinking" not in text
    records = {form: RECORDS[f"{name} first", form] for form in FIRST_FORMS}
    assert {(one["digest"], one["tag"]) for one in records.values()} == {
        (digest(built_in(name, first=True)), "<tool_call>")
    }
    assert "braces } first.\n<tool_call>" in records["words and call"]["back"]
    assert "<think>\nhm" in records["thought and words"]["back"]


@pytest.mark.parametrize("name", TEMPLATES)
def test_nothing_in_the_template_ends_it_early_in_a_modelfile(name):
    assert '"""' not in go_template(TEMPLATES[name].markup)


def test_the_modelfile_names_the_file_the_stops_and_the_context():
    text = modelfile("AJ-Tiny-v1.0.0-q8.gguf", built_in("aj_r1").markup, 2048)
    assert "\nFROM ./AJ-Tiny-v1.0.0-q8.gguf\n" in text
    assert 'PARAMETER stop "<｜end▁of▁sentence｜>"' in text
    assert 'PARAMETER stop "<｜User｜>"' in text
    assert "PARAMETER num_ctx 2048\n" in text
    assert "-f AJ-Tiny-v1.0.0-q8.Modelfile" in text
    assert "num_ctx" not in modelfile("AJ-Tiny-v1.0.0-q8.gguf", built_in("aj_r1").markup, None)
