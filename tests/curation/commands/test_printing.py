"""What is printed for a program, and what is red."""

import pytest

from curation.commands.printing import colour, failures_in_red, one_line


def red(text: str) -> str:
    return f"\x1b[31m{text}\x1b[0m"


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("few rows     FAILED    12  more than 3", red("few rows     FAILED    12  more than 3")),
        ("FAILED     loss 0.31, more than 0.1", red("FAILED     loss 0.31, more than 0.1")),
        ("differs  train/part-00000.parquet", red("differs  train/part-00000.parquet")),
        ("few rows     passed    12", "few rows     passed    12"),
        ("few rows     waived    12", "few rows     waived    12"),
        ("what FAILEDx says", "what FAILEDx says"),
    ],
)
def test_lines_of_what_failed_are_red_and_no_others(line, shown):
    assert failures_in_red(f"gate\n{line}\nroot") == f"gate\n{shown}\nroot"


def test_a_document_is_one_line_of_canonical_json():
    assert one_line({"b": ["é\n"], "a": None}) == '{"a":null,"b":["é\\n"]}'


@pytest.mark.parametrize(("value", "found"), [("1", False), ("", None), (None, None)])
def test_no_color_counts_when_it_is_not_empty(monkeypatch, value, found):
    monkeypatch.delenv("NO_COLOR", raising=False)
    if value is not None:
        monkeypatch.setenv("NO_COLOR", value)
    assert colour() is found
