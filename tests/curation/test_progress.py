"""A progress line appears late, on a terminal only, and says how long is left."""

import io
import sys

import pytest

from curation import progress
from curation.progress import Progress, clock


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0:00"), (59.6, "1:00"), (61, "1:01"), (3600, "1:00:00"), (3661, "1:01:01")]
)
def test_clock(seconds, text):
    assert clock(seconds) == text


def test_the_line_has_share_rate_and_time_left():
    line = Progress("reading", 200)
    line.add(50, rows=1000)
    assert line.line(10.0) == "reading   25%  100 rows/s  0:30 left"


def test_nothing_is_written_where_nobody_watches(monkeypatch):
    quiet = io.StringIO()
    monkeypatch.setattr(sys, "stderr", quiet)
    monkeypatch.setattr(progress, "SHOW_AFTER_S", -1)
    monkeypatch.setattr(progress, "REFRESH_S", -1)
    with Progress("reading", 2) as line:
        line.add(1)
    assert quiet.getvalue() == ""


def test_a_terminal_sees_the_line_and_then_a_clean_one(monkeypatch):
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setattr(progress, "SHOW_AFTER_S", -1)
    monkeypatch.setattr(progress, "REFRESH_S", -1)
    with Progress("reading", 2) as line:
        line.add(1)
    assert "reading   50%" in screen.getvalue()
    assert screen.getvalue().endswith("\r\033[K")


def test_a_quick_job_shows_nothing(monkeypatch):
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    with Progress("reading", 2) as line:
        line.add(2)
    assert screen.getvalue() == ""
