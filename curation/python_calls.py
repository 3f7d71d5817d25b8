"""Tool calls written as Python writes them, `[weather(city="Paris", days=3), time()]`, as ToolACE does.

Read only where a text is nothing but a list of calls, each to a tool that is offered and with keyword
arguments that are literals; nothing is ever evaluated. Everything else stays text.
"""

import ast
import json
import re
import warnings
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

import orjson

# How a turn that is such a list ends in a row's JSON: rows without it hold none.
ENDS = r'\](?:\\[nrt]| )*","name":(?:null|"[^"]*"),"role":"assistant"'
_MAX_LENGTH = 100_000
_QUOTED = r""""(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'"""
_TOKEN = re.compile(rf"{_QUOTED}|[^\"'()]+|[()]", re.DOTALL)
_NEXT = re.compile(r"\s*(,|\]\Z)\s*")


def python_calls(text: str, tools: str) -> list[dict[str, Any]] | None:
    """The calls that a text is, to tools of this JSON array; None for any other text.

    A name may hold spaces and dots, as ToolACE's do. Arguments become JSON.
    """
    text = text.strip()
    if not (text.startswith("[") and text.endswith("]")) or len(text) > _MAX_LENGTH:
        return None
    try:
        return list(_calls(text, offered_names(tools)))
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return None


@lru_cache(maxsize=256)
def offered_names(tools: str) -> tuple[str, ...]:
    """The names of the tools in a JSON array of definitions, the longest first."""
    listed = orjson.loads(tools)
    functions = (
        [one.get("function", one) if isinstance(one, dict) else None for one in listed]
        if isinstance(listed, list)
        else []
    )
    names = [one.get("name") for one in functions if isinstance(one, dict)]
    return tuple(sorted({name for name in names if isinstance(name, str) and name}, key=len, reverse=True))


def _calls(text: str, names: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Every call of a list. ValueError or SyntaxError where it is none."""
    at = len(text) - len(text[1:].lstrip())
    while at < len(text):
        name = next((name for name in names if text.startswith(f"{name}(", at)), None)
        if name is None:
            raise ValueError("no call to an offered tool")
        start = at + len(name)
        end = _closing(text, start)
        yield {"id": None, "name": name, "arguments": _arguments(text[start:end])}
        parted = _NEXT.match(text, end)
        if parted is None:
            raise ValueError("neither another call nor the end")
        at = parted.end()


def _closing(text: str, start: int) -> int:
    """The place behind the bracket that closes the one at `start`. ValueError where none does."""
    depth = 0
    for token in _TOKEN.finditer(text, start):
        depth += {"(": 1, ")": -1}.get(token.group(), 0)
        if depth == 0:
            return token.end()
    raise ValueError("never closed")


def _arguments(brackets: str) -> str:
    """Keyword arguments in their brackets as a JSON object. ValueError or SyntaxError where they are none."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # an escape that Python does not know is in doubt
        call = ast.parse(f"f{brackets}", mode="eval").body
    if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name) or call.args:
        raise ValueError("no keyword arguments")
    names = [keyword.arg for keyword in call.keywords]
    if None in names or len(set(names)) < len(names):
        raise ValueError("no plain keyword arguments")
    values = {str(keyword.arg): as_json(ast.literal_eval(keyword.value)) for keyword in call.keywords}
    text = json.dumps(values, ensure_ascii=False, allow_nan=False)
    text.encode()  # half a character is none
    return text


def as_json(value: Any) -> Any:
    """A literal as JSON has it, tuples as arrays. ValueError where JSON has no such value."""
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, list | tuple):
        return [as_json(one) for one in value]
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return {key: as_json(one) for key, one in value.items()}
    raise ValueError(f"no JSON value: {type(value).__name__}")
