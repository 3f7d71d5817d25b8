"""Which format a file has, told from its name and how its text begins."""

import gzip
import json

import pytest

from curation.sources.records import Bad, file_format, is_structured, json_document

ONE = json.dumps({"a": 1})


@pytest.mark.parametrize(
    ("name", "text", "form"),
    [
        ("a.jsonl", f"{ONE}\n{ONE}\n", "lines"),
        ("a.ndjson", f"{ONE}\n", "lines"),
        ("a.jsonl", '[\n  {"a": 1}\n]', "json"),
        ("a.json", f"{ONE}\n{ONE}\n", "lines"),
        ("a.json", f"{ONE}\n", "json"),
        ("a.json", f"{ONE}\n{ONE[:-2]}\n{ONE}\n", "lines"),
        ("a.json", f"{ONE[:-2]}\n{ONE}\n{ONE}\n", "lines"),
        ("a.json", '{"a":\n 1}', "json"),
        ("a.json", f"[{ONE},\n{ONE}]", "json"),
        ("a.json", f"[{ONE}]\n[{ONE}]\n", "lines"),
        ("a.traj", '{\n "a": 1}', "json"),
        ("a.csv", "a,b\n", "csv"),
        ("A.TSV", "a\tb\n", "tsv"),
        ("a.parquet", "PAR1", "parquet"),
        ("a", "PAR1", "parquet"),
        ("a.data", f"{ONE}\n{ONE}\n", "lines"),
        ("a.json", "", "lines"),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_the_format_of_a_file(tmp_path, name, text, form, packed):
    path = tmp_path / (name + ".gz" if packed else name)
    path.write_bytes(gzip.compress(text.encode()) if packed else text.encode())
    assert file_format(path) == form


def test_running_text_is_not_structured(tmp_path):
    for name, structured in (("game.txt", False), ("game.chk", False), ("a.json", True), ("a.csv.zst", True)):
        (tmp_path / name).write_text("Once upon a time.")
        assert is_structured(tmp_path / name) == structured


def document(text, fits=lambda data: False):
    return [record for batch in json_document([text.encode()], fits) for record in batch]


def test_an_object_that_fits_is_one_record():
    text = json.dumps({"0": {"a": 1}, "1": {"a": 2}})
    assert document(text, lambda data: True) == [text.encode()]
    assert document(text) == [b'{"a": 1}', b'{"a": 2}']


def test_a_list_under_a_usual_name_is_looked_into():
    assert document('{"version": 2, "data": [{"a": 1}, {"a": 2}]}') == [b'{"a": 1}', b'{"a": 2}']


def test_a_broken_array_gives_the_records_before_the_break():
    first, bad = document('[{"a": 1}, {"a": ')
    assert first == b'{"a": 1}'
    assert bad == Bad("broken JSON array: the array ends too early", ' {"a": ')


def test_nothing_is_no_record():
    assert document("  \n ") == []
