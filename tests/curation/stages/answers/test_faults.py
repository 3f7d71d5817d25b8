"""What is wrong with one answer, and what only looks so: each kind by examples of both."""

from typing import get_args

import pytest

from curation.recipe.stages import ANSWER_FAULTS, AnswerFault
from curation.stages.answers.faults import MARKS, faults_of

ALL_MARKED = {kind for kinds in MARKS.values() for kind in kinds}
PROSE = "Plants need water. They need light, too. Good soil helps them most. "
CROPS = ("Beans", "Maize", "Rice", "Wheat", "Oats", "Barley", "Millet", "Sorghum", "Cassava", "Peas")
LONG = (
    " ".join(f"{crop} grow in field {n} on the {crop[::-1].lower()} side." for n, crop in enumerate(CROPS))
    + PROSE
)
TICKS = "`" * 3


def found(text, asked="What do plants need?", *, calls=False, first=True):
    """The kinds of faults of an answer."""
    return {kind for kind, _ in faults_of(asked, text, ALL_MARKED, calls=calls, first=first)}


def thinking(thought, text, tag="think"):
    return f"<{tag}>\n{thought}\n</{tag}>\n\n{text}"


def test_every_kind_is_explained():
    assert tuple(ANSWER_FAULTS) == get_args(AnswerFault)


FAULTS = {
    "cut_off": [
        "Plants need water and",
        "Ladies and",
        f"{PROSE}They take it from the",
        f"{PROSE}In spring they will",
        f"{PROSE}- **Water:** They take it up through a",
        f"{LONG}They take up salts (such as potass",
        "To water a plant, follow these steps:",
        "Sure, here is a recipe for bread:",
        "print('{}'.format(",
        "Pflanzen brauchen Wasser und",
        "1, 2, 4, 5, 10, and",
    ],
    "unended": [
        f"{LONG}{PROSE}They take it up through their roots. Without it leaves hang down and the whole pla",
        "\n".join(
            f"{n}. **{crop}:** they are sown in field {n} and eaten by {crop[::-1].lower()}s."
            for n, crop in enumerate(CROPS)
        )
        + "\n11. **Soil:** it is dug up in autumn, and it must not be too da",
    ],
    "open_fence": [
        f"Here it is:\n\n{TICKS}python\nprint(1)",
        f"{TICKS}\na\n{TICKS}\n\nThen:\n\n{TICKS}sh\nls\n\nI hope that it helps!",
    ],
    "repetition": [
        PROSE + "Water is good. " * 12,
        "ha ha water " * 20,
        PROSE + "\n".join(f"{n}. The Jazz Singer" for n in range(1, 30)),
        PROSE + "look at the roots and " * 40 + PROSE * 3,
    ],
    "template_rest": [
        "<noinput>",
        "Water.\n<no input>",
        "<<<answer>>>: water",
        "Dear {{customer_name}}, hello.",
        "无输入",
    ],
    "blank": [
        "Best regards,\n[Your Name]",
        "Dear [Recipient's Name], hello.",
        "On [insert date] we met.",
        "此致\n[您的姓名]",
    ],
    "other_speaker": [
        "Water.\n\nHuman: And what else?\n\nAssistant: Light.",
        "Water.\n##\n12. Instruction: Name a colour.\n12. Input:\nred",
        "Water.\n\n### Instruction:\nName a colour.",
        "### Response: Water.",
    ],
    "refusal": [
        "I'm sorry, but I can't help with that.",
        "I cannot provide medical advice.",
        "As an AI language model, I am unable to browse the web.",
        "抱歉\uff0c我无法提供帮助。",
        "Lo siento, pero no puedo ayudarte con eso.",
    ],
    "as_an_ai": [
        "As an AI language model, I have no roots.",
        "I'm just an AI, but water is good.",
        "Water. My knowledge cutoff is September 2021.",
        "作为一个人工智能语言模型\uff0c我没有感情。",
    ],
    "echo": ["What do plants need?", "what do plants need", '"What do plants need?"'],
    "no_words": ["...", "-", TICKS, "_", "[]", "???"],
    "missing_text": [
        "Please provide the article that you want me to summarize.",
        "You haven't provided the text.",
        "As shown in Figure 3, plants need water.",
        "According to the passage, plants need water.",
    ],
    "lost_letters": ["Plants need 10\ufffdC."],
    "open_thought": [f"<think>\nPlants. {PROSE}", f"<reasoning>{PROSE}"],
    "doubled_thought": [
        f"<think>\n<think>\n{PROSE}</think>\n\nWater.",
        f"{thinking(PROSE, '')}{thinking(PROSE, 'Water.')}",
        f"<think>{PROSE}</think></think>Water.",
    ],
    "empty_thought": [thinking("", "Water."), thinking("...", "Water.", "thinking")],
    "thought_loop": [thinking(PROSE + "Wait, light. " * 20, "Water.")],
    "thought_repeated": [thinking(PROSE, PROSE)],
}


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
    assert not list(faults_of("?", text, (), calls=False, first=True))
