import hashlib

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from curation.row import (
    NO_LOSS,
    close_row,
    decode,
    digest,
    encode,
    is_trained,
    kept_keys,
    mask,
    message,
    open_row,
    ranks_of,
    root_digest,
    row_id,
    seeded,
    without_loss,
)


def test_ranks_are_the_digests_of_the_row_module():
    rows = pl.DataFrame({"id": ["x", "y"]})
    assert ranks_of(rows, 17).to_list() == [digest(17, "x"), digest(17, "y")]
    assert seeded("order", rows["id"], 17, 1).to_list() == [digest(17, "x", 1), digest(17, "y", 1)]


def test_the_root_is_the_digest_of_split_id_and_repeat():
    lines = [("train", "sha256:aa", 1), ("train", "sha256:aa", 2), ("eval", "sha256:bb", 1)]
    text = b"train\tsha256:aa\t1\ntrain\tsha256:aa\t2\neval\tsha256:bb\t1\n"
    assert root_digest(lines) == hashlib.sha256(text).hexdigest()


masked_rows = st.lists(st.tuples(st.booleans(), st.sampled_from(["marked", "copy", "so"])), max_size=6)


@given(masked_rows, st.none() | st.just('{"repair":"x","stage":"read"}'))
def test_an_open_row_carries_the_reasons_of_its_turns_wherever_they_go(turns, notes):
    messages = [message("assistant", f'{n}: ,"weight":0') for n in range(len(turns))]
    for said, (is_masked, reason) in zip(messages, turns, strict=True):
        if is_masked:
            mask(said, reason)
            mask(said, "later")
    text, noted = close_row(messages, notes)
    expected = {n: reason for n, (is_masked, reason) in enumerate(turns) if is_masked}
    assert without_loss(noted) == expected
    assert text.count(NO_LOSS) == len(expected)
    assert [is_trained(said) for said in decode(text)] == [not is_masked for is_masked, _ in turns]
    # A turn is taken out in front: what is known of the others moves with them.
    moved, told = close_row(open_row(text, noted)[1:], noted)
    assert without_loss(told) == {n - 1: reason for n, reason in expected.items() if n}
    assert close_row(open_row(moved, told), told) == (moved, told)


def test_the_digest_of_a_row_without_masks_does_not_know_of_them():
    said = [message("user", "a"), message("assistant", "b")]
    from_shard = [kept_keys({**one, "weight": None}) for one in said]
    assert row_id(encode(from_shard), None) == row_id(encode(said), None)
    mask(said[1], "marked")
    assert row_id(close_row(said, None)[0], None) != row_id(encode(from_shard), None)
