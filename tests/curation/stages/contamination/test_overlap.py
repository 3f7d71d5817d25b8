"""overlap: the search by hashes finds what a plain comparison of n-grams finds."""

from hypothesis import given, settings
from hypothesis import strategies as st

from curation.row import frame, message
from curation.stages.contamination.overlap import BORDER, Index, Overlap, Text, grams, texts_of
from curation.stages.contamination.references import Reference
from curation.stages.contamination.stage import row_texts, searching
from curation.stages.near_duplicates.shingles import words


def test_what_is_looked_for():
    long, short = "one two three four five six seven", "one two three four five"
    assert texts_of(Reference("f", 3, (short, long, "x")), 6) == [Text("f", 3, tuple(long.split()), 6)]
    assert texts_of(Reference("f", 3, ("x", short)), 6) == [Text("f", 3, tuple(short.split()), 5)]
    bordered = (BORDER, "one", "two", "three", BORDER)
    assert texts_of(Reference("f", 3, ("one two three",)), 6) == [Text("f", 3, bordered, 5)]
    assert texts_of(Reference("f", 3, ("one two",)), 6) == []


def test_many_hits_in_one_search_all_count():
    text = " ".join(f"w{n}" for n in range(300))
    index = Index([Reference("f", 0, (text,))], ngram=3, min_share=0.5)
    assert index.search([[text]] * 400) == dict.fromkeys(range(400), Overlap("f", 0, 1.0))


said = st.lists(st.sampled_from(["a", "b", "c", "d.", "\u00df", "\u4e2d", "x\n"]), max_size=24).map(" ".join)


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.lists(said, max_size=2), max_size=5),
    st.lists(st.lists(said, max_size=2), max_size=4),
    st.integers(1, 6),
    st.sampled_from([0.0, 0.3, 0.5, 1.0]),
)
def test_search_agrees_with_plain_comparison(conversations, texts, ngram, min_share):
    rows = frame([[message("user", content) for content in c] for c in conversations])
    references = [Reference("f", i, tuple(t)) for i, t in enumerate(texts)]
    kept, dropped = searching(references, ngram, min_share)(rows)
    assert dropped["pos"].to_list() == [
        row
        for row, text in enumerate(rows["messages"])
        if any(holds(row_texts(text), wanted, min_share) for r in references for wanted in texts_of(r, ngram))
    ]
    again = searching(references, ngram, min_share)(kept)
    assert again.kept.equals(kept)


def holds(messages, wanted, min_share) -> bool:
    held = set().union(*(grams((BORDER, *words(m), BORDER), wanted.length) for m in messages))
    looked_for = grams(wanted.words, wanted.length)
    shared = len(looked_for & held)
    return shared > 0 and shared / len(looked_for) >= min_share - 1e-9
