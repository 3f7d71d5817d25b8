"""Exclusion files: rows that a person marked to leave out, with a note. `aj review` writes them.

JSON lines: {"id": …, "input_id": …, "note": …, "row": "source:file:row", "by": …}. Of `id` (the row as
it is written) and `input_id` (as it was read) one is enough; `row` and `by` are for people.
"""

from collections.abc import Iterable
from pathlib import Path

import msgspec

from curation.errors import CurationError


class Exclusion(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """One marked row."""

    id: str | None = None
    input_id: str | None = None
    note: str = ""
    row: str | None = None
    by: str | None = None

    @property
    def ids(self) -> tuple[str, ...]:
        """The digests that name it."""
        return tuple(digest for digest in (self.id, self.input_id) if digest)


def read_exclusions(path: Path) -> list[Exclusion]:
    """The marks of a file. Raises CurationError, with file and line, for what is none."""
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise CurationError(f"{path}: cannot be read: {error.strerror or error}") from error
    found = []
    for number, line in enumerate(lines, 1):
        if line.strip():
            found.append(parse(line, f"{path}:{number}"))
    return found


def parse(line: bytes, where: str) -> Exclusion:
    """One line of an exclusion file."""
    wanted = 'expected {"id": "sha256:…", "note": "…"} or the same with "input_id"'
    try:
        mark = msgspec.json.decode(line, type=Exclusion)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise CurationError(f"{where}: {error}; {wanted}") from error
    if not mark.ids or not all(is_id(digest) for digest in mark.ids):
        raise CurationError(f"{where}: names no row; {wanted}")
    return mark


def is_id(text: str) -> bool:
    """Whether a text is a row's digest."""
    digits = text.removeprefix("sha256:")
    return text.startswith("sha256:") and len(digits) == 64 and not set(digits) - set("0123456789abcdef")


def to_bytes(marks: Iterable[Exclusion]) -> bytes:
    """The bytes of an exclusion file."""
    return b"".join(msgspec.json.encode(mark) + b"\n" for mark in marks)
