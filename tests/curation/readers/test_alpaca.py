import pytest
from shapes import read, said

from curation.turns.shape import Unfit


@pytest.mark.parametrize("key", ["output", "response", "completion", "Output"])
def test_alpaca_joins_instruction_and_input(key):
    row = read("alpaca", {"instruction": "Add.", "input": "2 2", key: "4"})
    assert said(row) == [("user", "Add.\n\n2 2"), ("assistant", "4")]


def test_alpaca_without_input_with_system_and_history():
    record = {"instruction": "And?", "input": " ", "output": "b", "system": "s", "history": [["x", "a"]]}
    expected = [("system", "s"), ("user", "x"), ("assistant", "a"), ("user", "And?"), ("assistant", "b")]
    assert said(read("alpaca", record)) == expected


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({"instruction": "", "input": "", "output": "x"}, "both empty"),
        ({"instruction": "x", "out": "y"}, "expected one of: output, response, completion, answer"),
        ({"instruction": "x", "output": None}, "output is null"),
    ],
)
def test_alpaca_says_what_it_lacks(record, message):
    with pytest.raises(Unfit, match=message):
        read("alpaca", record)
