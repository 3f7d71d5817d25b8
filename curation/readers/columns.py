"""Text columns of a record, found under the names that published sets give them."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Raw

from curation.jsontext import plain
from curation.recipe.readers import READERS
from curation.recipe.source import Source
from curation.turns.shape import Unfit, missing, refuse

_SHALLOW = msgspec.json.Decoder(dict[str, Raw])
_TEXT = msgspec.json.Decoder(str)
_TEXTS = msgspec.json.Decoder(dict[str, str | None])
# Records of one set mostly have the same keys; a set with endless key sets must not fill memory.
_MOST_SHAPES = 1000


class Columns:
    """Decodes the columns that a source's reader declares as text.

    A declared name also matches another case of it, and the last part of `QUESTION.question`; what the
    source's `columns` name is an exact name or a dotted path (`evaluation.example`, `choices.0.text`).
    required: columns a record must have; Unfit names what was found instead.
    """

    def __init__(self, source: Source, *, required: Sequence[str]) -> None:
        self._wanted = READERS[source.reader].columns
        self._overrides = dict(source.columns or {})
        self._required = required
        self._reader = source.reader
        self._known: dict[tuple[str, ...], list[tuple[str, str]]] = {}
        # Whether all columns of this set are text so far: then one pass decodes them.
        self._all_text = not any("." in path for path in self._overrides.values())

    def __call__(self, data: bytes) -> dict[str, str | None]:
        """Column → text; absent columns are left out. Raises Unfit, or what decoding JSON raises."""
        if self._all_text:
            try:
                return self._texts(_TEXTS.decode(data))
            except msgspec.ValidationError:
                self._all_text = False
        record = _SHALLOW.decode(data)
        refuse(record, self._reader)
        found: dict[str, str | None] = {}
        for column, key in self._places(record):
            raw = record.get(key)
            convert = as_json if column == "tools" else as_text
            found[column] = convert(raw if raw is not None else look_up(record, key))
        for column in self._required:
            if found.get(column) is None:
                raise self._lacking(record, column, column in found)
        return found

    def _texts(self, record: dict[str, str | None]) -> dict[str, str | None]:
        refuse(record, self._reader)
        found = {column: record.get(key) for column, key in self._places(record)}
        for column in self._required:
            if found.get(column) is None:
                raise self._lacking(record, column, column in found)
        return found

    def _places(self, record: Mapping[str, Any]) -> list[tuple[str, str]]:
        """(column, key or path) of the columns that a record with these keys has."""
        keys = tuple(record)
        places = self._known.get(keys)
        if places is None:
            places = self._matched(keys)
            if len(self._known) < _MOST_SHAPES:
                self._known[keys] = places
        return places

    def _matched(self, keys: Sequence[str]) -> list[tuple[str, str]]:
        short = {key: key for key in keys}
        for key in keys:
            short.setdefault(key.strip().lower(), key)
        for key in keys:
            short.setdefault(key.strip().lower().rpartition(".")[2], key)
        places = []
        taken = set(self._overrides.values())
        for column, names in self._wanted.items():
            if column in self._overrides:
                places.append((column, self._overrides[column]))
                continue
            free = (short[name] for name in names if name in short and short[name] not in taken)
            if (found := next(free, None)) is not None:
                places.append((column, found))
                taken.add(found)
        return places

    def _lacking(self, record: Mapping[str, Any], column: str, is_null: bool) -> Unfit:
        named = self._overrides.get(column)
        if is_null and (named is None or named in record):
            return Unfit(f"{column} is null")
        return missing(record, [named] if named else self._wanted[column], f"columns: {{{column}: %s}}")


def look_up(record: Mapping[str, Raw], path: str) -> Raw | None:
    """The value at a key, or at a dotted path whose parts are keys and list indices, -1 for the last."""
    if path in record:
        return record[path]
    head, _, rest = path.partition(".")
    if not rest or head not in record:
        return None
    data = bytes(record[head])
    if data[:1] == b"{":
        return look_up(_SHALLOW.decode(data), rest)
    if data[:1] == b"[":
        values = msgspec.json.decode(data, type=list[Raw])
        places = {str(place): value for place, value in enumerate(values)}
        return look_up(places | ({"-1": values[-1]} if values else {}), rest)
    return None


def as_json(raw: Raw | None) -> str | None:
    """A JSON value as its text; one that stands in a string as what it spells."""
    data = b"" if raw is None else bytes(raw)
    return _TEXT.decode(data) if data[:1] == b'"' else data.decode()


def as_text(raw: Raw | None) -> str | None:
    """A JSON value as text: strings as they are, numbers as they are spelt, a list's first text."""
    data = b"" if raw is None else bytes(raw)
    if data[:1] == b'"':
        return _TEXT.decode(data)
    if data in (b"", b"null"):
        return None
    if data[:1] not in (b"[", b"{"):
        return data.decode()
    value: Any = plain(msgspec.Raw(data))
    # SQuAD keeps its answers as {"text": [...], "answer_start": [...]}.
    if isinstance(value, dict) and "text" in value:
        value = value["text"]
    if isinstance(value, list):
        value = next((entry for entry in value if isinstance(entry, str)), None)
    if isinstance(value, str) or value is None:
        return value
    raise Unfit(f"expected text, found {data[:40].decode(errors='replace')}")
