"""How many tokens a rendered row has: exactly, and fast enough to count every row that is written.

A byte-level BPE tokenizer with the word pattern of Qwen2 (DeepSeek-R1-Distill-Qwen among them) is counted
by a compiled kernel, about 40 times faster than `tokenizers`; any other by `tokenizers` itself. The kernel
is checked against `tokenizers` on probe texts when it is loaded. Nothing here uses the network.
"""

import re
import threading
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import orjson
import polars as pl
from numpy.typing import NDArray

from curation.errors import RecipeError
from curation.rendering.template import Template
from curation.row import decode

# The Split patterns that the kernel knows, and how many digits make a word in each.
PATTERNS = {
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|" + digits + r"| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+": count
    for digits, count in ((r"\p{N}", 1), (r"\p{N}{1,3}", 3))
}

# Characters that NFC makes longer in UTF-8: singletons and composition exclusions. All other text never grows
# under NFC, so that its bytes bound its tokens. Source: the Unicode character database, by `grows_under_nfc`.
NFC_GROWS = (
    "[\u0344\u0958-\u095f\u09dc\u09dd\u09df\u0a33\u0a36\u0a59-\u0a5b\u0a5e\u0b5c\u0b5d\u0f43\u0f4d\u0f52\u0f57"
    "\u0f5c\u0f69\u0f73\u0f75\u0f76\u0f78\u0f81\u0f93\u0f9d\u0fa2\u0fa7\u0fac\u0fb9\u2adc\ufa6c\ufacf-\ufad1\ufad5-\ufad7\ufb1d\ufb1f"
    "\ufb2a-\ufb36\ufb38-\ufb3c\ufb3e\ufb40\ufb41\ufb43\ufb44\ufb46-\ufb4e"
    "\U0001d15e-\U0001d164\U0001d1bb-\U0001d1c0]"
)

PROBES = (
    "I'll say: he'd've DON'T won'\u017ft '\u212a 'Re\n\n  two  \t tabs\r\n\r\n end  ",
    "x = {'a': [1, 22, 333, 4444.5]}  # f(x)\n\tif x!=y::\n\t\treturn x**2 \u00a0\u3000 …",
    "Größe naïve Ångström «où» Привет, мир! Καλημέρα שלום مرحبا नमस्ते สวัสดี 你好\uff0c世界。こんにちは 한국어",
    "antidisestablishmentarianism pneumonoultramicroscopicsilicovolcanoconiosis aaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "½ ² Ⅷ ٣ १२३ 👩\u200d🔬 🇬🇧 e\u0301 \u0958 \u200b \ufffd \x00\x01\x7f",
)


class Counter(Protocol):
    """Counts the tokens of rendered rows."""

    def count(self, texts: Sequence[str]) -> list[int]:
        """As many ids as `Tokenizer.encode(text, add_special_tokens=False)` gives for each text."""

    def upper_bound(self, text_bytes: int) -> int | None:
        """Tokens that a text of so many UTF-8 bytes cannot exceed (NFC_GROWS aside); null if unknown."""


class ReferenceCounter:
    """Counts by `tokenizers`: about 2 MB per CPU-second, for any tokenizer."""

    def __init__(self, path: Path) -> None:
        from tokenizers import Tokenizer

        try:
            self.tokenizer = Tokenizer.from_file(str(path))
        except Exception as error:
            raise RecipeError(f"tokenizer: {path}: {error}") from error
        self.tokenizer.no_truncation()
        self.tokenizer.no_padding()

    def count(self, texts: Sequence[str]) -> list[int]:
        """The number of ids of every text."""
        return [len(self.tokenizer.encode(text, add_special_tokens=False).ids) for text in texts]

    def upper_bound(self, text_bytes: int) -> int | None:
        """Unknown: a tokenizer of another kind may lengthen what it reads."""
        return None


