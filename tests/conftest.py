"""Fixtures and settings that all tests share."""

from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import settings

CORPUS = Path(__file__).resolve().parents[2] / "shared" / "data"

# No test is timed: a machine may be busy. Examples are the same in every run.
settings.register_profile("project", deadline=None, derandomize=True, database=None)
settings.load_profile("project")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests marked `llama` skip where llama.cpp is not installed; `.ci/run` installs it and runs them."""
    if find_spec("llama_cpp") is None:
        absent = pytest.mark.skip(reason="llama-cpp-python (the extra `export`) is not installed")
        for item in items:
            if item.get_closest_marker("llama"):
                item.add_marker(absent)


@pytest.fixture(scope="session")
def corpus() -> Path:
    """The real corpus beside the project; tests that need it skip where it is absent."""
    if not CORPUS.is_dir():
        pytest.skip(f"the real corpus is not beside the project ({CORPUS.name} is missing)")
    return CORPUS
