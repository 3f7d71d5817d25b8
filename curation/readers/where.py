"""The recipe's `where`, which records are read at all, and `failed`, whose runs failed; what both may "
"ask for."""

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
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

    Text compares with numbers and booleans by their spelling, since CSV has nothing but text. A
    number must lie within `{min: …, max: …}`, of which either may be left out.
    """
    bounds = {column: value for column, value in where.items() if isinstance(value, Mapping)}
    wanted = {
        column: value if isinstance(value, list) else [value]
        for column, value in where.items()
        if column not in bounds
    }
    spelt = {column: {_spelling(value) for value in values} for column, values in wanted.items()}

    def one(column: str, value: Any) -> bool:
        if column in bounds:
            return _within(value, **bounds[column])
        if isinstance(value, str):
            return value in wanted[column] or value.strip().lower() in spelt[column]
        return any(
            value == entry and isinstance(value, bool) == isinstance(entry, bool) for entry in wanted[column]
        )

    return one


def _within(value: Any, min: float = -math.inf, max: float = math.inf) -> bool:
    """Whether a value is a number within bounds; a truth value is none."""
    try:
        return not isinstance(value, bool) and min <= float(value) <= max
    except (TypeError, ValueError):
        return False


def _spelling(value: Any) -> str | None:
    return None if value is None or isinstance(value, str) else str(value).lower()


def filtered(data: bytes, where: Mapping[str, Any], passing: Callable[[str, Any], bool]) -> Filtered | None:
    """The first column of a record that does not pass, or None if all do. Of several, the first is asked.

    Raises Unfit when the record has no such column and `where` does not ask for null, and what
    decoding JSON raises.
    """
    record = _record(data)
    for column in where:
        raw = look_up(record, column)
        if raw is None and not passing(column, None):
            raise missing(record, [column], "where: {%s: …}")
        value = None if raw is None else plain(raw)
        if not passing(column, value):
            return Filtered(column, value)
    return None


def failed(
    data: bytes, wanted: Mapping[str, Any], failing: Callable[[str, Any], bool]
) -> dict[str, Any] | None:
    """The first column of a record, and its value, that says that the run failed; None if none does."""
    record = _record(data)
    for column in wanted:
        raw = look_up(record, column)
        value = None if raw is None else plain(raw)
        if raw is not None and failing(column, value):
            return {
                "column": column,
                "value": value if isinstance(value, bool | int | float) else str(value)[:80],
            }
    return None


def absent(records: Sequence[bytes], columns: Iterable[str]) -> tuple[str, list[str]] | None:
    """The first of the columns that no record has, with the keys of the first record; None where all "
    "are."""
    decoded = [_record(data) for data in records]
    for column in columns if decoded else ():
        if all(look_up(record, column) is None for record in decoded):
            return column, list(decoded[0])
    return None


def _record(data: bytes) -> dict[str, msgspec.Raw]:
    return _SHALLOW.decode(data if data.lstrip()[:1] != b"[" else _LIST.decode(data)[0])


# Whole names, or the last part of a name: `max_reward`, `is_resolved`, but not `reward_model`.
_OUTCOME = re.compile(
    r"(?:.*_)?(?:rewards?|success|successful|resolved|solved|passed|score|status|outcome|verdict"
    r"|correct|label|rating|accepted|approved|verified)"
)
_INSIDE = 2
_SHOWN_VALUES = 5
_SHOWN_LENGTH = 80


def outcomes(objects: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """The keys under which records tell how an attempt went, as `where` names them → their values.

    Also inside objects, and the last of a list (`turn_history.rewards.-1`). Values are the first few
    different ones, in the order of the records.
    """
    found: dict[str, list[Any]] = {}
    for record in objects:
        for path, value in _told(record, "", _INSIDE):
            values = found.setdefault(path, [])
            if value not in values and len(values) < _SHOWN_VALUES:
                values.append(value)
    return found


def _told(record: Mapping[str, Any], before: str, inside: int) -> Iterator[tuple[str, Any]]:
    for key, value in record.items():
        path = f"{before}{key}"
        if isinstance(value, Mapping) and inside:
            yield from _told(value, f"{path}.", inside - 1)
        elif _OUTCOME.fullmatch(key.lower()):
            if isinstance(value, list):
                path, value = f"{path}.-1", value[-1] if value else None
            if isinstance(value, bool | int | float | str) and len(str(value)) <= _SHOWN_LENGTH:
                yield path, value
