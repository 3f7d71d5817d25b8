"""Compiled loops from JSON lines of conversations to canonical messages (curation/row.py).

They take a line only where the result is beyond doubt, byte for byte what decoding and encoding it
would give: a JSON object with a list of messages whose roles are ours, with texts, names and tool calls
as chat APIs write them, and nothing else that a reader has to look at. They leave every other line,
whatever is wrong or unusual about it.

Texts are addressed by pointer: passing arrays to small functions costs more
than what these do. `at` is where to go on reading, `end` where the line ends, `to` where to write;
both buffers have ROOM to spare at their ends.
"""

import numpy as np
from numpy import uint64 as u64

from curation.compiling import compiled_with
from curation.instructions import eight_at, octet, put_eight, put_octet, trailing_zeros
from curation.recipe.marks import MARKS, ROW_MARKS
from curation.recipe.readers import READERS
from curation.turns.roles import ROLES

LEFT = -1  # instead of a place: this line is not for us
ROOM = 64  # bytes behind a buffer that may be read or written
MOST_DEPTH = 60
MOST_DIGITS = 18
# Written around the parts of a message.
OVERHEAD = len('{"content":null,"name":null,"role":"assistant","tool_call_id":null,"tool_calls":null},')


def packed(text: bytes) -> tuple[u64, ...]:
    """A text by eights, the last filled with zeros."""
    filled = text + b"\0" * (-len(text) % 8)
    return tuple(u64(int.from_bytes(filled[k : k + 8], "little")) for k in range(0, len(filled), 8))


def _start(text: bytes) -> u64:
    return packed(text)[0]


# Keys by their first eight bytes and their length; those whose values are used also by what follows.
_ROLE, _CONTENT, _NAME = _start(b"role"), _start(b"content"), _start(b"name")
_CALL_ID_ENDS, _CALLS_END, _ARGUMENTS_END = _start(b"l_id"), _start(b"ls"), _start(b"s")
_TOOL_CALL, _ID, _TYPE = _start(b"tool_call"), _start(b"id"), _start(b"type")
_FUNCTION, _ARGUMENTS, _TOOLS = _start(b"function"), _start(b"arguments"), _start(b"tools")
_OURS = ((_CONTENT, 7), (_ROLE, 4), (_NAME, 4), (_TOOL_CALL, 12), (_TOOL_CALL, 10))
# Of a message: null or absent, else the line is left.
_OTHERS = (
    (_TOOL_CALL, 13),  # tool_call_ids
    (_start(b"function_call"), 13),
    (_start(b"reasoning_content"), 17),
    (_start(b"parts"), 5),
    (_start(b"reasoning"), 9),
    (_start(b"thinking"), 8),
    (_start(b"thought"), 7),
    (_TOOLS, 5),
    (_start(b"functions"), 9),
    *((_start(mark.encode()), len(mark)) for mark in MARKS),
)
# Of a record: absent, else the line is left.
_BESIDE = tuple(
    (_start(name.encode()), len(name))
    for name in (
        *READERS["messages"].columns["tools"],
        *READERS["messages"].columns["system"],
        *ROW_MARKS,
    )
    if name != "tools"
)
_ROLES = tuple((_start(name.encode()), len(name)) for name in ROLES)
_OPENING, _NAMED, _SPOKEN = packed(b'{"content":'), packed(b',"name":'), packed(b',"role":"')
_ANSWERING, _CALLING = packed(b'","tool_call_id":'), packed(b',"tool_calls":')
_CALL, _CALL_ID = packed(b'{"arguments":'), packed(b',"id":')
_NO_ARGUMENTS = _start(b'"{}"')
_TRUE, _FALSE, _NULL = _start(b"true"), _start(b"false"), _start(b"null")
_FOUR, _FIVE = u64(0xFFFFFFFF), u64(0xFFFFFFFFFF)

# The character that an escape of one letter stands for, 0 for none; and the letter for a character.
_MEANT, _LETTER = np.zeros(256, np.uint8), np.zeros(128, np.uint8)
for _letter, _meant in zip(b'"\\bfnrt', b'"\\\b\f\n\r\t', strict=True):
    _MEANT[_letter], _LETTER[_meant] = _meant, _letter
