"""Agents at work: thoughts, actions and observations as calls of tools and their results.

Knows SWE-agent's `trajectory`, InterCode's `turn_history` (columns side by side), steps with a `step_type`,
LangChain's `intermediate_steps` and the steps of agents' own logs.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache, partial
from itertools import chain, islice
from pathlib import Path
from typing import Any, Literal, NamedTuple

import msgspec
from msgspec import Raw

from curation.calls.action_language import evident_language, may_be
from curation.calls.actions import Action, run, taken_apart, told, tools_for
from curation.calls.failures.judge import failure
from curation.errors import SourceError
from curation.jsontext import JSON_ERRORS, plain
from curation.readers import where
from curation.readers.columns import as_text, look_up
from curation.readers.conversion import fits
from curation.readers.reading import chunks, records_of
from curation.readers.seam import LIKELY, OWN, Candidate, Reader, is_turns
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
from curation.turns.shape import Convert, ForeignAction, Row, Unfit, missing

_COLUMNS = READERS["trajectory"].columns
_TAKEN_OVER = ("context",)
_LOOKED_AT = 50
# Of all actions, how many must be in one language, and of those in any, for it to be the source's.
_MOST, _NEARLY_ALL = 0.5, 0.9
# What InterCode calls its environments → what runs there; its CTF tasks are solved in a shell.
_ENVIRONMENTS = {"ic_bash": "bash", "ic_ctf": "bash", "ic_sql": "sql", "ic_python": "python"}


class _Step(msgspec.Struct):
    """A step of any of the list shapes. What a step's action, arguments or observation is, is any JSON."""

    step_type: str | None = None
    type: str | None = None
    content: Raw = Raw(b"")
    tool: str | None = None
    tool_input: Raw = Raw(b"")
    thought: str | None = None
    action: Raw = Raw(b"")
    action_input: Raw = Raw(b"")
    args: Raw = Raw(b"")
    observation: Raw = Raw(b"")
    result: Raw = Raw(b"")


class _Named(msgspec.Struct):
    """An action that names its tool."""

    tool: str | None = None
    name: str | None = None
    tool_input: Raw = Raw(b"")
    input: Raw = Raw(b"")
    args: Raw = Raw(b"")
    arguments: Raw = Raw(b"")
    parameters: Raw = Raw(b"")
    log: str | None = None


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
_RAWS = msgspec.json.Decoder(list[Raw])
_PAIRS = msgspec.json.Decoder(list[tuple[Raw, Raw]])
_TYPES = ("thought", "action", "observation", "final_answer")
_HISTORY = msgspec.json.Decoder(_History)
_NAMED = msgspec.json.Decoder(_Named)
_LOGGED = re.compile(r"\s*(?:Thought: ?)?(.*?)\s*(?:Action:.*|\Z)", re.DOTALL)
_NOTHING = (b"", b"null")


def converter(source: Source, path: Path) -> Convert:
    """A user turn with the task, then calls and results; thoughts are the text beside a call.

    An action that names no tool is in the language that `action` says, else the one that InterCode's
    `environment` says, else the one that the file's first actions evidently are in: with none of
    these the first such action raises SourceError, which asks. One in another language makes its
    record a ForeignAction. Words of the environment are calls of tools of their names; at the end
    they close the conversation with what they are given. With `action: text` actions are an
    assistant's text as they stand and observations a user's. A last observation, which nothing
    answers, is left out and noted. `columns` may name `steps`, `task`, `tools` and `final`, what the
    agent said in the end.
    """
    columns = source.columns or {}
    task_keys = (columns["task"],) if "task" in columns else _COLUMNS["task"]
    final_keys = (columns["final"],) if "final" in columns else _COLUMNS["final"]
    evident = cache(partial(_evident, source, path))

    def convert(data: bytes) -> Row:
        record = _SHALLOW.decode(data)
        events, notes = _recorded(record, columns), list[dict[str, Any]]()
        events += _final(record, final_keys, events)
        messages = _opening(record, task_keys)
        if events and events[0].kind == "observation":
            # What the agent saw before it did anything.
            messages[-1]["content"] = f"{messages[-1]['content'] or ''}\n\n{events.pop(0).text}"
        tools = offered(record.get(columns.get("tools", "tools")))
        if source.action == "text":
            _without_last_observation(events, notes)
            messages += _texts(events)
        else:
            spoken, needed = _Talk(partial(_language, source, record, evident), notes).of(events)
            messages += spoken
            tools = tools or needed
        if not any(message["role"] == "assistant" for message in messages):
            raise Unfit("the trajectory has no steps")
        return Row(messages, tools, notes)

    return convert


