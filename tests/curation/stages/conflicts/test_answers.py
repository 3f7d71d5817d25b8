"""Two answers to one question: a rewording, a contradiction, or something else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.row import message
from curation.stages.conflicts.answers import read_answer, read_question, relation


def related(question: str, one: str, other: str, rewording: float = 0.7) -> tuple[str, str]:
    asked = read_question(question)
    answers = [read_answer(message("assistant", text), asked) for text in (one, other)]
    found = relation(*answers, asked, rewording)
    assert relation(*reversed(answers), asked, rewording) == found
    return found


@pytest.mark.parametrize(
    ("question", "one", "other", "by"),
    [
        ("Can goats eat yew?", "Yes, they can eat it.", "No, it kills them.", "yes or no"),
        ("How deep is a bean sown?", "Sow it 5 cm deep.", "Sow it 2 cm deep.", "numbers"),
        (
            "Write of the orchard.",
            "The orchard by the old mill has 40 apple trees, a stone wall, bees, a well and one gate.",
            "The orchard by the old mill has 90 apple trees, a stone wall, bees, a well and one gate.",
            "numbers",
        ),
        ("which year was the mill built", "1975", "1984", "numbers"),
        ("How deep is a bean sown?", "About five centimetres.", "About two centimetres.", "numbers"),
        ("What is 7 - 9?", "The result is -2.", "The result is 2.", "numbers"),
        (
            "How many eggs do 3 hens lay in 4 days at 2 a day?",
            "Each lays 2 a day, so 3 hens lay 6 a day. In 4 days that makes 24 eggs.",
            "First 3 times 2 is 6. Then 6 plus 4 gives 10 eggs.",
            "numbers",
        ),
        (
            "What is the capital of Australia?",
            "The capital of Australia is Canberra.",
            "The capital of Australia is Sydney.",
            "another name",
        ),
        ("Is yew wood toxic?", "Yew wood is toxic.", "Yew wood is not toxic.", "denial"),
        (
            "What does lime do to soil?",
            "It makes the ground alkaline.",
            "It makes the ground acidic.",
            "opposites",
        ),
    ],
)
def test_answers_that_cannot_both_be_right_contradict_each_other(question, one, other, by):
    assert related(question, one, other) == ("contradiction", by)


@pytest.mark.parametrize(
    ("question", "one", "other"),
    [
        (
            "How does the rot spread in chilli?",
            "The rot spreads in chilli through infected seeds, volunteer plants and plant debris.",
            "Infected seeds, volunteer plants, and plant debris are how it is spread.",
        ),
        ("Which soil suits beans?", "A well-drained loam.", "Beans grow in a loam that is well drained."),
        ("How far apart?", "2.50 m", "Some 2.5 m apart from each other."),
        ("How many?", "1,500 trees", "It is 1500 trees."),
        ("Name the steps.", "1. Dig\n2. Sow\n3. Water", "Dig, sow, water."),
        ("What is the root?", "It is 6.4031242.", "It is about 6.4."),
        ("How many seeds?", "Some 30 seeds.", "From 20 to 50 seeds."),
        ("What does it cost?", "It costs 3 coins.", "It costs 3 coins, or 5 with the basket."),
    ],
)
def test_the_same_in_other_words_is_a_rewording(question, one, other):
    assert related(question, one, other) == ("rewording", "")


@pytest.mark.parametrize(
    ("question", "one", "other"),
    [
        ("Which tree is old?", "The yew by the church.", "An oak near our mill."),
        ("Name an old tree?", "An old tree is the Fortingall Yew.", "An old tree is Methuselah."),
        ("Why is it closed?", "It is closed, which is essential.", "It is closed, which is crucial."),
        ("Hello!", "Hello! How can I help?", "Which priority do you have today?"),
        ("You stand by a gate.", "seed 383", "seed 254"),
        ("How many stars?", "Nobody can tell; it depends.", "There are 3000 to be seen."),
        ("Write a list of two numbers.", "Numbers: 3 and 8", "Numbers: 4 and 9"),
    ],
)
def test_answers_that_may_both_be_right_are_only_different(question, one, other):
    assert related(question, one, other) == ("other", "")


PIECES = "not no yes 3 2.5 -4 1,5 1.2.3 two wet dry it soil can't \u0664 9e9 5-7"
WORDS = st.lists(st.sampled_from(PIECES.split()))


@given(WORDS.map(" ".join) | st.text(), WORDS.map(" ".join) | st.text(), st.text())
def test_any_two_texts_relate_in_one_way_from_both_sides(one, other, question):
    related(question, one, other)
    assert related(question, one, one) == ("same", "")


def test_marks_and_thoughts_make_no_difference():
    assert related("Who?", "The smith.", "the  smith") == ("same", "")
    assert related("How often?", "No more than twice a year.", "Twice a year.") == ("same", "")
    assert related("Who?", "<think>\nhm\n</think>\n\nThe smith.", "The smith.") == ("same", "")


def test_the_share_of_words_from_which_answers_say_the_same_is_a_setting():
    pair = ("It needs water, light and warmth.", "It needs water, light and salt.")
    assert related("What does it need?", *pair, rewording=0.6) == ("rewording", "")
    assert related("What does it need?", *pair, rewording=0.7) == ("other", "")


def test_calls_are_compared_by_their_arguments_not_by_how_these_are_written():
    def calling(arguments: str):
        call = {"id": "c1", "name": "water", "arguments": arguments}
        return read_answer(message("assistant", tool_calls=[call]), read_question("Water bed 3"))

    asked = read_question("Water bed 3")
    one, same, other = calling('{"bed": 3, "l": 2}'), calling('{"l":2,"bed":3}'), calling('{"bed": 4}')
    assert relation(one, same, asked, 0.7) == ("same", "")
    assert relation(one, other, asked, 0.7) == ("other", "")
