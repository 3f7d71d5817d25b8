"""How much work a schema can ask for, so that a hostile one is refused before it is run.

A few lines of nested references can ask for 2^40 steps. Without references, the work on one
value is at most the number of subschemas, which the size of the text bounds.
"""

from threading import Lock
from typing import Any
from urllib.parse import unquote, urldefrag, urljoin

from jsonschema_specifications import REGISTRY

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
_META_SCHEMAS = {address.rstrip("#"): REGISTRY.contents(address) for address in REGISTRY}


class SchemaError(Exception):
    """A schema that is not run; the message says why."""


class References:
    """A schema with references: they all stay inside it, and its work is bounded.

    What lies in the document is found by JSON pointer, anchor, or the address that a part of it has by
    `$id`; the meta-schemas of JSON Schema count as inside. Raises SchemaError for a reference that leaves
    the schema or leads nowhere, and for one that comes back to itself on the same value, which no validator
    can finish. Source of the rules: JSON Schema, core, sections 8.2 and 9 of draft 2020-12.
    """

    def __init__(self, schema: dict[str, Any]) -> None:
        self._root = schema
        self._nodes: list[dict[str, Any]] = []
        self._bases: dict[int, str] = {}
        self._documents: dict[str, Any] = {}
        self._anchors: dict[tuple[str, str], dict[str, Any]] = {}
        self._dynamic: dict[str, list[dict[str, Any]]] = {}
        self._targets: dict[int, list[Any]] = {}
        self._levels: list[dict[int, int]] = []
        self._lock = Lock()
        self._collect(schema, "", _draft(schema))
        self._follow()
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

    def _collect(self, schema: Any, base: str, draft: tuple[bool, str]) -> None:
        """List the subschemas, definitions included, with their addresses and anchors.

        In an old draft what stands beside `$ref` says nothing.
        """
        old, key_of_id = draft
        self._documents.setdefault(base, schema)
        waiting = [(schema, base)]
        while waiting:
            node, base = waiting.pop()
            if not isinstance(node, dict) or id(node) in self._bases:
                continue
            named = None if old and "$ref" in node else _id_of(node, key_of_id)
            if named is not None:
                address, anchor = urldefrag(_joined(base, named))
                if address != base:
                    base = address
                    self._documents.setdefault(base, node)
                if anchor:
                    self._anchors[base, anchor] = node
            self._nodes.append(node)
            self._bases[id(node)] = base
            for key in ("$anchor", "$dynamicAnchor"):
                if isinstance(node.get(key), str):
                    self._anchors[base, node[key]] = node
            if isinstance(node.get("$dynamicAnchor"), str):
                self._dynamic.setdefault(node["$dynamicAnchor"], []).append(node)
            if node.get("$recursiveAnchor") is True:
                self._dynamic.setdefault("", []).append(node)
            waiting += ((inner, base) for _, inner in subschemas(node))

    def _follow(self) -> None:
        """Find what each reference may lead to; parts in unusual places and meta-schemas are listed too."""
        place = 0
        while place < len(self._nodes):
            node = self._nodes[place]
            place += 1
            base = self._bases[id(node)]
            found: list[Any] = []
            for key in _REFERENCES:
                if key in node:
                    target, address = self._resolve(node[key], base)
                    self._collect(target, address, _draft(self._documents[address]))
                    found += self._led_to(key, node[key], target)
            if found:
                self._targets[id(node)] = found

    def _led_to(self, key: str, reference: str, target: Any) -> list[Any]:
        """What a reference that resolved to `target` may lead to once schemas lie around it."""
        if not isinstance(target, dict) or key == "$ref":
            return [target]
        name = reference.rpartition("#")[2] if key == "$dynamicRef" else ""
        own = target.get("$dynamicAnchor") == name if name else target.get("$recursiveAnchor") is True
        return (
            [target, *(one for one in self._dynamic.get(name, ()) if one is not target)] if own else [target]
        )

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
        for target in self._targets.get(id(node), ()):
            total += self._count(target, level, here)
        for keyword, inner in subschemas(node):
            if keyword in _IN_PLACE:
                total += self._count(inner, level, here)
            elif level and keyword not in _DEFINITIONS:
                total += self._levels[level - 1].get(id(inner), 1)
        self._levels[level][id(node)] = total = min(total, MAX_STEPS + 1)
        return total

    def _resolve(self, reference: Any, base: str) -> tuple[Any, str]:
        """The part of the document that a reference names, and the address of the document that it is in."""
        said = f"$ref {str(reference)[:200]!r}"
        if not isinstance(reference, str):
            raise SchemaError(f"{said} is no text")
        address, fragment = urldefrag(_joined(base, reference))
        document = self._documents.get(address)
        if document is None:
            document = _META_SCHEMAS.get(address)
            if document is None:
                raise SchemaError(f"{said} leaves the schema; only what stands in it is followed")
            self._collect(document, address, _draft(document))
        fragment = unquote(fragment)
        if not fragment or fragment.startswith("/"):
            return self._at(document, fragment), address
        if (address, fragment) not in self._anchors:
            raise SchemaError(f"{said}: the schema has no such anchor")
        return self._anchors[address, fragment], address

    def _at(self, document: Any, pointer: str) -> Any:
        """The part of a document at a JSON pointer (RFC 6901)."""
        target: Any = document
        for part in pointer.split("/")[1:]:
            name = part.replace("~1", "/").replace("~0", "~")
            if isinstance(target, list) and name.isdecimal() and int(name) < len(target):
                target = target[int(name)]
            elif isinstance(target, dict) and name in target:
                target = target[name]
            else:
                raise SchemaError(f"$ref {'#' + pointer[:200]!r}: the schema has no such place")
        return target


def _joined(base: str, reference: str) -> str:
    """A reference as an address. `urljoin` knows nothing of URNs, whose parts have fragments alone."""
    if reference.startswith("#"):
        return f"{base}{reference}"
    return urljoin(base, reference)


def _draft(schema: Any) -> tuple[bool, str]:
    """Whether a document is of a draft before 2019-09, by its `$schema`, and how it spells `$id`."""
    said = schema.get("$schema") if isinstance(schema, dict) else None
    old = said if isinstance(said, str) and "json-schema.org/draft-0" in said else ""
    return bool(old), "id" if "draft-03" in old or "draft-04" in old else "$id"


def _id_of(schema: dict[str, Any], key: str) -> str | None:
    """The address that a part of a schema gives itself."""
    return schema[key] if isinstance(schema.get(key), str) else None


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
