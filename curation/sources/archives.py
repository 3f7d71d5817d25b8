"""Tar and ZIP archives as the files in them, read as a stream in the order of their members.

Nothing is unpacked to disk, and archives within archives are not opened. What must not or cannot be
read is `Bad`, with its name. As in a folder, directories, hidden files and what describes a data set are
no data: they are passed over (`__MACOSX`, `.DS_Store`, `dataset_info.json`).
"""

import io
import re
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO, Any, Literal, cast

from curation.sources import decoding
from curation.sources.decoding import EXPANSION_FLOOR_BYTES, MAX_EXPANSION, BrokenFile, Stored
from curation.sources.hub_files import ABOUT
from curation.sources.records import Bad

_READ_BYTES = 1 << 16
# RuntimeError is what zipfile says of a compression that it does not know.
_FAULTS = (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, RuntimeError)
_NESTED = "is an archive within an archive, and one level is read; unpack the outer one"


def kind(path: Stored) -> Literal["tar", "zip"] | None:
    """Which archive a file is, by its first bytes."""
    head = decoding.opening(path)
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return "zip"
    return "tar" if head[257:262] == b"ustar" or decoding.bare_name(path).endswith(".tar") else None


class Member:
    """A file in an archive, as `curation.sources` takes a path.

    It can be opened as often as one likes, each time from its start; after `let_go` once more, and then
    nothing that was read is kept. `path` is its name in the archive.
    """

    def __init__(self, path: str, blocks: Iterator[bytes]) -> None:
        self.path = path
        self.name, self.suffix = PurePosixPath(path).name, PurePosixPath(path).suffix
        self._blocks = blocks
        self._kept = bytearray()
        self._is_kept = True

    def open(self, mode: Literal["rb"]) -> IO[bytes]:
        """Its bytes, from the start."""
        return cast(IO[bytes], _Again(self))

    def let_go(self) -> "Member":
        """The same, to be opened for the last time: only now is a break of its bytes an error."""
        self._is_kept = False
        return self

    def read(self, place: int, count: int) -> bytes:
        """At most so many bytes from a place up to which everything was read."""
        if place >= len(self._kept) and self._is_kept:
            try:
                self._kept += next(self._blocks, b"")
            except BrokenFile as error:
                self._blocks = _broken(error)
        if place < len(self._kept):
            return bytes(self._kept[place : place + count])
        if self._is_kept:
            return b""
        # The reader is beyond what was kept: from here on, block after block.
        block = next(self._blocks, b"")
        if len(block) > count:
            block, rest = block[:count], block[count:]
            self._blocks = _with(rest, self._blocks)
        return block


class _Again(io.RawIOBase):
    """What is kept of a member, then what is still to come; no buffer, which would lose what a break ends."""

    def __init__(self, member: Member) -> None:
        self._member, self._place = member, 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._member.read(self._place, len(buffer))
        buffer[: len(data)] = data
        self._place += len(data)
        return len(data)


def _broken(error: BrokenFile) -> Iterator[bytes]:
    raise error
    yield b""


