"""The keys and values of a GGUF file, without its tensors.

In one pass over the mapped file: `gguf.GGUFReader` makes arrays of every string and takes many seconds over a
real vocabulary. Source: ggml, docs/gguf.md.
"""

import mmap
import struct
from pathlib import Path
from typing import Any

from curation.errors import CurationError, Refusal

# Types of values, with how `struct` writes them; the other two are texts and arrays.
SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
TEXT, ARRAY = 8, 9
VERSIONS = (2, 3)


class Cursor:
    """A place in a file, and what is read there."""

    def __init__(self, data: mmap.mmap) -> None:
        self.data, self.place = data, 0

    def numbers(self, codes: str) -> tuple[Any, ...]:
        """Little-endian numbers, as `struct` writes their types."""
        found = struct.unpack_from(f"<{codes}", self.data, self.place)
        self.place += struct.calcsize(f"<{codes}")
        return found

    def text(self) -> str:
        """A length and as many bytes of UTF-8."""
        (length,) = self.numbers("Q")
        begun, self.place = self.place, self.place + length
        return self.data[begun : self.place].decode()

    def value(self, kind: int) -> Any:
        """A value of a type."""
        if kind == TEXT:
            return self.text()
        if kind == ARRAY:
            inner, length = self.numbers("IQ")
            if inner in SCALARS:
                return list(self.numbers(f"{length}{SCALARS[inner]}"))
            return [self.value(inner) for _ in range(length)]
        return self.numbers(SCALARS[kind])[0]


def read_metadata(path: Path) -> dict[str, Any]:
    """All keys of a GGUF file and their values. Refusal when it is none, or cut off."""
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            at = Cursor(data)
            magic, version, _tensors, keys = at.numbers("4sI2Q")
            if magic != b"GGUF" or version not in VERSIONS:
                raise Refusal(f"{path}: no GGUF file of version {VERSIONS[0]} or {VERSIONS[1]}")
            return {at.text(): at.value(at.numbers("I")[0]) for _ in range(keys)}
    except OSError as error:
        raise CurationError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (struct.error, ValueError, KeyError, OverflowError, MemoryError) as error:
        raise Refusal(f"{path}: its metadata cannot be read: {error}") from error
