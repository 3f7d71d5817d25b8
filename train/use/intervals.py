"""95 % intervals by resampling rows: seeded, so that the same numbers give the same interval."""

import numpy as np
from numpy.typing import NDArray

from train.ship.evaluation import Measured

RESAMPLES = 1000
AT_ONCE = 1 << 22  # drawn row numbers in memory

Values = NDArray[np.float64]


def ratio(numerators: Values, denominators: Values, seed: int) -> Measured:
    """Sum over sum, and its interval over rows."""
    return interval(numerators, denominators, seed)


def change(after: Values, before: Values, denominators: Values, seed: int) -> Measured:
    """The difference of two ratios over the same rows, paired: rows are drawn for both at once."""
    return interval(after - before, denominators, seed)


def interval(numerators: Values, denominators: Values, seed: int) -> Measured:
    """The percentile bootstrap of a ratio of sums (Efron & Tibshirani 1993, chapter 13).

    What is drawn is whole rows, with all tokens or turns of each: these are not independent of each other.
    Source: the randomised cluster bootstrap of Field & Welsh 2007, Bootstrapping clustered data, JRSS B 69.
    """
    count = len(numerators)
    generator = np.random.Generator(np.random.PCG64(seed))
    drawn = []
    for first in range(0, RESAMPLES, step := max(1, AT_ONCE // count)):
        places = generator.integers(0, count, size=(min(step, RESAMPLES - first), count))
        below = denominators[places].sum(axis=1)
        drawn.append(numerators[places].sum(axis=1)[below > 0] / below[below > 0])
    low, high = np.percentile(np.concatenate(drawn), [2.5, 97.5])
    value = float(numerators.sum() / denominators.sum())
    return Measured(round(value, 6), round(float(low), 6), round(float(high), 6), count)
