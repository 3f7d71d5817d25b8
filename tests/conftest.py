"""Fixtures that many test files share."""

from pathlib import Path

import pytest

CORPUS = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def corpus() -> Path:
    """The real corpus beside the project; tests that need it skip where it is absent."""
    if not CORPUS.is_dir():
        pytest.skip(f"the real corpus is not beside the project ({CORPUS.name} is missing)")
    return CORPUS
