"""The cheap look at a text: which scripts its letters are from, and how many common words it holds.

Compiled by numba, over a buffer of UTF-8 texts; about 2 µs for a thousand bytes. It decides nothing by
itself: tiers.py holds its counts against bounds.
"""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from curation.compiling import compiled_with

# What is counted per text; the scripts come first. HAN to MYANMAR are scripts that tell a language.
COUNTED = (
    "ascii", "latin", "cyrillic", "arabic", "devanagari", "other",
    "han", "kana", "hangul", "thai", "greek", "hebrew", "bengali", "gurmukhi", "gujarati", "tamil", "telugu",
    "kannada", "malayalam", "sinhala", "georgian", "armenian", "ethiopic", "khmer", "lao", "myanmar",
    "symbols", "words", "english", "shared", "foreign",
)  # fmt: skip
SCRIPTS = COUNTED.index("symbols")
SYMBOLS, WORDS, ENGLISH, SHARED, FOREIGN = (COUNTED.index(n) for n in COUNTED[SCRIPTS:])

# First code point, last code point, script. Source: the block names of the Unicode standard.
BLOCKS = (
    (0x41, 0x5A, "ascii"), (0x61, 0x7A, "ascii"), (0xAA, 0xAA, "latin"), (0xBA, 0xBA, "latin"),
    (0xC0, 0xD6, "latin"), (0xD8, 0xF6, "latin"), (0xF8, 0x2AF, "latin"), (0x300, 0x36F, "latin"),
    (0x370, 0x3FF, "greek"), (0x400, 0x52F, "cyrillic"), (0x530, 0x58F, "armenian"), (0x590, 0x5FF, "hebrew"),
    (0x600, 0x6FF, "arabic"), (0x750, 0x77F, "arabic"), (0x780, 0x7BF, "other"), (0x8A0, 0x8FF, "arabic"),
    (0x900, 0x97F, "devanagari"), (0x980, 0x9FF, "bengali"), (0xA00, 0xA7F, "gurmukhi"),
    (0xA80, 0xAFF, "gujarati"), (0xB00, 0xB7F, "other"), (0xB80, 0xBFF, "tamil"), (0xC00, 0xC7F, "telugu"),
    (0xC80, 0xCFF, "kannada"), (0xD00, 0xD7F, "malayalam"), (0xD80, 0xDFF, "sinhala"), (0xE00, 0xE7F, "thai"),
    (0xE80, 0xEFF, "lao"), (0xF00, 0xFFF, "other"), (0x1000, 0x109F, "myanmar"), (0x10A0, 0x10FF, "georgian"),
    (0x1100, 0x11FF, "hangul"), (0x1200, 0x139F, "ethiopic"), (0x13A0, 0x177F, "other"),
    (0x1780, 0x17FF, "khmer"), (0x1800, 0x1C8F, "other"), (0x1C90, 0x1CBF, "georgian"),
    (0x1E00, 0x1EFF, "latin"), (0x1F00, 0x1FFF, "greek"), (0x2E80, 0x2FDF, "han"), (0x3005, 0x3007, "han"),
    (0x3041, 0x30FA, "kana"), (0x30FC, 0x30FF, "kana"), (0x3100, 0x312F, "han"), (0x3130, 0x318F, "hangul"),
    (0x3400, 0x4DBF, "han"), (0x4E00, 0x9FFF, "han"), (0xA000, 0xABFF, "other"), (0xAC00, 0xD7FF, "hangul"),
    (0xF900, 0xFAFF, "han"), (0xFB1D, 0xFB4F, "hebrew"), (0xFB50, 0xFDFF, "arabic"),
    (0xFE70, 0xFEFC, "arabic"), (0xFF66, 0xFF9D, "kana"), (0x10000, 0x16FFF, "other"),
    (0x20000, 0x323AF, "han"),
)  # fmt: skip
NO_SCRIPT = 255

# Words that English texts are full of and other languages are not; words that it shares with some; and
# the commonest words of other languages in Latin script that are no English words. Eight bytes at most.
ENGLISH_WORDS = """
    the and that with this have your from which they their what how been would should could there these
    when where you not were she his our about into than them some each only other its who does please it's
    don't between because while through using those being many both such then very make made write
    following able above across again against along although always among another anything aren't asked
    away became become before began behind below better called came can't couldn't did didn't doesn't
    doing done during eight either enough ensure every everyone farmers felt few find found four get
    getting gives goes going growing grow hands he's helps here's hers him himself however i'll i'm i've
    improve isn't itself keep kept know large learn leaves little look looking means might move much needs
    neither never none nothing numbers often oh okay onto others provide rather reading really right says
    season seeds seen shall shown since soil someone something sorry still sure tell thank that's they're
    thing things think three today told try turn twice until upon usually wants wasn't we're well what's
    whether whom whose why within without won't words working worse yes yield you'll you're yourself
"""
SHARED_WORDS = """
    of to is in a i it be as at on or for by are was we he do an if can has but no so me my will all one any
    more her us may must new first use used have give
"""
FOREIGN_WORDS = """
    und der das ist nicht ein eine einen mit auf für dem sich auch wie ich sie wir werden oder zu von zum bei
    het een van voor niet zijn met ook maar dat deze wordt naar op aan te en ik je hij
    le les des et est une pour dans que qui pas sur avec vous nous du au ce cette il sont la un ou
    el los las por con para como del su es más pero y se lo al este esta
    che di per non sono della gli nel alla anche più questo è dei delle
    não uma os dos ao mais em da na isso você um às também foi
    och att det som är på av för inte till jag ett kan har från
    og er ikke af til jeg på vi kan fra ved være skal blir
    nie się jest że jak jego ale czy dla tego przez
    și este nu care din pentru sau ai fi mai pe
    az és hogy nem egy van ez csak mint
    ve bir bu için ile çok olarak daha
    yang dan untuk dengan adalah ini itu dari tidak pada akan
    ja ei että se oli kun myös ovat mutta
    je že jsou nebo ale jako při který
    ang ng mga sa ay hindi na ito kung
    dhe një për nuk më të që
    kaj estas la de ne
    và của là không được các một
    ir yra kad su iš ne ar
    un ir ka par ar no kas
    on ei ja et see kui ning
    na ya wa kwa ni katika za
    agus bhí ar leis seo tá na sé
    yn mae ar ac wedi
    ke oleh saya
"""


