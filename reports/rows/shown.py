"""Sampled rows made ready to be looked at: cut to a readable length, personal data hidden."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import orjson

from curation.row import Message, decode, read_notes, without_loss
from curation.stages.pii.hiding import Hiding
from curation.visible import cut, note_text

MAX_TEXT = 1_200  # characters of one message
MAX_TURNS = 8  # messages of one row: the first six and the last two
MAX_EVIDENCE = 700  # characters of the evidence
SAID_IN_PAIR = 8_000  # characters compared of one row of a pair
SAID_IN_ANSWER = 1_500  # characters of what one of two rows with different answers says

Sample = Mapping[str, Any]


@dataclass(frozen=True)
class ShownCall:
    """A tool call as it stands; `arguments` is JSON text, laid out when it is valid."""

    name: str
    arguments: str
    more: int


@dataclass(frozen=True)
class ShownTurn:
    """One message. `more` counts characters left out; `skipped` messages left out before it.

    no_loss: why it carries none, "" where that is not known; None where it does, or never could.
    """

    role: str
    name: str | None
    text: str
    more: int
    calls: list[ShownCall]
    answers: str | None
    skipped: int = 0
    no_loss: str | None = None


@dataclass(frozen=True)
class Shown:
    """One sampled row. hidden: values of personal data that this page masks and the row may hold."""

    place: str
    source: str
    group: str
    id: str | None
    piece: int
    fate: str
    stage: str
    reason: str
    evidence: str
    notes: list[str]
    turns: list[ShownTurn]
    offered: list[str]
    hidden: int


def shown(sample: Sample) -> Shown:
    """A kept or dropped row of samples.parquet."""
    hide = Hiding()
    evidence, _ = cut(sample["detail"] or "", MAX_EVIDENCE)
    messages = decode(sample["messages"]) if sample["messages"] else []
    reasons = without_loss(sample["notes"])
    turns = [(message, reasons.get(place, "")) for place, message in enumerate(messages)]
    return Shown(
        place=f"{sample['source']}:{sample['file']}:{sample['row']}",
        source=sample["source"],
        group=sample["group"],
        id=sample["id"],
        piece=sample["piece"] or 0,
        fate=sample["fate"],
        stage=sample["stage"] or "",
        reason=sample["reason"] or "",
        evidence=hide.text(evidence),
        notes=[hide.text(note_text(note)) for note in read_notes(sample["notes"]) if "no_loss" not in note],
        turns=turns_of(turns, hide),
        offered=offered_names(sample["tools"]),
        hidden=hide.count,
    )


def turns_of(messages: list[tuple[Message, str]], hide: Hiding) -> list[ShownTurn]:
    """The messages of a row, each with why it carries no loss if it does not; the middle of many left out."""
    if len(messages) <= MAX_TURNS:
        return [turn(message, reason, hide) for message, reason in messages]
    first, last = messages[: MAX_TURNS - 2], messages[-2:]
    turns = [turn(message, reason, hide) for message, reason in (*first, *last)]
    turns[-2] = replace(turns[-2], skipped=len(messages) - MAX_TURNS)
    return turns


def turn(message: Message, reason: str, hide: Hiding) -> ShownTurn:
    """One message."""
    # Cut first, so that a long text costs no more than a short one; a value at the cut is cut too.
    text, more = cut(message["content"] or "", MAX_TEXT)
    return ShownTurn(
        role=message["role"],
        name=hide.text(message["name"]) if message["name"] else None,
        text=hide.text(text),
        more=more,
        calls=[call_of(call, hide) for call in message["tool_calls"] or ()],
        answers=message["tool_call_id"],
        no_loss=reason if "weight" in message else None,
    )


def call_of(call: Mapping[str, Any], hide: Hiding) -> ShownCall:
    """A tool call; short valid arguments are laid out a line a key."""
    text, more = cut(call["arguments"] or "", MAX_TEXT)
    if not more:
        text = laid_out(text)
    return ShownCall(name=call["name"] or "", arguments=hide.text(text), more=more)


def laid_out(arguments: str) -> str:
    """JSON indented; what is no JSON, or would read back differently, as it stands."""
    try:
        value = orjson.loads(arguments)
    except orjson.JSONDecodeError:
        return arguments
    laid = orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()
    squeezed = "".join(laid.split())
    return laid if squeezed == "".join(arguments.split()) else arguments


def offered_names(tools: str | None) -> list[str]:
    """Names of the tools that a row offers."""
    try:
        offered = orjson.loads(tools) if tools else []
    except orjson.JSONDecodeError:
        return ["(not JSON)"]
    names = []
    for entry in offered if isinstance(offered, list) else []:
        body = entry.get("function", entry) if isinstance(entry, dict) else {}
        names.append(str(body.get("name", "?")) if isinstance(body, dict) else "?")
    return names


def said(messages: str | None) -> tuple[str, bool]:
    """All that a row says, as near duplicates are shown; and whether it was cut."""
    return lines_of(decode(messages), SAID_IN_PAIR) if messages else ("", False)


def parted(one: str, other: str) -> tuple[tuple[str, bool], tuple[str, bool], tuple[str, bool]]:
    """What two rows both say first, and what each says from there on, as two answers are shown."""
    left, right = decode(one), decode(other)
    alike = [plain(a) == plain(b) for a, b in zip(left, right, strict=False)]
    start = next((place for place, same in enumerate(alike) if not same), len(alike))
    return (
        lines_of(left[:start], SAID_IN_ANSWER),
        lines_of(left[start:], SAID_IN_ANSWER),
        lines_of(right[start:], SAID_IN_ANSWER),
    )


def plain(message: Message) -> tuple[Any, ...]:
    """A message as the eye takes it: white space and letter case left aside."""
    content = " ".join((message["content"] or "").split()).casefold()
    return message["role"], content, message["tool_calls"]


def lines_of(messages: list[Message], room: int) -> tuple[str, bool]:
    """A line a message, up to so many characters; and whether anything was cut."""
    hide = Hiding()
    lines = []
    for message in messages:
        calls = " ".join(f"{c['name']} {c['arguments']}" for c in message["tool_calls"] or ())
        text, more = cut(f"{message['role']}: {message['content'] or ''} {calls}".strip(), room)
        lines.append(hide.text(text))
        room -= len(text)
        if more or room <= 0:
            return "\n\n".join(lines), True
    return "\n\n".join(lines), False
