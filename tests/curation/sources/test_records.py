"""Which format a file has, told from its name and how its text begins."""

import gzip
import json

import pytest

from curation.sources.records import Bad, file_format, is_structured, json_document, opens_json

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
        ("a.arrow", "", "arrow"),
        ("a.feather", "", "arrow"),
        ("a", "ARROW1\0\0", "arrow"),
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


RECORDS = '[{"q": 1}, {"q": 2}]'


def has_q(data):
    return b'"q"' in data and data[:1] == b"{" and b"[" not in data


@pytest.mark.parametrize("key", ["prompts", "samples", "anything at all"])
def test_a_list_of_records_under_any_one_key_is_that_list(key):
    text = (
        f'{{"version": 1, "meta": {{"by": "us"}}, "tags": ["x"], "{key}": {RECORDS}, "models": [{{"a": 1}}]}}'
    )
    assert document(text, has_q) == [b'{"q": 1}', b'{"q": 2}']


def test_two_lists_of_records_are_one_error_that_names_both():
    (bad,) = document(f'{{"train": {RECORDS}, "test": {RECORDS}}}', has_q)
    assert bad.error == (
        "a JSON object with several lists of records: `train` and `test`;"
        " say which to read, for example `records: train`"
    )


def test_an_object_whose_lists_hold_no_records_is_one_record_itself():
    text = '{"id": 7, "messages": [{"role": "narrator", "content": "a"}]}'
    assert document(text, has_q) == [text.encode()]


@pytest.mark.parametrize(
    ("text", "opens"),
    [
        ('{"a": 1}', True),
        ("{}", True),
        ('[\n {"a": 1}]', True),
        ("[[{}]]", True),
        ("[Notes: typed]\n\nA Hall", False),
        ("[1] See below", False),
        ("{curly} words", False),
        ("Once upon a time", False),
    ],
)
def test_not_every_bracket_that_opens_a_text_is_one_of_json(tmp_path, text, opens):
    (tmp_path / "a.txt").write_text(text)
    assert opens_json(tmp_path / "a.txt") == opens


def test_a_broken_array_gives_the_records_before_the_break():
    first, bad = document('[{"a": 1}, {"a": ')
    assert first == b'{"a": 1}'
    assert bad == Bad("broken JSON array: the array ends too early", ' {"a": ')


def test_nothing_is_no_record():
    assert document("  \n ") == []
