"""exact_duplicates: one of equals stays, by source order and position, whatever arrives first."""

import orjson
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st
from over_all import split_by

from curation.recipe.stages import ExactDuplicates
from curation.row import frame, message, row_id
from curation.stages.exact_duplicates import STAGE, find_duplicates, keep_order, prepare
from curation.stages.seam import DROPS_SCHEMA, MASKS_SCHEMA, PAIRS_SCHEMA, Context, Split


def rows_of(*texts: str, sources=None, tools=None) -> pl.DataFrame:
    rows = frame([[message("user", text)] for text in texts], tools)
    return rows.with_columns(source=pl.Series(sources, dtype=pl.String)) if sources else rows


def exact_duplicates(rows: pl.DataFrame, *, keep=(), sources=()) -> Split:
    settings = ExactDuplicates(keep=list(keep))
    return split_by(STAGE, settings, rows, sources=sources or sorted(rows["source"].unique()))


def test_the_first_of_equals_stays():
    rows = rows_of("a", "b", "a", "a")
    kept, dropped = exact_duplicates(rows)
    assert kept["pos"].to_list() == [0, 1]
    assert dropped["pos"].to_list() == [2, 3]
    assert dropped["reason"].unique().to_list() == ["exact_duplicate"]
    survivor = row_id(rows["messages"][0], None)
    assert [orjson.loads(d) for d in dropped["detail"]] == [{"duplicate_of": survivor, "similarity": 1.0}] * 2


def test_sources_named_in_keep_come_first_then_recipe_order():
    rows = rows_of("a", "a", "a", sources=["web", "book", "mail"])
    assert exact_duplicates(rows, sources=["web", "book", "mail"]).kept["source"].to_list() == ["web"]
    kept, _ = exact_duplicates(rows, keep=["mail"], sources=["web", "book", "mail"])
    assert kept["source"].to_list() == ["mail"]
    assert keep_order(["mail"], ["web", "book", "mail"]) == {"mail": 0, "web": 1, "book": 2}


def test_tools_system_prompts_and_calls_make_a_difference():
    called = {"id": "1", "name": "f", "arguments": "{}"}
    rows = frame(
        [
            [message("user", "a")],
            [message("system", "s"), message("user", "a")],
            [message("user", "a"), message("assistant", tool_calls=[called])],
            [message("user", "a"), message("assistant", tool_calls=[{**called, "arguments": "{ }"}])],
            [message("user", "a")],
        ],
        tools=[None, None, None, None, "[]"],
    )
    assert exact_duplicates(rows).dropped.height == 0


def test_pieces_of_one_row_are_told_apart():
    rows = rows_of("a", "a").with_columns(pos=pl.lit(7, pl.UInt64), piece=pl.Series([1, 2], dtype=pl.UInt32))
    kept, dropped = exact_duplicates(rows)
    assert (kept["piece"].to_list(), dropped["piece"].to_list()) == ([1], [2])


def test_the_stage_names_the_survivor_of_every_drop():
    rows = rows_of("a", "b", "a", sources=["web", "web", "book"])
    prepared = STAGE.prepare(ExactDuplicates(keep=["book"]), Context(sources=("web", "book")))(rows)
    assert dict(prepared.schema) == {
        "pos": pl.UInt64,
        "piece": pl.UInt32,
        "rank": pl.UInt32,
        "digest": pl.String,
        "masked": pl.String,
    }
    outcome = STAGE.bind(ExactDuplicates(), Context())(prepared)
    assert dict(outcome.drops.schema) == DROPS_SCHEMA
    assert dict(outcome.pairs.schema) == PAIRS_SCHEMA
    assert outcome.drops.select("pos", "reason", "survivor_pos", "survivor_piece").rows() == [
        (0, "exact_duplicate", 2, 0)
    ]


def test_empty_frames_pass():
    kept, dropped = exact_duplicates(rows_of())
    assert (kept.height, dropped.height) == (0, 0)
    assert find_duplicates(prepare(rows_of(), order={})).drops.height == 0


cells = st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["web", "book", "mail"])), max_size=12)


@settings(deadline=None)
@given(cells, st.lists(st.sampled_from(["web", "book", "mail"]), unique=True), st.randoms())
def test_arrival_cannot_matter_and_every_row_has_one_fate(made, keep, random):
    rows = rows_of(*[text for text, _ in made], sources=[source for _, source in made])
    kept, dropped = exact_duplicates(rows, keep=keep)
    assert sorted([*kept["pos"], *dropped["pos"]]) == rows["pos"].to_list()
    assert kept["messages"].n_unique() == kept.height == rows["messages"].n_unique()
    assert exact_duplicates(kept, keep=keep).dropped.height == 0
    prepared = prepare(rows, order=keep_order(keep, ["book", "mail", "web"]))
    order = list(range(rows.height))
    random.shuffle(order)
    assert find_duplicates(prepared[order]).drops.equals(find_duplicates(prepared).drops)
    assert find_duplicates(prepared).drops["pos"].to_list() == dropped["pos"].to_list()


def test_weights_are_not_compared_and_a_turn_masked_in_any_copy_is_masked_in_the_one_that_stays():
    said = [message("user", "a"), message("assistant", "b"), message("user", "c"), message("assistant", "d")]
    rows = frame(
        [
            [m | ({"weight": 0} if n in masked else {}) for n, m in enumerate(said)]
            for masked in ((3,), (1,), ())
        ]
    )
    outcome = find_duplicates(prepare(rows, order={"rows": 0}))
    assert outcome.drops["pos"].to_list() == [1, 2]
    assert outcome.masks.rows() == [(0, 0, 1)]
    assert dict(outcome.masks.schema) == MASKS_SCHEMA
    assert find_duplicates(prepare(rows[2:], order={"rows": 0})).masks.is_empty()