def _recorded(record: Mapping[str, Raw], columns: Mapping[str, str]) -> list[Event]:
    """What happened in a record, in order."""
    keys = (columns["steps"],) if "steps" in columns else _COLUMNS["steps"]
    raw = next((value for key in keys if (value := look_up(record, key)) is not None), None)
    if raw is None:
        raise missing(record, keys, "columns: {steps: %s}")
    if bytes(raw)[:1] == b"{":
        return list(_column_events(_HISTORY.decode(raw)))
    if bytes(raw)[:64].replace(b" ", b"").replace(b"\n", b"").startswith(b"[["):
        # LangChain: what was done, and what came of it.
        pairs = [_Step(action=done, observation=seen) for done, seen in _PAIRS.decode(raw)]
        return list(chain.from_iterable(map(_step_events, pairs)))
    steps = _LIST.decode(raw)
    events = chain.from_iterable(map(_step_events, steps))
    return list(_seen_first(events) if _says_what_was_seen_first(raw) else events)


def _says_what_was_seen_first(raw: Raw) -> bool:
    """Whether a step holds what the agent saw before its action, as reinforcement learning writes it.

    The order of the keys tells: an observation before the action it led to.
    """
    steps = _RAWS.decode(raw)
    keys = list(_SHALLOW.decode(steps[0])) if steps else []
    return {"observation", "action"} <= set(keys) and keys.index("observation") < keys.index("action")


def _seen_first(events: Iterable[Event]) -> Iterator[Event]:
    """Steps whose observation comes before their thought and action."""
    step: list[Event] = []
    for event in events:
        if event.kind == "observation":
            yield event
            yield from step
            step = []
        else:
            step.append(event)
    yield from step


def _final(record: Mapping[str, Raw], keys: tuple[str, ...], events: Sequence[Event]) -> list[Event]:
    """What the agent said in the end, where the steps do not say it already."""
    raw = next((value for key in keys if (value := look_up(record, key)) is not None), None)
    text = as_text_or_json(raw).strip() if raw is not None and bytes(raw)[:1] == b'"' else ""
    is_said = bool(events) and events[-1].kind != "observation" and text in events[-1].text
    return [Event("thought", text)] if text and not is_said else []


def _language(source: Source, record: Mapping[str, Raw], evident: Callable[[], str]) -> str:
    """The language of a record's bare actions. Raises ForeignAction where recipe and record disagree."""
    named = _ENVIRONMENTS.get(as_text_or_json(record.get("environment", Raw(b'""'))))
    if named and source.action and named != source.action:
        environment = as_text_or_json(record["environment"])
        raise ForeignAction(f"its environment is {environment}, but the recipe says action: {source.action}")
    return source.action or named or evident()


def _evident(source: Source, path: Path) -> str:
    """The language that most of the file's first bare actions are evidently in, else SourceError."""
    found = languages(_first_actions(source, path))
    language = clear_language(found)
    if language is None:
        seen = ", ".join(f"{count} {name or 'of no language'}" for name, count in found.most_common())
        raise SourceError(
            f"{path.name}: what are the agent's actions? The first are: {seen}; write `action: bash`, sql,"
            " python or powershell, or text for words, and choose rows of one kind with `where`"
        )
    return language


def languages(actions: Sequence[Action]) -> Counter[str | None]:
    """How many actions are evidently in which language; None for those in no evident one."""
    spoken = [action for action in actions if action.word is None and action.is_whole]
    return Counter(action.language or evident_language(action.text) for action in spoken)


def clear_language(found: Mapping[str | None, int]) -> str | None:
    """The language of nearly all actions that are evidently in one, if those are at least half of all."""
    known = {name: count for name, count in found.items() if name is not None}
    best = max(known, key=lambda name: known[name], default=None)
    if best is None or known[best] < _MOST * sum(found.values()):
        return None
    return best if known[best] >= _NEARLY_ALL * sum(known.values()) else None


