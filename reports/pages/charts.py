"""Charts as static SVG: Vega-Lite describes them, vl-convert draws them, without a browser or a network.

Colours are Okabe and Ito's, which colour-blind people can tell apart (https://jfly.uni-koeln.de/color/);
they are used at contrasts of 3:1 and more on white and on the report's dark ground. Texts take the
colour of the page. The same figures always give the same bytes.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

BLUE, VERMILION, GREY = "#0072b2", "#d55e00", "#8a8a8a"
INK = "#123456"  # stands for the page's own text colour until the SVG is done
FONT = "Liberation Sans"  # comes with vl-convert, so that texts measure the same everywhere
WIDTH = 440
VEGA_LITE = "6.4"

Spec = dict[str, Any]

CONFIG: Spec = {
    "background": None,
    "font": FONT,
    "view": {"stroke": None},
    "axis": {
        "labelColor": INK, "titleColor": INK, "labelFontSize": 12, "titleFontSize": 12,
        "titleFontWeight": "normal", "gridColor": GREY, "gridOpacity": 0.3,
        "domainColor": GREY, "tickColor": GREY, "labelLimit": 170,
    },
    "legend": {"labelColor": INK, "labelFontSize": 12, "title": None, "orient": "top"},
    "title": {"color": INK, "fontSize": 14, "anchor": "start", "offset": 10},
}  # fmt: skip


def steps(left: Sequence[tuple[str, int]]) -> str:
    """Bars: rows left after each step of the funnel, from (step, rows)."""
    x = numbers("rows", title="rows", axis={"format": "~s", "tickCount": 5})
    places = {"x": x, "y": names("step", sort=None, title=None)}
    told = {"type": "text", "align": "left", "dx": 4, "color": INK, "fontSize": 11}
    layers = [
        {"mark": {"type": "bar", "color": BLUE}, "encoding": places},
        {"mark": told, "encoding": {**places, "text": numbers("rows", format=",")}},
    ]
    values = [{"step": step, "rows": rows} for step, rows in left]
    return svg({"title": "Rows left after each step", "layer": layers}, "steps", values)


def shares(groups: Mapping[str, tuple[float, float]], unit: str) -> str:
    """Paired bars: every group's share as asked and as got, in per cent."""
    values = [
        {"group": group, "which": which, "share": share}
        for group, pair in groups.items()
        for which, share in zip(("asked", "got"), pair, strict=True)
    ]
    encoding = {
        "x": numbers("share", title="share of the total", axis={"format": "%", "tickCount": 5}),
        "y": names("group", sort=None, title=None),
        "yOffset": names("which", sort=["asked", "got"]),
        "color": names("which", scale={"domain": ["asked", "got"], "range": [GREY, BLUE]}),
    }
    title = f"Share of each group, in {unit} written to train"
    return svg({"title": title, "mark": "bar", "encoding": encoding}, "shares", values)


def lengths(bins: Sequence[tuple[int, int, int]], context: int) -> str:
    """Histogram of tokens per row from (from, to, rows), with a line at the training context."""
    bars = {
        "x": numbers("from", bin="binned", title="tokens per row", axis={"format": "~s", "tickCount": 6}),
        "x2": {"field": "to"},
        "y": numbers("rows", title="rows", axis={"format": "~s", "tickCount": 4}),
    }
    line = {"data": {"values": [{"at": context, "label": f"context {context:,}"}]}}
    rule = {"type": "rule", "color": VERMILION, "strokeWidth": 2, "strokeDash": [6, 3]}
    told = {"type": "text", "align": "right", "dx": -4, "y": 6, "color": INK, "fontSize": 11}
    layers = [
        {"mark": {"type": "bar", "color": BLUE, "binSpacing": 0.5}, "encoding": bars},
        {**line, "mark": rule, "encoding": {"x": numbers("at")}},
        {**line, "mark": told, "encoding": {"x": numbers("at"), "text": names("label")}},
    ]
    values = [{"from": low, "to": high, "rows": rows} for low, high, rows in bins]
    return svg({"title": "Written rows by length", "height": 150, "layer": layers}, "lengths", values)


def turns(bins: Sequence[tuple[str, int]]) -> str:
    """Bars: written rows by number of messages, from (range, rows)."""
    encoding = {
        "x": names("messages", sort=None, title="messages per row", axis={"labelAngle": 0}),
        "y": numbers("rows", title="rows", axis={"format": "~s", "tickCount": 4}),
    }
    chart = {"title": "Written rows by number of messages", "height": 150, "encoding": encoding}
    values = [{"messages": messages, "rows": rows} for messages, rows in bins]
    return svg({**chart, "mark": {"type": "bar", "color": BLUE}}, "turns", values)


def numbers(field: str, **more: Any) -> Spec:
    """A channel of a chart: a field of numbers."""
    return {"field": field, "type": "quantitative", **more}


def names(field: str, **more: Any) -> Spec:
    """A channel of a chart: a field of names."""
    return {"field": field, "type": "nominal", **more}


def svg(chart: Spec, name: str, values: Sequence[Mapping[str, Any]]) -> str:
    """A chart over values, drawn: no style attributes, ids of its own, texts in the page's colour."""
    # Deferred: it starts a JavaScript engine.
    import vl_convert

    spec = {"width": WIDTH, **chart, "data": {"values": values}, "config": CONFIG}
    drawn: str = vl_convert.vegalite_to_svg(spec, vl_version=VEGA_LITE)
    drawn = drawn.replace(f'"{INK}"', '"currentColor"').replace(f'font-family="{FONT}"', "")
    # What the marks are is told once, by the title of the whole; ids must not meet those of other charts.
    drawn = re.sub(r' (?:aria-[a-z]+|role|class|xmlns:xlink|version)="[^"]*"', "", drawn)
    drawn = re.sub(r'(id="|url\(#)', rf"\g<1>{name}-", drawn)
    return re.sub(r"<svg ", '<svg aria-hidden="true" focusable="false" ', drawn, count=1)
