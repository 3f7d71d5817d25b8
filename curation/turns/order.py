"""The turns of a conversation: who speaks when, and the repairs that change nothing of what was said.

A sound row is: a system turn or none, then user and assistant in turn, with tool results after
the calls of an assistant turn, and an assistant turn last.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from curation.row import JOINED, Message, is_trained
from curation.turns.roles import ROLES, role_of, spellings

# The other names of `tool` are no more than that where a result can stand.
_RESULTS = spellings("tool") - {"tool"}


class PlacedTurn(NamedTuple):
    """A message and where it stood in the row as it came."""

    place: int
    message: Message

    @property
    def role(self) -> str:
        return str(self.message["role"])


class Fault(NamedTuple):
    """Why a row cannot stay: a reason of the chat stage and the evidence."""

    reason: str
    detail: dict[str, Any]


class Settled(NamedTuple):
    """The messages of a sound row and how often each repair was made."""

    messages: list[Message]
    repairs: Counter[str]


Step = Callable[[list[PlacedTurn], Counter[str]], list[PlacedTurn] | Fault]

# A repair that is not allowed is the fault that it would have mended.
_FAULT_OF_REPAIR = {
    "role_alias": "bad_role",
    "empty_turn": "empty_turn",
    "merged_system": "bad_order",
    "repeated_system": "bad_order",
    "leading_assistant": "bad_order",
    "merged_turns": "bad_order",
    "trimmed_end": "ends_without_assistant",
    "trailing_result": "ends_without_assistant",
}


def settle(messages: Sequence[Message], repair: bool = True) -> Settled | Fault:
    """The row's messages in a sound order, or the fault that no safe repair mends.

    Without `repair` any row that needs one is a fault. Messages are dicts with all five keys and
    are not changed in place.
    """
    turns = [PlacedTurn(index, message) for index, message in enumerate(messages)]
    repairs: Counter[str] = Counter()
    for step in STEPS:
        result = step(turns, repairs)
        if isinstance(result, Fault):
            return result
        turns = result
    repairs = +repairs
    if repairs and not repair:
        name = next(iter(repairs))
        return Fault(_FAULT_OF_REPAIR[name], {"needs": name})
    return Settled([turn.message for turn in turns], repairs)


def name_roles(turns: list[PlacedTurn], repairs: Counter[str]) -> list[PlacedTurn] | Fault:
    """Aliases become roles; tool calls belong to the assistant, and so do marks of what carries no loss."""
    named: list[PlacedTurn] = []
    for index, message in turns:
        said = message["role"]
        role = said.strip().lower() if isinstance(said, str) else ""
        if role in _RESULTS and not (named and takes_result(named[-1].message)):
            return Fault("bad_role", {"index": index, "role": said})
        role = role_of(role)
        if role not in ROLES:
            return Fault("bad_role", {"index": index, "role": said})
        if message["tool_calls"] and role != "assistant":
            return Fault("bad_role", {"index": index, "role": said, "has": "tool_calls"})
        repairs["role_alias"] += role != said
        message = {**message, "role": role}
        if role != "assistant":
            message = {key: value for key, value in message.items() if key not in ("weight", "no_loss")}
        named.append(PlacedTurn(index, message))
    return named


def takes_result(message: Message) -> bool:
    """Whether a tool result may follow."""
    return bool(message["tool_calls"]) or message["role"] == "tool"


def drop_empty(turns: list[PlacedTurn], repairs: Counter[str]) -> list[PlacedTurn] | Fault:
    """Turns that say nothing go, except tool results and turns that only call."""
    kept = [t for t in turns if t.role == "tool" or t.message["tool_calls"] or not is_blank(t.message)]
    repairs["empty_turn"] += len(turns) - len(kept)
    left = {turn.role for turn in kept}
    for role in ("user", "assistant"):
        if role not in left:
            empty = [turn.place for turn in turns if turn.role == role]
            if empty:
                return Fault("empty_turn", {"role": role, "indexes": empty})
            return Fault(f"no_{role}", {"turns": len(turns)})
    return kept


def is_blank(message: Message) -> bool:
    """Whether a message has no text but white space."""
    return not (message["content"] or "").strip()


def lead_with_system(turns: list[PlacedTurn], repairs: Counter[str]) -> list[PlacedTurn] | Fault:
    """System turns at the start become one; later ones may only repeat it, or end the row."""
    start = next((i for i, turn in enumerate(turns) if turn.role != "system"), len(turns))
    leading, rest = turns[:start], turns[start:]
    while len(leading) > 1:
        leading[:2] = [join(*leading[:2])]
        repairs["merged_system"] += 1
    end = len(rest)
    while end and rest[end - 1].role in ("system", "user"):
        end -= 1
    kept = []
    for i, turn in enumerate(rest):
        if turn.role == "system" and i < end:
            if not leading or turn.message["content"] != leading[0].message["content"]:
                return Fault("bad_order", {"index": turn.place, "role": "system", "after": rest[i - 1].role})
            repairs["repeated_system"] += 1
        else:
            kept.append(turn)
    return leading + kept


def begin_with_user(turns: list[PlacedTurn], repairs: Counter[str]) -> list[PlacedTurn] | Fault:
    """A greeting before the first user turn goes; calls or results before it are a fault."""
    start = int(turns[0].role == "system")
    first = next(i for i, turn in enumerate(turns) if turn.role == "user")
    for turn in turns[start:first]:
        if turn.role != "assistant" or turn.message["tool_calls"]:
            return Fault("bad_order", {"index": turn.place, "role": turn.role, "after": None})
    repairs["leading_assistant"] += first - start
    return turns[:start] + turns[first:]


def end_with_assistant(turns: list[PlacedTurn], repairs: Counter[str]) -> list[PlacedTurn] | Fault:
    """User and system turns that nobody answers go, then the results of the last calls.

    A result of no call is never trimmed away.
    """
    end = len(turns)
    while turns[end - 1].role in ("user", "system"):
        end -= 1
        if end == 0 or not any(turn.role == "assistant" for turn in turns[:end]):
            return Fault("no_assistant", {"turns": len(turns)})
    repairs["trimmed_end"] += len(turns) - end
    last = end
    while turns[last - 1].role == "tool":
        last -= 1
    first = last
    while first and turns[first - 1].role == "assistant":
        first -= 1
    calls = [call for turn in turns[first:last] for call in turn.message["tool_calls"] or ()]
    if first == last or not are_answers([turn.message for turn in turns[last:end]], calls):
        return Fault("ends_without_assistant", {"index": turns[end - 1].place, "last": turns[end - 1].role})
    repairs["trailing_result"] += end - last
    return turns[:last]


def are_answers(results: Sequence[Message], calls: Sequence[Mapping[str, Any]]) -> bool:
    """Whether every result answers a call of its own: the one it names, or any when it names none."""
    named = [result["tool_call_id"] for result in results if result["tool_call_id"]]
    is_one_each = len(results) <= len(calls) and len({*named}) == len(named)
    return is_one_each and {*named} <= {call["id"] for call in calls}


def take_turns(turns: list[PlacedTurn], repairs: Counter[str]) -> list[PlacedTurn] | Fault:
    """Successive turns of one speaker become one where that is what was said."""
    settled: list[PlacedTurn] = []
    for turn in turns:
        before = settled[-1] if settled else None
        if before is None or before.role != turn.role or turn.role == "tool":
            settled.append(turn)
        elif can_join(before.message, turn.message):
            settled[-1] = join(before, turn)
            repairs["merged_turns"] += 1
        else:
            return Fault("bad_order", {"index": turn.place, "role": turn.role, "after": before.role})
    return settled


def can_join(first: Message, second: Message) -> bool:
    """Whether two turns of one role are one: same speaker, and no text after calls without results."""
    return first["name"] == second["name"] and (not first["tool_calls"] or is_blank(second))


def join(first: PlacedTurn, second: PlacedTurn) -> PlacedTurn:
    """Two turns as one: texts parted by a blank line, calls in order.

    One that carries no loss takes the loss from both: half a turn cannot be trained, and what its makers
    marked must not be.
    """
    texts = [m["content"] for m in (first.message, second.message) if not is_blank(m)]
    calls = [call for m in (first.message, second.message) for call in m["tool_calls"] or ()]
    message = {**first.message, "content": "\n\n".join(texts) or None, "tool_calls": calls or None}
    if is_trained(first.message) != is_trained(second.message):
        message |= {"weight": 0, "no_loss": JOINED}
    return PlacedTurn(first.place, message)


STEPS: tuple[Step, ...] = (
    name_roles,
    drop_empty,
    lead_with_system,
    begin_with_user,
    end_with_assistant,
    take_turns,
)
