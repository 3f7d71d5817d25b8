"""Compiled loops of the near-duplicate search, over raw Arrow bytes.

They release the GIL and take no locks: callers give each thread its own
rows and its own scratch. Texts are addressed by pointer and length and must be valid UTF-8.

numba mixes signed and unsigned 64-bit numbers into floats. So hashes and bit sets are u64 and only
ever meet u64; addresses, counts and indices are signed.
"""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt
from numpy import uint64 as u64

from curation.compiling import compiled_with
from curation.instructions import (
    byte_at,
    eight_at,
    filled_at,
    high_bits_at,
    leading_zeros,
    put_eight,
    set_bits,
    trailing_zeros,
    word_bits_at,
)

F = TypeVar("F", bound=Callable[..., Any])
# Arrays by element type. mypy sees Any: compiled arithmetic is not numpy's.
U8: TypeAlias = npt.NDArray[Any]
U16: TypeAlias = npt.NDArray[Any]
U32: TypeAlias = npt.NDArray[Any]
U64: TypeAlias = npt.NDArray[Any]
I32: TypeAlias = npt.NDArray[Any]
I64: TypeAlias = npt.NDArray[Any]
F64: TypeAlias = npt.NDArray[Any]

WORDS_PER_SHINGLE = 5
SLOTS = 128  # of a signature; a power of two
SLOT_BITS = 7
FEW_SLOTS = 64  # filled, below which the others are filled another way
SKETCH_BITS = 2048
MANY = 0x200000  # folded code points from here on are lines of Characters.many
MOST = 0x7FFFFFFF  # a similarity of 1 as a whole number

EMPTY = np.uint32(0xFFFFFFFF)
_NONE = u64(0)
_ONE = u64(1)
_ALL = u64(0xFFFFFFFFFFFFFFFF)
_BYTE = u64(0xFF)
_ROW = u64(0xFFFFFFFF)
_TOP = u64(0x8000000000000000)
_ONES = u64(0x0101010101010101)
_HIGH = u64(0x8080808080808080)
_FOLD = u64(0x2020202020202020)
_LINES = u64(0x5F5F5F5F5F5F5F5F)
_GATHER = u64(0x0102040810204080)
# Odd constants without structure: fractional parts of square roots, as in SHA-512.
_START = u64(0x6A09E667F3BCC909)
_P1 = u64(0xBB67AE8584CAA73B)
_P2 = u64(0x3C6EF372FE94F82B)
_P3 = u64(0xA54FF53A5F1D36F1)


def compiled(function: F) -> F:
    """Compile on first use."""
    return compiled_with(nogil=True, error_model="numpy")(function)  # type: ignore[no-any-return]


@compiled
def address_of(array: Any) -> Any:
    """Where the elements of an array begin."""
    return np.int64(array.ctypes.data)


class Characters(NamedTuple):
    """Classes and case folding of code points; `minhash.characters` makes it.

    table   class in the low two bits (as in `shingles`), above them the folded code point
    many    for those that fold to several: how many, and up to three code points
    """

    table: I32
    many: I32


@compiled
def _some(address: int, count: int) -> u64:
    """Fewer than eight bytes, zeros above them."""
    found = _NONE
    for k in range(count):
        found |= byte_at(address + k) << (8 * k)
    return found


@compiled
def _mixed(state: u64, chunk: u64) -> u64:
    state = (state ^ chunk) * _P1
    return state ^ (state >> 32)


@compiled
def _ascii_word(address: int, length: int, end: int) -> u64:
    """The hash of an ASCII word: its bytes | 0x20 in chunks of eight, the last filled with zeros.

    | 0x20 folds the case of letters, leaves digits alone and turns `_` into a byte that no other
    word character has.
    """
    state = _START
    while length > 8:
        state = _mixed(state, eight_at(address) | _FOLD)
        address += 8
        length -= 8
    last = eight_at(address) if address + 8 <= end else _some(address, length)
    return _mixed(state, (last | _FOLD) & (_ALL >> (64 - 8 * length)))


