"""What the tasks find out about a row without decoding it."""

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from curation.engine.tasks import first_user, masked, trainable, uncounted, with_ids
from curation.row import decode, encode, frame, message, row_ids, without_loss

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
tricky = st.sampled_from(
    ['"role":"user"', '"content":"x","name":null,"role":"user"', "\\", '\\"', " \n\t", ""]
)
turn = st.builds(message, st.sampled_from(["system", "user", "assistant", "tool"]), st.none() | text | tricky)


@given(st.lists(turn, max_size=5), st.lists(turn, max_size=5))
def test_rows_share_a_first_user_digest_exactly_when_that_message_is_equal_and_not_empty(one, other):
    def content(messages):
        found = next((m["content"] for m in messages if m["role"] == "user"), None)
        return found if found and found.strip(" \n\t\r\f\v\u00a0\u2028\u2029") else None

    digests = first_user(pl.Series([encode(one), encode(other)]))
    for messages, digest in zip((one, other), digests, strict=True):
        if content(messages) is not None and content(messages).strip():
            assert digest is not None
        if content(messages) is None:
            assert digest is None
    if None not in digests:
        assert (digests[0] == digests[1]) == (content(one) == content(other))


def test_token_counts_do_not_outlive_a_stage_that_may_change_the_text():
    rows = pl.DataFrame({"messages": ["[]"], "tokens": [7]}, schema_overrides={"tokens": pl.UInt32})
    assert uncounted(rows)["tokens"].to_list() == [None]


def test_every_row_has_the_id_of_what_it_says_now_whatever_a_stage_did_to_it():
    before = frame([[message("user", text)] for text in "abcde"], ["[]", None, "[]", None, None])
    before = before.with_columns(id="input_id")
    # A stage dropped b, rewrote a, took the tools of c, and split d in two; e stays.
    after = pl.concat(
        [before[[0, 2]], before[[3, 3]].with_columns(piece=pl.Series([1, 2], dtype=pl.UInt32)), before[[4]]]
    )
    texts = [encode([message("user", text)]) for text in ("A", "c", "d1", "d2", "e")]
    after = after.drop("id").with_columns(
        messages=pl.Series(texts), tools=pl.Series(["[]", None, None, None, None])
    )
    found = with_ids(after, before)
    assert found["id"].to_list() == row_ids(after["messages"], after["tools"])
    assert found["id"][4] == before["id"][4]
    assert found.drop("id").equals(after)


def test_turns_that_a_stage_over_all_rows_named_carry_no_loss_from_then_on():
    said = [message("user", "a"), message("assistant", "b"), message("assistant", "c") | {"weight": 0}]
    rows = frame([said, said]).with_columns(pl.Series("id", ["old", "old"]))
    found = masked(rows, {(1, 0): [1, 2]})
    assert found[0].equals(rows[0])
    assert [m.get("weight") for m in decode(found["messages"][1])] == [None, 0, 0]
    assert without_loss(found["notes"][1]) == {1: "copy", 2: "marked"}
    assert found["id"][1] == row_ids(found["messages"], found["tools"])[1]


def test_a_row_without_a_turn_that_carries_loss_is_nothing_to_train_on():
    user, wrong, right = (
        message("user", "a"),
        message("assistant", "b") | {"weight": 0},
        message("assistant", "c"),
    )
    kept, dropped = trainable(frame([[user, wrong], [user, wrong, user, right], [user, right], [user]]))
    assert kept["pos"].to_list() == [1, 2, 3]
    assert dropped.select("pos", "reason", "detail").rows() == [(0, "nothing_to_train", '{"turns":1}')]
