"""Answers that a client took apart and sent back: what its own code did (tests/clients_record.py and
ollama_record.py), our rules for it, and the whole path from a published row to the next prompt."""

import json

import polars as pl
import pytest
from clients_record import BUILT_IN, TEMPLATES, turn_of
from clients_record import RECORD as CLIENTS_RECORD
from hypothesis import given
from hypothesis import strategies as st
from ollama_record import RECORD as OLLAMA_RECORD
from small_recipe import no_documents, small_recipe, write_jsonl
from tiny_tokenizer import train_tokenizer

from curation.jobs.curate import curate
from curation.rendering.template import Template, built_in, load_template, probed
from curation.row import message
from curation.turns.thoughts import has_thought
from train.data.encoding import Encoder
from train.ship.clients import CLIENTS, Asked, Client, Said, go_number, llama_cpp_arguments, sent_back
from train.ship.round_trip import (
    FORMS,
    LS,
    TOOLS,
    answer,
    difference,
    history,
    in_words,
    read_again,
    round_trip,
)

RECORDED = {
    client: held
    for path in (CLIENTS_RECORD, OLLAMA_RECORD)
    for client, held in json.loads(path.read_text(encoding="utf-8")).items()
}
RECORDS = {
    (client, one["template"], one["form"]): one
    for client, held in RECORDED.items()
    for one in held["records"]
}
CASES = [pytest.param(client, name, id=f"{client.name}-{name}") for client in CLIENTS for name in TEMPLATES]
NUMBERS = {"-0.0", "floats that no double holds", "integers beyond 2^64"}
# What still differs, by client: how it writes numbers and what is rare in JSON, and never words or thoughts.
DIFFERS = {
    "llama.cpp": NUMBERS | {"a key twice", "floats of more than six digits"},
    "vLLM": {"a key twice", "floats that no double holds"},
    "Ollama": NUMBERS
    | {
        "a key twice",
        "control characters",
        "integers beyond 2^53",
        "keys out of order",
        "nested arguments",
        "very small and large floats",
    },
}


def asked(template: Template, form: str) -> Asked:
    turn, tools = FORMS[form]
    return Asked(template, tools is not None, has_thought(turn) or not template.opens)


def back(client: Client, template: Template, form: str) -> str:
    """By our rules, the prompt for the next answer."""
    turn, tools = FORMS[form]
    how = asked(template, form)
    said = client.parse(answer(template, turn, tools), how)
    return read_again(template, history(turn, sent_back(client, said)), tools, thinks=how.thinks)


@pytest.mark.parametrize(("client", "name"), CASES)
def test_the_records_are_of_this_version_and_template(client, name):
    template = TEMPLATES[name]
    for form, (turn, tools) in FORMS.items():
        one = RECORDS[client.name, name, form]
        stale = f"ask {client.name} again, as tests/clients_record.py or ollama_record.py says"
        assert one["answer"] == answer(template, turn, tools), stale
        if client.name != "Ollama":  # what its Go template is, test_modelfile.py looks at
            assert one["digest"] == template.digest, stale
            assert one["prompt_is_ours"], "the first prompt is already another one"
    version = RECORDED[client.name]["version"]
    assert version.startswith(client.version) or client.version == version


@pytest.mark.parametrize(("client", "name"), CASES)
def test_our_rule_takes_an_answer_apart_as_the_client_did(client, name):
    for form, (turn, tools) in FORMS.items():
        template, one = TEMPLATES[name], RECORDS[client.name, name, form]
        said = client.parse(answer(template, turn, tools), asked(template, form))
        parsed = one["parsed"][0]
        if client.name == "Ollama":
            calls = [
                (call["function"]["name"], call["function"]["arguments"])
                for call in parsed.get("tool_calls", [])
            ]
            assert (said.thought or "", said.words) == (parsed.get("thinking", ""), parsed["content"])
            # It holds every number as a float.
            assert [
                (called, json.loads(arguments, parse_int=float)) for called, arguments in said.calls
            ] == calls
        else:
            assert {"thought": said.thought, "words": said.words, "calls": said.calls} == turn_of(parsed)


