"""The form of thoughts: `<think>…</think>` and the like before what is said."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from curation.stages.answers.loops import loop

_TAG = re.compile(
    r"<(?P<end>/?)(?:think|thinking|thoughts?|reasoning|reflection|scratchpad)>|```.*?(?:```|\Z)|`[^`\n]*`",
    re.IGNORECASE | re.DOTALL,
)
MARKS = ("think>", "thinking>", "thought>", "thoughts>", "reasoning>", "reflection>", "scratchpad>")
_WORD = re.compile(r"\w+")
LEAST_WORDS = 5  # of a thought that its answer repeats
SAME = 0.9  # of the words of both


class Parts(NamedTuple):
    """What a turn thinks and what it says; fault: what is wrong with its tags, and the tag."""

    thoughts: list[str]
    said: str
    fault: tuple[str, str] | None = None


def parts_of(text: str) -> Parts:
    """The thoughts of a turn and its other words. A first closing tag needs no opening: the prompt had it."""
    thoughts: list[str] = []
    said: list[str] = []
    opened, end = "", 0
    for tag in _TAG.finditer(text):
        before = text[end : tag.start()]
        if tag["end"] is None:  # code, in which tags are text
            continue
        if tag["end"]:
            if not opened and thoughts:
                return Parts([], "", ("doubled_thought", tag.group()))
            thoughts.append(before)
            opened = ""
        elif opened or (thoughts and not before.strip()):
            return Parts([], "", ("doubled_thought", tag.group()))
        else:
            said.append(before)
            opened = tag.group()
        end = tag.end()
    if opened:
        return Parts([], "", ("open_thought", opened))
    return Parts(thoughts, "".join([*said, text[end:]]).strip())


def thought_faults(parts: Parts) -> Iterator[tuple[str, str]]:
    """(kind, evidence) of what is wrong with the thoughts of a turn."""
    if parts.fault:
        yield parts.fault
    for thought in parts.thoughts:
        if not _WORD.search(thought):
            yield "empty_thought", "<think></think>"
        elif unit := loop(thought):
            yield "thought_loop", unit
        elif _is_same(thought, parts.said):
            yield "thought_repeated", parts.said


def _is_same(thought: str, said: str) -> bool:
    first, second = _WORD.findall(thought.casefold()), _WORD.findall(said.casefold())
    fewer, more = sorted((len(first), len(second)))
    if fewer < max(LEAST_WORDS, SAME * more):
        return False
    return len(set(first) & set(second)) >= SAME * len(set(first) | set(second))
