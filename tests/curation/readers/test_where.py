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
