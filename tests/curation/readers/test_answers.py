"""The file with the other half of a source."""

import gzip
import random

import msgspec
import polars as pl
import pytest

from curation.errors import SourceError
from curation.readers.answers import answer_file, keyed_records, text_lines
from curation.readers.reading import chunks, companions, read
from curation.recipe.source import Source
from curation.row import decode


def source(reader="bfcl", **settings):
    return msgspec.convert({"uri": "data", "reader": reader, "group": "g", **settings}, Source)


def test_answers_are_a_file_beside_or_the_one_of_its_name_in_a_folder(tmp_path):
    asked = tmp_path / "q.json"
    (tmp_path / "answers").mkdir()
    assert answer_file(asked, source()) is None
    assert answer_file(asked, source(answers="answers")) is None
    (tmp_path / "answers/q.json").write_text("{}")
    assert answer_file(asked, source(answers="answers")) == tmp_path / "answers/q.json"
    assert answer_file(asked, source(answers="other.json")) == tmp_path / "other.json"


def test_companions_are_every_further_file_that_decides_how_a_file_reads(tmp_path):
    (tmp_path / "multi_turn_func_doc").mkdir()
    (tmp_path / "multi_turn_func_doc/math_api.json").write_text("{}")
    found = companions(tmp_path / "q.json", source(answers="a.json"))
    assert [path.name for path in found] == ["a.json", "math_api.json"]
    assert companions(tmp_path / "q.json", source("messages")) == []


def test_records_by_key_take_the_first_and_mend_faults(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"id": 1, "x": "a"}\n{"id": 1, "x": "b"}\n{"id": "2", "x": "\x08"}\n')
    get = keyed_records(path, "id")
    assert get("1") == b'{"id": 1, "x": "a"}'
    assert get("2") is not None
    assert get("3") is None


def test_a_broken_file_of_answers_is_an_error(tmp_path):
    path = tmp_path / "a.json"
    path.write_text('[{"id": 1}, {')
    with pytest.raises(SourceError, match=r"a.json: broken JSON array: the array ends too early"):
        keyed_records(path, "id")


def test_lines_end_at_newlines_only(tmp_path):
    path = tmp_path / "all.nl"
    path.write_bytes("one\x0cstill\u2028one\r\ntwo\r\n\r\nfour".encode())
    assert text_lines(path, None) == (["one\x0cstill\u2028one", "two", "", "four"], None)


@pytest.mark.parametrize("truncated", ["asked.nl.gz", "answered.cm.gz"])
def test_a_truncated_archive_of_lines_gives_the_pairs_before_the_break_and_one_unreadable_record(
    tmp_path, truncated
):
    chance = random.Random(3)
    for name in ("asked.nl.gz", "answered.cm.gz"):
        data = gzip.compress("".join(f"{name} {n} {chance.random()}\n" for n in range(3000)).encode())
        (tmp_path / name).write_bytes(data[: len(data) // 2] if name == truncated else data)
    source = Source(uri="asked.nl.gz", reader="lines", group="g", answers="answered.cm.gz")
    (chunk,) = chunks(tmp_path / "asked.nl.gz", source)
    rows = pl.concat(read(chunk, source, file="asked.nl.gz"))
    assert 1000 < rows["messages"].count() < 2000
    assert rows["messages"].count() == rows.height - 1
    assert rows["reason"][-1] == "unreadable"
    for number, messages in enumerate(rows["messages"].drop_nulls()):
        asked, answered = decode(messages)
        assert asked["content"].startswith(f"asked.nl.gz {number} ")
        assert answered["content"].startswith(f"answered.cm.gz {number} ")