@compiled
def _eight_bits(x: u64) -> u64:
    """Which of eight ASCII bytes are word characters.

    Per byte, the high bit of x + (0x80 - a) & ~(x + (0x7F - b)) says whether a <= x <= b.
    """
    lower = x | _FOLD
    word = (lower + _ONES * u64(0x1F)) & ~(lower + _ONES * u64(0x05))
    word |= (x + _ONES * u64(0x50)) & ~(x + _ONES * u64(0x46))
    word |= _HIGH - (x ^ _LINES)
    # The eight high bits become the bits of a byte.
    return (((word & _HIGH) >> 7) * _GATHER) >> 56


@compiled
def _few_word_bits(address: int, count: int) -> tuple[u64, int]:
    """`_word_bits` of a text shorter than 64 bytes, where no other byte may be read."""
    bits = _NONE
    done = 0
    while done < count:
        x = eight_at(address + done) if done + 8 <= count else _some(address + done, count - done)
        foreign = x & _HIGH
        if foreign != _NONE:
            size = trailing_zeros(foreign) >> 3
            bits |= _eight_bits(x & ((_ONE << (8 * size)) - _ONE)) << done
            return bits, done + size
        bits |= _eight_bits(x) << done
        done += 8
    return bits, count


@compiled
def _word_bits(address: int, first: int, end: int) -> tuple[u64, int]:
    """Which of the next 64 bytes are ASCII word characters, and how many bytes that speaks of.

    It stops before the first byte that is not ASCII, and at the end. `first` is where the text
    begins.
    """
    beyond = address + 64 - end
    if beyond <= 0:
        bits = word_bits_at(address)
        high = high_bits_at(address)
    elif end - first >= 64:
        # The last 64 bytes of the text, without those before the address.
        bits = word_bits_at(end - 64) >> beyond
        high = high_bits_at(end - 64) >> beyond
    else:
        return _few_word_bits(address, end - address)
    known = min(trailing_zeros(high), end - address)
    return bits & (_ALL >> (64 - known)) if known > 0 else _NONE, known


@compiled
def _code_point(address: int) -> tuple[u64, int]:
    """The code point at an address, and its length in bytes."""
    six = u64(0x3F)
    first = byte_at(address)
    if first < u64(0x80):
        return first, 1
    second = byte_at(address + 1) & six
    if first < u64(0xE0):
        return ((first & u64(0x1F)) << 6) | second, 2
    third = byte_at(address + 2) & six
    if first < u64(0xF0):
        return ((first & u64(0x0F)) << 12) | (second << 6) | third, 3
    fourth = byte_at(address + 3) & six
    return ((first & u64(0x07)) << 18) | (second << 12) | (third << 6) | fourth, 4


@compiled
def _utf8(code: u64) -> tuple[u64, int]:
    """A folded code point as `_ascii_word` sees it: its UTF-8 bytes, ASCII | 0x20; and how many."""
    six = u64(0x3F)
    tail = u64(0x80)
    if code < u64(0x80):
        return code | u64(0x20), 1
    last = tail | (code & six)
    if code < u64(0x800):
        return u64(0xC0) | (code >> 6) | (last << 8), 2
    before = tail | ((code >> 6) & six)
    if code < u64(0x10000):
        return u64(0xE0) | (code >> 12) | (before << 8) | (last << 16), 3
    second = tail | ((code >> 12) & six)
    return u64(0xF0) | (code >> 18) | (second << 8) | (before << 16) | (last << 24), 4


