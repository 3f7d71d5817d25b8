"""A look at a file: its first records, or that it is text, and which readers may fit, the best first."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec

from curation.jsontext import JSON_ERRORS, from_python, mend, plain
from curation.readers.conversion import converter, fits
from curation.readers.reading import chunks, records_of
from curation.readers.regrouping import unfolded
from curation.readers.seam import Candidate, is_turns, reader_of
from curation.recipe.readers import READERS
from curation.recipe.source import Source
from curation.sources.records import Bad, Filtered, Noted, Record, file_format
from curation.text import UnknownEncoding

LOOKED_AT = 20
# What a file of unknown records is opened with; what it makes of them does not count.
_ANY = next(iter(READERS))
# Names of lists whose elements stand for themselves, and are no turns of one conversation.
_COLLECTIONS = frozenset(
    (
        *("data", "rows", "examples", "records", "items", "entries", "samples", "pairs", "paragraphs"),
        *("faq", "faqs", "qas", "questions"),
    )
)


@dataclass(frozen=True)
class Look:
    """The first records of a file as they stand, those of them that are objects, and what broke.

    A record that is a list of turns is looked at as one of `messages`.
    """

    records: tuple[bytes, ...]
    objects: tuple[Mapping[str, Any], ...]
    lists: bool = False
    broken: str = ""


def look(path: Path) -> Look:
    """The first records of a file. Raises SourceError for a file that cannot be opened as records."""
    looked = list(islice(_records(path), LOOKED_AT))
    found = [record.data if isinstance(record, Noted) else record for record in looked]
    records = [record for record in found if isinstance(record, bytes)]
    values = [value for data in records if (value := _value(data)) is not None]
    objects = [value for value in values if isinstance(value, dict)]
    turns = [{"messages": value} for value in values if is_turns(value)]
    bad = next((record.error for record in found if isinstance(record, Bad)), "")
    if len(turns) > len(objects):
        return Look(tuple(records), tuple(turns), True, bad)
    return Look(tuple(records), tuple(objects), False, bad)


def collections(looked: Look) -> Iterator[tuple[str, Look]]:
    """The lists of records inside a file's first records: key, or dotted path, and what is in them.

    Of a file that is one object any list counts; of others those whose key says that it holds records.
    """
    alone = len(looked.objects) == 1
    for key in dict.fromkeys(key for record in looked.objects for key in record):
        if not (alone or key.lower() in _COLLECTIONS) or not is_turns(looked.objects[0].get(key)):
            continue
        inner = _inside(looked, key)
        if not inner.objects:
            continue
        yield key, inner
        for deeper in dict.fromkeys(key for record in inner.objects for key in record):
            if deeper.lower() in _COLLECTIONS and is_turns(inner.objects[0].get(deeper)):
                yield f"{key}.{deeper}", _inside(looked, f"{key}.{deeper}")


def _inside(looked: Look, path: str) -> Look:
    records = [one for batch in unfolded([list(looked.records)], path) for one in batch]
    found = [record.data if isinstance(record, Noted) else record for record in records[:LOOKED_AT]]
    kept = [record for record in found if isinstance(record, bytes)]
    objects = [value for data in kept if isinstance(value := _value(data), dict)]
    return Look(tuple(kept), tuple(objects))


def headless(path: Path, objects: Sequence[Mapping[str, Any]]) -> str | None:
    """How the first line of a table reads that has data where the names of its columns should be."""
    if file_format(path) not in ("csv", "tsv") or not objects:
        return None
    names = list(objects[0])
    data = [name for name in names if name.strip().isdigit() or name.rstrip().endswith(("?", ".", "!"))]
    named = [name for name in data if not name.strip().lower().endswith(("no.", "nr."))]
    return ", ".join(names)[:60] if named else None


def candidates(path: Path, looked: Look) -> list[tuple[str, Candidate]]:
    """Readers worth trying on a file's records, the most telling first."""
    found = _ranked((name, reader_of(name).guess_records(path, looked.objects)) for name in READERS)
    # A list has no key that a column could name.
    return (
        [(name, one._replace(settings={})) for name, one in found if one.settings] if looked.lists else found
    )


def text_candidates(path: Path) -> list[tuple[str, Candidate]]:
    """Readers worth trying on a plain text, the most telling first."""
    return _ranked((name, reader_of(name).guess_text(path)) for name in READERS)


def source_of(reader: str, settings: Mapping[str, Any]) -> Source:
    """A source with a reader and its settings, wherever it lies."""
    return msgspec.convert({"uri": ".", "reader": reader, "group": "any", **settings}, Source)


def _records(path: Path) -> Iterator[Record]:
    source = source_of(_ANY, {})
    first = chunks(path, source)[0]
    for batch in records_of(first, source, partial(_is_record, path)):
        yield from (record for record in batch if not isinstance(record, Filtered))


def _is_record(path: Path, data: bytes) -> bool:
    """Whether some reader makes a row of a JSON value as it stands."""
    value = _value(data)
    if not isinstance(value, dict):
        return False
    proposed = candidates(path, Look((data,), (value,)))
    made = (
        fits(converter(source_of(name, one.settings), path), data) for name, one in proposed if not one.asks
    )
    return any(made)


def _value(data: bytes) -> Any:
    """A record as Python objects: mended, and with lists that Python spelt, where need be; None if broken."""
    for read in (bytes, lambda broken: mend(broken)[0]):
        with suppress(*JSON_ERRORS, UnknownEncoding):
            text = read(data)
            value = plain(msgspec.Raw(text))
            return _without_python(value, text) if isinstance(value, dict) else value
    return None


def _without_python(record: dict[str, Any], data: bytes) -> dict[str, Any]:
    """A record whose texts of Python lists are lists; texts of JSON ones stay, as most readers take them."""
    with suppress(ValueError):
        spelt = plain(msgspec.Raw(from_python(data) or b"{}"))
        changed = {
            key: value
            for key, value in spelt.items()
            if isinstance(record[key], str) and value != record[key]
        }
        return record | {key: value for key, value in changed.items() if not _is_json(record[key])}
    return record


def _is_json(text: str) -> bool:
    try:
        msgspec.json.decode(text, type=msgspec.Raw)
    except JSON_ERRORS:
        return False
    return True


def _ranked(found: Iterable[tuple[str, Iterable[Candidate]]]) -> list[tuple[str, Candidate]]:
    """What readers propose, the most telling first; alike ones in the table's order."""
    flat = [(name, one) for name, proposed in found for one in proposed]
    return sorted(flat, key=lambda entry: entry[1].telling)
