"""The answer to a mixture that cannot be had."""

# Answers stand here whole, as users see them.
# ruff: noqa: E501

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.mixture.funnel import Drop, Funnel
from curation.mixture.quotas import Available, Infeasible, MixturePlan, plan
from curation.mixture.shortage import Answer, answer, fresh_worth, render

SHARES = {"conversational": 0.5, "plants": 0.15, "strategic": 0.1, "apothecary": 0.1, "custom": 0.15}
ORIGINAL = {
    "conversational": 127_000,
    "plants": 70_000,
    "strategic": 14_600,
    "apothecary": 89,
    "custom": 45_000,
}


def problem(counts: dict[str, int] | None = None, **told) -> Infeasible:
    """The original's mixture, with other counts."""
    rows = ORIGINAL | (counts or {})
    available = {group: Available(count, 300 * count, group) for group, count in rows.items()}
    found = plan(available, shares=SHARES, **({"total": 127_366} | told))
    assert isinstance(found, Infeasible)
    return found


def test_the_original_is_answered_with_four_ways():
    assert render(problem()).splitlines() == [
        "mixture infeasible: apothecary can give 356 of 12,737 rows (89 different rows, max_repeat 4)",
        "ways out, best first (keys under `mixture:`)",
        "  1  redistribute  127,366 rows; 12,381 (9.7 %) go to groups with room  →  on_shortage: redistribute",
        "                   conversational 55.4 % · custom 16.6 % · plants 16.6 % · strategic 11.1 % · apothecary 0.28 %",
        "  2  shrink        3,560 rows, 2.8 % of 127,366; the shares stay  →  on_shortage: shrink",
        "                   conversational 1,780 · custom 534 · plants 534 · apothecary 356 · strategic 356",
        "  3  add rows      3,096 more different rows of apothecary",
        "  4  repeat more   up to 144 copies of a row; 12,737 rows worth about 1,458 fresh  →  max_repeat: 144 and a waiver",
        "                   beyond 16 copies little more is learnt (Muennighoff et al. 2023, arXiv 2305.16264)",
    ]  # fmt: skip


def test_the_figures_of_the_original():
    found = answer(problem())
    ways = {way.kind: way for way in found.ways}
    assert [way.kind for way in found.ways] == ["redistribute", "shrink", "add", "repeat"]
    assert 3_500 < ways["shrink"].total < 3_600
    assert ways["shrink"].groups["apothecary"].quota == 356
    assert ways["shrink"].groups["apothecary"].repeats == 4
    assert ways["redistribute"].total == 127_366
    assert ways["add"].add == {"apothecary": 3_096}
    assert (ways["repeat"].cap, ways["repeat"].waiver) == (144, True)


def test_a_small_shortage_is_best_met_by_repeats():
    first = answer(problem({"apothecary": 2_500})).ways[0]
    assert (first.kind, first.cap, first.change, first.waiver) == ("repeat", 6, "on_shortage: repeat", False)
    assert "beyond 4, copies teach less than fresh rows" in render(problem({"apothecary": 2_500}))


def test_up_to_four_repeats_go_without_a_warning():
    text = render(problem({"apothecary": 4_000}, max_repeat=2))
    assert "up to 4 copies of a row" in text
    assert "beyond" not in text


def test_several_short_groups_are_listed_worst_first():
    lines = render(problem({"apothecary": 1_000, "custom": 1_000})).splitlines()
    assert lines[:3] == [
        "mixture infeasible: 2 groups fall short at max_repeat 4",
        "  custom can give 4,000 of 19,105 rows (1,000 different rows, max_repeat 4)",
        "  apothecary can give 4,000 of 12,737 rows (1,000 different rows, max_repeat 4)",
    ]
    assert "  3  add rows      more different rows: custom 3,777 · apothecary 2,185" in lines


def test_an_empty_group_leaves_redistributing_and_adding():
    found = answer(problem({"apothecary": 0}))
    assert [way.kind for way in found.ways] == ["redistribute", "add"]
    assert "apothecary has a share of 10 % and no rows left" in render(problem({"apothecary": 0}))


def test_for_a_total_of_max_an_empty_group_can_be_removed():
    found = answer(problem({"apothecary": 0}, total="max"))
    assert [way.kind for way in found.ways] == ["remove", "add"]
    assert found.ways[0].change == "remove apothecary from shares and sources"
    assert found.ways[0].total > 100_000


