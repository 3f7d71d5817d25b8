import pytest

from curation.recipe.metrics import full_names, measured_by_run


def test_metrics_are_made_of_the_counts_of_the_stages_that_ran():
    counted = {"tools.rows": 4, "tools.valid": 3, "tools.repaired": 0, "pii.email": 2, "pii.found": 2}
    assert measured_by_run(counted, ["tools", "pii"]) == {
        "tools.valid_share": 0.75, "tools.repaired_share": 0.0, "pii.email": 2, "pii.found": 2,
    }  # fmt: skip
    nothing = {"tools.rows": 0, "tools.valid": 0, "tools.repaired": 0, "language.rows": 0, "language.kept": 0}
    assert measured_by_run(nothing, ["tools", "language"]) == {
        "tools.valid_share": 1.0, "tools.repaired_share": 0.0, "language.kept_share": 1.0,
    }  # fmt: skip


def test_what_a_stage_did_not_count_is_not_measured_though_it_ran():
    assert measured_by_run({}, ["tools", "pii", "near_duplicates"]) == {}
    counted = {"tools.rows": 4, "tools.valid": 3}
    assert measured_by_run(counted, ["tools", "language"]) == {"tools.valid_share": 0.75}


def test_a_stage_counts_under_its_name_or_the_one_that_its_entry_gives():
    assert full_names("tools", {"rows": 2}) == {"tools.rows": 2}
    assert full_names("near_duplicates", {"capped": 0.0}) == {"dedupe.capped": 0.0}
    with pytest.raises(AssertionError, match=r"tools counts what .* does not declare: tools\.lines"):
        full_names("tools", {"rows": 2, "lines": 3})