_MEANT[47] = 47  # /
# Eight bytes at once: the high bit of each, one in each, and what some bytes are compared with.
_HIGH, _ONES = u64(0x8080808080808080), u64(0x0101010101010101)
_QUOTES, _ESCAPES, _SPACES = _ONES * u64(34), _ONES * u64(92), _ONES * u64(32)
_NOTHING, _ALL = u64(0), u64(0xFFFFFFFFFFFFFFFF)


@compiled_with(nogil=True)
def _space(at, end):  # type: ignore[no-untyped-def]
    """The next place that is not white space."""
    while at < end:
        byte = octet(at)
        if byte != 32 and byte != 9 and byte != 10 and byte != 13:
            break
        at += 1
    return at


@compiled_with(nogil=True)
def _null(at, end):  # type: ignore[no-untyped-def]
    """The place behind null, or LEFT."""
    return at + 4 if at + 4 <= end and eight_at(at) & _FOUR == _NULL else LEFT


@compiled_with(nogil=True)
def _is_one(start, length, known):  # type: ignore[no-untyped-def]
    """Whether a text of a length, which starts so, is one of those that are known."""
    for name, size in known:  # noqa: SIM110 (numba has no any())
        if start == name and length == size:
            return True
    return False


@compiled_with(nogil=True)
def _ends(first, length, rest):  # type: ignore[no-untyped-def]
    """Whether what follows the first eight bytes of a text, at most seven, is that."""
    return eight_at(first + 8) & ((u64(1) << u64(8 * (length - 8))) - u64(1)) == rest


@compiled_with(nogil=True)
def _hex(at, end):  # type: ignore[no-untyped-def]
    """The number that four hexadecimal digits spell, or LEFT."""
    if at + 4 > end:
        return LEFT
    value = 0
    for k in range(4):
        byte = octet(at + k)
        if 48 <= byte <= 57:
            value = value * 16 + byte - 48
        elif 97 <= (byte | 32) <= 102:
            value = value * 16 + (byte | 32) - 87
        else:
            return LEFT
    return value


@compiled_with(nogil=True)
def _width(at, end):  # type: ignore[no-untyped-def]
    """The bytes of the UTF-8 sequence at a place, or LEFT when it is none. Source: RFC 3629, §4."""
    first, second = octet(at), octet(at + 1)
    width = 2 if first < 0xE0 else 3 if first < 0xF0 else 4
    if first < 0xC2 or first > 0xF4 or at + width > end:
        return LEFT
    low = 0xA0 if first == 0xE0 else 0x90 if first == 0xF0 else 0x80
    high = 0x9F if first == 0xED else 0x8F if first == 0xF4 else 0xBF
    if second < low or second > high:
        return LEFT
    for k in range(2, width):
        if octet(at + k) & 0xC0 != 0x80:
            return LEFT
    return width


@compiled_with(nogil=True)
def _write_code(code, to):  # type: ignore[no-untyped-def]
    """Write a code point as canonical JSON has it: UTF-8, or an escape; where to go on writing."""
    if code < 0x80:
        letter = np.int64(_LETTER[code])
        if letter == 0 and code >= 32:
            put_octet(to, code)
            return to + 1
        put_octet(to, 92)
        if letter:
            put_octet(to + 1, letter)
            return to + 2
        put_octet(to + 1, 117)
        put_octet(to + 2, 48)
        put_octet(to + 3, 48)
        put_octet(to + 4, 48 + (code >> 4))
        put_octet(to + 5, (code & 15) + (48 if code & 15 < 10 else 87))
        return to + 6
    if code < 0x800:
        put_octet(to, 0xC0 | code >> 6)
    elif code < 0x10000:
        put_octet(to, 0xE0 | code >> 12)
        put_octet(to + 1, 0x80 | (code >> 6 & 0x3F))
        to += 1
    else:
        put_octet(to, 0xF0 | code >> 18)
        put_octet(to + 1, 0x80 | (code >> 12 & 0x3F))
        put_octet(to + 2, 0x80 | (code >> 6 & 0x3F))
        to += 2
    put_octet(to + 1, 0x80 | (code & 0x3F))
    return to + 2


