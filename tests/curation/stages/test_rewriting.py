"""rewriting: suspects are judged, everything else passes untouched and in order."""

import polars as pl

from curation.row import frame, message
from curation.stages.rewriting import Rejected, Rewritten, rewrite, rewrite_together


def rows_of(*texts):
    rows = frame([[message("user", text)] for text in texts], [None, "[]", None][: len(texts)])
    return rows.with_columns(language=pl.lit("en"))


def test_only_suspects_are_judged():
    rows = rows_of("a", "b", "c")
    kept, dropped = rewrite(rows, pl.Series([False] * 3), lambda *cells: Rejected("never", {}, None))
    assert kept.equals(rows)
    assert dropped.schema == {**rows.schema, "reason": pl.String, "detail": pl.String}


def test_rows_are_changed_dropped_and_left():
    rows = rows_of("a", "b", "c")
    verdicts = iter([Rewritten("[]", None, "new"), Rejected("why", {"n": 1}, "said"), None])
    kept, dropped = rewrite(rows, pl.Series([True, True, None]), lambda *cells: next(verdicts))
    assert kept.select("pos", "messages", "tools", "notes").rows() == [
        (0, "[]", None, "new"),
        (2, rows["messages"][2], None, None),
    ]
    assert dropped.select("pos", "tools", "notes", "reason", "detail").rows() == [
        (1, "[]", "said", "why", '{"n":1}')
    ]
    assert rows.equals(rows_of("a", "b", "c")), "the input is left as it was"


def test_suspects_can_be_judged_together():
    seen = []

    def decide(part):
        seen.append(part["pos"].to_list())
        return (Rewritten(text, None, "seen") for text in part["messages"])

    kept, _ = rewrite_together(rows_of("a", "b", "c"), pl.Series([True, False, True]), decide)
    assert seen == [[0, 2]]
    assert kept["notes"].to_list() == ["seen", None, "seen"]


def test_order_and_memory_hold_over_many_slices():
    rows = pl.concat([rows_of("a", "b", "c")] * 4000).with_columns(pos=pl.int_range(12000, dtype=pl.UInt64))
    kept, dropped = rewrite(
        rows,
        rows["tools"].is_null(),
        lambda messages, tools, notes: (
            Rejected("c", {}, None) if '"c"' in messages else Rewritten("[]", "t", None)
        ),
    )
    assert kept["pos"].is_sorted()
    assert kept["tools"].value_counts(sort=True, name="n")["n"].to_list() == [4000, 4000]
    assert dropped.height == 4000
