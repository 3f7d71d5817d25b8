"""`aj gate`: the verdicts for a person, in red where one failed, and gates.json for a program."""

import json
import sys
from pathlib import Path

from terminal import on_a_terminal
from tiny_dataset import tiny_dataset

from aj import main
from curation.files import canonical

ROOT = Path(__file__).resolve().parents[3]
FAILS = {"gates": [{"metric": "rows.train", "min": 1}, {"metric": "rows.train", "max": 1, "name": "few"}]}


def test_for_a_program_it_is_gates_json_on_one_line(tmp_path, capsys):
    dataset = tiny_dataset(tmp_path / "tiny")
    assert main(["gate", str(dataset), "--json"]) == 0
    told = capsys.readouterr().out
    assert told == f"{canonical(json.loads((dataset / 'gates.json').read_bytes())).decode()}\n"


def test_what_failed_is_red_and_nothing_else(tmp_path):
    dataset = tiny_dataset(tmp_path / "tiny", **FAILS)
    shown = on_a_terminal([sys.executable, str(ROOT / "aj.py"), "gate", str(dataset)])
    red = [line for line in shown.splitlines() if "\x1b" in line]
    assert len(red) == 1
    assert red[0].startswith("\x1b[31mfew ")
    assert " FAILED " in red[0]
    assert red[0].endswith("\x1b[0m")


def test_no_color_and_a_pipe_have_none(tmp_path, monkeypatch, capsys):
    dataset = tiny_dataset(tmp_path / "tiny", **FAILS)
    assert main(["gate", str(dataset)]) == 1
    piped = capsys.readouterr().out
    monkeypatch.setenv("NO_COLOR", "1")
    assert on_a_terminal([sys.executable, str(ROOT / "aj.py"), "gate", str(dataset)]) == piped
    assert "\x1b" not in piped