class KernelCounter:
    """Counts by the compiled kernel; the few rows that are not for it, by `tokenizers`.

    Those hold characters that are newer than the standard library's Unicode. Threads may share one counter.
    """

    def __init__(self, document: dict[str, Any], max_digits: int, reference: ReferenceCounter) -> None:
        # Deferred: numba takes half a second to import, and not every command counts tokens.
        from curation.rendering import token_kernel

        self.kernel: Any = token_kernel
        self.reference = reference
        self.normalises = document["normalizer"] is not None
        self.classes = character_classes()
        self.max_digits = max_digits
        added = [token["content"].encode() for token in document["added_tokens"]]
        self.added = np.frombuffer(b"".join([*added, b"\0"]), dtype=np.uint8)
        self.added_offsets = offsets_of(added)
        self.starts_added = np.array([any(token[0] == byte for token in added) for byte in range(256)])
        longest_first = sorted(
            (token["content"] for token in document["added_tokens"]), key=len, reverse=True
        )
        self.split_added = re.compile(
            "(" + "|".join(map(re.escape, longest_first)) + ")" if added else "($^)"
        )
        self.byte_ids, self.pairs = merge_tables(document["model"], token_kernel)
        self.local = threading.local()

    def count(self, texts: Sequence[str]) -> list[int]:
        """The number of ids of every text."""
        found = self.count_normalised(texts)
        for position, text in enumerate(texts):
            if self.normalises and not text.isascii() and not unicodedata.is_normalized("NFC", text):
                found[position] = self.count_unnormalised(text)
            elif found[position] < 0:
                found[position] = self.reference.count([text])[0]
        return found

    def count_normalised(self, texts: Sequence[str]) -> list[int]:
        """Ids of texts in NFC; a negative number for those that are not for the kernel."""
        rows = [text.encode() for text in texts]
        counts = np.empty(len(rows), dtype=np.int64)
        self.kernel.count_rows(
            np.frombuffer(b"".join([*rows, bytes(self.kernel.PADDING)]), dtype=np.uint8),
            offsets_of(rows),
            counts,
            self.classes,
            self.max_digits,
            self.starts_added,
            self.added,
            self.added_offsets,
            self.byte_ids,
            *self.pairs,
            self.cache(),
        )
        found: list[int] = counts.tolist()
        return found

    def count_unnormalised(self, text: str) -> int:
        """Ids of a text that is not in NFC: what stands between added tokens is normalised by itself."""
        pieces = self.split_added.split(text)
        between = [unicodedata.normalize("NFC", piece) for piece in pieces[::2]]
        counts = self.count_normalised(between)
        if min(counts) < 0 or any(self.split_added.search(piece) for piece in between):
            return self.reference.count([text])[0]
        return sum(counts) + len(pieces[1::2])

    def upper_bound(self, text_bytes: int) -> int | None:
        """Every token holds at least one byte."""
        return text_bytes

    def cache(self) -> Any:
        """This thread's cache of words: two threads in one cache could read half an entry."""
        if not hasattr(self.local, "cache"):
            self.local.cache = self.kernel.new_cache()
        return self.local.cache


@lru_cache(maxsize=4)
def load_counter(tokenizer_dir: Path) -> Counter:
    """The counter of a tokenizer folder (tokenizer.json), loaded once per process (about 2 s).

    RecipeError if it cannot be read.
    """
    path = tokenizer_dir / "tokenizer.json"
    if not path.is_file():
        raise RecipeError(f"tokenizer: {path} is missing; a tokenizer is a folder with tokenizer.json")
    reference = ReferenceCounter(path)
    document = orjson.loads(path.read_bytes())
    max_digits = kernel_digits(document)
    if max_digits is None:
        return reference
    counter = KernelCounter(document, max_digits, reference)
    probes = [
        *PROBES,
        *(
            f"{probe}{token['content']}"
            for probe, token in zip(PROBES, document["added_tokens"], strict=False)
        ),
    ]
    return counter if counter.count(probes) == reference.count(probes) else reference


def count_rows(rows: pl.DataFrame, counter: Counter, template: Template) -> pl.Series:
    """Column `tokens` (u32) for a frame with `messages` (JSON text) and `tools`. Raises RenderError."""
    texts = [
        template.render(decode(messages), tools)
        for messages, tools in zip(rows["messages"], rows["tools"], strict=True)
    ]
    return pl.Series("tokens", counter.count(texts), dtype=pl.UInt32)


def kernel_digits(document: dict[str, Any]) -> int | None:
    """Digits that make a word if the kernel can count for this tokenizer.json, else null."""
    model = document["model"]
    plain = (
        model["type"] == "BPE"
        and not model.get("dropout")
        and not model.get("continuing_subword_prefix")
        and not model.get("end_of_word_suffix")
        and not model.get("ignore_merges")
        and not model.get("byte_fallback")
        and all(character in model["vocab"] for character in byte_alphabet())
    )
    normalizer = document.get("normalizer")
    if not plain or (normalizer is not None and normalizer.get("type") != "NFC"):
        return None
    return split_digits(document.get("pre_tokenizer")) if plain_added(document["added_tokens"]) else None


