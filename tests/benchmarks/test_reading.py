"""The reading benchmark on few rows: all read the same rows, and ours loses none of a damaged file."""

import orjson
import pytest

from benchmarks import reading as bench
from benchmarks.multiply import line_of
from curation.row import encode, message

CALL = {"id": "c1", "name": "bash", "arguments": "{}"}


@pytest.fixture
def lines():
    plain = [[message("user", f"What of {n}?"), message("assistant", f"{n}, é.")] for n in range(40)]
    calls = [[message("user", "List."), message("assistant", None, tool_calls=[CALL])] for _ in range(20)]
    return [line_of(encode(row), None) for row in [*plain, *calls]]


# The libraries' own loaders warn about what they open and leave open.
@pytest.mark.filterwarnings("default")
def test_all_read_every_row_and_only_ours_reads_a_damaged_file(lines):
    found = bench.report(50, lines, rounds=1)
    for kind in ("plain chats", "with tool calls"):
        assert set(found[kind]["mb_per_cpu_s"]) == set(bench.CONTENDERS)
        assert found[kind]["mb_per_cpu_s"]["ours"] > 0
    assert found["damaged"].pop("ours") == "999 rows, 1 told with its reason"
    assert all(fate.startswith("stops: ") for fate in found["damaged"].values())
    found["damaged"]["ours"] = "999 rows"
    assert "| ours | " in bench.table(found)


def test_rows_go_to_the_kind_they_are_of(lines):
    assert [bench.plain(line) is None for line in lines] == [False] * 40 + [True] * 20
    assert [bench.with_calls(line) is None for line in lines] == [True] * 40 + [False] * 20
    (first, _) = orjson.loads(bench.plain(lines[0]))["messages"]
    assert first == {"role": "user", "content": "What of 0?"}


def test_a_contender_that_loses_rows_fails_the_run(tmp_path, monkeypatch):
    monkeypatch.setattr(bench, "CONTENDERS", {"ours": lambda path: 3})
    path = tmp_path / "rows.jsonl"
    path.write_text("{}")
    with pytest.raises(SystemExit, match="ours read 3 of 4 rows"):
        bench.measure(path, 4, rounds=1)
