"""What a shell completes after `aj`."""

import subprocess
import sys
from pathlib import Path

import pytest
from click.shell_completion import ShellComplete

import aj
from curation.commands.verbs import HELP, commands

ROOT = Path(__file__).resolve().parents[3]


def completed(*words: str) -> list[tuple[str, str]]:
    """(kind, value) of what could stand in place of the last word."""
    shell = ShellComplete(commands, {}, "aj", "_AJ_COMPLETE")
    return [(item.type, item.value) for item in shell.get_completions([*words[:-1]], words[-1])]


def test_the_verbs_are_completed_in_the_order_of_the_work():
    assert completed("") == [("plain", verb) for verb in HELP]
    assert completed("f") == [("plain", "fetch"), ("plain", "freeze")]


def test_options_are_completed():
    assert completed("curate", "--w") == [("plain", "--workers")]
    assert ("plain", "--dry-run") in completed("train", "frozen.yaml", "--")


@pytest.mark.parametrize(
    "words",
    [
        ("curate", "rec"),
        ("curate", "r", "--out", "b"),
        ("diff", "old", ""),
        ("train", "--resume", "che"),
    ],
)
def test_paths_are_left_to_the_shell(words):
    assert completed(*words) == [("file", words[-1])]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_every_shell_has_its_script(monkeypatch, capsys, shell):
    monkeypatch.setenv("_AJ_COMPLETE", f"{shell}_source")
    assert aj.main() == 0
    assert f"_AJ_COMPLETE={shell}_complete" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("shell", "words", "place", "told"),
    [
        ("bash", "aj cur", "1", "plain,curate"),
        ("bash", "aj curate --samp", "2", "plain,--sample"),
        ("zsh", "aj cur", "1", f"plain\ncurate\n{HELP['curate']}"),
        ("fish", "aj cur", "cur", f"plain,curate\t{HELP['curate']}"),
        ("fish", "aj curate rec", "rec", "file,rec"),
    ],
)
def test_every_shell_is_answered(monkeypatch, capsys, shell, words, place, told):
    monkeypatch.setenv("_AJ_COMPLETE", f"{shell}_complete")
    monkeypatch.setenv("COMP_WORDS", words)
    monkeypatch.setenv("COMP_CWORD", place)
    assert aj.main() == 0
    assert capsys.readouterr().out == f"{told}\n"


def test_bash_completes_with_the_script(tmp_path):
    (tmp_path / "aj").write_text(f'#!/bin/sh\nexec "{sys.executable}" "{ROOT / "aj.py"}" "$@"\n')
    (tmp_path / "aj").chmod(0o755)
    script = f"""
        PATH="{tmp_path}:$PATH"
        eval "$(_AJ_COMPLETE=bash_source aj)"
        COMP_WORDS=(aj curate --sam) COMP_CWORD=2
        _aj_completion aj
        echo "${{COMPREPLY[@]}}"
        complete -p aj
    """
    ran = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
    assert ran.stdout.splitlines() == ["--sample", "complete -o nosort -F _aj_completion aj"]
