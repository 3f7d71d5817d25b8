"""conflicts: rows with the same turns so far and different answers, whatever arrives first."""

import tempfile
from pathlib import Path

import orjson
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.arrow import write_frame
from curation.recipe.stages import Conflicts
from curation.row import frame, message
from curation.stages.conflicts.stage import MOST_READ, STAGE
from curation.stages.seam import DROPS_SCHEMA, FLAGS_SCHEMA, PAIRS_SCHEMA, Context, Outcome

RIPE, UNRIPE = "The fruit is ripe in May.", "The fruit is not ripe in May."
REWORDED = "In May the fruit is ripe."
ELSE = "Ask the gardener."


def asked(*answers: str, question: str = "Is it ripe?", before: tuple[dict, ...] = ()) -> list[list[dict]]:
    """Conversations that differ in their last turn."""
    return [[*before, message("user", question), message("assistant", answer)] for answer in answers]


def outcome(rows: pl.DataFrame, folder, *, batches: int = 1, **changes) -> Outcome:
    context = Context(sources=tuple(dict.fromkeys(rows["source"])))
    prepare = STAGE.prepare(Conflicts(**changes), context)
    paths = []
    step = max(rows.height // batches, 1)
    for start in range(0, max(rows.height, 1), step):
        paths.append(folder / f"{len(paths)}.arrow")
        write_frame(paths[-1], prepare(rows[start : start + step]))
    return STAGE.bind(Conflicts(**changes), context)(paths)


def flags_of(found: Outcome) -> dict[int, str]:
    """Position → what is told of the row: its flag, and by what it contradicts."""
    told = {pos: orjson.loads(note) for pos, note in found.flags.select("pos", "note").iter_rows()}
    return {pos: " ".join(filter(None, (one["flag"], one.get("by")))) for pos, one in told.items()}


def test_a_row_without_a_question_is_counted_and_compared_with_nothing(tmp_path):
    texts = [[message("assistant", text)] for text in (RIPE, UNRIPE)]
    rows = frame([*texts, *asked(RIPE, UNRIPE)])
    prepare = STAGE.prepare(Conflicts(), Context(sources=tuple(dict.fromkeys(rows["source"]))))
    assert prepare(rows).height == rows.height
    assert set(flags_of(outcome(rows, tmp_path))) == {2, 3}


def test_contradictions_are_told_from_other_answers_and_rewordings_are_only_counted(tmp_path):
    rows = frame(
        [*asked(RIPE, UNRIPE), *asked(RIPE, ELSE, question="When?"), *asked(RIPE, REWORDED, question="So?")]
    )
    found = outcome(rows, tmp_path)
    assert flags_of(found) == {
        0: "contradicting_answer denial",
        1: "contradicting_answer denial",
        2: "other_answer",
        3: "other_answer",
    }
    assert found.drops.is_empty()
    kinds = ("rows", "differing", "contradicting", "reworded")
    assert [found.counts[kind] for kind in kinds] == [6, 4, 2, 2]
    assert [found.counts[f"{kind}.rows"] for kind in kinds] == [6, 4, 2, 2]


def test_a_flag_tells_the_turn_the_number_of_answers_and_the_other_row(tmp_path):
    found = outcome(frame(asked(RIPE, ELSE, UNRIPE)), tmp_path)
    note = {"stage": "conflicts", "flag": "contradicting_answer", "turn": 1, "answers": 3, "by": "denial"}
    pos, _, other, _, text = found.flags.row(0)
    assert (pos, other, orjson.loads(text)) == (0, 2, note)
    assert found.pairs.select("pos", "other_pos", "by").rows() == [(0, 2, "denial")]


def test_every_turn_that_carries_loss_is_an_answer(tmp_path):
    before = (message("user", "Hello"), message("assistant", "Good day."))
    later = outcome(frame(asked(RIPE, UNRIPE, before=before)), tmp_path)
    assert [orjson.loads(note)["turn"] for note in later.flags["note"]] == [3, 3]
    rows = asked(RIPE, UNRIPE)
    rows[1][1]["weight"] = 0
    assert outcome(frame(rows), tmp_path).flags.is_empty()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"before": (message("system", "Be brief."),)}, {"before": (message("system", "Be kind."),)}),
        ({"before": (message("system", "Be brief."),)}, {}),
        ({"question": "Is it ripe?"}, {"question": "Is it raw?"}),
    ],
)
def test_rows_with_other_turns_before_are_no_conflict(one, other, tmp_path):
    rows = frame([*asked(RIPE, **one), *asked(UNRIPE, **other)])
    assert outcome(rows, tmp_path).flags.is_empty()


