"""How much work a schema can ask for, so that a hostile one is refused before it is run.

A few lines of nested references can ask for 2^40 steps. Without references, the work on one
value is at most the number of subschemas, which the size of the text bounds.
"""

from threading import Lock
from typing import Any
from urllib.parse import unquote

from curation.calls.schema_types import LIST, MAP, ONE

# Steps that one call may cost; a compiled validator makes up to 100 million in a second.
MAX_STEPS = 20_000_000
# References in a row on one value. Native code that follows them recurses: keep its stack small.
MAX_CHAIN = 100
# Beyond this depth the bound is no longer followed level by level; what doubles is over by then.
MAX_LEVELS = 32

_IN_PLACE = frozenset(
    ["not", "if", "then", "else", "allOf", "anyOf", "oneOf", "dependentSchemas", "dependencies"]
)
_DEFINITIONS = frozenset({"$defs", "definitions"})
_REFERENCES = ("$ref", "$dynamicRef", "$recursiveRef")


class SchemaError(Exception):
    """A schema that is not run; the message says why."""


class References:
    """A schema with references: they all stay inside it, and its work is bounded.

    Raises SchemaError for a reference that leaves the schema or leads nowhere, and for one that
    comes back to itself on the same value, which no validator can finish.
    """

    def __init__(self, schema: dict[str, Any]) -> None:
        self._root = schema
        self._nodes: list[dict[str, Any]] = []
        self._anchors: dict[str, Any] = {}
        self._levels: list[dict[int, int]] = []
        self._lock = Lock()
        self._collect(schema)
        self.steps(0)

    def steps(self, depth: int) -> int:
        """An upper bound of the subschemas tried along one path of a value `depth` levels deep."""
        depth = min(depth, MAX_LEVELS)
        # Compiled tools are shared by the threads of a process.
        with self._lock:
            while len(self._levels) <= depth:
                self._levels.append({})
                for node in self._nodes:
                    self._count(node, len(self._levels) - 1, ())
            return self._levels[depth][id(self._root)]

    def _collect(self, schema: Any) -> None:
        """List the subschemas, definitions included, and their anchors."""
        waiting = [schema]
        while waiting:
            node = waiting.pop()
            if not isinstance(node, dict):
                continue
            if "$id" in node and node is not self._root:
                raise SchemaError(
                    "a part of the schema has an $id of its own; such references are not followed"
                )
            self._nodes.append(node)
            for key in ("$anchor", "$dynamicAnchor"):
                if isinstance(node.get(key), str):
                    self._anchors[node[key]] = node
            waiting += (inner for _, inner in subschemas(node))

    def _count(self, node: Any, level: int, above: tuple[int, ...]) -> int:
        if not isinstance(node, dict):
            return 1
        known = self._levels[level].get(id(node))
        if known is not None:
            return known
        if id(node) in above:
            raise SchemaError("a $ref leads back to itself without going deeper: it would never end")
        if len(above) > MAX_CHAIN:
            raise SchemaError(f"more than {MAX_CHAIN} references and alternatives inside one another")
        here = (*above, id(node))
        total = 1
        for key in _REFERENCES:
            if key in node:
                total += self._count(self._resolve(node[key]), level, here)
        for keyword, inner in subschemas(node):
            if keyword in _IN_PLACE:
                total += self._count(inner, level, here)
            elif level and keyword not in _DEFINITIONS:
                total += self._levels[level - 1].get(id(inner), 1)
        self._levels[level][id(node)] = total = min(total, MAX_STEPS + 1)
        return total

    def _resolve(self, reference: Any) -> Any:
        if not isinstance(reference, str) or not reference.startswith("#"):
            raise SchemaError(f"$ref {str(reference)[:200]!r} leaves the schema; only '#/…' is followed")
        fragment = unquote(reference[1:])
        if not fragment or fragment.startswith("/"):
            return self._at(fragment)
        if fragment not in self._anchors:
            raise SchemaError(f"$ref {reference[:200]!r}: the schema has no such anchor")
        return self._anchors[fragment]

    def _at(self, pointer: str) -> Any:
        """The part of the schema at a JSON pointer (RFC 6901)."""
        target: Any = self._root
        for part in pointer.split("/")[1:]:
            name = part.replace("~1", "/").replace("~0", "~")
            if isinstance(target, list) and name.isdecimal() and int(name) < len(target):
                target = target[int(name)]
            elif isinstance(target, dict) and name in target:
                target = target[name]
            else:
                raise SchemaError(f"$ref {'#' + pointer[:200]!r}: the schema has no such place")
        return target


def subschemas(schema: dict[str, Any]) -> list[tuple[str, Any]]:
    """(keyword, subschema) for each schema directly inside this one, definitions included."""
    found: list[tuple[str, Any]] = []
    for key, value in schema.items():
        if key in MAP and isinstance(value, dict):
            found += ((key, inner) for inner in value.values())
        elif key in LIST and isinstance(value, list):
            found += ((key, inner) for inner in value)
        elif key in ONE:
            found.append((key, value))
    return found
