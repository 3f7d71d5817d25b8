"""Quotas add up, are off by at most one, and respect the caps; rows are taken by digest."""

from fractions import Fraction

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.mixture.quotas import (
    Available,
    Infeasible,
    MixturePlan,
    group_quotas,
    largest_total,
    plan,
    select,
    source_quotas,
)
from curation.row import digest


def has(**rows: int) -> dict[str, Available]:
    """One source per group, each row of ten tokens."""
    return {group: Available(count, 10 * count, group) for group, count in rows.items()}


def planned(available, **told) -> MixturePlan:
    found = plan(available, **told)
    assert isinstance(found, MixturePlan), found
    return found


HALVES = {"a": 0.5, "b": 0.5}


def test_the_scarcest_group_sets_the_largest_total():
    solved = planned(has(a=100, b=10), shares=HALVES, total="max", max_repeat=1)
    assert (solved.total, dict(solved.groups)) == (20, {"a": 10, "b": 10})


def test_repeats_raise_the_largest_total():
    solved = planned(has(a=100, b=10), shares=HALVES, total="max", max_repeat=4)
    assert dict(solved.groups) == {"a": 40, "b": 40}


def test_largest_remainders_round_up():
    assert group_quotas(10, {"a": 0.34, "b": 0.33, "c": 0.33}) == {"a": 4, "b": 3, "c": 3}
    assert group_quotas(2, {"c": 1 / 3, "b": 1 / 3, "a": 1 / 3}) == {"c": 0, "b": 1, "a": 1}


def test_decimal_shares_are_exact():
    assert group_quotas(10, {"a": 0.7, "b": 0.2, "c": 0.1}) == {"a": 7, "b": 2, "c": 1}


def test_a_groups_quota_follows_weight_times_available():
    sources = {"x": Available(100, 0, "g"), "y": Available(100, 0, "g", 3.0), "other": Available(9, 0, "h")}
    assert source_quotas(40, sources, "g", "rows", 4) == {"x": 10, "y": 30}


def test_what_a_source_cannot_give_goes_to_the_others_of_its_group():
    sources = {"x": Available(100, 0, "g"), "y": Available(10, 0, "g", 9.0)}
    assert source_quotas(100, sources, "g", "rows", 2) == {"x": 80, "y": 20}


def test_a_source_without_rows_gets_no_quota():
    sources = {"x": Available(5, 0, "g"), "empty": Available(0, 0, "g", 100.0)}
    assert source_quotas(5, sources, "g", "rows", 1) == {"x": 5, "empty": 0}


def test_stop_answers_who_is_short_by_how_much():
    answer = plan(has(a=1000, b=10), shares=HALVES, total=100, max_repeat=4, on_shortage="stop")
    assert isinstance(answer, Infeasible)
    assert answer.short == {"b": 10}


def test_shrink_takes_the_largest_feasible_total():
    solved = planned(has(a=1000, b=10), shares=HALVES, total=100, on_shortage="shrink")
    assert (solved.total, solved.asked_total, solved.shortage) == (80, 100, "shrink")


def test_redistribute_keeps_the_total():
    shares = {"a": 0.5, "b": 0.3, "c": 0.2}
    solved = planned(has(a=1000, b=5, c=1000), shares=shares, total=100, on_shortage="redistribute")
    assert dict(solved.groups) == {"a": 57, "b": 20, "c": 23}
    assert solved.shortage == "redistribute"


def test_repeat_goes_up_to_sixteen():
    solved = planned(has(a=1000, b=10), shares=HALVES, total=320, on_shortage="repeat")
    assert (solved.max_repeat, dict(solved.groups)) == (16, {"a": 160, "b": 160})
    assert isinstance(plan(has(a=1000, b=10), shares=HALVES, total=322, on_shortage="repeat"), Infeasible)


def test_a_group_without_rows_makes_max_infeasible():
    for way in ("stop", "shrink", "redistribute", "repeat"):
        answer = plan(has(a=1000, b=0), shares=HALVES, total="max", on_shortage=way)
        assert isinstance(answer, Infeasible)
        assert answer.short == {"b": 0}


def test_a_group_with_share_zero_gives_nothing():
    solved = planned(has(a=10, b=10), shares={"a": 1.0, "b": 0.0}, total="max", max_repeat=1)
    assert dict(solved.sources) == {"a": 10, "b": 0}


SHARES = st.lists(st.integers(1, 20), min_size=1, max_size=5).map(
    lambda parts: {"abcde"[i]: part / sum(parts) for i, part in enumerate(parts)}
)
COUNTS = st.integers(0, 60)