@lru_cache(maxsize=1)
def script_table() -> NDArray[np.uint8]:
    """The script of every code point as an index into COUNTED, NO_SCRIPT if it is no letter of any."""
    table = np.full(0x110000, NO_SCRIPT, dtype=np.uint8)
    for first, last, script in BLOCKS:
        table[first : last + 1] = COUNTED.index(script)
    return table


@lru_cache(maxsize=1)
def word_table() -> tuple[NDArray[np.uint64], NDArray[np.uint8]]:
    """The common words as a sorted array of packed bytes, and what each counts as."""
    kinds: dict[int, int] = {}
    for words, kind in ((FOREIGN_WORDS, FOREIGN), (SHARED_WORDS, SHARED), (ENGLISH_WORDS, ENGLISH)):
        kinds.update({pack(word): kind for word in words.split() if len(word.encode()) <= 8})
    packed = np.array(sorted(kinds), dtype=np.uint64)
    size = 1 << 13
    keys, values = np.zeros(size, dtype=np.uint64), np.zeros(size, dtype=np.uint8)
    fill_words(packed, np.array([kinds[int(key)] for key in packed], dtype=np.uint8), keys, values)
    return keys, values


def pack(word: str) -> int:
    """Up to eight bytes of a word as one number."""
    return int.from_bytes(word.encode(), "little")


def count_features(texts: Sequence[str]) -> NDArray[np.int32]:
    """One line of COUNTED per text."""
    rows = [text.encode() for text in texts]
    offsets = np.zeros(len(rows) + 1, dtype=np.int64)
    np.cumsum([len(row) for row in rows], out=offsets[1:])
    counts = np.zeros((len(rows), len(COUNTED)), dtype=np.int32)
    data = np.frombuffer(b"".join([*rows, b" "]), dtype=np.uint8)
    count_texts(data, offsets, script_table(), *word_table(), counts)
    return counts


@compiled_with(inline="always")
def slot_of(word, size):  # type: ignore[no-untyped-def]
    """Where a packed word belongs in a table of `size` (a power of two)."""
    return np.int64((word * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(40)) & (size - 1)


@compiled_with()
def fill_words(words, kinds, keys, values):  # type: ignore[no-untyped-def]
    """Put packed words into an open-addressing table."""
    for i in range(words.shape[0]):
        slot = slot_of(words[i], keys.shape[0])
        while keys[slot] != 0:
            slot = (slot + 1) & (keys.shape[0] - 1)
        keys[slot], values[slot] = words[i], kinds[i]


@compiled_with(nogil=True)
def count_texts(data, offsets, scripts, keys, values, counts):  # type: ignore[no-untyped-def]
    """Fill `counts`, one line per text. A word is a run of letters and apostrophes."""
    for row in range(offsets.shape[0] - 1):
        at, end, size = offsets[row], offsets[row + 1], 0
        word = np.uint64(0)
        while at <= end:
            byte = data[at] if at < end else np.uint8(32)
            code, width = np.int64(byte), 1
            if byte >= 0x80:
                width = 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
                code = code & (0x3F >> (width - 1))
                for i in range(1, width):
                    code = (code << 6) | (np.int64(data[at + i]) & 0x3F)
            script = scripts[code]
            if script != NO_SCRIPT or (byte == 39 and size > 0):
                if script != NO_SCRIPT:
                    counts[row, script] += 1
                for i in range(width):
                    if size < 8:
                        lower = data[at + i] | 0x20 if 65 <= data[at + i] <= 90 else data[at + i]
                        word |= np.uint64(lower) << np.uint64(8 * size)
                    size += 1
            else:
                if size > 0:
                    counts[row, WORDS] += 1
                    if size <= 8:
                        slot = slot_of(word, keys.shape[0])
                        while keys[slot] != 0:
                            if keys[slot] == word:
                                counts[row, values[slot]] += 1
                                break
                            slot = (slot + 1) & (keys.shape[0] - 1)
                    size, word = 0, np.uint64(0)
                # Digits and what stands in code rather than in sentences.
                if 33 < byte < 127 and byte != 44 and byte != 46 and byte != 33 and byte != 63 and byte != 39:
                    counts[row, SYMBOLS] += 1
            at += width
