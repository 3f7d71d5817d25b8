import json

import pytest
from shapes import HELLO, calls, said

from curation.readers.bfcl import answered
from curation.turns.shape import AnswerWithoutCalls, Unfit

FUNCTION = {"name": "play", "parameters": {"type": "dict", "properties": {"artist": {}, "minutes": {}}}}


def read_bfcl(record, truth=None, folder=None):
    answers = {} if truth is None else {"1": json.dumps({"id": "1", "ground_truth": truth}).encode()}
    return answered(answers.get, folder)(json.dumps(record).encode())


def test_bfcl_ground_truth_becomes_parallel_calls():
    truth = [
        {"play": {"artist": ["A", "B"], "minutes": [20.0], "shuffle": ["", True]}},
        {"play": {"artist": ["C"], "options": [{"loud": [True], "skip": ["", 1]}]}},
    ]
    row = read_bfcl({"id": "1", "question": [HELLO[:1]], "function": [FUNCTION]}, truth)
    assert calls(row) == [
        (None, "play", '{"artist": "A", "minutes": 20.0}'),
        (None, "play", '{"artist": "C", "options": {"loud": true}}'),
    ]
    assert '"type":"dict"' in row.tools


def test_bfcl_leaves_out_what_may_be_left_out():
    truth = [
        {"play": {"artist": ["A"], "minutes": [""], "mode": [{"loud": [""], "soft": [True]}], "tags": []}}
    ]
    row = read_bfcl({"id": "1", "question": "q", "function": [FUNCTION]}, truth)
    assert calls(row) == [(None, "play", '{"artist": "A", "mode": {"soft": true}, "tags": []}')]


def test_bfcl_answers_found_by_calls_that_are_not_told_are_refused():
    record = {"id": "1", "question": "q", "involved_classes": ["WebSearchAPI"]}
    with pytest.raises(AnswerWithoutCalls, match="WebSearchAPI"):
        read_bfcl(record, ["Paris", "paris"])
    assert said(read_bfcl({"id": "1", "question": "q"}, ["Paris"]))[-1] == ("assistant", "Paris")


def test_bfcl_turns_answered_by_python_calls():
    questions = [HELLO[:1], [{"role": "user", "content": "again"}], []]
    truth = [["play('A', minutes=2)", "play(artist='B')"], [], ["play()"]]
    row = read_bfcl({"id": "1", "question": questions, "function": [FUNCTION]}, truth)
    assert [m["role"] for m in row.messages] == ["user", "assistant", "user", "assistant"]
    assert [c[2] for c in calls(row)] == ['{"artist":"A","minutes":2}', '{"artist":"B"}', "{}"]


def test_bfcl_takes_the_functions_of_its_classes_from_the_files_beside_it(tmp_path):
    (tmp_path / "multi_turn_func_doc").mkdir()
    docs = [{"name": "cd"}, {"name": "rm"}]
    text = "\n".join(map(json.dumps, docs))
    (tmp_path / "multi_turn_func_doc/gorilla_file_system.json").write_text(text)
    record = {"id": "1", "question": [HELLO[:1]], "involved_classes": ["GorillaFileSystem"]}
    assert read_bfcl({**record, "excluded_function": ["rm"]}, folder=tmp_path).tools == '[{"name":"cd"}]'


def test_bfcl_without_an_answer_ends_with_the_question():
    assert said(read_bfcl({"id": "1", "question": "q", "function": ""})) == [("user", "q")]


@pytest.mark.parametrize("answer", ["rm -rf /", "play(", "play(x)", "play(1, 2, 3)", "(" * 500])
def test_bfcl_answers_that_are_no_calls_are_refused(answer):
    with pytest.raises(Unfit, match="no call that can be read"):
        read_bfcl({"id": "1", "question": "q", "function": [FUNCTION]}, [answer])
