"""What counts as a right answer: read after the thought, where people and models put a final answer."""

import time
from fractions import Fraction

import pytest

from curation.dataset.questions import question_of
from train.use.answers import is_right, number_of, said, thinks


def right(answer, text, **more):
    return is_right(question_of({"question": "?", "answer": answer, **more}), text)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("42", "42"),
        ("It is 6 times 7, so 42.", "42"),
        ("The answer is 42, as 6 times 7 shows; I checked it 3 times.", "42"),
        ("**Answer:** 42 apples\n\nThat took 2 steps.", "42"),
        ("**Final answer**: **42**\nDone in 2 steps", "42"),
        ("Answer:\n\n42\n\nbecause 2 and 3", "42"),
        ("The answer is 6 * 7 = 42 apples", "42"),
        ("#### 42", "42"),
        ("6 + 36\n#### 42\n", "42"),
        (r"So $\boxed{42}$, in 2 steps", "42"),
        (r"\boxed{x = 42}", "42"),
        (r"first \boxed{7}, no: \boxed{42\text{ km}}", "42"),
        (r"\boxed{\frac{1}{3}}", "1/3"),
        (r"\boxed{-\dfrac{1}{3}}", "-1/3"),
        ("The answer is 2/3.", "2/3"),
        ("It costs $1,234.50.", "1234.5"),
        (r"\boxed{1{,}234}", "1234"),
        ("1\u202f234\u202f567 people", "1234567"),
        ("minus: \u22123", "-3"),
        ("The answer is -3", "-3"),
        ("5-3", "3"),
        ("10 - 3", "3"),
        ("3,5", "3.5"),
        ("of 3, 5 and 7", "7"),
        (".5", "0.5"),
        ("50 %", "50"),
        ("6.02e23", "602000000000000000000000"),
        (r"the speed is $3 \times 10^8$ m/s", "300000000"),
        (r"$3 \cdot 10^{-2}$", "0.03"),
        ("**Answer:** The sum of 3 and 4 is 7", "7"),
        ("The answer is the sum of 3 and 4, which is 7.", "7"),
        ("The answer is about 42 km.", "42"),
        ("<answer>42</answer> after 2 steps", "42"),
        ("\u6240\u4ee5\u7b54\u6848\u662f42\u3002", "42"),
        ("\u7b54\u6848\uff1a42\n(3\u6b65)", "42"),
        ("\u4e00\u5171\u670942\u4e2a\u82f9\u679c", "42"),
        ("_42_", "42"),
        ("x_1", None),
        ("water is H2O, version v1.2.3", None),
        ("1/0", None),
        ("\u7b54\u6848\u662f42\u4e2a\uff0c2\u6b65", "42"),
        ("\u4e00\u517142\u4e2a", "42"),
        ("Answer\uff1a42", "42"),
        (r"\boxed{\frac12}", "1/2"),
        ("The final answer is: $42$. I hope it is correct, in 2 steps.", "42"),
        (r"The answer is \(42\)", "42"),
        ("none", None),
        ("9" * 5000, None),
    ],
)
def test_a_number_is_found_where_a_final_answer_is_put(text, number):
    assert number_of(text) == (None if number is None else Fraction(number))


def test_a_number_is_right_within_its_tolerance():
    assert right({"number": 0.1}, "0.1")
    assert right({"number": 0.1}, "1/10")
    assert not right({"number": 0.1}, "0.10001")
    assert right({"number": 3.14159, "tolerance": 0.01}, "about 3.14")
    assert not right({"number": 9007199254740993}, "9007199254740992")


