"""JSON as people write it: repairs that change no meaning, and elements of a broken array."""

import ast
import json
import re
from collections.abc import Iterator
from typing import Any
from warnings import catch_warnings

import msgspec

from curation.text import to_text

# What decoding a record can raise; anything else is a bug.
JSON_ERRORS = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)

_MARK = "\ufeff"
_TOKEN = re.compile(r'"(?:[^"\\]++|\\.)*+"?|(?<![\w"])-?(?:NaN|Infinity)\b', re.DOTALL)
_ODD = re.compile(
    r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    r"|\\u[dD][89a-fA-F][0-9a-fA-F]{2}|\\[^\x00-\x1f]|[\x00-\x1f]"
)
# `ast.literal_eval` takes some hundred bytes of memory for each byte.
MAX_PYTHON_BYTES = 1 << 20
_NUMPY = re.compile(r"\barray\(|\}\s*\n\s*\{|dtype=")
_SHORT = {"\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r"}
_STRUCTURE = re.compile(rb'"(?:[^"\\]++|\\.)*+"?|[\[\]{},]', re.DOTALL)


def mend(data: bytes) -> tuple[bytes, list[str]]:
    """A JSON text with its common faults repaired, and the names of the repairs, in order.

    byte_order_mark    a stray U+FEFF at the start is removed
    damaged_utf8, cp1252, latin-1   see `curation.text.to_text`
    control_character  raw control characters inside strings are escaped
    lone_surrogate     half a surrogate pair becomes U+FFFD
    not_a_number       NaN and Infinity become null
    trailing_comma     a comma after the whole of a line, as in an array written one element a line
    Everything else, the spelling of numbers included, stays byte for byte. Raises UnknownEncoding.
    """
    text, encoding = to_text(data)
    repairs = [] if encoding is None else [encoding]
    if text.startswith(_MARK):
        text = text.lstrip(_MARK)
        repairs.append("byte_order_mark")
    found: set[str] = set()

    def odd(match: re.Match[str]) -> str:
        part = match.group()
        if len(part) == 1:
            found.add("control_character")
            return _SHORT.get(part) or f"\\u{ord(part):04x}"
        if len(part) == 6:
            found.add("lone_surrogate")
            return "\\ufffd"
        return part

    def token(match: re.Match[str]) -> str:
        part = match.group()
        if part[0] == '"':
            return _ODD.sub(odd, part)
        found.add("not_a_number")
        return "null"

    mended = _TOKEN.sub(token, text)
    if mended.rstrip().endswith(","):
        mended = mended.rstrip()[:-1]
        found.add("trailing_comma")
    return mended.encode(), repairs + sorted(found)


def from_python(data: bytes) -> bytes | None:
    """A JSON object whose texts of Python lists and objects, as pandas writes them, are JSON in their place.

    None where there is none to read. Raises ValueError where a text is what NumPy writes, which cannot be
    read back.
    """
    if len(data) > MAX_PYTHON_BYTES:
        return None
    record = msgspec.json.decode(data, type=dict[str, msgspec.Raw])
    found = {key: value for key, raw in record.items() if (value := _python_value(key, bytes(raw)))}
    return msgspec.json.encode({**record, **found}) if found else None


def _python_value(key: str, raw: bytes) -> msgspec.Raw | None:
    if not re.match(rb'"\s*(?:[\[{]|array\()', raw):
        return None
    text = msgspec.json.decode(raw, type=str)
    try:
        with catch_warnings(action="ignore"):
            value = ast.literal_eval(text.strip())
        # Sets, tuples, bytes and complex numbers are no JSON, and no turns either.
        return msgspec.Raw(json.dumps(value, ensure_ascii=False, allow_nan=False).encode())
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        if _NUMPY.search(text):
            raise ValueError(f"`{key}` is what NumPy prints of an array; save the table as Parquet") from None
        return None


def elements(data: bytes) -> Iterator[bytes]:
    """The elements of a JSON array whose text may be faulty, up to where its structure breaks.

    An element is what stands between balanced brackets, valid or not. Raises ValueError, with the
    offset of the break as its second argument, where brackets or commas no longer fit or the text
    ends too early.
    """
    place = data.find(b"[")
    if place < 0 or data[:place].strip():
        raise ValueError("does not begin with [", 0)
    start, depth = place + 1, 0
    for match in _STRUCTURE.finditer(data, start):
        mark = match.group()[:1]
        if mark in b"[{":
            if depth == 0 and data[start : match.start()].strip():
                raise ValueError("a comma is missing", start)
            depth += 1
        elif mark in b"]}" and depth:
            depth -= 1
        elif mark in b",]}" and depth == 0:
            if element := data[start : match.start()].strip():
                yield element
            elif mark == b",":
                raise ValueError("an element is missing", match.start())
            start = match.end()
            if mark == b",":
                continue
            if mark == b"}" or data[start:].strip():
                raise ValueError("text after the end of the array", start)
            return
    raise ValueError("the array ends too early", start)


def values(data: bytes) -> Iterator[bytes]:
    """Objects and arrays that stand one after the other, valid or not, up to where brackets break.

    Raises ValueError, with the offset of the break as its second argument, where text stands
    between them or the last one does not end.
    """
    start = depth = 0
    for match in _STRUCTURE.finditer(data):
        mark = match.group()[:1]
        if mark in b"[{":
            if depth == 0 and data[start : match.start()].strip():
                break
            depth += 1
        elif mark in b"]}" and depth:
            depth -= 1
            if depth == 0:
                yield data[start : match.end()].strip()
                start = match.end()
    if data[start:].strip():
        raise ValueError("it ends too early" if depth else "text that belongs to no value", start)


def explain(error: BaseException) -> str:
    """Why a record could not be decoded, in one line."""
    if isinstance(error, RecursionError):
        return "nested too deeply"
    if isinstance(error, UnicodeDecodeError):
        return f"byte 0x{error.object[error.start]:02x} is not UTF-8"
    return str(error)


def plain(value: msgspec.Raw) -> Any:
    """A raw JSON value as Python objects; numbers that fit no type stay text."""
    try:
        return msgspec.json.decode(value)
    except msgspec.ValidationError:
        return bytes(value).decode()


def compact(data: bytes | msgspec.Raw) -> str:
    """JSON without white space between its tokens; strings and numbers stay as they are spelt."""
    return msgspec.json.format(bytes(data), indent=-1).decode()


def strings(value: Any) -> Iterator[str]:
    """All strings of a JSON-like value, in order, keys excepted."""
    waiting = [value]
    while waiting:
        found = waiting.pop()
        if isinstance(found, str):
            yield found
        elif isinstance(found, dict):
            waiting.extend(reversed(found.values()))
        elif isinstance(found, list | tuple):
            waiting.extend(reversed(found))
