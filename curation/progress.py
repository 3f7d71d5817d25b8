"""How far a job is, on stderr: a bar on a terminal, a line every 30 seconds where there is none."""

import sys
from threading import RLock
from typing import Any

from tqdm import tqdm

BAR = "{desc}  {percentage:3.0f}%  {bar}  {pace}{remaining} left"
LINE = "{desc}  {percentage:3.0f}%  {pace}{remaining} left"
# On a terminal: when the bar appears, and how often it is drawn. Elsewhere: how often a line is written.
SHOW_AFTER_S, REDRAW_S = 2.0, 0.2
TELL_EVERY_S = 30.0


class Progress(tqdm):  # type: ignore[misc]  # tqdm brings no types
    """Counts work done against work to do; tells the share, rows per second and the time left.

    A quick job shows nothing, and the bar is gone when the job ends.
    """

    monitor_interval = 0  # no thread beside the work

    def __init__(self, label: str, total: int, *, unit: str = "rows") -> None:
        self.rows = 0
        self.on_screen = sys.stderr.isatty()
        super().__init__(
            desc=label,
            total=max(total, 1),
            unit=unit,
            bar_format=BAR if self.on_screen else LINE,
            delay=SHOW_AFTER_S if self.on_screen else TELL_EVERY_S,
            mininterval=REDRAW_S if self.on_screen else TELL_EVERY_S,
            miniters=0,
            smoothing=0,
            dynamic_ncols=self.on_screen,
            position=0,
            leave=False,
        )

    def add(self, work: int, rows: int = 0) -> None:
        """`work` of the total is done, `rows` of them counted for the rate."""
        self.rows += rows
        self.update(min(work, self.total - self.n))

    @property
    def format_dict(self) -> dict[str, Any]:
        """What the line is made of: tqdm's words, and the rate in rows; work may be counted in bytes."""
        values: dict[str, Any] = super().format_dict
        rate = self.rows / values["elapsed"] if values["elapsed"] else 0
        pace = f"{rate:,.0f} {self.unit}/s  " if rate else ""
        # A terminal that says it has no columns does not know.
        return {**values, "pace": pace, "ncols": values["ncols"] or None}

    def display(self, msg: str | None = None, pos: int | None = None) -> bool:
        """Draw the bar over itself; where nobody watches, write a line and never take one back."""
        if self.on_screen:
            return bool(super().display(msg, pos))
        if msg is None:
            print(self, file=sys.stderr, flush=True)
        return False


# A lock of threads only: tqdm's own takes a semaphore of the system, for bars of several processes.
Progress.set_lock(RLock())