@st.composite
def problems(draw, least: int = 0):
    """Shares, and up to three sources for each of their groups."""
    shares = draw(SHARES)
    available = {}
    for group in shares:
        for number in range(draw(st.integers(1, 3))):
            rows = draw(st.integers(least, 60))
            weight = draw(st.sampled_from([0.1, 0.5, 1.0, 1.0, 3.0]))
            available[f"{group}{number}"] = Available(rows, rows * 10, group, weight)
    return shares, available


@given(st.integers(0, 10_000), SHARES)
def test_quotas_add_up_and_are_off_by_at_most_one(total, shares):
    quotas = group_quotas(total, shares)
    whole = sum(Fraction(repr(share)) for share in shares.values())
    assert sum(quotas.values()) == total
    assert all(abs(quotas[g] - total * Fraction(repr(s)) / whole) < 1 for g, s in shares.items())


@given(st.integers(0, 10_000), SHARES)
def test_quotas_do_not_depend_on_order(total, shares):
    assert group_quotas(total, dict(reversed(shares.items()))) == group_quotas(total, shares)


@given(
    problems(),
    st.integers(1, 2000),
    st.integers(1, 6),
    st.sampled_from(["stop", "shrink", "redistribute", "repeat"]),
)
def test_a_plan_adds_up_and_respects_the_caps(problem, total, max_repeat, on_shortage):
    shares, available = problem
    solved = plan(available, shares=shares, total=total, max_repeat=max_repeat, on_shortage=on_shortage)
    if isinstance(solved, Infeasible):
        assert solved.short
        return
    assert sum(solved.groups.values()) == sum(solved.sources.values()) == solved.total <= total
    for group, quota in solved.groups.items():
        assert quota == sum(solved.sources[n] for n, a in available.items() if a.group == group)
    for name, quota in solved.sources.items():
        assert 0 <= quota <= available[name].rows * solved.max_repeat
    if solved.shortage is None:
        assert dict(solved.groups) == group_quotas(total, shares)
    backwards = dict(reversed(available.items()))
    again = plan(
        backwards,
        shares=dict(reversed(shares.items())),
        total=total,
        max_repeat=max_repeat,
        on_shortage=on_shortage,
    )
    assert isinstance(again, MixturePlan)
    assert (dict(again.groups), dict(again.sources)) == (dict(solved.groups), dict(solved.sources))


@given(problems(least=1), st.integers(1, 4))
def test_no_larger_total_is_feasible_than_max(problem, max_repeat):
    shares, available = problem
    solved = plan(available, shares=shares, total="max", max_repeat=max_repeat)
    assert isinstance(solved, MixturePlan)
    for larger in (*range(solved.total + 1, solved.total + 40), 2 * solved.total + 1):
        assert isinstance(plan(available, shares=shares, total=larger, max_repeat=max_repeat), Infeasible)


@given(problems(least=1), st.integers(1, 3000))
def test_shrink_never_gives_more_than_was_asked(problem, total):
    shares, available = problem
    solved = plan(available, shares=shares, total=total, on_shortage="shrink")
    assert isinstance(solved, MixturePlan)
    assert solved.total <= total


def test_a_total_is_feasible_when_exact_parts_fit_before_rounding():
    assert largest_total(HALVES, {"a": 100, "b": 10}) == 20
    assert isinstance(plan(has(a=100, b=10), shares=HALVES, total=21, max_repeat=1), Infeasible)
    assert largest_total(HALVES, {"a": 100, "b": 10}, 7) == 7


def frame(sizes: dict[str, list[int]], *, shift: int = 0) -> pl.DataFrame:
    """Rows of several sources; `sizes` are their tokens."""
    rows = [
        (pos, 0, f"sha256:{source}-{n}", source, source[0], tokens)
        for pos, (source, n, tokens) in enumerate(
            (source, n, tokens) for source, several in sizes.items() for n, tokens in enumerate(several)
        )
    ]
    schema = {
        "pos": pl.UInt64,
        "piece": pl.UInt32,
        "id": pl.String,
        "source": pl.String,
        "group": pl.String,
        "tokens": pl.UInt32,
    }
    return pl.DataFrame(rows[shift:] + rows[:shift], schema=schema, orient="row")


def available_of(rows: pl.DataFrame) -> dict[str, Available]:
    counted = rows.group_by("source").agg(pl.len(), pl.col("tokens").cast(pl.Int64).sum())
    return {source: Available(count, tokens, source[0]) for source, count, tokens in counted.iter_rows()}


def test_the_lowest_digests_are_taken():
    rows = frame({"a": [1] * 50})
    chosen = select(rows, planned(available_of(rows), shares={"a": 1.0}, total=7), seed=3)
    lowest = sorted(range(50), key=lambda n: digest(3, f"sha256:a-{n}"))[:7]
    assert chosen["pos"].to_list() == sorted(lowest)
    assert chosen["repeat"].to_list() == [1] * 7
    assert chosen.schema == {"pos": pl.UInt64, "piece": pl.UInt32, "repeat": pl.UInt16}


