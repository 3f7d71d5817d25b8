"""Turns in the conventions of chat APIs: roles, contents, tool calls."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec
from msgspec import Raw

from curation.jsontext import JSON_ERRORS, compact
from curation.turns.marks import Marked, Marks, is_marked, mark_of_parts, marks_of, weigh
from curation.turns.roles import CALLERS, ROLES, role_of
from curation.turns.shape import Row, Unfit, Unsupported

_EMPTY = Raw(b"")
_SAY_NOTHING = (b"", b"null", b"false", b"true", b"[]", b"{}")


class Function(msgspec.Struct):
    """What a call names and passes; `arguments` is a JSON string or the raw slice of an object.

    The other keys are what some sets call the arguments.
    """

    name: str
    arguments: Raw = _EMPTY
    parameters: Raw = _EMPTY
    input: Raw = _EMPTY
    args: Raw = _EMPTY


class ApiCall(msgspec.Struct):
    """A call: nested as {"function": {…}} or flat as {"name", "arguments"}."""

    id: str | int | None = None
    function: Function | None = None
    name: str | None = None
    arguments: Raw = _EMPTY
    parameters: Raw = _EMPTY
    input: Raw = _EMPTY
    args: Raw = _EMPTY


def given(made: Function | ApiCall) -> Raw:
    """The arguments of a call under whichever name they have; empty where there are none."""
    if len(bytes(made.arguments)):
        return made.arguments
    return next((raw for raw in (made.parameters, made.input, made.args) if len(bytes(raw))), _EMPTY)


class ApiTurn(Marked, kw_only=True):
    """A turn as chat APIs write it. Content is text, a list of parts, or null; Gemini has it as `parts`.

    A thought may stand under one of several keys, and the tools of a row in one of its turns.
    """

    role: str
    content: str | list[Raw] | None = None
    name: str | None = None
    tool_calls: list[ApiCall] | None = None
    tool_call_id: str | int | None = None
    tool_call_ids: list[str] | None = None
    function_call: Function | None = None
    parts: list[Raw] | None = None
    reasoning_content: Raw = _EMPTY
    reasoning: Raw = _EMPTY
    thinking: Raw = _EMPTY
    thought: Raw = _EMPTY
    tools: Raw = _EMPTY
    functions: Raw = _EMPTY


class LooseTurn(ApiTurn, kw_only=True):
    """A turn whose tool result may be any JSON value."""

    content: Raw = _EMPTY  # type: ignore[assignment]


KEYS = frozenset(ApiTurn.__struct_fields__)
_TURNS = msgspec.json.Decoder(list[ApiTurn])
_LOOSE = msgspec.json.Decoder(list[LooseTurn])
_TEXT = msgspec.json.Decoder(str)


def say(role: str, content: str | None) -> dict[str, Any]:
    """A message without calls, with its keys in canonical order."""
    return {"content": content, "name": None, "role": role, "tool_call_id": None, "tool_calls": None}


def call(name: str, arguments: str, identifier: str | None = None) -> dict[str, Any]:
    """A tool call, with its keys in canonical order."""
    return {"arguments": arguments, "id": identifier, "name": name}


def ask(calls: list[dict[str, Any]], content: str | None = None) -> dict[str, Any]:
    """An assistant's message with tool calls."""
    return {
        "content": content,
        "name": None,
        "role": "assistant",
        "tool_call_id": None,
        "tool_calls": calls or None,
    }


def answer(content: str | None, identifier: str | None = None, name: str | None = None) -> dict[str, Any]:
    """A tool's message."""
    return {"content": content, "name": name, "role": "tool", "tool_call_id": identifier, "tool_calls": None}


def decode_turns(data: bytes | Raw) -> list[ApiTurn]:
    """The turns of a JSON array. Raises what decoding JSON raises."""
    try:
        return _TURNS.decode(data)
    except msgspec.ValidationError:
        loose = [_tightened(turn) for turn in _LOOSE.decode(data)]
        if any(turn is None for turn in loose):
            raise
        return [turn for turn in loose if turn is not None]


def _tightened(turn: LooseTurn) -> ApiTurn | None:
    """A tool result that is any JSON value as its text; None if another turn's content is no text."""
    raw = bytes(turn.content)
    content: str | list[Raw] | None
    if raw[:1] == b'"':
        content = _TEXT.decode(raw)
    elif raw in (b"", b"null"):
        content = None
    elif role_of(turn.role) == "tool" or turn.role in CALLERS:
        content = raw.decode()
    elif raw[:1] == b"[":
        content = msgspec.json.decode(raw, type=list[Raw])
    else:
        return None
    kept = {key: getattr(turn, key) for key in KEYS if key != "content"}
    return ApiTurn(content=content, **kept)


