"""Agents at work: thoughts, actions and observations as calls of tools and their results.

Knows SWE-agent's `trajectory`, InterCode's `turn_history` (columns side by side) and steps with a
`step_type`.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import msgspec
from msgspec import Raw

from curation.calls.bash_call import bash_arguments
from curation.jsontext import JSON_ERRORS, plain
from curation.readers.columns import as_text, look_up
from curation.readers.seam import OWN, Candidate, Reader, is_turns
from curation.recipe.readers import READERS
from curation.recipe.source import Source
from curation.turns.chat_api import (
    answer,
    arguments_text,
    ask,
    call,
    decode_turns,
    offered,
    row_of_turns,
    say,
)
from curation.turns.shape import Convert, Row, Unfit, missing

_COLUMNS = READERS["trajectory"].columns
_TAKEN_OVER = ("context",)


class _Step(msgspec.Struct):
    """A step of any of the list shapes."""

    step_type: str | None = None
    content: str | None = None
    tool: str | None = None
    tool_input: Raw = Raw(b"")
    thought: str | None = None
    action: str | None = None
    observation: str | None = None


class _History(msgspec.Struct):
    """InterCode: what was done and seen, turn by turn."""

    actions: list[str]
    observations: list[Raw]
    thoughts: list[str | None] | None = None


class Event(NamedTuple):
    """One thing that happened; `arguments` is set for a call that names its tool."""

    kind: Literal["thought", "action", "observation"]
    text: str
    tool: str | None = None
    arguments: str | None = None


_SHALLOW = msgspec.json.Decoder(dict[str, Raw])
_LIST = msgspec.json.Decoder(list[_Step])
_HISTORY = msgspec.json.Decoder(_History)


def converter(source: Source, path: Path) -> Convert:
    """A user turn with the task, then calls and results; thoughts are the text beside a call.

    A last observation, which nothing answers, is left out and noted. With `action: bash` (the
    default) a bare action is a command for the `bash` tool; with `text` actions are an assistant's
    text and observations a user's. `columns` may name `steps`, `task` and `tools`.
    """
    columns = source.columns or {}
    step_keys = (columns["steps"],) if "steps" in columns else _COLUMNS["steps"]
    task_keys = (columns["task"],) if "task" in columns else _COLUMNS["task"]
    as_calls = source.action != "text"

    def convert(data: bytes) -> Row:
        record = _SHALLOW.decode(data)
        raw = next((value for key in step_keys if (value := look_up(record, key)) is not None), None)
        if raw is None:
            raise missing(record, step_keys, "columns: {steps: %s}")
        messages = _opening(record, task_keys)
        events, notes = _events(raw), list[dict[str, Any]]()
        if events and events[-1].kind == "observation":
            # Nothing answers it, and a row must end with what the model says.
            notes.append(
                {"stage": "read", "repair": "last_observation", "characters": len(events.pop().text)}
            )
        messages += _calls(events) if as_calls else _texts(events)
        if not any(message["role"] == "assistant" for message in messages):
            raise Unfit("the trajectory has no steps")
        return Row(messages, offered(record.get(columns.get("tools", "tools"))), notes)

    return convert


def _opening(record: Mapping[str, Raw], keys: tuple[str, ...]) -> list[dict[str, Any]]:
    """What the agent was told: the turns of `history` up to its first answer, or the task."""
    if "history" in record:
        try:
            history = row_of_turns(decode_turns(record["history"]), None).messages
        except (*JSON_ERRORS, Unfit):
            history = []
        first = next((i for i, message in enumerate(history) if message["role"] == "assistant"), 0)
        if first:
            return history[:first]
    for key in keys:
        value = look_up(record, key)
        if value is not None and (task := as_text(value)):
            return [say("user", task + "".join(_given(record)))]
    raise missing(record, keys, "columns: {task: %s}")


def _given(record: Mapping[str, Raw]) -> Iterator[str]:
    """What a task is given along: messages as they are, files under their path."""
    for key in _TAKEN_OVER:
        context = plain(record[key]) if key in record else None
        for name, value in context.items() if isinstance(context, dict) else ():
            if isinstance(value, str):
                yield f"\n\n{name.replace('_', ' ')}: {value}"
            elif isinstance(value, list) and all(
                isinstance(v, dict) and {"path", "content"} <= set(v) for v in value
            ):
                yield from (f"\n\n{v['path']}:\n```\n{v['content']}\n```" for v in value)
            elif value is not None:
                yield f"\n\n{name.replace('_', ' ')}: {msgspec.json.encode(value).decode()}"


def _events(raw: Raw) -> list[Event]:
    if bytes(raw)[:1] == b"{":
        return list(_column_events(_HISTORY.decode(raw)))
    events: list[Event] = []
    for step in _LIST.decode(raw):
        events += _typed(step) if step.step_type else _threefold(step)
    return events


def _column_events(history: _History) -> Iterator[Event]:
    if len(history.actions) != len(history.observations):
        raise Unfit(f"{len(history.actions)} actions but {len(history.observations)} observations")
    thoughts = history.thoughts or [None] * len(history.actions)
    for thought, action, seen in zip(thoughts, history.actions, history.observations, strict=False):
        if thought:
            yield Event("thought", thought)
        yield Event("action", action)
        yield Event("observation", as_text_or_json(seen))


def as_text_or_json(raw: Raw) -> str:
    """A string's text; any other value as the JSON it is."""
    data = bytes(raw)
    return msgspec.json.decode(data, type=str) if data[:1] == b'"' else data.decode()