@pytest.mark.parametrize(("client", "name"), CASES)
def test_our_rule_sends_back_what_the_client_rendered(client, name):
    for form, (turn, tools) in FORMS.items():
        template, one = TEMPLATES[name], RECORDS[client.name, name, form]
        ours = back(client, template, form)
        if client.name == "Ollama":
            assert ours == one["back"]
        else:
            assert ours.removeprefix(template.render(history(turn)[:2], tools)) == one["back"]


@pytest.mark.parametrize(("client", "name"), [case for case in CASES if case.values[0].name != "Ollama"])
def test_in_pieces_an_answer_comes_to_the_same_prompt(client, name):
    for form, (turn, tools) in FORMS.items():
        template, how = TEMPLATES[name], asked(TEMPLATES[name], form)
        for parsed in RECORDS[client.name, name, form]["parsed"]:
            said = sent_back(client, Said(**turn_of(parsed)))
            assert read_again(template, history(turn, said), tools, thinks=how.thinks) == back(
                client, template, form
            )


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_history_reads_as_in_training_but_for_what_is_named(name):
    found = {client.name: set() for client in CLIENTS}
    for one in round_trip(TEMPLATES[name]).differences:
        found[one.client].add(one.form)
    assert found == DIFFERS


@pytest.mark.parametrize("name", BUILT_IN)
def test_the_first_edition_is_tried_too_and_differs_in_words_and_calls(name):
    first = round_trip(built_in(name, first=True)).differences
    assert {"call", "words and call", "several calls", "nested arguments"} <= {
        one.form for one in first if one.client == "llama.cpp"
    }


OBJECTS = (
    "{% if tools %}{{ tools | tojson }}\n{% endif %}{% for m in messages %}<|im_start|>{{ m.role }}\n"
    "{{ m.content or '' }}{% for c in m.tool_calls or [] %}<tool_call>\n"
    '{"name": "{{ c.function.name }}", "arguments": {{ c.function.arguments | tojson }}}\n</tool_call>'
    "{% endfor %}<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def test_a_template_of_ones_own_is_tried_with_the_clients_that_read_it():
    tried = round_trip(probed("own", OBJECTS, {}))
    assert tried.left_out == ["Ollama"]
    assert {one.form for one in tried.differences if one.client == "vLLM"} == {"floats that no double holds"}
    assert "Not tried: Ollama cannot read this template." in tried.as_card()


def test_a_template_that_adds_a_line_end_to_words_before_a_call_is_found_out():
    source = OBJECTS.replace("[] %}<tool_call>", "[] %}{{ '\\n' }}<tool_call>")
    found = {(one.client, one.form) for one in round_trip(probed("own", source, {})).differences}
    assert {("llama.cpp", "words and call"), ("vLLM", "words and call")} <= found


def test_calls_in_a_markup_that_no_client_finds_are_named():
    source = OBJECTS.replace("<tool_call>", "[CALL]").replace("</tool_call>", "[/CALL]")
    found = {(one.client, one.form): one.read for one in round_trip(probed("own", source, {})).differences}
    assert found["vLLM", "call"] == "not at all: 0 calls found"
    assert ("vLLM", "words") not in found


def test_the_card_shows_where_texts_part():
    one = difference(built_in("aj_r1"), CLIENTS[0], "floats of more than six digits")
    assert one is not None
    assert "52.5200066" in one.trained
    assert "52.52}" in one.read
    tried = round_trip(built_in("aj_r1"))
    assert "| llama.cpp | floats of more than six digits |" in tried.as_card()
    words = in_words(tried.as_dict())
    assert words.startswith(
        "reads as in training after llama.cpp, vLLM, Ollama, in 26 forms of an answer, but"
    )
    assert "vLLM: a key twice, floats that no double holds;" in words


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (1.0, "1"),
        (1e20, "100000000000000000000"),
        (1.5e300, "1.5e+300"),
        (1e-7, "1e-7"),
        (0.00001, "0.00001"),
        (-2.5, "-2.5"),
    ],
)
def test_go_writes_numbers_its_own_way(value, written):
    assert go_number(value) == written


@given(st.integers(-(2**63) + 1, 2**63 - 1), st.integers(-99999, 99999))
def test_llama_cpp_keeps_integers_of_64_bits_and_six_digits(whole, digits):
    text = f'{{"a": {whole}, "b": {digits / 64 if (digits / 64).is_integer() else digits / 10}}}'
    kept = json.loads(llama_cpp_arguments(text))
    assert kept["a"] == whole
    assert kept["b"] == json.loads(text)["b"]