def row_of_turns(turns: list[ApiTurn], tools: str | None, system: str | None = None) -> Row:
    """The row of a conversation. Raises Unfit for parts that are no text."""
    notes: list[dict[str, Any]] = []
    messages = [] if system is None else [say("system", system)]
    marks: dict[int, Marks] = {}
    for turn in turns:
        role = turn.role
        content: Any = turn.content
        if role not in ROLES:
            role = role_of(role.lower())
        calls = _calls(turn) if turn.tool_calls or turn.function_call else []
        # Most turns have none, and a call costs.
        has_none = turn.reasoning_content is turn.reasoning is turn.thinking is turn.thought is _EMPTY
        thought = "" if has_none else thought_beside(turn)
        parts = content if turn.parts is None else turn.parts
        of_parts: Marks = ()
        if parts.__class__ is list:
            of_parts = mark_of_parts(len(messages), parts) if role == "assistant" else ()
            found = content_of(parts, role)
            notes += found.notes
            messages += found.results
            if found.results and not found.text and not found.calls:
                continue
            content, calls, thought = found.text, [*calls, *found.calls], thought or found.thought
        if is_marked(turn) or of_parts:
            marks[len(messages)] = [*marks_of(turn), *of_parts]
        if thought and role == "assistant":
            said, content = content, with_thought(thought, content)
            if content != said:
                notes.append({"stage": "read", "repair": "reasoning_content"})
        elif thought:
            raise Unsupported("thinking", f"a turn of {role} has thoughts of its own", thought[:200])
        if turn.tools is not _EMPTY or turn.functions is not _EMPTY:
            tools = _offered_here(turn, tools)
        identifier = turn.tool_call_id
        if turn.tool_call_ids and identifier is None:
            identifier = turn.tool_call_ids[0]
            if len(turn.tool_call_ids) > 1:
                notes.append({"stage": "read", "flag": "tool_call_ids", "ids": turn.tool_call_ids})
        messages.append(
            {
                "content": content,
                "name": turn.name,
                "role": role,
                "tool_call_id": _identifier(identifier),
                "tool_calls": calls or None,
            }
        )
    if not turns:
        raise Unfit("the conversation has no turns")
    return Row(messages, tools, notes + weigh(messages, marks) if marks else notes)


def with_thought(thought: str, said: str | None) -> str:
    """What was thought, marked as such, before what is said, unless that has it or opens with a thought."""
    if said and (said.lstrip().startswith("<think>") or thought.strip() in said):
        return said
    return f"<think>\n{thought}\n</think>\n\n{said or ''}"


def thought_beside(turn: Any) -> str:
    """What stands beside a turn as its thought. A word by itself is a mode, such as `thinking: on`."""
    given = (turn.reasoning_content, turn.reasoning, turn.thinking, turn.thought)
    found = dict[str, None]()
    for raw in given:
        data = bytes(raw)
        if data[:1] == b'"':
            text = _TEXT.decode(data)
            if len(text.split(None, 1)) > 1 or (text and raw is turn.reasoning_content):
                found[text] = None
        elif data not in _SAY_NOTHING:
            raise Unsupported("thinking", "thoughts stand there that are no text", data[:200].decode())
    texts = [text for text in found if not any(text != other and text in other for other in found)]
    if len(texts) > 1:
        raise Unsupported("thinking", "two different thoughts stand beside one turn", texts[1][:200])
    return texts[0] if texts else ""


def _offered_here(turn: ApiTurn, tools: str | None) -> str | None:
    """The tools of a row, those that a turn offers among them."""
    for raw in (turn.tools, turn.functions):
        here = offered(raw)
        if here is None:
            continue
        if tools is not None and here != tools:
            raise Unsupported("tools", "tools change in the course of the conversation", here[:200])
        tools = here
    return tools


def _identifier(value: str | int | None) -> str | None:
    return value if value is None or isinstance(value, str) else str(value)


def _calls(turn: ApiTurn) -> list[dict[str, Any]]:
    calls = []
    for entry in turn.tool_calls or ():
        if entry.function is not None:
            name, arguments = entry.function.name, given(entry.function)
        elif entry.name is not None:
            name, arguments = entry.name, given(entry)
        else:
            raise Unfit("a tool call has no name")
        calls.append(call(name, arguments_text(arguments), _identifier(entry.id)))
    if turn.function_call is not None:
        made = call(turn.function_call.name, arguments_text(given(turn.function_call)))
        # Some clients write the one call in the old place too.
        if made not in [{**one, "id": None} for one in calls]:
            calls.append(made)
    return calls


def arguments_text(raw: Raw) -> str:
    """Arguments as a JSON string: a string as it is, an object as its slice of the source text.

    Absent or null arguments are those of a call without any: {}.
    """
    data = bytes(raw)
    if data in (b"", b"null"):
        return "{}"
    return _TEXT.decode(data) if data[:1] == b'"' else data.decode()


class _Answer(msgspec.Struct):
    """What Gemini calls a functionResponse."""

    name: str
    response: Raw = _EMPTY
    id: str | None = None


