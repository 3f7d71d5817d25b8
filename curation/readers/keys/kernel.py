"""A compiled loop over JSON lines that tells which of them have the same keys, values unread.

`at` is where to go on reading, `end` where the line ends; the buffer has ROOM to spare at its end.
"""

import numpy as np
from numpy import uint64 as u64

from curation.compiling import compiled_with
from curation.instructions import eight_at, octet, trailing_zeros

LEFT = -1  # instead of a place: this line is not for us
ROOM = 64  # bytes behind the buffer that may be read
MOST_KEYS = 64  # of one object, and of all turns of a line
UNKNOWN = u64(0)  # the digest of a line that is not for us

_NOTHING, _ONE, _THREE, _FALSE = u64(0), u64(1), u64(3), u64(0x66)
_FIRST, _SECOND = u64(0x9E3779B97F4A7C15), u64(0xD6E8FEB86659FD93)
_SHIFT = u64(32)
_HIGH, _ONES = u64(0x8080808080808080), u64(0x0101010101010101)
_QUOTES, _ESCAPES = _ONES * u64(34), _ONES * u64(92)
_NULL, _FOUR = u64(int.from_bytes(b"null", "little")), u64(0xFFFFFFFF)


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
def _string(at, end):  # type: ignore[no-untyped-def]
    """The place behind the string whose quote is at a place, or LEFT."""
    at += 1
    while at < end:
        eight = eight_at(at)
        quotes, escapes = eight ^ _QUOTES, eight ^ _ESCAPES
        marked = ((quotes - _ONES) & ~quotes | (escapes - _ONES) & ~escapes) & _HIGH
        if marked == _NOTHING:
            at += 8
            continue
        at += trailing_zeros(marked) >> 3
        if at < end and octet(at) == 34:
            return at + 1
        at += 2
    return LEFT


@compiled_with(nogil=True)
def _value(at, end):  # type: ignore[no-untyped-def]
    """The place behind any JSON value, or LEFT; whether it is sound JSON is for others to find."""
    if at >= end:
        return LEFT
    byte = octet(at)
    if byte == 34:
        return _string(at, end)
    if byte == 123 or byte == 91:  # { [
        depth = 0
        while at >= 0 and at < end:
            byte = octet(at)
            if byte == 34:
                at = _string(at, end)
                continue
            if byte == 123 or byte == 91:
                depth += 1
            elif byte == 125 or byte == 93:
                depth -= 1
                if depth == 0:
                    return at + 1
            at += 1
        return LEFT
    # -, a digit, true, false, null; no NaN, which a reader may mend.
    if byte != 45 and not 48 <= byte <= 57 and byte != 116 and byte != 102 and byte != 110:
        return LEFT
    while at < end:
        byte = octet(at)
        if byte == 44 or byte == 125 or byte == 93 or byte <= 32:
            break
        at += 1
    return at


@compiled_with(nogil=True)
def _digest(first, length):  # type: ignore[no-untyped-def]
    """64 bits that tell the text of a key from others."""
    mixed = u64(length) * _FIRST
    while length > 0:
        eight = eight_at(first)
        if length < 8:
            eight &= (_ONE << u64(8 * length)) - _ONE
        mixed = (mixed ^ eight) * _SECOND
        mixed ^= mixed >> _SHIFT
        first += 8
        length -= 8
    mixed *= _FIRST
    return mixed ^ (mixed >> _SHIFT)


@compiled_with(nogil=True)
def _key(at, end):  # type: ignore[no-untyped-def]
    """The digest of the key at a place, and where its value begins or LEFT. A key with escapes is LEFT."""
    if at >= end or octet(at) != 34:
        return _NOTHING, LEFT
    first = at + 1
    at = first
    while at < end and octet(at) != 34:
        if octet(at) == 92 or octet(at) < 32:
            return _NOTHING, LEFT
        at += 1
    digest = _digest(first, at - first)
    at = _space(at + 1, end)
    if at >= end or octet(at) != 58:
        return _NOTHING, LEFT
    return digest, _space(at + 1, end)


@compiled_with(nogil=True)
def _holds(at, end):  # type: ignore[no-untyped-def]
    """What a value is to its key: 0 for null, "", [] and {}, else 1, and 3 for false."""
    if at >= end:
        return _NOTHING
    byte, following = octet(at), octet(at + 1)
    if byte == 110 and eight_at(at) & _FOUR == _NULL:
        return _NOTHING
    if (byte == 34 and following == 34) or ((byte == 91 or byte == 123) and following == byte + 2):
        return _NOTHING
    return _THREE if u64(byte) == _FALSE else _ONE


