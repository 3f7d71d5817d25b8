"""Which tool result answers which tool call, and ids that say so.

A *block* is one or more assistant turns with calls and the results that follow them, up to the
next turn of another kind. Results answer calls of their own block only, each call once.
"""

from collections import deque
from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec


class RowCall(msgspec.Struct, gc=False):
    """A tool call of a message; `arguments` is JSON text."""

    name: str | None = None
    arguments: str | None = None
    id: str | None = None


class RowTurn(msgspec.Struct, gc=False):
    """What the checks need of a message; its content is not even decoded."""

    role: str
    tool_calls: list[RowCall] | None = None
    tool_call_id: str | None = None
    name: str | None = None


class Block(NamedTuple):
    """Calls as (message index, call) and results as (message index, result), in order."""

    calls: list[tuple[int, RowCall]]
    results: list[tuple[int, RowTurn]]


class Problem(NamedTuple):
    """Why a row is dropped: its reason and the evidence."""

    reason: str
    detail: dict[str, Any]


# AJ's tools that return nothing to wait for, with the argument that tells them from namesakes.
_WITHOUT_RESULT = {"think": '"thought"', "complete": '"summary"'}


def blocks(turns: list[RowTurn]) -> Iterator[Block]:
    """The blocks of a conversation. A result before any call makes a block without calls."""
    block = Block([], [])
    for index, turn in enumerate(turns):
        if turn.role == "tool":
            block.results.append((index, turn))
            continue
        if block.results or (block.calls and not turn.tool_calls):
            yield block
            block = Block([], [])
        if turn.tool_calls:
            block.calls.extend((index, call) for call in turn.tool_calls)
    if block.calls or block.results:
        yield block


class Pairing:
    """Pairs the calls and results of one row, block by block, and repairs ids if it may.

    `repaired` counts repairs by kind: `ids` (missing, empty or repeated ids of calls), `order`
    (results without an id: of the calls of the tool that they name, else of all, in call order).
    """

    def __init__(self, turns: list[RowTurn], repairs: frozenset[str]) -> None:
        self._turns = turns
        self._repairs = repairs
        self._seen: set[str] = set()
        self._taken: set[str] | None = None
        self._calls = 0
        self.repaired: dict[str, int] = {}

    def settle(self, block: Block) -> Problem | None:
        """Pair one block; calls and results get their repaired ids. Returns the first problem."""
        answers: dict[int, RowTurn] = {}
        problem = self._match(block, answers)
        if problem is not None:
            return problem
        for index, call in block.calls:
            if id(call) not in answers and not self._needs_none(index, call):
                return Problem("missing_result", {"message": index, "tool": call.name, "id": call.id})
        return self._name(block, answers)

    def _match(self, block: Block, answers: dict[int, RowTurn]) -> Problem | None:
        """Fill `answers`: the result of each call, by the call's identity."""
        by_id: dict[str, deque[RowCall]] = {}
        for _, call in block.calls:
            if call.id is not None:
                by_id.setdefault(call.id, deque()).append(call)
        strangers: list[tuple[int, RowTurn]] = []
        for index, result in block.results:
            same = by_id.get(result.tool_call_id) if result.tool_call_id is not None else None
            if same:
                answers[id(same.popleft())] = result
            else:
                strangers.append((index, result))
        return self._match_in_order(block, strangers, answers) if strangers else None

    def _match_in_order(
        self, block: Block, strangers: list[tuple[int, RowTurn]], answers: dict[int, RowTurn]
    ) -> Problem | None:
        """Results without a usable id: each belongs to the next call that it can belong to.

        A result that names a tool which was called belongs to a call of that tool.
        """
        waiting = [entry for entry in block.calls if id(entry[1]) not in answers]
        if len(strangers) < len(waiting):
            # Fewer results than calls: those that expect one come first.
            waiting.sort(key=lambda entry: self._needs_none(*entry))
        # An id that fits no call can only be that of a call which lost its own.
        named = deque(call for _, call in waiting if call.id is not None)
        nameless = deque(call for _, call in waiting if call.id is None and "ids" in self._repairs)
        in_order = deque(call for _, call in waiting if call.id is not None or "ids" in self._repairs)
        for index, result in strangers:
            if result.tool_call_id is not None:
                usable = nameless
            else:
                usable = in_order if "order" in self._repairs else deque()
            while usable and id(usable[0]) in answers:
                usable.popleft()
            of_name = (c for c in usable if c.name == result.name and id(c) not in answers)
            chosen = next(of_name, usable[0]) if usable else None
            if chosen is None:
                still = [call.id for call in named if id(call) not in answers]
                return Problem(
                    "orphan_result", {"message": index, "id": result.tool_call_id, "open": still[:20]}
                )
            answers[id(chosen)] = result
            if result.tool_call_id is None:
                self._count("order")
        return None

    def _needs_none(self, index: int, call: RowCall) -> bool:
        """A call in the last message may end the row; a thought or a farewell awaits no answer."""
        if index == len(self._turns) - 1:
            return True
        telling = _WITHOUT_RESULT.get(call.name or "")
        return telling is not None and telling in (call.arguments or "")

    def _name(self, block: Block, answers: dict[int, RowTurn]) -> Problem | None:
        """Give calls without an id of their own one, and results the id of their call."""
        for index, call in block.calls:
            self._calls += 1
            if not call.id or call.id in self._seen:
                if "ids" in self._repairs:
                    call.id = self._new_id()
                    self._count("ids")
                elif call.id in self._seen:
                    return Problem("repeated_call_id", {"message": index, "id": call.id, "tool": call.name})
            if call.id is not None:
                self._seen.add(call.id)
            if id(call) in answers:
                answers[id(call)].tool_call_id = call.id
        return None

    def _new_id(self) -> str:
        """call_<n> for the n-th call of the row, or the next number that is free."""
        if self._taken is None:
            self._taken = {call.id for turn in self._turns for call in turn.tool_calls or () if call.id}
        number = self._calls - 1
        while f"call_{number}" in self._taken:
            number += 1
        self._taken.add(f"call_{number}")
        return f"call_{number}"

    def _count(self, kind: str) -> None:
        self.repaired[kind] = self.repaired.get(kind, 0) + 1
