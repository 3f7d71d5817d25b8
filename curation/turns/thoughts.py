"""What an assistant thought before it spoke: `<think>…</think>` at the beginning of its content."""

from collections.abc import Mapping
from typing import Any

OPENS, CLOSES = "<think>", "</think>"
SPACE = " \t\r\n"  # what is cut off; the engines of templates differ in what more they call space
# What a model that has not thought says in its place. Source: the chat template of Qwen3.
NO_THOUGHT = f"{OPENS}\n\n{CLOSES}\n\n"


def split_thought(content: str) -> tuple[str | None, str]:
    r"""The thought, without white space around it, and the words after it; (null, content) without one.

    A thought whose opening tag is lost, as where the prompt opened it, is one all the same. What stands
    between other words, or is never closed, is none. The words lose the empty lines that follow the thought.
    """
    before, closing, words = content.partition(CLOSES)
    opened = before.lstrip(SPACE)
    if not closing or (OPENS in before and not opened.startswith(OPENS)):
        return None, content
    return opened.removeprefix(OPENS).strip(SPACE), words.lstrip("\n")


def has_thought(message: Mapping[str, Any]) -> bool:
    """Whether an assistant turn of a row holds a thought that says something."""
    return message["role"] == "assistant" and bool(split_thought(message["content"] or "")[0])
