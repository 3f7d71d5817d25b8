"""Compiled loops from JSON lines of plain conversations to canonical messages (curation/row.py).

They take a line only where the result is beyond doubt, byte for byte what decoding and encoding it
would give: a JSON object with a list of messages whose roles are ours, texts and names, and nothing
that a reader has to look at. They leave every other line, whatever is wrong or unusual about it.

All of them are in this one file because numba's cache notices changes only in the file of the
function that is called.
"""

import numba as nb
import numpy as np
from numpy import uint64 as u64

from curation.instructions import eight_at, put_eight, trailing_zeros

LEFT = -1  # instead of a place: this line is not for us
MOST_DEPTH = 60
MOST_DIGITS = 18
# Written around the parts of a message.
OVERHEAD = len('{"content":null,"name":null,"role":"assistant","tool_call_id":null,"tool_calls":null},')


def _bytes(text: bytes):  # type: ignore[no-untyped-def]
    return np.frombuffer(text, np.uint8)


_ROLE, _CONTENT, _NAME = _bytes(b"role"), _bytes(b"content"), _bytes(b"name")
# Of a message: null or absent, else the line is left.
_OTHERS = tuple(
    _bytes(key)
    for key in (b"tool_calls", b"tool_call_id", b"function_call", b"tool_call_ids", b"reasoning_content")
)
# Of a record: absent, else the line is left.
_BESIDE = tuple(_bytes(key) for key in (b"tools", b"functions", b"function", b"system"))
_ROLES = tuple(_bytes(role) for role in (b"user", b"assistant", b"system", b"tool"))
_TRUE, _FALSE, _NULL = _bytes(b"true"), _bytes(b"false"), _bytes(b"null")
_OPENING, _NAMED, _SPOKEN = _bytes(b'{"content":'), _bytes(b',"name":'), _bytes(b',"role":"')
_CLOSING = _bytes(b'","tool_call_id":null,"tool_calls":null}')

# What a byte is inside a string: as it stands, the end, an escape, more than ASCII, not allowed.
_PLAIN, _QUOTE, _ESCAPE, _WIDE, _CONTROL = range(5)
_KINDS = np.zeros(256, np.uint8)
_KINDS[:32], _KINDS[128:], _KINDS[34], _KINDS[92] = _CONTROL, _WIDE, _QUOTE, _ESCAPE
# The character that an escape of one letter stands for, 0 for none; and the letter for a character.
_MEANT, _LETTER = np.zeros(256, np.uint8), np.zeros(256, np.uint8)
for _letter, _meant in zip(b'"\\bfnrt', b'"\\\b\f\n\r\t', strict=True):
    _MEANT[_letter], _LETTER[_meant] = _meant, _letter
_MEANT[47] = 47  # /
_DIGITS = _bytes(b"0123456789abcdef")
# Eight bytes at once: the high bit of each, one in each, and what some bytes are compared with.
_HIGH, _ONES = u64(0x8080808080808080), u64(0x0101010101010101)
_QUOTES, _ESCAPES, _SPACES = _ONES * u64(34), _ONES * u64(92), _ONES * u64(32)


@nb.njit(cache=True, nogil=True)
def _space(data, at, end):  # type: ignore[no-untyped-def]
    """The next place that is not white space."""
    while at < end and (data[at] == 32 or data[at] == 9 or data[at] == 10 or data[at] == 13):
        at += 1
    return at


@nb.njit(cache=True, nogil=True)
def _after(data, at, end, expected):  # type: ignore[no-untyped-def]
    """The place behind `expected`, or LEFT where something else stands."""
    if at + expected.shape[0] > end:
        return LEFT
    for k in range(expected.shape[0]):
        if data[at + k] != expected[k]:
            return LEFT
    return at + expected.shape[0]


@nb.njit(cache=True, nogil=True)
def _is(data, at, end, expected):  # type: ignore[no-untyped-def]
    return _after(data, at, end, expected) == end


@nb.njit(cache=True, nogil=True)
def _which(data, at, end, known):  # type: ignore[no-untyped-def]
    """The number of the text among those that are known, or LEFT."""
    for k in range(len(known)):
        if _is(data, at, end, known[k]):
            return k
    return LEFT


@nb.njit(cache=True, nogil=True)
def _hex(data, at, end):  # type: ignore[no-untyped-def]
    """The number that four hexadecimal digits spell, or LEFT."""
    if at + 4 > end:
        return LEFT
    value = np.int64(0)
    for k in range(4):
        byte = np.int64(data[at + k])
        if 48 <= byte <= 57:
            value = value * 16 + byte - 48
        elif 97 <= (byte | 32) <= 102:
            value = value * 16 + (byte | 32) - 87
        else:
            return LEFT
    return value


