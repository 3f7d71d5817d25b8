"""Tool calls written into the text, in any spelling of the table, read as what they mean.

A call at the end of an assistant turn is a call (curation/calls/spellings.py), a result in the turn after it
is a result, and `<tools>…</tools>` in the system turn lists what is offered. The chat template writes all
three again, in the model's own way; left in the text, they teach the set's way instead of the model's, or are
control tokens. A call is read where the row's tools or the recipe's offer its tool; one in control tokens,
which cannot stay text, and one whose turn is a call by its role always are, for the tools stage to judge.
What is not beyond doubt stays as it is, and is told.
"""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import msgspec
import orjson

from curation.calls.call_like import call_like
from curation.calls.given_tools import Offer
from curation.calls.json_calls import calls
from curation.calls.listed_tools import without_tools
from curation.calls.repairs import repeated_key
from curation.calls.spellings import Call, calls_in
from curation.calls.tool_schemas import Toolset
from curation.jsontext import JSON_ERRORS
from curation.row import Message, message
from curation.turns.roles import CALLERS, role_of
from curation.turns.shape import Unfit

# What a call stands between in the templates that are built in.
OPEN, CLOSE = "<tool_call>", "</tool_call>"
_THOUGHT = "</think>"
# gpt-oss thinks in a channel of its own.
_ANALYSIS = re.compile(
    r"<\|channel\|>analysis<\|message\|>((?:(?!<\|).)*)<\|end\|>(?:<\|start\|>assistant)?\s*", re.DOTALL
)
_RESULTS = re.compile(r"\s*(?:<tool_response>((?:(?!</?tool_response>).)*)</tool_response>\s*)+", re.DOTALL)
_RESULT = re.compile(r"<tool_response>(.*?)</tool_response>", re.DOTALL)
# Whole user turns that are the result of the call before them: ReAct's, Glaive's, Mistral's, Anthropic's.
_SPELT_RESULTS = tuple(
    re.compile(pattern, re.DOTALL)
    for pattern in (
        r"\s*Observation:(.*)",
        r"\s*FUNCTION RESPONSE:(.*)",
        r"\s*\[TOOL_RESULTS\](.*)\[/TOOL_RESULTS\]\s*",
        r"\s*<function_results>(.*)</function_results>\s*",
    )
)
_NOTHING = Toolset()
_NO_OFFER = Offer(None)


class Read(NamedTuple):
    """A row whose calls were text. turns: how many were read so."""

    messages: list[Message]
    tools: str | None
    turns: int


class Unread(NamedTuple):
    """What looks like a call and is text: in which message, in which spelling, and how it begins."""

    message: int
    spelling: str
    near: str


class _Result(msgspec.Struct, forbid_unknown_fields=True):
    """A result that says whose it is, as Hermes writes it."""

    content: msgspec.Raw
    name: str | None = None
    tool_call_id: str | None = None


_decode_result = msgspec.json.Decoder(_Result).decode


def text_calls(messages: Sequence[Message], tools: str | None, given: Toolset = _NOTHING) -> Read | None:
    """The row with calls, results and tools in their places; None when no text holds any.

    Tools that the row already has stand, and the list in the system turn goes if they have all its names.
    given: the tools that the recipe gives a row without any.
    """
    read: list[Message] = []
    count = 0
    for said in messages:
        found, tools = _read(said, read[-1] if read else None, tools, given)
        count += found is not None
        read += [said] if found is None else found
    return Read(read, tools, count) if count else None


def unread_calls(
    messages: Sequence[Message], tools: str | None, given: Toolset = _NOTHING
) -> Iterator[Unread]:
    """Assistant turns that look like calls and are words."""
    offer = Offer(tools, given)
    for index, said in enumerate(messages):
        if said["role"] == "assistant" and not said["tool_calls"] and said["content"]:
            found = call_like(after_thinking(said["content"])[1], offer)
            if found is not None:
                yield Unread(index, *found)


def _read(
    said: Message, before: Message | None, tools: str | None, given: Toolset
) -> tuple[list[Message] | None, str | None]:
    """What one message means, None when that is what it says; and the tools offered from here on."""
    content, role = said["content"], str(said["role"]).strip().lower()
    is_call = role in CALLERS
    role = role_of(role)
    if not content or said["tool_calls"]:
        return None, tools
    if role == "system":
        text, offered = without_tools(content, tools)
        return None if text == content else [{**said, "content": text}], offered
    if role == "assistant" or is_call:
        return _asked(said, Offer(tools, given), is_call), tools
    if role in ("tool", "user") and before is not None and (before["tool_calls"] or before["role"] == "tool"):
        return _answered(said, role), tools
    return None, tools


def _asked(said: Message, offer: Offer, is_call: bool) -> list[Message] | None:
    """An assistant turn that ends on calls; what is spelt while thinking is no call."""
    if is_call:
        try:
            content, made = call_turn(said["content"], offer)
        except Unfit:
            return None
        return [{**said, "role": "assistant", "content": content, "tool_calls": made}]
    thought, words = after_thinking(said["content"])
    found = calls_in(words, offer)
    if found is None:
        return None
    before = _ANALYSIS.sub(lambda made: f"<think>\n{made[1].strip()}\n</think>\n\n", words[: found.start])
    return [{**said, "content": f"{thought}{before}".strip() or None, "tool_calls": found.calls}]


def call_turn(text: str, offer: Offer = _NO_OFFER) -> tuple[str | None, list[Call]]:
    """A turn that is a call by its role: the words before it, such as a thought, and its calls.

    Raises Unfit where it names no function.
    """
    thought, words = after_thinking(text)
    try:
        return thought.strip() or None, calls(words)
    except Unfit:
        found = calls_in(words, offer, is_call=True)
        if found is None:
            raise
        return f"{thought}{words[: found.start]}".strip() or None, found.calls


def after_thinking(text: str) -> tuple[str, str]:
    """Thinking with its closing tag, and what is said after it: only there a call can stand."""
    end = text.rfind(_THOUGHT)
    while end != -1 and _within_call(text, end):
        end = text.rfind(_THOUGHT, 0, end)
    begin = end + len(_THOUGHT) if end != -1 else 0
    return text[:begin], text[begin:]


def _within_call(text: str, place: int) -> bool:
    """Whether a place is inside a call that is whole: an argument may spell a tag."""
    begin, end = text.rfind(OPEN, 0, place), text.find(CLOSE, place)
    if begin == -1 or end == -1:
        return False
    try:
        orjson.loads(text[begin + len(OPEN) : end])
    except ValueError:
        return False
    return True


def _answered(said: Message, role: str) -> list[Message] | None:
    """A turn of nothing but results: one message each."""
    if _RESULTS.fullmatch(said["content"]):
        return [_result(text.strip(), said) for text in _RESULT.findall(said["content"])]
    if role == "tool":
        return None
    found = next((found for spelt in _SPELT_RESULTS if (found := spelt.fullmatch(said["content"]))), None)
    return None if found is None else [message("tool", found[1].strip(), name=said["name"])]


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
