"""Counting byte-level BPE tokens over a buffer of UTF-8 rows, compiled by numba.

Three steps per row, in one pass: cut at added tokens, split into words as the Split regex of Qwen2
(and, with three digits, of Llama 3 and cl100k) does, merge each word's bytes by rank. Words of up to 16
bytes are looked up in a direct-mapped cache that holds the words themselves, so that a hit is exact.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from curation.compiling import compiled_with
from curation.instructions import eight_at, trailing_zeros

Bytes = NDArray[np.uint8]

# Character classes, as the regex engine of the tokenizer sees them. UNSURE marks characters whose
# normalisation the standard library cannot know: such rows are left to the tokenizer itself.
OTHER, LETTER, NUMBER, SPACE, UNSURE = 0, 1, 2, 3, 4

CACHE_BITS = 18
SHORT_BITS = 15
SHORT_BYTES = 7
CACHED_BYTES = 16
PADDING = 16
SCANNED_WORD = 192
NOT_COUNTED = -1
NO_RANK = np.uint32(0xFFFFFFFF)

CR, LF, BLANK, QUOTE = 13, 10, 32, 39
LOWER = np.uint64(0x2020202020202020)
ONES = np.uint64(0x0101010101010101)
HIGHS = np.uint64(0x8080808080808080)


Cache = tuple[NDArray[np.uint64], Bytes, NDArray[np.uint64]]


def new_cache() -> Cache:
    """An empty cache, one per thread: words of up to 7 bytes (bytes and length, counts), small enough for the
    processor's own cache, and longer ones (low bytes, high bytes, length << 32 | count)."""
    short = np.zeros(1 << SHORT_BITS, dtype=np.uint64)
    return short, np.zeros(1 << SHORT_BITS, dtype=np.uint8), np.zeros((1 << CACHE_BITS, 3), dtype=np.uint64)


@compiled_with(nogil=True, inline="always")
def mix(value):  # type: ignore[no-untyped-def]
    """A 64-bit hash whose high bits depend on every bit (the finaliser of MurmurHash3)."""
    value ^= value >> np.uint64(33)
    value *= np.uint64(0xFF51AFD7ED558CCD)
    value ^= value >> np.uint64(33)
    value *= np.uint64(0xC4CEB9FE1A85EC53)
    value ^= value >> np.uint64(33)
    return value


@compiled_with()
def fill_pairs(left, right, merged, keys, ranks, ids):  # type: ignore[no-untyped-def]
    """Put the merges, in the order of their rank, into an open-addressing table; later ones win."""
    mask = np.uint64(keys.shape[0] - 1)
    for rank in range(left.shape[0]):
        key = (np.uint64(left[rank]) << np.uint64(32)) | np.uint64(right[rank])
        slot = mix(key) & mask
        while ranks[slot] != NO_RANK and keys[slot] != key:
            slot = (slot + np.uint64(1)) & mask
        keys[slot] = key
        ranks[slot] = np.uint32(rank)
        ids[slot] = np.uint32(merged[rank])


@compiled_with(nogil=True)
def find_pair(left, right, keys, ranks):  # type: ignore[no-untyped-def]
    """The slot of a pair, or -1 if no merge joins it."""
    mask = np.uint64(keys.shape[0] - 1)
    key = (np.uint64(left) << np.uint64(32)) | np.uint64(right)
    slot = mix(key) & mask
    while ranks[slot] != NO_RANK:
        if keys[slot] == key:
            return np.int64(slot)
        slot = (slot + np.uint64(1)) & mask
    return np.int64(-1)


