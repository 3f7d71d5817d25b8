"""The compiled search against plain Python: the same words, the same fates, any number of threads."""

import ctypes
import json
import mmap
import os
import random
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.stages.near_duplicates import kernels, minhash
from curation.stages.near_duplicates.linking import link_small
from curation.stages.near_duplicates.shingles import jaccard, shingles, words
from tests.curation.stages.near_duplicates.test_linking import components, greedy, pairs_of


def texts_of(strings):
    array = pa.array(strings, pa.large_string())
    _, offsets, data = array.buffers()
    ends = np.frombuffer(offsets, np.int64)[: len(array) + 1]
    return minhash.Texts(ends[:-1] + (data.address if data else 0), np.diff(ends), array)


def link(strings, contexts=None, threshold=0.8, threads=2):
    contexts = np.array([1] * len(strings) if contexts is None else contexts, np.uint64)
    order = np.arange(len(strings), dtype=np.uint32)
    return minhash.link(texts_of(strings), contexts, order, threshold, threads=threads)


def word_hashes(text):
    texts = texts_of([text])
    out = np.zeros(len(text.encode()) // 2 + 1, np.uint64)
    address, length = int(texts.addresses[0]), int(texts.lengths[0])
    end = kernels._hash_words(address, length, minhash.characters(), out.ctypes.data)
    return out[: (end - out.ctypes.data) // 8].tolist()


def near_rows(count, seed=3, length=(3, 20, 60, 200)):
    """Rows of made-up words, some of them edited copies of others, in random order."""
    rng = random.Random(seed)
    rows = []
    while len(rows) < count:
        row = [f"w{rng.randrange(2000)}" for _ in range(rng.choice(length))]
        rows.append(" ".join(row))
        for _ in range(rng.choice([0, 0, 1, 3])):
            copy = [word if rng.random() > 0.02 else "edited" for word in row]
            rows.append(" ".join(copy))
    rng.shuffle(rows)
    return rows[:count]


def test_every_character_has_the_same_words_and_hash_as_in_python():
    known = {}
    codes = [c for c in (*range(0x40000), 0xE0100, 0x10FFFF) if not 0xD800 <= c < 0xE000]
    for start in range(0, len(codes), 4096):
        text = "".join(f"ab{chr(c)}Cd {chr(c)}\n" for c in codes[start : start + 4096])
        expected = words(text)
        hashes = word_hashes(text)
        assert len(hashes) == len(expected)
        assert all(known.setdefault(w, h) == h for w, h in zip(expected, hashes, strict=True))
    assert len(set(known.values())) == len(known)


# fmt: off
SNIPPETS = st.sampled_from([
    "word", "Straße", "STRASSE", "it\u2019s", "日本語", "ไทย", "नमस्ते", "é", "e\u0301", "_", " ", "\n", ". ",
    "K", "k", "a" * 63, "B" * 64, "c" * 65, "d" * 200, "12345678", "1234567", "ﬁ", "😀", "\u200d", "мир", "٣",
])
# fmt: on


@settings(deadline=None)
@given(st.one_of(st.text(max_size=200), st.lists(SNIPPETS, max_size=60).map("".join)))
def test_words_do_not_depend_on_where_they_lie(text):
    hashes = word_hashes(text)
    expected = words(text)
    assert len(hashes) == len(expected)
    alone = [word_hashes(word)[0] for word in expected]
    assert hashes == alone


ROOT = Path(__file__).resolve().parents[4]
WORDS_OF_ARGUMENTS = """
import json, sys
from tests.curation.stages.near_duplicates.test_minhash import word_hashes
print(json.dumps([word_hashes(text) for text in json.loads(sys.argv[1])]))
"""


def test_words_do_not_depend_on_the_processor(tmp_path):
    # Word characters, others and foreign ones at every place of the 64 bytes that are read at once.
    texts = ["ab " * 21 + "c" * more + tail for more in range(4) for tail in (" de fg", "é de fg", "")]
    # The plainest processor of this kind: it has fewer instructions than ours.
    plain = {"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": "", "NUMBA_CACHE_DIR": str(tmp_path)}
    command = [sys.executable, "-c", WORDS_OF_ARGUMENTS, json.dumps(texts)]
    told = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **plain}, capture_output=True, text=True, check=True
    )
    assert json.loads(told.stdout) == [word_hashes(text) for text in texts]


