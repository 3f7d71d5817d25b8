"""Where a conversation can be cut: after an answer and before the next question, never inside a tool call.

An exchange is a user message with everything up to the next one that follows an answer. The leading
system messages belong to no exchange; every piece of a conversation carries them.
"""

from collections.abc import Mapping, Sequence
from typing import Any

Messages = Sequence[Mapping[str, Any]]


def leading_system(messages: Messages) -> int:
    """How many system messages open the conversation."""
    for position, message in enumerate(messages):
        if message["role"] != "system":
            return position
    return len(messages)


def exchanges(messages: Messages) -> list[tuple[int, int]]:
    """The exchanges as (start, end) positions; joined they are all messages after the leading system ones.

    A call and its results are in one exchange, also when other turns stand between them. What follows
    the last answer belongs to the last exchange that has one.
    """
    start = leading_system(messages)
    parts_call = inside_calls(messages)
    borders = [start]
    for position in range(start + 1, len(messages)):
        follows_answer = messages[position - 1]["role"] == "assistant"
        if messages[position]["role"] == "user" and follows_answer and not parts_call[position]:
            borders.append(position)
    if len(borders) > 1 and all(m["role"] != "assistant" for m in messages[borders[-1] :]):
        borders.pop()
    if start == len(messages):
        return []
    return list(zip(borders, [*borders[1:], len(messages)], strict=True))


def inside_calls(messages: Messages) -> list[bool]:
    """For each position, whether a cut before it parts a call from a result of it."""
    last = last_results(messages)
    found, covered = [], -1
    for position in range(len(messages)):
        covered = max(covered, last.get(position - 1, -1))
        found.append(covered >= position)
    return found


def last_results(messages: Messages) -> dict[int, int]:
    """For each assistant turn with calls, the position of the last tool result that answers it.

    A result names its call by id; one without a known id answers the latest turn with calls.
    """
    turn_of_call: dict[str, int] = {}
    latest, found = None, {}
    for position, message in enumerate(messages):
        if message["role"] == "assistant" and message.get("tool_calls"):
            latest = position
            turn_of_call.update({c["id"]: position for c in message["tool_calls"] if c.get("id")})
        elif message["role"] == "tool":
            turn = turn_of_call.get(message.get("tool_call_id") or "", latest)
            if turn is not None:
                found[turn] = position
    return found
