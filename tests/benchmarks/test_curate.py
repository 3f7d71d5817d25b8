"""The benchmark of the whole pipeline, on few rows of our own."""

import orjson
import pytest

from benchmarks import curate


@pytest.mark.slow
def test_every_row_is_run_through_the_command_and_every_step_is_timed(small_lines):
    found = curate.run(small_lines, 240, tokenizer=False)
    assert (found["rows"], found["tokenizer"]) == (240, False)
    assert 0 < found["written"] <= 240
    assert found["peak_gib"] > 0
    assert {"reading", "language", "near_duplicates", "writing"} <= set(found["steps_cpu_s"])
    told = curate.table([found])
    assert "| 240 | 0 | no |" in told
    assert "language " in told


@pytest.fixture
def small_lines():
    def line(number: int) -> bytes:
        said = " ".join(
            f"The garden bed number {number * 7 + k} wants compost and water today." for k in range(5)
        )
        turns = [
            {"role": "user", "content": f"What about bed {number}?"},
            {"role": "assistant", "content": said},
        ]
        return orjson.dumps({"messages": turns})

    return [line(number) for number in range(60)]