@compiled_with(nogil=True)
def merge_word(data, start, end, byte_ids, keys, ranks, ids, symbols, slots):  # type: ignore[no-untyped-def]
    """Tokens of one word: the pair of lowest rank is merged first, the leftmost of equal ones."""
    size = end - start
    for i in range(size):
        symbols[i] = byte_ids[data[start + i]]
    for i in range(size - 1):
        slots[i] = find_pair(symbols[i], symbols[i + 1], keys, ranks)
    while size > 1:
        best, best_rank = -1, NO_RANK
        for i in range(size - 1):
            if slots[i] >= 0 and ranks[slots[i]] < best_rank:
                best, best_rank = i, ranks[slots[i]]
        if best < 0:
            break
        symbols[best] = ids[slots[best]]
        size -= 1
        for i in range(best + 1, size):
            symbols[i] = symbols[i + 1]
            slots[i - 1] = slots[i]
        if best > 0:
            slots[best - 1] = find_pair(symbols[best - 1], symbols[best], keys, ranks)
        if best < size - 1:
            slots[best] = find_pair(symbols[best], symbols[best + 1], keys, ranks)
    return size


@compiled_with(nogil=True)
def push(heap, size, value):  # type: ignore[no-untyped-def]
    """Put a value into a binary heap of `size` values."""
    at = size
    while at > 0 and heap[(at - 1) >> 1] > value:
        heap[at] = heap[(at - 1) >> 1]
        at = (at - 1) >> 1
    heap[at] = value


@compiled_with(nogil=True)
def pop(heap, size):  # type: ignore[no-untyped-def]
    """Take the smallest value out of a binary heap of `size` values."""
    smallest, value, at = heap[0], heap[size - 1], 0
    while True:
        child = 2 * at + 1
        if child >= size - 1:
            break
        if child + 1 < size - 1 and heap[child + 1] < heap[child]:
            child += 1
        if heap[child] >= value:
            break
        heap[at] = heap[child]
        at = child
    heap[at] = value
    return smallest


@compiled_with(nogil=True)
def merge_long_word(data, start, end, byte_ids, keys, ranks, ids):  # type: ignore[no-untyped-def]
    """`merge_word` for words of any length, in n log n: a heap of rank << 32 | position, a linked list."""
    size = end - start
    symbols = np.empty(size, dtype=np.uint32)
    before, after = np.empty(size, dtype=np.int32), np.empty(size, dtype=np.int32)
    heap = np.empty(3 * size, dtype=np.uint64)
    waiting, tokens = 0, size
    for i in range(size):
        symbols[i] = byte_ids[data[start + i]]
        before[i], after[i] = i - 1, i + 1
    for i in range(size - 1):
        slot = find_pair(symbols[i], symbols[i + 1], keys, ranks)
        if slot >= 0:
            push(heap, waiting, np.uint64(ranks[slot]) << np.uint64(32) | np.uint64(i))
            waiting += 1
    while waiting > 0:
        entry = pop(heap, waiting)
        waiting -= 1
        left = np.int64(entry & np.uint64(0xFFFFFFFF))
        right = np.int64(after[left])
        if right >= size or right < 0:
            continue
        slot = find_pair(symbols[left], symbols[right], keys, ranks)
        # The pair at this position may be another one by now.
        if slot < 0 or np.uint64(ranks[slot]) != entry >> np.uint64(32):
            continue
        symbols[left] = ids[slot]
        following = np.int64(after[right])
        after[left], after[right] = following, -1
        if following < size:
            before[following] = left
        tokens -= 1
        for first in (np.int64(before[left]), left):
            second = np.int64(after[first]) if first >= 0 else np.int64(size)
            if second < size:
                slot = find_pair(symbols[first], symbols[second], keys, ranks)
                if slot >= 0:
                    push(heap, waiting, np.uint64(ranks[slot]) << np.uint64(32) | np.uint64(first))
                    waiting += 1
    return tokens


@compiled_with(nogil=True, inline="always")
def load(data, at, size):  # type: ignore[no-untyped-def]
    """Up to 8 bytes as one number; written out so that the compiler makes one load of it."""
    value = (
        np.uint64(data[at])
        | np.uint64(data[at + 1]) << np.uint64(8)
        | np.uint64(data[at + 2]) << np.uint64(16)
        | np.uint64(data[at + 3]) << np.uint64(24)
        | np.uint64(data[at + 4]) << np.uint64(32)
        | np.uint64(data[at + 5]) << np.uint64(40)
        | np.uint64(data[at + 6]) << np.uint64(48)
        | np.uint64(data[at + 7]) << np.uint64(56)
    )
    return value if size >= 8 else value & ((np.uint64(1) << np.uint64(8 * size)) - np.uint64(1))


