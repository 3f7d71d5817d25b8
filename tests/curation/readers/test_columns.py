import inspect
import sys
from pathlib import Path

import pytest
from shapes import read, said, source

from curation.readers.conversion import converter
from curation.recipe.readers import READERS
from curation.turns.shape import Unfit, Unsupported


@pytest.mark.parametrize(
    "record",
    [
        {"question": "q", "answers": "a"},
        {"": "0", "ANSWER": "a", "QUESTION.question": "q"},
        {"prompt": "q", "response": "a"},
        {"ID": 3, "user_query": "q", "chatgpt_response": "a", "hallucination": "no"},
        {"question": "q", "answers": {"text": ["a", "a"], "answer_start": [3, 4]}},
        {"question": "q", "answers": ["a"]},
        {"question": "q", "answer": "7", "solution": "a"},
    ],
)
def test_questions_and_answers_are_found_by_name(record):
    assert said(read("qa", record)) == [("user", "q"), ("assistant", "a")]


def test_a_number_as_an_answer_keeps_its_spelling():
    assert said(read("qa", b'{"question": "q", "answer": 1.50}'))[1] == ("assistant", "1.50")


def test_columns_that_are_not_there_are_named():
    with pytest.raises(Unfit, match=r"keys found: Q, A; expected one of: question, "):
        read("qa", {"Q": "q", "A": "a"})
    with pytest.raises(Unfit, match=r"expected one of: anser; did you mean columns: \{answer: answer\}"):
        read("qa", {"question": "q", "answer": "a"}, columns={"answer": "anser"})


@pytest.mark.parametrize("answers", [["a", "b"], {"text": ["a", "b"], "answer_start": [3, 4]}])
def test_of_several_answers_none_is_cut_away(answers):
    with pytest.raises(Unsupported, match="several texts"):
        read("qa", {"question": "q", "answers": answers})


@pytest.mark.parametrize(
    "passage", [{"context": "p"}, {"QUESTION.paragraph": "p"}, {"passages": ["p", None]}, {"Document": "p"}]
)
def test_a_passage_comes_before_the_question(passage):
    row = read("qa", {"question": "q", "answer": "a", **passage})
    assert said(row) == [("user", "p\n\nq"), ("assistant", "a")]


def test_the_columns_that_a_recipe_may_name_are_those_that_the_readers_look_for():
    for reader, told in READERS.items():
        if told.columns:
            text = inspect.getsource(sys.modules[converter(source(reader), Path("data")).__module__])
            assert all(f'"{column}"' in text or f"`{column}`" in text for column in told.columns), reader
