"""Chat messages with role and content, tool calls included: OpenAI's shape and its relatives."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec import UNSET, Raw, UnsetType

from curation.errors import SourceError
from curation.jsontext import JSON_ERRORS
from curation.readers.answers import answer_file, keyed_records
from curation.readers.beside import first_offered, following, system_beside
from curation.readers.columns import as_text, look_up
from curation.readers.messages.quick import quick
from curation.readers.seam import OWN, Candidate, Reader, is_turns, turns_under
from curation.recipe.marks import ROW_MARKS
from curation.recipe.readers import READERS
from curation.recipe.source import Source
from curation.turns.chat_api import ApiTurn, decode_turns, row_of_turns
from curation.turns.marks import is_marked, weigh_row
from curation.turns.response_items import turns_of_items
from curation.turns.roles import role_of, spellings
from curation.turns.shape import Convert, Row, Unfit, missing

_COLUMNS = READERS["messages"].columns
_TOOLS, _SYSTEM = _COLUMNS["tools"], _COLUMNS["system"]
_ABSENT = Raw(b"")


# The record that most sets have, decoded in one pass. Raw admits no union with None: an absent value is an
# empty slice.
_Usual = msgspec.defstruct(
    "_Usual",
    [
        ("messages", list[ApiTurn] | UnsetType, UNSET),
        *((name, Raw, _ABSENT) for name in (*_TOOLS, *_SYSTEM, *ROW_MARKS)),
    ],
)
_USUAL: msgspec.json.Decoder[Any] = msgspec.json.Decoder(_Usual)
_SHALLOW = msgspec.json.Decoder(dict[str, Raw])
_TEXT = msgspec.json.Decoder(str)
_NO_LOSS = Raw(b"0")
_SYSTEMS, _ASSISTANTS = spellings("system"), spellings("assistant")
# Keys of what is asked and of what follows it: TRL's, stored completions', logs' of requests.
_HALVES = (
    ("prompt", "completion"),
    ("prompt", "chosen"),
    ("messages", "chosen"),
    ("messages", "completion"),
    ("input", "output"),
    ("inputs", "outputs"),
    ("request", "response"),
)


def converter(source: Source, path: Path) -> Convert:
    """Records with a list of messages; the list is found under the usual names, or as `columns` says.

    `columns` may name `messages`, `tools` and `system`, and what follows the messages: `completion`, turns, a
    turn or the assistant's text. With `answers` it stands in the other file, in the record of equal `key`.
    """
    columns = source.columns or {}
    keys = (columns["messages"],) if "messages" in columns else READERS[source.reader].columns["messages"]
    tool_keys = (columns["tools"],) if "tools" in columns else _TOOLS
    system_keys = (columns["system"],) if "system" in columns else _SYSTEM
    completion = columns.get("completion")
    key = columns.get("key", _COLUMNS["key"][0])
    answers = answer_file(path, source)
    if answers is not None and completion is None:
        raise SourceError("`answers` needs columns: {completion: …}, what follows the messages in that file")
    partner = keyed_records(answers, key) if answers is not None else None

    def looked_for(data: bytes) -> Row:
        if data.lstrip()[:1] == b"[":
            return row_of_turns(decode_turns(data), None)
        record = _SHALLOW.decode(data)
        turns = _turns(record, keys, is_text=completion is not None)
        if completion is not None:
            other = record if partner is None else answering(partner, record, key)
            turns = completed(turns, other, completion)
        tools = first_offered((key, record[key]) for key in tool_keys if key in record)
        beside = ((key, record[key]) for key in system_keys if key in record)
        row = row_of_turns(turns, tools, system_beside(beside, _own_system(turns)))
        weigh_row(row.messages, *map(record.get, ROW_MARKS))
        return row

    def usual(data: bytes) -> Row:
        try:
            record = _USUAL.decode(data)
        except msgspec.ValidationError:
            return looked_for(data)
        turns = record.messages
        if turns is UNSET:
            return looked_for(data)
        tools = first_offered(_given(record, _TOOLS))
        row = row_of_turns(turns, tools, system_beside(_given(record, _SYSTEM), _own_system(turns)))
        if record.weight is not _ABSENT or record.mask is not _ABSENT:
            weigh_row(row.messages, record.weight, record.mask)
        return row

    return usual if keys[0] == "messages" and not {*columns} - {"messages"} else looked_for


def answering(partner: Callable[[str], bytes | None], record: Mapping[str, Raw], key: str) -> dict[str, Raw]:
    """The record of the other file with an equal key. Raises Unfit where there is none."""
    shared = as_text(look_up(record, key))
    if shared is None:
        raise missing(record, [key], "columns: {key: %s}")
    found = partner(shared)
    if found is None:
        raise Unfit(f"the other file has no record with {key} {shared}")
    return _SHALLOW.decode(found)


def completed(turns: list[ApiTurn], record: Mapping[str, Raw], path: str) -> list[ApiTurn]:
    """The turns and those that follow them, which may open with the same ones. Raises Unfit.

    What follows is what is trained, as TRL does it: the assistant's turns before it are context.
    """
    data = following(record, path)
    said = [ApiTurn(role="assistant", content=_TEXT.decode(data))] if data[:1] == b'"' else _decoded(data)
    if said[: len(turns)] == turns:
        said = said[len(turns) :]
    for turn in turns:
        if role_of(turn.role.lower()) == "assistant" and not is_marked(turn):
            turn.weight = _NO_LOSS
    return [*turns, *said]


def _given(record: Any, keys: Sequence[str]) -> list[tuple[str, Raw]]:
    return [(key, raw) for key in keys if (raw := getattr(record, key)) is not _ABSENT]


def _turns(record: dict[str, Raw], keys: Sequence[str], *, is_text: bool) -> list[ApiTurn]:
    """The first list of turns under one of the keys; a JSON string that holds one will do.

    is_text: whether any other text is what the user asks.
    """
    problem: BaseException | None = None
    for key in keys:
        found = look_up(record, key)
        if found is None:
            continue
        data = bytes(found)
        if data[:1] == b'"':
            text = _TEXT.decode(data)
            data = text.strip().encode()
            if is_text and data[:1] != b"[":
                return [ApiTurn(role="user", content=text)]
        if data[:1] != b"[":
            continue
        try:
            return _decoded(data)
        except JSON_ERRORS as error:
            problem = problem or error
    if problem is not None:
        shared = any(b'"from"' in bytes(found) for key in keys if (found := look_up(record, key)) is not None)
        raise Unfit(
            f"{problem}; turns of `from` and `value` are read by `reader: sharegpt`"
            if shared
            else str(problem)
        )
    raise missing(record, keys, "columns: {messages: %s}")


def _decoded(data: bytes) -> list[ApiTurn]:
    """Turns, or the items of OpenAI's Responses. Raises Unfit, or what decoding JSON raises."""
    try:
        return decode_turns(data)
    except msgspec.ValidationError:
        if (turns := turns_of_items(data)) is None:
            raise
        return turns


