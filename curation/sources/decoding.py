"""Bytes of a file as UTF-8: decompressed, transcoded, and cut into lines.

Compression is known by the name or the first bytes, encoding by a byte order mark, by the recipe,
or, line by line, by what the bytes can be.
"""

import bz2
import codecs
import lzma
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import IO, Literal, Protocol

import zstandard

from curation.text import to_text

BLOCK_BYTES = 8 << 20
# A compressed file may grow this often beyond the floor; text of real corpora stays below 30.
MAX_EXPANSION = 250
EXPANSION_FLOOR_BYTES = 64 << 20
# A zstd block of four bytes can stand for 128 KiB: small bites keep one step under 128 MiB.
_BITE_BYTES = 4096

# What a stream may ask for to be decompressed; `xz -9` asks for 65 MiB.
_XZ_MEMORY_BYTES = 512 << 20

Compression = Literal["gzip", "zstd", "xz", "bzip2"]

# How they begin; text may begin with bzip2's first three letters.
MAGIC: dict[Compression, tuple[bytes, ...]] = {
    "gzip": (b"\x1f\x8b",),
    "zstd": (b"\x28\xb5\x2f\xfd",),
    "xz": (b"\xfd7zXZ\x00",),
    "bzip2": tuple(
        b"BZh%d%s" % (level, mark) for level in range(1, 10) for mark in (b"1AY&SY", b"\x17rE8P\x90")
    ),
}
SUFFIX: dict[str, Compression] = {".gz": "gzip", ".zst": "zstd", ".xz": "xz", ".bz2": "bzip2"}
# A tar archive in one word.
_OF_TAR: dict[str, Compression] = {".tgz": "gzip", ".tzst": "zstd", ".txz": "xz", ".tbz2": "bzip2"}
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


class BrokenFile(Exception):
    """The bytes break off or make no sense from here on; what came before stands."""


class Stored(Protocol):
    """What can be read: a file by its path, or a member of an archive."""

    @property
    def name(self) -> str: ...

    @property
    def suffix(self) -> str: ...

    def open(self, mode: Literal["rb"]) -> IO[bytes]: ...


def compression(path: Stored, head: bytes | None = None) -> Compression | None:
    """How a file is compressed: by its suffix, else by its first bytes, which may be known already."""
    if known := SUFFIX.get(path.suffix.lower()) or _OF_TAR.get(path.suffix.lower()):
        return known
    head = first_bytes(path, 10) if head is None else head
    return next((kind for kind, magic in MAGIC.items() if head.startswith(magic)), None)


def bare_name(path: Stored) -> str:
    """The file's name in lower case without its compression: `train.jsonl.zst` is `train.jsonl`."""
    name, suffix = path.name.lower(), path.suffix.lower()
    if suffix in SUFFIX:
        return name.rpartition(".")[0]
    return f"{name.rpartition('.')[0]}.tar" if suffix in _OF_TAR else name


def first_bytes(path: Stored, count: int) -> bytes:
    """The first bytes of a file as they are stored."""
    with path.open("rb") as file:
        return file.read(count)


def opening(path: Stored, count: int = 512) -> bytes:
    """How a file begins, decompressed: at most so many bytes, fewer where it breaks off."""
    head = first_bytes(path, count)
    if compression(path, head) is None:
        return head
    with suppress(BrokenFile):
        for block in blocks(path):
            return block[:count]
    return b""


def blocks(path: Stored, start: int = 0, end: int | None = None) -> Iterator[bytes]:
    """The bytes of a file, decompressed, in blocks; `start` and `end` only for a plain file.

    Raises BrokenFile where an archive is truncated or corrupt, or expands like a bomb.
    """
    kind = compression(path)
    if kind is None:
        yield from _plain(path, start, end)
        return
    expanded = 0
    for stored, block in _DECOMPRESSED[kind](path):
        expanded += len(block)
        if expanded > max(EXPANSION_FLOOR_BYTES, MAX_EXPANSION * stored):
            raise BrokenFile(f"{kind} data expands more than {MAX_EXPANSION} times: refused as a bomb")
        if block:
            yield block


def _plain(path: Stored, start: int, end: int | None) -> Iterator[bytes]:
    left = (end - start) if end is not None else None
    with path.open("rb") as file:
        if start:
            file.seek(start)
        while block := file.read(BLOCK_BYTES if left is None else min(BLOCK_BYTES, left)):
            left = None if left is None else left - len(block)
            yield block


def _gzip(path: Stored) -> Iterator[tuple[int, bytes]]:
    """(bytes read so far, block) of every member of a gzip file; zero padding between is skipped."""
    stored, members, data = 0, 0, b""
    member, started = zlib.decompressobj(31), False
    with path.open("rb") as file:
        while True:
            if not data:
                if not (data := file.read(1 << 16)):
                    break
                stored += len(data)
            if members and not started and not (data := data.lstrip(b"\0")):
                continue
            started, before = True, member.copy()
            try:
                block = member.decompress(data, BLOCK_BYTES)
            except zlib.error as error:
                yield stored, _until_error(before, data)
                raise BrokenFile(f"corrupt gzip data: {error}") from None
            yield stored, block
            data = member.unconsumed_tail
            if member.eof:
                data, member, started = member.unused_data, zlib.decompressobj(31), False
                members += 1
    if started or not members:
        raise BrokenFile("gzip data ends too early")


