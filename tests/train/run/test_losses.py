"""Losses are nats per trained token: of an update, of what is logged, of the eval split."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_model import tiny_model
from transformers import AutoModelForCausalLM, TrainingArguments

from train.data.packing import Collator, PackedRun, Sequences, best_fit
from train.run.trainer import MeanOverTokens, silence

CAPACITY = 48
# An example: how many tokens it has, and which of them are trained; one that is not its first always is.
EXAMPLES = st.lists(
    st.integers(2, CAPACITY).flatmap(
        lambda length: st.lists(st.booleans(), min_size=length - 1, max_size=length - 1).map(
            lambda trained: [*trained, True]
        )
    ),
    min_size=1,
    max_size=9,
)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    torch.set_num_threads(1)
    loaded = AutoModelForCausalLM.from_pretrained(tiny_model(tmp_path_factory.mktemp("model")))
    loaded.config.use_cache = False
    return loaded


def sequences(masks: list[list[bool]]) -> Sequences:
    starts = np.concatenate([[0], np.cumsum([len(mask) for mask in masks])]).astype(np.int64)
    ids = np.random.default_rng(5).integers(0, 300, starts[-1]).astype(np.int32)
    return Sequences(ids, np.concatenate(masks).astype(np.bool_), starts)


def by_hand(model, examples: Sequences, places: list[int]) -> float:
    """Every example by itself: nats of its trained tokens, its first left out, over how many these are."""
    nats, tokens = 0.0, 0
    for place, (start, end) in enumerate(pairwise(examples.starts)):
        ids = torch.tensor(examples.ids[start:end], dtype=torch.int64)
        with torch.no_grad():
            logits = model(input_ids=ids[None]).logits[0, :-1].double()
        lost = torch.nn.functional.cross_entropy(logits, ids[1:], reduction="none")
        trained = torch.tensor(examples.trained[start + 1 : end])
        nats += places.count(place) * float(lost[trained].sum())
        tokens += places.count(place) * int(trained.sum())
    return nats / tokens


def trainer_of(model, folder, run: PackedRun, **arguments) -> MeanOverTokens:
    made = MeanOverTokens(
        model=model,
        args=TrainingArguments(
            output_dir=str(folder), use_cpu=True, report_to=[], disable_tqdm=True, label_names=["labels"],
            prediction_loss_only=True, remove_unused_columns=False, train_sampling_strategy="sequential",
            dataloader_pin_memory=False, save_strategy="no", **arguments,
        ),
        train_dataset=run,
        eval_dataset=run,
        data_collator=Collator(pad_id=0, capacity=CAPACITY, multiple=8),
    )  # fmt: skip
    silence(made)
    return made


@settings(max_examples=8)
@given(EXAMPLES)
def test_eval_loss_is_the_mean_over_tokens_whatever_the_batch_packed_or_not(model, tmp_path_factory, masks):
    examples = sequences(masks)
    expected = by_hand(model, examples, list(range(len(masks))))
    packed = best_fit(examples.lengths(), CAPACITY)
    for packs in (packed, [[place] for place in range(len(masks))]):
        run = PackedRun(examples, packs, len(packs), seed=1)
        for batch in (1, 2, 4):
            trainer = trainer_of(model, tmp_path_factory.getbasetemp(), run, per_device_eval_batch_size=batch)
            assert trainer.evaluate()["eval_loss"] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(("batch", "accumulation"), [(1, 4), (2, 2), (4, 1)])
def test_a_logged_loss_is_the_mean_over_the_tokens_of_all_updates_since_the_last(
    model, tmp_path, batch, accumulation
):
    # One trained token beside dozens: a mean of means would be far off.
    masks = [[False] * 30 + [True] * (1 if place % 3 else 17) for place in range(11)]
    examples = sequences(masks)
    packs = [[place] for place in range(len(masks))]
    run = PackedRun(examples, packs, 5 * 4, seed=1)
    trainer = trainer_of(
        model, tmp_path, run, max_steps=5, learning_rate=0.0, logging_steps=2, logging_first_step=True,
        per_device_train_batch_size=batch, gradient_accumulation_steps=accumulation,
    )  # fmt: skip
    model.eval()
    trainer.train()
    model.eval()
    logged = [(line["step"], line["loss"]) for line in trainer.state.log_history if "loss" in line]
    order = [*run.order(0).tolist(), *run.order(1).tolist()]
    for (before, _), (step, loss) in pairwise([(0, 0.0), *logged]):
        assert loss == pytest.approx(by_hand(model, examples, order[4 * before : 4 * step]), rel=1e-5)
    assert [step for step, _ in logged] == [1, 2, 4]