def _first_actions(source: Source, path: Path) -> list[Action]:
    """The bare actions of the file's first records that `where` leaves in."""
    as_text = converter(msgspec.structs.replace(source, action="text"), path)
    batches = records_of(chunks(path, source)[0], source, partial(fits, as_text))
    found: list[Action] = []
    for data in islice(chain.from_iterable(batches), _LOOKED_AT):
        if isinstance(data, bytes):
            found += _bare_actions(data, source)
    return found


def _bare_actions(data: bytes, source: Source) -> list[Action]:
    try:
        if source.where and where.filtered(data, source.where, where.passes(source.where)):
            return []
        events = _recorded(_SHALLOW.decode(data), source.columns or {})
    except (*JSON_ERRORS, Unfit):
        return []
    return [taken_apart(one.text) for one in events if one.kind == "action" and one.tool is None]


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


def _step_events(step: _Step) -> Iterator[Event]:
    kind = step.step_type or (step.type if step.type in _TYPES else None)
    content = "" if bytes(step.content) in _NOTHING else as_text_or_json(step.content)
    if kind in ("thought", "final_answer"):
        # What no action follows closes the conversation as the assistant's own words.
        yield Event("thought", content)
    elif kind == "observation":
        yield Event("observation", content)
    elif kind == "action" and step.tool:
        yield Event("action", content, step.tool, arguments_text(step.tool_input))
    elif kind == "action":
        yield from _done(msgspec.structs.replace(step, action=step.content))
    elif kind:
        raise Unfit(f"unknown step_type {kind!r}; expected {', '.join(_TYPES)}")
    else:
        if step.thought:
            yield Event("thought", step.thought)
        yield from _done(step)
        seen = next((raw for raw in (step.observation, step.result) if bytes(raw) not in _NOTHING), None)
        if seen is not None:
            yield Event("observation", as_text_or_json(seen))


def _done(step: _Step) -> Iterator[Event]:
    """The action of a step: a text, an object that names its tool, or a name beside its arguments.

    LangChain writes the thought before an action into the object's `log`.
    """
    data = bytes(step.action)
    given = next(
        (r for r in (step.action_input, step.tool_input, step.args) if bytes(r) not in _NOTHING), None
    )
    if data[:1] == b"{":
        named = _NAMED.decode(data)
        name = named.tool or named.name
        if name is None:
            raise Unfit("a step's action names no tool")
        if named.log and (thought := _LOGGED.match(named.log)) and thought[1].strip():
            yield Event("thought", thought[1].strip())
        inside = (named.tool_input, named.input, named.args, named.arguments, named.parameters)
        yield _call_of(name, next((raw for raw in inside if bytes(raw) not in _NOTHING), Raw(b"{}")))
    elif data in _NOTHING:
        if step.tool is None:
            raise Unfit("a step has neither step_type nor action")
        yield _call_of(step.tool, given or Raw(b"{}"))
    else:
        text = as_text_or_json(step.action)
        yield Event("action", text) if given is None else _call_of(text, given)


def _call_of(name: str, given: Raw) -> Event:
    """A call that names its tool; a text that is no JSON object is the one argument `input`."""
    arguments = arguments_text(given)
    if taken_apart(name).is_closing:
        return Event("action", f"finish[{arguments}]")
    if arguments.lstrip()[:1] != "{":
        arguments = msgspec.json.encode({"input": plain(given)}).decode()
    return Event("action", "", name, arguments)


def _without_last_observation(events: list[Event], notes: list[dict[str, Any]]) -> str:
    """Nothing answers it, and a row must end with what the model says; what it was, noted."""
    if not events or events[-1].kind != "observation":
        return ""
    text = events.pop().text
    notes.append({"stage": "read", "repair": "last_observation", "characters": len(text)})
    return text


def _failure(asked: Mapping[str, Any], said: str) -> str | None:
    """How what came of a turn's call says that it failed."""
    made = (asked["tool_calls"] or [None])[-1]
    return made and failure(said, made["name"], made["arguments"])


