"""overlap: the compiled search finds what a plain walk over words finds."""

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.stages.contamination.overlap import Index, Overlap, Text, plain, texts_of
from curation.stages.contamination.references import Reference
from curation.stages.near_duplicates.shingles import words

NGRAM = 8  # passages prove six words; an anchor has as many


def test_what_is_looked_for():
    long, short = "one two three four five six seven", "one two three four five"
    assert texts_of(Reference("f", 3, (short, long, "x")), 6) == [Text("f", 3, long)]
    assert texts_of(Reference("f", 3, ("x", short)), 6) == [Text("f", 3, short)]
    assert texts_of(Reference("f", 3, ()), 6) == []


def test_many_hits_in_one_search_all_count():
    text = " ".join(f"w{chr(97 + n % 26)}{chr(97 + n // 26)}" for n in range(300))
    index = Index([Reference("f", 0, (text,))], ngram=13, min_share=0.5)
    assert index.search([[text]] * 400) == dict.fromkeys(range(400), Overlap("f", 0, 1.0))


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (r'{"output": "one\ntwo\tthree"}', '{"output": "one two three"}'),
        (r"caf\u00e9 \ud83d\ude00 end", "caf\u00e9    end"),
        (r"snake\_case \*bold\*", "snake_case *bold*"),
        ("a &lt;b&gt; &quot;c&quot;&nbsp;d", 'a <b> "c"\u00a0d'),
        ("<p>one<br/>two</p><code class='x'>three</code>", " one two  three "),
        ("x < y & z > w; C:\\new", "x < y & z > w; C: ew"),
    ],
)
def test_escapes_neither_part_nor_join_words(written, meant):
    assert plain(written) == meant


spoken = st.lists(st.sampled_from(["oak", "elm", "Ash.", "fir", "\u00df", "7", "yew\n"]), max_size=40).map(
    " ".join
)
edited = st.lists(st.tuples(st.integers(0, 39), st.sampled_from(["", "box", "oak elm"])), max_size=4)


def changed(text: str, edits: list[tuple[int, str]]) -> str:
    found = text.split()
    for place, other in edits:
        if found:
            found[place % len(found)] = other
    return " ".join(found)


@settings(deadline=None, max_examples=80)
@given(st.data(), st.lists(spoken, min_size=1, max_size=4), st.sampled_from([0.0, 0.3, 0.5, 0.8, 1.0]))
def test_search_agrees_with_a_plain_walk(data, texts, min_share):
    said = st.one_of(spoken, st.builds(changed, st.sampled_from(texts), edited))
    rows = data.draw(st.lists(st.lists(said, max_size=3), max_size=4))
    references = [Reference("f", number, (text,)) for number, text in enumerate(texts)]
    index = Index(references, ngram=NGRAM, min_share=min_share)
    found = index.search(rows)
    looked_for = [(n, wanted) for n, text in enumerate(texts) if len(wanted := spelt(text)) >= NGRAM]
    for row, messages in enumerate(rows):
        shares = [share for _, wanted in looked_for if (share := held(messages, wanted, min_share))]
        # What is hardly more than numbers is told apart in another way, which other tests show.
        if shares:
            assert found[row].share == pytest.approx(max(shares))
        elif row in found:
            assert found[row].record not in {n for n, _ in looked_for}
    # Neither other rows nor their order matter.
    assert index.search(rows[::-1]) == {len(rows) - 1 - row: overlap for row, overlap in found.items()}


def spelt(text: str) -> list[str]:
    return [word for word in words(text) if not word.isdigit()]


def held(messages: list[str], wanted: list[str], min_share: float) -> float:
    """The share of a text that messages hold; 0 where they hold too little."""
    covered: set[int] = set()
    proven = 0
    for message in messages:
        said, met = spelt(message), set()
        for b, a in anchors(wanted, said):
            if (a, b) in met or len(covered) == len(wanted):
                continue
            ahead, gaps = follow(wanted, said, a, b)
            back, others = follow(wanted[::-1], said[::-1], len(wanted) - a, len(said) - b)
            pairs = ahead + [(len(wanted) - 1 - i, len(said) - 1 - j) for i, j in back]
            met.update(pairs)
            places = {i for i, _ in pairs}
            proof = len(pairs) - 2 * (gaps + others)
            if proof > 4 or len(places) == len(wanted):
                proof -= len(places & covered)
                proven = proof if proven == 0 else proven + max(0, proof - 4)
                covered |= places
    share = len(covered) / len(wanted)
    return share if share == 1 or (proven >= 6 and share >= min_share - 1e-9) else 0


def anchors(wanted: list[str], said: list[str]) -> Iterator[tuple[int, int]]:
    for b in range(len(said) - 5):
        same = [a for a in range(len(wanted) - 5) if said[b : b + 6] == wanted[a : a + 6]]
        yield from ((b, a) for a in same[:4])


def follow(wanted: list[str], said: list[str], a: int, b: int) -> tuple[list[tuple[int, int]], int]:
    """Pairs of places of equal words from two places on, and the gaps between them."""
    pairs, gaps = [], 0
    while True:
        while a < len(wanted) and b < len(said) and wanted[a] == said[b]:
            pairs.append((a, b))
            a, b = a + 1, b + 1
        skips = [(x, y) for x in range(5) for y in range(5) if len(wanted[a + x : a + x + 2]) == 2]
        skips = [(x, y) for x, y in skips if wanted[a + x : a + x + 2] == said[b + y : b + y + 2]]
        if not skips:
            return pairs, gaps
        x, y = min(skips, key=lambda one: (max(one), -min(one), -one[0]))
        a, b, gaps = a + x, b + y, gaps + 1
