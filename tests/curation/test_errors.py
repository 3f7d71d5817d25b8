"""Errors of a worker arrive as they were raised."""

import pickle

import pytest

from curation.errors import CurationError, Refusal
from curation.mixture.choice import Infeasibility
from curation.mixture.quotas import Infeasible


class Odd(CurationError):
    def __init__(self, place: str, *, line: int) -> None:
        super().__init__(f"{place}:{line}")
        self.line = line


@pytest.mark.parametrize(
    "error",
    [
        CurationError("a"),
        Refusal("b"),
        Odd("r.yaml", line=3),
        Infeasibility(Infeasible({}, {}, "rows", 1, 4, {}), "no rows left"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_error_travels_whole_between_processes(error):
    arrived = pickle.loads(pickle.dumps(error))
    assert type(arrived) is type(error)
    assert (str(arrived), arrived.__dict__) == (str(error), error.__dict__)
