import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from shapes import source

from curation.readers.reading import chunks, read
from curation.readers.regrouping import Gather, gathered, unfolded
from curation.row import decode
from curation.sources.records import Bad, Noted

BY = {"by": "id", "role": "who", "content": "said", "roles": {"u": "user", "b": "assistant"}}
TURNS = [("a", "u", "1"), ("b", "u", "2"), ("a", "b", "3"), ("b", "b", "4")]


def written(path, turns):
    path.write_text("".join(json.dumps({"id": i, "who": w, "said": s}) + "\n" for i, w, s in turns))
    return path


def rows(path, **settings):
    settled = source("map", **settings)
    (chunk,) = chunks(path, settled, chunk_bytes=1)
    (frame,) = read(chunk, settled, file=path.name)
    return frame


def test_turns_of_a_conversation_meet_wherever_they_stand_in_the_file(tmp_path):
    found = rows(written(tmp_path / "t.jsonl", TURNS), map=BY)
    assert found["row"].to_list() == [0, 1]
    assert [[m["content"] for m in decode(text)] for text in found["messages"]] == [["1", "3"], ["2", "4"]]


def test_a_file_may_be_one_conversation(tmp_path):
    found = rows(written(tmp_path / "t.jsonl", TURNS), map={**BY, "by": "*", "join_with": " "})
    assert [[m["content"] for m in decode(text)] for text in found["messages"]] == [["1 2", "3 4"]]


def test_a_conversation_with_an_unreadable_record_in_it_is_no_row(tmp_path):
    path = written(tmp_path / "t.jsonl", [("a", "u", "1"), ("b", "u", "2")])
    with path.open("a") as file:
        file.write('{"id": "a", "who": "b", "sa\n' + json.dumps({"id": "a", "who": "b", "said": "3"}) + "\n")
    found = rows(path, map=BY)
    assert found["reason"].to_list() == ["unreadable", None, "unreadable"]
    assert "may be one of them" in found["detail"][0]


def test_a_record_without_the_key_is_a_fault_or_stands_alone():
    record = b'{"x": 1}'
    ((bad,),) = gathered([[record]], Gather("id"))
    assert isinstance(bad, Bad)
    assert "keys found: x; expected one of: id" in bad.error
    assert list(gathered([[record, record]], Gather("id", is_needed=False))) == [[b'[{"x": 1}]'] * 2]


def test_where_asks_the_first_record_of_a_conversation(tmp_path):
    path = tmp_path / "t.jsonl"
    path.write_text(
        "".join(json.dumps({"id": n, "who": "u", "said": "x", "good": n > 1}) + "\n" for n in (1, 2))
    )
    assert rows(path, map=BY, where={"good": True})["reason"].to_list() == ["filtered", None]


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers()), max_size=20))
def test_gathering_loses_and_adds_nothing(records):
    batches = [[json.dumps({"id": key, "n": number}).encode()] for key, number in records]
    ((*found,),) = gathered(batches, Gather("id"))
    flat = [(one["id"], one["n"]) for group in found for one in json.loads(group)]
    assert sorted(flat) == sorted(records)
    assert len(found) == len({key for key, _ in records})


def test_records_inside_records_carry_the_keys_around_them():
    outer = {
        "title": "t",
        "parts": [{"context": "c", "qas": [{"q": 1}, {"q": 2, "title": "own"}]}, {"qas": []}],
    }
    ((first, second),) = unfolded([[json.dumps(outer).encode()]], "parts.qas")
    assert json.loads(first) == {"title": "t", "context": "c", "q": 1}
    assert json.loads(second) == {"title": "own", "context": "c", "q": 2}


def test_numbers_of_inner_records_keep_their_spelling_and_repairs_their_note():
    ((found,),) = unfolded([[b'{"a": NaN, "l": [{"big": 1234567890123456789012, "f": 1.0}]}']], "l")
    assert found == Noted(b'{"a":null,"big":1234567890123456789012,"f":1.0}', "not_a_number")


@pytest.mark.parametrize(
    ("record", "message"),
    [(b'{"y": []}', "expected one of: x"), (b'{"x": 3}', "a list of records under x"), (b"{", "truncated")],
)
def test_a_record_without_the_list_is_a_fault(record, message):
    ((bad,),) = unfolded([[record]], "x")
    assert message in bad.error


def test_a_document_of_nested_records_is_read_whole(tmp_path):
    path = tmp_path / "squad.json"
    asked = [{"question": "q1", "answers": [{"text": "a1"}]}, {"question": "q2", "answers": [{"text": "a2"}]}]
    path.write_text(json.dumps({"version": 1, "data": [{"paragraphs": [{"context": "c", "qas": asked}]}]}))
    settled = source("qa", records="data.paragraphs.qas", columns={"answer": "answers.0.text"})
    (chunk,) = chunks(path, settled)
    (frame,) = read(chunk, settled, file=path.name)
    assert [decode(text)[1]["content"] for text in frame["messages"]] == ["a1", "a2"]
