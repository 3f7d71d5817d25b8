"""The charts of the report: rows by step, shares, lengths, turns.

Colours are Okabe and Ito's, which colour-blind people can tell apart (https://jfly.uni-koeln.de/color/);
they are used at contrasts of 3:1 and more on white and on the report's dark ground.
"""

from collections.abc import Mapping, Sequence

from reports.pages.plot import GREY, NOTE_PX, WIDTH, Plot, axis, fitting, percent, room_for, short

BLUE, VERMILION = "#0072b2", "#d55e00"


def steps(left: Sequence[tuple[str, int]]) -> str:
    """Bars: rows left after each step of the funnel, from (step, rows)."""
    row = 20
    labels = [fitting(step) for step, _ in left]
    counts = [f"{rows:,}" for _, rows in left]
    x = axis([rows for _, rows in left], short, ticks=5, least_step=1)
    plot = Plot("Rows left after each step", row * len(left), left=room_for(labels), right=room_for(counts))
    plot.below(x, "rows", grid=True)
    for place, (label, (_, rows)) in enumerate(zip(labels, left, strict=True)):
        plot.rect(0, place * row + 1, x(rows), row - 2, BLUE)
        plot.text(label, -7, place * row + row / 2 + 4, anchor="end")
        plot.text(counts[place], x(rows) + 4, place * row + row / 2 + 4, anchor="start", size=NOTE_PX)
    plot.line(0, 0, 0, plot.height)
    return plot.svg()


def shares(groups: Mapping[str, tuple[float, float]], unit: str) -> str:
    """Paired bars: every group's share as asked and as got, in per cent."""
    row, bar = 50, 20
    labels = [fitting(group) for group in groups]
    x = axis([share for pair in groups.values() for share in pair], percent, ticks=5)
    plot = Plot(
        f"Share of each group, in {unit} written to train",
        row * len(groups),
        left=room_for(labels),
        legend=(("asked", GREY), ("got", BLUE)),
    )
    plot.below(x, "share of the total", grid=True)
    for place, (label, (asked, got)) in enumerate(zip(labels, groups.values(), strict=True)):
        top = place * row + row / 2 - bar
        plot.rect(0, top, x(asked), bar, GREY)
        plot.rect(0, top + bar, x(got), bar, BLUE)
        plot.text(label, -7, top + bar + 4, anchor="end")
    plot.line(0, 0, 0, plot.height)
    return plot.svg()


def lengths(bins: Sequence[tuple[int, int, int]], context: int) -> str:
    """Histogram of tokens per row from (from, to, rows), with a line at the training context."""
    height = 150
    x = axis([context, *(end for _, end, _ in bins)], short, ticks=6, least_step=1)
    y = axis([rows for *_, rows in bins], short, ticks=4, least_step=1).along(height, 0)
    plot = Plot("Written rows by length", height, left=58)
    plot.beside(y, "rows")
    for low, high, rows in bins:
        plot.rect(x(low) + 0.25, y(rows), max(x(high) - x(low) - 0.5, 0.5), height - y(rows), BLUE)
    at = x(context)
    plot.line(at, 0, at, height, VERMILION, ' stroke-width="2" stroke-dasharray="6,3"')
    near_left = at < WIDTH / 4
    anchor = "start" if near_left else "end"
    plot.text(f"context {context:,}", at + (4 if near_left else -4), 10, anchor=anchor, size=NOTE_PX)
    plot.below(x, "tokens per row")
    return plot.svg()


def turns(bins: Sequence[tuple[str, int]]) -> str:
    """Bars: written rows by number of messages, from (range, rows)."""
    height, column = 150, WIDTH / max(len(bins), 1)
    y = axis([rows for _, rows in bins], short, ticks=4, least_step=1).along(height, 0)
    plot = Plot("Written rows by number of messages", height, left=58)
    plot.beside(y, "rows")
    for place, (label, rows) in enumerate(bins):
        plot.rect(place * column + column * 0.05, y(rows), column * 0.9, height - y(rows), BLUE)
        plot.text(label, (place + 0.5) * column, height + 17)
    plot.below(None, "messages per row")
    return plot.svg()
