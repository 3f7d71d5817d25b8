"""Tool calls written into the text, as Hermes, Qwen and ToolACE write them, read as what they mean.

`<tool_call>{"name": …, "arguments": …}</tool_call>` at the end of an assistant turn is a call,
`<tool_response>…</tool_response>` in the turn after it is a result, and `<tools>…</tools>` in the system
turn lists what is offered. The chat template writes all three again, in the model's own way; left in the
text, they are control tokens. A turn that is nothing but `[name(key="value"), …]` calls tools that the row
offers (curation/calls/python_calls.py). What is not beyond doubt stays as it is.
"""

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec
import orjson

from curation.calls.function_calls import calls
from curation.calls.python_calls import functions, offered_names, python_calls
from curation.calls.repairs import is_json, repeated_key, strict_json
from curation.jsontext import JSON_ERRORS, compact, values
from curation.row import Message, message
from curation.turns.roles import role_of
from curation.turns.shape import Unfit

# What a call stands between.
OPEN, CLOSE = "<tool_call>", "</tool_call>"
# A row without this and without the tags of calls and results holds nothing to be read.
TOOLS = "<tools>"
_THOUGHT = "</think>"
_CALLS = re.compile(r"\s*(?:<tool_call>((?:(?!</?tool_call>).)*)</tool_call>\s*)+", re.DOTALL)
_CALL = re.compile(r"<tool_call>(.*?)</tool_call>", re.DOTALL)
_RESULTS = re.compile(r"\s*(?:<tool_response>((?:(?!</?tool_response>).)*)</tool_response>\s*)+", re.DOTALL)
_RESULT = re.compile(r"<tool_response>(.*?)</tool_response>", re.DOTALL)
_TOOLS = re.compile(r"<tools>((?:(?!</?tools>).)*)</tools>[.:]?", re.DOTALL)
# How a call is to be written: an example with the line that leads to it, and sentences about the tags.
_EXAMPLE = re.compile(
    r"(?:^[^\n]*:[ \t]*\n\s*+)?<tool_call>\s*+\{(?:(?!<tool_call>)[^\n])*\}\s*</tool_call>", re.MULTILINE
)
_TAG = re.compile(r"</?tool_(?:call|response)>")
_SENTENCE = re.compile(r"(?<=[.!?])[ \t]+|(?<=\n)")
# Qwen's template puts its list of tools under a heading, and so do ours. What else stands there is the set's.
_HEADING = re.compile(
    r"(?:^|\n)# Tools\n\s*+(?:You may call one or more functions to assist with the user query\.\s*+)?"
    r"(?:You are provided with function signatures within <tools> ?</tools> XML tags:"
    r"|These functions can be called\. Each line is the JSON schema of one:)?\s*+\Z"
)
_FENCE = "```"
# A path to a call itself in a list of calls or alone, not to what it passes.
_OWN = re.compile(r"\$(?:\[[0-9]+\])?")
_PASSED = frozenset(["arguments", "parameters", "input", "args"])


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
    texts = [_as_json(text) for text in _CALL.findall(words, start)]
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


def says_no_more(text: str) -> bool:
    """Whether calls in JSON hold a name and arguments, each once, and nothing that would be lost."""
    every = _listed(text)
    if every is None:
        return True  # judged where it is read
    if not all(isinstance(one, dict) and len(one.keys() - {"name"}) <= 1 for one in every):
        return False
    twice = repeated_key(text)
    return all(one.keys() <= {"name", *_PASSED} for one in every) and not (twice and _OWN.fullmatch(twice[0]))


def say_arguments(text: str) -> bool:
    """Whether every object of a JSON text has arguments, as a call has and a mere name has not."""
    every = _listed(text)
    return every is not None and all(isinstance(one, dict) and one.keys() & _PASSED for one in every)


def _listed(text: str) -> list[Any] | None:
    """What a JSON text lists, or the one thing that it is; None where it is no JSON."""
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    return found if isinstance(found, list) else [found]


def _asked_in_python(said: Message, tools: str) -> list[Message] | None:
    """An assistant turn that is a list of calls in Python's words, after thinking or not."""
    thought, words = after_thinking(said["content"])
    made = python_calls(words, tools)
    if made is None:
        return None
    return [{**said, "content": thought.strip() or None, "tool_calls": made}]


def _as_json(text: str) -> str:
    """Strict JSON where the text can be read as that, else the text."""
    return text if is_json(text) else strict_json(text) or text


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


def without_tools(text: str, tools: str | None) -> tuple[str, str | None]:
    """A system turn without its list of tools and without how to write a call; and the tools.

    It stays as it is where it lists none and the row has none, and where a list would be lost: beside
    another one, or where the row has tools that lack some of it.
    """
    found = ((block, definitions(block[1].strip())) for block in _TOOLS.finditer(text))
    lists = [(block, listed) for block, listed in found if listed is not None]
    if len(lists) > 1 or any(tools and not _lists_all(tools, listed) for _, listed in lists):
        return text, tools
    for block, listed in lists:
        before = _HEADING.sub("", text[: block.start()])
        parts = [_without_tags(before).rstrip(), _without_tags(text[block.end() :]).strip()]
        return "\n\n".join(part for part in parts if part.strip()), tools or listed
    return (_without_tags(text).rstrip() if tools and _TAG.search(text) else text), tools


def _lists_all(tools: str, listed: str) -> bool:
    """Whether these tools have every name of that list."""
    try:
        return set(offered_names(listed)) <= set(offered_names(tools))
    except ValueError:
        return False


def definitions(text: str) -> str | None:
    """Tool definitions as one JSON array: an array, or objects one after the other; else None."""
    whole = _as_json(text)
    try:
        found = [whole] if is_json(whole) else [_as_json(one.decode()) for one in values(text.encode())]
        array = found[0] if len(found) == 1 and found[0][:1] == "[" else f"[{','.join(found)}]"
        listed: list[Any] = orjson.loads(array)
    except ValueError:
        return None
    named = all(isinstance(one, dict) and isinstance(one.get("name"), str) for one in functions(listed))
    return compact(array.encode()) if listed and named else None


def _without_tags(text: str) -> str:
    """Text without what it says about the tags around calls and results."""
    if not _TAG.search(text):
        return text
    text = _EXAMPLE.sub("", text)
    return "".join(part for part in _parts(text) if not _TAG.search(part))


def _parts(text: str) -> list[str]:
    """The sentences of a text, with the white space behind each."""
    ends = [match.end() for match in _SENTENCE.finditer(text)]
    return [text[a:b] for a, b in zip([0, *ends], [*ends, len(text)], strict=True)]
