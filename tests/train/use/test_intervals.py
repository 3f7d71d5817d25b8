import numpy as np
import pytest

from train.use.intervals import change, ratio


def test_intervals_hold_the_value_and_are_seeded():
    generator = np.random.Generator(np.random.PCG64(1))
    nats, tokens = generator.random(300) * 50, np.full(300, 20.0)
    found = ratio(nats, tokens, 17)
    assert found == ratio(nats, tokens, 17)
    assert found.low < found.value < found.high
    exact = nats.std() / 20 / np.sqrt(300) * 1.96
    assert (found.high - found.low) / 2 == pytest.approx(exact, rel=0.15)


def test_a_change_is_paired_so_that_equal_models_differ_by_nothing():
    nats = np.arange(1.0, 50.0)
    found = change(nats, nats, np.ones(49), 17)
    assert (found.value, found.low, found.high) == (0, 0, 0)