def split_digits(pre_tokenizer: dict[str, Any] | None) -> int | None:
    """Digits that make a word if the pre-tokenizer is a known Split followed by ByteLevel, else null."""
    steps = (pre_tokenizer or {}).get("pretokenizers") or []
    if [step.get("type") for step in steps] != ["Split", "ByteLevel"]:
        return None
    split, byte_level = steps
    if split["behavior"] != "Isolated" or split["invert"]:
        return None
    if byte_level.get("use_regex", True) or byte_level["add_prefix_space"]:
        return None
    return PATTERNS.get(split["pattern"].get("Regex"))


def plain_added(added: Sequence[dict[str, Any]]) -> bool:
    """Whether added tokens can be cut out in one pass, the leftmost first and of those the longest.

    Normalised and other ones are cut out in two passes; that is the same unless two tokens can overlap.
    """
    if any(
        token["single_word"] or token["lstrip"] or token["rstrip"] or not token["content"] for token in added
    ):
        return False
    if len({token["normalized"] for token in added}) < 2:
        return True
    contents = [token["content"] for token in added]
    return not any(overlap(a, b) for a in contents for b in contents if a != b)


def overlap(first: str, second: str) -> bool:
    """Whether one text holds the other or an end of `first` is a beginning of `second`."""
    return second in first or any(first.endswith(second[:size]) for size in range(1, len(second)))


def merge_tables(model: dict[str, Any], kernel: Any) -> tuple[NDArray[np.uint32], tuple[NDArray[Any], ...]]:
    """Ids of the 256 bytes, and the merges as a hash table: keys, ranks, ids."""
    vocab = model["vocab"]
    byte_ids = np.array([vocab[character] for character in byte_alphabet()], dtype=np.uint32)
    merges = [pair if isinstance(pair, list) else pair.split(" ") for pair in model["merges"]]
    left = np.array([vocab[a] for a, _ in merges], dtype=np.uint32)
    right = np.array([vocab[b] for _, b in merges], dtype=np.uint32)
    merged = np.array([vocab[a + b] for a, b in merges], dtype=np.uint32)
    size = 1 << (2 * len(merges) + 2).bit_length()
    keys = np.zeros(size, dtype=np.uint64)
    ranks = np.full(size, kernel.NO_RANK, dtype=np.uint32)
    ids = np.zeros(size, dtype=np.uint32)
    kernel.fill_pairs(left, right, merged, keys, ranks, ids)
    return byte_ids, (keys, ranks, ids)


def byte_alphabet() -> list[str]:
    """The character that stands for each byte in a byte-level vocabulary.

    Printable Latin-1 stands for itself, the others for U+0100 and on. Source: GPT-2's byte encoder.
    """
    printable = {*range(33, 127), *range(161, 173), *range(174, 256)}
    others = iter(range(256, 512))
    return [chr(byte) if byte in printable else chr(next(others)) for byte in range(256)]


@lru_cache(maxsize=1)
def character_classes() -> NDArray[np.uint8]:
    r"""The class of every code point, as \p{L}, \p{N} and \s of the tokenizer's own regex engine have it.

    Planes 4 to 16 hold no letters, numbers or spaces. Unassigned here (Unicode of the standard library)
    is UNSURE: the engine may know more.
    """
    from tokenizers import Regex
    from tokenizers.pre_tokenizers import Split

    from curation.rendering.token_kernel import LETTER, NUMBER, SPACE, UNSURE

    text = "".join(chr(code) for code in range(0x40000) if not 0xD800 <= code < 0xE000)
    codes = np.array([ord(character) for character in text])
    classes = np.zeros(0x110000, dtype=np.uint8)
    for pattern, kind in ((r"\p{L}+", LETTER), (r"\p{N}+", NUMBER), (r"\s+", SPACE)):
        found = np.ones(len(text), dtype=np.bool_)
        for _, (start, end) in Split(Regex(pattern), "removed").pre_tokenize_str(text):
            found[start:end] = False
        classes[codes[found]] = kind
    unassigned = [code for code in codes.tolist() if unicodedata.category(chr(code)) == "Cn"]
    classes[unassigned] = UNSURE
    return classes


def offsets_of(rows: Sequence[bytes]) -> NDArray[np.int64]:
    """Where each row begins in their concatenation, and where the last ends."""
    offsets = np.zeros(len(rows) + 1, dtype=np.int64)
    np.cumsum([len(row) for row in rows], out=offsets[1:])
    return offsets


def grows_under_nfc() -> str:
    """The characters of NFC_GROWS, computed."""
    return "".join(
        chr(code)
        for code in range(0x110000)
        if not 0xD800 <= code < 0xE000
        and len(unicodedata.normalize("NFC", chr(code)).encode()) > len(chr(code).encode())
    )
