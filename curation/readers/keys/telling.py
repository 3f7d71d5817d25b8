"""Whether a key that its reader does not read says anything in a row that the messages do not."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Raw

from curation.jsontext import JSON_ERRORS, plain, strings
from curation.readers.columns import look_up
from curation.readers.keys.shapes import Suspect, turns_of
from curation.recipe.keys import Kind, Telling
from curation.turns.shape import Row

_OBJECT = msgspec.json.Decoder(dict[str, Raw])
# How tables spell that there is nothing.
_EMPTY = {"", "null", "none", "nan", "n/a", "[]", "{}", "false"}
_SEVERAL_WORDS = re.compile(r"\S\s+\S")
# Chinese and Japanese put nothing between words.
_LONG = 24
_SHOWN = 200

Refusal = tuple[Suspect, str]


def refusals(suspects: Sequence[Suspect], data: bytes, row: Row) -> list[Refusal]:
    """Those keys of a record that change what its row says, with the beginning of their value."""
    record: Mapping[str, Raw] = {} if data.lstrip()[:1] == b"[" else _OBJECT.decode(data)
    found = []
    for suspect in suspects:
        for raw in _values(record, data, suspect):
            if tells(suspect.kind, raw) and not _is_said(suspect.kind, raw, row):
                found.append((suspect, beginning(raw)))
                break
    return found


def beginning(raw: Raw) -> str:
    """How a value begins; text without its quotes."""
    data = bytes(raw)[: 8 * _SHOWN]
    if data[:1] == b'"':
        try:
            text: str = msgspec.json.decode(raw, type=str)
            return text[:_SHOWN]
        except JSON_ERRORS:
            pass
    return data.decode(errors="replace")[:_SHOWN]


def _values(record: Mapping[str, Raw], data: bytes, suspect: Suspect) -> Iterator[Raw]:
    if suspect.under is None:
        yield record[suspect.key]
        return
    turns = Raw(data) if suspect.under == "" else look_up(record, suspect.under)
    for turn in turns_of(turns) if turns is not None else ():
        if suspect.key in turn:
            yield turn[suspect.key]


def tells(kind: Kind, raw: Raw) -> bool:
    """Whether a value is one of those by which a key of a kind says something."""
    value = _parsed(plain(raw))
    if isinstance(value, str) and value.strip().lower() in kind.beside:
        return False
    return _TELLING[kind.telling](value)


def _parsed(value: Any) -> Any:
    """A value, or what it spells where it is the text of a JSON list or object."""
    if isinstance(value, str) and value.lstrip()[:1] in ("[", "{"):
        try:
            return plain(Raw(value.encode()))
        except JSON_ERRORS:
            pass
    return value


def _is_something(value: Any) -> bool:
    if isinstance(value, str):
        return value.strip().lower() not in _EMPTY
    if isinstance(value, list):
        return any(map(_is_something, value))
    if isinstance(value, dict):
        return any(map(_is_something, value.values()))
    return bool(value)


def _is_words(value: Any) -> bool:
    if isinstance(value, str):
        return len(value) > _LONG or _SEVERAL_WORDS.search(value) is not None
    if isinstance(value, dict):
        return any(map(_is_words, value.values()))
    return isinstance(value, list) and any(map(_is_words, value))


def _is_objects(value: Any) -> bool:
    if isinstance(value, dict):
        return any((isinstance(v, dict | list) and _is_something(v)) or _is_words(v) for v in value.values())
    if isinstance(value, list):
        return any(
            (isinstance(v, dict) and _is_something(v)) or _is_objects(v) or _is_words(v) for v in value
        )
    return _is_words(value)


def _is_unmarked(value: Any) -> bool:
    is_one = isinstance(value, bool | int | float) and value == 1
    return not (value is None or is_one or value in ("", "1", "true", [], {}))


def _is_false(value: Any) -> bool:
    return value is False or (isinstance(value, str) and value.strip().lower() == "false")


def _is_true(value: Any) -> bool:
    return value is True or (isinstance(value, str) and value.strip().lower() == "true")


_TELLING: dict[Telling, Callable[[Any], bool]] = {
    "anything": _is_something,
    "words": _is_words,
    "false": _is_false,
    "true": _is_true,
    "unmarked": _is_unmarked,
    "objects": _is_objects,
}


def _is_said(kind: Kind, raw: Raw, row: Row) -> bool:
    """Whether nothing is lost, since the messages say it too."""
    if kind.said == "answered":
        return bool(row.messages[-1]["role"] == "assistant")
    if kind.said != "text":
        return False
    said = "\n".join(message["content"] or "" for message in row.messages)
    return all(text.strip() in said for text in strings(_parsed(plain(raw))))