@nb.njit(cache=True, nogil=True)
def _width(data, at, end):  # type: ignore[no-untyped-def]
    """The bytes of the UTF-8 sequence at a place, or LEFT when it is none. Source: RFC 3629, §4."""
    first = data[at]
    width = 2 if first < 0xE0 else 3 if first < 0xF0 else 4
    if first < 0xC2 or first > 0xF4 or at + width > end:
        return LEFT
    second = data[at + 1]
    low, high = 0x80, 0xBF
    if first == 0xE0:
        low = 0xA0
    elif first == 0xED:
        high = 0x9F
    elif first == 0xF0:
        low = 0x90
    elif first == 0xF4:
        high = 0x8F
    if second < low or second > high:
        return LEFT
    for k in range(2, width):
        if data[at + k] < 0x80 or data[at + k] > 0xBF:
            return LEFT
    return width


@nb.njit(cache=True, nogil=True)
def _write_code(code, out, size):  # type: ignore[no-untyped-def]
    """Write a code point as canonical JSON has it: UTF-8, or an escape; the new size."""
    if code < 0x80 and (code < 32 or code == 34 or code == 92):
        out[size] = 92
        if _LETTER[code]:
            out[size + 1] = _LETTER[code]
            return size + 2
        out[size + 1] = 117
        out[size + 2] = out[size + 3] = 48
        out[size + 4], out[size + 5] = _DIGITS[code >> 4], _DIGITS[code & 15]
        return size + 6
    if code < 0x80:
        out[size] = code
        return size + 1
    if code < 0x800:
        out[size] = 0xC0 | code >> 6
    elif code < 0x10000:
        out[size] = 0xE0 | code >> 12
        size += 1
        out[size] = 0x80 | (code >> 6 & 0x3F)
    else:
        out[size] = 0xF0 | code >> 18
        out[size + 1] = 0x80 | (code >> 12 & 0x3F)
        size += 2
        out[size] = 0x80 | (code >> 6 & 0x3F)
    out[size + 1] = 0x80 | (code & 0x3F)
    return size + 2


@nb.njit(cache=True, nogil=True)
def _write_escape(data, at, end, out, size):  # type: ignore[no-untyped-def]
    """Write what an escape stands for, whose backslash is at `at`: the place behind it, the new size."""
    if at + 1 >= end:
        return LEFT, size
    if data[at + 1] != 117:  # u
        meant = _MEANT[data[at + 1]]
        return (at + 2, _write_code(np.int64(meant), out, size)) if meant else (LEFT, size)
    code = _hex(data, at + 2, end)
    at += 6
    if 0xD800 <= code < 0xDC00:
        low = _hex(data, at + 2, end) if at + 1 < end and data[at] == 92 and data[at + 1] == 117 else LEFT
        if low < 0xDC00 or low > 0xDFFF:
            return LEFT, size
        code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00)
        at += 6
    elif code < 0 or 0xDC00 <= code <= 0xDFFF:
        return LEFT, size
    return at, _write_code(code, out, size)


@nb.njit(cache=True, nogil=True)
def _marked(eight):  # type: ignore[no-untyped-def]
    """The high bit of every quote and backslash among eight ASCII bytes; above the first, too much."""
    quotes, escapes = eight ^ _QUOTES, eight ^ _ESCAPES
    return ((quotes - _ONES) & ~quotes | (escapes - _ONES) & ~escapes) & _HIGH


@nb.njit(cache=True, nogil=True)
def _copy_plain(data, at, end, out, size):  # type: ignore[no-untyped-def]
    """Copy as many characters as stand for themselves, most of them by eights: how many it were.

    Writes up to eight bytes more than that.
    """
    source, target = data.ctypes.data, out.ctypes.data
    first = at
    while at + 8 <= end:
        eight = eight_at(source + at)
        put_eight(target + size, eight)
        special = eight & _HIGH | (eight - _SPACES) & ~eight & _HIGH | _marked(eight)
        if special != u64(0):
            return at - first + (trailing_zeros(special) >> 3)
        at += 8
        size += 8
    return at - first


@nb.njit(cache=True, nogil=True)
def _string(data, at, end, out, size):  # type: ignore[no-untyped-def]
    """Write the string at a place, quotes included: the place behind it, or LEFT, and the new size."""
    if at >= end or data[at] != 34:
        return LEFT, size
    out[size] = 34
    size += 1
    at += 1
    while at < end:
        plain = _copy_plain(data, at, end, out, size)
        at += plain
        size += plain
        if at >= end:
            break
        byte = data[at]
        kind = _KINDS[byte]
        if kind == _PLAIN:
            out[size] = byte
            size += 1
            at += 1
        elif kind == _QUOTE:
            out[size] = 34
            return at + 1, size + 1
        elif kind == _ESCAPE:
            at, size = _write_escape(data, at, end, out, size)
            if at < 0:
                return LEFT, size
        elif kind == _WIDE:
            width = _width(data, at, end)
            if width < 0:
                return LEFT, size
            for k in range(width):
                out[size + k] = data[at + k]
            size += width
            at += width
        else:
            return LEFT, size
    return LEFT, size