def test_missing_tokens_are_told_in_rows_too():
    text = render(problem(total=127_366 * 300, unit="tokens"))
    assert "928,545 more tokens of apothecary (about 3,096 rows)" in text


def test_the_answer_is_json():
    found = answer(problem())
    assert msgspec.convert(msgspec.to_builtins(found), Answer) == found


@pytest.mark.parametrize(
    ("unique", "written", "worth"),
    [(100, 100, 100), (100, 50, 50), (100, 200, 197), (100, 400, 373), (100, 10**6, 1639)],
)
def test_copies_are_worth_what_the_paper_fitted(unique, written, worth):
    assert round(fresh_worth(unique, written)) == worth


COUNTS = st.fixed_dictionaries({group: st.integers(0, 3_000) for group in SHARES})


@given(
    COUNTS, st.integers(1, 6), st.integers(1, 30_000) | st.just("max"), st.sampled_from(["rows", "tokens"])
)
def test_every_answer_is_short_and_every_way_works(counts, max_repeat, total, unit):
    available = {group: Available(count, 7 * count, group) for group, count in counts.items()}
    told = {"shares": SHARES, "unit": unit}
    found = plan(available, total=total, max_repeat=max_repeat, **told)
    if isinstance(found, MixturePlan):
        return
    text = render(found)
    assert len(text.splitlines()) < 15
    assert max(map(len, text.splitlines())) <= 130
    for way in answer(found).ways:
        if way.kind in {"shrink", "redistribute"}:
            solved = plan(available, total=total, max_repeat=max_repeat, on_shortage=way.kind, **told)
            assert isinstance(solved, MixturePlan)
            assert dict(solved.groups) == {group: share.quota for group, share in way.groups.items()}
        elif way.kind == "repeat":
            assert isinstance(plan(available, total=total, max_repeat=way.cap, **told), MixturePlan)
            assert isinstance(plan(available, total=total, max_repeat=way.cap - 1, **told), Infeasible)
        elif way.kind == "add" and total != "max":
            grown = {
                group: Available(had.rows + way.add.get(group, 0), had.tokens + way.add.get(group, 0), group)
                for group, had in available.items()
            }
            assert isinstance(plan(grown, total=total, max_repeat=max_repeat, **told), MixturePlan)


def lost(group: str, rows: int, of: int, reason: str = "bad_role", kind: str = "chat") -> dict[str, Funnel]:
    """A group that one stage took rows from."""
    drop = Drop(stage=kind, kind=kind, reason=reason, rows=rows, said="narrator", place=("b", "b.jsonl", 4))
    return {group: Funnel(read=of, drops=[drop])}


def test_a_group_that_one_reason_killed_is_to_be_mended_and_never_removed():
    found = problem({"apothecary": 0}, total="max")
    assert [way.kind for way in answer(found).ways] == ["remove", "add"]
    ways = answer(found, lost("apothecary", 8, 8)).ways
    assert [way.kind for way in ways] == ["mend", "add"]
    assert render(found, lost("apothecary", 8, 8)).splitlines() == [
        "mixture infeasible: apothecary has a share of 10 % and no rows left",
        "apothecary: 8 rows read, 0 left by the stages",
        "  chat: bad_role 8 (100.0%): narrator; 0 left",
        "    such as b:b.jsonl:4",
        "ways out, best first (keys under `mixture:`)",
        "  1  mend          chat: bad_role 8 of 8 rows of apothecary (narrator)  →  `reader: map`, with narrator under `roles`: a role, or skip",
        "  2  add rows      1 more different rows of apothecary",
    ]  # fmt: skip


def test_mending_comes_first_where_it_makes_up_for_what_is_missing():
    found = problem()
    assert answer(found, lost("apothecary", 5_000, 5_089)).ways[0].kind == "mend"
    assert answer(found, lost("apothecary", 3, 92)).ways[0].kind == "redistribute"


@pytest.mark.parametrize(("reason", "kind"), [("exact_duplicate", "exact_duplicates"), ("filtered", "read")])
def test_duplicates_and_what_where_leaves_out_are_not_to_be_mended(reason, kind):
    assert not [w for w in answer(problem(), lost("apothecary", 5_000, 9_000, reason, kind)).ways if w.drop]


def test_a_where_that_leaves_nothing_is_told():
    found = problem({"apothecary": 0}, total="max")
    assert answer(found, lost("apothecary", 8, 8, "filtered", "read")).ways[0].change == "a wider `where`"
