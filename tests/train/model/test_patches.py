"""What Unsloth patches is undone once training is over, as far as another model could meet it."""

import sys
from contextlib import nullcontext
from types import SimpleNamespace

import peft
import pytest
import torch
from tiny_model import tiny_model
from transformers import AutoModelForCausalLM
from transformers.models.qwen2 import modeling_qwen2

from train.model.patches import put_back

QWEN2 = {"architectures": ["Qwen2ForCausalLM"]}


def patch_as_unsloth_does() -> None:
    """The classes of an architecture and a name of its module, for one model, but for all of them."""
    forward = modeling_qwen2.Qwen2ForCausalLM.forward

    def all_logits(self, *args, logits_to_keep=0, **given):
        return forward(self, *args, **given)  # a tensor of places is not heeded

    modeling_qwen2.Qwen2ForCausalLM.forward = all_logits
    modeling_qwen2.Qwen2Attention.forward = lambda *_, **__: None
    modeling_qwen2.Qwen2Attention.one_more = True
    modeling_qwen2.Qwen2RotaryEmbedding = torch.nn.Identity
    peft.PeftModelForCausalLM.forward = lambda *_, **__: None


@pytest.mark.parametrize("error", [None, KeyboardInterrupt])
def test_a_model_loaded_after_training_runs_the_stock_code(tmp_path, monkeypatch, error):
    base = tiny_model(tmp_path / "base")
    model = AutoModelForCausalLM.from_pretrained(base)
    places, ids = torch.tensor([1, 3]), torch.tensor([[5, 6, 7, 8]])
    with torch.no_grad():
        before = model(input_ids=ids, logits_to_keep=places).logits
    monkeypatch.setitem(sys.modules, "unsloth", SimpleNamespace())
    stock = peft.PeftModelForCausalLM.forward
    with pytest.raises(error) if error else nullcontext(), put_back(QWEN2):
        patch_as_unsloth_does()
        if error:
            raise error
    with torch.no_grad():
        after = AutoModelForCausalLM.from_pretrained(base)(input_ids=ids, logits_to_keep=places).logits
    assert torch.equal(before, after)
    assert not hasattr(modeling_qwen2.Qwen2Attention, "one_more")
    assert peft.PeftModelForCausalLM.forward is stock
