"""A plot: round numbers beside an axis, and places that follow the figures."""

import pytest

from reports.pages.plot import WIDTH, axis, percent, plain, px, scientific, short


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


def test_lengths_are_written_to_a_tenth_of_a_pixel():
    assert [px(n) for n in (0, -0.01, 12.0, 1 / 3, -7.25)] == ["0", "0", "12", "0.3", "-7.2"]