@compiled_with(nogil=True)
def character(data, at):  # type: ignore[no-untyped-def]
    """The code point at a byte position of valid UTF-8, and its length in bytes."""
    first = np.int64(data[at])
    if first < 0x80:
        return first, 1
    second = np.int64(data[at + 1]) & 0x3F
    if first < 0xE0:
        return ((first & 0x1F) << 6) | second, 2
    third = np.int64(data[at + 2]) & 0x3F
    if first < 0xF0:
        return ((first & 0x0F) << 12) | (second << 6) | third, 3
    return ((first & 0x07) << 18) | (second << 12) | (third << 6) | (np.int64(data[at + 3]) & 0x3F), 4


@compiled_with(nogil=True)
def contraction(data, at, end):  # type: ignore[no-untyped-def]
    """Bytes of 's 't 'm 'd 're 've 'll in any case at a quote, 0 if none. The long s counts as an s."""
    if at + 1 >= end:
        return 0
    first = data[at + 1] | 0x20
    if first == 115 or first == 116 or first == 109 or first == 100:
        return 2
    if at + 2 >= end:
        return 0
    if data[at + 1] == 0xC5 and data[at + 2] == 0xBF:
        return 3
    second = data[at + 2] | 0x20
    if (first == 114 or first == 118) and second == 101:
        return 3
    return 3 if first == 108 and second == 108 else 0


@compiled_with(nogil=True)
def run_end(data, at, end, classes, kind):  # type: ignore[no-untyped-def]
    """Where a run of characters of one class ends."""
    while at < end:
        byte = data[at]
        if byte < 0x80:
            if classes[byte] != kind:
                return at
            at += 1
        else:
            code, width = character(data, at)
            if classes[code] != kind:
                return at
            at += width
    return at


@compiled_with(nogil=True)
def space_end(data, at, end, classes):  # type: ignore[no-untyped-def]
    r"""Where white space splits: `\s*[\r\n]+|\s+(?!\S)|\s+`."""
    stop, last_break, last = at, -1, at
    while stop < end:
        code, width = character(data, stop)
        if classes[code] != SPACE:
            break
        if code in (CR, LF):
            last_break = stop + 1
        last = stop
        stop += width
    if last_break >= 0:
        return last_break
    return stop if stop == end or last == at else last


@compiled_with(nogil=True)
def word_end(data, at, end, classes, max_digits):  # type: ignore[no-untyped-def]
    """Where the word that starts at `at` ends, by the alternatives of the Split regex in their order."""
    code, width = character(data, at)
    kind = classes[code]
    after = at + width
    if kind == LETTER:
        return run_end(data, after, end, classes, LETTER)
    if code == QUOTE:
        size = contraction(data, at, end)
        if size > 0:
            return at + size
    if kind == NUMBER:
        for _ in range(max_digits - 1):
            if after >= end:
                break
            code, width = character(data, after)
            if classes[code] != NUMBER:
                break
            after += width
        return after
    following = -1
    if after < end:
        code_after, width_after = character(data, after)
        following = classes[code_after]
        if following == LETTER and code != CR and code != LF:
            return run_end(data, after + width_after, end, classes, LETTER)
    if kind == OTHER or (code == BLANK and following == OTHER):
        stop = run_end(data, after, end, classes, OTHER)
        while stop < end and (data[stop] == CR or data[stop] == LF):
            stop += 1
        return stop
    return space_end(data, at, end, classes)


@compiled_with(nogil=True, inline="always")
def ascii_word_end(data, at, end):  # type: ignore[no-untyped-def]
    """Where a word of ASCII letters, with a blank before it or none, ends; -1 if it may be another kind.

    Eight bytes at a time: the high bit of each of x + 0x1F & ~(x + 0x05) tells a letter, in lower case.
    """
    stop = at + 1 if data[at] == BLANK else at
    letters: Any = 8
    while letters == 8 and stop < end:
        eight = eight_at(np.int64(data.ctypes.data) + stop)
        lower = (eight | LOWER) & ~HIGHS
        others = ~((lower + ONES * np.uint64(0x1F)) & ~(lower + ONES * np.uint64(0x05)) & ~eight) & HIGHS
        letters = trailing_zeros(others) >> 3
        stop += letters
    if stop >= end and end - at > 1:
        return end
    return stop if stop - at > 1 and stop < end and data[stop] < 0x80 else -1


