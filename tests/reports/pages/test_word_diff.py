"""Word diffs: both sides are whole but for equal stretches that are left out."""

from hypothesis import given, settings
from hypothesis import strategies as st

from reports.pages.word_diff import CONTEXT, word_diff

WORDS = st.lists(st.sampled_from(["a", "bee", "sea ", "\n", ".", "é", "<b>"]), max_size=40).map(" ".join)


def test_words_that_stand_on_one_side_only_are_marked():
    found = word_diff("water the garden early", "water a garden early")
    assert [p.text for p in found.left if p.kind == "gone"] == ["the"]
    assert [p.text for p in found.right if p.kind == "gone"] == ["a"]


def test_equal_texts_have_nothing_marked():
    assert {p.kind for p in word_diff("one two", "one two").left} == {"same"}


def test_long_equal_stretches_become_a_gap_that_counts_their_words():
    same = " ".join(["word"] * 500)
    found = word_diff(f"x {same}", f"y {same}")
    (gap,) = [p for p in found.left if p.kind == "gap"]
    assert gap.text.endswith("equal words")
    assert int(gap.text.split()[0]) >= 500 - CONTEXT


def test_very_long_texts_are_cut_and_say_so():
    assert word_diff("a " * 5000, "a " * 5000).cut


@settings(max_examples=60, deadline=None)
@given(WORDS, WORDS)
def test_pieces_put_together_are_the_text(left, right):
    found = word_diff(left, right)
    for side, text in ((found.left, left), (found.right, right)):
        if not any(piece.kind == "gap" for piece in side):
            assert "".join(piece.text for piece in side) == text