class _Talk:
    """Events as calls, numbered in order, with the thought before them as the turn's text."""

    def __init__(self, language: Callable[[], str], notes: list[dict[str, Any]]) -> None:
        self._language, self._notes = language, notes
        self._spoken, self._words = set[str](), set[str]()
        self._is_described = True
        self._left_out = ""

    def of(self, events: list[Event]) -> tuple[list[dict[str, Any]], str | None]:
        """The messages, and the tools that they need beside `bash`."""
        self._left_out = _without_last_observation(events, self._notes)
        end = self._closed(events)
        messages: list[dict[str, Any]] = []
        thought: list[str] = []
        identifier = None
        for place, event in enumerate(events):
            if event.kind == "thought":
                thought.append(event.text.strip())
            elif event.kind == "observation" and identifier == "":
                # What an environment says to a thought.
                self._note("after_action", characters=len(event.text))
            elif event.kind == "observation":
                messages.append(answer(event.text, identifier))
            else:
                made = self._call(event, thought)
                identifier = f"call_{place}" if made else ""
                if made is not None:
                    messages.append(ask([call(*made, identifier)], "\n".join(filter(None, thought)) or None))
                    thought = []
        if self._left_out and messages and (how := _failure(messages[-1], self._left_out)):
            noted = next(n for n in reversed(self._notes) if n["repair"] == "last_observation")
            noted["failed"] = how
        thought += [end] if end else []
        if thought:
            messages.append(say("assistant", "\n".join(thought)))
        return messages, tools_for(self._spoken, self._words) if self._is_described else None

    def _closed(self, events: list[Event]) -> str:
        """Takes off the words that end the episode; what the agent says with them."""
        if not events or events[-1].kind != "action" or events[-1].tool is not None:
            return ""
        last = taken_apart(events[-1].text)
        if not last.is_closing:
            return ""
        events.pop()
        self._note("closing_word", word=last.word)
        end = "\n".join(filter(None, (last.thought, last.text)))
        # What was left out before came of the closing word.
        self._left_out = "" if end else _without_last_observation(events, self._notes)
        return end

    def _call(self, event: Event, thought: list[str]) -> tuple[str, str] | None:
        """The tool and the arguments of an action; None for one that is but a thought."""
        if event.tool is not None:
            self._is_described = False
            return event.tool, event.arguments or "{}"
        action = taken_apart(event.text)
        if action.word is None:
            language = self._language()
            action = taken_apart(event.text, language)
        thought += [action.thought] if action.thought else []
        if action.word is not None:
            if action.word == "think":
                thought.append(action.text)
                return None
            self._words.add(action.word)
            return told(action.word, action.text)
        if (
            not action.is_whole
            or action.language not in (None, language)
            or not may_be(action.text, language)
        ):
            raise ForeignAction(f"an action is not {language}: {event.text.strip()[:80]!r}")
        if action.after:
            self._note("after_action", characters=action.after)
        elif action.text.strip() != event.text.strip():
            self._note("action_wrapper")
        self._spoken.add(language)
        return run(language, action.text)

    def _note(self, repair: str, **evidence: Any) -> None:
        self._notes.append({"stage": "read", "repair": repair, **evidence})


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


def _are_steps(value: Any) -> bool:
    """Whether a list is one of steps: objects that say what was done, or LangChain's pairs."""
    if is_turns(value):
        keys = set(value[0])
        return bool(
            {"action", "step_type", "tool"} & keys or ({"type", "content"} <= keys and "role" not in keys)
        )
    return bool(value) and isinstance(value, list) and isinstance(value[0], list) and len(value[0]) == 2


def guess_records(path: Path, objects: Sequence[Mapping[str, Any]]) -> Iterator[Candidate]:
    """InterCode's columns side by side, or a list of steps, with the language that the actions are in."""
    first = objects[0]
    steps = next((name for name in _COLUMNS["steps"] if _are_steps(first.get(name))), None)
    if steps is None and isinstance(first.get("turn_history"), dict):
        steps = "turn_history"
    if steps is None:
        return
    task = next((name for name in _COLUMNS["task"] if isinstance(first.get(name), str)), None)
    columns = {"steps": steps, "task": task} if task and "history" not in first else {"steps": steps}
    data = [msgspec.json.encode(one) for one in objects]
    source = Source(uri=".", reader="trajectory", group="any")
    found = languages([action for one in data for action in _bare_actions(one, source)])
    language = clear_language(found)
    named = {_ENVIRONMENTS.get(str(one.get("environment"))) for one in objects}
    if language is not None and named == {None}:
        yield Candidate(OWN, {"columns": columns, "action": language})
    else:
        yield Candidate(OWN if not found or None not in named else LIKELY, {"columns": columns})


READER = Reader(converter=converter, guess_records=guess_records)