@compiled
def _foreign_words(address: int, end: int, characters: Characters, out: int) -> tuple[int, int]:
    """Hash words code point by code point, until a word is over and ASCII follows.

    Returns the next address in the text, and the next one in `out`.
    """
    state = _START
    chunk = _NONE
    used = 0
    is_first = True
    while address < end and (used > 0 or is_first or byte_at(address) >= u64(0x80)):
        is_first = False
        code, length = _code_point(address)
        address += length
        entry = characters.table[code] if code < u64(characters.table.shape[0]) else 0
        kind = entry & 3
        continues = kind == 1 or (kind == 2 and used > 0)
        if used > 0 and not continues:
            put_eight(out, _mixed(state, chunk))
            out += 8
            state = _START
            chunk = _NONE
            used = 0
        if continues or kind == 3:
            folded = entry >> 2
            parts = characters.many[folded - MANY, 0] if folded >= MANY else 1
            for part in range(parts):
                piece = characters.many[folded - MANY, part + 1] if folded >= MANY else folded
                encoded, size = _utf8(u64(piece))
                for k in range(size):
                    if used == 8:
                        state = _mixed(state, chunk)
                        chunk = _NONE
                        used = 0
                    chunk |= ((encoded >> (8 * k)) & _BYTE) << (8 * used)
                    used += 1
        if kind == 3:
            put_eight(out, _mixed(state, chunk))
            out += 8
            state = _START
            chunk = _NONE
            used = 0
    if used > 0:
        put_eight(out, _mixed(state, chunk))
        out += 8
    return address, out


@compiled
def _hash_words(address: int, length: int, characters: Characters, out: int) -> int:
    """Hash every word of a text, as u64 from the address `out` on; where they end.

    That needs room for length // 2 + 1 of them.
    """
    first = address
    end = address + length
    while address < end:
        bits, known = _word_bits(address, first, end)
        resume = known
        if address + known < end:
            # A word that touches the end of what is known may go on behind it.
            resume -= leading_zeros(~(bits << (64 - known))) if known > 0 else 0
            # What a shift by 64 gives depends on the processor.
            bits &= (_ONE << resume) - _ONE if resume < 64 else _ALL
        # Where words begin and end, in turn; the end of one that touches bit 63 is not there.
        edges = bits ^ (bits << 1)
        is_inner = address + known + 8 <= end
        while edges != _NONE:
            start = trailing_zeros(edges)
            edges &= edges - _ONE
            size = trailing_zeros(edges) - start
            edges &= edges - _ONE
            if is_inner and size <= 8:
                # As `_ascii_word` has it, without calling it: these are nine words of ten.
                chunk = (eight_at(address + start) | _FOLD) & (_ALL >> (64 - 8 * size))
                put_eight(out, _mixed(_START, chunk))
            else:
                put_eight(out, _ascii_word(address + start, size, end))
            out += 8
        address += resume
        if address < end and (known < 64 or resume == 0):
            address, out = _foreign_words(address, end, characters, out)
    return out


@compiled
def _hash_shingles(address: int, length: int, characters: Characters, out: int) -> int:
    """Hash every shingle of a text, repeats included, as u64 from the address `out` on; their count."""
    count = (_hash_words(address, length, characters, out) - out) >> 3
    if count == 0:
        return 0
    if count < 5:
        whole = u64(count)
        for k in range(count):
            whole = _mixed(whole * _P3, eight_at(out + 8 * k))
        put_eight(out, whole | _ONE)
        return 1
    for k in range(count - 4):
        place = out + 8 * k
        b = eight_at(place + 8)
        c = eight_at(place + 16)
        d = eight_at(place + 24)
        e = eight_at(place + 32)
        joined = eight_at(place) ^ ((b << 13) | (b >> 51)) ^ ((c << 26) | (c >> 38))
        joined = (joined ^ ((d << 39) | (d >> 25)) ^ ((e << 52) | (e >> 12))) * _P2
        # Never 0, which marks a free place in hash tables.
        put_eight(place, (joined ^ (joined >> 32)) | _ONE)
    return count - 4


class Signatures(NamedTuple):
    """What signing leaves of every row, in file order.

    counts  shingles, repeats included; 0: a row without a word
    sums    sum of the shingle hashes: with `counts`, equal for rows of the same shingles
    keys    one line per band: the row's key
    """

    counts: I32
    sums: U64
    keys: U32