@pytest.fixture
def guarded():
    """The middle one of three pages, of which the others may not be read."""
    page = mmap.PAGESIZE
    memory = mmap.mmap(-1, 3 * page)
    begin = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    libc = ctypes.CDLL(None, use_errno=True)
    for unread in (0, 2):
        assert libc.mprotect(ctypes.c_void_p(begin + unread * page), ctypes.c_size_t(page), 0) == 0
    yield begin + page
    libc.mprotect(ctypes.c_void_p(begin), ctypes.c_size_t(3 * page), mmap.PROT_READ | mmap.PROT_WRITE)


@pytest.mark.skipif(sys.platform != "linux", reason="guards pages as Linux does")
def test_no_byte_before_or_behind_a_text_is_read(guarded):
    sample = "Ab c1_ fgh\u00e9 " * 12 + "a" * 140
    for length in range(1, len(sample) + 1):
        for text in (sample[:length], sample[-length:]):
            encoded = text.encode()
            out = np.zeros(len(encoded) // 2 + 1, np.uint64)
            for address in (guarded, guarded + mmap.PAGESIZE - len(encoded)):
                ctypes.memmove(address, encoded, len(encoded))
                end = kernels._hash_words(address, len(encoded), minhash.characters(), out.ctypes.data)
                assert out[: (end - out.ctypes.data) // 8].tolist() == word_hashes(text)


@given(st.lists(st.integers(0, 40), max_size=60), st.integers(0, 2**32 - 1), st.data())
def test_rows_share_a_bucket_when_they_have_the_same_key(small, odd, data):
    # Multiples of an odd number reach all bits of the key, and stay different.
    keys = np.array([key * (odd | 1) % 2**32 for key in small], np.uint32)
    taken = sorted(data.draw(st.sets(st.integers(0, max(0, len(small) - 1))))) if small else []
    ranks = np.array(data.draw(st.permutations(range(len(taken)))), np.uint64)
    members, sizes = minhash.shared(keys, np.array(taken, np.int64), ranks)
    ends = np.cumsum(sizes)
    found = [set(members[end - size : end].tolist()) for end, size in zip(ends, sizes, strict=True)]
    by_key = defaultdict(set)
    for row, rank in zip(taken, ranks.tolist(), strict=True):
        by_key[small[row]].add(rank)
    assert sorted(map(sorted, found)) == sorted(sorted(own) for own in by_key.values() if len(own) > 1)


@pytest.mark.parametrize("threshold", [0.5, 0.7, 0.8, 0.9, 1.0])
def test_rows_meet_the_fate_that_the_definition_gives_them(threshold):
    rows = near_rows(700)
    contexts = [row.count("7") % 3 for row in rows]
    links = link(rows, contexts, threshold)
    kept, pairs = greedy(rows, contexts, threshold)
    assert np.flatnonzero(links.survivors < 0).tolist() == kept
    found = pairs_of(links, threshold)
    assert found <= pairs
    assert components(len(rows), found) == components(len(rows), pairs)
    sets = [shingles(row) for row in rows]
    for row in np.flatnonzero(links.survivors >= 0):
        assert links.survivors[links.survivors[row]] == -1
        assert contexts[links.survivors[row]] == contexts[row]
        assert links.similarities[row] == jaccard(sets[row], sets[links.survivors[row]]) >= threshold
    for one, other, similarity in zip(links.one, links.other, links.similarity, strict=True):
        assert similarity == jaccard(sets[one], sets[other])


@settings(deadline=None, max_examples=50)
@given(
    st.lists(st.lists(st.sampled_from(["a", "b", "日", "ไ", "é", "-", "d e f"]), max_size=9), max_size=8),
    st.sampled_from([0.6, 0.8]),
)
def test_tiny_rows_of_any_script_agree_with_plain_python(rows, threshold):
    rows = [" ".join(row) for row in rows]
    native, plain = link(rows, threshold=threshold), link_small(rows, [1] * len(rows), threshold)
    assert native.survivors.tolist() == plain.survivors.tolist()
    assert native.similarities.tolist() == plain.similarities.tolist()


def test_threads_and_file_order_do_not_matter(monkeypatch):
    monkeypatch.setattr(minhash, "SIGN_BYTES", 1 << 12)
    monkeypatch.setattr(minhash, "COMPARE_ROWS", 16)
    rows = near_rows(2000, length=(8, 30))
    expected = link(rows, threads=1)
    for threads in (2, 5):
        found = link(rows, threads=threads)
        assert all(np.array_equal(a, b) for a, b in zip(found[:5], expected[:5], strict=True))
        assert found.metrics == expected.metrics
    shuffled = np.random.default_rng(0).permutation(len(rows)).astype(np.uint32)
    order = np.empty_like(shuffled)
    order[shuffled] = np.arange(len(rows), dtype=np.uint32)
    texts = texts_of([rows[k] for k in shuffled])
    found = minhash.link(texts, np.ones(len(rows), np.uint64), order, 0.8)
    assert np.array_equal(found.survivors, expected.survivors)
    assert sorted(zip(*found[2:5], strict=True)) == sorted(zip(*expected[2:5], strict=True))


def test_bands_rarely_miss_a_pair_at_the_threshold():
    for threshold in np.arange(0.3, 1.0, 0.01):
        bands, rows = minhash.bands_for(threshold)
        assert bands * rows <= kernels.SLOTS
        assert (1 - threshold**rows) ** bands <= minhash.MISS
    assert minhash.bands_for(0.8) == (25, 5)
    assert minhash.bands_for(1.0) == (1, 128)


def test_an_empty_input_and_rows_without_a_word():
    assert link([]).survivors.tolist() == []
    links = link(["", "?!", "", "…", "?!"])
    assert links.survivors.tolist() == [-1] * 5
    assert len(links.one) == 0


def test_identical_rows_stay_linear():
    links = link(["The same words, over and over again."] * 50_000)
    assert links.survivors.tolist() == [-1] + [0] * 49_999
    assert links.metrics["verified"] == 0


def test_identical_rows_under_many_contexts_all_stay_and_are_connected():
    links = link(["The same words, over and over again."] * 5000, range(5000))
    assert (links.survivors < 0).all()
    assert len(set(links.one.tolist())) == 4999


def test_near_identical_rows_stay_linear():
    rng = random.Random(5)
    base = [f"w{k}" for k in range(150)]
    rows = [" ".join([*base[:k], f"edit{n}", *base[k:]]) for n in range(5000) for k in [rng.randrange(150)]]
    links = link(rows)
    assert (links.survivors < 0).sum() == 1
    assert links.metrics["verified"] <= 1.2 * len(rows)


def templated(count, share, spread):
    """Rows of 100 words that have `share` of them in common; the others at the end, or spread out."""
    rng = random.Random(6)
    template = [f"t{k}" for k in range(100)]
    own = range(0, 100, round(1 / (1 - share))) if spread else range(round(100 * share), 100)
    return [
        " ".join(f"u{rng.randrange(10**6)}" if k in own else word for k, word in enumerate(template))
        for _ in range(count)
    ]


@pytest.mark.parametrize(("share", "spread"), [(0.7, False), (0.7, True), (0.9, True)])
def test_rows_that_share_a_template_but_not_their_shingles_stay(share, spread):
    links = link(templated(3000, share, spread))
    assert (links.survivors < 0).all()


def test_what_is_dropped_of_a_template_is_really_a_duplicate():
    rows = templated(1000, 0.9, spread=False)
    links = link(rows)
    for row in np.flatnonzero(links.survivors >= 0):
        assert jaccard(shingles(rows[row]), shingles(rows[links.survivors[row]])) >= 0.8


def test_one_very_long_row_among_short_ones():
    long = " ".join(f"w{k}" for k in range(400_000))
    links = link([long, "short row of a few words here", long + " end", "", long.upper()])
    assert links.survivors.tolist() == [-1, -1, 0, -1, 0]