# Rows as they are published: thoughts and calls spelt as their makers did, arguments with and without spaces.
PUBLISHED = [
    {
        "messages": [
            {"role": "user", "content": f"How full is disk {number}?"},
            {
                "role": "assistant",
                "content": f"<think>I look at disk {number}.</think>Let me see.\n",
                "tool_calls": [
                    {
                        "id": "c1",
                        "type": "function",
                        "function": {
                            "name": "bash",
                            "arguments": f'{{"command":"df -h {number} # gr\\u00f6\\u00dfer","n":1.0}}',
                        },
                    },
                    {"id": "c2", "type": "function", "function": {"name": "list_agents", "arguments": "{}"}},
                ],
            },
            {"role": "tool", "tool_call_id": "c1", "content": "28G of 252G\n"},
            {"role": "tool", "tool_call_id": "c2", "content": "none"},
            {"role": "assistant", "content": f"It is {number} % full.\n"},
        ],
        "tools": json.loads(TOOLS),
    }
    for number in range(12)
]


@pytest.fixture(scope="module")
def shard(tmp_path_factory):
    """The published rows after curation, as a shard holds them."""
    folder = tmp_path_factory.mktemp("published")
    recipe = small_recipe(
        folder,
        sources={"calls": {"uri": "data/calls.jsonl", "reader": "messages", "group": "calls"}},
        mixture={"shares": {"calls": 1.0}, "total": "max", "max_repeat": 1},
        stages=["normalise", "chat", "exact_duplicates"],
    )
    write_jsonl(folder / "data/calls.jsonl", PUBLISHED)
    curate(recipe, documents=no_documents, out=folder / "dataset", workers=1)
    return pl.read_parquet(folder / "dataset/train/*.parquet")


@pytest.mark.parametrize("client", CLIENTS, ids=[client.name for client in CLIENTS])
@pytest.mark.parametrize("thinking", ["as_is", "empty"])
@pytest.mark.parametrize("name", BUILT_IN)
def test_from_a_published_row_to_the_tokens_after_its_answers_came_back(
    shard, tmp_path, name, thinking, client
):
    encoder = Encoder(train_tokenizer(tmp_path), template := load_template(name, tmp_path, thinking=thinking))
    row = shard.row(0, named=True)
    messages, tools = [dict(one) for one in row["messages"]], row["tools"]
    assert "gr\\u00f6" in messages[1]["tool_calls"][0]["arguments"], "a row keeps its own spelling"
    (example,) = encoder.examples([(messages, tools)])[0]
    trained = example.ids[example.trained]
    # The model says what it was trained to, turn by turn; the client takes it apart and sends it back.
    told = messages[:1]
    said_ids: list[int] = []
    for place, turn in enumerate(messages[1:], start=1):
        if turn["role"] != "assistant":
            told.append(turn)
            continue
        thinks = has_thought(turn) or not template.opens
        prompt = template.render(messages[:place], tools, add_generation_prompt=True, enable_thinking=thinks)
        asking = read_again(template, told, tools, thinks=thinks)
        assert asking == prompt, "the prompt with the history as the client gives it"
        whole = template.render(messages[: place + 1], tools)
        said = whole.removeprefix(prompt).removesuffix(template.tail)
        said_ids += encoder.whole.encode(said, add_special_tokens=False).ids
        text = said.removesuffix(template.end)
        told.append(sent_back(client, client.parse(text, Asked(template, True, thinks))))
    assert said_ids == list(trained), "the mask is what the model says, no more and no less"
    again = read_again(template, [*told, message("user", "And now?")], tools, thinks=True)
    ids = encoder.whole.encode(again, add_special_tokens=False).ids
    assert ids[: len(example.ids)] == list(example.ids)


def test_what_a_client_broke_is_seen(monkeypatch):
    broken = CLIENTS[0]._replace(arguments=lambda text: text.replace(": ", ":"))
    one = difference(built_in("aj_r1"), broken, "call")
    assert one is not None
    assert LS["arguments"] in one.read or '"command":"ls' in one.read
