"""Tool calls written as JSON, in the keys that published sets and clients have for them.

A call is an object with one name and what it passes, `{"name": …, "arguments": {…}}`, perhaps inside one
that says so, `{"function": {…}}`, `{"tool_calls": […]}`. An object with anything else in it is none: read as
a call, that would be lost. Arguments keep the spelling that they have.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

import msgspec
import orjson
from msgspec import Raw

from curation.calls.repairs import is_json, repeated_key, strict_json
from curation.jsontext import JSON_ERRORS
from curation.turns.chat_api import arguments_text, call
from curation.turns.shape import Unfit

NAMED = ("name", "tool", "tool_name", "function", "function_name", "action", "recipient_name")
PASSED = ("arguments", "parameters", "input", "args", "tool_input", "action_input")
# What a call is put into: OpenAI's and its relatives'.
HOLDERS = ("tool_calls", "tool_call", "function_calls", "function_call", "tool_uses")
# What stands beside a name and says nothing of the call but which of several it is.
_BESIDE = frozenset({"id", "type", "index", "call_id", "tool_call_id"})
# OpenAI's own models call `functions.weather`.
_NAMESPACE = "functions."
_BROKEN = re.compile(
    r'\{\s*["\']name["\']\s*:\s*["\']([^"\']+)["\']\s*,\s*["\']arguments["\']\s*:(.*?)(\}?)\Z', re.S
)
_NAME = re.compile(r'["\']name["\']\s*:')
_BETWEEN = re.compile(r"[\s;,]*")

_OBJECT = msgspec.json.Decoder(dict[str, Raw])
_LIST = msgspec.json.Decoder(list[Raw])
_TEXT = msgspec.json.Decoder(str)
_VALUE = json.JSONDecoder()


def calls(text: str) -> list[dict[str, str | None]]:
    """The calls in a text that is one by its role or its tags, as it is spelt.

    Where it is no JSON but names its function first, the rest stands as the arguments, so that the tools
    stage can repair or judge them. Raises Unfit where no name can be found, or more than a call.
    """
    text = text.strip()
    made = _several(text)
    if made is None and not is_json(text) and (broken := _BROKEN.match(text)):
        made = [call(broken[1], broken[2].strip())]
    if made is None:
        fault = "holds more than a name and arguments" if _NAME.search(text) else "names no function"
        raise Unfit(f"a function_call turn {fault}: {text[:60]}")
    return made


def called(text: str) -> list[dict[str, str | None]] | None:
    """The calls that a text is: an object, a list, or several one after the other; None for any other.

    Python's way of writing is read as JSON. Where an object is neither, see `calls`; it must end, though.
    """
    text = text.strip()
    if text[:1] not in ("{", "["):
        return None
    strict = as_json(text)
    made = _several(strict)
    if made is None and not is_json(strict) and (broken := _BROKEN.match(text)) and broken[3]:
        return [call(broken[1], broken[2].strip())]
    return made


def _several(text: str) -> list[dict[str, str | None]] | None:
    """The calls of JSON values one after the other; None where any is none."""
    made = [_made(part.encode()) for part in _values(text)]
    return [one for some in made if some for one in some] if made and all(made) else None


def _values(text: str) -> Iterator[str]:
    """JSON values one after the other, parted by space, comma or semicolon; an empty one where none is."""
    at = 0
    while at < len(text):
        try:
            end = _VALUE.raw_decode(text, at)[1]
        except (ValueError, RecursionError):
            yield ""
            return
        yield text[at:end]
        at = _BETWEEN.match(text, end).end()  # type: ignore[union-attr]


def _made(data: bytes) -> list[dict[str, str | None]] | None:
    """The calls of a JSON value; None where it holds none, or anything else."""
    try:
        if data[:1] != b"[":
            return _one(data)
        made = [_one(bytes(one)) for one in _LIST.decode(data)]
    except JSON_ERRORS:
        return None
    return [one for some in made if some for one in some] if made and all(made) else None


def _one(data: bytes, identifier: str | None = None) -> list[dict[str, str | None]] | None:
    found = _OBJECT.decode(data)
    if (repeated_key(data.decode()) or ("", ""))[0] == "$":
        return None
    own = found.keys() - _BESIDE
    identifier = next((text for key in ("id", "call_id") if (text := _text(found.get(key)))), identifier)
    if len(own) == 1 and (inner := bytes(found[held := next(iter(own))]))[:1] in (b"{", b"["):
        if held == "function" and inner[:1] == b"{":
            return _one(inner, identifier)
        return _made(inner) if held in HOLDERS else None
    names = [key for key in NAMED if key in own]
    passed = [key for key in PASSED if key in own]
    if len(names) != 1 or len(passed) > 1 or len(own) > len(names) + len(passed):
        return None
    name = _text(found[names[0]])
    if not name:
        return None
    arguments = arguments_text(found[passed[0]]) if passed else "{}"
    return [call(name.removeprefix(_NAMESPACE), arguments, identifier)]


def _text(raw: Raw | None) -> str | None:
    return None if raw is None or bytes(raw)[:1] != b'"' else _TEXT.decode(raw)


def say_arguments(text: str) -> bool:
    """Whether every object of a JSON text has arguments, as a call has and a mere name has not."""
    every = _listed(text)
    return every is not None and all(isinstance(one, dict) and one.keys() & set(PASSED) for one in every)


def _listed(text: str) -> list[Any] | None:
    """What a JSON text lists, or the one thing that it is; None where it is no JSON."""
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    return found if isinstance(found, list) else [found]


def as_json(text: str) -> str:
    """Strict JSON where the text can be read as that, else the text."""
    return text if is_json(text) else strict_json(text) or text