ABC = {"choice": "B", "of": ["A", "B", "C"]}
YES = {"choice": "yes", "of": ["yes", "no"]}
NEAR = {"choice": "not safe", "of": ["safe", "not safe"]}


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (ABC, "B"),
        (ABC, "b."),
        (ABC, "(B)"),
        (ABC, "B) Paris, a city"),
        (ABC, "**B.** Paris"),
        (ABC, "The answer is B, not C."),
        (ABC, "Answer: (B) Paris. A and C are towns."),
        (ABC, r"A is wrong, so \boxed{\text{B}}"),
        (ABC, "A town is no city.\n\nB"),
        (ABC, "It must be option B."),
        (ABC, "\u7b54\u6848\u662fB\uff0c\u4e0d\u662fC"),
        (ABC, "B is correct, as the map shows."),
        (ABC, "So the correct option is B. A is a town."),
        (ABC, "I would choose B"),
        (ABC, "<answer>B</answer>"),
        (ABC, "The answer is not A but B"),
        (ABC, "\u7b54\u6848\u662fB"),
        (ABC, "\u9009B\u3002"),
        (YES, "Yes, it does."),
        (YES, "I know: the answer is **yes**"),
        (NEAR, "It is not safe."),
    ],
)
def test_a_choice_is_found_in_the_forms_that_people_write(answer, text):
    assert right(answer, text)


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (ABC, ""),
        (ABC, "A"),
        (ABC, "A) one\nB) two\nC) three"),
        (ABC, "Both (A) and (B) could be"),
        (ABC, "The answer is C, not B."),
        (ABC, "Plan B failed"),
        (ABC, "Answer: A or B"),
        (ABC, "Answer: B, A"),
        (ABC, "B is not correct"),
        (YES, "Yes and no."),
        (YES, "yesterday"),
        ({"choice": "A", "of": ["A", "B"]}, "A dog is an animal"),
        ({"choice": "safe", "of": ["safe", "not safe"]}, "It is not safe."),
    ],
)
def test_a_choice_that_is_not_made_is_not_right(answer, text):
    assert not right(answer, text)


def test_a_regular_expression_is_looked_for_in_what_is_said_within_bounded_time():
    assert right({"regex": "^Paris"}, "<think>\nLondon?\n</think>\n\nParis it is")
    assert not right({"regex": "London"}, "<think>\nLondon?\n</think>\n\nParis it is")
    start = time.perf_counter()
    assert not right({"regex": r"(?=(a+)+$)(a|aa)+\1b"}, "a" * 5000 + "c")
    assert time.perf_counter() - start < 2


WATER = [{"name": "water", "parameters": {"type": "object", "properties": {"bed": {"type": "integer"}}}}]
CALL = {"call": {"name": "water", "arguments": {"bed": 3}}}
SPOKEN = '<tool_call>\n{"name": "water", "arguments": {"bed": 3}}\n</tool_call>'


@pytest.mark.parametrize(
    ("text", "is_it"),
    [
        (SPOKEN, True),
        (f"<think>\nbed 3\n</think>\n\nI water it.\n{SPOKEN}", True),
        (f"<think>\nbed 3\n{SPOKEN}", False),
        (f"{SPOKEN}\n{SPOKEN}", False),
        (SPOKEN.replace("3", "4"), False),
        (SPOKEN.replace("3", "3.0"), True),
        (SPOKEN.replace("water", "dig"), False),
        ('{"name": "water", "arguments": {"bed": 3}}', False),
    ],
)
def test_a_call_is_right_alone_and_with_the_same_arguments(text, is_it):
    assert right(CALL, text, tools=WATER) is is_it


@pytest.mark.parametrize(
    ("text", "does", "words"),
    [
        ("<think>\nsix sevens\n</think>\n\n42", True, "42"),
        ("\n<think>x</think>42", True, "42"),
        ("<think>\n\n</think>\n\n42", False, "42"),
        ("42", False, "42"),
        ("<think>\nsix sevens are 42", False, ""),
        ("I <think> 42", False, "I <think> 42"),
        ("six sevens\n</think>\n\n42", False, "42"),
    ],
)
def test_a_model_thinks_where_it_opens_and_closes_a_thought_that_says_something(text, does, words):
    assert (thinks(text), said(text)) == (does, words)
