"""`reader: map`: any other JSON shape, described in the recipe (see `curation.recipe.source.Mapping`)."""

import re
from collections.abc import Callable, Iterable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Raw

from curation.errors import SourceError
from curation.readers.answers import answer_file, keyed_records
from curation.readers.columns import as_text, look_up
from curation.readers.guessing.turn_names import ANYONE, guess_records
from curation.readers.regrouping import Gather
from curation.readers.seam import Reader
from curation.recipe.marks import MARKS
from curation.recipe.source import Mapping as Map
from curation.recipe.source import Source
from curation.turns.chat_api import offered, say
from curation.turns.marks import Marks, weigh
from curation.turns.shape import Convert, Row, Unfit, missing

_SHALLOW = msgspec.json.Decoder(dict[str, Raw])
_LIST = msgspec.json.Decoder(list[Raw])
_TEXTS = msgspec.json.Decoder(str | list[str | None] | None)
# Messages, and notes on them.
Said = tuple[list[dict[str, Any]], list[dict[str, Any]]]
# The record of the other file (`answers`) with the same join key.
Partner = Callable[[str], bytes | None]


def converter(source: Source, path: Path) -> Convert:
    """`mapped` with the other half that the source's `answers` names."""
    answers, join = answer_file(path, source), source.map.join if source.map else None
    return mapped(source, keyed_records(answers, join) if answers and join else None)


def mapped(source: Source, partner: Partner | None = None) -> Convert:
    """Turns of a record as the recipe's `map` finds them; neighbours of one role are one turn.

    With `by` a record is a JSON array of those that `curation.readers.gathering` brought together.
    """
    layout = source.map
    if layout is None:
        raise SourceError(
            "reader map needs `map`: where the turns are, and who speaks (see curation/recipe/source.py)"
        )
    if sum(place is not None for place in (layout.turns, layout.text, layout.by)) != 1:
        raise SourceError("map: exactly one of `turns`, `text` and `by` says where the conversation is")
    sections = _sections(layout) if layout.text is not None else None

    def convert(data: bytes) -> Row:
        turns = _LIST.decode(data) if layout.by else []
        record = _SHALLOW.decode(turns[0] if turns else data)
        notes: list[dict[str, Any]] = []
        if sections:
            said = _split(_needed(record, str(layout.text)), *sections)
        elif layout.by:
            said, notes = _spoken(_in_order(turns, layout), layout)
        else:
            said, notes = _said(record, layout, partner)
        messages = _joined(said, "\n" if layout.join_with is None else layout.join_with)
        if not messages:
            raise Unfit("no turns")
        if layout.system and (text := as_text(look_up(record, layout.system))):
            messages.insert(0, say("system", text))
        return Row(messages, offered(look_up(record, layout.tools)) if layout.tools else None, notes)

    return convert


def _needed(record: Mapping[str, Raw], path: str) -> Raw:
    value = look_up(record, path)
    if value is None:
        raise missing(record, [path], "%s")
    return value


def _said(record: Mapping[str, Raw], layout: Map, partner: Partner | None) -> Said:
    """The turns of a record that holds a list of them."""
    turns = _LIST.decode(_needed(record, str(layout.turns)))
    if layout.each:
        return _exchanged(turns, layout)
    speakers = _LIST.decode(_needed(record, layout.speakers)) if layout.speakers else None
    if speakers is not None and len(speakers) != len(turns):
        raise Unfit(f"{len(turns)} turns but {len(speakers)} speakers")
    said, notes = _spoken(turns, layout, speakers)
    return (_interleaved(_prompts(record, layout, partner), said) if layout.prompts else said), notes


def _exchanged(turns: list[Raw], layout: Map) -> Said:
    """The turns of exchanges, objects or lists whose places are their keys; absent ones are not said."""
    said: list[dict[str, Any]] = []
    marks: dict[int, Marks] = {}
    for turn in turns:
        if bytes(turn)[:1] == b"[":
            held = {str(place): value for place, value in enumerate(_LIST.decode(turn))}
            if more := [place for place in held if place not in layout.each]:
                raise Unfit(f"an exchange of {len(held)} parts; map.each has none for part {more[0]}")
        else:
            held = _SHALLOW.decode(turn)
        if not any(key in held for key in layout.each):
            raise missing(held, list(layout.each), "each: {%s: …}")
        for key, role in layout.each.items():
            if (text := _text(look_up(held, key), layout)) and role != "skip":
                if role == "assistant":
                    marks[len(said)] = _marks(held, layout.each)
                said.append(say(role, text))
    return said, weigh(said, marks)


def _marks(turn: Mapping[str, Raw], described: Iterable[str | None]) -> list[tuple[str, Raw]]:
    """The marks of a turn, but for keys that the map describes as something else."""
    return [(key, value) for key, value in turn.items() if key in MARKS and key not in described]


def _in_order(turns: list[Raw], layout: Map) -> list[Raw]:
    """Records by the number under `order`; equal ones as they stand."""
    if layout.order is None:
        return turns
    places = []
    for turn in turns:
        text = as_text(_needed(_SHALLOW.decode(turn), layout.order))
        try:
            places.append(float(text or ""))
        except ValueError:
            raise Unfit(f"expected a number under {layout.order}, found {text!r}") from None
    return [turns[place] for place in sorted(range(len(turns)), key=places.__getitem__)]


