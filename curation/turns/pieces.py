"""Which messages each piece of a long conversation holds: whole exchanges, and what they follow on.

A piece after the first opens with the leading system messages, the first request, the turns in which stands
what its calls ask for, and those right before its own, as many as there is room for.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from curation.row import Message, is_trained
from curation.turns.exchanges import inside_calls
from curation.turns.standing import missing, said, stands

# What pieces may carry again, in parts of the whole conversation's tokens, beside their system messages.
CARRIED = 0.3
# Parts of a piece's room that are tried for what it carries; more than half is never kept free for it.
STEPS, MOST = 16, 8


class Piece(NamedTuple):
    """Positions of messages: those that a piece carries again, and the exchanges from `first` to `end`."""

    carried: list[int]
    first: int
    end: int


@dataclass(frozen=True)
class Conversation:
    """A conversation with what it costs, in tokens.

    found   its exchanges
    head    what opens every piece: leading system messages and tools
    costs   of each exchange
    turns   of each message
    """

    messages: Sequence[Message]
    found: Sequence[tuple[int, int]]
    head: int
    costs: Sequence[int]
    turns: Sequence[int]

    @cached_property
    def said(self) -> list[str]:
        """What each message says, in which texts are looked for."""
        return said(self.messages)

    @cached_property
    def units(self) -> list[tuple[int, int]]:
        """All messages but the leading system ones as (start, end): one alone, or a call with its results."""
        parts_call = inside_calls(self.messages)
        starts = [p for p in range(self.found[0][0], len(self.messages)) if not parts_call[p]]
        return list(zip(starts, [*starts[1:], len(self.messages)], strict=True))

    def plan(self, max_tokens: int) -> list[Piece]:
        """Pieces of successive exchanges: as many as fit, and at least one, and what they carry again.

        Every later piece keeps as much room free for what it carries as the row's allowance (CARRIED) pays
        for, further pieces' opening included. An exchange that needs the room itself has it.
        """
        room = max_tokens - self.head
        allowance = int(CARRIED * (self.head + sum(self.costs)))
        fewest = len(self.borders(room, 0))
        for step in range(MOST, -1, -1):
            free = max(room, 0) * step // STEPS
            starts = self.borders(room, free)
            left = allowance - (len(starts) - fewest) * self.head
            if (len(starts) - 1) * free <= left:
                break
        pieces = [Piece([], 0, [*starts, len(self.found)][1])]
        for number, first in enumerate(starts[1:], 1):
            end = [*starts, len(self.found)][number + 1]
            share = left // (len(starts) - number)
            carried = self.carry(first, end, min(share, room - sum(self.costs[first:end])))
            left -= sum(self.turns[position] for position in carried)
            pieces.append(Piece(carried, first, end))
        return pieces

    def borders(self, room: int, free: int) -> list[int]:
        """The first exchange of each piece, if every piece but the first keeps some room free."""
        starts, total = [0], 0
        for exchange, cost in enumerate(self.costs):
            if exchange > starts[-1] and total + cost > room - (free if len(starts) > 1 else 0):
                starts.append(exchange)
                total = 0
            total += cost
        return starts

    def carry(self, first: int, end: int, budget: int, *, apart: bool = True) -> list[int]:
        """What a piece of the exchanges from `first` to `end` opens with, within a budget of tokens.

        Everything before it that fits: the first request, then the turns in which stands what its calls ask
        for, then from the last turn back. A call goes with its results. If turns may not stand `apart` from
        the rest of their exchange, whole exchanges are taken instead.
        """
        start = self.found[first][0]
        units = [unit for unit in (self.units if apart else self.found) if unit[1] <= start]
        request = [unit for unit in units if self.messages[unit[0]]["role"] == "user"][:1]
        carried: set[int] = set()

        def takes(unit: tuple[int, int]) -> bool:
            nonlocal budget
            more = set(range(*unit)) - carried
            cost = sum(self.turns[p] for p in more)
            if cost > budget:
                return False
            carried.update(more)
            budget -= cost
            return True

        for unit in [*request, *self.sources(units, start, self.found[end - 1][1])]:
            takes(unit)
        for unit in reversed(units):
            if not takes(unit):
                break
        return sorted(carried)

    def sources(self, units: Sequence[tuple[int, int]], start: int, stop: int) -> list[tuple[int, int]]:
        """Of `units`, those that hold what calls in the messages from `start` to `stop` ask for.

        They are the cheapest that hold a text that stands nowhere else before its call, the cheapest first.
        """
        asked: set[str] = set()
        for place in range(start, stop):
            if self.messages[place]["tool_calls"] and is_trained(self.messages[place]):
                heard = [*self.said[: self.found[0][0]], *self.said[start:place]]
                asked |= missing(self.messages[place], heard)
        if not asked:
            return []
        cheapest = sorted(units, key=lambda unit: (sum(self.turns[slice(*unit)]), -unit[0]))
        held = {
            next((unit for unit in cheapest if stands(text, self.said[slice(*unit)])), None) for text in asked
        }
        return [unit for unit in cheapest if unit in held]
