"""What is wrong with one answer: each kind of curation/recipe/stages.py with its evidence."""

import re
from collections.abc import Iterator, Set

from curation.stages.answers import wordings
from curation.stages.answers.endings import ENDS, FENCE, LONG, cut_off, open_fence, unended
from curation.stages.answers.loops import SHORTEST, loop
from curation.stages.answers.thoughts import MARKS as THOUGHT_MARKS
from curation.stages.answers.thoughts import Parts, parts_of, thought_faults

THOUGHT = "thought"
# What is looked for → the words of which a text has one where it is found.
MARKS_OF = {**wordings.MARKS, THOUGHT: THOUGHT_MARKS}
MARKS: dict[str, set[str]] = {}
for _kind, _marks in MARKS_OF.items():
    for _mark in _marks:
        MARKS.setdefault(_mark, set()).add(_kind)

_WORD = re.compile(r"[^\W_]")
_WORDS = re.compile(r"\w+")
_SHOWS_SOMETHING = re.compile(r"[\u2190-\U0001faff]|[:;=]['-]?[()|/\\*]|<>|\n")
_MORSE = re.compile(r"(?=.*[.\u00b7\u2022])(?=.*[-\u2013\u2014])[.\-\u00b7\u2022\u2013\u2014\s/|]+")
NOTHING = 12  # characters of an answer that may say nothing
ECHO_SLACK, ECHO_WORDS = 4, 3  # characters that an echo may lack, words that it has
LOST = "\ufffd"
Found = tuple[str, str]  # kind and evidence


def marked_in(marked: Set[str], asked: str, text: str) -> Set[str]:
    """Of what a row has words of, that of which one turn and its question have some."""
    lower = f"{asked}\n{text}".lower()
    return {kind for kind in marked if any(map(lower.__contains__, MARKS_OF[kind]))}


def may_have_faults(asked: str, text: str) -> bool:
    """Whether a look at an answer is worth its time, where its row has none of the words."""
    return (
        len(text) >= SHORTEST
        or len(text) <= NOTHING
        or text[-1] not in ENDS
        or LOST in text
        or abs(len(asked) - len(text)) <= ECHO_SLACK
        or FENCE in text
    )


def faults_of(asked: str, text: str, marked: Set[str], *, calls: bool, first: bool) -> Iterator[Found]:
    """What is wrong with an answer and with its question.

    asked: what the user said last; marked: what they have words of; calls: whether the turn calls a tool;
    first: whether nothing was said before the question.
    """
    parts = parts_of(text) if THOUGHT in marked else Parts([], text.strip())
    if THOUGHT in marked:
        yield from thought_faults(parts)
    if "template_rest" in marked and (found := wordings.template_rest(asked)):
        yield "template_rest", found
    if first and (found := wordings.text_left_out(asked)):
        yield "missing_text", found
    if parts.said:
        yield from _form(asked, parts.said, calls)
    if parts.said and marked:
        for kind, look in wordings.LOOKS.items():
            if kind in marked and (found := look(asked, parts.said)):
                yield kind, found


def _form(asked: str, said: str, calls: bool) -> Iterator[Found]:
    """What is found without words to look for. Before a call, words may end in any way."""
    if len(said) >= SHORTEST and (found := loop(said)):
        yield "repetition", found
    elif not calls:
        if FENCE in said and (found := open_fence(said)):
            yield "open_fence", found
        elif said[-1] not in ENDS and (found := cut_off(said)):
            yield "cut_off", found
        elif len(said) >= LONG and (found := unended(said)):
            yield "unended", found
    if LOST in said:
        place = said.index(LOST)
        yield "lost_letters", said[max(0, place - 20) : place + 20]
    if len(said) <= NOTHING and not calls and not _WORD.search(said) and _is_nothing(said):
        yield "no_words", said
    if abs(len(asked) - len(said)) <= ECHO_SLACK and _is_echo(asked, said):
        yield "echo", said


def _is_nothing(said: str) -> bool:
    """Whether an answer without words is no face, no drawing, no Morse code."""
    return not _SHOWS_SOMETHING.search(said) and not _MORSE.fullmatch(said)


def _is_echo(asked: str, said: str) -> bool:
    words = _WORDS.findall(said.casefold())
    return len(words) >= ECHO_WORDS and words == _WORDS.findall(asked.casefold())
