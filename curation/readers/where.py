"""The recipe's `where`: which records of a source are read at all."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from curation.jsontext import plain
from curation.readers.columns import look_up
from curation.sources.records import Filtered
from curation.turns.shape import missing

_SHALLOW = msgspec.json.Decoder(dict[str, msgspec.Raw])
_LIST = msgspec.json.Decoder(list[msgspec.Raw])


def passes(where: Mapping[str, Any]) -> Callable[[str, Any], bool]:
    """Whether a value of a column is the one, or one of those, that `where` asks for.

    Text compares with numbers and booleans by their spelling, since CSV has nothing but text.
    """
    wanted = {column: value if isinstance(value, list) else [value] for column, value in where.items()}
    spelt = {column: {_spelling(value) for value in values} for column, values in wanted.items()}

    def one(column: str, value: Any) -> bool:
        if isinstance(value, str):
            return value in wanted[column] or value.strip().lower() in spelt[column]
        return any(
            value == entry and isinstance(value, bool) == isinstance(entry, bool) for entry in wanted[column]
        )

    return one


def _spelling(value: Any) -> str | None:
    return None if value is None or isinstance(value, str) else str(value).lower()


def filtered(data: bytes, where: Mapping[str, Any], passing: Callable[[str, Any], bool]) -> Filtered | None:
    """The first column of a record that does not pass, or None if all do. Of several, the first is asked.

    Raises Unfit when the record has no such column and `where` does not ask for null, and what
    decoding JSON raises.
    """
    record = _SHALLOW.decode(data if data.lstrip()[:1] != b"[" else _LIST.decode(data)[0])
    for column in where:
        raw = look_up(record, column)
        if raw is None and not passing(column, None):
            raise missing(record, [column], "where: {%s: …}")
        value = None if raw is None else plain(raw)
        if not passing(column, value):
            return Filtered(column, value)
    return None
