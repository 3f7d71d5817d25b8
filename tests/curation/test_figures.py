import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.figures import figure


@pytest.mark.parametrize(
    ("value", "beside", "shown"),
    [
        (0.0000576901, (), "0.00005769"),
        (0, (), "0"),
        (0.0, (), "0"),
        (1.0, (), "1"),
        (12_345, (), "12,345"),
        (1_234_567.8, (), "1,234,568"),
        (2048.5, (), "2,048"),
        (0.3, (0.2,), "0.3"),
        (1 / 3, (), "0.3333"),
        (0.999999, (), "0.999999"),
        (0.0100000004, (0.01,), "0.0100000004"),
        (0.01, (0.0100000004,), "0.01"),
        (0.123456789, (0.123456789,), "0.123456789"),
        (-0.00012, (0.0,), "-0.00012"),
        (math.nan, (), "nan"),
    ],
)
def test_a_number_reads_as_people_write_it(value, beside, shown):
    assert figure(value, *beside) == shown


@given(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6))
def test_what_is_shown_never_hides_zero_or_a_bound(value, bound):
    shown = figure(value, bound)
    read = float(shown.replace(",", ""))
    assert (read > bound, read < bound, read == 0) == (value > bound, value < bound, value == 0)
    assert "e" not in shown
