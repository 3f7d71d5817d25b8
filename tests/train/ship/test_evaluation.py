from train.ship.evaluation import Measured, verdicts_of


def test_what_was_not_measured_fails():
    metrics = {"loss": Measured(2.0, 1.9, 2.1, 10)}
    bounds = [
        {"metric": "loss", "max": 2.0},
        {"metric": "tools.valid_share", "min": 0.5},
        {"metric": "loss", "min": 3},
    ]
    assert [verdict.passed for verdict in verdicts_of(bounds, metrics)] == [True, False, False]
