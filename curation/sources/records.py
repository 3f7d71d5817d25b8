"""JSON files as records: the bytes of one JSON value each. Also what a record of any format is.

A record that the file itself breaks is `Bad`; one that the recipe's `where` leaves out is
`Filtered`, one that says more than its reader reads is `Refused`. For Parquet and CSV see
`curation.sources.tables`.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

import msgspec

from curation.jsontext import JSON_ERRORS, elements, values
from curation.sources import decoding
from curation.sources.decoding import BrokenFile, Stored

Format = Literal["lines", "json", "csv", "tsv", "parquet", "arrow"]
UNREADABLE = "unreadable"

# One JSON array is held in memory whole; beyond this, JSON lines are the format to use.
MAX_DOCUMENT_BYTES = 4 << 30
BATCH_BYTES = 16 << 20
_LOOKED_AT_BYTES = 1 << 20
_SUFFIX: dict[str, Format] = {
    ".jsonl": "lines",
    ".ndjson": "lines",
    ".csv": "csv",
    ".tsv": "tsv",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".arrow": "arrow",
    ".feather": "arrow",
    ".ipc": "arrow",
}
# How files begin that are known by it: Parquet, and Arrow as a file and as a stream.
_MAGIC: dict[bytes, Format] = {b"PAR1": "parquet", b"ARROW1\0\0": "arrow", b"\xff\xff\xff\xff": "arrow"}
# Keys under which a JSON object commonly keeps its records, however they look.
_WRAPPERS = ("data", "rows", "examples", "records", "items", "train")


_SEVERAL = "a JSON object with several lists of records: {}; say which to read, for example `records: {}`"
# Elements of a list that are tried before it is taken for no list of records.
_TRIED = 20


class Bad(NamedTuple):
    """A record that makes no row: why, how its text begins, the reason's name, and further evidence.

    `member`: of an archive, in which it is.
    """

    error: str
    text: str = ""
    reason: str = UNREADABLE
    detail: Mapping[str, Any] = MappingProxyType({})
    member: str | None = None


class Filtered(NamedTuple):
    """A record that `where` leaves out: the column and the value it has, and the member of an archive."""

    column: str
    value: Any
    member: str | None = None


class Refused(NamedTuple):
    """A record with a key that changes what it says and that its reader does not read.

    key: as it is told, `messages[].name` for one of turns. meaning: a sentence. value: how it begins.
    advice: what to write in the recipe. varies: whether other values of the key would do. member: as of Bad.
    """

    key: str
    meaning: str
    value: str
    advice: str = ""
    varies: bool = False
    member: str | None = None


class Noted(NamedTuple):
    """A record whose bytes were mended before it became JSON."""

    data: bytes
    repair: str


Record = bytes | Bad | Filtered | Noted
Fits = Callable[[bytes], bool]


def file_format(path: Stored) -> Format:
    """The format of a file: by its suffix, else by how its text begins."""
    name = decoding.bare_name(path)
    known = _SUFFIX.get(name[name.rfind(".") :])
    if known == "lines":
        return "json" if _opens_document(path) else "lines"
    if known:
        return known
    head = _head(path, _LOOKED_AT_BYTES)
    return _by_magic(head) or ("json" if _is_document(path, head) else "lines")


def _by_magic(head: bytes) -> Format | None:
    return next((form for magic, form in _MAGIC.items() if head.startswith(magic)), None)


def is_structured(path: Stored) -> bool:
    """Whether a file holds records, by its suffix or its first bytes, and not running text."""
    name = decoding.bare_name(path)
    return name[name.rfind(".") :] in {*_SUFFIX, ".json"} or _by_magic(decoding.opening(path)) is not None


def _head(path: Stored, size: int, *, whole_line: bool = False) -> bytes:
    """How the text of a file begins: `size` bytes, and on to the end of the line if asked."""
    head: list[bytes] = []
    length, ended = 0, False
    with suppress(BrokenFile):
        for block in decoding.utf8(decoding.blocks(path)):
            head.append(block if whole_line else block[:size])
            length, ended = length + len(block), ended or b"\n" in block.lstrip()
            if length >= size and (ended or not whole_line):
                break
    return b"".join(head)


def _opens_document(path: Stored) -> bool:
    """Whether a file named like JSON lines opens with brackets alone: it is pretty-printed."""
    first = _head(path, 4096).lstrip().partition(b"\n")[0]
    return first.replace(b" ", b"").strip() in (b"[", b"{", b"[{", b"[[")


def _is_document(path: Stored, head: bytes) -> bool:
    """Whether a file that begins so is one JSON value, or several spread over lines, and not one per line."""
    is_all = len(head) < _LOOKED_AT_BYTES
    head = head.lstrip()
    if head[:1] == b"[":
        # Lines that are arrays each (a conversation a line) have whole arrays in their first two.
        first, _, rest = head.partition(b"\n")
        return not _are_values([first, rest.lstrip().partition(b"\n")[0]])
    if head[:1] != b"{":
        return False
    if not is_all:
        head = _head(path, _LOOKED_AT_BYTES, whole_line=True).lstrip()
    first, _, rest = head.partition(b"\n")
    following = rest.lstrip()[:1]
    if _are_values([first]):
        return not following
    # A first line that is no JSON by itself: broken, or the opening of a spread-out object.
    return first.strip() == b"{" or following != b"{"


def opens_json(path: Stored) -> bool:
    """Whether a text begins as JSON records do: not every bracket that opens a text is one of JSON."""
    return re.match(rb"\s*(?:\{\s*[\"}]|\[\s*(?:[\[{\]]|\"))", _head(path, 4096)) is not None


def _are_values(lines: Sequence[bytes]) -> bool:
    try:
        for line in lines:
            msgspec.json.decode(line, type=msgspec.Raw)
    except JSON_ERRORS:
        return False
    return True


def json_lines(parts: Iterable[bytes]) -> Iterator[list[Record]]:
    """A record per line that is not blank; where the bytes break, one Bad record more."""
    try:
        for found in decoding.lines(parts):
            yield list(found)
    except BrokenFile as error:
        yield [Bad(str(error))]


def json_document(parts: Iterable[bytes], fits: Fits) -> Iterator[list[Record]]:
    """The records of one JSON value: an array's elements, an object's values, or the object itself.

    An object that `fits` the reader is one record. Otherwise it is looked into: the one list under any key
    some of whose first elements fit, else the one under a usual name (`data`, `rows`, …); or records keyed
    by index or name. Two lists that fit are one Bad record, which names them.
    """
    whole, broken = _join(parts)
    text = whole.lstrip()
    if not text:
        yield [broken] if broken else []
    elif text[:1] == b"[":
        yield from _array(text, broken)
    elif broken:
        yield [Bad(broken.error, _start(text))]
    else:
        yield from _object(text, fits)


def _join(parts: Iterable[bytes]) -> tuple[bytes, Bad | None]:
    found: list[bytes] = []
    size = 0
    try:
        for part in parts:
            size += len(part)
            if size > MAX_DOCUMENT_BYTES:
                return b"", Bad(
                    f"a JSON document of more than {MAX_DOCUMENT_BYTES >> 30} GiB; use JSON lines"
                )
            found.append(part)
    except BrokenFile as error:
        return b"".join(found), Bad(str(error))
    return b"".join(found), None


def _array(text: bytes, broken: Bad | None) -> Iterator[list[Record]]:
    try:
        for group in _batches(msgspec.json.decode(text, type=list[msgspec.Raw])):
            yield [bytes(raw) for raw in group]
    except JSON_ERRORS:
        yield from _faulty_array(text, broken)


def _faulty_array(text: bytes, broken: Bad | None) -> Iterator[list[Record]]:
    batch: list[Record] = []
    size = 0
    try:
        for element in elements(text):
            batch.append(element)
            size += len(element)
            if size > BATCH_BYTES:
                yield batch
                batch, size = [], 0
    except ValueError as error:
        reason, place = error.args
        batch.append(Bad(broken.error if broken else f"broken JSON array: {reason}", _start(text[place:])))
    yield batch


def _object(text: bytes, fits: Fits) -> Iterator[list[Record]]:
    """The records of a JSON object: itself, its only list of objects, or its values."""
    try:
        fields = msgspec.json.decode(text, type=dict[str, msgspec.Raw])
    except JSON_ERRORS:
        yield from _stream(text)
        return
    if not fits(text):
        members = [bytes(value) for value in fields.values()]
        if members and all(member[:1] == b"{" for member in members):
            yield from map(list, _batches(members))
            return
        lists = {key: bytes(value) for key, value in fields.items() if bytes(value)[:1] == b"["}
        fitting = [key for key, value in lists.items() if _holds_records(value, fits)]
        if len(fitting) > 1:
            named = " and ".join(f"`{key}`" for key in fitting)
            yield [Bad(_SEVERAL.format(named, fitting[0]), _start(text))]
            return
        chosen = fitting or [key for key in lists if key in _WRAPPERS]
        if len(chosen) == 1:
            yield from _array(lists[chosen[0]], None)
            return
    yield [text.rstrip()]


def _holds_records(array: bytes, fits: Fits) -> bool:
    """Whether some of the first elements of an array are records by themselves."""
    try:
        found = msgspec.json.decode(array, type=list[msgspec.Raw])
    except JSON_ERRORS:
        return False
    return any(bytes(raw)[:1] in (b"{", b"[") and fits(bytes(raw)) for raw in found[:_TRIED])


def _stream(text: bytes) -> Iterator[list[Record]]:
    """Objects one after the other, each over several lines, as jq prints them; or a faulty one."""
    batch: list[Record] = []
    try:
        for value in values(text):
            batch.append(value)
    except ValueError as error:
        reason, place = error.args
        batch.append(Bad(f"broken JSON: {reason}", _start(text[place:])))
    yield from map(list, _batches(batch))


def _batches(values: Sequence[Any]) -> Iterator[Sequence[Any]]:
    size = start = 0
    for place, value in enumerate(values):
        size += len(value) if isinstance(value, bytes | Bad) else len(memoryview(value))
        if size > BATCH_BYTES:
            yield values[start : place + 1]
            size, start = 0, place + 1
    if start < len(values) or not values:
        yield values[start:]


def _start(data: bytes) -> str:
    return data[:1000].decode(errors="replace")