@compiled
def sign(
    addresses: I64,
    lengths: I64,
    first: int,
    last: int,
    characters: Characters,
    ranks: U16,
    donors: U8,
    band_rows: int,
    scratch: U64,
    signatures: Signatures,
) -> None:
    """One-permutation MinHash with optimal densification of rows `first` to `last` - 1.

    donors: for every slot, all slots in an order of its own, itself first; it takes the value of
    the first that is filled, so that every slot is an independent draw from the set, however few
    shingles there are. ranks: the same the other way round: by donor and slot, the place of the
    donor in the slot's order << 8 | the donor.
    Source: Shrivastava, Optimal Densification for Fast and Accurate Minwise Hashing, ICML 2017.
    """
    slots = np.empty(SLOTS, np.uint32)
    dense = np.empty(SLOTS, np.uint32)
    best = np.empty(SLOTS, np.uint16)
    places = np.empty(SLOTS, np.uint8)
    for row in range(first, last):
        count = _hash_shingles(addresses[row], lengths[row], characters, address_of(scratch))
        signatures.counts[row] = count
        if count == 0:
            continue
        for slot in range(SLOTS):
            slots[slot] = EMPTY
        total = _NONE
        for k in range(count):
            value = scratch[k]
            total += value
            slot = value >> (64 - SLOT_BITS)
            slots[slot] = min(slots[slot], np.uint32(value >> 24))
        signatures.sums[row] = total
        _densify(slots, dense, best, places, ranks, donors)
        for band in range(signatures.keys.shape[0]):
            key = u64(band)
            for slot in range(band * band_rows, (band + 1) * band_rows):
                key = _mixed(key, u64(dense[slot]))
            signatures.keys[band, row] = np.uint32(key)


@compiled
def _densify(slots: U32, dense: U32, best: U16, places: U8, ranks: U16, donors: U8) -> None:
    """The value of every slot: its own, or that of the first filled one in the slot's order.

    `best` and `places` are room for one number per slot.
    """
    filled = 0
    empty = 0
    for half in range(0, SLOTS, 64):
        bits = filled_at(address_of(slots) + 4 * half)
        filled += set_bits(bits)
        bits = ~bits
        while bits != _NONE:
            places[empty] = half + trailing_zeros(bits)
            bits &= bits - _ONE
            empty += 1
    if filled >= FEW_SLOTS:
        for slot in range(SLOTS):
            dense[slot] = slots[slot]
        k = 1
        while empty > 0:
            # The next donor of every slot that is still empty, without a branch to guess.
            left = 0
            for place in range(empty):
                slot = places[place]
                value = slots[donors[slot, k]]
                dense[slot] = value
                places[left] = slot
                left += value == EMPTY
            empty = left
            k += 1
    else:
        for slot in range(SLOTS):
            best[slot] = np.uint16(0x7FFF)
        for half in range(0, SLOTS, 64):
            bits = filled_at(address_of(slots) + 4 * half)
            while bits != _NONE:
                donor = half + trailing_zeros(bits)
                bits &= bits - _ONE
                for slot in range(SLOTS):
                    best[slot] = min(best[slot], ranks[donor, slot])
        for slot in range(SLOTS):
            dense[slot] = slots[best[slot] & np.uint16(SLOTS - 1)]


@compiled
def crowded(keys: U32, rows: I64, ranks: U64, seen: U64, twice: U64, out: U64) -> int:
    """Pack key << 32 | rank of the rows whose key another row may have, into `out`; their count.

    seen, twice: bit sets of the same size, a power of two, empty. A row whose bit no other has is
    alone; of the others a few are, too.
    """
    mask = u64(64 * len(seen) - 1)
    for row in rows:
        key = u64(keys[row]) & mask
        bit = _ONE << (key & u64(63))
        word = key >> 6
        twice[word] |= seen[word] & bit
        seen[word] |= bit
    count: Any = 0
    for k in range(len(rows)):
        key = u64(keys[rows[k]])
        out[count] = (key << 32) | ranks[k]
        count += np.int64((twice[(key & mask) >> 6] >> (key & u64(63))) & _ONE)
    return int(count)


