import shutil
from pathlib import Path

import pytest
from tiny_dataset import RUN_METRICS, judged, manifest_of, tiny_dataset, tiny_recipe

from curation.dataset.gate_metrics import exposure, measures, source_shares
from curation.dataset.manifest import read_manifest
from curation.recipe.load import TrainSettings
from curation.recipe.metrics import METRICS, SOURCE_METRICS
from curation.recipe.metrics import RUN_METRICS as MEASURED_BY_THE_RUN


@pytest.fixture(scope="module")
def dataset(tmp_path_factory) -> Path:
    return tiny_dataset(tmp_path_factory.mktemp("gates") / "tiny")


def value(dataset: Path, metric: str, **options) -> float | None:
    (gate,) = judged(dataset, {"metric": metric, "max": 1e9}, **options).gates
    return gate.measured


@pytest.mark.parametrize(
    ("metric", "measured"),
    [
        ("mixture.max_share_error", 0.0),
        ("mixture.max_repeat", 1),
        ("rows.train", 12),
        ("rows.eval", 1),
        ("eval.leaked_rows", 0),
        ("eval.near_train_pairs", 0),
        ("dedupe.capped", 0),
    ],
)
def test_metrics_of_the_whole_dataset(dataset, metric, measured):
    assert value(dataset, metric) == measured


def test_token_metrics_count_against_the_context(dataset):
    options = {"tokenizer": {"path": "tokenizer.json"}}
    assert value(dataset, "tokens.max", **options) == 50
    assert value(dataset, "tokens.over_context", **options) == 0
    assert value(dataset, "tokens.over_context", **options, train={"max_seq_length": 49}) == 13


def test_source_metrics_are_shares_of_the_rows_read(dataset):
    gate = {"metric": "source.invalid_share", "max": 1}
    for metric, web, books in [
        ("source.read", 10, 10),
        ("source.invalid_share", 0.1, 0.1),
        ("source.duplicate_share", 0.1, 0.3),
        ("source.kept_share", 0.8, 0.6),
    ]:
        (result,) = judged(dataset, {**gate, "metric": metric, "max": 100}).gates
        assert {s.source: pytest.approx(s.measured) for s in result.sources} == {"web": web, "books": books}


def test_a_share_tells_of_the_source_and_not_of_take():
    """900 of 1,000 rows were left out; of the 100 taken, 10 were duplicates and 20 invalid."""
    counts = [
        ("unselected", "take", None, 900),
        ("train", None, None, 70),
        ("dropped", "exact_duplicates", "exact_duplicate", 10),
        ("dropped", "chat", "no_answer", 20),
    ]
    kinds = {"chat": "chat", "exact_duplicates": "exact_duplicates"}
    shares = source_shares(counts, kinds)
    assert shares["source.read"] == 1000
    assert shares["source.invalid_share"] == pytest.approx(0.2)
    assert shares["source.duplicate_share"] == pytest.approx(0.1)
    assert shares["source.kept_share"] == pytest.approx(0.7)


def test_a_stage_that_comes_twice_counts_twice():
    counts = [("dropped", "tools", "unknown_tool", 1), ("dropped", "tools-2", "orphan_result", 1)]
    shares = source_shares([*counts, ("train", None, None, 2)], {"tools": "tools", "tools-2": "tools"})
    assert shares["source.invalid_share"] == 0.5


def test_a_source_without_a_row_has_no_share():
    assert source_shares([], {})["source.kept_share"] is None


@pytest.mark.parametrize(
    ("train", "times"),
    [
        ({"epochs": 3.0}, 3.0 * 2),
        # 10 updates of 2 * 8 packed sequences of 100 tokens over 800 tokens: 20 epochs
        ({"max_steps": 10, "max_seq_length": 100}, 20 * 2),
        # 10 updates of 16 rows over 16 rows: 10 epochs
        ({"max_steps": 10, "packing": False}, 10 * 2),
    ],
)
def test_exposure_is_repeats_times_epochs(train, times):
    shards = {"max_repeat": 2, "train": 16, "train_tokens": 800}
    assert exposure(shards, TrainSettings(**train)) == pytest.approx(times)


def test_exposure_of_packed_rows_needs_their_tokens(tmp_path):
    without = tiny_dataset(tmp_path / "tiny", tokens=None)
    (gate,) = judged(without, {"metric": "mixture.max_exposure", "max": 9}).gates
    assert (gate.measured, gate.passed, gate.detail) == (None, False, "not measured")


@pytest.mark.parametrize("metric", ["pii.found", "tools.valid_share", "language.kept_share"])
def test_what_nobody_measured_fails(dataset, metric):
    (gate,) = judged(dataset, {"metric": metric, "max": 1e9}).gates
    assert (gate.passed, gate.detail) == (False, "not measured")


@pytest.mark.parametrize("metric", METRICS)
def test_every_metric_of_a_recipe_can_be_measured(dataset, metric):
    recipe = tiny_recipe()
    every = dict.fromkeys(MEASURED_BY_THE_RUN, 0.5)
    found = measures(dataset, every, manifest_of(dataset, recipe), recipe)
    if metric in SOURCE_METRICS:
        assert all(found.by_source[source][metric] is not None for source in recipe.sources)
    else:
        assert found.overall[metric] is not None


def test_eval_may_be_empty(tmp_path):
    dataset = tiny_dataset(tmp_path / "tiny")
    shutil.rmtree(dataset / "eval")
    found = measures(dataset, RUN_METRICS, read_manifest(dataset), tiny_recipe())
    assert found.overall["rows.eval"] == 0