def _until_error(member: "zlib._Decompress", data: bytes) -> bytes:
    """What can still be decompressed before the corrupt place."""
    found = []
    with suppress(zlib.error):
        for place in range(len(data)):
            found.append(member.decompress(data[place : place + 1]))
    return b"".join(found)


def _zstd(path: Stored) -> Iterator[tuple[int, bytes]]:
    """(bytes read so far, block) of every frame of a zstd file."""
    with path.open("rb") as file:
        stored, frame, started = 0, zstandard.ZstdDecompressor().decompressobj(), False
        waiting: list[bytes] = []
        size = 0
        while data := file.read(_BITE_BYTES):
            stored += len(data)
            while data:
                started = True
                try:
                    waiting.append(frame.decompress(data))
                except zstandard.ZstdError as error:
                    yield stored, b"".join(waiting)
                    raise BrokenFile(f"corrupt zstd data: {str(error).removeprefix('zstd ')}") from None
                size += len(waiting[-1])
                data = b""
                if frame.eof:
                    data, started = frame.unused_data, False
                    frame = zstandard.ZstdDecompressor().decompressobj()
            if size >= BLOCK_BYTES:
                yield stored, b"".join(waiting)
                waiting, size = [], 0
        yield stored, b"".join(waiting)
        if started or stored == 0:
            raise BrokenFile("zstd data ends too early")


def _xz(path: Stored) -> Iterator[tuple[int, bytes]]:
    return _streams(path, "xz", lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, _XZ_MEMORY_BYTES))


def _bzip2(path: Stored) -> Iterator[tuple[int, bytes]]:
    return _streams(path, "bzip2", bz2.BZ2Decompressor)


def _streams(
    path: Stored, kind: str, make: Callable[[], lzma.LZMADecompressor | bz2.BZ2Decompressor]
) -> Iterator[tuple[int, bytes]]:
    """(bytes read so far, block) of every stream of a file; zero padding between is skipped."""
    stored, data, stream, started, streams = 0, b"", make(), False, 0
    with path.open("rb") as file:
        while True:
            if not data and (stream.needs_input or not started):
                if not (data := file.read(1 << 16)):
                    break
                stored += len(data)
            if streams and not started and not (data := data.lstrip(b"\0")):
                continue
            started = True
            try:
                block = stream.decompress(data, BLOCK_BYTES)
            except (lzma.LZMAError, OSError, ValueError) as error:
                raise BrokenFile(f"corrupt {kind} data: {error}") from None
            yield stored, block
            data = b""
            if stream.eof:
                data, stream, started, streams = stream.unused_data, make(), False, streams + 1
    if started or not streams:
        raise BrokenFile(f"{kind} data ends too early")


_DECOMPRESSED: dict[Compression, Callable[[Stored], Iterator[tuple[int, bytes]]]] = {
    "gzip": _gzip,
    "zstd": _zstd,
    "xz": _xz,
    "bzip2": _bzip2,
}


def marked_encoding(head: bytes) -> str | None:
    """The encoding that a byte order mark declares."""
    return next((name for mark, name in _MARKS if head.startswith(mark)), None)


def utf8(parts: Iterable[bytes], encoding: str | None = None) -> Iterator[bytes]:
    """The parts as UTF-8 without a byte order mark.

    A mark of UTF-16 or UTF-32, or `encoding`, is transcoded, with U+FFFD for what is no character;
    anything else passes as it is, for `to_text` to judge line by line.
    """
    parts = iter(parts)
    head = next(parts, b"")
    while len(head) < 4 and (more := next(parts, b"")):
        head += more
    name = marked_encoding(head) or encoding
    if name is None or codecs.lookup(name).name == "utf-8":
        yield head.removeprefix(codecs.BOM_UTF8)
        yield from parts
        return
    decoder = codecs.getincrementaldecoder(name)(errors="replace")
    yield decoder.decode(head).encode()
    for part in parts:
        yield decoder.decode(part).encode()
    yield decoder.decode(b"", final=True).encode()


def lines(parts: Iterable[bytes]) -> Iterator[list[bytes]]:
    """Lines that are not blank, without their end, in a list per block."""
    carry: list[bytes] = []
    for part in parts:
        if b"\n" not in part:
            carry.append(part)
            continue
        found = part.split(b"\n")
        found[0] = b"".join((*carry, found[0]))
        carry = [found.pop()]
        yield [line for line in found if line and not line.isspace()]
    last = b"".join(carry)
    if last and not last.isspace():
        yield [last]


def whole_text(path: Stored, encoding: str | None) -> tuple[str, str | None, BrokenFile | None]:
    """The text of a file, how it was mended (see `to_text`), and where it breaks, why; then it is what
    came before. Raises UnknownEncoding."""
    parts: list[bytes] = []
    broken = None
    try:
        for part in utf8(blocks(path), encoding):
            parts.append(part)
    except BrokenFile as error:
        broken = error
    return *to_text(b"".join(parts)), broken
