"""The near-duplicate benchmark on few rows: its truth, its contenders, its tables."""

import random

import pytest

from benchmarks import near_duplicates as bench
from benchmarks.planted import (
    LEVELS,
    edited,
    enciphered,
    kept_rows,
    made_up_texts,
    planted,
    ten_scripts,
    truth,
    with_partner,
)
from curation.stages.near_duplicates.shingles import jaccard, shingles


@pytest.fixture(scope="module")
def texts():
    return [*planted(made_up_texts(150), 250), "", "?!", "only four words here", "only four words HERE!"]


def test_the_truth_is_that_of_comparing_everything_with_everything(texts):
    sets = [shingles(text) for text in texts]
    every = {
        (one, other): similarity
        for other in range(len(sets))
        for one in range(other)
        if sets[other] and (similarity := jaccard(sets[one], sets[other])) >= 0.7
    }
    assert truth(texts, 0.7) == every
    assert len(every) > 20


@pytest.mark.parametrize("level", LEVELS)
def test_an_edit_leaves_about_the_similarity_asked_for(level):
    text = " ".join(f"w{k}" for k in range(1000))
    found = jaccard(shingles(text), shingles(edited(text, level, random.Random(3))))
    assert found == pytest.approx(level, abs=0.06)


def test_a_cipher_leaves_no_word_in_common():
    text = " ".join(made_up_texts(5))
    assert not shingles(text) & shingles(enciphered(text, 1))
    assert enciphered(text, 0) == text


def test_rows_stay_one_after_the_other():
    pairs = {(0, 1): 0.9, (1, 2): 0.85, (3, 4): 0.75}
    assert kept_rows(pairs, 5, 0.8) == [0, 2, 3, 4]
    assert with_partner(pairs, 0.8) == {0, 1, 2}


@pytest.mark.parametrize("threshold", [0.7, 0.8, 0.9])
def test_ours_finds_what_is_there_and_nothing_else(texts, threshold, tmp_path):
    path = tmp_path / "texts.arrow"
    bench.write_texts(path, texts)
    pairs = truth(texts, threshold)
    found = bench.run_native(path, threshold)()
    assert set(found["flagged"]) == with_partner(pairs, threshold)
    due = set(range(len(texts))).difference(kept_rows(pairs, len(texts), threshold))
    assert set(found["dropped"]) == due


@pytest.mark.parametrize("name", ["datasketch", "rensa"])
def test_peers_find_most(texts, name, tmp_path):
    pytest.importorskip(name)
    path = tmp_path / "texts.arrow"
    bench.write_texts(path, texts)
    found = bench.CONTENDERS[name](path, 0.8)()
    recall, precision = bench.quality(found["flagged"], with_partner(truth(texts, 0.8), 0.8))
    assert recall > 0.7
    assert 0 < precision <= 1


def test_ten_scripts_are_compared_as_any_other(tmp_path):
    texts = list(ten_scripts(600))
    path = tmp_path / "texts.arrow"
    bench.write_texts(path, texts)
    pairs = truth(texts, 0.8)
    assert len(pairs) > 30
    assert set(bench.run_native(path, 0.8)()["flagged"]) == with_partner(pairs, 0.8)


def test_tables_name_every_figure():
    told = {"cpu_s": 1.0, "wall_s": 1.0, "peak_mb": 1.0, "mb_per_cpu_s": 5.0}
    told |= {f"{key}_{t}": 1.0 for t in bench.THRESHOLDS for key in ("recall", "precision", "wrong_fates")}
    table = bench.compared_table(
        {"rows": 1, "mb": 1.0, "pairs": 1, "contenders": {"native": told, "rensa": told}}
    )
    assert "| rensa, 16 bands | 5.0 | 1.0 x |" in table
    run = {
        "rows": 1,
        "mb": 1.0,
        "wall_s": 1.0,
        "cpu_s": 1.0,
        "mb_per_cpu_s": 1.0,
        "peak_mb": 1.0,
        "dropped": 0,
    }
    assert "| 1 | 1 | 1.0 |" in bench.growth_table([run])
    assert "| few |" in bench.pathological_table([{**run, "input": "few", "metrics": {"capped": 0}}])
