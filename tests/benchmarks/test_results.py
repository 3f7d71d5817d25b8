"""Sections of benchmarks/RESULTS.md."""

from benchmarks.results import machine, write_section


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
