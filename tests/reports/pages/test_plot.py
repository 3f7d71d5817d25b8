"""Charts: round numbers beside an axis, places that follow the figures, texts that stay texts."""

import re
import xml.etree.ElementTree as ET

import pytest

from reports.pages import charts
from reports.pages.plot import WIDTH, axis, fitting, percent, plain, px, scientific, short, text_px
from reports.pages.training import loss_chart


@pytest.mark.parametrize(
    ("values", "label", "ticks", "told"),
    [
        ([376, 254], short, 5, ["0", "100", "200", "300", "400"]),
        ([2_400_000], short, 5, ["0", "500k", "1M", "1.5M", "2M", "2.5M"]),
        ([0.5, 0.1], percent, 5, ["0%", "10%", "20%", "30%", "40%", "50%"]),
        ([7_600, 8_900], plain, 4, ["0", "2,000", "4,000", "6,000", "8,000", "10,000"]),
        ([0.01, 0.04], plain, 4, ["0.00", "0.01", "0.02", "0.03", "0.04"]),
        ([2e-5], scientific, 4, ["0", "5e-6", "1e-5", "1.5e-5", "2e-5"]),
        ([], short, 4, ["0", "1"]),
        ([0, 0], short, 4, ["0", "1"]),
        ([2], short, 4, ["0", "1", "2"]),
    ],
)
def test_an_axis_is_marked_at_round_numbers(values, label, ticks, told):
    counts = 1 if label is short else 0
    assert [text for _, text in axis(values, label, ticks=ticks, least_step=counts).ticks] == told


def test_an_axis_over_equal_numbers_has_a_length():
    equal = axis([3.5, 3.5], plain, ticks=4, zero=False)
    assert equal.low <= 3.5 < equal.high


def test_an_axis_places_its_ends_at_the_ends_of_the_field():
    x = axis([376], short, ticks=5)
    assert (x(x.low), x(x.high)) == (0, WIDTH)
    y = x.along(150, 0)
    assert (y(y.low), y(y.high)) == (150, 0)


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


def test_a_loss_that_is_no_number_leaves_a_gap():
    points = [{"step": 1, "loss": 2.0}, {"step": 2, "loss": None}, {"step": 3, "loss": 1.0}]
    (line,) = re.findall(r'points="([^"]+)"', loss_chart(points, []))
    assert len(line.split()) == 2


def test_lengths_are_written_to_a_tenth_of_a_pixel():
    assert [px(n) for n in (0, -0.01, 12.0, 1 / 3, -7.25)] == ["0", "0", "12", "0.3", "-7.2"]
