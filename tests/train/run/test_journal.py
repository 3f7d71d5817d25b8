"""What a run tells while it goes, on a terminal of any width."""

import io
import os
import sys

from train.run.journal import Journal, live_line

VALUES = {"loss": 1.234, "learning_rate": 2e-5, "tokens_per_s": 14_210.0, "step_s": 17.78}
LINE = "step 120/5,000  10:34:00 left  loss 1.2340  lr 2e-05  14,210 tokens/s  17.78 s/step"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_the_live_line_has_the_time_left_and_the_rate_as_recipes_write_it():
    assert live_line(120, 5_000, VALUES, 38_040) == LINE


def test_the_live_line_never_wraps(tmp_path, monkeypatch):
    # A line that wraps cannot be written over: every refresh would leave a part of it.
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setattr("shutil.get_terminal_size", lambda: os.terminal_size((60, 24)))
    with Journal(tmp_path) as journal:
        journal.line(LINE)
    assert screen.getvalue() == f"\r\033[K{LINE[:59]}\n"
