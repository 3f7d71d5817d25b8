"""Nulls that nobody wrote: Arrow gives every object of a column the keys of all, with null in them.

Taken out is what a schema shows to be invented, and nothing that it asks for.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from msgspec import Raw

# Keywords of JSON Schema under which null may stand as a value.
_VALUES = frozenset(["const", "default", "example", "examples"])
_MAPS = ("properties", "patternProperties", "$defs", "definitions", "dependentSchemas")
_LISTS = ("anyOf", "allOf", "oneOf", "prefixItems")
_SCHEMAS = (
    "items",
    "additionalProperties",
    "not",
    "if",
    "then",
    "else",
    "contains",
    "propertyNames",
    "unevaluatedItems",
    "unevaluatedProperties",
)
# Keywords that may allow a key or a null that `properties` does not tell of.
_ELSEWHERE = frozenset(["$ref", "$dynamicRef", "patternProperties", "if", *_LISTS])
_OBJECT = msgspec.json.Decoder(dict[str, Raw])
_LIST = msgspec.json.Decoder(list[Raw])


def clean_definition(definition: dict[str, Any], function: dict[str, Any], parameters: str) -> int:
    """Take invented nulls out of a tool's definition, in place; returns how many.

    function: the part that holds the name, and its schema under the key `parameters`. Null as a keyword's
    value or in place of a schema is no JSON Schema, so it was invented; then so were `const` and `default`
    null of a type that has no null, and empty keys around the schema.
    """
    schema = function.get(parameters)
    if not isinstance(schema, dict) or not (found := sum(_clean(inner) for inner in _inner(schema))):
        return 0
    for inner in _inner(schema):
        for key in _VALUES & inner.keys():
            if inner[key] is None and not allows_null({k: v for k, v in inner.items() if k not in _VALUES}):
                del inner[key]
                found += 1
    return found + _drop_nulls(function) + _drop_nulls(definition)


def _clean(schema: dict[str, Any]) -> int:
    """Take the nulls out of one schema that are none of its values; how many."""
    found = _drop_nulls(schema, _VALUES)
    return found + sum(_drop_nulls(schema[key]) for key in _MAPS if isinstance(schema.get(key), dict))


def _drop_nulls(found: dict[str, Any], but: frozenset[str] = frozenset()) -> int:
    empty = [key for key, value in found.items() if value is None and key not in but]
    for key in empty:
        del found[key]
    return len(empty)


def _inner(schema: Any) -> Iterator[dict[str, Any]]:
    """A schema and those inside it, each after what it stands in."""
    waiting = [schema]
    while waiting:
        one = waiting.pop()
        if not isinstance(one, dict):
            continue
        yield one
        waiting += [one.get(key) for key in _SCHEMAS]
        for key in _LISTS:
            waiting += one[key] if isinstance(one.get(key), list) else []
        for key in _MAPS:
            waiting += list(one[key].values()) if isinstance(one.get(key), dict) else []


def allows_null(schema: Any) -> bool:
    """Whether null may be a value of a schema, as far as it tells without what it refers to."""
    if not isinstance(schema, dict):
        return schema is not False
    if schema.get("nullable") is True or _ELSEWHERE & schema.keys():
        return True
    if "const" in schema:
        return schema["const"] is None
    if isinstance(schema.get("enum"), list):
        return None in schema["enum"]
    kinds = schema.get("type", "null")
    return kinds == "null" or (isinstance(kinds, list) and "null" in kinds)


def without_nulls(text: str, schema: Any) -> str | None:
    """Arguments without the keys that are null and that the schema does not ask for; None where none is.

    text: a JSON object that has no key twice; what stays keeps its spelling. A key that is required stays, so
    does one of which the schema says nothing where it takes keys that it does not name.
    """
    if not isinstance(schema, Mapping) or "null" not in text:
        return None
    try:
        fewer, found = _without(text.strip().encode(), schema)
    except (msgspec.DecodeError, UnicodeError):
        return None
    return fewer if found else None


def _without(data: bytes, schema: Mapping[str, Any]) -> tuple[str, int]:
    properties, required = schema.get("properties"), schema.get("required") or ()
    if data[:1] == b"[":
        parts = [_part(bytes(raw), schema.get("items")) for raw in _LIST.decode(data)]
        found = sum(count for _, count in parts)
        return f"[{', '.join(part for part, _ in parts)}]" if found else data.decode(), found
    if not isinstance(properties, dict) or _ELSEWHERE & schema.keys():
        return data.decode(), 0
    is_closed = bool(properties) and schema.get("additionalProperties") in (None, False)
    kept, found = [], 0
    for key, raw in _OBJECT.decode(data).items():
        value = bytes(raw)
        is_unasked = not allows_null(properties[key]) if key in properties else is_closed
        if value == b"null" and key not in required and is_unasked:
            found += 1
            continue
        part, count = _part(value, properties.get(key))
        found += count
        kept.append(f"{json.dumps(key, ensure_ascii=False)}: {part}")
    return f"{{{', '.join(kept)}}}" if found else data.decode(), found


def _part(data: bytes, schema: Any) -> tuple[str, int]:
    if data[:1] not in (b"{", b"[") or not isinstance(schema, dict):
        return data.decode(), 0
    return _without(data, schema)
