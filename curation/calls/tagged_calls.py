"""What a call passes, written as texts between tags, as Qwen3-Coder, MiniMax, Anthropic and GLM do.

A tag says no type. The tool's own schema does: a text stays one where the tool takes texts, and is read as
the number, truth value, array, object or null that it spells where the tool takes that, as the servers of
these models do. What the schema does not name, or what spells no such value, stays a text.
"""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

import orjson

from curation.calls.given_tools import Offer
from curation.calls.json_calls import as_json
from curation.calls.repairs import is_json

# Of a call's name and what stands inside it, the arguments as JSON; None where it is none.
Arguments = Callable[[str, str, Offer], str | None]

_STARTS = {"object": "{", "array": "["}
_FENCE = re.compile(r"```(?:json)?\s*(.*)```", re.DOTALL)
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]*)")


def json_arguments(name: str, inside: str, offer: Offer) -> str | None:
    """Arguments that are a JSON object, or Python's way of writing one."""
    text = as_json(inside.strip())
    return text if text[:1] == "{" and is_json(text) else None


def any_arguments(name: str, inside: str, offer: Offer) -> str | None:
    """Arguments as they stand, for the tools stage to judge; none where words follow an object."""
    text = inside.strip()
    if fence := _FENCE.fullmatch(text):
        text = fence[1].strip()
    found = json_arguments(name, text, offer)
    if found is not None or text[:1] != "{":
        return found or text
    try:
        json.JSONDecoder().raw_decode(text)
    except (ValueError, RecursionError):
        return text if text[-1:] == "}" else None
    return None


def parameters(opening: str, closing: str) -> Arguments:
    """Arguments between tags. opening: a pattern with a group `key`."""
    one = re.compile(rf"\s*{opening}(?P<value>(?:(?!{closing}).)*){closing}", re.DOTALL)

    def read(name: str, inside: str, offer: Offer) -> str | None:
        declared = offer.properties(name)
        members: dict[str, str] = {}
        at = 0
        while found := one.match(inside, at):
            key = found["key"].strip()
            if key in members:
                return None
            members[key] = typed(found["value"], declared.get(key))
            at = found.end()
        if inside[at:].strip():
            return None
        return f"{{{', '.join(f'{_dumped(key)}: {value}' for key, value in members.items())}}}"

    return read


def either(*ways: Arguments) -> Arguments:
    """Arguments written in the first of these ways that they are written in."""

    def read(name: str, inside: str, offer: Offer) -> str | None:
        return next((found for way in ways if (found := way(name, inside, offer)) is not None), None)

    return read


def typed(text: str, schema: Any) -> str:
    """A text as the JSON of the value that the schema takes."""
    word, types = text.strip(), _types(schema)
    lower = word.lower()
    if "null" in types and lower in ("null", "none"):
        return "null"
    if not types or "string" in types:
        return _dumped(text)
    if "boolean" in types and lower in ("true", "false"):
        return lower
    if "number" in types and _NUMBER.fullmatch(word):
        return word
    if "integer" in types and _INTEGER.fullmatch(word):
        return word
    for kind in ("object", "array"):
        if kind in types and word.startswith(_STARTS[kind]) and is_json(found := as_json(word)):
            return found
    return _dumped(text)


def _types(schema: Any) -> frozenset[str]:
    """The JSON types that a schema names, in `type` or in the alternatives of `anyOf` and `oneOf`."""
    if not isinstance(schema, Mapping):
        return frozenset()
    named = schema.get("type")
    names = named if isinstance(named, list) else [named]
    found = {name for name in names if isinstance(name, str)}
    for key in ("anyOf", "oneOf"):
        for one in schema.get(key) or ():
            found |= _types(one)
    return frozenset(found)


def _dumped(text: str) -> str:
    return orjson.dumps(text).decode()