def _typed(step: _Step) -> list[Event]:
    if step.step_type == "action":
        arguments = arguments_text(step.tool_input) if step.tool else None
        return [Event("action", step.content or "", step.tool, arguments)]
    if step.step_type in ("thought", "final_answer"):
        # What no action follows closes the conversation as the assistant's own words.
        return [Event("thought", step.content or "")]
    if step.step_type == "observation":
        return [Event("observation", step.content or "")]
    raise Unfit(
        f"unknown step_type {step.step_type!r}; expected thought, action, observation or final_answer"
    )


def _threefold(step: _Step) -> list[Event]:
    if step.action is None:
        raise Unfit("a step has neither step_type nor action")
    events = [Event("thought", step.thought)] if step.thought else []
    events.append(Event("action", step.action))
    return [*events, Event("observation", step.observation)] if step.observation is not None else events


def _calls(events: list[Event]) -> list[dict[str, Any]]:
    """Actions as calls, numbered in order, with the thought before them as the turn's text."""
    messages: list[dict[str, Any]] = []
    thought: list[str] = []
    identifier = None
    for place, event in enumerate(events):
        if event.kind == "thought":
            thought.append(event.text.strip())
        elif event.kind == "action":
            identifier = f"call_{place}"
            made = (
                call(event.tool, event.arguments or "{}", identifier)
                if event.tool
                else call("bash", bash_arguments(event.text.strip("\n")), identifier)
            )
            messages.append(ask([made], "\n".join(thought) or None))
            thought = []
        else:
            messages.append(answer(event.text, identifier))
    return [*messages, say("assistant", "\n".join(thought))] if thought else messages


def _texts(events: list[Event]) -> list[dict[str, Any]]:
    """Thoughts and actions as an assistant's text, observations as a user's."""
    messages: list[dict[str, Any]] = []
    for event in events:
        role = "user" if event.kind == "observation" else "assistant"
        text = event.text if event.tool is None else f"{event.tool} {event.arguments}"
        if messages and messages[-1]["role"] == role == "assistant":
            messages[-1]["content"] += f"\n{text}"
        else:
            messages.append(say(role, text))
    return messages


def guess_records(path: Path, objects: Sequence[Mapping[str, Any]]) -> Iterator[Candidate]:
    """InterCode's columns side by side, or a list of steps."""
    if isinstance(objects[0].get("turn_history"), dict) or is_turns(objects[0].get("trajectory")):
        yield Candidate(OWN)


READER = Reader(converter=converter, guess_records=guess_records)