@nb.njit(cache=True, nogil=True)
def _key(data, at, end):  # type: ignore[no-untyped-def]
    """A key and its colon: where its text begins and ends, and where its value begins, or LEFT.

    Only keys of plain ASCII, so that equal keys are equal bytes.
    """
    if at >= end or data[at] != 34:
        return LEFT, LEFT, LEFT
    first = at + 1
    at = first
    while at < end and _KINDS[data[at]] == _PLAIN:
        at += 1
    if at >= end or data[at] != 34:
        return LEFT, LEFT, LEFT
    colon = _space(data, at + 1, end)
    if colon >= end or data[colon] != 58:
        return LEFT, LEFT, LEFT
    return first, at, _space(data, colon + 1, end)


@nb.njit(cache=True, nogil=True)
def _digits(data, at, end):  # type: ignore[no-untyped-def]
    """The place behind a run of digits, of which there must be one; or LEFT."""
    first = at
    while at < end and 48 <= data[at] <= 57:
        at += 1
    return at if at > first else LEFT


@nb.njit(cache=True, nogil=True)
def _scalar(data, at, end):  # type: ignore[no-untyped-def]
    """The place behind a number, true, false or null; or LEFT."""
    if at >= end:
        return LEFT
    if data[at] == 116:
        return _after(data, at, end, _TRUE)
    if data[at] == 102:
        return _after(data, at, end, _FALSE)
    if data[at] == 110:
        return _after(data, at, end, _NULL)
    first = at
    at += data[at] == 45  # -
    if at < end and data[at] == 48:
        at += 1
    else:
        at = _digits(data, at, end)
    if 0 <= at < end and data[at] == 46:  # .
        at = _digits(data, at + 1, end)
    if 0 <= at < end and (data[at] | 32) == 101:  # e
        at += 1
        at += at < end and (data[at] == 43 or data[at] == 45)
        at = _digits(data, at, end)
    return at if at - first <= MOST_DIGITS else LEFT


@nb.njit(cache=True, nogil=True)
def _value(data, at, end, out, size):  # type: ignore[no-untyped-def]
    """The place behind any JSON value, or LEFT. What it writes is behind what counts in `out`."""
    depth = 0
    kinds = np.uint64(0)  # the lowest bit: whether the innermost value is an object
    one = np.uint64(1)
    while True:
        at = _space(data, at, end)
        if at >= end:
            return LEFT
        opening = data[at]
        if opening == 123 or opening == 91:  # { [
            if depth == MOST_DEPTH:
                return LEFT
            kinds = kinds << one | np.uint64(opening == 123)
            depth += 1
            at = _space(data, at + 1, end)
            if at < end and data[at] == opening + 2:
                depth -= 1
                kinds >>= one
                at += 1
            else:
                if opening == 123:
                    at = _key(data, at, end)[2]
                    if at < 0:
                        return LEFT
                continue
        elif opening == 34:
            at = _string(data, at, end, out, size)[0]
        else:
            at = _scalar(data, at, end)
        if at < 0:
            return LEFT
        while depth > 0:
            at = _space(data, at, end)
            if at >= end:
                return LEFT
            byte = data[at]
            at += 1
            if byte == 44:  # ,
                if kinds & one:
                    at = _key(data, _space(data, at, end), end)[2]
                    if at < 0:
                        return LEFT
                break
            if byte != (125 if kinds & one else 93):
                return LEFT
            depth -= 1
            kinds >>= one
        else:
            return at


@nb.njit(cache=True, nogil=True)
def _text_end(data, at, end):  # type: ignore[no-untyped-def]
    """The place behind the string or null at a place; it is looked at closely when it is written."""
    if at >= end or data[at] != 34:
        return _after(data, at, end, _NULL)
    at += 1
    source = data.ctypes.data
    while at < end:
        if at + 8 <= end:
            marked = _marked(eight_at(source + at))
            if marked == u64(0):
                at += 8
                continue
            at += trailing_zeros(marked) >> 3
        if data[at] == 34:
            return at + 1
        at += 2 if data[at] == 92 else 1
    return LEFT


@nb.njit(cache=True, nogil=True)
def _put(text, out, size):  # type: ignore[no-untyped-def]
    for k in range(text.shape[0]):
        out[size + k] = text[k]
    return size + text.shape[0]


