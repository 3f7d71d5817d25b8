"""trajectories: what runs of agents are flagged for, which turns are masked, which rows go."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.recipe.stages import Trajectories
from curation.row import decode, frame, message, note, read_notes, without_loss
from curation.stages.seam import Context
from curation.stages.trajectories.stage import STAGE, trajectories

ERROR, FINE = "bash: foo: command not found", "a.txt"


def run(*steps, last="Done.", task="Do it."):
    """A row of (command, result) pairs; a step of more pairs is one turn with as many calls."""
    messages = [message("user", task)]
    for place, step in enumerate(steps):
        pairs = step if isinstance(step, list) else [step]
        calls = [
            {"id": f"{place}.{n}", "name": "bash", "arguments": json.dumps({"command": command})}
            for n, (command, _) in enumerate(pairs)
        ]
        messages.append(message("assistant", tool_calls=calls))
        messages += [message("tool", said, tool_call_id=f"{place}.{n}") for n, (_, said) in enumerate(pairs)]
    return [*messages, message("assistant", last)]


def flags(split):
    """Flag → its turns, of the first row that stays."""
    return {
        entry["flag"]: entry.get("turns") for entry in read_notes(split.kept["notes"][0]) if "flag" in entry
    }


def masked(split):
    return without_loss(split.kept["notes"][0])


def test_a_row_stays_and_is_flagged_unless_the_recipe_says_more():
    rows = frame([run(("foo", ERROR), ("ls", FINE)), run(("ls", FINE))])
    split = STAGE.bind(Trajectories(), Context())(rows)
    assert split.kept["messages"].to_list() == rows["messages"].to_list()
    entry = {"stage": "trajectories", "flag": "error_result", "turns": [1], "how": "shell"}
    assert [read_notes(notes) for notes in split.kept["notes"]] == [[entry], []]
    assert split.counts == {"rows": 2, "error_result": 1, "repeated_call": 0, "gave_up": 0}


def test_masked_is_the_turn_that_led_to_the_error_and_not_the_recovery():
    split = trajectories(frame([run(("foo", ERROR), ("ls", FINE))]), error_result="mask")
    assert masked(split) == {1: "error_result"}
    assert [m.get("weight") for m in decode(split.kept["messages"][0])] == [None, 0, None, None, None, None]


def test_a_turn_with_several_calls_is_masked_whole_where_one_of_them_fails():
    split = trajectories(frame([run([("ls", FINE), ("foo", ERROR)])]), error_result="mask")
    assert masked(split) == {1: "error_result"}


def test_dropped_rows_say_which_turns_failed_and_how():
    split = trajectories(frame([run(("ls", FINE), ("foo", ERROR))]), error_result="drop")
    assert split.dropped["reason"].to_list() == ["error_result"]
    assert json.loads(split.dropped["detail"][0]) == {"turns": [3], "how": "shell"}


def test_a_call_made_again_with_the_same_result_is_told_and_the_first_stays():
    split = trajectories(frame([run(("ls", FINE), ("ls", FINE), ("ls", FINE))]), repeated_call="mask")
    assert flags(split) == {"repeated_call": [3, 5]}
    assert masked(split) == {3: "repeated_call", 5: "repeated_call"}


def test_calls_are_equal_however_their_arguments_are_spelt():
    messages = run(("ls", FINE), ("ls", FINE))
    messages[3]["tool_calls"][0]["arguments"] = '{"command":"ls"}'
    assert flags(trajectories(frame([messages]))) == {"repeated_call": [3]}


@pytest.mark.parametrize(
    "steps",
    [
        [("ls", FINE), ("ls", "b.txt")],
        [("ls", FINE), ("ls -a", FINE)],
        [("./test", FINE), ("./mend", "mended"), ("./test", FINE)],
        [("./status", "still running"), ("./status", "still running")],
    ],
    ids=["another result", "another command", "something was tried between", "waiting"],
)
def test_what_may_have_had_another_result_is_no_repetition(steps):
    assert flags(trajectories(frame([run(*steps)]))) == {}


def test_a_loop_of_several_calls_is_told_from_its_second_round_on():
    loop = [("./a", "1"), ("./b", "2")]
    assert flags(trajectories(frame([run(*loop, *loop, *loop)]))) == {"repeated_call": [7, 9, 11]}


def test_reading_other_files_between_two_equal_calls_excuses_nothing():
    steps = [("cat a", "1"), ("cat b", "2"), ("cat a", "1")]
    assert flags(trajectories(frame([run(*steps)]))) == {"repeated_call": [5]}


def test_a_failed_call_made_again_as_it_was_is_told_whatever_was_done_between():
    steps = [("foo", ERROR), ("./mend", "mended"), ("foo", ERROR)]
    assert flags(trajectories(frame([run(*steps)]))) == {"error_result": [1, 5], "repeated_call": [5]}


def test_a_user_who_asks_again_may_be_answered_again():
    again = run(("ls", FINE))[1:]
    for m in again:
        m["tool_call_id"] = m["tool_call_id"] and "z"
        m["tool_calls"] = m["tool_calls"] and [{**m["tool_calls"][0], "id": "z"}]
    messages = [*run(("ls", FINE)), message("user", "And now?"), *again]
    assert flags(trajectories(frame([messages]))) == {}


@pytest.mark.parametrize(
    ("last", "result", "is_told"),
    [
        ("I'm sorry, I could not do that.", ERROR, True),
        ("I'm sorry, I could not find more than that.", FINE, False),
        ("Agent stopped due to iteration limit or time limit.", FINE, True),
        ("I was unable to complete the task.", FINE, True),
        ("I give up.", FINE, True),
        ("<think>\nI give up on the long way.\n</think>\n\nDone.", FINE, False),
        ("Done, though foo is missing.", ERROR, False),
    ],
)
def test_a_run_gives_up_by_its_last_words(last, result, is_told):
    split = trajectories(frame([run(("foo", result), last=last)]), gave_up="mask")
    assert masked(split) == ({3: "gave_up"} if is_told else {})


def test_words_that_give_up_without_a_run_are_an_answer():
    rows = frame([[message("user", "q"), message("assistant", "I was unable to complete the task.")]])
    assert trajectories(rows).counts["gave_up"] == 0


def test_a_failed_run_goes_where_the_recipe_says_so():
    rows = frame([run(("ls", FINE))])
    told = note(None, stage="read", flag="failed_run", column="resolved", value=False)
    rows = rows.with_columns(notes=rows["notes"].fill_null(told))
    assert trajectories(rows).kept["notes"].to_list() == [told]
    assert trajectories(rows, failed_run="drop").dropped["reason"].to_list() == ["failed_run"]


def test_what_the_set_marks_as_failed_counts_whatever_its_text_says():
    rows = frame([run(("ls", FINE), ("wc", "3"))])
    rows = rows.with_columns(
        notes=rows["notes"].fill_null(note(None, stage="read", flag="failed_call", id="1.0"))
    )
    split = trajectories(rows, error_result="mask")
    assert masked(split) == {3: "error_result"}


def test_a_last_call_whose_result_was_taken_off_is_judged_by_what_was_noted_of_it():
    rows = frame([run(("ls", FINE), ("foo", ERROR))[:-2]])
    rows = rows.with_columns(
        notes=rows["notes"].fill_null(note(None, stage="read", repair="last_observation", failed="shell"))
    )
    assert flags(trajectories(rows)) == {"error_result": [3]}


@pytest.mark.parametrize(
    "said",
    [
        "Observation: bash: foo: command not found",
        "<tool_response>\nError: no such tool\n</tool_response>",
        "<returncode>127</returncode>\n<output>\nfoo: not found\n</output>",
        "foo: command not found\n(Current directory: /a)\nbash-$",
    ],
)
def test_results_in_user_turns_under_a_label_are_results(said):
    messages = [message("user", "q"), message("assistant", "```\nfoo\n```"), message("user", said)]
    split = trajectories(frame([[*messages, message("assistant", "I see.")]]), error_result="mask")
    assert masked(split) == {1: "error_result"}


def test_a_file_that_a_spelt_command_prints_may_speak_of_errors():
    messages = [message("user", "q"), message("assistant", "```\ncat app.log\n```")]
    messages += [message("user", "Observation: Error: disk full"), message("assistant", "I see.")]
    assert trajectories(frame([messages])).counts["error_result"] == 0


def test_what_a_user_says_of_an_error_is_no_result():
    messages = [
        message("user", "q"),
        message("assistant", "Try foo."),
        message("user", "Error: foo not found"),
    ]
    split = trajectories(frame([[*messages, message("assistant", "Try bar.")]]))
    assert split.counts["rows"] == 0
    assert split.kept["notes"].to_list() == [None]


STEPS = st.lists(
    st.tuples(st.sampled_from(["ls", "foo", "./a"]), st.sampled_from([FINE, ERROR, "", "1"])), max_size=6
)
ACTIONS = st.sampled_from(["flag", "mask", "drop"])


@settings(deadline=None)
@given(st.lists(STEPS, max_size=5), ACTIONS, ACTIONS)
def test_every_row_stays_or_goes_and_no_row_depends_on_another(runs, failing, repeating):
    rows = frame([run(*steps) for steps in runs])
    chosen = {"error_result": failing, "repeated_call": repeating}
    together = trajectories(rows, **chosen)
    assert sorted([*together.kept["pos"], *together.dropped["pos"]]) == rows["pos"].to_list()
    alone = [trajectories(rows[place : place + 1], **chosen) for place in range(rows.height)]
    texts = [text for split in alone for text in split.kept["messages"]]
    assert together.kept["messages"].to_list() == texts
    assert sum(split.counts["error_result"] for split in alone) == together.counts["error_result"]
