"""Sections of benchmarks/RESULTS.md."""

import sys
from importlib import import_module

import pytest

from benchmarks import validation
from benchmarks.results import RESULTS, machine, write_section

BENCHMARKS = sorted(
    path.stem
    for path in RESULTS.parent.glob("*.py")
    if path.stem != "results" and "write_section(" in path.read_text(encoding="utf-8")
)


def test_a_section_is_added_once_and_then_replaced(tmp_path):
    path = tmp_path / "RESULTS.md"
    write_section("one", "## One\n\nfirst", path)
    write_section("two", "## Two", path)
    write_section("one", "## One\n\n\\1 second", path)
    text = path.read_text()
    assert text.count("<!-- one -->") == text.count("<!-- /one -->") == 1
    assert "first" not in text
    assert text.index("\\1 second") < text.index("## Two")


def test_the_machine_is_named():
    assert "cores" in machine("numpy")
    assert "numpy 2" in machine("numpy")


@pytest.mark.parametrize(
    ("options", "recorded"), [([], []), (["--json"], []), (["--record"], ["validation"])]
)
def test_a_benchmark_is_recorded_only_if_asked(options, recorded, monkeypatch):
    written = []
    monkeypatch.setattr(validation, "write_section", lambda name, markdown: written.append(name))
    validation.main(["--messages", "100", *options])
    assert written == recorded


@pytest.mark.parametrize("name", BENCHMARKS)
def test_every_benchmark_can_be_recorded(name, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", [name, "--help"])
    with pytest.raises(SystemExit):
        import_module(f"benchmarks.{name}").main()
    assert "--record" in capsys.readouterr().out


def test_the_file_opens_as_a_new_one_would(tmp_path):
    write_section("one", "## One", tmp_path / "RESULTS.md")
    opening = (tmp_path / "RESULTS.md").read_text().partition("<!--")[0]
    assert RESULTS.read_text(encoding="utf-8").startswith(opening)
