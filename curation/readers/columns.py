"""Text columns of a record, found under the names that published sets give them."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Raw

from curation.jsontext import plain
from curation.recipe.readers import READERS
from curation.recipe.source import Source
from curation.turns.shape import Unfit, Unsupported, missing


class SeveralTexts(Unfit):
    """A list of texts that differ, where one is wanted; the message is how it begins."""


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
        self._latest: list[tuple[str, str]] = []
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
        found: dict[str, str | None] = {}
        for column, key in self._places(record):
            raw = record.get(key)
            try:
                found[column] = _AS.get(column, as_text)(raw if raw is not None else look_up(record, key))
            except SeveralTexts as several:
                meaning = "several texts stand there, and a row has room for one"
                raise Unsupported(key, meaning, str(several)) from None
        for column in self._required:
            if found.get(column) is None:
                raise self._lacking(record, column, column in found)
        return found

    def _texts(self, record: dict[str, str | None]) -> dict[str, str | None]:
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
            places = found_under(self._wanted, self._overrides, keys)
            if len(self._known) < _MOST_SHAPES:
                self._known[keys] = places
        self._latest = places
        return places

    def key(self, column: str) -> str:
        """Where the last record had a column that it has."""
        return dict(self._latest)[column]

    def _lacking(self, record: Mapping[str, Any], column: str, is_null: bool) -> Unfit:
        named = self._overrides.get(column)
        if is_null and (named is None or named in record):
            return Unfit(f"{column} is null")
        return missing(record, [named] if named else self._wanted[column], f"columns: {{{column}: %s}}")


def found_under(
    wanted: Mapping[str, Sequence[str]],
    overrides: Mapping[str, str],
    keys: Sequence[str],
    *,
    loose: bool = True,
) -> list[tuple[str, str]]:
    """(column, key or path) of the columns that a record with these keys has.

    wanted     column → the names that it goes by, best first; no key is taken twice
    overrides  column → the name that the recipe gives
    loose      whether another case of a name, and the last part of `QUESTION.question`, are it too
    """
    short = {key: key for key in keys}
    for key in keys if loose else ():
        short.setdefault(key.strip().lower(), key)
    for key in keys if loose else ():
        short.setdefault(key.strip().lower().rpartition(".")[2], key)
    places = []
    taken = set(overrides.values())
    for column, names in wanted.items():
        if column in overrides:
            places.append((column, overrides[column]))
            continue
        free = (short[name] for name in names if name in short and short[name] not in taken)
        if (found := next(free, None)) is not None:
            places.append((column, found))
            taken.add(found)
    return places


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
    """A JSON value as text: strings as they are, numbers as they are spelt, the only text of a list.

    Raises SeveralTexts for a list of texts that differ, Unfit for objects.
    """
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
        texts = [entry for entry in value if entry is not None]
        if all(isinstance(entry, str) for entry in texts):
            texts = list(dict.fromkeys(texts))
            if len(texts) > 1:
                raise SeveralTexts(msgspec.json.encode(texts).decode()[:200])
        value = texts[0] if len(texts) == 1 else None if not texts else value
    if isinstance(value, str) or value is None:
        return value
    raise Unfit(f"expected text, found {data[:40].decode(errors='replace')}")


def as_passages(raw: Raw | None) -> str | None:
    """A text, or a list of texts as paragraphs."""
    try:
        return as_text(raw)
    except SeveralTexts:
        value = plain(raw or Raw(b"null"))
        texts = value["text"] if isinstance(value, dict) else value
        return "\n\n".join(text for text in texts if text)


# Columns that are no plain text.
_AS: Mapping[str, Callable[[Raw | None], str | None]] = {
    "tools": as_json,
    "history": as_json,
    "context": as_passages,
}