@compiled_with(nogil=True)
def _is_new(digest, known, count):  # type: ignore[no-untyped-def]
    """Whether a digest is none of the first so many."""
    for place in range(count):  # noqa: SIM110 (numba has no any())
        if known[place] == digest:
            return False
    return True


@compiled_with(nogil=True)
def _turns(at, end, own, known):  # type: ignore[no-untyped-def]
    """The place behind the list of objects at a place, or LEFT; the digest of the keys that they have."""
    total, found = _NOTHING, 0
    at = _space(at + 1, end)
    if at < end and octet(at) == 93:
        return at + 1, total
    while True:
        if at >= end or octet(at) != 123:
            return LEFT, total
        at, count = _space(at + 1, end), 0
        while at < end and octet(at) != 125:
            digest, at = _key(at, end)
            if at < 0 or count == MOST_KEYS or not _is_new(digest, own, count):
                return LEFT, total
            own[count] = digest
            count += 1
            holds = _holds(at, end)
            if holds != _NOTHING:
                digest = digest * (holds + holds + _ONE)
                if _is_new(digest, known, found):
                    if found == MOST_KEYS:
                        return LEFT, total
                    known[found] = digest
                    found += 1
                    total += digest
            at = _value(at, end)
            at = _space(at, end) if at >= 0 else end
            if at < end and octet(at) == 44:
                at = _space(at + 1, end)
            elif at < end and octet(at) != 125:
                return LEFT, total
        if at >= end:
            return LEFT, total
        at = _space(at + 1, end)
        if at >= end:
            return LEFT, total
        byte = octet(at)
        if byte == 93:
            return at + 1, total
        if byte != 44:
            return LEFT, total
        at = _space(at + 1, end)


@compiled_with(nogil=True)
def _line(at, end, conversations, own, inner, known):  # type: ignore[no-untyped-def]
    """The digest of the keys of the object at a place, or UNKNOWN."""
    total, count, has_turns = _NOTHING, 0, False
    at = _space(at, end)
    if at >= end or octet(at) != 123:
        return UNKNOWN
    at = _space(at + 1, end)
    while at < end and octet(at) != 125:
        digest, at = _key(at, end)
        if at < 0 or count == MOST_KEYS or not _is_new(digest, own, count):
            return UNKNOWN
        own[count] = digest
        count += 1
        holds = _holds(at, end)
        if holds != _NOTHING:
            total += digest * (holds + holds + _ONE)
        if holds != _NOTHING and not _is_new(digest, conversations, conversations.shape[0]):
            if has_turns or octet(at) != 91:
                return UNKNOWN
            has_turns = True
            at, turns = _turns(at, end, inner, known)
            total += (turns ^ (turns >> _SHIFT)) * _FIRST
        else:
            at = _value(at, end)
        at = _space(at, end) if at >= 0 else end
        if at < end and octet(at) == 44:
            at = _space(at + 1, end)
        elif at < end and octet(at) != 125:
            return UNKNOWN
    if at >= end or _space(at + 1, end) != end:
        return UNKNOWN
    return total if total != UNKNOWN else _ONE


@compiled_with(nogil=True)
def key_digests(data, starts, conversations, digests):  # type: ignore[no-untyped-def]
    """Write for every line a digest that is the same where the keys are.

    data           lines, each with a line feed at its end, and ROOM
    starts         by line, and one more: where it begins
    conversations  digests of the keys under which turns may stand
    digests        by line: of its keys and those of its turns that hold anything, and which hold false;
                   UNKNOWN where that is not plain
    """
    own, inner, known = np.empty(MOST_KEYS, u64), np.empty(MOST_KEYS, u64), np.empty(MOST_KEYS, u64)
    source = data.ctypes.data
    for line in range(starts.shape[0] - 1):
        digests[line] = _line(
            source + starts[line], source + starts[line + 1] - 1, conversations, own, inner, known
        )


@compiled_with(nogil=True)
def digest_of(data, length):  # type: ignore[no-untyped-def]
    """The digest of a key, whose text opens a buffer with ROOM."""
    return _digest(data.ctypes.data, length)
