from curation.recipe.metrics import measured_by_run


def test_metrics_are_made_of_the_counts_of_the_stages_that_ran():
    counted = {"tools.rows": 4, "tools.valid": 3, "tools.repaired": 0, "pii.email": 2, "pii.ip": 1, "x.y": 9}
    assert measured_by_run(counted, ["tools", "pii"]) == {
        "tools.valid_share": 0.75, "tools.repaired_share": 0.0, "pii.email": 2, "pii.ip": 1, "pii.found": 3,
    }  # fmt: skip
    assert measured_by_run({}, ["tools", "language"]) == {
        "tools.valid_share": 1.0, "tools.repaired_share": 0.0, "language.kept_share": 1.0,
    }  # fmt: skip
    assert measured_by_run({"dedupe.capped": 0.0}, []) == {"dedupe.capped": 0.0}
