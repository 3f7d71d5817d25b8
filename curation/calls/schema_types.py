"""Words of programming languages and of OpenAPI in tool schemas, put into JSON Schema's own.

Function-calling sets made from source code (BFCL is the best known) say "dict", "float" or
"tuple" where JSON Schema says object, number, array; a validator must refuse such a schema. Sets made
from OpenAPI 3.0 say `nullable`, which a validator passes over, `exclusiveMinimum: true` and, in a
parameter, `required: true`, which it refuses. Source: OpenAPI 3.0.3, Schema Object; its clarification of
`nullable`, https://github.com/OAI/OpenAPI-Specification/blob/main/proposals/2019-10-31-Clarify-Nullable.md
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


# Bounds that were booleans beside another key before draft 6, and are in OpenAPI 3.0.
BOUNDS = {"exclusiveMinimum": "minimum", "exclusiveMaximum": "maximum"}


def repair_types(schema: Any) -> tuple[Any, int]:
    """The schema with JSON Schema's type names and keywords, and how many were put right.

    "any" (and "") loses its `type`, which allows every type. Names that are not known stay and
    leave the schema invalid. The input is not changed; with nothing to repair it is returned as
    it is.
    """
    draft = schema.get("$schema") if isinstance(schema, dict) else None
    old = isinstance(draft, str) and ("draft-03" in draft or "draft-04" in draft)
    return _repair(schema, 0, {} if old else BOUNDS)


def _repair(schema: Any, depth: int, bounds: Mapping[str, str]) -> tuple[Any, int]:
    """bounds: those that may not be booleans."""
    if not isinstance(schema, dict) or depth > MAX_DEPTH:
        return schema, 0
    count = 0
    repaired = {}
    for key, value in schema.items():
        fixed, n = _repair_keyword(key, value, depth + 1, bounds)
        count += n
        if not (key == "type" and fixed is None):
            repaired[key] = fixed
    count += _repair_keywords(repaired, bounds)
    return (repaired, count) if count else (schema, 0)


def _repair_keywords(schema: dict[str, Any], bounds: Mapping[str, str]) -> int:
    """Put OpenAPI's keywords right, in a schema that is changed, not in those inside it; returns how many."""
    count = 0
    kinds = schema.get("type")
    if schema.get("nullable") is True and isinstance(kinds, str | list):
        del schema["nullable"]
        kinds = [kinds] if isinstance(kinds, str) else kinds
        schema["type"] = [*kinds, *({"null"} - {*kinds})]
        if isinstance(schema.get("enum"), list) and None not in schema["enum"]:
            schema["enum"] = [*schema["enum"], None]
        count += 1
    for exclusive, bound in bounds.items():
        if isinstance(schema.get(exclusive), bool):
            if schema.pop(exclusive) and bound in schema:
                schema[exclusive] = schema.pop(bound)
            count += 1
    return count + _repair_required(schema)


def _repair_required(schema: dict[str, Any]) -> int:
    """`required: true` in a parameter, as its name in the list of those that are required."""
    properties, listed = schema.get("properties"), schema.get("required", [])
    if not isinstance(properties, dict) or not isinstance(listed, list):
        return 0
    said = {
        name: one["required"]
        for name, one in properties.items()
        if isinstance(one, dict) and isinstance(one.get("required"), bool)
    }
    if not said:
        return 0
    schema["properties"] = {
        name: {key: value for key, value in one.items() if key != "required"} if name in said else one
        for name, one in properties.items()
    }
    required = dict.fromkeys([*listed, *(name for name, asked in said.items() if asked)])
    if required:
        schema["required"] = list(required)
    return len(said)


def _repair_keyword(key: str, value: Any, depth: int, bounds: Mapping[str, str]) -> tuple[Any, int]:
    if key == "type":
        return _repair_type(value)
    if key in MAP and isinstance(value, Mapping):
        pairs = {name: _repair(inner, depth, bounds) for name, inner in value.items()}
        return {name: fixed for name, (fixed, _) in pairs.items()}, sum(n for _, n in pairs.values())
    if key in LIST and isinstance(value, list):
        fixed = [_repair(inner, depth, bounds) for inner in value]
        return [inner for inner, _ in fixed], sum(n for _, n in fixed)
    if key in ONE:
        return _repair(value, depth, bounds)
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
