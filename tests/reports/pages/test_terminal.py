from pathlib import Path

import pytest
from tiny_dataset import judged, tiny_dataset

from reports.pages import terminal


@pytest.fixture(scope="module")
def dataset(tmp_path_factory) -> Path:
    return tiny_dataset(tmp_path_factory.mktemp("gates") / "tiny")


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