@compiled_with(nogil=True)
def _write_escape(at, end, to):  # type: ignore[no-untyped-def]
    """Write what an escape stands for, whose backslash is at `at`."""
    if at + 1 >= end:
        return LEFT, to
    letter = octet(at + 1)
    if letter != 117:  # u
        meant = np.int64(_MEANT[letter])
        return (at + 2, _write_code(meant, to)) if meant else (LEFT, to)
    code = _hex(at + 2, end)
    at += 6
    if 0xD800 <= code < 0xDC00:
        low = _hex(at + 2, end) if at + 1 < end and octet(at) == 92 and octet(at + 1) == 117 else LEFT
        if low < 0xDC00 or low > 0xDFFF:
            return LEFT, to
        code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00)
        at += 6
    elif code < 0 or 0xDC00 <= code <= 0xDFFF:
        return LEFT, to
    return at, _write_code(code, to)


@compiled_with(nogil=True)
def _marked(eight):  # type: ignore[no-untyped-def]
    """The high bit of every quote and backslash among eight bytes; above the first, too much."""
    quotes, escapes = eight ^ _QUOTES, eight ^ _ESCAPES
    return ((quotes - _ONES) & ~quotes | (escapes - _ONES) & ~escapes) & _HIGH


@compiled_with(nogil=True)
def _string(at, end, to):  # type: ignore[no-untyped-def]
    """Write the string at a place, quotes included: the place behind it, or LEFT; where to go on."""
    if at >= end or octet(at) != 34:
        return LEFT, to
    put_octet(to, 34)
    to += 1
    at += 1
    while at < end:
        # What stands for itself is copied by eights, up to seven bytes of which are written again.
        eight = eight_at(at)
        put_eight(to, eight)
        special = eight & _HIGH | (eight - _SPACES) & ~eight & _HIGH | _marked(eight)
        plain = 8 if special == _NOTHING else trailing_zeros(special) >> 3
        at += plain
        to += plain
        if plain == 8:
            continue
        if at >= end:
            break
        byte = octet(at)
        if byte == 34:
            put_octet(to, 34)
            return at + 1, to + 1
        if byte == 92:
            at, to = _write_escape(at, end, to)
            if at < 0:
                break
        elif byte < 32:
            break
        else:
            width = _width(at, end)
            if width < 0:
                break
            for k in range(width):
                put_octet(to + k, octet(at + k))
            at += width
            to += width
    return LEFT, to


@compiled_with(nogil=True)
def _key(at, end):  # type: ignore[no-untyped-def]
    """A key and its colon: its first eight bytes, its place and length, where its value begins or LEFT.

    Only keys of plain ASCII, so that equal keys are equal bytes.
    """
    if at >= end or octet(at) != 34:
        return _NOTHING, LEFT, 0, LEFT
    first = at + 1
    at = first
    byte = octet(at)
    while at < end and byte != 34:
        if byte < 32 or byte >= 0x80 or byte == 92:
            return _NOTHING, LEFT, 0, LEFT
        at += 1
        byte = octet(at)
    length = at - first
    at = _space(at + 1, end)
    if at >= end or octet(at) != 58:
        return _NOTHING, LEFT, 0, LEFT
    start = eight_at(first)
    if length < 8:
        start &= (u64(1) << u64(8 * length)) - u64(1)
    return start, first, length, _space(at + 1, end)


@compiled_with(nogil=True)
def _digits(at, end):  # type: ignore[no-untyped-def]
    """The place behind a run of digits, of which there must be one; or LEFT."""
    first = at
    while at < end and 48 <= octet(at) <= 57:
        at += 1
    return at if at > first else LEFT


@compiled_with(nogil=True)
def _scalar(at, end):  # type: ignore[no-untyped-def]
    """The place behind a number, true, false or null; or LEFT."""
    eight = eight_at(at)
    if eight & _FOUR == _TRUE or eight & _FOUR == _NULL:
        return at + 4 if at + 4 <= end else LEFT
    if eight & _FIVE == _FALSE:
        return at + 5 if at + 5 <= end else LEFT
    first = at
    at += octet(at) == 45  # -
    if at < end and octet(at) == 48:
        at += 1
    else:
        at = _digits(at, end)
    if 0 <= at < end and octet(at) == 46:  # .
        at = _digits(at + 1, end)
    if 0 <= at < end and (octet(at) | 32) == 101:  # e
        at += 1
        at += at < end and (octet(at) == 43 or octet(at) == 45)
        at = _digits(at, end)
    return at if at - first <= MOST_DIGITS else LEFT


