"""references: records of every common file, and what is wrong where one cannot be read."""

import gzip
import re

import orjson
import polars as pl
import pytest

from curation.errors import SourceError
from curation.stages.contamination.references import find_files, read_references

QUESTION = "What is the capital of France?"


@pytest.fixture
def root(tmp_path):
    (tmp_path / "held").mkdir()
    lines = [{"id": 1, "question": QUESTION}, {"turns": [{"text": "and a nested text"}]}]
    (tmp_path / "held" / "a.jsonl").write_bytes(b"\xef\xbb\xbf" + b"\r\n".join(map(orjson.dumps, lines)))
    (tmp_path / "held" / "b.json").write_bytes(orjson.dumps({"version": "1", "data": lines}))
    (tmp_path / "held" / "c.txt").write_text(
        "first line\nof a paragraph\n\nsecond paragraph\n", encoding="utf-8"
    )
    (tmp_path / "held" / "d.csv").write_text("q,a\nwhy,007\n", encoding="utf-8")
    (tmp_path / "held" / "lines.txt.gz").write_bytes(gzip.compress(b"caf\xe9\nbar\n"))
    pl.DataFrame({"q": ["one", "two"], "n": [1, 2], "l": [["x"], []]}).write_parquet(
        tmp_path / "held" / "e.parquet"
    )
    return tmp_path


def test_references_of_every_format(root):
    found = read_references(find_files(["held/*"], root))
    by_file = {}
    for entry in found:
        by_file.setdefault(entry.file.removeprefix("held/"), []).append((entry.record, entry.texts))
    records = [(0, (QUESTION,)), (1, ("and a nested text",))]
    assert by_file == {
        "a.jsonl": records,
        "b.json": records,
        "c.txt": [(0, ("first line\nof a paragraph",)), (1, ("second paragraph",))],
        "d.csv": [(0, ("why", "007"))],
        "e.parquet": [(0, ("one", "x")), (1, ("two",))],
        "lines.txt.gz": [(0, ("caf\u00e9",)), (1, ("bar",))],
    }


@pytest.mark.parametrize("name", ["held/none.jsonl", "none/*.jsonl", "held"])
def test_a_missing_file_is_named(root, name):
    with pytest.raises(SourceError, match=re.escape(f"`against` names {name!r}")):
        find_files([name], root)


def test_a_broken_reference_is_named_with_its_line(root):
    (root / "bad.jsonl").write_text('{"a": 1}\n{"a": ', encoding="utf-8")
    with pytest.raises(SourceError, match=r"bad\.jsonl: line 2 is no valid JSON"):
        read_references(find_files(["bad.jsonl"], root))
    (root / "bad.parquet").write_bytes(b"no table")
    with pytest.raises(SourceError, match=r"bad\.parquet: cannot be read as a table"):
        read_references(find_files(["bad.parquet"], root))
