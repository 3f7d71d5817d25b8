"""What rows of a whole source have in common, however they come in; and how the ledger tells it."""

import json
import re
from pathlib import Path

import orjson
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_recipe import conversation, no_documents, small_recipe, write_jsonl

from curation.jobs.curate import curate
from curation.recipe.stages import SameAnswers
from curation.row import frame, message
from curation.stages.same_answers import BEGINNING, STAGE
from curation.stages.seam import Context

PLANTS = ("beans", "maize", "rice", "wheat", "oats", "peas", "figs", "plums")


def talk(number: int, answer: str, asked: str = "{n} questions of {plant}"):
    question = asked.format(n=number, plant=PLANTS[number % 8])
    return [message("user", question), message("assistant", answer)]


def several(count: int, answer: str = "{n} of the {plant} are ripe", **more):
    return [talk(n, answer.format(n=n, plant=PLANTS[n % 8]), **more) for n in range(count)]


def found(*sources, **recipe):
    """(kind, words, rows) of what some sources, named a, b and so on, have in common, and the outcome."""
    frames = [frame(rows, source="abc"[place]) for place, rows in enumerate(sources)]
    rows = pl.concat(frames).with_columns(
        pos=pl.int_range(pl.sum_horizontal(len(f) for f in sources), dtype=pl.UInt64)
    )
    bound = (SameAnswers(**recipe), Context())
    outcome = STAGE.bind(*bound)(STAGE.prepare(*bound)(rows))
    told = outcome.flags.group_by("note", maintain_order=True).len().iter_rows()
    return [(*told_of(line), rows) for line, rows in told], outcome


def told_of(line: str):
    note = orjson.loads(line)
    return note["flag"], note["said"]


def test_one_answer_for_most_rows():
    rows = [*several(60, "gpt-4o"), *several(40)]
    told, outcome = found(rows)
    assert told == [("one_answer", "gpt-4o", 60)]
    assert outcome.flags["pos"].to_list() == list(range(60))
    assert dict(outcome.counts) == {"rows": 100, "same": 60}
    assert found(rows, share=0.7)[0] == []


def test_words_that_all_answers_begin_with():
    told, _ = found([*several(96, "Model answer: {n} {plant}"), *several(4)])
    assert told == [("same_answer_beginning", "Model answer:", 96)]
    assert found([*several(90, "Model answer: {n} {plant}"), *several(10)])[0] == []


def test_words_that_all_questions_begin_with():
    told, _ = found(several(30, asked="Answer the following question\n\n{n} {plant}"))
    assert told == [("same_question_beginning", "Answer the following question", 30)]


def test_questions_stand_behind_the_system_prompt():
    rows = [
        [message("system", f"Prompt {n}."), *rest]
        for n, rest in enumerate(several(30, asked="Tell me of {plant}"))
    ]
    assert found(rows)[0] == [("same_question_beginning", "Tell me of", 30)]


@pytest.mark.parametrize(
    "rows",
    [
        several(19, "gpt-4o"),
        several(40, "The {plant} number {n}"),
        several(40, '{{"name": "{plant}", "count": {n}}}'),
        several(40),
    ],
    ids=["few rows", "one word", "one key", "nothing"],
)
def test_too_little_in_common(rows):
    assert found(rows)[0] == []


def test_a_source_is_judged_by_itself():
    told, outcome = found(several(30, "gpt-4o"), several(60))
    assert told == [("one_answer", "gpt-4o", 30)]
    assert outcome.flags["pos"].to_list() == list(range(30))


def test_rows_that_end_on_a_call_or_a_result_are_not_counted():
    call = [{"id": "1", "name": "water", "arguments": "{}"}]
    calling = [[message("user", f"{n}"), message("assistant", None, tool_calls=call)] for n in range(30)]
    assert found(calling)[0] == []
    assert found([*calling, *several(20, "Done.")])[0] == [("one_answer", "Done.", 20)]


def test_rows_go_where_the_recipe_says_so():
    told, outcome = found([*several(60, "gpt-4o"), *several(40)], drop=["one_answer"])
    assert told == []
    assert outcome.drops["pos"].to_list() == list(range(60))
    assert set(outcome.drops["reason"]) == {"one_answer"}
    assert orjson.loads(outcome.drops["detail"][0]) == {"rows": 60, "said": "gpt-4o", "share": 0.6}


ROWS = st.lists(
    st.sampled_from(["gpt-4o", "Answer here: x", "Answer here: y", 'z \\ " \n']), min_size=1, max_size=60
)


@settings(max_examples=50, deadline=None)
@given(ROWS, st.randoms(use_true_random=False), st.integers(1, 60))
def test_neither_order_nor_batches_change_what_is_found(answers, random, cut):
    rows = frame([talk(n, answer) for n, answer in enumerate(answers)])
    bound = (SameAnswers(share=0.4), Context())
    prepare, find = STAGE.prepare(*bound), STAGE.bind(*bound)
    whole = find(prepare(rows))
    order = list(range(rows.height))
    random.shuffle(order)
    shuffled = rows[order]
    parts = find(pl.concat([prepare(shuffled[:cut]), prepare(shuffled[cut:])]))
    assert parts.flags.sort("pos", "note").equals(whole.flags.sort("pos", "note"))


TEXT = st.text(max_size=90)


@settings(max_examples=80, deadline=None)
@given(st.lists(st.tuples(TEXT, TEXT), min_size=1, max_size=3), st.none() | TEXT)
def test_ends_are_read_from_the_text_as_from_the_messages(exchanges, system):
    said = [message("system", system)] if system is not None else []
    for asked, answer in exchanges:
        said += [message("user", asked), message("assistant", answer)]
    prepared = STAGE.prepare(SameAnswers(), Context())(frame([said])).row(0, named=True)
    assert prepared["asked"] == escaped(exchanges[0][0])
    assert prepared["said"].startswith(escaped(exchanges[-1][1]))


def escaped(text: str) -> str:
    """How a text begins in JSON, no escape cut in two."""
    beginning = orjson.dumps(text).decode()[1:-1][:BEGINNING]
    return re.match(r"(?:[^\\]|\\.)*", beginning, re.DOTALL).group()


def test_the_ledger_of_a_run_tells_it(tmp_path: Path):
    recipe = small_recipe(tmp_path, stages=["chat", "same_answers"])
    rows = [conversation(1000 + n) for n in range(15)]
    asked = [{"role": "user", "content": f"Which model is number {n}?"} for n in range(45)]
    rows += [{"messages": [one, {"role": "assistant", "content": "gpt-4o"}]} for one in asked]
    write_jsonl(tmp_path / "data/two.jsonl", rows)
    done = curate(recipe, documents=no_documents, out=tmp_path / "out", workers=1)
    ledger = pl.read_parquet(done.dataset / "ledger/*.parquet").filter(pl.col("source") == "two")
    flags = [json.loads(detail or "{}").get("flags", []) for detail in ledger.sort("row")["detail"]]
    told = {"stage": "same_answers", "flag": "one_answer", "said": "gpt-4o", "rows": 45, "share": 0.75}
    assert [flag for row in flags for flag in row] == [told] * 45
