"""Best-fit packing, the order of a run, and what the model is given."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from train.data.packing import IGNORED, Collator, PackedRun, Sequences, best_fit, epoch_order, fill_rate

CAPACITY = 64
LENGTHS = st.lists(st.integers(1, CAPACITY), max_size=60)


def sequences(lengths) -> Sequences:
    starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    ids = np.arange(starts[-1], dtype=np.int32) + 100
    return Sequences(ids, np.ones(len(ids), dtype=np.bool_), starts)


@given(LENGTHS)
def test_every_example_is_packed_once_and_no_pack_is_over_full(lengths):
    packs = best_fit(lengths, CAPACITY)
    assert sorted(place for pack in packs for place in pack) == list(range(len(lengths)))
    assert all(sum(lengths[place] for place in pack) <= CAPACITY for pack in packs)


@given(LENGTHS)
def test_no_two_packs_could_be_one(lengths):
    totals = sorted(sum(lengths[place] for place in pack) for pack in best_fit(lengths, CAPACITY))
    assert len(totals) < 2 or totals[0] + totals[1] > CAPACITY


def test_best_fit_takes_the_least_room_that_is_enough():
    assert best_fit([40, 50, 14, 24], CAPACITY) == [[1, 2], [0, 3]]


def test_real_lengths_fill_their_sequences():
    lengths = np.random.default_rng(1).lognormal(5.5, 0.9, 5_000).clip(20, 2048).astype(int).tolist()
    assert fill_rate(lengths, best_fit(lengths, 2048), 2048) > 0.99


def test_positions_start_again_and_first_tokens_are_no_targets():
    assert sequences([3, 2]).joined([1, 0]) == {
        "input_ids": [103, 104, 100, 101, 102],
        "labels": [IGNORED, 104, IGNORED, 101, 102],
        "position_ids": [0, 1, 0, 1, 2],
    }


def test_padding_is_an_example_without_targets():
    rows = [sequences([3, 2]).joined([0]), sequences([3, 2]).joined([1])]
    batch = Collator(pad_id=7, capacity=64, multiple=4)(rows)
    assert set(batch) == {"input_ids", "labels", "position_ids"}
    assert batch["input_ids"].tolist() == [[100, 101, 102, 7], [103, 104, 7, 7]]
    assert batch["labels"].tolist() == [[IGNORED, 101, 102, IGNORED], [IGNORED, 104, IGNORED, IGNORED]]
    assert batch["position_ids"].tolist() == [[0, 1, 2, 0], [0, 1, 0, 1]]


def test_a_flat_batch_is_one_row_with_one_padding_and_the_length_of_every_example():
    rows = [sequences([3, 2, 1]).joined([0, 2]), sequences([3, 2, 1]).joined([1])]
    batch = Collator(pad_id=7, capacity=64, multiple=4, flat=True, lengths=True)(rows)
    assert batch["input_ids"].tolist() == [[100, 101, 102, 105, 103, 104, 7, 7]]
    assert batch["position_ids"].tolist() == [[0, 1, 2, 0, 0, 1, 0, 1]]
    assert batch["packed_seq_lengths"].tolist() == [3, 1, 2, 2]
    full = Collator(pad_id=7, capacity=6, flat=True, lengths=True)([sequences([6]).joined([0])] * 3)
    assert full["input_ids"].shape == (1, 18)
    assert full["packed_seq_lengths"].tolist() == [6, 6, 6]


def test_each_epoch_has_every_pack_in_an_order_of_its_own():
    run = PackedRun(sequences([10] * 9), [[n] for n in range(9)], 27, seed=17)
    epochs = [[run[n]["input_ids"][0] for n in range(start, start + 9)] for start in (0, 9, 18)]
    assert all(sorted(epoch) == sorted(epochs[0]) for epoch in epochs)
    assert epochs[0] != epochs[1] != epochs[2]


def test_the_order_does_not_depend_on_what_was_asked_before():
    run = PackedRun(sequences([10] * 9), [[n] for n in range(9)], 27, seed=17)
    forward = [run[n]["input_ids"] for n in range(27)]
    assert [run[n]["input_ids"] for n in reversed(range(27))] == forward[::-1]
    assert epoch_order(9, 17, 1).tolist() == epoch_order(9, 17, 1).tolist() != epoch_order(9, 18, 1).tolist()


@given(first=st.integers(0, 30), count=st.integers(0, 30))
def test_tokens_are_counted_across_epochs(first, count):
    lengths = [5, 7, 11, 2]
    run = PackedRun(sequences(lengths), [[0], [1, 3], [2]], 60, seed=3)
    expected = sum(len(run[n]["input_ids"]) for n in range(first, first + count))
    assert run.tokens(first, first + count) == expected


MASKS = st.lists(st.lists(st.booleans(), min_size=1, max_size=9), min_size=1, max_size=9)


@given(masks=MASKS, first=st.integers(0, 12), count=st.integers(0, 12))
def test_targets_are_the_labels_that_the_model_is_given(masks, first, count):
    starts = np.concatenate([[0], np.cumsum([len(mask) for mask in masks])]).astype(np.int64)
    trained = np.concatenate(masks)
    examples = Sequences(np.zeros(len(trained), dtype=np.int32), trained, starts)
    run = PackedRun(examples, best_fit(examples.lengths(), CAPACITY), 24, seed=3)
    labels = [label for n in range(first, first + count) for label in run[n]["labels"]]
    assert run.targets(first, first + count) == sum(label != IGNORED for label in labels)


def test_there_is_nothing_after_the_last_sequence():
    with pytest.raises(IndexError):
        PackedRun(sequences([3]), [[0]], 2, seed=1)[2]
