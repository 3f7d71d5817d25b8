from types import SimpleNamespace

import numpy as np
import pytest
import torch
from tiny_model import tiny_model

from curation.errors import Refusal
from curation.recipe.load import TrainSettings
from train.data.packing import Collator, Sequences
from train.model.base import find_base
from train.model.leaks import check_packing, leak
from train.model.load_model import load

SMALL = TrainSettings(lora_r=4, gradient_checkpointing=False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tiny_model(tmp_path_factory.mktemp("base"))


def test_packed_examples_do_not_see_each_other(folder):
    model = load(find_base("example/tiny", folder=folder), SMALL).model
    assert leak(model, [5, 6, 7, 8], [9, 10, 11], 400, Collator(0, 64), 2) < 1e-5
    assert leak(model, [5, 6, 7, 8], [9, 10, 11], 400, Collator(0, 64, flat=True), 2) < 1e-5


def test_the_leak_test_finds_a_leak(folder):
    model = load(find_base("example/tiny", folder=folder), SMALL).model
    forward = model.forward

    def leaking(**given):
        given.pop("position_ids")
        return forward(**given)

    model.forward = leaking
    sequences = Sequences(np.arange(7, dtype=np.int32), np.ones(7, dtype=np.bool_), np.array([0, 4, 7]))
    with pytest.raises(Refusal, match="packed examples see each other with this model's attention"):
        check_packing(model, sequences, 400, Collator(0, 64), 1)


def test_the_leak_test_finds_what_leaks_only_in_a_batch_of_several(folder):
    """As flash attention does in transformers: it reads positions of a single row alone."""
    model = load(find_base("example/tiny", folder=folder), SMALL).model
    forward = model.forward

    def flash(**given):
        if len(given["input_ids"]) > 1:
            given.pop("position_ids")
        return forward(**given)

    model.forward = flash
    sequences = Sequences(np.arange(7, dtype=np.int32), np.ones(7, dtype=np.bool_), np.array([0, 4, 7]))
    check_packing(model, sequences, 400, Collator(0, 64, flat=True), 2)
    with pytest.raises(Refusal, match="packed examples see each other"):
        check_packing(model, sequences, 400, Collator(0, 64), 2)


class Split(torch.nn.Module):
    """As Unsloth leaves a model on a card with little room: the embedding is not where the adapter is."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = torch.nn.Parameter(torch.zeros(400, 1, device="meta"), requires_grad=False)
        self.adapter = torch.nn.Parameter(torch.ones(400))

    def forward(self, input_ids, position_ids):
        return SimpleNamespace(logits=(self.adapter[input_ids] * input_ids).unsqueeze(-1))


def test_the_leak_test_goes_to_where_the_adapter_is():
    assert leak(Split(), [5, 6, 7, 8], [9, 10, 11], 400, Collator(0, 64), 1) == 0.0
