"""Fixtures and settings that all tests share."""

from pathlib import Path

import pytest
from hypothesis import settings

CORPUS = Path(__file__).resolve().parents[2] / "shared" / "data"

# No test is timed: a machine may be busy. Examples are the same in every run.
settings.register_profile("project", deadline=None, derandomize=True, database=None)
settings.load_profile("project")


@pytest.fixture(scope="session")
def corpus() -> Path:
    """The real corpus beside the project; tests that need it skip where it is absent."""
    if not CORPUS.is_dir():
        pytest.skip(f"the real corpus is not beside the project ({CORPUS.name} is missing)")
    return CORPUS
