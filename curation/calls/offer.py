"""What a row may call: the tools of its own, or those that the recipe gives its source."""

from collections.abc import Mapping
from functools import cached_property, lru_cache
from typing import Any

from curation.calls.listed_tools import offered_names
from curation.calls.tool_schemas import Toolset, compile_tools

_NOTHING = Toolset()


class Offer:
    """The tools that calls in a row's text are read as calls of.

    own: the row's, as JSON text. given: what the recipe gives it where it has none. names: the longest first.
    """

    def __init__(self, own: str | None, given: Toolset = _NOTHING) -> None:
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