class Index(NamedTuple):
    """The rows that share a bucket with another, in survivor order, and these buckets.

    addresses, lengths, contexts   of the text of every row
    buckets    by row and band: the bucket, -1 where the row is alone
    starts     where a bucket's region of `members` begins; it has a place for every member
    members    rows: first the kept ones, then some of the dropped ones, as they are settled
    kept, dropped   how many of each
    """

    addresses: I64
    lengths: I64
    contexts: U64
    buckets: I32
    starts: I64
    members: I32
    kept: I32
    dropped: I32


class State(NamedTuple):
    """What is known of every row of the index.

    sizes         distinct shingles
    sketches      parity of the shingles in each of SKETCH_BITS parts of the hash space
    parents       tree of verified pairs; a root is its own parent, and the first row of its tree
    survivors     the kept row that the row is a duplicate of; -1: kept or not settled
    similarities  to the survivor
    """

    sizes: I32
    sketches: U64
    parents: I32
    survivors: I32
    similarities: F64


class Limits(NamedTuple):
    """The thresholds, and the bounds on the work for one row.

    threshold           similarity of a duplicate
    report_from         similarity of a pair just under it that is still reported
    report_every        one row in so many looks for such a pair
    kept_per_bucket     kept rows looked at in one bucket
    dropped_per_bucket  dropped rows that a bucket remembers
    failures            comparisons that may turn out under the threshold
    """

    threshold: float
    report_from: float
    report_every: int
    kept_per_bucket: int
    dropped_per_bucket: int
    failures: int


class Scratch(NamedTuple):
    """The memory of one thread; `minhash.scratch` makes it large enough.

    own, other   shingles of the row at hand and of a candidate
    table, marks hash table of the row's shingles, and which comparison met each
    undo         places in `table` to be emptied
    seen         row → 1 + the row that gathered it last
    candidates   top bit: kept and of the same context; then the similarity that is possible, in
                 31 bits; then 2^32 - 1 - row: the highest is the one to look at first
    counts       candidates, exact comparisons, limits that were reached
    """

    own: U64
    other: U64
    table: U64
    marks: I64
    undo: I64
    seen: I32
    candidates: U64
    counts: I64


class Pairs(NamedTuple):
    """Verified pairs of the rows of a block: `counts[row]` of them in the line of each row."""

    counts: I32
    other: I32
    similarity: F64


@compiled
def _root(parents: I32, row: int) -> int:
    while parents[row] != row:
        row = parents[row]
    return row


@compiled
def _join(parents: I32, row: int, pairs: Pairs, line: int, first: int, threshold: float) -> None:
    """Join a row with its pairs from `first` on that reach the threshold."""
    for k in range(first, pairs.counts[line]):
        if pairs.similarity[line, k] >= threshold:
            other = pairs.other[line, k]
            a = _root(parents, row)
            b = _root(parents, other)
            root = min(a, b)
            parents[a] = root
            parents[b] = root
            # The next look-up of these two is one step.
            parents[row] = root
            parents[other] = root


