"""A chart as static SVG: axes with round numbers, grid, bars, lines and texts. Nothing else draws it.

Numbers are data's, placed by the two axes; texts take the colour of the page. The same figures always
give the same bytes.
"""

import math
import unicodedata
from collections.abc import Callable, Sequence
from html import escape
from typing import NamedTuple

GREY = "#8a8a8a"
WIDTH = 440
TEXT_PX, TITLE_PX, NOTE_PX = 12, 14, 11
MOST_LABEL_PX = 170


class Axis(NamedTuple):
    """Where numbers lie on an axis, and those that are written beside it with their labels.

    start, end  pixels of low and high; of a vertical axis start is the lower end, so the greater number
    """

    low: float
    high: float
    ticks: Sequence[tuple[float, str]]
    start: float = 0
    end: float = WIDTH

    def __call__(self, value: float) -> float:
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)

    def along(self, start: float, end: float) -> "Axis":
        """The same axis between other pixels."""
        return self._replace(start=start, end=end)


def axis(
    values: Sequence[float],
    label: Callable[[float, float], str],
    *,
    ticks: int,
    zero: bool = True,
    least_step: float = 0,
) -> Axis:
    """An axis over the values that ends at ticks, about so many, at 1, 2 or 5 times a power of ten.

    label  a tick's text from its value and the step
    """
    low, high = min(values, default=0.0), max(values, default=0.0)
    low, high = (min(low, 0.0), max(high, 0.0)) if zero else (low, high)
    if low == high:
        high = low + (abs(low) or 1)
    step = max(round_step((high - low) / ticks), least_step)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    marks = [(n * step, label(n * step, step)) for n in range(first, last + 1)]
    return Axis(first * step, last * step, marks)


def round_step(about: float) -> float:
    """The multiple of 1, 2, 5 or 10 times a power of ten that is nearest, by ratio."""
    power = float(10 ** math.floor(math.log10(about)))
    ratio = about / power
    return power * (10 if ratio >= 50**0.5 else 5 if ratio >= 10**0.5 else 2 if ratio >= 2**0.5 else 1)


def plain(value: float, step: float) -> str:
    """8,000 or 0.02: as many decimals as the step has."""
    return f"{value:,.{max(0, -math.floor(math.log10(step) + 1e-9))}f}"


def short(value: float, step: float) -> str:
    """1,500 as 1.5k, for counts."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.6g}{letter}"
    return plain(value, step)


def percent(value: float, step: float) -> str:
    """0.15 as 15%."""
    return f"{plain(100 * value, 100 * step)}%"


def scientific(value: float, step: float) -> str:
    """0.00002 as 2e-5, as recipes write it."""
    digits, power = f"{value:.4e}".split("e")
    return f"{digits.rstrip('0').rstrip('.')}e{int(power)}" if value else "0"


class Plot:
    """A title, perhaps a legend, and a field of WIDTH by height with an axis below and one at its left."""

    def __init__(
        self,
        title: str,
        height: int,
        *,
        left: float,
        right: float = 14,
        legend: Sequence[tuple[str, str]] = (),
    ) -> None:
        self.height, self.left, self.right = height, left, right
        self.top = 52 if legend else 29
        self.parts = [_text(title, -left, 11 - self.top, size=TITLE_PX, style=' font-weight="bold"')]
        at = 0.0
        for name, colour in legend:
            self.rect(at, -30, 10, 10, colour)
            self.text(name, at + 15, -21, anchor="start")
            at += 15 + text_px(name) + 12

    def rect(self, x: float, y: float, width: float, height: float, colour: str) -> None:
        """A filled rectangle, by its upper left corner."""
        self.parts.append(
            f'<rect x="{px(x)}" y="{px(y)}" width="{px(width)}" height="{px(height)}" fill="{colour}"/>'
        )

    def text(self, text: str, x: float, y: float, *, anchor: str = "middle", size: int = TEXT_PX) -> None:
        """A line of text at its base line."""
        self.parts.append(_text(text, x, y, anchor=anchor, size=size))

    def line(self, x1: float, y1: float, x2: float, y2: float, colour: str = GREY, style: str = "") -> None:
        """A straight line; `style` are further attributes."""
        ends = f'x1="{px(x1)}" y1="{px(y1)}" x2="{px(x2)}" y2="{px(y2)}"'
        self.parts.append(f'<line {ends} stroke="{colour}"{style}/>')

    def curve(self, points: Sequence[tuple[float, float]], colour: str) -> None:
        """A line through points."""
        if points:
            path = " ".join(f"{px(x)},{px(y)}" for x, y in points)
            self.parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')

    def dot(self, x: float, y: float, colour: str) -> None:
        """A filled circle."""
        self.parts.append(f'<circle cx="{px(x)}" cy="{px(y)}" r="3" fill="{colour}"/>')

    def below(self, x: Axis | None, title: str, *, grid: bool = False) -> None:
        """The axis below the field, with its title."""
        self.line(0, self.height, WIDTH, self.height)
        for value, label in x.ticks if x else ():
            at = x(value) if x else 0
            if grid:
                self.line(at, 0, at, self.height, style=' stroke-opacity="0.3"')
            self.line(at, self.height, at, self.height + 5)
            self.text(label, at, self.height + 17)
        self.text(title, WIDTH / 2, self.height + 33)

    def beside(self, y: Axis, title: str = "") -> None:
        """The axis at the left, with its grid and title."""
        self.line(0, 0, 0, self.height)
        for value, label in y.ticks:
            self.line(0, y(value), WIDTH, y(value), style=' stroke-opacity="0.3"')
            self.text(label, -7, y(value) + 4, anchor="end")
        if title:
            at = f'transform="translate({px(12 - self.left)},{px(self.height / 2)}) rotate(-90)"'
            self.parts.append(f'<text {at} text-anchor="middle" font-size="{TEXT_PX}">{escape(title)}</text>')

    def svg(self) -> str:
        """The whole, to stand in a page."""
        width, height = px(self.left + WIDTH + self.right), px(self.top + self.height + 40)
        return (
            f'<svg aria-hidden="true" focusable="false" xmlns="http://www.w3.org/2000/svg" width="{width}" '
            f'height="{height}" viewBox="0 0 {width} {height}" fill="currentColor">'
            f'<g transform="translate({px(self.left)},{self.top})">{"".join(self.parts)}</g></svg>'
        )


def _text(text: str, x: float, y: float, *, anchor: str = "start", size: int, style: str = "") -> str:
    place = f'x="{px(x)}" y="{px(y)}" text-anchor="{anchor}" font-size="{size}"{style}'
    return f"<text {place}>{escape(text)}</text>"


def px(number: float) -> str:
    """A length to a tenth of a pixel."""
    return f"{round(number, 1) + 0.0:.1f}".removesuffix(".0")


def text_px(text: str) -> float:
    """About how wide a text is; fonts differ."""
    return sum(TEXT_PX if unicodedata.east_asian_width(c) in "WF" else 6.7 for c in text)


def fitting(text: str) -> str:
    """A label, cut where it would be wider than a chart has room for."""
    if text_px(text) <= MOST_LABEL_PX:
        return text
    kept = len(text)
    while text_px(text[:kept]) > MOST_LABEL_PX - TEXT_PX:
        kept -= 1
    return text[:kept] + "\u2026"


def room_for(labels: Sequence[str]) -> float:
    """The margin that labels at the left of a field need."""
    return max(map(text_px, labels), default=0) + 14
