"""Fixtures and settings that all tests share."""

import gc
import os
import shutil
from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import settings

CORPUS = Path(__file__).resolve().parents[2] / "shared" / "data"

# No test is timed: a machine may be busy. Examples are the same in every run.
settings.register_profile("project", deadline=None, derandomize=True, database=None)
settings.load_profile("project")

# Files in memory, where there is room for them: a quarter of the time went into waiting for the disk.
IN_MEMORY, ROOM = Path("/dev/shm"), 8 << 30
if IN_MEMORY.is_dir() and os.access(IN_MEMORY, os.W_OK) and shutil.disk_usage(IN_MEMORY).free >= ROOM:
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(IN_MEMORY))

NEEDED = {
    "llama": ("llama_cpp", "llama-cpp-python (the extra `export`) is not installed"),
    "unsloth": ("unsloth", "Unsloth is not installed; `.ci/run` does so from .ci/unsloth.txt"),
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests marked with what is not installed skip; `.ci/run` installs it and runs them."""
    for mark, (package, reason) in NEEDED.items():
        if find_spec(package) is None:
            for item in items:
                if item.get_closest_marker(mark):
                    item.add_marker(pytest.mark.skip(reason=reason))
    if "AJ_TRANSFORMERS_4" not in os.environ:
        for item in items:
            if item.get_closest_marker("transformers4"):
                reason = "AJ_TRANSFORMERS_4 names no Python with transformers 4; `.ci/run` makes one"
                item.add_marker(pytest.mark.skip(reason=reason))


def pytest_collection_finish() -> None:
    """What is imported stays: no collection of garbage walks it again (0.3 s each, with torch in it)."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def corpus() -> Path:
    """The real corpus beside the project; tests that need it skip where it is absent."""
    if not CORPUS.is_dir():
        pytest.skip(f"the real corpus is not beside the project ({CORPUS.name} is missing)")
    return CORPUS
