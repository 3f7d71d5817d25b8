"""Compiled loops of the contamination search: word n-grams of texts as hashes, over raw Arrow bytes.

Words are hashed as in curation/stages/near_duplicates/kernels.py, whose rules for numbers and memory
hold here too. A text is read as border, words, border: n-grams that hold a border lie at one of its ends.
"""

from numpy import uint64 as u64

from curation.stages.near_duplicates.kernels import (
    I64,
    U8,
    U64,
    Characters,
    _hash_words,
    address_of,
    compiled,
)

MAYBE_BITS = 22

_BORDER = u64(0xD1B54A32D192ED03)
_BASE = u64(0x9E3779B97F4A7C15)  # 2^64 / golden ratio, odd
_SHIFT = u64(64 - MAYBE_BITS)
_HALF = u64(32)
_ONE = u64(1)


@compiled
def _bordered(address: int, length: int, characters: Characters, scratch: U64) -> int:
    """Hashes of border, words, border in `scratch`; their count."""
    words: int = address_of(scratch) + 8
    count = (_hash_words(address, length, characters, words) - words) >> 3
    scratch[0] = _BORDER
    scratch[count + 1] = _BORDER
    return count + 2


@compiled
def _power(exponent: int) -> u64:
    power = _ONE
    for _ in range(exponent):
        power *= _BASE
    return power


@compiled
def _mixed(value: u64) -> u64:
    """Polynomials spread badly over the high bits, which the small table is read by."""
    value = (value ^ (value >> _HALF)) * _BASE
    return value ^ (value >> _HALF)


@compiled
def _roll(scratch: U64, count: int, gram: int, out: U64) -> int:
    """Hashes of all runs of `gram` of the words in `scratch`, in order; their count."""
    leading = _power(gram - 1)
    value = u64(0)
    for k in range(count):
        if k >= gram:
            value -= scratch[k - gram] * leading
        value = value * _BASE + scratch[k]
        if k >= gram - 1:
            out[k - gram + 1] = _mixed(value)
    return max(0, count - gram + 1)


@compiled
def hash_texts(
    addresses: I64,
    lengths: I64,
    grams: I64,
    starts: I64,
    characters: Characters,
    scratch: U64,
    out: U64,
    counts: I64,
) -> None:
    """Hashes of every text's n-grams, each with its own n, in order, borders included.

    They and their `counts` are written from each text's own start in `out`. That and `scratch` need
    room for length // 2 + 3.
    """
    for text in range(len(addresses)):
        words = _bordered(addresses[text], lengths[text], characters, scratch)
        counts[text] = _roll(scratch, words, grams[text], out[starts[text] :])


@compiled
def find_grams(
    addresses: I64,
    lengths: I64,
    first: int,
    grams: I64,
    maybe: U8,
    characters: Characters,
    scratch: U64,
    out: U64,
    texts: I64,
    found: U64,
) -> tuple[int, int]:
    """n-grams of any of the lengths `grams` whose hash the small table `maybe` may know.

    Writes the text's number and the hash of every one, from text `first` on. Returns how many, and
    the text that no longer fitted: the number of texts when all did.
    """
    count = 0
    for text in range(first, len(addresses)):
        before = count
        words = _bordered(addresses[text], lengths[text], characters, scratch)
        for gram in grams:
            hashed = _roll(scratch, words, gram, out)
            for k in range(hashed):
                if maybe[out[k] >> _SHIFT] != 0:
                    if count == len(found):
                        return before, text
                    texts[count] = text
                    found[count] = out[k]
                    count += 1
    return count, len(addresses)