def test_a_source_repeats_whole_passes_and_then_its_lowest_rows():
    rows = frame({"a": [1] * 10})
    chosen = select(rows, planned(available_of(rows), shares={"a": 1.0}, total=23), seed=3)
    assert chosen["repeat"].value_counts().sort("repeat").rows() == [(1, 10), (2, 10), (3, 3)]
    third = chosen.filter(pl.col("repeat") == 3)["pos"].to_list()
    assert third == sorted(sorted(range(10), key=lambda n: digest(3, f"sha256:a-{n}"))[:3])


def test_another_seed_chooses_other_rows():
    rows = frame({"a": [1] * 50})
    solved = planned(available_of(rows), shares={"a": 1.0}, total=7)
    assert not select(rows, solved, seed=1).equals(select(rows, solved, seed=2))


def test_rows_of_equal_ids_are_told_apart_by_position():
    rows = frame({"a": [1] * 4}).with_columns(id=pl.lit("same"))
    solved = planned(available_of(rows), shares={"a": 1.0}, total=2)
    assert select(rows.reverse(), solved, seed=1)["pos"].to_list() == [0, 1]


def test_an_empty_plan_selects_nothing():
    rows = frame({"a": [1, 1], "b": [1]})
    solved = planned(available_of(rows), shares={"a": 0.0, "b": 1.0}, total=1)
    assert select(rows, solved, seed=1)["pos"].to_list() == [2]


SIZES = st.fixed_dictionaries(
    {name: st.lists(st.integers(1, 30), min_size=1, max_size=8) for name in ("a1", "a2", "b1")}
)


@given(SIZES, st.integers(1, 3), st.integers(0, 5), st.integers(0, 16))
def test_rows_fill_their_quotas_exactly_in_any_order(sizes, max_repeat, seed, shift):
    rows = frame(sizes)
    solved = planned(available_of(rows), shares={"a": 0.6, "b": 0.4}, total="max", max_repeat=max_repeat)
    chosen = select(rows, solved, seed=seed)
    got = chosen.join(rows, on=["pos", "piece"]).group_by("source").len()
    assert dict(got.iter_rows()) == {name: quota for name, quota in solved.sources.items() if quota}
    assert chosen.height == chosen.n_unique()
    assert chosen["repeat"].max() <= max_repeat
    assert select(frame(sizes, shift=shift), solved, seed=seed).equals(chosen)


@given(SIZES, st.integers(1, 3), st.integers(1, 200))
def test_by_tokens_each_group_is_within_one_row_of_its_quota(sizes, max_repeat, total):
    rows = frame(sizes)
    solved = plan(
        available_of(rows), shares={"a": 0.6, "b": 0.4}, unit="tokens", total=total, max_repeat=max_repeat
    )
    if isinstance(solved, Infeasible):
        assert solved.short
        return
    chosen = select(rows, solved, seed=1).join(rows, on=["pos", "piece"])
    got = dict(chosen.group_by("group").agg(pl.col("tokens").cast(pl.Int64).sum()).iter_rows())
    longest = dict(rows.group_by("group").agg(pl.col("tokens").max()).iter_rows())
    for group, quota in solved.groups.items():
        assert quota - longest[group] < got.get(group, 0) <= quota
    assert chosen["repeat"].max() is None or chosen["repeat"].max() <= max_repeat


def test_a_mixture_by_tokens_needs_them_counted():
    rows = frame({"a": [1, 2]})
    solved = planned(available_of(rows), shares={"a": 1.0}, unit="tokens", total=2)
    with pytest.raises(AssertionError, match="counts them first"):
        select(rows.with_columns(tokens=pl.lit(None, pl.UInt32)), solved, seed=1)


@given(
    st.dictionaries(st.sampled_from("abcd"), st.integers(0, 5000), min_size=1).filter(
        lambda h: any(h.values())
    )
)
def test_natural_shares_write_every_row_once(had):
    solved = planned(has(**had), shares="natural")
    assert (dict(solved.groups), dict(solved.sources)) == (had, had)


def test_natural_shares_keep_their_proportions_in_a_smaller_total():
    solved = planned(has(a=100, b=10), shares="natural", total=55)
    assert dict(solved.groups) == {"a": 50, "b": 5}


def test_natural_shares_of_nothing_are_infeasible():
    answer = plan(has(a=0, b=0), shares="natural")
    assert isinstance(answer, Infeasible)
    assert answer.short == {"a": 0, "b": 0}
