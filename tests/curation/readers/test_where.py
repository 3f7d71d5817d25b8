"""`where`: which values pass, and what happens to records without the column."""

import pytest

from curation.readers.where import filtered, passes
from curation.sources.records import Filtered
from curation.turns.shape import Unfit


@pytest.mark.parametrize(
    ("wanted", "value", "passing"),
    [
        ("English", "English", True),
        ("English", "english", False),
        (["English", "French"], "French", True),
        (False, False, True),
        (False, 0, False),
        (1, True, False),
        (1, 1.0, True),
        (True, "True", True),
        (2, " 2 ", True),
        ("no", "no", True),
        (None, None, True),
        (["a", None], None, True),
        ("a", None, False),
    ],
)
def test_values_that_pass(wanted, value, passing):
    assert passes({"column": wanted})("column", value) is passing


def test_the_first_column_that_does_not_pass_is_the_evidence():
    where = {"language": "English", "info.toxic": False}
    one = passes(where)
    assert filtered(b'{"language": "English", "info": {"toxic": false}}', where, one) is None
    assert filtered(b'{"language": "English", "info": {"toxic": true}}', where, one) == Filtered(
        "info.toxic", True
    )


def test_a_column_that_is_not_there_is_a_fault_unless_null_is_wanted():
    with pytest.raises(Unfit, match=r"keys found: lang; expected one of: language"):
        filtered(b'{"lang": "x"}', {"language": "x"}, passes({"language": "x"}))
    assert filtered(b'{"lang": "x"}', {"language": None}, passes({"language": None})) is None


@pytest.mark.parametrize(
    ("value", "bounds", "passing"),
    [
        (0.5, {"min": 0.5}, True),
        ("0.7", {"min": 0.5, "max": 1}, True),
        (0.4, {"min": 0.5}, False),
        (3, {"max": 2}, False),
        (True, {"min": 0}, False),
        (None, {"min": 0}, False),
        ("high", {"min": 0}, False),
    ],
)
def test_a_number_within_bounds_passes(value, bounds, passing):
    assert passes({"score": bounds})("score", value) is passing


def test_the_last_of_a_list_may_be_asked_for():
    where = {"turns.rewards.-1": {"min": 1}}
    assert filtered(b'{"turns": {"rewards": [0.0, 1.0]}}', where, passes(where)) is None
    assert filtered(b'{"turns": {"rewards": [1.0, 0.0]}}', where, passes(where)).value == 0.0
