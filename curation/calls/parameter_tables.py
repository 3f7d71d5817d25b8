"""Tables of parameters made JSON Schemas: `{"n": {"type": "int, optional", "description": …}}`.

Function-calling sets made from Python's signatures (xLAM is the best known) list parameters without
`properties`. As a JSON Schema such a table says nothing, so that every call passes, or it is none, once a
parameter is called `type`. What is not beyond doubt is left as it is.
"""

import ast
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from curation.calls.schema_types import ANYTHING, JSON_TYPES, KNOWN, ONE, repair_types

_OPTIONAL = re.compile(r",\s*optional\s*\Z", re.IGNORECASE)
_LISTS = frozenset(["list", "sequence", "iterable", "set", "frozenset"])
_MAPS = frozenset(["dict", "mapping"])
# Longer types are none that people write. Without digits and quotes, no text makes the parser warn.
_TYPE = re.compile(r"[A-Za-z_\s\[\],|]{,200}")

Schema = dict[str, Any]


class _Parameter(NamedTuple):
    """A parameter's schema, and whether a call may leave it out; null where nothing says so."""

    schema: Schema
    is_optional: bool | None


def table_schema(parameters: Any) -> Schema | None:
    """The schema that a table of parameters means; None for anything else.

    In a table with Python's type names a parameter is required unless it has a default or is called
    optional, as in Python; in one with JSON's names only where it says `required: true`.
    """
    if not isinstance(parameters, Mapping) or parameters.keys() <= ONE:
        return None
    found = {name: _parameter(entry) for name, entry in parameters.items()}
    known = {name: one for name, one in found.items() if one is not None}
    if len(known) < len(found):
        return None
    in_python = any(entry["type"] not in JSON_TYPES for entry in parameters.values())
    required = [
        name
        for name, one in known.items()
        if one.is_optional is False or (one.is_optional is None and in_python)
    ]
    schema: Schema = {"type": "object", "properties": {name: one.schema for name, one in known.items()}}
    return {**schema, "required": required} if required else schema


def _parameter(entry: Any) -> _Parameter | None:
    """One entry of a table; None where it is no entry or its type is not known."""
    if not isinstance(entry, Mapping) or not isinstance(entry.get("type"), str):
        return None
    text, says_optional = _OPTIONAL.subn("", entry["type"])
    schema = type_schema(text)
    if schema is None:
        return None
    rest, required = dict(entry), entry.get("required")
    del rest["type"]
    is_optional: bool | None = None
    if says_optional or "default" in entry:
        is_optional = True
    elif isinstance(required, bool):
        is_optional = not required
    elif text.strip().startswith("Optional["):
        is_optional = True
    if isinstance(required, bool):
        del rest["required"]
    if "default" in entry and entry["default"] is None:
        schema = _any_of([schema, {"type": "null"}]) or {}
    inner, _ = repair_types(rest)
    return _Parameter({**schema, **inner}, is_optional)


def type_schema(text: str) -> Schema | None:
    """The schema of a type as Python writes it, `List[int]` or `str`; None for one that is not known."""
    if not _TYPE.fullmatch(text):
        return None
    try:
        return _schema(ast.parse(text.strip() or "Any", mode="eval").body)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _schema(node: ast.expr) -> Schema | None:
    """The schema of a part of a type."""
    if isinstance(node, ast.Constant) and node.value is None:
        return {"type": "null"}
    if isinstance(node, ast.Name):
        return _named(node.id.lower())
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return _any_of([_schema(node.left), _schema(node.right)])
    if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name):
        inside = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        return _generic(node.value.id.lower(), inside)
    return None


def _named(name: str) -> Schema | None:
    """A plain name: int, str, dict, Any."""
    if name in ANYTHING:
        return {}
    if name in _LISTS:
        return {"type": "array"}
    right = KNOWN.get(name)
    return None if right is None else {"type": right}


def _generic(name: str, inside: Sequence[ast.expr]) -> Schema | None:
    """A name with others in brackets: List[int], Dict[str, Any], Optional[str], Union[int, str]."""
    if name == "tuple":
        return {"type": "array"}
    parts = [_schema(one) for one in inside]
    if name in _LISTS and len(parts) == 1 and parts[0] is not None:
        return {"type": "array", "items": parts[0]} if parts[0] else {"type": "array"}
    if name in _MAPS and len(parts) == 2 and parts[1] is not None:
        values = parts[1] if parts[0] == {"type": "string"} else {}
        return {"type": "object", "additionalProperties": values} if values else {"type": "object"}
    if name == "optional" and len(parts) == 1:
        return _any_of([*parts, {"type": "null"}])
    return _any_of(parts) if name == "union" else None


def _any_of(parts: Sequence[Schema | None]) -> Schema | None:
    """What any of several schemas takes."""
    known = [part for part in parts if part is not None]
    if len(known) < len(parts):
        return None
    if not all(known):
        return {}
    if all(part.keys() == {"type"} and isinstance(part["type"], str) for part in known):
        return {"type": list(dict.fromkeys(part["type"] for part in known))}
    return {"anyOf": known}