class _Part(msgspec.Struct):
    """A part of a content: a text, or Anthropic's and Gemini's calls, results and thoughts."""

    type: str | None = None
    text: str | None = None
    thinking: str | list[Raw] | None = None
    thought: bool | None = None
    id: str | None = None
    name: str | None = None
    input: Raw = _EMPTY
    tool_use_id: str | None = None
    content: Raw = _EMPTY
    is_error: bool | None = None
    # Gemini's, in its JSON and in its Python.
    called: Function | None = msgspec.field(name="functionCall", default=None)
    answered: _Answer | None = msgspec.field(name="functionResponse", default=None)
    function_call: Function | None = None
    function_response: _Answer | None = None


class Content(NamedTuple):
    """What a list of parts says: its text, calls, results, which are messages of their own, and thoughts."""

    text: str | None
    calls: list[dict[str, Any]]
    results: list[dict[str, Any]]
    notes: list[dict[str, Any]]
    thought: str = ""


_DECLARATIONS = ("functionDeclarations", "function_declarations")
_TEXTS = ("text", "input_text", "output_text", None)


def content_of(parts: Sequence[Raw], role: str) -> Content:
    """The text, calls, results and thoughts of a list of parts.

    What a tool gives back may also be a list of any JSON values: that is its text. Raises Unfit for an image,
    a file or any other part, and Unsupported for thoughts that nobody can read.
    """
    found = Content(None, [], [], [])
    texts, thoughts = list[str](), list[str]()
    for part in parts:
        data = bytes(part)
        if data[:1] == b'"':
            texts.append(_TEXT.decode(data))
            continue
        is_part = role != "tool" or b'"type"' in data or b'"function' in data
        known = _as_part(data) if is_part else None
        if known is None and role == "tool":
            return found._replace(text=f"[{', '.join(bytes(part).decode() for part in parts)}]")
        if known is None:
            raise Unfit("a content part is no object")
        if known.type == "tool_use" and role == "assistant" and known.name:
            found.calls.append(call(known.name, arguments_text(known.input), known.id))
        elif (made := known.called or known.function_call) is not None and role == "assistant":
            found.calls.append(call(made.name, arguments_text(given(made)), known.id))
        elif known.type == "tool_result" and role in ("user", "tool"):
            found.results.append(answer(_result_text(known.content), known.tool_use_id))
            if known.is_error:
                of = {} if known.tool_use_id is None else {"id": known.tool_use_id}
                found.notes.append({"stage": "read", "flag": "failed_call", **of})
        elif (back := known.answered or known.function_response) is not None and role in ("user", "tool"):
            found.results.append(answer(_result_text(back.response), back.id, back.name))
        elif known.type in ("thinking", "reasoning"):
            said = known.thinking if known.thinking is not None else known.text
            thoughts.append((content_of(said, role).text if isinstance(said, list) else said) or "")
        elif known.type == "redacted_thinking":
            raise Unsupported("redacted_thinking", "a thought stands there that is encrypted", "")
        elif known.type in _TEXTS and known.text is not None:
            (thoughts if known.thought else texts).append(known.text)
        else:
            raise Unfit(f"a content part of type {known.type or 'unknown'} is no text")
    said_none = not texts and (found.calls or found.results)
    text = None if said_none else "\n".join(texts)
    return found._replace(text=text, thought="\n\n".join(filter(None, thoughts)))


def _as_part(data: bytes) -> _Part | None:
    return msgspec.json.decode(data, type=_Part) if data[:1] == b"{" else None


def _result_text(raw: Raw) -> str | None:
    """What a call gave back: a text, the text of a list of parts, or any other JSON as it stands."""
    data = bytes(raw)
    if data in (b"", b"null"):
        return None
    if data[:1] == b"[":
        return content_of(msgspec.json.decode(data, type=list[Raw]), "tool").text
    return _TEXT.decode(data) if data[:1] == b'"' else data.decode()


def offered(raw: Raw | None) -> str | None:
    """The tools of a row as JSON text: a list, one schema, or either as a JSON string; else None."""
    data = b"" if raw is None else bytes(raw)
    if data[:1] == b'"':
        text = _TEXT.decode(data).strip()
        data = text.encode()
    if data in (b"", b"null", b"[]", b"{}"):
        return None
    try:
        text = compact(_declared(data) if b"eclarations" in data else data)
    except JSON_ERRORS:
        # Left as it is, so that the tools stage can say what is wrong with it.
        return data.decode()
    return text if text != "[]" and text[:1] == "[" else None if text == "[]" else f"[{text}]"


def _declared(data: bytes) -> bytes:
    """Gemini's tools, lists of declarations in objects, as one list of definitions."""
    found: list[Raw] = []
    for one in msgspec.json.decode(data, type=list[Raw]) if data[:1] == b"[" else [Raw(data)]:
        keys = msgspec.json.decode(one, type=dict[str, Raw])
        lists = [raw for key in _DECLARATIONS if (raw := keys.get(key)) is not None]
        found += msgspec.json.decode(lists[0], type=list[Raw]) if lists and len(keys) == 1 else [one]
    return b"[" + b",".join(bytes(one) for one in found) + b"]"
