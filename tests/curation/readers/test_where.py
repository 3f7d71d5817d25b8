"""`where` and `failed`: which values pass, and what happens to records without the column."""

import pytest

from curation.errors import SourceError
from curation.readers.reading import chunks, probe, read
from curation.readers.where import failed, filtered, passes
from curation.recipe.source import Source
from curation.row import read_notes
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


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({"resolved": False}, {"column": "resolved", "value": False}),
        ({"info.exit": ["cost", "context"]}, {"column": "info.exit", "value": "cost"}),
        ({"score": {"max": 0.2}}, {"column": "score", "value": 0.1}),
        ({"resolved": True, "score": {"max": 0.2}}, {"column": "score", "value": 0.1}),
        ({"resolved": True}, None),
        ({"nowhere": [False, None]}, None),
    ],
)
def test_a_run_failed_where_any_of_the_columns_says_so(wanted, expected):
    data = b'{"resolved": false, "info": {"exit": "cost"}, "score": 0.1}'
    assert failed(data, wanted, passes(wanted)) == expected


def test_a_failed_run_is_a_row_with_a_flag(tmp_path):
    (tmp_path / "a.jsonl").write_text(
        '{"messages": [{"role": "user", "content": "q"}], "resolved": false}\n'
        '{"messages": [{"role": "user", "content": "q"}], "resolved": true}\n'
    )
    source = Source(uri="a.jsonl", reader="messages", group="g", failed={"resolved": False})
    (frame,) = read(chunks(tmp_path / "a.jsonl", source)[0], source, file="a.jsonl")
    first, second = frame["notes"]
    assert read_notes(first) == [
        {"stage": "read", "flag": "failed_run", "column": "resolved", "value": False}
    ]
    assert second is None


def test_a_column_of_outcomes_that_no_record_has_is_an_error(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"messages": [{"role": "user", "content": "q"}], "solved": true}\n')
    source = Source(uri="a.jsonl", reader="messages", group="g", failed={"resolved": False})
    with pytest.raises(
        SourceError, match=r"has `resolved`, which `failed` names; the first has: messages, solved"
    ):
        probe([tmp_path / "a.jsonl"], source, name="runs")
