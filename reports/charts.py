"""Charts as static SVG: Altair describes them, vl-convert draws them, without a browser or a network.

Colours are Okabe and Ito's, which colour-blind people can tell apart (https://jfly.uni-koeln.de/color/);
they are used at contrasts of 3:1 and more on white and on the report's dark ground. Texts take the
colour of the page. The same figures always give the same bytes.
"""

import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

BLUE, VERMILION, GREY = "#0072b2", "#d55e00", "#8a8a8a"
INK = "#123456"  # stands for the page's own text colour until the SVG is done
FONT = "Liberation Sans"  # comes with vl-convert, so that texts measure the same everywhere
WIDTH = 440

CONFIG: dict[str, Any] = {
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
    import altair as alt

    bars = base([{"step": step, "rows": rows} for step, rows in left], "Rows left after each step").encode(
        y=alt.Y("step:N", sort=None, title=None),
        x=alt.X("rows:Q", title="rows", axis=alt.Axis(format="~s", tickCount=5)),
    )
    numbers = bars.mark_text(align="left", dx=4, color=INK, fontSize=11).encode(
        text=alt.Text("rows:Q", format=",")
    )
    return svg(bars.mark_bar(color=BLUE) + numbers, "steps")


def shares(groups: Mapping[str, tuple[float, float]], unit: str) -> str:
    """Paired bars: every group's share as asked and as got, in per cent."""
    import altair as alt

    values = [
        {"group": group, "which": which, "share": share}
        for group, pair in groups.items()
        for which, share in zip(("asked", "got"), pair, strict=True)
    ]
    colours = alt.Scale(domain=["asked", "got"], range=[GREY, BLUE])
    bars = base(values, f"Share of each group, in {unit} written to train").encode(
        y=alt.Y("group:N", sort=None, title=None),
        yOffset=alt.YOffset("which:N", sort=["asked", "got"]),
        x=alt.X("share:Q", title="share of the total", axis=alt.Axis(format="%", tickCount=5)),
        color=alt.Color("which:N", scale=colours),
    )
    return svg(bars.mark_bar(), "shares")


def lengths(bins: Sequence[tuple[int, int, int]], context: int) -> str:
    """Histogram of tokens per row from (from, to, rows), with a line at the training context."""
    import altair as alt

    values = [{"from": low, "to": high, "rows": rows} for low, high, rows in bins]
    bars = base(values, "Written rows by length").encode(
        x=alt.X("from:Q", bin="binned", title="tokens per row", axis=alt.Axis(format="~s", tickCount=6)),
        x2="to:Q",
        y=alt.Y("rows:Q", title="rows", axis=alt.Axis(format="~s", tickCount=4)),
    )
    line = base([{"at": context, "label": f"context {context:,}"}], "").encode(x="at:Q")
    told = line.mark_text(align="right", dx=-4, y=6, color=INK, fontSize=11).encode(text="label:N")
    rule = line.mark_rule(color=VERMILION, strokeWidth=2, strokeDash=[6, 3])
    chart = bars.mark_bar(color=BLUE, binSpacing=0.5) + rule + told
    return svg(chart.properties(height=150), "lengths")


def turns(bins: Sequence[tuple[str, int]]) -> str:
    """Bars: written rows by number of messages, from (range, rows)."""
    import altair as alt

    bars = base(
        [{"messages": n, "rows": rows} for n, rows in bins], "Written rows by number of messages"
    ).encode(
        x=alt.X("messages:N", sort=None, title="messages per row", axis=alt.Axis(labelAngle=0)),
        y=alt.Y("rows:Q", title="rows", axis=alt.Axis(format="~s", tickCount=4)),
    )
    return svg(bars.mark_bar(color=BLUE).properties(height=150), "turns")


def base(values: list[dict[str, Any]], title: str) -> Any:
    """A chart over inline values."""
    import altair as alt

    chart = alt.Chart({"values": values}).properties(width=WIDTH)
    return chart.properties(title=title) if title else chart


@cache
def vega_lite() -> str:
    """The version of Vega-Lite that the installed Altair writes, as vl-convert calls it."""
    import altair as alt

    return "_".join(alt.SCHEMA_VERSION.lstrip("v").split(".")[:2])


def svg(chart: Any, name: str) -> str:
    """A chart drawn: no style attributes, ids of its own, texts in the page's colour."""
    import vl_convert

    drawn: str = vl_convert.vegalite_to_svg(
        {**chart.to_dict(validate=False), "config": CONFIG}, vl_version=vega_lite()
    )
    drawn = drawn.replace(f'"{INK}"', '"currentColor"').replace(f'font-family="{FONT}"', "")
    # What the marks are is told once, by the title of the whole; ids must not meet those of other charts.
    drawn = re.sub(r' (?:aria-[a-z]+|role|class|xmlns:xlink|version)="[^"]*"', "", drawn)
    drawn = re.sub(r'(id="|url\(#)', rf"\g<1>{name}-", drawn)
    return re.sub(r"<svg ", '<svg aria-hidden="true" focusable="false" ', drawn, count=1)
