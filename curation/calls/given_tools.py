"""The tools of a recipe: what the calls of rows without tools of their own are checked against.

The settings `schema` and `sources` of the tools stage, read in one way by the stage and by `aj evaluate`; and
what with them, or with tools of its own, a row may call.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import orjson

from curation.calls.listed_tools import offered_names
from curation.calls.tool_schemas import OPEN, Toolset, compile_tools, read_tools, tools_file
from curation.errors import CurationError
from curation.jsontext import compact
from curation.recipe.kinds import ANY_TOOL

Definitions = str | Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class GivenTools:
    """One toolset for all sources, and those of single sources in its place."""

    default: Toolset = field(default_factory=Toolset)
    by_source: Mapping[str, Toolset] = field(default_factory=dict)

    def of(self, source: str) -> Toolset:
        """What a row of a source is given."""
        return self.by_source.get(source, self.default)

    def marks(self) -> Iterator[str]:
        """One of them stands in the JSON of a row with a turn that calls one of the tools without a mark."""
        for name in dict.fromkeys(
            name for one in (self.default, *self.by_source.values()) for name in one.tools
        ):
            yield from (f"{name}(", f"{name}\\n{{")


def given_to(offered: Mapping[str, str], data_root: Path) -> GivenTools:
    """The toolsets of what a recipe names for each source, "" for all others. Raises CurationError."""
    found = {source: _toolset(definitions(schema, data_root)) for source, schema in offered.items()}
    return GivenTools(found.pop("", Toolset()), found)


def given_tools(
    schema: Definitions, sources: Mapping[str, Definitions], *, formats: bool = False
) -> GivenTools:
    """The toolsets of definitions as lists, as their JSON text, or "any". Raises CurationError.

    formats: as in `compile_tools`.
    """
    by_source = {name: _toolset(given, formats=formats) for name, given in sources.items()}
    return GivenTools(_toolset(schema, formats=formats), by_source)


def definitions(schema: str, data_root: Path) -> str:
    """The definitions that a recipe's `schema` names, as JSON text, or "any". Raises CurationError."""
    return schema if schema == ANY_TOOL else read_tools(tools_file(schema, data_root))


def as_text(given: Definitions) -> str:
    """Definitions as the JSON text that a row has for them."""
    return compact(given.encode() if isinstance(given, str) else orjson.dumps(list(given)))


def _toolset(given: Definitions, *, formats: bool = False) -> Toolset:
    if given == ANY_TOOL:
        return OPEN
    found = compile_tools(as_text(given), repair=False, formats=formats)
    if found.problem is not None:
        where = found.problem.get("path", "$")
        raise CurationError(f"tools: the given definitions are unusable: {where}: {found.problem['error']}")
    return found


_NO_TOOLS = Toolset()


class Offer:
    """The tools that calls in a row's text are read as calls of.

    own: the row's, as JSON text. given: what the recipe gives it where it has none. names: the longest first.
    """

    def __init__(self, own: str | None, given: Toolset = _NO_TOOLS) -> None:
        self._own, self._given = own, given
        self.names = (_names(own) if own else ()) or tuple(sorted(given.tools, key=len, reverse=True))

    @cached_property
    def is_own(self) -> bool:
        """Whether the row itself lists tools."""
        return bool(self._own and _names(self._own))

    def properties(self, name: str) -> Mapping[str, Any]:
        """The parameters that a tool declares, by name; none where it is not offered."""
        tools = compile_tools(self._own or "[]", repair=True) if self.is_own else self._given
        tool = tools.tools.get(name)
        schema = tool.schema if tool is not None else None
        found = schema.get("properties") if isinstance(schema, dict) else None
        return found if isinstance(found, dict) else {}


@lru_cache(maxsize=256)
def _names(tools: str) -> tuple[str, ...]:
    try:
        return offered_names(tools)
    except (ValueError, RecursionError):
        return ()
