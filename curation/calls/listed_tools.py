"""Tools listed as JSON: their names, and the list between `<tools>` and `</tools>` in a system turn."""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import orjson

from curation.calls.json_calls import as_json
from curation.calls.repairs import is_json
from curation.jsontext import compact, values

# A system turn without this lists no tools.
TOOLS = "<tools>"
_TOOLS = re.compile(r"<tools>((?:(?!</?tools>).)*)</tools>[.:]?", re.DOTALL)
# How a call is to be written: an example with the line that leads to it, and sentences about the tags.
_EXAMPLE = re.compile(
    r"(?:^[^\n]*:[ \t]*\n\s*+)?<tool_call>\s*+\{(?:(?!<tool_call>)[^\n])*\}\s*</tool_call>", re.MULTILINE
)
_TAG = re.compile(r"</?tool_(?:call|response)>")
_SENTENCE = re.compile(r"(?<=[.!?])[ \t]+|(?<=\n)")
# Qwen's template puts its list of tools under a heading, and so do ours. What else stands there is the set's.
_HEADING = re.compile(
    r"(?:^|\n)# Tools\n\s*+(?:You may call one or more functions to assist with the user query\.\s*+)?"
    r"(?:You are provided with function signatures within <tools> ?</tools> XML tags:"
    r"|These functions can be called\. Each line is the JSON schema of one:)?\s*+\Z"
)


def without_tools(text: str, tools: str | None) -> tuple[str, str | None]:
    """A system turn without its list of tools and without how to write a call; and the tools.

    It stays as it is where it lists none and the row has none, and where a list would be lost: beside
    another one, or where the row has tools that lack some of it.
    """
    found = ((block, definitions(block[1].strip())) for block in _TOOLS.finditer(text))
    lists = [(block, listed) for block, listed in found if listed is not None]
    if len(lists) > 1 or any(tools and not _lists_all(tools, listed) for _, listed in lists):
        return text, tools
    for block, listed in lists:
        before = _HEADING.sub("", text[: block.start()])
        parts = [_without_tags(before).rstrip(), _without_tags(text[block.end() :]).strip()]
        return "\n\n".join(part for part in parts if part.strip()), tools or listed
    return (_without_tags(text).rstrip() if tools and _TAG.search(text) else text), tools


def _lists_all(tools: str, listed: str) -> bool:
    """Whether these tools have every name of that list."""
    try:
        return set(offered_names(listed)) <= set(offered_names(tools))
    except ValueError:
        return False


def definitions(text: str) -> str | None:
    """Tool definitions as one JSON array: an array, or objects one after the other; else None."""
    whole = as_json(text)
    try:
        found = [whole] if is_json(whole) else [as_json(one.decode()) for one in values(text.encode())]
        array = found[0] if len(found) == 1 and found[0][:1] == "[" else f"[{','.join(found)}]"
        listed: list[Any] = orjson.loads(array)
    except ValueError:
        return None
    named = all(isinstance(one, dict) and isinstance(one.get("name"), str) for one in functions(listed))
    return compact(array.encode()) if listed and named else None


def _without_tags(text: str) -> str:
    """Text without what it says about the tags around calls and results."""
    if not _TAG.search(text):
        return text
    text = _EXAMPLE.sub("", text)
    return "".join(part for part in _parts(text) if not _TAG.search(part))


def _parts(text: str) -> list[str]:
    """The sentences of a text, with the white space behind each."""
    ends = [match.end() for match in _SENTENCE.finditer(text)]
    return [text[a:b] for a, b in zip([0, *ends], [*ends, len(text)], strict=True)]


@lru_cache(maxsize=256)
def offered_names(tools: str) -> tuple[str, ...]:
    """The names of the tools in a JSON array of definitions, the longest first."""
    listed = orjson.loads(tools)
    found = functions(listed) if isinstance(listed, list) else []
    names = [one.get("name") for one in found if isinstance(one, dict)]
    return tuple(sorted({name for name in names if isinstance(name, str) and name}, key=len, reverse=True))


def functions(definitions: Sequence[Any]) -> list[Any]:
    """What holds name and parameters in each definition of a tool, wrapped or not; None where nothing may."""
    return [one.get("function", one) if isinstance(one, dict) else None for one in definitions]
