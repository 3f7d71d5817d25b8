import json

import pytest
from shapes import calls, read, said

from curation.turns.shape import Unsupported

XLAM = [{"name": "find", "description": "f", "parameters": {"n": {"type": "int"}}}]


@pytest.mark.parametrize("tools", [XLAM, json.dumps(XLAM)])
def test_an_answer_of_calls_beside_tools_is_these_calls(tools):
    answers = '[{"name": "find", "arguments": {"n":  1.0}}, {"name": "find", "arguments": {}}]'
    row = read("qa", {"query": "q", "answers": answers, "tools": tools})
    assert calls(row) == [(None, "find", '{"n":  1.0}'), (None, "find", "{}")]
    assert (said(row), json.loads(row.tools)) == ([("user", "q"), ("assistant", None)], XLAM)


def test_words_beside_tools_stay_words_and_tools_that_are_none_are_left():
    row = read("qa", {"query": "q", "answers": "I have no tool for that.", "tools": json.dumps(XLAM)})
    assert (said(row)[1][1], json.loads(row.tools)) == ("I have no tool for that.", XLAM)
    for tools in ("rake, hoe", ["rake"], {"rake": 1}, None, ""):
        row = read("qa", {"question": "q", "answer": '[{"name": "find"}]', "tools": tools})
        assert (said(row)[1][1], row.tools) == ('[{"name": "find"}]', None)


def test_columns_reach_into_a_record():
    record = {"description": "Count files.", "evaluation": {"example": "ls | wc -l"}}
    row = read(
        "qa", record, columns={"question": "description", "answer": "evaluation.example"}, action="bash"
    )
    assert calls(row) == [(None, "bash", '{"command":"ls | wc -l"}')]


def test_context_stands_before_the_question():
    row = read("qa", {"question": "q", "answer": "a", "passage": "p"}, columns={"context": "passage"})
    assert said(row)[0] == ("user", "p\n\nq")


@pytest.mark.parametrize(
    "answer",
    [
        '{"name": "Alice"}',
        '[{"name": "find", "arguments": {"a": 1}, "score": 0.9}]',
        '[{"name": "find", "arguments": {"a": 1}, "parameters": {"a": 2}}]',
        '[{"name": "lose", "name": "find", "arguments": {}}]',
    ],
)
def test_json_that_says_more_than_calls_stays_an_answer(answer):
    row = read("qa", {"query": "q", "answers": answer, "tools": json.dumps([{"name": "find"}])})
    assert said(row)[1] == ("assistant", answer)


def test_an_answer_that_calls_a_tool_that_is_not_offered_is_a_call_for_the_tools_stage_to_judge():
    answer = '[{"name": "lose", "arguments": {"a": 1.50}}]'
    row = read("qa", {"query": "q", "answers": answer, "tools": json.dumps([{"name": "find"}])})
    [made] = row.messages[1]["tool_calls"]
    assert (made["name"], made["arguments"]) == ("lose", '{"a": 1.50}')


def test_an_answer_in_sql_is_a_call_with_its_tool():
    row = read("qa", {"question": "How many?", "answer": "SELECT count(*) FROM a"}, action="sql")
    assert calls(row) == [(None, "sql", '{"query":"SELECT count(*) FROM a"}')]
    assert [tool["function"]["name"] for tool in json.loads(row.tools)] == ["sql"]


EARLIER = [("user", "x"), ("assistant", "a"), ("user", "y"), ("assistant", "b")]


@pytest.mark.parametrize("reader", ["qa", "alpaca"])
@pytest.mark.parametrize(
    "history",
    [
        [["x", "a"], ["y", "b"]],
        json.dumps([["x", "a"], ["y", "b"]]),
        [{"user": "x", "assistant": "a"}, {"user": "y", "assistant": "b"}],
        [{"role": role, "content": text} for role, text in EARLIER],
    ],
)
def test_earlier_turns_come_before_the_question(reader, history):
    for key in ("history", "chat_history"):
        row = read(reader, {"system": "s", "instruction": "q", "response": "r", key: history})
        assert said(row) == [("system", "s"), *EARLIER, ("user", "q"), ("assistant", "r")]


@pytest.mark.parametrize("history", [None, [], "", "[]"])
def test_no_history_is_none(history):
    assert len(said(read("qa", {"question": "q", "answer": "r", "history": history}))) == 2


@pytest.mark.parametrize("history", [["x", "a"], "x: a", [{"who": "x", "said": "a"}], 7])
def test_of_a_history_nobody_guesses_who_speaks(history):
    with pytest.raises(Unsupported, match=r"`dialog_history`: earlier turns"):
        read("qa", {"question": "q", "answer": "r", "dialog_history": history})


@pytest.mark.parametrize("reader", ["qa", "alpaca"])
def test_what_was_thought_comes_before_the_answer(reader):
    row = read(reader, {"instruction": "q", "output": "r", "Complex_CoT": "one two"})
    assert said(row)[1] == ("assistant", "<think>\none two\n</think>\n\nr")
    assert row.notes == [{"stage": "read", "repair": "reasoning_content"}]
    for mode in ("on", "", None):
        row = read(reader, {"instruction": "q", "output": "r", "reasoning": mode})
        assert (said(row)[1], row.notes) == (("assistant", "r"), [])


def test_an_alpaca_row_has_tools_and_calls():
    record = {"instruction": "q", "output": '{"name": "find", "arguments": {}}', "tools": json.dumps(XLAM)}
    row = read("alpaca", record)
    assert (calls(row), json.loads(row.tools)) == ([(None, "find", "{}")], XLAM)


def test_of_several_passages_all_are_read():
    row = read("qa", {"question": "q", "answer": "r", "contexts": ["one", "two"]})
    assert said(row)[0] == ("user", "one\n\ntwo\n\nq")