def _with(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest


def members(path: Path) -> Iterator[Member | Bad]:
    """The files of an archive, in the order in which they are stored; each must be read before the next."""
    found = _zip(path) if kind(path) == "zip" else _tar(path)
    try:
        for member in found:
            yield _checked(member) if isinstance(member, Member) else member
    except BrokenFile as error:
        yield Bad(str(error))
    except _FAULTS as error:
        yield Bad(f"the archive cannot be read: {error}")


def _checked(member: Member) -> Member | Bad:
    return _bad(member.path, _NESTED) if kind(member) is not None else member


def _bad(name: str, what: str) -> Bad:
    return Bad(f"{name} {what}", member=name)


def _is_no_data(name: str) -> bool:
    parts = PurePosixPath(name).parts
    return not parts or any(p.startswith(".") or p == "__MACOSX" for p in parts) or parts[-1] in ABOUT


def _leads_out(name: str) -> bool:
    parts = name.replace("\\", "/").split("/")
    return parts[0] == "" or ".." in parts or "\0" in name or re.match("[A-Za-z]:", name) is not None


def _stored(name: str, opened: Callable[[], IO[bytes]], pipe: "_Pipe | None" = None) -> Iterator[bytes]:
    """The bytes of a member. Raises BrokenFile where they cannot be read."""
    try:
        with closing(opened()) as file:
            while block := file.read(_READ_BYTES):
                yield block
    except _FAULTS as error:
        fault: Exception = error
        if pipe is not None:
            fault, pipe.is_told = pipe.broken or error, True
        raise BrokenFile(f"{name} cannot be read: {fault}") from None


def _zip(path: Path) -> Iterator[Member | Bad]:
    left = EXPANSION_FLOOR_BYTES + MAX_EXPANSION * path.stat().st_size
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            name = info.filename
            mode = info.external_attr >> 16
            if _leads_out(name):
                yield _bad(name, "has a name that leads out of the archive")
            elif info.is_dir() or _is_no_data(name):
                continue
            elif stat.S_IFMT(mode) not in (0, stat.S_IFREG):
                yield _bad(name, "is a link or a device; pack the file itself")
            elif info.flag_bits & 1:
                yield _bad(name, "is encrypted; pack it without a password")
            elif info.file_size > min(left, max(EXPANSION_FLOOR_BYTES, MAX_EXPANSION * info.compress_size)):
                yield _bad(name, f"expands more than {MAX_EXPANSION} times: refused as a bomb")
            else:
                left -= info.file_size
                # zipfile itself reads no more than the size that was just judged.
                yield Member(name, _stored(name, partial(archive.open, info)))


class _Header(tarfile.TarInfo):
    """A tar header whose faults are told; `tarfile` takes a damaged one for the end."""

    @classmethod
    def fromtarfile(cls, archive: tarfile.TarFile) -> "_Header":
        try:
            return super().fromtarfile(archive)
        except tarfile.EOFHeaderError:  # type: ignore[attr-defined]
            raise
        except tarfile.EmptyHeaderError:  # type: ignore[attr-defined]
            raise BrokenFile("the archive ends without its end mark: it may be cut off") from None
        except tarfile.HeaderError as error:
            raise BrokenFile(f"the archive is damaged: {error}") from None


class _Pipe:
    """Blocks as a file that is read once. Where they break off it ends, so that what came before is had."""

    def __init__(self, blocks: Iterator[bytes]) -> None:
        self._blocks, self._rest = blocks, memoryview(b"")
        self.broken: Exception | None = None
        self.is_told = False

    def read(self, count: int) -> bytes:
        """At most so many bytes; none at the end."""
        while not len(self._rest):
            try:
                self._rest = memoryview(next(self._blocks))
            except StopIteration:
                return b""
            except BrokenFile as error:
                self.broken, self._blocks = error, iter(())
        found, self._rest = self._rest[:count], self._rest[count:]
        return bytes(found)


def _tar(path: Path) -> Iterator[Member | Bad]:
    pipe = _Pipe(decoding.blocks(path))
    try:
        yield from _tar_members(pipe)
    except (BrokenFile, *_FAULTS) as error:
        if not pipe.is_told:
            yield Bad(str(pipe.broken or error))


def _tar_members(pipe: _Pipe) -> Iterator[Member | Bad]:
    with tarfile.open(fileobj=cast(IO[bytes], pipe), mode="r|", tarinfo=_Header) as archive:
        for info in archive:
            name = info.name.encode(errors="surrogateescape").decode(errors="replace")
            if _leads_out(name):
                yield _bad(name, "has a name that leads out of the archive")
            elif info.isdir() or _is_no_data(name):
                continue
            elif not info.isreg() or info.issparse():
                yield _bad(name, "is a link or a device; pack the file itself")
            else:
                opened = cast(Callable[[], IO[bytes]], partial(archive.extractfile, info))
                yield Member(name, _stored(name, opened, pipe))
            # The list of what was read, which nobody asks for.
            archive.members = []  # type: ignore[attr-defined]
    if any(block.strip(b"\0") for block in iter(lambda: pipe.read(_READ_BYTES), b"")):
        yield Bad("more data follows the end of the archive; pack it anew")
