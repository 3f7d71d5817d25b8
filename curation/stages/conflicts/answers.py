"""Two answers to the same turns: whether one only rewords the other, contradicts it, or says something else.

Judged by what they have in common: content words (stems without function words, those of the question left
out), numbers, and polarity (a yes or no at the beginning, words that are denied). Reads English, and of
other languages the words and the numbers alone.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import orjson

from curation.stages.conflicts.english import DENIES, DENYING, EMPTY, HEDGES, NO, NUMBER_WORDS, OPPOSITES, YES
from curation.stages.near_duplicates.shingles import words
from curation.turns.thoughts import split_thought

# An answer that one is compared with is a copy of it, says the same in other words, says the opposite, or
# says something else, which may be as true.
Relation = Literal["same", "rewording", "contradiction", "other"]

MAX_CHARACTERS = 1_200  # of an answer that are read
LAST = 150  # characters of the end of an answer in which its result stands
WORKED_OUT = 60  # content words of an answer whose last number is taken for its result
SHORT = 400  # characters of a text in which numbers are read in words, too
BRIEF = 20  # content words of an answer all of which is held against the other
FEW = 2  # content words beside the question's, with which an answer is all but its numbers
WORD_FOR_WORD = 0.9  # content words in common, of all in both, from which one is a changed copy of the other
BY_CHANCE = 9  # content words up to which answers that nobody asked for in so many words are alike by chance
LIKE_LENGTH = 0.6  # content words of the shorter answer, of the longer's, from which they say as much
ROUNDED = 0.01  # by how much of it a number may be rounded
SENTENCE = 0.6  # words in common, of all in both, from which answers are one sentence
ABOUT_THE_SAME = 0.5  # share of content words from which numbers and denials speak of one thing

_DIGITS = r"[-\u2212]?\d+(?:[.,]\d+)*"
_FIGURES = re.compile(_DIGITS)
_NUMBERS = re.compile(rf"{_DIGITS}|\b(?:{'|'.join(NUMBER_WORDS)})\b", re.IGNORECASE)
# What a minus follows, where it is neither of a range nor a dash.
_BEFORE_MINUS = ("=", "= ", "(", "is ")
# Marks of lists and exponents are no numbers that an answer gives.
_NO_NUMBER = re.compile(r"^\s*(?:\d+[.):]|step \d+:?)(?=\s)|\^\s*\{?-?\d+", re.MULTILINE | re.IGNORECASE)
_ASKS = re.compile(r"^\s*(?:what|whats|which|who|whose|when|where|why|how)\b", re.MULTILINE | re.IGNORECASE)
_ASKS_FOR_NUMBER = re.compile(
    r"how (?:many|much|long|old|far|tall|high|deep|big)|\b(?:calculate|compute|solve|evaluate|convert)\b"
    r"|(?:find|what is|what's|determine) (?:the )?[\w ]{0,30}?"
    r"(?:sum|difference|product|value|total|number|area|volume|perimeter|average|mean|percentage|cost|price)",
    re.IGNORECASE,
)
_WORD = re.compile(r"\w+")
_THOUSANDS = re.compile(r"-?\d{1,3}(?:,\d{3})+(?:\.\d+)?")
_RANGE = re.compile(r"(\d+(?:\.\d+)?)(?:\s?\S{1,3}(?: \([^)]*\))?)?\s*(?:-|\u2013|to)\s*(\d+(?:\.\d+)?)")
# Words that deny nothing.
_IDIOM = re.compile(r"\bno (?:doubt|matter|(?:more|less|fewer|later) than)\b|\bnot only\b", re.IGNORECASE)
_ASKS_FOR_TEXT = re.compile(
    r"\b(?:code|function|program|script|algorithm|list|generate|write|estimate|example|suggest|recommend|describe"
    r"|create|design|offer|name an?|name some|python|sql|query|regex|links"
    r"|how (?:to|(?:do|can|should|would) (?:i|we|you|one)))\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Question:
    """What of a question matters for the answers to it.

    for_number  whether it asks for one
    is_question  whether it has the mark or the first word of one
    is_open     whether it asks for a text, a list or an estimate, of which many can be right
    """

    stems: frozenset[str]
    numbers: frozenset[str]
    for_number: bool
    is_question: bool
    is_open: bool


@dataclass(frozen=True, slots=True)
class Answer:
    """What is compared of an answer.

    text     its beginning
    spoken   all its words, in order
    stems    of its content words
    own      those of them that are not in the question
    numbers  as figures, in order, without those of the question
    ends     whether it ends on a number, as where a calculation has its result
    denials  how many of its words deny something
    denied   stems of the words that it denies; not looked for in a long one
    opens    "yes", "no", or ""
    calls    names and arguments of its tool calls, in canonical JSON
    """

    text: str
    spoken: tuple[str, ...]
    stems: frozenset[str]
    own: frozenset[str]
    numbers: tuple[str, ...]
    ends: bool
    denials: int
    denied: frozenset[str]
    opens: str
    calls: tuple[tuple[str, str], ...]


def read_question(text: str) -> Question:
    """The last turn before an answer."""
    end = text[-MAX_CHARACTERS:]
    said = set(words(end))
    return Question(
        frozenset(map(stem, said)),
        frozenset(numbers(end, said)),
        bool(_ASKS_FOR_NUMBER.search(end)),
        "?" in end or bool(_ASKS.search(end)),
        bool(_ASKS_FOR_TEXT.search(end)),
    )


def read_answer(message: dict[str, Any], question: Question) -> Answer:
    """An assistant's turn as it is compared."""
    _, text = split_thought(message["content"] or "")
    is_whole, text = len(text) <= MAX_CHARACTERS, text[:MAX_CHARACTERS]
    if any(mark in text for mark in (" than", " only", " doubt", " matter")):
        text = _IDIOM.sub(" ", text)
    said = words(text)
    different = set(said)
    stems = frozenset([stem(word) for word in different - EMPTY if not word[0].isdigit()])
    calls = tuple((call["name"], plain_json(call["arguments"])) for call in message["tool_calls"] or ())
    opens = "yes" if said and said[0] in YES else "no" if said and said[0] in NO else ""
    refused = denied(text) if len(stems) <= BRIEF else frozenset[str]()
    own_numbers = tuple([n for n in numbers(text, different) if n not in question.numbers])
    denials = 0 if DENYING.isdisjoint(different) else sum(word in DENYING for word in said)
    own = stems - question.stems
    ends = is_whole and bool(own_numbers) and bool(_FIGURES.search(text, max(len(text) - LAST, 0)))
    return Answer(text, tuple(said), stems, own, own_numbers, ends, denials, refused, opens, calls)


