"""The benchmark of bash, small: what it reads out of each kind of file, and what it counts."""

import shutil

import pytest

from benchmarks import bash_syntax

PAGE = "# tar\n\n- Make one:\n\n`tar {{[-c|--create]}} {{path/to/file}}`\n\n- See `zip`.\n"
TESTS = 'prop_one = verify check "ls \\"$a\\"\\n"\nother = "no"\n'


def test_each_kind_of_file_is_read_in_its_own_way(tmp_path):
    for name, text in (
        ("tar.md", PAGE),
        ("Checks.hs", TESTS),
        ("a.sh", "if x\nthen y\nfi\n"),
        ("a.py", "class A:\n    # why\n    size: int = 3\n"),
        ("a.js", "// why\nconst a = [\n  1\n];\nreturn a;\n"),
        ("list.txt", "ls -l\n\npwd\nls -l\n"),
    ):
        (tmp_path / name).write_text(text)
    (tmp_path / "b.sh").write_bytes(b"\xff")
    found = bash_syntax.commands([tmp_path, tmp_path / "list.txt"])
    assert {kind: sorted(texts) for kind, texts in found.items()} == {
        "tldr": ["tar --create path/to/file"],
        "shellcheck": ['ls "$a"\n'],
        "scripts": ["if x\nthen y\nfi\n"],
        "Python": ["class A:", "size: int = 3"],
        "JavaScript": ["return a;"],
        "commands": ["ls -l", "pwd"],
    }


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash on this machine")
def test_it_counts_where_both_differ(tmp_path, capsys):
    (tmp_path / "list.txt").write_text("ls -l\nls |\nimport os\nfind . -name '*.py'\n")
    (tmp_path / "a.js").write_text("return a;\nreturn 1;\n")
    bash_syntax.main([str(tmp_path), str(tmp_path / "list.txt"), "--show", "1"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[2].startswith("| JavaScript | 2 | 1 (50.00%) | | | ")
    assert lines[3].startswith("| commands | 4 | 2 (50.00%) | 1 | 0 | ")
    assert lines[4] == "commands, lost: 'import os'"
