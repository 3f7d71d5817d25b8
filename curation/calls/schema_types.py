"""Type names of programming languages in tool schemas, put into JSON Schema's own words.

Function-calling sets made from source code (BFCL is the best known) say "dict", "float" or
"tuple" where JSON Schema says object, number, array; a validator must refuse such a schema.
"""

from collections.abc import Mapping
from typing import Any

# Keywords whose value is a schema, a list of schemas, or a map from names to schemas. Everything
# else (enum, default, const, examples) is data and is left alone, whatever it looks like.
ONE = frozenset(
    [
        "not",
        "if",
        "then",
        "else",
        "additionalProperties",
        "unevaluatedProperties",
        "propertyNames",
        "items",
        "additionalItems",
        "unevaluatedItems",
        "contains",
        "contentSchema",
    ]
)
LIST = frozenset(["allOf", "anyOf", "oneOf", "prefixItems", "items"])
MAP = frozenset(
    ["properties", "patternProperties", "dependentSchemas", "dependencies", "$defs", "definitions"]
)

JSON_TYPES = frozenset(["object", "array", "string", "number", "integer", "boolean", "null"])
_NAMES = {
    "object": "dict dictionary map hashmap hashtable struct",
    "array": "list tuple set arraylist vector",
    "number": "float double decimal",
    "integer": "int long short byte bigint",
    "boolean": "bool",
    "string": "str char text",
    "null": "none nonetype void",
}
KNOWN = {name: right for right, names in _NAMES.items() for name in (*names.split(), right)}
ANYTHING = frozenset({"any", ""})

MAX_DEPTH = 200


def repair_types(schema: Any, depth: int = 0) -> tuple[Any, int]:
    """The schema with JSON Schema's type names, and how many were put right.

    "any" (and "") loses its `type`, which allows every type. Names that are not known stay and
    leave the schema invalid. The input is not changed; with nothing to repair it is returned as
    it is.
    """
    if not isinstance(schema, dict) or depth > MAX_DEPTH:
        return schema, 0
    count = 0
    repaired = {}
    for key, value in schema.items():
        fixed, n = _repair_keyword(key, value, depth + 1)
        count += n
        if not (key == "type" and fixed is None):
            repaired[key] = fixed
    return (repaired, count) if count else (schema, 0)


def _repair_keyword(key: str, value: Any, depth: int) -> tuple[Any, int]:
    if key == "type":
        return _repair_type(value)
    if key in MAP and isinstance(value, Mapping):
        pairs = {name: repair_types(inner, depth) for name, inner in value.items()}
        return {name: fixed for name, (fixed, _) in pairs.items()}, sum(n for _, n in pairs.values())
    if key in LIST and isinstance(value, list):
        fixed = [repair_types(inner, depth) for inner in value]
        return [inner for inner, _ in fixed], sum(n for _, n in fixed)
    if key in ONE:
        return repair_types(value, depth)
    return value, 0


def _repair_type(value: Any) -> tuple[Any, int]:
    """A `type` in JSON Schema's words; None stands for any type."""
    if isinstance(value, str):
        if value in JSON_TYPES:
            return value, 0
        if value.lower() in ANYTHING:
            return None, 1
        right = KNOWN.get(value.lower())
        return (value, 0) if right is None else (right, 1)
    if isinstance(value, list) and all(isinstance(name, str) for name in value):
        fixed = [_repair_type(name) for name in value]
        count = sum(n for _, n in fixed)
        if any(name is None for name, _ in fixed):
            return None, count
        return list(dict.fromkeys(name for name, _ in fixed)) if count else value, count
    return value, 0
