"""Tool calls written as Python writes them, `[weather(city="Paris", days=3), time()]`, as ToolACE does.

Read only where a text is nothing but a list of calls, each to a tool that is offered and with keyword
arguments that are literals; nothing is ever evaluated. Everything else stays text.
"""

import ast
import json
import re
import warnings
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any

from curation.calls.listed_tools import offered_names

# How a turn that is such a list ends in a row's JSON: rows without it hold none.
ENDS = r'\](?:\\[nrt]| )*","name":(?:null|"[^"]*"),"role":"assistant"'
_MAX_LENGTH = 100_000
_QUOTED = r""""(?:[^"\\]|\\.)*+"|'(?:[^'\\]|\\.)*+'"""
_TOKEN = re.compile(rf"{_QUOTED}|[^\"'()]+|[()\"']", re.DOTALL)
_JSON_NUMBER = re.compile(r"(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
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
        if token[0] in ('"', "'") or (token[0][0] not in "\"'" and "#" in token[0]):
            raise ValueError("a text without its end, or a comment, which JSON cannot hold")
        depth += {"(": 1, ")": -1}.get(token[0], 0)
        if depth == 0:
            return token.end()
    raise ValueError("never closed")


def _arguments(brackets: str) -> str:
    """Keyword arguments in their brackets as a JSON object. ValueError or SyntaxError where they are none."""
    if "\r" in brackets:
        raise ValueError("a line end that Python reads as another")
    source = f"f{brackets}"
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # an escape that Python does not know is in doubt
        call = ast.parse(source, mode="eval").body
    if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name) or call.args:
        raise ValueError("no keyword arguments")
    lines = source.encode().split(b"\n")
    names = [keyword.arg for keyword in call.keywords]
    if len(set(names)) < len(names):
        raise ValueError("a keyword twice")
    return f"{{{', '.join(_member(keyword, lines) for keyword in call.keywords)}}}"


def _member(keyword: ast.keyword, lines: Sequence[bytes]) -> str:
    """A keyword argument as a member of a JSON object."""
    name = keyword.arg
    # Python reads some letters of a name as others.
    if name is None or not lines[keyword.lineno - 1].startswith(name.encode(), keyword.col_offset):
        raise ValueError("no plain keyword argument")
    return f"{_text(name)}: {_json(keyword.value, lines)}"


def _json(node: ast.expr, lines: Sequence[bytes]) -> str:
    """A literal as JSON, tuples as arrays, numbers as they are spelt. ValueError where JSON has no such."""
    if isinstance(node, ast.List | ast.Tuple):
        return f"[{', '.join(_json(one, lines) for one in node.elts)}]"
    if isinstance(node, ast.Dict):
        keys = [key.value if isinstance(key, ast.Constant) else None for key in node.keys]
        texts = [key for key in keys if isinstance(key, str)]
        if len(set(texts)) < len(keys):
            raise ValueError("a key that is no text, or twice")
        members = zip(texts, node.values, strict=True)
        return f"{{{', '.join(f'{_text(key)}: {_json(value, lines)}' for key, value in members)}}}"
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub) and _is_number(node.operand):
        return f"-{_json(node.operand, lines)}"
    if isinstance(node, ast.Constant) and _is_number(node):
        line = lines[node.lineno - 1]
        return _number(node.value, line[node.col_offset : node.end_col_offset].decode())
    if isinstance(node, ast.Constant) and (node.value is None or isinstance(node.value, str | bool)):
        return _text(node.value)
    raise ValueError(f"no JSON value: {type(node).__name__}")


def _is_number(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and type(node.value) in (int, float)


def _number(value: Any, spelt: str) -> str:
    """A number as it is spelt where JSON can, else as Python writes it. ValueError where that is another."""
    written = json.dumps(value, allow_nan=False)
    if _JSON_NUMBER.fullmatch(spelt):
        return spelt
    if isinstance(value, float) and Decimal(written) != Decimal(spelt):
        raise ValueError("more digits than a double has")
    return written


def _text(value: str | bool | None) -> str:
    """A text, truth value or null as JSON. ValueError for half a character, which is none."""
    written = json.dumps(value, ensure_ascii=False)
    written.encode()
    return written
