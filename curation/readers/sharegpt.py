"""ShareGPT: conversations of from and value, with function_call and observation turns."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Raw

from curation.calls.text_calls import call_turn
from curation.readers.columns import look_up
from curation.readers.seam import OWN, Candidate, Reader, is_turns
from curation.recipe.marks import ROW_MARKS
from curation.recipe.readers import READERS
from curation.recipe.source import Source
from curation.turns.chat_api import answer, ask, decode_turns, offered, row_of_turns, say
from curation.turns.marks import Marked, is_marked, marks_of, weigh, weigh_row
from curation.turns.roles import CALLERS, role_of
from curation.turns.shape import Convert, Row, Unfit, missing


class _SharegptTurn(Marked, rename={"speaker": "from"}, kw_only=True):
    speaker: str
    value: str | None = None
    tool_calls: Raw = Raw(b"null")
    function_call: Raw = Raw(b"null")


_CONVERSATION = READERS["sharegpt"].columns["conversations"]
_SHALLOW = msgspec.json.Decoder(dict[str, Raw])
_LIST = msgspec.json.Decoder(list[Raw])
_TURNS = msgspec.json.Decoder(list[_SharegptTurn])


def converter(source: Source, path: Path) -> Convert:
    """`conversations` with tools as a list or a JSON string, and an optional `system`.

    `columns` may name `conversations`, `tools` and `system`, and a turn or turns that follow: `completion`.
    """
    columns = source.columns or {}
    names = (columns["conversations"],) if "conversations" in columns else _CONVERSATION

    def convert(data: bytes) -> Row:
        record = _SHALLOW.decode(data)
        raw = next((value for name in names if (value := look_up(record, name)) is not None), None)
        if raw is None:
            raise missing(record, names, "columns: {conversations: %s}")
        if "completion" in columns:
            raw = _completed(record, raw, columns["completion"])
        try:
            turns = _TURNS.decode(raw)
        except msgspec.ValidationError:
            row = _with_roles(record, raw, columns.get("tools", "tools"))
            weigh_row(row.messages, *map(record.get, ROW_MARKS))
            return row
        if not turns:
            raise Unfit("the conversation has no turns")
        tools = offered(record.get(columns.get("tools", "tools")))
        messages = [_message(turn) for turn in turns]
        notes = weigh(messages, {n: marks_of(turn) for n, turn in enumerate(turns) if is_marked(turn)})
        weigh_row(messages, *map(record.get, ROW_MARKS))
        system = record.get(columns.get("system", "system"))
        if system is not None and bytes(system)[:1] == b'"' and messages[0]["role"] != "system":
            text = msgspec.json.decode(system, type=str)
            messages = ([say("system", text)] if text else []) + messages
        return Row(messages, tools, notes)

    return convert


def _completed(record: Mapping[str, Raw], raw: Raw, path: str) -> Raw:
    """The list of turns with those under a path after it. Raises Unfit where there are none."""
    value = look_up(record, path)
    data = b"null" if value is None else bytes(value)
    if data[:1] not in (b"{", b"["):
        raise missing(record, [path], "columns: {completion: %s}")
    turns: list[Raw] = _LIST.decode(raw)
    following: list[Raw] = _LIST.decode(data if data[:1] == b"[" else b"[" + data + b"]")
    same = len(following) > len(turns) and all(map(_same, turns, following))
    return Raw(msgspec.json.encode(following if same else [*turns, *following]))


def _same(one: Raw, other: Raw) -> bool:
    return bool(msgspec.json.decode(one) == msgspec.json.decode(other))


def _with_roles(record: Mapping[str, Raw], raw: Raw, tools: str) -> Row:
    """Sets published as ShareGPT whose turns have role and content all the same."""
    try:
        return row_of_turns(decode_turns(raw), offered(record.get(tools)))
    except msgspec.ValidationError:
        raise Unfit("expected turns of `from` and `value`") from None


def _message(turn: _SharegptTurn) -> dict[str, Any]:
    speaker = turn.speaker.lower()
    for raw in (turn.tool_calls, turn.function_call):
        if bytes(raw) not in (b"null", b"[]"):
            raise Unfit("calls in their own key beside `value`; a call is a turn of `from: function_call`")
    if speaker in CALLERS:
        content, made = call_turn(turn.value or "")
        return ask(made, content)
    role = role_of(speaker)
    return answer(turn.value) if role == "tool" else say(role, turn.value)


def guess_records(path: Path, objects: Sequence[Mapping[str, Any]]) -> Iterator[Candidate]:
    """Turns of from and value."""
    if any(is_turns(objects[0].get(key), "from", "value") for key in _CONVERSATION):
        yield Candidate(OWN)


READER = Reader(converter=converter, guess_records=guess_records)
