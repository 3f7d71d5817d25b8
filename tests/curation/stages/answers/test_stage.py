"""What the stage does to rows: notes, drops, masks; whatever batch they stand in."""

import orjson
import polars as pl
import pytest
from faulty_answers import FAULTS
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.recipe.stages import ANSWER_KINDS, REASONS
from curation.row import decode, frame, is_trained, message, read_notes, without_loss
from curation.stages.answers.stage import answers

CUT = "Plants need water and"
SOUND = "Plants need water."


def row(*said, asked="What do plants need?"):
    return [turn for text in said for turn in (message("user", asked), message("assistant", text))]


def flags(split):
    return [[(e["flag"], e["turns"]) for e in read_notes(notes)] for notes in split.kept["notes"]]


def test_a_fault_is_noted_and_nothing_else_by_default():
    rows = frame([row(CUT), row(SOUND)])
    split = answers(rows)
    assert split.kept.drop("notes").equals(rows.drop("notes"))
    assert [read_notes(notes) for notes in split.kept["notes"]] == [
        [{"stage": "answers", "flag": "cut_off", "turns": [1], "said": CUT}],
        [],
    ]
    assert not split.dropped.height
    assert split.counts == {"rows": 2, "faulty": 1}


def test_a_kind_that_is_dropped_is_the_reason_of_its_row():
    split = answers(frame([row(SOUND, CUT), row("...")]), drop=["cut_off"], flag=["no_words"])
    assert split.dropped["reason"].to_list() == ["cut_off"]
    assert orjson.loads(split.dropped["detail"][0]) == {"turn": 3, "said": CUT}
    assert flags(split) == [[("no_words", [1])]]


def test_a_kind_that_is_masked_takes_the_loss_from_its_turns_alone():
    split = answers(frame([row(CUT, SOUND, CUT)]), mask=["cut_off"], flag=[])
    text, notes = split.kept["messages"][0], split.kept["notes"][0]
    assert [is_trained(turn) for turn in decode(text)] == [False, False, False, True, False, False]
    assert without_loss(notes) == {1: "answer", 5: "answer"}
    assert '"flag":"cut_off"' in notes


def test_what_is_not_looked_for_is_not_seen():
    assert answers(frame([row(CUT)]), flag=["echo"]).counts == {"rows": 1, "faulty": 0}


def test_turns_without_loss_and_other_speakers_are_not_judged():
    talk = [
        message("system", "..."),
        message("user", CUT),
        {**message("assistant", CUT), "weight": 0},
        message("user", "..."),
        message("assistant", SOUND),
    ]
    assert flags(answers(frame([talk]))) == [[]]


def test_evidence_is_cut():
    split = answers(frame([row("word " * 50 + "w" * 90 + " and more of it " * 30)]))
    assert all(len(entry["said"]) <= 60 for entry in read_notes(split.kept["notes"][0]))


def test_a_row_of_calls_alone_has_no_fault():
    call = {"id": "1", "name": "water", "arguments": "{}"}
    talk = [message("user", "Water it."), message("assistant", None, tool_calls=[call])]
    assert flags(answers(frame([talk]))) == [[]]


def test_no_rows():
    split = answers(frame([]))
    assert (split.kept.height, split.dropped.height, dict(split.counts)) == (0, 0, {"rows": 0, "faulty": 0})


@pytest.mark.parametrize("kind", ANSWER_KINDS)
def test_every_kind_is_a_reason(kind):
    assert kind in REASONS


TEXTS = st.lists(
    st.sampled_from(
        [
            CUT,
            SOUND,
            "...",
            "<noinput>",
            "I'm sorry, but I can't help with that.",
            "<think>",
            "As an AI, I ",
            "`" * 3,
        ]
    )
    | st.text(max_size=40),
    min_size=1,
    max_size=4,
).map(" ".join)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(TEXTS, min_size=1, max_size=3), min_size=1, max_size=6), st.integers(0, 6))
def test_no_batch_changes_what_is_found_and_a_second_run_finds_nothing_new(talks, cut):
    rows = frame([row(*talk) for talk in talks])
    drop, mask = ["no_words", "template_rest"], ["cut_off", "refusal"]
    whole = answers(rows, drop=drop, mask=mask)
    parts = [answers(part, drop=drop, mask=mask) for part in (rows[:cut], rows[cut:])]
    assert whole.kept.equals(pl.concat([part.kept for part in parts]))
    assert whole.dropped.equals(pl.concat([part.dropped for part in parts]))
    assert whole.kept.height + whole.dropped.height == rows.height
    assert answers(whole.kept, drop=drop, mask=mask).kept.equals(whole.kept)


@pytest.mark.parametrize(("kind", "text"), [(kind, text) for kind, texts in FAULTS.items() for text in texts])
def test_whatever_is_wrong_is_seen_in_a_row_of_one_answer_and_behind_others(kind, text):
    rows = frame([row(text), [*row(SOUND), *row(text)]])
    assert [kind in dict(found) for found in flags(answers(rows))] == [True, True]
