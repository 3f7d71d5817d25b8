"""ShareGPT: conversations of from and value, with function_call and observation turns."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Raw

from curation.calls.text_calls import call_turn
from curation.readers.beside import first_offered, following, system_beside
from curation.readers.columns import look_up
from curation.readers.seam import OWN, Candidate, Reader, turns_under
from curation.recipe.marks import MARKS, ROW_MARKS
from curation.recipe.readers import READERS
from curation.recipe.source import Source
from curation.turns.chat_api import (
    answer,
    ask,
    decode_turns,
    row_of_turns,
    say,
    thought_beside,
    with_thought,
)
from curation.turns.marks import Marked, is_marked, marks_of, weigh, weigh_row
from curation.turns.roles import CALLERS, role_of
from curation.turns.shape import Convert, Row, Unfit, Unsupported, missing


class _SharegptTurn(Marked, rename={"speaker": "from"}, kw_only=True):
    speaker: str
    value: str | None = None
    reasoning_content: Raw = Raw(b"")
    reasoning: Raw = Raw(b"")
    thinking: Raw = Raw(b"")
    thought: Raw = Raw(b"")


_CONVERSATION = READERS["sharegpt"].columns["conversations"]
_SHALLOW = msgspec.json.Decoder(dict[str, Raw])
_LIST = msgspec.json.Decoder(list[Raw])
_TURNS = msgspec.json.Decoder(list[_SharegptTurn])


def converter(source: Source, path: Path) -> Convert:
    """`conversations` with tools as a list or a JSON string, and an optional `system`.

    `columns` may name `conversations`, `tools` and `system`, and a turn or turns that follow: `completion`.
    """
    columns = source.columns or {}
    names, tool_keys, system_keys = (
        (columns[column],) if column in columns else keys
        for column, keys in READERS[source.reader].columns.items()
        if column != "completion"
    )

    def convert(data: bytes) -> Row:
        record = _SHALLOW.decode(data)
        raw = next((value for name in names if (value := look_up(record, name)) is not None), None)
        if raw is None:
            raise missing(record, names, "columns: {conversations: %s}")
        if "completion" in columns:
            raw = _completed(record, raw, columns["completion"])
        tools = first_offered((key, record[key]) for key in tool_keys if key in record)
        row = _row(raw, tools)
        weigh_row(row.messages, *map(record.get, ROW_MARKS))
        opening = row.messages[0]
        own = opening["content"] or "" if role_of(opening["role"].lower()) == "system" else None
        system = system_beside(((key, record[key]) for key in system_keys if key in record), own)
        if system is not None:
            row.messages.insert(0, say("system", system))
        return row

    return convert


def _completed(record: Mapping[str, Raw], raw: Raw, path: str) -> Raw:
    """The list of turns with those under a path after it, which are trained: the assistant's before them are
    context. Raises Unfit where there are none.
    """
    data = following(record, path)
    if data[:1] == b'"':
        raise missing(record, [path], "columns: {completion: %s}")
    turns: list[Raw] = _LIST.decode(raw)
    said: list[Raw] = _LIST.decode(data)
    same = len(said) > len(turns) and all(map(_same, turns, said))
    said = said[len(turns) :] if same else said
    return Raw(msgspec.json.encode([*map(_as_context, turns), *said]))


def _as_context(turn: Raw) -> Raw:
    """A turn without loss, where it is the assistant's and no mark says anything of it."""
    held: dict[str, Raw] = _SHALLOW.decode(turn)
    if not held.keys().isdisjoint(MARKS) or "from" not in held:
        return turn
    speaker = str(msgspec.json.decode(held["from"])).lower()
    if role_of(speaker) != "assistant" and speaker not in CALLERS:
        return turn
    return Raw(msgspec.json.encode({**held, "weight": Raw(b"0")}))


def _same(one: Raw, other: Raw) -> bool:
    return bool(msgspec.json.decode(one) == msgspec.json.decode(other))


def _row(raw: Raw, tools: str | None) -> Row:
    try:
        turns = _TURNS.decode(raw)
    except msgspec.ValidationError:
        return _with_roles(raw, tools)
    if not turns:
        raise Unfit("the conversation has no turns")
    notes = list[dict[str, Any]]()
    messages = [_message(turn, notes) for turn in turns]
    marks = {place: marks_of(turn) for place, turn in enumerate(turns) if is_marked(turn)}
    return Row(messages, tools, notes + weigh(messages, marks) if marks else notes)


def _with_roles(raw: Raw, tools: str | None) -> Row:
    """Sets published as ShareGPT whose turns have role and content all the same."""
    try:
        return row_of_turns(decode_turns(raw), tools)
    except msgspec.ValidationError:
        raise Unfit("expected turns of `from` and `value`") from None


def _message(turn: _SharegptTurn, notes: list[dict[str, Any]]) -> dict[str, Any]:
    speaker = turn.speaker.lower()
    thought = thought_beside(turn)
    if thought:
        notes.append({"stage": "read", "repair": "reasoning_content"})
    if speaker in CALLERS:
        content, made = call_turn(turn.value or "")
        return ask(made, with_thought(thought, content) if thought else content)
    role = role_of(speaker)
    if thought and role != "assistant":
        raise Unsupported("thinking", f"a turn of {speaker} has thoughts of its own", thought[:200])
    return (
        answer(turn.value)
        if role == "tool"
        else say(role, with_thought(thought, turn.value) if thought else turn.value)
    )


def guess_records(path: Path, objects: Sequence[Mapping[str, Any]]) -> Iterator[Candidate]:
    """Turns of from and value; of a pair, those of the chosen."""
    pair = ("chosen",) if "rejected" in objects[0] else ()
    if key := turns_under(objects, (*_CONVERSATION, *pair), "from", "value"):
        columns = {"conversations": key}
        # A pair beside the conversation that they follow, as LLaMA-Factory has it.
        if pair and key != pair[0] and isinstance(objects[0]["chosen"], dict | list):
            columns["completion"] = pair[0]
        yield Candidate(OWN, {"columns": columns})


READER = Reader(converter=converter, guess_records=guess_records)