def _own_system(turns: Sequence[ApiTurn]) -> str | None:
    """The system prompt that opens the turns, None where they have none."""
    if not turns or turns[0].role not in _SYSTEMS:
        return None
    return turns[0].content if isinstance(turns[0].content, str) else ""


def turns_key(objects: Sequence[Mapping[str, Any]]) -> str | None:
    """The key under which turns of role and content, or of parts, stand; of a pair the chosen ones'."""
    pair = ("chosen",) if "rejected" in objects[0] else ()
    names = (*_COLUMNS["messages"], *pair)
    return turns_under(objects, names, "role", "content") or turns_under(objects, names, "role", "parts")


def guess_records(path: Path, objects: Sequence[Mapping[str, Any]]) -> Iterator[Candidate]:
    """Turns of role and content, or two keys with what is asked and what follows."""
    for asked, given in _HALVES:
        opening = _place(objects[0].get(asked), asked, is_turn_list)
        closing = _place(objects[0].get(given), given, is_closing)
        if opening and closing and ("rejected" in objects[0] or given != "chosen"):
            yield Candidate(OWN, {"columns": {"messages": opening, "completion": closing}})
            return
    if key := turns_key(objects):
        yield Candidate(OWN, {"columns": {"messages": key}})


def _place(value: Any, path: str, fits: Callable[[Any], bool], inside: int = 3) -> str | None:
    """The path of the first value that fits, at a path or inside it."""
    if fits(value):
        return path
    inner = (
        enumerate(value[:1]) if isinstance(value, list) else value.items() if isinstance(value, dict) else ()
    )
    found = (_place(one, f"{path}.{key}", fits, inside - 1) for key, one in inner if inside)
    return next((place for place in found if place), None)


def is_turn_list(value: Any) -> bool:
    """Whether a value is a list of turns that waits for an answer."""
    return is_turns(value, "role", "content") and isinstance(value, list) and not is_closing(value[-1])


def is_closing(value: Any) -> bool:
    """Whether a value is a turn of the assistant, turns with one, or what it says."""
    if isinstance(value, list):
        return is_turns(value, "role", "content") and any(is_closing(turn) for turn in value)
    if isinstance(value, str):
        return bool(value.strip())
    return isinstance(value, dict) and "content" in value and value.get("role") in _ASSISTANTS


READER = Reader(converter=converter, quick=quick, guess_records=guess_records)