@compiled_with(nogil=True)
def _after_key(at, end, to):  # type: ignore[no-untyped-def]
    """The place where the value of any key begins, or LEFT. What it writes does not count."""
    at, _ = _string(at, end, to)
    if at < 0:
        return LEFT
    at = _space(at, end)
    return at + 1 if at < end and octet(at) == 58 else LEFT


@compiled_with(nogil=True)
def _value(at, end, to):  # type: ignore[no-untyped-def]
    """The place behind any JSON value, or LEFT. What it writes does not count."""
    depth = 0
    kinds = _NOTHING  # the lowest bit: whether the innermost value is an object
    one = u64(1)
    while True:
        at = _space(at, end)
        if at >= end:
            return LEFT
        opening = octet(at)
        if opening == 123 or opening == 91:  # { [
            if depth == MOST_DEPTH:
                return LEFT
            kinds = kinds << one | u64(opening == 123)
            depth += 1
            at = _space(at + 1, end)
            if at < end and octet(at) == opening + 2:
                depth -= 1
                kinds >>= one
                at += 1
            else:
                if opening == 123:
                    at = _after_key(at, end, to)
                    if at < 0:
                        return LEFT
                continue
        elif opening == 34:
            at, _ = _string(at, end, to)
        else:
            at = _scalar(at, end)
        if at < 0:
            return LEFT
        while depth > 0:
            at = _space(at, end)
            if at >= end:
                return LEFT
            byte = octet(at)
            at += 1
            if byte == 44:  # ,
                if kinds & one:
                    at = _after_key(_space(at, end), end, to)
                    if at < 0:
                        return LEFT
                break
            if byte != (125 if kinds & one else 93):
                return LEFT
            depth -= 1
            kinds >>= one
        else:
            return at


@compiled_with(nogil=True)
def _text_end(at, end):  # type: ignore[no-untyped-def]
    """The place behind the string or null at a place; it is looked at closely when it is written."""
    if at >= end or octet(at) != 34:
        return _null(at, end)
    at += 1
    while at < end:
        marked = _marked(eight_at(at))
        if marked == _NOTHING:
            at += 8
            continue
        at += trailing_zeros(marked) >> 3
        if at < end and octet(at) == 34:
            return at + 1
        at += 2
    return LEFT


@compiled_with(nogil=True)
def _put(text, length, to):  # type: ignore[no-untyped-def]
    """Write a packed text of a length: where to go on."""
    for k in range(len(text)):
        put_eight(to + 8 * k, text[k])
    return to + length


@compiled_with(nogil=True)
def _put_text(at, end, to):  # type: ignore[no-untyped-def]
    """Write the string at a place, or null where there is none or it is null: where to go on, or LEFT."""
    if at < 0 or octet(at) != 34:
        put_eight(to, _NULL)
        return to + 4
    behind, to = _string(at, end, to)
    return to if behind >= 0 else LEFT


@compiled_with(nogil=True)
def _put_slice(at, end, to):  # type: ignore[no-untyped-def]
    """Write JSON text as a string: where to go on. The text was found to be UTF-8."""
    put_octet(to, 34)
    to += 1
    while at < end:
        byte = octet(at)
        if byte < 0x80:
            to = _write_code(byte, to)
        else:
            put_octet(to, byte)
            to += 1
        at += 1
    put_octet(to, 34)
    return to + 1


@compiled_with(nogil=True)
def _put_arguments(at, end, to):  # type: ignore[no-untyped-def]
    """Write the arguments at a place, a string or an object: where to go on, or LEFT."""
    if at < 0:
        put_eight(to, _NO_ARGUMENTS)
        return to + 4
    if octet(at) == 34:
        return _put_text(at, end, to)
    behind = _value(at, end, to) if octet(at) == 123 else LEFT
    return _put_slice(at, behind, to) if behind >= 0 else LEFT


