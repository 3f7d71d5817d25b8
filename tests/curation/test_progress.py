"""A bar appears late, on a terminal only, and says how long is left; elsewhere a line comes now and then."""

import contextlib
import io
import sys

import pytest

from curation import progress
from curation.progress import Progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Clock:
    """Seconds that pass only when told to."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch):
    found = Clock()
    monkeypatch.setattr("tqdm.std.time", found)
    return found


@pytest.fixture
def stderr_is(monkeypatch):
    """Put a stream in place of stderr; in the test itself, since pytest sets its own before."""

    def put(stream: io.StringIO) -> io.StringIO:
        monkeypatch.setattr(sys, "stderr", stream)
        return stream

    return put


def test_the_line_has_share_rate_and_time_left(clock, stderr_is):
    stderr_is(io.StringIO())
    line = Progress("reading", 200)
    clock.now += 10
    line.add(50, rows=1000)
    assert str(line) == "reading   25%  100 rows/s  00:30 left"
    line.close()


def test_the_bar_has_the_same_between_them(clock, stderr_is):
    stderr_is(Terminal())
    line = Progress("fetching", 200, unit="B")
    clock.now += 10
    line.add(50, rows=50_000)
    assert str(line).startswith("fetching   25%  ")
    assert str(line).endswith("  5,000 B/s  00:30 left")
    line.close()


def test_work_that_no_rows_are_counted_of_has_no_rate(clock, stderr_is):
    stderr_is(io.StringIO())
    line = Progress("sorting", 2)
    clock.now += 10
    line.add(1)
    assert str(line) == "sorting   50%  00:10 left"
    line.close()


def test_more_work_than_was_expected_is_all_of_it(clock, stderr_is):
    stderr_is(io.StringIO())
    line = Progress("fetching", 10)
    clock.now += 1
    line.add(25, rows=25)
    assert str(line) == "fetching  100%  25 rows/s  00:00 left"
    line.close()


def test_nothing_to_do_is_no_fault(clock, stderr_is):
    pipe = stderr_is(io.StringIO())
    with Progress("reading", 0) as line:
        line.add(0)
    assert pipe.getvalue() == ""


def test_where_nobody_watches_a_line_comes_every_30_seconds(capsys, clock, stderr_is):
    pipe = stderr_is(io.StringIO())
    with Progress("reading", 100) as line:
        for _ in range(100):
            clock.now += 1
            line.add(1, rows=10)
    assert pipe.getvalue().splitlines() == [
        "reading   30%  10 rows/s  01:10 left",
        "reading   60%  10 rows/s  00:40 left",
        "reading   90%  10 rows/s  00:10 left",
    ]
    assert "\r" not in pipe.getvalue()
    assert capsys.readouterr().out == ""


def test_where_nobody_watches_half_a_minute_is_silent(clock, stderr_is):
    pipe = stderr_is(io.StringIO())
    with Progress("reading", 2) as line:
        clock.now += 29.9
        line.add(2)
    assert pipe.getvalue() == ""


def test_a_terminal_sees_the_bar_and_then_a_clean_line(capsys, clock, stderr_is):
    screen = stderr_is(Terminal())
    with Progress("reading", 2) as line:
        clock.now += 2.5
        line.add(1)
        assert "reading   50%" in screen.getvalue()
    *_, last, end = screen.getvalue().split("\r")
    assert (last.strip(), end) == ("", "")
    assert "\n" not in screen.getvalue()
    assert capsys.readouterr().out == ""


def test_a_bar_goes_when_the_work_is_stopped(clock, stderr_is):
    screen = stderr_is(Terminal())
    with contextlib.suppress(KeyboardInterrupt), Progress("reading", 2) as line:
        clock.now += 2.5
        line.add(1)
        assert screen.getvalue()
        raise KeyboardInterrupt
    assert screen.getvalue().endswith(" \r")


def test_a_quick_job_shows_nothing(clock, stderr_is):
    screen = stderr_is(Terminal())
    with Progress("reading", 2) as line:
        clock.now += progress.SHOW_AFTER_S - 0.1
        line.add(2)
    assert screen.getvalue() == ""