def numbers(text: str, said: Collection[str]) -> list[str]:
    """The numbers of a text with these words, in order, without marks of thousands and closing zeros.

    Those in words are left out of a long text: they seldom count anything there.
    """
    in_words = len(text) < SHORT and not NUMBER_WORDS.keys().isdisjoint(said)
    kind = _NUMBERS if in_words else _FIGURES
    if not kind.search(text):
        return []
    plain = _NO_NUMBER.sub(" ", text)
    return [
        number(found[0], plain[max(found.start() - 3, 0) : found.start()]) for found in kind.finditer(plain)
    ]


def denied(text: str) -> frozenset[str]:
    """The stems of the content words that follow a denying word closely."""
    found = set()
    tokens = re.findall(r"[\w']+|[.;:!?\n]", text.casefold().replace("\u2019", "'"))
    for place, token in enumerate(tokens):
        if token in DENIES or token.endswith("n't"):
            for after in tokens[place + 1 : place + 4]:
                if not after[0].isalnum():
                    break
                if after not in EMPTY:
                    found.add(stem(after))
                    break
    return frozenset(found)


@lru_cache(maxsize=1 << 16)
def stem(word: str) -> str:
    """A word without the endings of English plurals and tenses."""
    for ending in ("ingly", "edly", "ing", "ied", "ies", "ed", "es", "ly", "s"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            word = word[: -len(ending)]
            break
    return word.rstrip("ey") if len(word) > 4 else word


def number(text: str, before: str) -> str:
    """A figure or a number word in one spelling; before: what stands right before it."""
    if word := NUMBER_WORDS.get(text.lower()):
        return word
    if text[0] in "-\u2212":
        text = f"-{text[1:]}" if not before or before.endswith(_BEFORE_MINUS) else text[1:]
    if "," in text:
        text = text.replace(",", "" if _THOUSANDS.fullmatch(text) else ".")
    return (text.rstrip("0").rstrip(".") or "0") if text.count(".") == 1 else text


def plain_json(arguments: str) -> str:
    """Arguments in canonical JSON; what is no JSON as it stands."""
    try:
        return orjson.dumps(orjson.loads(arguments), option=orjson.OPT_SORT_KEYS).decode()
    except orjson.JSONDecodeError:
        return arguments


def relation(one: Answer, other: Answer, question: Question, rewording: float) -> tuple[Relation, str]:
    """How two answers to one question relate, and by what they contradict each other.

    rewording: from which share of content words on they say the same, if numbers and denials agree.
    """
    if one.calls != other.calls:
        return "other", ""
    if one.calls or (one.spoken == other.spoken and one.numbers == other.numbers):
        return "same", ""
    if one.opens and other.opens and one.opens != other.opens:
        return "contradiction", "yes or no"
    if by := change(one, other, question):
        return "contradiction", by
    share = shared(one, other)
    agree = numbers_agree(one, other)
    if not agree and numbers_clash(one, other, question, share):
        return "contradiction", "numbers"
    if max(len(one.stems), len(other.stems)) <= BRIEF:
        if share >= rewording and of_like_length(one, other) and (denies(one, other) or denies(other, one)):
            return "contradiction", "denial"
        if share >= ABOUT_THE_SAME and opposed(one, other):
            return "contradiction", "opposites"
        if replaced(one, other, question):
            return "contradiction", "another name"
    return ("rewording", "") if share >= rewording and agree else ("other", "")


def change(one: Answer, other: Answer, question: Question) -> str:
    """By what an answer changes another that has nearly the same words, at any length; "" if by nothing."""
    common = len(one.stems & other.stems)
    by_chance = common < BY_CHANCE and (question.is_open or not asks_for(one, question))
    if common < WORD_FOR_WORD * len(one.stems | other.stems) or by_chance:
        return ""
    as_many = len(one.numbers) == len(other.numbers) and set(one.numbers) != set(other.numbers)
    if as_many and not all(map(are_near, one.numbers, other.numbers)):
        return "numbers"
    if (one.denials - other.denials) % 2:
        return "denial"
    return "opposites" if opposed(one, other) else ""


def asks_for(answer: Answer, question: Question) -> bool:
    """Whether a question is one, or has a word of the answer, as a move in a game has none."""
    return question.is_question or question.for_number or bool(answer.stems & question.stems)


def opposed(one: Answer, other: Answer) -> bool:
    """Whether an answer has a word that the other lacks, and lacks its opposite, which the other has."""
    if (one.denials - other.denials) % 2:
        return False
    here, there = set(one.spoken), set(other.spoken)
    return any(OPPOSITES[word] in there - here for word in OPPOSITES.keys() & (here - there))


def denies(one: Answer, other: Answer) -> bool:
    """Whether an answer denies what another, which denies nothing, says."""
    return not other.denied and bool(one.denied & other.stems)


def shared(one: Answer, other: Answer) -> float:
    """The share of the content words of the shorter answer that the other has, the question's left out.

    Of answers that have none beside the question's, of all their content words, then of all their words; all
    is shared by those that give the same numbers and nothing else.
    """
    if not (one.own and other.own) and one.numbers and set(one.numbers) == set(other.numbers):
        return 1.0
    spoken = frozenset(one.spoken), frozenset(other.spoken)
    for a, b in ((one.own, other.own), (one.stems, other.stems), spoken):
        if least := min(len(a), len(b)):
            return len(a & b) / least
    return 0.0


def replaced(one: Answer, other: Answer, question: Question) -> bool:
    """Whether answers to a question are one sentence with another name in it."""
    here, there = set(one.spoken), set(other.spoken)
    return (
        question.is_question
        and not question.is_open
        and "?" not in one.text + other.text
        and len(one.stems & other.stems & question.stems) >= FEW
        and one.own.isdisjoint(other.own)
        and 1 <= len(one.own) <= FEW
        and 1 <= len(other.own) <= FEW
        and len(here & there) >= SENTENCE * len(here | there)
        and names_only(one)
        and names_only(other)
    )


def names_only(answer: Answer) -> bool:
    """Whether all that an answer adds to the question is written as names are."""
    return not any(
        word[0].islower() and stem(word.casefold()) in answer.own for word in _WORD.findall(answer.text)
    )


def of_like_length(one: Answer, other: Answer) -> bool:
    """Whether neither answer has much more to say than the other."""
    few, many = sorted((len(one.stems), len(other.stems)))
    return few >= LIKE_LENGTH * many


def numbers_agree(one: Answer, other: Answer) -> bool:
    """Whether all numbers of an answer stand in the other, or are rounded there, or lie in a range of it."""
    here, there = set(one.numbers), set(other.numbers)
    return (
        here <= there
        or there <= here
        or all(is_given(number, one, other) for number in here)
        or all(is_given(number, other, one) for number in there)
    )


def is_given(number: str, one: Answer, other: Answer) -> bool:
    """Whether a number of an answer is given by another, rounded, or within a range if this one has none."""
    if any(are_near(number, given) for given in other.numbers):
        return True
    ranges = [] if _RANGE.search(one.text) else _RANGE.findall(other.text)
    return number.count(".") < 2 and any(float(low) <= float(number) <= float(high) for low, high in ranges)


def are_near(one: str, other: str) -> bool:
    """Whether two numbers are the same, or one with decimals is rounded to the other."""
    if one == other or "." not in one + other or max(one.count("."), other.count(".")) > 1:
        return one == other
    return abs(float(one) - float(other)) <= ROUNDED * abs(float(one))


def numbers_clash(one: Answer, other: Answer, question: Question, share: float) -> bool:
    """Whether answers whose numbers differ cannot both be right, as far as their words tell."""
    if question.is_open:
        return False
    if question.for_number and are_near(one.numbers[-1], other.numbers[-1]):
        return False
    longest = max(len(one.stems), len(other.stems))
    if longest <= BRIEF and asks_for(one, question):
        return share >= ABOUT_THE_SAME or min(len(one.own), len(other.own)) <= FEW
    # The result of a calculation comes last.
    return (
        question.for_number
        and one.ends
        and other.ends
        and longest <= WORKED_OUT
        and HEDGES.isdisjoint(one.spoken)
        and HEDGES.isdisjoint(other.spoken)
        and not is_given(one.numbers[-1], one, other)
        and not is_given(other.numbers[-1], other, one)
    )