@compiled_with(nogil=True)
def _call(at, end, to):  # type: ignore[no-untyped-def]
    """Write the tool call at a place, nested or flat: the place behind it, or LEFT; where to go on."""
    name = arguments = identifier = LEFT
    is_nested = inside = False
    if at >= end or octet(at) != 123:
        return LEFT, to
    at = _space(at + 1, end)
    while True:
        start, key, length, at = _key(at, end)
        if at < 0 or at >= end:
            return LEFT, to
        byte = octet(at)
        if (
            start == _FUNCTION
            and length == 8
            and byte == 123
            and not is_nested
            and name < 0
            and arguments < 0
        ):
            # Its keys are read by the same loop.
            is_nested = inside = True
            at = _space(at + 1, end)
            continue
        first = at
        if start == _NAME and length == 4 and byte == 34 and name < 0 and is_nested == inside:
            name = first
        elif start == _ARGUMENTS and length == 9 and arguments < 0 and is_nested == inside:
            if not _ends(key, 9, _ARGUMENTS_END):
                return LEFT, to
            arguments = first
        elif start == _ID and length == 2 and identifier < 0 and not inside and (byte == 34 or byte == 110):
            identifier = first
        elif start != _TYPE or length != 4 or byte != 34:
            return LEFT, to
        at = _value(at, end, to)
        at = _space(at, end) if at >= 0 else end
        if inside and at < end and octet(at) == 125:
            inside = False
            at = _space(at + 1, end)
        if at >= end:
            return LEFT, to
        byte = octet(at)
        at += 1
        if byte == 125:
            break
        if byte != 44:
            return LEFT, to
        at = _space(at, end)
    if name < 0:
        return LEFT, to
    to = _put_arguments(arguments, end, _put(_CALL, 13, to))
    if to >= 0:
        to = _put_text(identifier, end, _put(_CALL_ID, 6, to))
    if to >= 0:
        to = _put_text(name, end, _put(_NAMED, 8, to))
    if to < 0:
        return LEFT, to
    put_octet(to, 125)
    return at, to + 1


@compiled_with(nogil=True)
def _put_calls(at, end, to):  # type: ignore[no-untyped-def]
    """Write the list of tool calls at a place, or null where there is none: where to go on, or LEFT."""
    if at >= 0 and octet(at) == 91:
        start = to
        put_octet(to, 91)
        to += 1
        at = _space(at + 1, end)
        while at < end and octet(at) != 93:
            at, to = _call(at, end, to)
            at = _space(at, end) if at >= 0 else end
            if at >= end:
                return LEFT
            byte = octet(at)
            put_octet(to, byte)
            to += 1
            if byte == 93:
                return to
            if byte != 44:
                return LEFT
            at = _space(at + 1, end)
            if at < end and octet(at) == 93:
                return LEFT
        if at >= end:
            return LEFT
        # An empty list is none.
        to = start
    elif at >= 0 and octet(at) != 110:
        return LEFT
    put_eight(to, _NULL)
    return to + 4


@compiled_with(nogil=True)
def _put_message(role, length, content, name, answers, calls, end, to):  # type: ignore[no-untyped-def]
    """Write a message from the places of its parts: where to go on, or LEFT."""
    start = eight_at(role)
    if length < 8:
        start &= (u64(1) << u64(8 * length)) - u64(1)
    if not _is_one(start, length, _ROLES) or (length == 9 and octet(role + 8) != 116):  # assistant
        return LEFT
    to = _put_text(content, end, _put(_OPENING, 11, to))
    if to >= 0:
        to = _put_text(name, end, _put(_NAMED, 8, to))
    if to < 0:
        return LEFT
    to = _put(_SPOKEN, 9, to)
    put_eight(to, eight_at(role))
    put_octet(to + 8, 116)
    to = _put_text(answers, end, _put(_ANSWERING, 17, to + length))
    if to >= 0:
        to = _put_calls(calls, end, _put(_CALLING, 14, to))
    if to < 0:
        return LEFT
    put_octet(to, 125)
    return to + 1


