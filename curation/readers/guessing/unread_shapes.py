"""Shapes that are known and that no reader takes: what they are, and what to do, in a line.

A reader that learns one takes its line away, and says in its `guess_records` that the shape is its own.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any

from curation.readers.seam import is_turns
from curation.sources import decoding
from curation.sources.decoding import BrokenFile

Record = Mapping[str, Any]

_CHAT_LINE = re.compile(
    r"\W{0,3}\d{1,4}[-./:]\d{1,2}[-./:\d]*(,? \d{1,2}:\d\d(:\d\d)?( ?[ap]m)?)?\W{1,4}"
    r"(<\S+>|[\w +.-]{1,40}:) ",
    re.IGNORECASE,
)


def _turns_beside(one: Record, *keys: str) -> bool:
    return any(is_turns(one.get(key)) for key in keys)


# What the first record looks like → what it is and what to do; the first that fits speaks.
_SHAPES: tuple[tuple[Callable[[Record], bool], str], ...] = (
    (
        lambda one: (
            _turns_beside(one, "chosen") or (isinstance(one.get("chosen"), dict) and "rejected" in one)
        ),
        "pairs of a chosen and a rejected answer; write the conversation with the chosen one as `messages`",
    ),
    (
        lambda one: isinstance(one.get("inputs"), dict) and isinstance(one.get("outputs"), dict),
        "runs of LangSmith; write the messages of `inputs` and `outputs` as one list, `messages`",
    ),
    (
        lambda one: str(one.get("prompt", "")).rstrip().endswith(("###", "->")) and "completion" in one,
        "prompts and completions with their old separators; take the separators off first",
    ),
)


def known_records(objects: Sequence[Record]) -> str | None:
    """What records of these keys are, where that is known and no reader takes them."""
    return next((what for fits, what in _SHAPES if fits(objects[0])), None)


def known_text(path: Path) -> str | None:
    """What a plain file is, where its first lines show it and no reader takes it."""
    with suppress(BrokenFile, UnicodeDecodeError):
        head = b"".join(islice(decoding.utf8(decoding.blocks(path)), 1))[: 1 << 16].decode(errors="replace")
        lines = [line for line in head.splitlines()[:50] if line.strip()]
        if lines and sum(_CHAT_LINE.match(line) is not None for line in lines) * 2 > len(lines):
            return (
                "a chat export, a line a message; write whole conversations as `messages`, and say who"
                " is the assistant"
            )
    return None
