"""What belongs together goes whole to train or to eval."""

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from curation.mixture.clusters import clusters, eval_rows


def index(rows: list[tuple[int, str | None, str]]) -> pl.DataFrame:
    """Rows as (pos, first_user, group), with an id each."""
    frame = pl.DataFrame(
        rows, schema={"pos": pl.UInt64, "first_user": pl.String, "group": pl.String}, orient="row"
    )
    return frame.with_columns(id=pl.format("sha256:{}", pl.int_range(pl.len())))


def test_a_dropped_row_connects_the_two_rows_it_resembles():
    rows = index([(1, None, "a"), (3, None, "a"), (9, None, "a")])
    assert clusters(rows, [(1, 2), (3, 2)]).to_list() == [1, 1, 9]


def test_rows_with_one_first_question_are_one_cluster_and_empty_ones_are_not():
    rows = index([(0, "q", "a"), (1, "q", "b"), (2, None, "a"), (3, None, "a")])
    assert clusters(rows, []).to_list() == [0, 0, 2, 3]


def test_pieces_of_a_row_share_its_cluster():
    rows = index([(4, "x", "a"), (4, "y", "a"), (5, "y", "a")])
    assert clusters(rows, []).to_list() == [4, 4, 4]


def test_eval_takes_the_floor_of_each_groups_share():
    rows = index([(n, None, "a" if n < 30 else "b") for n in range(55)])
    chosen = rows.with_columns(rows["pos"].alias("cluster"))
    held = rows.filter(eval_rows(chosen, 0.1, seed=17))
    assert dict(held["group"].value_counts().iter_rows()) == {"a": 3, "b": 2}


def test_a_cluster_over_two_groups_goes_to_eval_only_if_both_have_room():
    rows = index([(n, None, "big") for n in range(200)] + [(200 + n, None, "small") for n in range(5)])
    joined = rows.with_columns(cluster=pl.when(pl.col("pos") >= 199).then(199).otherwise(pl.col("pos")))
    held = joined.filter(eval_rows(joined.with_columns(pl.col("cluster").cast(pl.UInt64)), 0.1, seed=1))
    assert held.height == 20
    assert set(held["group"]) == {"big"}
    assert 199 not in held["pos"].to_list()


@given(
    st.lists(st.tuples(st.integers(0, 12), st.sampled_from("ab")), min_size=1, max_size=60),
    st.floats(0, 0.9),
    st.integers(0, 5),
)
def test_eval_is_whole_clusters_within_every_groups_room(rows, share, seed):
    frame = index([(n, None, group) for n, (_, group) in enumerate(rows)])
    frame = frame.with_columns(pl.Series("cluster", [c for c, _ in rows], dtype=pl.UInt64))
    held = eval_rows(frame, share, seed)
    mixed = frame.with_columns(held=held).group_by("cluster").agg(pl.col("held").n_unique())
    assert mixed["held"].to_list() == [1] * mixed.height
    for group, size, taken in (
        frame.with_columns(held=held).group_by("group").agg(pl.len(), pl.col("held").sum()).iter_rows()
    ):
        assert taken <= share * size + 1e-6, group


def test_a_group_of_twenty_gives_eval_at_least_as_many_rows_as_asked():
    sizes = {"small": 19, "just": 20, "big": 250}
    rows = index(
        [(n, None, group) for n, group in enumerate(g for g, size in sizes.items() for _ in range(size))]
    )
    held = rows.filter(eval_rows(rows.with_columns(cluster=pl.col("pos")), 0.01, seed=1, at_least=1))
    assert dict(held["group"].value_counts().iter_rows()) == {"just": 1, "big": 2}
