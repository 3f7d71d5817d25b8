import shutil
from pathlib import Path

import jsonschema
import orjson
import pytest
from msgspec import structs
from tiny_dataset import RUN_METRICS, judged, manifest_of, tiny_dataset, tiny_recipe

from curation.dataset.gate_metrics import exposure, measures, source_shares
from curation.dataset.gates import check_gates, gates_schema, judge_again, measure, read_gates
from curation.dataset.manifest import read_manifest
from curation.errors import RecipeError, Refusal
from curation.recipe.load import Gate, TrainSettings
from curation.recipe.metrics import METRICS, SOURCE_METRICS
from curation.recipe.metrics import RUN_METRICS as MEASURED_BY_THE_RUN
from reports.pages import terminal

SCHEMA = Path(__file__).parents[3] / "schemas" / "gates.schema.json"


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


def test_its_own_bound_replaces_a_gate_s_bound_for_a_source(dataset):
    gate = {"metric": "source.duplicate_share", "max": 0.2}
    (strict,) = judged(dataset, gate).gates
    assert (strict.passed, strict.measured, strict.detail) == (False, 0.3, "books 0.3, more than 0.2")
    (own,) = judged(dataset, {**gate, "bounds": {"books": 0.3}}).gates
    assert own.passed
    assert [(s.source, s.max) for s in own.sources] == [("web", 0.2), ("books", 0.3)]
    (low,) = judged(dataset, {"metric": "source.kept_share", "min": 0.7, "bounds": {"books": 0.6}}).gates
    assert low.passed


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


def test_bounds_belong_to_what_is_allowed(dataset):
    gates = judged(
        dataset,
        {"metric": "rows.train", "min": 12, "max": 12, "name": "just"},
        {"metric": "rows.train", "min": 13, "name": "under"},
        {"metric": "rows.train", "max": 11, "name": "over"},
    ).gates
    assert [(g.passed, g.detail) for g in gates] == [
        (True, None),
        (False, "12, less than 13"),
        (False, "12, more than 11"),
    ]


def test_a_small_share_is_told_without_an_exponent_and_never_seems_equal_to_its_bound(dataset):
    tiny, over = {"metric": "pii.found", "name": "tiny"}, {"metric": "dedupe.capped"}
    metrics = {"pii.found": 5.76901e-05, "dedupe.capped": 0.010000004}
    bounds = {**tiny, "max": 0}, {**over, "max": 0.01}, {**tiny, "max": 2e-5, "name": "again"}
    found = judged(dataset, *bounds, metrics=metrics)
    assert [gate.detail for gate in found.gates] == [
        "0.00005769, more than 0",
        "0.010000004, more than 0.01",
        "0.00005769, more than 0.00002",
    ]
    shown = terminal.gates(found)
    assert "e-05" not in shown
    assert shown.count("0.00005769") == 4


def test_warnings_and_waived_failures_do_not_stop_a_dataset(dataset):
    gates = judged(
        dataset,
        {"metric": "rows.train", "max": 1, "severity": "warn", "name": "a warning"},
        {"metric": "rows.eval", "max": 0},
        waivers=[{"gate": "rows.eval", "reason": "small", "by": "Ada", "until": "2030-01-31"}],
    )
    assert gates.passed
    assert gates.failed == []
    (waived,) = gates.waived
    assert (waived.passed, waived.waiver.until, waived.waiver.by) == (False, "2030-01-31", "Ada")


def test_of_two_waivers_the_longer_one_counts(dataset):
    waiver = {"gate": "rows.eval", "reason": "small", "by": "Ada"}
    gates = judged(
        dataset,
        {"metric": "rows.eval", "max": 0},
        waivers=[{**waiver, "until": "2031-01-01"}, {**waiver, "until": "2030-01-01"}],
    )
    assert gates.waived[0].waiver.until == "2031-01-01"


def test_a_failed_error_stops_a_dataset(dataset):
    gates = judged(dataset, {"sql": "select count(*) from train", "max": 3, "name": "few rows"})
    assert not gates.passed
    assert [(g.name, g.measured) for g in gates.failed] == [("few rows", 12)]


def test_sql_is_checked_before_a_row_is_read_and_told_with_its_line():
    recipe = tiny_recipe()
    wrong = Gate(sql="select count(*) from read_csv('x')", max=0, name="rows")
    with pytest.raises(RecipeError, match=r"^tiny\.yaml: gates\[0\]\.sql: gate rows: no table"):
        check_gates(structs.replace(recipe, gates=[wrong]))
    right = [Gate(sql="select count(*) from ledger", max=0, name="rows"), Gate(metric="rows.eval", max=1)]
    check_gates(structs.replace(recipe, gates=right))


def test_gates_come_back_as_they_were_written_with_the_run_s_metrics(dataset):
    gates = read_gates(dataset)
    assert gates.passed
    assert gates.metrics == RUN_METRICS
    again = measure(
        dataset,
        tiny_recipe().gates,
        gates.metrics,
        manifest=manifest_of(dataset, tiny_recipe()),
        recipe=tiny_recipe(),
    )
    assert again.as_dict() == gates.as_dict()


def test_gates_meet_their_schema_which_is_the_stored_one(dataset):
    assert orjson.loads(SCHEMA.read_bytes()) == gates_schema()
    jsonschema.Draft202012Validator(gates_schema()).validate(
        orjson.loads((dataset / "gates.json").read_bytes())
    )


def test_every_flipped_byte_of_the_gates_is_noticed(dataset, tmp_path):
    shutil.copy(dataset / "gates.json", tmp_path)
    data = (tmp_path / "gates.json").read_bytes()
    for at in range(0, len(data), 5):
        (tmp_path / "gates.json").write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
        with pytest.raises(Refusal):
            read_gates(tmp_path)


def test_eval_may_be_empty(tmp_path):
    dataset = tiny_dataset(tmp_path / "tiny")
    shutil.rmtree(dataset / "eval")
    found = measures(dataset, RUN_METRICS, read_manifest(dataset), tiny_recipe())
    assert found.overall["rows.eval"] == 0


def test_a_dataset_is_judged_again_from_its_files(tmp_path):
    dataset = tiny_dataset(tmp_path / "tiny")
    assert judge_again(dataset).as_dict() == read_gates(dataset).as_dict()
    shard = dataset / "train/part-00000.parquet"
    shard.write_bytes(shard.read_bytes()[:-1])
    with pytest.raises(Refusal, match=r"part-00000\.parquet: \d+ bytes; the manifest says \d+; `aj verify"):
        judge_again(dataset)
