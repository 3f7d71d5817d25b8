"""Items of OpenAI's Responses API as turns: messages, calls, what they gave back, and reasoning.

The shapes are those of `input` and `output` in the API's reference (openai-python, types/responses).
"""

from collections import defaultdict

import msgspec
from msgspec import Raw

from curation.turns.chat_api import ApiCall, ApiTurn, Function
from curation.turns.shape import Unfit


class _Text(msgspec.Struct):
    text: str


class _Item(msgspec.Struct):
    """An item; one of role and content may come without a type."""

    type: str = "message"
    role: str | None = None
    content: str | list[Raw] | None = None
    name: str = ""
    arguments: Raw = Raw(b"")
    call_id: str | None = None
    output: str | list[Raw] | None = None
    summary: list[_Text] = []


_TYPES = frozenset({"message", "function_call", "function_call_output", "reasoning"})
_ITEMS = msgspec.json.Decoder(list[_Item])
_TEXT = msgspec.json.Decoder(_Text)


def turns_of_items(data: bytes) -> list[ApiTurn] | None:
    """The turns of a list of items; None where it is none.

    Calls that follow each other are one turn's. Reasoning goes before the turn that it led to. Raises Unfit
    for an item that is no text and no call of a function, such as a search or a picture.
    """
    try:
        items = _ITEMS.decode(data)
    except msgspec.ValidationError:
        return None
    if all(item.type == "message" for item in items):
        return None
    turns: list[ApiTurn] = []
    thought: list[str] = []
    thoughts: defaultdict[int, list[str]] = defaultdict(list)
    is_open = False
    for item in items:
        if item.type not in _TYPES:
            raise Unfit(f"an item of type {item.type} is no text and no call of a function")
        if item.type == "reasoning":
            thought += [_TEXT.decode(part).text for part in item.content or () if isinstance(part, Raw)]
            thought += [part.text for part in item.summary] if not item.content else []
            continue
        if item.type == "function_call_output":
            turns.append(ApiTurn(role="tool", content=item.output, tool_call_id=item.call_id))
            is_open = False
            continue
        role = "assistant" if item.type == "function_call" else item.role
        if role is None:
            raise Unfit("a message has no role")
        if item.type == "message":
            turns.append(ApiTurn(role=role, content=item.content))
        else:
            if not is_open:
                turns.append(ApiTurn(role=role, tool_calls=[]))
            made = ApiCall(id=item.call_id, function=Function(item.name, item.arguments))
            turns[-1].tool_calls = [*(turns[-1].tool_calls or ()), made]
        # What is said before calls is the same turn's.
        is_open = role == "assistant"
        if thought and role == "assistant":
            # What one turn's calls and words came from is one thought.
            thoughts[id(turns[-1])] += thought
            thought = []
    for turn in turns:
        if said := thoughts.get(id(turn)):
            turn.reasoning_content = Raw(msgspec.json.encode("\n\n".join(said)))
    return turns
