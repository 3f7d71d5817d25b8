"""Tool calls written as Python writes them, `[weather(city="Paris", days=3), time()]`, as ToolACE does.

Read only where a text is nothing but a list of calls, or calls one after the other, each to a tool that is
offered and with keyword arguments that are literals; nothing is ever evaluated. Everything else stays text.
"""

import ast
import json
import keyword
import re
import warnings
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any

_MAX_LENGTH = 100_000
_QUOTED = r""""(?:[^"\\]|\\.)*+"|'(?:[^'\\]|\\.)*+'"""
_TOKEN = re.compile(rf"{_QUOTED}|[^\"'()]+|[()\"']", re.DOTALL)
_RESERVED = "_reserved_"
_RESERVED_NAME = re.compile(rf"\b({'|'.join(keyword.kwlist)})(?=\s*=(?!=))")
_JSON_NUMBER = re.compile(r"(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_NEXT_LISTED = re.compile(r"\s*(,|\]\Z)\s*")
_NEXT = re.compile(r"[ \t]*(?:[,;\n]|\Z)\s*")
# Gemma's models print what they call.
_PRINTED = re.compile(r"print\((.*)\)", re.DOTALL)


def python_calls(text: str, names: Sequence[str]) -> list[dict[str, Any]] | None:
    """The calls that a text is, to tools of these names, the longest first; None for any other text.

    In brackets or not. A name may hold spaces and dots, as ToolACE's do. Arguments become JSON.
    """
    text = text.strip()
    if len(text) > _MAX_LENGTH or text[-1:] not in ("]", ")"):
        return None
    if "print" not in names and (printed := _PRINTED.fullmatch(text)):
        text = printed[1].strip()
    is_list = text.startswith("[") and text.endswith("]")
    try:
        return list(_calls(text, names, _NEXT_LISTED if is_list else _NEXT, is_list)) or None
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return None


def _calls(
    text: str, names: Sequence[str], following: re.Pattern[str], is_list: bool
) -> Iterator[dict[str, Any]]:
    """Every call of a text. ValueError or SyntaxError where it is none."""
    at = len(text) - len(text[1:].lstrip()) if is_list else 0
    while at < len(text):
        name = next((name for name in names if text.startswith(f"{name}(", at)), None)
        if name is None:
            raise ValueError("no call to an offered tool")
        start = at + len(name)
        end = _closing(text, start)
        yield {"id": None, "name": name, "arguments": _arguments(text[start:end])}
        parted = following.match(text, end)
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
    source = f"f{_with_any_names(brackets)}"
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # an escape that Python does not know is in doubt
        call = ast.parse(source, mode="eval").body
    if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name) or call.args:
        raise ValueError("no keyword arguments")
    lines = source.encode().split(b"\n")
    names = [one.arg for one in call.keywords]
    if len(set(names)) < len(names):
        raise ValueError("a keyword twice")
    return f"{{{', '.join(_member(one, lines) for one in call.keywords)}}}"


def _member(one: ast.keyword, lines: Sequence[bytes]) -> str:
    """A keyword argument as a member of a JSON object."""
    name = one.arg
    # Python reads some letters of a name as others.
    if name is None or not lines[one.lineno - 1].startswith(name.encode(), one.col_offset):
        raise ValueError("no plain keyword argument")
    return f"{_text(name.removesuffix(_RESERVED))}: {_json(one.value, lines)}"


def _with_any_names(brackets: str) -> str:
    """Arguments with words that Python reserves, such as `from`, written as names that it takes."""
    parts = (found[0] for found in _TOKEN.finditer(brackets))
    return "".join(p if p[0] in "\"'" else _RESERVED_NAME.sub(rf"\1{_RESERVED}", p) for p in parts)


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
