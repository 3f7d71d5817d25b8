"""Which result answers which call."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.calls.result_pairs import Pairing, RowCall, RowTurn, blocks

ALL = frozenset({"ids", "order"})


def asks(*ids, name="bash"):
    return RowTurn("assistant", [RowCall(name, "{}", id) for id in ids])


def answers(*ids):
    return [RowTurn("tool", tool_call_id=id) for id in ids]


def settle(turns, repairs=ALL):
    """The first problem's reason, the repairs by kind, and the ids of calls and of results."""
    pairing = Pairing(turns, frozenset(repairs))
    problem = next((p for block in blocks(turns) if (p := pairing.settle(block))), None)
    calls = [call.id for turn in turns for call in turn.tool_calls or ()]
    results = [turn.tool_call_id for turn in turns if turn.role == "tool"]
    return problem and problem.reason, pairing.repaired, calls, results


END = RowTurn("assistant")


def test_results_may_come_in_any_order_if_they_have_ids():
    turns = [asks("a", "b", "c"), *answers("c", "a", "b"), END]
    assert settle(turns, ()) == (None, {}, ["a", "b", "c"], ["c", "a", "b"])


def test_missing_ids_are_made_up_in_call_order():
    turns = [asks(None, None), *answers(None, None), END]
    assert settle(turns) == (None, {"ids": 2, "order": 2}, ["call_0", "call_1"], ["call_0", "call_1"])


def test_a_result_without_id_that_names_its_tool_belongs_to_a_call_of_that_tool():
    def named(*names):
        return [RowTurn("tool", name=name) for name in names]

    turns = [RowTurn("assistant", [RowCall("look", "{}"), RowCall("find", "{}"), RowCall("find", "{}")])]
    turns += [*named("find", "look", "find"), END]
    reason, _, calls, results = settle(turns)
    assert (reason, calls) == (None, ["call_0", "call_1", "call_2"])
    assert results == ["call_1", "call_0", "call_2"]
    # A name of no call says nothing: call order counts.
    turns = [RowTurn("assistant", [RowCall("look", "{}"), RowCall("find", "{}")]), *named("tool", None), END]
    assert settle(turns)[3] == ["call_0", "call_1"]


def test_an_empty_id_is_none():
    turns = [asks("", ""), *answers("", ""), END]
    assert settle(turns) == (None, {"ids": 2}, ["call_0", "call_1"], ["call_0", "call_1"])


def test_a_repeated_id_is_renumbered_and_its_result_follows():
    turns = [asks("x"), *answers("x"), asks("x"), *answers("x"), END]
    assert settle(turns) == (None, {"ids": 1}, ["x", "call_1"], ["x", "call_1"])
    turns = [asks("x"), *answers("x"), asks("x"), *answers("x"), END]
    assert settle(turns, ())[0] == "repeated_call_id"


def test_a_made_up_id_never_meets_one_that_is_there():
    turns = [
        asks("call_1"),
        *answers("call_1"),
        asks(None),
        *answers(None),
        asks("call_2"),
        *answers("call_2"),
        END,
    ]
    reason, _, calls, results = settle(turns)
    assert reason is None
    assert calls == results == ["call_1", "call_3", "call_2"]


@pytest.mark.parametrize(
    ("turns", "reason"),
    [
        ([*answers("a"), END], "orphan_result"),
        ([asks("a"), *answers("b"), END], "orphan_result"),
        ([asks("a"), *answers("a", "a"), END], "orphan_result"),
        ([asks(None), *answers(None, None), END], "orphan_result"),
        ([asks("a"), END], "missing_result"),
        ([asks("a", "b"), *answers("a"), END], "missing_result"),
        ([asks("a"), RowTurn("user"), *answers("a"), END], "missing_result"),
        ([asks("a"), *answers("a"), END, *answers("a"), END], "orphan_result"),
    ],
)
def test_what_does_not_pair(turns, reason):
    assert settle(turns)[0] == reason


def test_a_call_in_the_last_message_awaits_nothing():
    assert settle([RowTurn("user"), asks("a", "b")], ()) == (None, {}, ["a", "b"], [])


def test_a_thought_lets_the_result_go_to_the_call_that_needs_it():
    thought = RowCall("think", '{"thought": "hm"}')
    turns = [RowTurn("assistant", [thought, RowCall("bash", "{}")]), *answers(None), END]
    assert settle(turns) == (None, {"ids": 2, "order": 1}, ["call_0", "call_1"], ["call_1"])


ids = st.sampled_from([None, "a", "b", "c"])
conversations = st.lists(
    st.one_of(
        st.lists(ids, min_size=1, max_size=3).map(lambda found: asks(*found)),
        ids.map(lambda id: answers(id)[0]),
        st.sampled_from(["user", "assistant"]).map(RowTurn),
    ),
    max_size=10,
)


@settings(max_examples=300)
@given(conversations)
def test_what_is_settled_needs_no_repair_a_second_time(turns):
    if settle(turns)[0] is None:
        reason, repaired, calls, _ = settle(turns, ())
        assert reason is None
        assert repaired == {}
        assert len(set(calls)) == len(calls)
