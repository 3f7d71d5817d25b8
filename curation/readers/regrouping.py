"""Records of another size than the file's: several out of one (`records`), one out of several (`by`)."""

from bisect import bisect
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

import msgspec
from msgspec import Raw

from curation.jsontext import JSON_ERRORS, explain, mend
from curation.readers.columns import as_text, look_up
from curation.sources.records import Bad, Filtered, Noted, Record
from curation.text import UnknownEncoding
from curation.turns.shape import Unfit, missing

_SHALLOW = msgspec.json.Decoder(dict[str, Raw])
_LIST = msgspec.json.Decoder(list[Raw])
_FAULTS = (*JSON_ERRORS, Unfit, UnknownEncoding)
# `by` of a file that is one conversation.
WHOLE_FILE = "*"
_LONGEST_AROUND_BYTES = 1 << 20


class Gather(NamedTuple):
    """What records of one conversation have in common.

    path       to its key in a record, or WHOLE_FILE
    is_needed  whether a record without it is a fault; else it stands alone
    """

    path: str
    is_needed: bool = True


def unfolded(batches: Iterable[list[Record]], path: str) -> Iterator[list[Record]]:
    """The elements of the lists at a dotted path as records, with the keys that stand around the lists.

    Of equal keys the inner one counts. A record without such a list is Bad; an empty list holds none.
    """
    for batch in batches:
        found: list[Record] = []
        for record in batch:
            if isinstance(record, Bad | Filtered):
                found.append(record)
                continue
            try:
                data, repair = _readable(record)
                inner = [msgspec.json.encode(one) for one in _inside(_SHALLOW.decode(data), path)]
            except _FAULTS as error:
                found.append(Bad(explain(error), _text(record)))
                continue
            found += inner if repair is None else [Noted(one, repair) for one in inner]
        yield found


def holds(data: bytes, path: str) -> bool:
    """Whether a JSON object has a list of records at a path."""
    try:
        return bool(_inside(_SHALLOW.decode(data), path))
    except _FAULTS:
        return False


def _inside(record: Mapping[str, Raw], path: str) -> list[dict[str, Raw]]:
    head, _, rest = path.partition(".")
    value = record.get(head)
    if value is None:
        raise missing(record, [head], "records: %s")
    if bytes(value)[:1] != b"[":
        if rest and bytes(value)[:1] == b"{":
            return _inside({**_around(record, head), **_SHALLOW.decode(value)}, rest)
        raise Unfit(f"expected a list of records under {head}, found {bytes(value)[:40].decode()}")
    each = [{**_around(record, head), **_SHALLOW.decode(element)} for element in _LIST.decode(value)]
    return [inner for one in each for inner in _inside(one, rest)] if rest else each


def _around(record: Mapping[str, Raw], head: str) -> dict[str, Raw]:
    """What stands around a list; what is longer than any context is another list of records."""
    return {
        key: value
        for key, value in record.items()
        if key != head and len(memoryview(value)) <= _LONGEST_AROUND_BYTES
    }


def gathered(batches: Iterable[list[Record]], by: Gather) -> Iterator[list[Record]]:
    """The records of a file with an equal key as one record each: a JSON array, where its first stood.

    They are held in memory. Where a record between those of one conversation cannot be read, it may have
    been one of its turns: the conversation is Bad, too.
    """
    conversations: dict[str, _Conversation] = {}
    order: list[str | Bad | Filtered] = []
    broken: list[int] = []
    place = 0
    for batch in batches:
        for record in batch:
            place += 1
            found = record if isinstance(record, Bad | Filtered) else _keyed(record, by, place)
            if isinstance(found, Bad | Filtered):
                order.append(found)
                if isinstance(found, Bad):
                    broken.append(place)
                continue
            key, data, repair = found
            if key not in conversations:
                order.append(key)
            one = conversations.setdefault(key, _Conversation([], [], []))
            one.places.append(place)
            one.records.append(data)
            one.repairs.extend([repair] if repair else [])
    yield [
        one if isinstance(one, Bad | Filtered) else _whole(conversations.pop(one), broken) for one in order
    ]


class _Conversation(NamedTuple):
    places: list[int]
    records: list[bytes]
    repairs: list[str]


def _keyed(record: bytes | Noted, by: Gather, place: int) -> tuple[str, bytes, str | None] | Bad:
    try:
        data, repair = _readable(record)
        if by.path == WHOLE_FILE:
            return "", data, repair
        fields = _SHALLOW.decode(data)
        key = as_text(look_up(fields, by.path))
        if key is None and by.is_needed:
            raise missing(fields, [by.path], "by: %s")
    except _FAULTS as error:
        return Bad(explain(error), _text(record))
    # A line feed stands in no key that JSON lines hold, so these meet no other.
    return (f"\n{place}" if key is None else key), data, repair


def _whole(found: _Conversation, broken: list[int]) -> Record:
    """The records as one; Bad where one that cannot be read stands between them."""
    text = b"[" + b",".join(found.records) + b"]"
    between = bisect(broken, found.places[0])
    if between != bisect(broken, found.places[-1]):
        return Bad("a record between its turns cannot be read, and may be one of them", text[:1000].decode())
    return Noted(text, found.repairs[0]) if found.repairs else text


def _readable(record: bytes | Noted) -> tuple[bytes, str | None]:
    """A record as JSON, and its first repair."""
    data, repair = record if isinstance(record, Noted) else (record, None)
    try:
        msgspec.json.decode(data, type=Raw)
        data.decode()
    except JSON_ERRORS:
        data, repairs = mend(data)
        repair = repair or (repairs[0] if repairs else None)
    return data, repair


def _text(record: bytes | Noted) -> str:
    data = record.data if isinstance(record, Noted) else record
    return data[:1000].decode(errors="replace")
