"""What is wrong with one answer, and what only looks so: each kind by examples of both."""

from typing import get_args

import pytest
from faulty_answers import FAULTS, PROSE, TICKS, thinking

from curation.recipe.stages import ANSWER_FAULTS, AnswerFault
from curation.stages.answers.faults import MARKS, faults_of

ALL_MARKED = {kind for kinds in MARKS.values() for kind in kinds}


def found(text, asked="What do plants need?", *, calls=False, first=True):
    """The kinds of faults of an answer."""
    return {kind for kind, _ in faults_of(asked, text, ALL_MARKED, calls=calls, first=first)}


def test_every_kind_is_explained():
    assert tuple(ANSWER_FAULTS) == get_args(AnswerFault)


@pytest.mark.parametrize(("kind", "text"), [(kind, text) for kind, texts in FAULTS.items() for text in texts])
def test_an_answer_with_a_fault_is_seen(kind, text):
    assert kind in found(text)


def test_every_kind_has_an_example():
    assert FAULTS.keys() == ANSWER_FAULTS.keys()


SOUND = [
    PROSE,
    "Water",
    "a",
    "the",
    "Yes, it is",
    "Where are you leaving from",
    "is there anything else i can help you with",
    "The words are: a, an, the",
    "C, D, F, A",
    "vitamins and minerals such as iron and vitamin A",
    "What a pity :(",
    "Which of them is it for?\n\n- roots\n- leaves\n- what it is for",
    "1. Name:\n2. Email:\n3. Password:",
    "for num in range(1, 10):",
    "Yours forever,",
    "\N{SEEDLING}\N{SUN WITH FACE}",
    ":)",
    "... --- ...",
    "+---+\n|   |\n+---+",
    f"{TICKS}python\nprint(1)\n{TICKS}",
    f"{TICKS}`markdown\n{TICKS}python\nprint(1)\n{TICKS}\n{TICKS}`",
    f"Put {TICKS} before and behind it.",
    f"It ends so:\n{TICKS}\nprint(1){TICKS}",
    "| a | b |\n| --- | --- |\n" + "| 1 | 2 |\n" * 40,
    "\n".join(f"- {n} times {n} is {n * n}, and so on it goes" for n in range(40)),
    "Row, row, row your boat\nGently down the stream\nMerrily, merrily, merrily\nLife is but a dream.",
    "kernel<<<blocks>>>(x)",
    "Write `{{ title }}` in it.",
    "env: ${{ secrets.TOKEN }}",
    "items[name] = [1, 2]",
    "See [Name](https://example.com).",
    "As an AI researcher, I read a lot.",
    "They serve as an AI assistant would.",
    "Sorry, we could not find a table for two.",
    "I can't give you all of the water, but two of three.",
    "Could you please provide your reservation ID?",
    "### Instructions:\n\n1. Water it.",
    "Human: hello\nBot: hello",
    "Plants are shown in many pictures.",
    thinking("Roots drink.", PROSE),
    f"Roots drink.\n</think>\n\n{PROSE}",
    f"{thinking('Roots drink.', 'Water.')}\n{thinking('Leaves eat.', 'Light.')}",
    f"Tags such as `<think>` are text here. {PROSE}",
]


@pytest.mark.parametrize("text", SOUND)
def test_a_sound_answer_has_none(text):
    assert not found(text)


@pytest.mark.parametrize(
    ("asked", "text", "kind"),
    [
        ("Write a template of a letter.", "Dear [Name], hello.", "blank"),
        ("Mend this: Dear [Name], helo.", "Dear [Name], hello.", "blank"),
        ("Write a chat of a human and a bot.", "Here it is.\n\nHuman: hello\nBot: hello", "other_speaker"),
        ("Count the vowels of 'I am an AI assistant'.", "'I am an AI assistant' has eight.", "as_an_ai"),
        ("Which crops does | Table 2 | show?", "As shown in Table 2, beans.", "missing_text"),
    ],
)
def test_what_was_asked_for_is_no_fault(asked, text, kind):
    assert kind not in found(text, asked)


def test_words_before_a_call_may_end_in_any_way():
    assert found("Let me look at the") == {"cut_off"}
    assert not found("Let me look at the", calls=True)


def test_a_rest_of_a_template_in_a_question_is_one_of_its_answer():
    assert found(PROSE, "Name a plant.\n\nNoinput") == {"template_rest"}
    assert not found(PROSE, "What does `no input` mean here?")


@pytest.mark.parametrize(
    "asked", ["Summarize the following article:", "Describe the attached image.", "翻译以下句子。"]
)
def test_a_first_question_that_ends_on_the_name_of_a_text_lacks_it(asked):
    assert found(PROSE, asked) == {"missing_text"}
    assert not found(PROSE, asked, first=False)
    assert not found(PROSE, f"{asked}\n\nBeans are planted in May.")


def test_words_are_looked_for_only_where_the_row_has_them():
    text = "As an AI language model, I have no roots."
    assert not list(faults_of("?", text, frozenset(), calls=False, first=True))