def test_other_tools_are_no_conflict_and_case_space_and_closing_marks_are(tmp_path):
    pair = [*asked(RIPE, question="Is it ripe?"), *asked(UNRIPE, question="is  it\nripe")]
    assert outcome(frame(pair, tools=["[]", None]), tmp_path).flags.is_empty()
    assert outcome(frame(pair), tmp_path).flags.height == 2


def test_equal_rows_and_rows_without_an_answer_say_nothing(tmp_path):
    alone = [[message("user", "Is it ripe?")], [message("assistant", RIPE)]]
    found = outcome(frame([*asked(RIPE, RIPE, RIPE.lower()), *alone]), tmp_path)
    assert (found.flags.height, found.counts["rows"]) == (0, 3)


def test_one_answer_stays_with_those_that_say_the_same(tmp_path):
    rows = frame(asked(UNRIPE, RIPE, REWORDED))
    rules = {"first": [1, 2], "longest": [1, 2], "most_given": [0]}
    for rule, gone in rules.items():
        drops = outcome(rows, tmp_path, action="keep_one", rule=rule).drops
        assert drops["pos"].to_list() == gone, rule
        assert drops["reason"].unique().to_list() == ["conflicting_answer"]
        assert not set(drops["survivor_pos"]) & set(gone)


def test_the_source_that_keep_names_has_the_first_answer(tmp_path):
    rows = frame(asked(RIPE, ELSE)).with_columns(source=pl.Series(["web", "book"]))
    assert outcome(rows, tmp_path, action="keep_one").drops["pos"].to_list() == [1]
    assert outcome(rows, tmp_path, action="keep_one", keep=["book"]).drops["pos"].to_list() == [0]


def test_drop_leaves_none_of_them(tmp_path):
    drops = outcome(frame(asked(RIPE, ELSE, REWORDED)), tmp_path, action="drop").drops
    assert drops["pos"].to_list() == [0, 1, 2]
    assert drops["survivor_pos"].null_count() == 3


def test_of_many_answers_all_are_known_to_differ_and_the_first_are_read(tmp_path):
    answers = [
        f"Ask {word} gardener." for word in ("one old", "a young", "the red", "my tall", "no such", "our")
    ]
    found = outcome(frame(asked(*answers)), tmp_path)
    assert len(answers) > MOST_READ
    assert flags_of(found) == dict.fromkeys(range(len(answers)), "other_answer")


SAID = st.sampled_from([RIPE, UNRIPE, REWORDED, ELSE, "Yes.", "No."])
CONVERSATIONS = st.lists(st.lists(st.tuples(st.sampled_from("ab"), SAID), min_size=1, max_size=2), max_size=8)


def conversation(said: list[tuple[str, str]]) -> list[dict]:
    return [m for question, answer in said for m in (message("user", question), message("assistant", answer))]


@settings(deadline=None, max_examples=60)
@given(CONVERSATIONS, st.sampled_from(["flag", "keep_one", "drop"]), st.integers(1, 4), st.randoms())
def test_neither_batches_nor_arrival_matter_and_what_stays_does_not_differ(made, action, batches, random):
    rows = frame([conversation(said) for said in made])
    with tempfile.TemporaryDirectory() as folder:
        found = outcome(rows, Path(folder), action=action)
        order = list(range(rows.height))
        random.shuffle(order)
        again = outcome(rows[order], Path(folder), batches=batches, action=action)
        for one, other in zip(found, again, strict=True):
            assert one.equals(other) if isinstance(one, pl.DataFrame) else one == other
        kept = rows.filter(~pl.col("pos").is_in(found.drops["pos"].implode()))
        if action != "flag":
            assert outcome(kept, Path(folder)).counts["differing"] == 0
        assert found.counts["differing"] == found.flags["pos"].n_unique() == found.flags.height
    assert dict(found.drops.schema) == DROPS_SCHEMA
    assert dict(found.pairs.schema) == PAIRS_SCHEMA
    assert dict(found.flags.schema) == FLAGS_SCHEMA
