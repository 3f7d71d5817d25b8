"""The validation benchmark, small: that its contenders answer the same question."""

import json
import sys

from benchmarks import validation


def test_all_contenders_agree_on_every_message():
    results = validation.measure(600, rounds=1)
    assert len(results) == 5
    assert validation.disagreements(results) == 0


def test_the_messages_are_repeatable_and_some_are_invalid():
    calls = validation.make_calls(1000)
    assert calls == validation.make_calls(1000)
    invalid = validation.by_stage(validation.make_frame(calls), bash=False).count(False)
    assert 10 <= invalid <= 60


def test_the_last_line_is_one_json_object(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["validation", "--messages", "200", "--json"])
    validation.main()
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("| 200 tool-call messages |")
    assert json.loads(lines[-1])["disagreements"] == 0