def _spoken(turns: list[Raw], layout: Map, speakers: list[Raw] | None = None) -> Said:
    """A message for every turn, and notes; `skip` leaves a speaker out."""
    said: list[dict[str, Any]] = []
    marks: dict[int, Marks] = {}
    left_out: list[Marks] = []
    for place, raw in enumerate(turns):
        if bytes(raw)[:1] == b'"':
            turn: dict[str, Raw] = {layout.content: raw}
        else:
            turn = _SHALLOW.decode(raw)
        named = speakers[place] if speakers else look_up(turn, layout.role) if layout.role else None
        speaker = _text(named, layout)
        role = _role(speaker if layout.role or speakers else ANYONE, layout)
        if role == "skip":
            left_out.append(_marks(turn, (layout.content, layout.role)))
            continue
        content = _text(look_up(turn, layout.content), layout)
        if content is None:
            raise missing(turn, [layout.content], "content: %s")
        if not turn.keys().isdisjoint(MARKS):
            marks[len(said)] = _marks(turn, (layout.content, layout.role))
        is_named = layout.names and speaker and role == "user"
        said.append(say(role, f"{speaker}: {content}" if is_named else content))
    return said, weigh(said, marks, left_out)


def _text(raw: Raw | None, layout: Map) -> str | None:
    """A string, a number as it is spelt, or a list of strings (sentences, speakers) joined by a space."""
    if raw is None:
        return None
    if bytes(raw)[:1] not in (b'"', b"[", b"n"):
        return as_text(raw)
    value = _TEXTS.decode(raw)
    return " ".join(text for text in value if text) if isinstance(value, list) else value


def _role(speaker: str | None, layout: Map) -> str:
    role = layout.roles.get(speaker or "", layout.roles.get(ANYONE))
    if role is None:
        known = ", ".join(layout.roles)
        raise Unfit(f"speaker {speaker!r} has no role; map.roles has: {known}")
    return role


def _sections(layout: Map) -> tuple[re.Pattern[str], dict[str, str]]:
    """A pattern that finds the markers, and the role of each.

    A marker that opens with a letter (`user:`) counts only at the start of a line.
    """
    if not layout.roles:
        raise SourceError("map: `text` needs `roles`, from each marker in the text to its role")
    marks = sorted(layout.roles, key=len, reverse=True)
    any_of = "|".join(rf"^{re.escape(m)}" if m[:1].isalnum() else re.escape(m) for m in marks)
    return re.compile(f"({any_of})", re.MULTILINE), dict(layout.roles)


def _split(raw: Raw, pattern: re.Pattern[str], roles: Mapping[str, str]) -> list[dict[str, Any]]:
    text = as_text(raw)
    parts = pattern.split(text or "")
    if len(parts) < 3:
        raise Unfit(f"the text has none of the markers: {', '.join(roles)}")
    said = [(roles[mark], part.strip()) for mark, part in zip(parts[1::2], parts[2::2], strict=True)]
    # Llama 2 writes the system prompt inside the first turn of the user.
    said = [one for one, then in pairwise([*said, ("", "")]) if one != ("user", "") or then[0] != "system"]
    opening = [("system", parts[0].strip())] if parts[0].strip() else []
    return [say(role, part) for role, part in opening + said if role != "skip"]


def _prompts(record: Mapping[str, Raw], layout: Map, partner: Partner | None) -> list[dict[str, Any]]:
    if layout.join is not None:
        key = as_text(_needed(record, layout.join))
        other = partner(key or "") if partner else None
        if other is None:
            raise Unfit(f"the other file has no record with {layout.join} {key}")
        record = _SHALLOW.decode(other)
    texts = []
    for raw in _LIST.decode(_needed(record, str(layout.prompts))):
        value = raw if bytes(raw)[:1] == b'"' else _needed(_SHALLOW.decode(raw), layout.content)
        texts.append(say("user", as_text(value) or ""))
    return texts


def _interleaved(prompts: list[dict[str, Any]], said: list[dict[str, Any]]) -> list[dict[str, Any]]:
    if len(prompts) != len(said):
        raise Unfit(f"{len(prompts)} prompts but {len(said)} turns")
    return [turn for pair in zip(prompts, said, strict=True) for turn in pair]


def _joined(said: list[dict[str, Any]], between: str) -> list[dict[str, Any]]:
    """Neighbours of one role as one, but for an assistant's of which one carries loss and the other none."""
    messages: list[dict[str, Any]] = []
    for turn in said:
        before = messages[-1] if messages else None
        if before and before["role"] == turn["role"] and ("weight" in before) == ("weight" in turn):
            before["content"] += between + turn["content"]
        else:
            messages.append(turn)
    return messages


def gather(source: Source) -> Gather | None:
    """By what `map.by` names."""
    return Gather(source.map.by) if source.map and source.map.by else None


READER = Reader(converter=converter, gather=gather, guess_records=guess_records)
