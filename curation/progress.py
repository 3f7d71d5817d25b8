"""A progress line on stderr for anything over two seconds; quiet when nobody is watching."""

import sys
import time
from types import TracebackType

SHOW_AFTER_S = 2.0
REFRESH_S = 0.2


class Progress:
    """Counts work done against work to do: `done / total`, rows per second, time left.

    Writes nothing to a stream that is no terminal, and nothing in the first two seconds.
    """

    def __init__(self, label: str, total: int, *, unit: str = "rows") -> None:
        self.label, self.total, self.unit = label, max(total, 1), unit
        self.done = 0
        self.rows = 0
        self.started = self._shown = time.monotonic()
        self._visible = False

    def __enter__(self) -> "Progress":
        return self

    def add(self, work: int, rows: int = 0) -> None:
        """`work` of the total is done, `rows` of them counted for the rate."""
        self.done += work
        self.rows += rows
        now = time.monotonic()
        if not sys.stderr.isatty() or now - self.started < SHOW_AFTER_S or now - self._shown < REFRESH_S:
            return
        self._shown, self._visible = now, True
        sys.stderr.write(f"\r\033[K{self.line(now - self.started)}")
        sys.stderr.flush()

    def line(self, elapsed_s: float) -> str:
        """What the line says after `elapsed_s` seconds."""
        share = min(self.done / self.total, 1.0)
        left_s = elapsed_s / share - elapsed_s if share else 0
        rate = f"  {self.rows / elapsed_s:,.0f} {self.unit}/s" if self.rows and elapsed_s else ""
        return f"{self.label}  {share:4.0%}{rate}  {clock(left_s)} left"

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._visible:
            sys.stderr.write("\r\033[K")
            sys.stderr.flush()


def clock(seconds: float) -> str:
    """Seconds as m:ss, or h:mm:ss from an hour on."""
    minutes, rest = divmod(int(seconds + 0.5), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
