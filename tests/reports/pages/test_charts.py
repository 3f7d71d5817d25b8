import re
import xml.etree.ElementTree as ET

import pytest

from reports.pages import charts
from reports.pages.plot import WIDTH, fitting, text_px


def test_bars_are_as_long_as_their_figures():
    drawn = ET.fromstring(charts.steps([("read", 400), ("chat", 200), ("written", 0)]))
    widths = [float(bar.attrib["width"]) for bar in drawn.iter("{http://www.w3.org/2000/svg}rect")]
    assert widths == [WIDTH, WIDTH / 2, 0]


def test_names_are_cut_and_stay_text():
    name = "<script>alert('one')</script> & a group with a very long name"
    drawn = charts.shares({name: (0.5, 0.4), "short": (0.5, 0.6)}, "rows")
    assert "<script" not in drawn
    assert any("\u2026" in (text.text or "") for text in ET.fromstring(drawn).iter())
    assert text_px(fitting("\u690d\u7269" * 20)) < 180
    assert fitting("custom") == "custom"


@pytest.mark.parametrize("context", [128, 2048, 32_768])
def test_the_context_is_inside_the_histogram(context):
    drawn = charts.lengths([(0, 128, 3), (128, 256, 900)], context)
    (at,) = re.findall(r'x1="([\d.]+)"[^>]*stroke-dasharray', drawn)
    assert 0 < float(at) <= WIDTH
    assert f"context {context:,}" in drawn
