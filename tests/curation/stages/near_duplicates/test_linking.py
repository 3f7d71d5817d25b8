"""Which rows are near duplicates of which, against the definition spelled out in quadratic time."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.stages.near_duplicates.linking import REPORT_EVERY, Forest, link_datasketch, link_small
from curation.stages.near_duplicates.shingles import jaccard, shingles

WORDS = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]


def greedy(texts, contexts, threshold):
    """Kept rows and pairs by comparing everything with everything."""
    sets = [shingles(text) for text in texts]
    kept, pairs = [], set()
    for row, own in enumerate(sets):
        pairs |= {(row, other) for other in range(row) if own and jaccard(own, sets[other]) >= threshold}
        if not any((row, other) in pairs and contexts[row] == contexts[other] for other in kept):
            kept.append(row)
    return kept, pairs


def components(count, pairs):
    """The smallest row that each row is connected with."""
    roots = list(range(count))
    for _ in range(count):
        for one, other in pairs:
            roots[one] = roots[other] = min(roots[one], roots[other])
    return roots


def pairs_of(links, threshold):
    found = zip(links.one.tolist(), links.other.tolist(), links.similarity.tolist(), strict=True)
    return {(one, other) for one, other, similarity in found if similarity >= threshold}


texts = st.lists(st.lists(st.sampled_from(WORDS), max_size=14).map(" ".join), max_size=12)
edited = st.lists(
    st.tuples(st.integers(0, 30), st.sampled_from(WORDS)).map(
        lambda edit: " ".join([*(WORDS * 3)[: edit[0]], edit[1], *(WORDS * 3)[edit[0] + 1 :]])
    ),
    max_size=12,
)


@settings(deadline=None)
@given(st.one_of(texts, edited), st.data(), st.sampled_from([0.3, 0.5, 0.7, 0.8, 0.9, 1.0]))
def test_small_inputs_are_settled_as_the_definition_says(rows, data, threshold):
    contexts = data.draw(st.lists(st.integers(1, 2), min_size=len(rows), max_size=len(rows)))
    links = link_small(rows, contexts, threshold)
    kept, pairs = greedy(rows, contexts, threshold)
    assert [row for row in range(len(rows)) if links.survivors[row] < 0] == kept
    found = pairs_of(links, threshold)
    assert found <= pairs
    assert components(len(rows), found) == components(len(rows), pairs)


def test_the_survivor_is_the_most_similar_kept_row():
    base = [f"w{k}" for k in range(40)]
    near, nearer = [*base[:-4], "a", "b", "c", "d"], [*base[:-1], "x"]
    links = link_small([" ".join(row) for row in (near, base, nearer)], [1, 1, 1], 0.5)
    assert links.survivors.tolist() == [-1, 0, 0]
    links = link_small([" ".join(row) for row in (near, base, nearer)], [1, 2, 2], 0.5)
    assert links.survivors.tolist() == [-1, -1, 1]


def test_nothing_is_dropped_because_of_a_dropped_row():
    base = [f"w{k}" for k in range(40)]
    chain = [base, [*base[:-3], "x", "y", "z"], ["a", "b", "c", *base[3:-3], "x", "y", "z"]]
    links = link_small([" ".join(row) for row in chain], [1, 1, 1], 0.8)
    assert links.survivors.tolist() == [-1, 0, -1]
    assert pairs_of(links, 0.8) == {(1, 0), (2, 1)}


def test_pairs_just_under_the_threshold_are_told():
    base = [f"w{k}" for k in range(40)]
    rows = [" ".join(base), *("?" for _ in range(REPORT_EVERY - 1)), " ".join([*base[:-5], *"abcde"])]
    links = link_small(rows, [1] * len(rows), 0.8)
    assert (links.survivors < 0).all()
    assert links.similarity.tolist() == [31 / 41]


@pytest.mark.parametrize("backend", [link_small, link_datasketch])
def test_copies_of_a_dropped_row_go_to_its_survivor(backend):
    base = [f"w{k}" for k in range(60)]
    other = " ".join([*base[:-1], "x"])
    links = backend([" ".join(base), other, other, other.upper() + "!"], [1] * 4, 0.8)
    assert links.survivors.tolist() == [-1, 0, 0, 0]
    assert set(links.similarities[1:]) == {55 / 57}


def test_many_copies_stay_linear():
    links = link_small(["the same seven words over and over"] * 20_000, [1] * 20_000, 0.8)
    assert links.survivors.tolist() == [-1] + [0] * 19_999


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 20))), st.randoms())
def test_the_forest_does_not_depend_on_the_order_of_pairs(pairs, random):
    shuffled = [pair if random.random() < 0.5 else pair[::-1] for pair in pairs]
    random.shuffle(shuffled)
    one, other = Forest(), Forest()
    for a, b in pairs:
        one.join(a, b)
    for a, b in shuffled:
        other.join(a, b)
    assert [one.find(n) for n in range(21)] == [other.find(n) for n in range(21)]
