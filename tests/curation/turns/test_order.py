"""turns: the steps by which a conversation is put in order; see test_chat.py for their reasons."""

from collections import Counter

from curation.row import message
from curation.turns.order import Fault, PlacedTurn, Settled, can_join, join, settle


def test_messages_are_not_changed_in_place():
    messages = [message("human", "a"), message("user", "b"), message("gpt", "c"), message("user", "d")]
    before = [dict(m) for m in messages]
    settled = settle(messages)
    assert isinstance(settled, Settled)
    assert settled.repairs == Counter(role_alias=2, merged_turns=1, trimmed_end=1)
    assert messages == before


def test_a_fault_names_the_place_in_the_row_as_it_came():
    messages = [
        message("user", ""),
        message("user", "a"),
        message("system", "late"),
        message("assistant", "b"),
    ]
    assert settle(messages) == Fault("bad_order", {"index": 2, "role": "system", "after": "user"})


def test_turns_of_different_speakers_are_not_one():
    assert not can_join(message("user", "a", name="ann"), message("user", "b", name="bob"))
    assert can_join(message("user", "a", name="ann"), message("user", "b", name="ann"))


def test_joined_turns_keep_the_place_of_the_first():
    joined = join(PlacedTurn(3, message("assistant", None)), PlacedTurn(5, message("assistant", "b")))
    assert joined == PlacedTurn(3, message("assistant", "b"))