@compiled
def _most_alike(one: int, other: int, sizes: I32, sketches: U64) -> float:
    """An upper bound of the Jaccard of two rows.

    Parities differ only where the symmetric difference has an odd number of shingles, so that the
    differing bits never outnumber it; nor does the difference of the sizes.
    Source: Mitzenmacher, Pagh & Pham, Efficient Estimation for High Similarities using Odd
    Sketches, WWW 2014.
    """
    differing = 0
    for k in range(SKETCH_BITS // 64):
        differing += set_bits(sketches[one, k] ^ sketches[other, k])
    differing = max(differing, abs(sizes[one] - sizes[other]))
    total = sizes[one] + sizes[other]
    return float((total - differing) / (total + differing))


@compiled
def _profile(
    row: int, index: Index, state: State, least: float, characters: Characters, scratch: Scratch
) -> int:
    """Put a row's shingles into the hash table, and note size and sketch; the table's size - 1.

    The table has room for all further values that a set of similarity `least` can have.
    """
    count = _hash_shingles(index.addresses[row], index.lengths[row], characters, address_of(scratch.own))
    capacity = 64
    while capacity < 2 * int(count / least) + 16:
        capacity *= 2
    mask = u64(capacity - 1)
    own, table, sketch = scratch.own, scratch.table, state.sketches[row]
    for k in range(SKETCH_BITS // 64):
        sketch[k] = _NONE
    size = 0
    for k in range(count):
        value = own[k]
        at = (value >> 1) & mask
        held = table[at]
        while held != _NONE and held != value:
            at = (at + _ONE) & mask
            held = table[at]
        if held == _NONE:
            table[at] = value
            size += 1
            part = (value >> 1) & u64(SKETCH_BITS - 1)
            sketch[part >> 6] ^= _ONE << (part & u64(63))
    state.sizes[row] = size
    return capacity - 1


@compiled
def _similarity(
    row: int,
    other: int,
    mask: int,
    least: float,
    index: Index,
    state: State,
    characters: Characters,
    scratch: Scratch,
) -> float:
    """The Jaccard of the row in the hash table and another; 0 when it is below `least`.

    Values that are not in the table are put there to count them once, and taken out again in
    reverse order, which restores linear probing exactly.
    """
    table, marks, undo, shingles = scratch.table, scratch.marks, scratch.undo, scratch.other
    scratch.counts[1] += 1
    stamp = scratch.counts[1]
    size = state.sizes[row]
    most_extra = int(size / least) - size + 1
    count = _hash_shingles(
        index.addresses[other], index.lengths[other], characters, address_of(scratch.other)
    )
    shared = 0
    extra = 0
    k = 0
    while k < count and extra < most_extra:
        value = shingles[k]
        at = (value >> 1) & u64(mask)
        held = table[at]
        while held != _NONE and held != value:
            at = (at + _ONE) & u64(mask)
            held = table[at]
        if held == _NONE:
            table[at] = value
            marks[at] = stamp
            undo[extra] = np.int64(at)
            extra += 1
        elif marks[at] != stamp:
            marks[at] = stamp
            shared += 1
        k += 1
    for undone in range(extra):
        table[undo[undone]] = _NONE
    return 0.0 if extra == most_extra else shared / (size + extra)


@compiled
def _gather(
    row: int, low: int, least: float, index: Index, state: State, limits: Limits, scratch: Scratch
) -> int:
    """Gather the settled rows from `low` on that share a bucket with a row and may matter.

    A kept row of the same context decides about the row while that has no survivor; any other
    matters only if the two are not connected yet. Returns how many candidates there are.
    """
    # Calling with all of them for every candidate would cost more than what is done with it.
    members, seen, contexts, parents = index.members, scratch.seen, index.contexts, state.parents
    sizes, sketches = state.sizes, state.sketches
    root = _root(parents, row)
    stays = state.survivors[row] < 0
    context = contexts[row]
    found = 0
    for band in range(index.buckets.shape[1]):
        bucket = index.buckets[row, band]
        if bucket < 0:
            continue
        start = index.starts[bucket]
        kept = index.kept[bucket]
        looked = min(kept, limits.kept_per_bucket)
        scratch.counts[2] += low == 0 and looked < kept
        for k in range(looked + index.dropped[bucket]):
            # Kept rows from the latest down, then the dropped ones.
            other = members[start + (kept - 1 - k if k < looked else kept + k - looked)]
            if other < low or seen[other] == row + 1:
                continue
            seen[other] = row + 1
            decides = stays and k < looked and contexts[other] == context
            if not decides and _root(parents, other) == root:
                continue
            possible = _most_alike(row, other, sizes, sketches)
            if possible >= least:
                key = (u64(possible * MOST) << 32) | (_ROW - u64(other))
                scratch.candidates[found] = key | (_TOP if decides else _NONE)
                found += 1
    scratch.counts[0] += found
    return found


@compiled
def _verify(
    row: int,
    line: int,
    found: int,
    mask: int,
    index: Index,
    state: State,
    limits: Limits,
    characters: Characters,
    scratch: Scratch,
    pairs: Pairs,
) -> int:
    """Compare a row with its candidates in the order of their keys; note its survivor and every pair.

    Goes on until the row has a survivor and every other candidate is connected with it, or a
    limit is reached, which is counted. `mask` is the size - 1 of the hash table, 0 while that is
    empty; returns it.
    """
    root = _root(state.parents, row)
    first = pairs.counts[line]
    failures = 0
    has_reported = False
    for done in range(found):
        best = done
        for k in range(done + 1, found):
            if scratch.candidates[k] > scratch.candidates[best]:
                best = k
        chosen = scratch.candidates[best]
        scratch.candidates[best] = scratch.candidates[done]
        may_match = (chosen & ~_TOP) >> 32 >= u64(limits.threshold * MOST)
        if not may_match and has_reported:
            continue
        other: Any = np.int64(_ROW - (chosen & _ROW))
        decides = (
            state.survivors[row] < 0
            and state.survivors[other] < 0
            and index.contexts[other] == index.contexts[row]
        )
        other_root = _root(state.parents, other)
        connected = other_root == root
        for k in range(first, pairs.counts[line]):
            if pairs.similarity[line, k] >= limits.threshold:
                connected = connected or _root(state.parents, pairs.other[line, k]) == other_root
        if connected and not decides:
            continue
        if failures == limits.failures or pairs.counts[line] == pairs.other.shape[1]:
            scratch.counts[2] += may_match
            break
        if mask == 0:
            mask = _profile(row, index, state, limits.report_from, characters, scratch)
        similarity = _similarity(row, other, mask, limits.report_from, index, state, characters, scratch)
        if similarity >= limits.threshold or (similarity >= limits.report_from and not has_reported):
            pairs.other[line, pairs.counts[line]] = other
            pairs.similarity[line, pairs.counts[line]] = similarity
            pairs.counts[line] += 1
        if similarity < limits.threshold:
            failures += 1
            has_reported = has_reported or similarity >= limits.report_from
        elif decides:
            state.survivors[row] = other
            state.similarities[row] = similarity
    return mask


@compiled
def _place(row: int, index: Index, is_kept: bool, most_dropped: int) -> None:
    """Put a settled row into its buckets: behind the kept rows, or behind the dropped ones."""
    for band in range(index.buckets.shape[1]):
        bucket = index.buckets[row, band]
        if bucket < 0:
            continue
        after_kept = index.starts[bucket] + index.kept[bucket]
        after_dropped = after_kept + index.dropped[bucket]
        if is_kept:
            index.members[after_dropped] = index.members[after_kept]
            index.members[after_kept] = row
            index.kept[bucket] += 1
        elif index.dropped[bucket] < most_dropped:
            index.members[after_dropped] = row
            index.dropped[bucket] += 1


@compiled
def link(
    first: int,
    last: int,
    block: int,
    settles: bool,
    index: Index,
    state: State,
    limits: Limits,
    characters: Characters,
    scratch: Scratch,
    pairs: Pairs,
) -> None:
    """Compare or settle rows of the block that begins with row `block`.

    Comparing takes the rows that were settled before the block, and writes nothing but what is
    known of the rows themselves: any thread may do it for any rows of the block. Settling is for
    the whole block, in order, after that: it joins the pairs that were found, compares every row
    with those of the block before it, and puts it into its buckets.
    """
    if settles:
        for row in range(first, last):
            _join(state.parents, row, pairs, row - block, 0, limits.threshold)
    for row in range(first, last):
        mask = 0
        if not settles:
            mask = _profile(row, index, state, limits.report_from, characters, scratch)
        line = row - block
        before = pairs.counts[line]
        low = block if settles else 0
        least = limits.threshold if row % limits.report_every else limits.report_from
        found = _gather(row, low, least, index, state, limits, scratch)
        if found > 0:
            mask = _verify(row, line, found, mask, index, state, limits, characters, scratch, pairs)
        for k in range(mask + 1):
            scratch.table[k] = _NONE
        if settles:
            _join(state.parents, row, pairs, line, before, limits.threshold)
            _place(row, index, state.survivors[row] < 0, limits.dropped_per_bucket)