@nb.njit(cache=True, nogil=True)
def _put_text(data, at, end, out, size):  # type: ignore[no-untyped-def]
    """Write the string at a place, or null where there is none or it is null; the new size or LEFT."""
    if at < 0 or data[at] != 34:
        return _put(_NULL, out, size)
    behind, size = _string(data, at, end, out, size)
    return size if behind >= 0 else LEFT


@nb.njit(cache=True, nogil=True)
def _message(data, at, end, out, size):  # type: ignore[no-untyped-def]
    """Write the message at a place: the place behind it, or LEFT, and the new size."""
    role = content = name = role_end = LEFT
    at = _space(data, at, end)
    if at >= end or data[at] != 123:
        return LEFT, size
    at = _space(data, at + 1, end)
    while True:
        first, last, at = _key(data, at, end)
        if at < 0:
            return LEFT, size
        if _is(data, first, last, _CONTENT):
            if content >= 0:
                return LEFT, size
            content, at = at, _text_end(data, at, end)
        elif _is(data, first, last, _ROLE):
            if role >= 0 or at >= end or data[at] != 34:
                return LEFT, size
            role, at = at + 1, _text_end(data, at, end)
            role_end = at - 1
        elif _is(data, first, last, _NAME):
            if name >= 0:
                return LEFT, size
            name, at = at, _text_end(data, at, end)
        elif _which(data, first, last, _OTHERS) >= 0:
            at = _after(data, at, end, _NULL)
        else:
            at = _value(data, at, end, out, size)
        at = _space(data, at, end) if at >= 0 else end
        if at >= end:
            return LEFT, size
        at += 1
        if data[at - 1] == 125:  # }
            break
        if data[at - 1] != 44:
            return LEFT, size
        at = _space(data, at, end)
    known = _which(data, role, role_end, _ROLES) if role >= 0 else LEFT
    if known < 0:
        return LEFT, size
    size = _put_text(data, content, end, out, _put(_OPENING, out, size))
    if size >= 0:
        size = _put_text(data, name, end, out, _put(_NAMED, out, size))
    if size < 0:
        return LEFT, size
    return at, _put(_CLOSING, out, _put(_ROLES[known], out, _put(_SPOKEN, out, size)))


@nb.njit(cache=True, nogil=True)
def _messages(data, at, end, out, size):  # type: ignore[no-untyped-def]
    """Write the list of messages at a place: the place behind it, or LEFT, and the new size."""
    if at >= end or data[at] != 91:
        return LEFT, size
    out[size] = 91
    size += 1
    at += 1
    while True:
        at, size = _message(data, at, end, out, size)
        at = _space(data, at, end) if at >= 0 else end
        if at >= end:
            return LEFT, size
        out[size] = data[at]
        size += 1
        at += 1
        if data[at - 1] == 93:  # ]
            return at, size
        if data[at - 1] != 44:
            return LEFT, size


@nb.njit(cache=True, nogil=True)
def _record(data, at, end, wanted, out, size):  # type: ignore[no-untyped-def]
    """Write the messages of the record at a place; the new size, or LEFT."""
    found = False
    start = size
    at = _space(data, at, end)
    if at >= end or data[at] != 123:
        return LEFT
    at = _space(data, at + 1, end)
    while True:
        first, last, at = _key(data, at, end)
        if at < 0:
            return LEFT
        if _is(data, first, last, wanted):
            if found:
                return LEFT
            found = True
            at, size = _messages(data, at, end, out, start)
        elif _which(data, first, last, _BESIDE) >= 0:
            return LEFT
        else:
            at = _value(data, at, end, out, size)
        at = _space(data, at, end) if at >= 0 else end
        if at >= end:
            return LEFT
        at += 1
        if data[at - 1] == 125:
            break
        if data[at - 1] != 44:
            return LEFT
        at = _space(data, at, end)
    return size if found and _space(data, at, end) == end else LEFT


@nb.njit(cache=True, nogil=True)
def transcode(data, starts, wanted, out, offsets, is_done):  # type: ignore[no-untyped-def]
    """Write the canonical messages of the lines that are for us, one after the other, to `out`.

    starts   by line, and one more: where it begins; a line feed ends it
    wanted   the key of the conversation
    offsets  by line, and one more: where its messages begin in `out`, which needs room for every line
             and OVERHEAD for every message in it
    is_done  by line: whether it was for us
    """
    size = 0
    offsets[0] = 0
    for line in range(starts.shape[0] - 1):
        found = _record(data, starts[line], starts[line + 1] - 1, wanted, out, size)
        is_done[line] = found >= 0
        size = found if found >= 0 else size
        offsets[line + 1] = size
