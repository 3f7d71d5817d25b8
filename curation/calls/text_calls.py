"""Tool calls written into the text, as Hermes, Qwen and ToolACE write them, read as what they mean.

`<tool_call>{"name": …, "arguments": …}</tool_call>` at the end of an assistant turn is a call,
`<tool_response>…</tool_response>` in the turn after it is a result, and `<tools>…</tools>` in the system
turn lists what is offered. The chat template writes all three again, in the model's own way; left in the
text, they are control tokens. A turn that is nothing but `[name(key="value"), …]` calls tools that the row
offers (curation/calls/python_calls.py). What is not beyond doubt stays as it is.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

import msgspec
import orjson

from curation.calls.json_calls import as_json, calls, says_no_more
from curation.calls.listed_tools import without_tools
from curation.calls.python_calls import python_calls
from curation.calls.repairs import repeated_key
from curation.jsontext import JSON_ERRORS
from curation.row import Message, message
from curation.turns.roles import role_of
from curation.turns.shape import Unfit

# What a call stands between.
OPEN, CLOSE = "<tool_call>", "</tool_call>"
_THOUGHT = "</think>"
_CALLS = re.compile(r"\s*(?:<tool_call>((?:(?!</?tool_call>).)*)</tool_call>\s*)+", re.DOTALL)
_CALL = re.compile(r"<tool_call>(.*?)</tool_call>", re.DOTALL)
_RESULTS = re.compile(r"\s*(?:<tool_response>((?:(?!</?tool_response>).)*)</tool_response>\s*)+", re.DOTALL)
_RESULT = re.compile(r"<tool_response>(.*?)</tool_response>", re.DOTALL)
_FENCE = "```"


class Read(NamedTuple):
    """A row whose calls were text. turns: how many were read so."""

    messages: list[Message]
    tools: str | None
    turns: int


class _Result(msgspec.Struct, forbid_unknown_fields=True):
    """A result that says whose it is, as Hermes writes it."""

    content: msgspec.Raw
    name: str | None = None
    tool_call_id: str | None = None


_decode_result = msgspec.json.Decoder(_Result).decode


def text_calls(messages: Sequence[Message], tools: str | None) -> Read | None:
    """The row with calls, results and tools in their places; None when no text holds any.

    Tools that the row already has stand, and the list in the system turn goes if they have all its names.
    """
    read: list[Message] = []
    count = 0
    for said in messages:
        found, tools = _read(said, read[-1] if read else None, tools)
        count += found is not None
        read += [said] if found is None else found
    return Read(read, tools, count) if count else None


def _read(
    said: Message, before: Message | None, tools: str | None
) -> tuple[list[Message] | None, str | None]:
    """What one message means, None when that is what it says; and the tools offered from here on."""
    content, role = said["content"], str(said["role"]).strip().lower()
    role = role_of(role)
    if not content or said["tool_calls"]:
        return None, tools
    if role == "system":
        text, offered = without_tools(content, tools)
        return None if text == content else [{**said, "content": text}], offered
    if role == "assistant" and OPEN in content:
        return _asked(said), tools
    if role == "assistant" and tools and content.rstrip().endswith("]"):
        return _asked_in_python(said, tools), tools
    if role in ("tool", "user") and before is not None and (before["tool_calls"] or before["role"] == "tool"):
        return _answered(said), tools
    return None, tools


def _asked(said: Message) -> list[Message] | None:
    """An assistant turn that ends on calls; what is spelt while thinking is no call."""
    thought, words = after_thinking(said["content"])
    start = words.find(OPEN)
    if start < 0 or not _CALLS.fullmatch(words, start) or _is_open(words[:start]):
        return None
    texts = [as_json(text) for text in _CALL.findall(words, start)]
    if not all(map(says_no_more, texts)):
        return None
    try:
        made = [one for text in texts for one in calls(text)]
    except Unfit:
        return None
    return [{**said, "content": f"{thought}{words[:start]}".strip() or None, "tool_calls": made}]


def after_thinking(text: str) -> tuple[str, str]:
    """Thinking with its closing tag, and what is said after it: only there a call can stand."""
    thought, closing, words = text.rpartition(_THOUGHT)
    return thought + closing, words


def _is_open(text: str) -> bool:
    """Whether thinking or a block of code has begun and not ended."""
    return "<think>" in text or text.count(_FENCE) % 2 == 1


def _asked_in_python(said: Message, tools: str) -> list[Message] | None:
    """An assistant turn that is a list of calls in Python's words, after thinking or not."""
    thought, words = after_thinking(said["content"])
    made = python_calls(words, tools)
    if made is None:
        return None
    return [{**said, "content": thought.strip() or None, "tool_calls": made}]


def _answered(said: Message) -> list[Message] | None:
    """A turn of nothing but results: one message each."""
    if not _RESULTS.fullmatch(said["content"]):
        return None
    return [_result(text.strip(), said) for text in _RESULT.findall(said["content"])]


def _result(text: str, said: Message) -> Message:
    """A result without its wrapping: its own name and id, if it says them, and its content."""
    try:
        found = _decode_result(text)
    except JSON_ERRORS:
        found = None
    if found is None or repeated_key(text) == ("$", "content"):
        return message("tool", text, name=said["name"], tool_call_id=said["tool_call_id"])
    content = bytes(found.content)
    return message(
        "tool",
        orjson.loads(content) if content[:1] == b'"' else content.decode(),
        name=found.name or said["name"],
        tool_call_id=found.tool_call_id or said["tool_call_id"],
    )
