"""Repairs of the arguments of a tool call whose meaning is beyond doubt, and no others.

strict_json   Python's or JavaScript's way of writing an object → JSON, token by token
repeated_key  what nobody can mend: a key that an object has twice
unwrap        arguments put one level too deep → the arguments, as the slice of text they were
"""

import json
import re
from collections import Counter
from collections.abc import Iterable
from typing import Any, NamedTuple

import msgspec
import orjson

from curation.calls.tool_schemas import json_path

_TOKEN = re.compile(
    r"""(?P<space>\s+)
      | (?P<string>"[^"\\]*(?:\\.[^"\\]*)*"|'[^'\\]*(?:\\.[^'\\]*)*')
      | (?P<number>-?[0-9][0-9.eE+\-]*)
      | (?P<word>[A-Za-z]+)
      | (?P<mark>[{}\[\]:,])""",
    re.VERBOSE | re.DOTALL,
)
_WORDS = {"True": "true", "False": "false", "None": "null", "true": "true", "false": "false", "null": "null"}
_CLOSING = frozenset("}]")
_BEFORE_VALUE = frozenset("{[,")
_SEPARATORS = frozenset(",:")
_IN_STRING = re.compile(r'\\(?:x([0-9a-fA-F]{2})|.)|["\x00-\x1f]', re.DOTALL)


def strict_json(text: str) -> str | None:
    r"""Lenient JSON as strict JSON, or None if it cannot be read with certainty.

    Mends single quotes, commas before a closing bracket, True, False and None, the escapes \' and
    \x41, and control characters that stand bare in a string; no text at all means no arguments.
    Numbers and well-formed strings keep their spelling. Unknown escapes are not mended: in
    "C:\dev\new" nobody can tell which backslashes were meant.
    """
    if not text.strip():
        return "{}"
    tokens: list[str] = []
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            return None
        at = match.end()
        token = _strict_token(match)
        if token is None:
            return None
        if token in _CLOSING and len(tokens) > 1 and tokens[-1] == "," and tokens[-2] not in _BEFORE_VALUE:
            tokens.pop()
        if token:
            tokens.append(token)
    strict = "".join(f"{t} " if t in _SEPARATORS else t for t in tokens)
    return strict if is_json(strict) else None


def _strict_token(match: re.Match[str]) -> str | None:
    """One token in strict JSON; empty for white space, None where there is no such token."""
    token = match.group()
    if match.lastgroup == "space":
        return ""
    if match.lastgroup == "word":
        return _WORDS.get(token)
    if match.lastgroup == "string":
        return '"' + _IN_STRING.sub(_strict_character, token[1:-1]) + '"'
    return token


def _strict_character(match: re.Match[str]) -> str:
    """What must be written otherwise inside a JSON string."""
    found = match.group()
    if found == '"':
        return '\\"'
    if found == "\\'":
        return "'"
    if match.group(1):
        return f"\\u00{match.group(1)}"
    if found[0] == "\\":
        # Known escapes stay; of the others the check of the whole text makes an end.
        return found
    return f"\\u{ord(found):04x}"


class _Twice(NamedTuple):
    """Stands for an object that has a key twice."""

    key: str


def repeated_key(text: str) -> tuple[str, str] | None:
    """(JSONPath of the object, key) of the first key that the JSON text writes twice; else None."""

    def members(pairs: list[tuple[str, Any]]) -> dict[str, Any] | _Twice:
        found = dict(pairs)
        if len(found) == len(pairs):
            return found
        return _Twice(next(key for key, times in Counter(key for key, _ in pairs).items() if times > 1))

    def look(value: Any, path: str) -> tuple[str, str] | None:
        if isinstance(value, _Twice):
            return path, value.key
        inner: Iterable[tuple[str | int, Any]] = ()
        if isinstance(value, dict):
            inner = value.items()
        elif isinstance(value, list):
            inner = enumerate(value)
        return next((found for key, v in inner if (found := look(v, path + json_path([key])[1:]))), None)

    try:
        return look(json.loads(text, object_pairs_hook=members), "$")
    except (RecursionError, ValueError):
        # Nested deeper than anyone writes, or a number longer than Python reads.
        return None


def is_json(text: str) -> bool:
    """Whether a text is strict JSON."""
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError:
        return False
    return True


class _Wrapper(msgspec.Struct):
    name: str | None = None
    arguments: msgspec.Raw = msgspec.Raw()
    parameters: msgspec.Raw = msgspec.Raw()


_WRAPPERS = (
    frozenset({"arguments"}),
    frozenset({"parameters"}),
    frozenset({"name", "arguments"}),
    frozenset({"name", "parameters"}),
)
_decode_wrapper = msgspec.json.Decoder(_Wrapper).decode


def is_wrapper(arguments: dict[str, object], properties: frozenset[str]) -> bool:
    """Whether arguments hold nothing but arguments: {"arguments": …}, with the tool's name or not.

    properties: what the tool itself declares; if it has a parameter of that name, it means that.
    """
    keys = arguments.keys()
    return keys in _WRAPPERS and keys.isdisjoint(properties - {"name"})


def unwrap(text: str, name: str) -> str | None:
    """The inner arguments of a wrapper, as the text has them; None if it wraps another tool's."""
    try:
        wrapper = _decode_wrapper(text)
    except msgspec.MsgspecError:
        return None
    if wrapper.name not in (None, name):
        return None
    inner = bytes(wrapper.arguments) or bytes(wrapper.parameters)
    return inner.decode()


def unquote(text: str) -> str | None:
    """The text inside arguments that are one JSON string; None if they are something else."""
    value = orjson.loads(text)
    return value if isinstance(value, str) else None