@compiled_with(nogil=True)
def _message(at, end, to):  # type: ignore[no-untyped-def]
    """Write the message at a place: the place behind it, or LEFT; where to go on writing."""
    role = content = name = answers = calls = LEFT
    role_length = 0
    at = _space(at, end)
    if at >= end or octet(at) != 123:
        return LEFT, to
    at = _space(at + 1, end)
    while True:
        start, key, length, at = _key(at, end)
        if at < 0:
            return LEFT, to
        first = at
        if start == _CONTENT and length == 7 and content < 0:
            content, at = first, _text_end(at, end)
        elif start == _ROLE and length == 4 and role < 0 and at < end and octet(at) == 34:
            role, at = first + 1, _text_end(at, end)
            role_length = at - 1 - role
        elif start == _NAME and length == 4 and name < 0:
            name, at = first, _text_end(at, end)
        elif start == _TOOL_CALL and length == 12 and answers < 0 and _ends(key, 12, _CALL_ID_ENDS):
            answers, at = first, _text_end(at, end)
        elif start == _TOOL_CALL and length == 10 and calls < 0 and _ends(key, 10, _CALLS_END):
            calls, at = first, _value(at, end, to)
        elif _is_one(start, length, _OTHERS):
            at = _null(at, end)
        elif _is_one(start, length, _OURS):
            # For the second time, a role that is no text, or a key that only begins so.
            return LEFT, to
        else:
            at = _value(at, end, to)
        at = _space(at, end) if at >= 0 else end
        if at >= end:
            return LEFT, to
        byte = octet(at)
        at += 1
        if byte == 125:  # }
            break
        if byte != 44:
            return LEFT, to
        at = _space(at, end)
    to = _put_message(role, role_length, content, name, answers, calls, end, to) if role >= 0 else LEFT
    return (at, to) if to >= 0 else (LEFT, to)


@compiled_with(nogil=True)
def _messages(at, end, to):  # type: ignore[no-untyped-def]
    """Write the list of messages at a place: the place behind it, or LEFT; where to go on writing."""
    if at >= end or octet(at) != 91:
        return LEFT, to
    put_octet(to, 91)
    to += 1
    at += 1
    while True:
        at, to = _message(at, end, to)
        at = _space(at, end) if at >= 0 else end
        if at >= end:
            return LEFT, to
        byte = octet(at)
        put_octet(to, byte)
        to += 1
        at += 1
        if byte == 93:  # ]
            return at, to
        if byte != 44:
            return LEFT, to


@compiled_with(nogil=True)
def _is_wanted(first, length, wanted):  # type: ignore[no-untyped-def]
    if length != wanted.shape[0]:
        return False
    for k in range(length):  # noqa: SIM110
        if octet(first + k) != wanted[k]:
            return False
    return True


@compiled_with(nogil=True)
def _record(at, end, wanted, to, tools):  # type: ignore[no-untyped-def]
    """Write the messages of the record at a place, and note where its tools are: where to go on, or LEFT."""
    found = False
    tools[0] = tools[1] = LEFT
    at = _space(at, end)
    if at >= end or octet(at) != 123:
        return LEFT
    at = _space(at + 1, end)
    while True:
        start, first, length, at = _key(at, end)
        if at < 0:
            return LEFT
        if _is_wanted(first, length, wanted):
            if found:
                return LEFT
            found = True
            at, to = _messages(at, end, to)
        elif _is_one(start, length, _BESIDE):
            return LEFT
        elif start == _TOOLS and length == 5:
            if tools[0] >= 0:
                return LEFT
            tools[0] = at
            at = tools[1] = _value(at, end, to)
        else:
            at = _value(at, end, to)
        at = _space(at, end) if at >= 0 else end
        if at >= end:
            return LEFT
        byte = octet(at)
        at += 1
        if byte == 125:
            break
        if byte != 44:
            return LEFT
        at = _space(at, end)
    return to if found and _space(at, end) == end else LEFT


@compiled_with(nogil=True)
def transcode(data, starts, wanted, out, offsets, is_done, tools):  # type: ignore[no-untyped-def]
    """Write the canonical messages of the lines that are for us, one after the other, to `out`.

    data     lines, each with a line feed at its end, and ROOM
    starts   by line, and one more: where it begins
    wanted   the key of the conversation
    offsets  by line, and one more: where its messages begin in `out`, which needs room for every line,
             OVERHEAD for every message in it, and ROOM
    is_done  by line: whether it was for us
    tools    by line: where the value of its `tools` begins and ends in `data`; LEFT without one
    """
    source, target = data.ctypes.data, out.ctypes.data
    to = target
    offsets[0] = 0
    for line in range(starts.shape[0] - 1):
        found = _record(source + starts[line], source + starts[line + 1] - 1, wanted, to, tools[line])
        is_done[line] = found >= 0
        if tools[line, 0] >= 0:
            tools[line, 0] -= source
            tools[line, 1] -= source
        to = found if found >= 0 else to
        offsets[line + 1] = to - target