@compiled_with(nogil=True)
def added_token(data, at, end, added, added_offsets):  # type: ignore[no-untyped-def]
    """Bytes of the longest added token at a position, 0 if none."""
    longest = 0
    for token in range(added_offsets.shape[0] - 1):
        first, size = added_offsets[token], added_offsets[token + 1] - added_offsets[token]
        if size <= longest or at + size > end:
            continue
        same = True
        for i in range(size):
            if data[at + i] != added[first + i]:
                same = False
                break
        if same:
            longest = size
    return longest


@compiled_with(nogil=True)
def is_sure(data, at, end, classes):  # type: ignore[no-untyped-def]
    """Whether every character of a row is one whose normalisation is known."""
    while at < end:
        if data[at] < 0x80:
            at += 1
            continue
        code, width = character(data, at)
        if classes[code] == UNSURE:
            return False
        at += width
    return True


@compiled_with(nogil=True)
def count_rows(  # type: ignore[no-untyped-def]
    data,
    offsets,
    counts,
    classes,
    max_digits,
    starts_added,
    added,
    added_offsets,
    byte_ids,
    keys,
    ranks,
    ids,
    cache,
):
    """Fill `counts` with the tokens of each row of `data`; NOT_COUNTED where a row is not for this kernel.

    `data` is longer by PADDING bytes than the last offset says.
    """
    symbols = np.empty(SCANNED_WORD, dtype=np.uint32)
    slots = np.empty(SCANNED_WORD, dtype=np.int64)
    short_words, short_counts, words = cache
    for row in range(offsets.shape[0] - 1):
        at, end = offsets[row], offsets[row + 1]
        total: Any = 0
        if not is_sure(data, at, end, classes):
            counts[row] = NOT_COUNTED
            continue
        while at < end:
            stop, size = at, 0
            while stop < end:
                if starts_added[data[stop]]:
                    size = added_token(data, stop, end, added, added_offsets)
                    if size > 0:
                        break
                stop += 1
            while at < stop:
                after = ascii_word_end(data, at, stop)
                if after < 0:
                    after = word_end(data, at, stop, classes, max_digits)
                width = after - at
                if width == 1:
                    total += 1
                elif width <= CACHED_BYTES:
                    short, place = np.uint64(0), np.uint64(0)
                    if width <= SHORT_BYTES:
                        short = load(data, at, width) | np.uint64(width) << np.uint64(56)
                        place = mix(short) >> np.uint64(64 - SHORT_BITS)
                        if short_words[place] == short:
                            total += np.int64(short_counts[place])
                            at = after
                            continue
                    low = load(data, at, width)
                    high = load(data, at + 8, width - 8) if width > 8 else np.uint64(0)
                    slot = mix(low ^ mix(high + np.uint64(width))) >> np.uint64(64 - CACHE_BITS)
                    known = words[slot, 0] == low and words[slot, 1] == high
                    if not known or words[slot, 2] >> np.uint64(32) != np.uint64(width):
                        count = merge_word(data, at, after, byte_ids, keys, ranks, ids, symbols, slots)
                        words[slot, 0], words[slot, 1] = low, high
                        words[slot, 2] = np.uint64(width) << np.uint64(32) | np.uint64(count)
                    found = np.int64(words[slot, 2] & np.uint64(0xFFFFFFFF))
                    if width <= SHORT_BYTES:
                        short_words[place], short_counts[place] = short, found
                    total += found
                elif width <= SCANNED_WORD:
                    total += merge_word(data, at, after, byte_ids, keys, ranks, ids, symbols, slots)
                else:
                    total += merge_long_word(data, at, after, byte_ids, keys, ranks, ids)
                at = after
            if size > 0:
                total += 1
                at = stop + size
        counts[row] = total
