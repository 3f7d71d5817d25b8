"""What the pieces of a long row hold, and what it costs to carry turns again."""

from itertools import chain

from conversations import MESSAGES
from hypothesis import given
from hypothesis import strategies as st

from curation.row import message
from curation.turns.exchanges import exchanges, inside_calls
from curation.turns.pieces import CARRIED, Conversation

COSTS = st.lists(st.integers(0, 60), min_size=24, max_size=24)


def conversation(messages: list[dict], costs: list[int], head: int) -> Conversation:
    found = exchanges(messages)
    return Conversation(messages, found, head, [sum(costs[a:b]) for a, b in found], costs)


@given(st.tuples(MESSAGES, MESSAGES, MESSAGES).map(lambda some: [*chain(*some)]), COSTS, st.integers(0, 50))
def test_pieces_hold_each_exchange_once_and_fit(messages, costs, head):
    row = conversation(messages, costs, head)
    if not row.found:
        return
    for max_tokens in (30, 100, 300):
        pieces = row.plan(max_tokens)
        assert [e for p in pieces for e in range(p.first, p.end)] == [*range(len(row.found))]
        assert pieces[0].carried == []
        parted = inside_calls(messages)
        for piece in pieces:
            own = sum(row.costs[piece.first : piece.end])
            again = sum(costs[place] for place in piece.carried)
            assert head + own + again <= max_tokens or (again == 0 and piece.end == piece.first + 1)
            held = {*piece.carried, *range(row.found[piece.first][0], row.found[piece.end - 1][1])}
            assert all((p in held) == (p - 1 in held) for p in range(1, len(messages)) if parted[p])
        fewest = len(row.borders(max_tokens - head, 0))
        again = sum(costs[place] for piece in pieces for place in piece.carried)
        assert again + (len(pieces) - fewest) * head <= CARRIED * (head + sum(row.costs))


def test_later_pieces_open_with_the_first_request_and_the_turns_right_before_them():
    messages = [message(role, "so") for role in ("user", "assistant") * 20]
    pieces = conversation(messages, [10] * 40, 0).plan(100)
    assert [p.carried for p in pieces] == [[], [0, 9], [0, 17], [0, 25], [0, 31, 32, 33]]
