import shutil
from pathlib import Path

import jsonschema
import orjson
import pytest
from msgspec import structs
from tiny_dataset import RUN_METRICS, judged, manifest_of, tiny_dataset, tiny_recipe

from curation.dataset.gates import check_gates, gates_schema, judge_again, measure, read_gates
from curation.errors import RecipeError, Refusal
from curation.recipe.load import Gate

SCHEMA = Path(__file__).parents[3] / "schemas" / "gates.schema.json"


@pytest.fixture(scope="module")
def dataset(tmp_path_factory) -> Path:
    return tiny_dataset(tmp_path_factory.mktemp("gates") / "tiny")


def test_its_own_bound_replaces_a_gate_s_bound_for_a_source(dataset):
    gate = {"metric": "source.duplicate_share", "max": 0.2}
    (strict,) = judged(dataset, gate).gates
    assert (strict.passed, strict.measured, strict.detail) == (False, 0.3, "books 0.3, more than 0.2")
    (own,) = judged(dataset, {**gate, "bounds": {"books": 0.3}}).gates
    assert own.passed
    assert [(s.source, s.max) for s in own.sources] == [("web", 0.2), ("books", 0.3)]
    (low,) = judged(dataset, {"metric": "source.kept_share", "min": 0.7, "bounds": {"books": 0.6}}).gates
    assert low.passed


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


def test_a_dataset_is_judged_again_from_its_files(tmp_path):
    dataset = tiny_dataset(tmp_path / "tiny")
    assert judge_again(dataset).as_dict() == read_gates(dataset).as_dict()
    shard = dataset / "train/part-00000.parquet"
    shard.write_bytes(shard.read_bytes()[:-1])
    with pytest.raises(Refusal, match=r"part-00000\.parquet: \d+ bytes; the manifest says \d+; `aj verify"):
        judge_again(dataset)
