"""Editing the strings inside a JSON text while every other byte of it stays as it is spelt.

For tool-call arguments: re-dumping them would change floats, big integers and spacing.
"""

import re
from collections.abc import Callable

import orjson

_STRING = re.compile(r'"(?:[^"\\]++|\\.)*+"', re.DOTALL)
_ESCAPE = re.compile(r"(\\(?:u[0-9a-fA-F]{4}|.))", re.DOTALL)
_CONTEXT = 48

# (string, text that stands before it) → the string as it should read
Edit = Callable[[str, str], str]


def edit_strings(text: str, edit: Edit) -> str:
    """`text` with every string literal, keys included, as `edit` returns it.

    The second argument of `edit` is the JSON text just before the literal, so that it can see
    the key. Literals that `edit` leaves alone keep their spelling; others are written without
    needless escapes. In a text that is no JSON, what stands between escapes is edited instead.
    """
    if not _is_json(text):
        parts = _ESCAPE.split(text)
        parts[::2] = [edit(part, "") for part in parts[::2]]
        return "".join(parts)

    def replace(match: re.Match[str]) -> str:
        before = text[max(0, match.start() - _CONTEXT) : match.start()]
        value: str = orjson.loads(match.group())
        edited = edit(value, before)
        return match.group() if edited == value else orjson.dumps(edited).decode()

    return _STRING.sub(replace, text)


def _is_json(text: str) -> bool:
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError:
        return False
    return True
