"""How much of what is trained thinks, and what is said of a mixture that teaches not to."""

import polars as pl
import pytest

from curation.dataset.thinking import (
    Thoughts,
    all_of,
    figured_thoughts,
    share_text,
    teaches_not_to_think,
    thought_figures,
    thoughts_by_group,
)
from curation.row import frame, message

MESSAGE = {"role": pl.String, "content": pl.String, "weight": pl.UInt8}


def part(*rows):
    """A shard of (group, messages)."""
    said = [[{key: m.get(key) for key in MESSAGE} for m in messages] for _, messages in rows]
    kinds = {"group": pl.String, "messages": pl.List(pl.Struct(MESSAGE))}
    return pl.DataFrame({"group": [group for group, _ in rows], "messages": said}, schema=kinds)


ASKED = message("user", "</think> is a tag")
PLAIN = message("assistant", "42")
THINKS = message("assistant", "<think>\nsix sevens\n</think>\n\n42")
EMPTY = message("assistant", "<think>\n\n</think>\n\n42")


def test_rows_and_trained_turns_with_a_thought_that_says_something_are_counted_by_group():
    shards = [
        part(("maths", [ASKED, THINKS, ASKED, PLAIN]), ("talk", [ASKED, PLAIN])),
        part(("maths", [ASKED, EMPTY]), ("maths", [ASKED, {**THINKS, "weight": 0}, ASKED, PLAIN])),
    ]
    found = thoughts_by_group(shards)
    assert found == {"maths": Thoughts(3, 1, 4, 1), "talk": Thoughts(1, 0, 1, 0)}
    assert all_of(found) == Thoughts(4, 1, 5, 1)
    assert share_text(all_of(found)).startswith("1 of 4 rows (25.0\u00a0%) and 1 of 5 trained turns think")


def test_shards_made_before_turns_had_weights_are_counted():
    old = part(("a", [ASKED, THINKS])).with_columns(
        pl.col("messages").list.eval(pl.struct(pl.element().struct.field("role", "content")))
    )
    assert thoughts_by_group([old]) == {"a": Thoughts(1, 1, 1, 1)}


@pytest.mark.parametrize(
    ("whole", "thinking", "warned"),
    [
        (Thoughts(10, 0, 10, 0), "as_is", True),
        (Thoughts(10, 4, 10, 4), "as_is", True),
        (Thoughts(10, 5, 10, 5), "as_is", False),
        (Thoughts(10, 0, 10, 0), "empty", False),
        (Thoughts(0, 0, 0, 0), "as_is", False),
    ],
)
def test_a_mixture_where_most_turns_do_not_think_is_told_with_the_way_out(whole, thinking, warned):
    told = teaches_not_to_think(whole, thinking)
    assert (told is not None) == warned
    assert told is None or "`train.thinking: empty`" in told


def test_a_run_counts_the_same_by_source_on_rows_as_they_are_written():
    rows = [("maths", [ASKED, THINKS, ASKED, PLAIN]), ("talk", [ASKED, PLAIN])]
    rows += [("maths", [ASKED, EMPTY]), ("maths", [ASKED, {**THINKS, "weight": 0}, ASKED, PLAIN])]
    written = frame([said for _, said in rows], [None] * 4)
    figures = thought_figures(written.with_columns(source=pl.Series(group for group, _ in rows)))
    groups = {"maths": "maths", "talk": "talk", "gone": "maths"}
    assert figured_thoughts(figures, groups) == thoughts_by_group([part(*rows)])
    assert figured_thoughts({}, groups) == {}
