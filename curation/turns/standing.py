"""Whether the text arguments of a call stand in what was said before it."""

from collections.abc import Iterable, Sequence

import orjson

from curation.jsontext import strings
from curation.row import Message

# Shorter texts stand everywhere by chance; the words of yes and no are choices and nobody's words.
SHORTEST = 3
CHOICES = frozenset({"true", "false", "yes", "no", "none", "null"})


def plain(text: str) -> str:
    """Text as it is looked for: without differences of case and of white space."""
    return " ".join(text.casefold().split())


def text_arguments(message: Message) -> set[str]:
    """The texts of at least SHORTEST characters in the arguments of a turn's calls, `plain`.

    Arguments that are no JSON have none.
    """
    found: set[str] = set()
    for call in message.get("tool_calls") or ():
        try:
            found.update(map(plain, strings(orjson.loads(call["arguments"]))))
        except orjson.JSONDecodeError:
            continue
    return {text for text in found if len(text) >= SHORTEST and text not in CHOICES}


def said(messages: Iterable[Message]) -> list[str]:
    """What each message says, `plain`, the text arguments of its calls a line each after it."""
    return ["\n".join([plain(m.get("content") or ""), *sorted(text_arguments(m))]) for m in messages]


def missing(message: Message, before: Sequence[str]) -> set[str]:
    """The text arguments of a turn's calls that stand nowhere in `before` (see `said`) or its own words."""
    own = plain(message.get("content") or "")
    return {text for text in text_arguments(message) if text not in own and not stands(text, before)}


def stands(text: str, before: Iterable[str]) -> bool:
    """Whether a plain text is part of any of the texts."""
    return any(text in earlier for earlier in before)
