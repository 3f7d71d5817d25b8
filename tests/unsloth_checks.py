"""What test_unsloth.py asks of the real Unsloth, each in a process of its own: CHECK FOLDER SETTINGS.

Prints one JSON object as its last line. `network` in it are the addresses that something tried to reach.
"""

import json
import socket
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import cuda_stand_in  # before torch is used
import tiny_dataset
import torch
from frozen_dataset import Frozen, frozen_dataset
from safetensors.torch import load_file
from tiny_model import tiny_model
from transformers import AutoConfig, AutoModelForCausalLM

import train.model.load_model
import train.run.train
from benchmarks import train_gpu
from curation.recipe.load import TrainSettings
from train.data.packing import Collator
from train.model.base import Base, find_base
from train.model.leaks import leak
from train.model.load_model import Loaded

KEPT = (
    "vocab_size",
    "hidden_size",
    "intermediate_size",
    "num_hidden_layers",
    "rms_norm_eps",
    "rope_parameters",
)
ADAPTER = {"lora_r": 4, "lora_alpha": 8, "lora_dropout": 0.0, "max_seq_length": 256}
LENGTHS = ((20, 11, 9), (21, 17))
load = train.model.load_model.load


def small_base(folder: Path, kind: str = "qwen2", **config: Any) -> Path:
    """The tiny base model with one pair of heads, as interpreted kernels work head by head."""
    tiny_model(folder)
    known = json.loads((folder / "config.json").read_text())
    config = {**{key: known[key] for key in KEPT}, "tie_word_embeddings": False, **config}
    config = {"head_dim": 128, "num_attention_heads": 2, "num_key_value_heads": 1, **config}
    if kind == "mistral":
        config["sliding_window"] = None
    torch.manual_seed(1)
    AutoModelForCausalLM.from_config(AutoConfig.for_model(kind, **config)).save_pretrained(folder)
    return folder


def begin(model: Any) -> dict[str, torch.nn.Parameter]:
    """The same adapter for both: each draws its own. Returns its weights."""
    weights = {name: weight for name, weight in model.named_parameters() if weight.requires_grad}
    drawn = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for name in sorted(weights):
            weights[name].copy_(torch.randn(weights[name].shape, generator=drawn) * 0.05)
    return weights


def packed_rows() -> list[dict[str, list[int]]]:
    """Two sequences of several examples, two thirds of each trained."""
    drawn = torch.Generator().manual_seed(3)
    rows = []
    for lengths in LENGTHS:
        examples = [torch.randint(5, 400, (length,), generator=drawn).tolist() for length in lengths]
        rows.append(
            {
                "input_ids": [token for ids in examples for token in ids],
                "position_ids": [place for ids in examples for place in range(len(ids))],
                "labels": [-100 if 3 * n < len(ids) else x for ids in examples for n, x in enumerate(ids)],
            }
        )
    return rows


def one_step(loaded: Loaded, batch: Mapping[str, Any]) -> tuple[float, dict[str, torch.Tensor]]:
    """Loss and gradients of the adapter."""
    weights = begin(loaded.model)
    loaded.model.train()
    loss = loaded.model(**batch, num_items_in_batch=(batch["labels"] != -100).sum()).loss
    loss.backward()
    return loss.item(), {
        name: weight.grad.float() for name, weight in weights.items() if weight.grad is not None
    }


def gradients(folder: Path, asked: Mapping[str, Any]) -> dict[str, Any]:
    """One step by plain peft and by Unsloth, with the same adapter on the same packed examples."""
    dtype = getattr(torch, asked["dtype"])
    train.model.load_model.compute_dtype = lambda _: dtype
    base = find_base("example/tiny", folder=small_base(folder, asked["kind"], **asked.get("config", {})))
    settings = TrainSettings(**{**ADAPTER, "gradient_checkpointing": False, **asked.get("settings", {})})
    rows = packed_rows()
    plain, expected = one_step(load(base, settings, backend="peft"), Collator(0, 256, multiple=8)(rows))
    collator = Collator(0, 256, multiple=8, flat=True, lengths=True)
    loaded = load(base, settings, backend="unsloth")
    found = leak(loaded.model, [5, 6, 7, 8], [9, 10, 11], 400, collator, 2)
    loss, got = one_step(loaded, collator(rows))
    return {
        "how": loaded.how,
        "losses": [plain, loss],
        "names": sorted(expected) == sorted(got),
        "worst": max(far(expected[name], got[name]) for name in expected),
        "leak": found,
    }


def far(expected: torch.Tensor, got: torch.Tensor) -> float:
    """The distance of two tensors, relative to the first."""
    return float((expected.float() - got.float()).norm() / expected.float().norm())


def runs(folder: Path, asked: Mapping[str, Any]) -> dict[str, Any]:
    """Whole runs of `aj train`: plain peft, Unsloth, and Unsloth stopped and resumed."""
    # Short rows without tool calls, as interpreted kernels take long over every token.
    conversation = tiny_dataset.conversation
    tiny_dataset.conversation = lambda number: conversation(3 * number + 1)
    tiny_dataset.tools_of = lambda _: None
    made = frozen_dataset(folder, train={**ADAPTER, **asked})
    small_base(made.base)
    before = plain_logits(made.base)
    found = {name: trained(made, name, backend) for name, backend in BACKENDS.items()}
    after = plain_logits(made.base)
    adapters = {name: load_file(folder / name / "adapter_model.safetensors") for name in found}
    expected, got, resumed = (adapters[name] for name in BACKENDS)
    return {
        "how": {name: record["loaded"]["backend"] for name, record in found.items()},
        "metrics": {name: [[m["loss"], m["grad_norm"]] for m in steps(folder / name)] for name in found},
        "worst": max(far(expected[name], got[name]) for name in expected),
        "same_names": sorted(expected) == sorted(got),
        "resumed_equal": all(torch.equal(got[name], resumed[name]) for name in got),
        "same_config": configs(folder / "peft") == configs(folder / "unsloth"),
        "put_back": torch.equal(before, after),
        "left": sorted(path.name for path in Path.cwd().iterdir()),
    }


BACKENDS = {"peft": "peft", "unsloth": "unsloth", "resumed": "unsloth"}


def trained(made: Frozen, name: str, backend: str) -> Any:
    """The record of a run; the one named `resumed` stops after its first step and goes on."""

    def begun(base: Base, settings: TrainSettings) -> Loaded:
        loaded = load(base, settings, backend=backend)
        begin(loaded.model)
        return loaded

    train.run.train.load = begun
    options: Any = {"data": made.data, "base_model": made.base, "out": made.out.with_name(name)}
    if name == "resumed":
        try:
            train.run.train.train(made.frozen, **options, pause_at=1)
        except KeyboardInterrupt:
            options["resume"] = True
    return train.run.train.train(made.frozen, **options).record


def steps(adapter: Path) -> list[Any]:
    """The steps of a run's metrics."""
    lines = map(json.loads, (adapter / "metrics.jsonl").read_text().splitlines())
    return [line for line in lines if "grad_norm" in line]


def configs(adapter: Path) -> Any:
    """The adapter's settings; the order of the modules says nothing, nor does Unsloth's own mark."""
    known = json.loads((adapter / "adapter_config.json").read_text())
    known.pop("auto_mapping")
    return {key: sorted(value) if isinstance(value, list) else value for key, value in known.items()}


def plain_logits(base: Path) -> torch.Tensor:
    """What the base model says by transformers alone."""
    with torch.no_grad():
        model = AutoModelForCausalLM.from_pretrained(str(base))
        return model(torch.arange(5, 45)[None], logits_to_keep=torch.tensor([3, 39])).logits


def card(folder: Path, asked: Mapping[str, Any]) -> dict[str, Any]:
    """A run as on a card by plain peft, and one stopped and resumed."""
    cuda_stand_in.available()
    made = frozen_dataset(folder, train={**ADAPTER, "max_seq_length": 320, **asked})
    found = {name: trained(made, name, "peft") for name in ("whole", "resumed")}
    whole, resumed = (load_file(folder / name / "adapter_model.safetensors") for name in found)
    return {
        "how": found["whole"]["loaded"],
        "losses": [line["loss"] for line in steps(folder / "whole")],
        "resumed_equal": all(torch.equal(whole[name], resumed[name]) for name in whole),
    }


def benchmark(folder: Path, asked: Mapping[str, Any]) -> dict[str, Any]:
    """Unsloth's arm of the benchmark, one step of a tiny model."""
    train_gpu.WARM_UP = 0
    return {"measured": train_gpu.measure("unsloth", None, 1, check=True).__dict__}


CHECKS: dict[str, Callable[[Path, Mapping[str, Any]], dict[str, Any]]] = {
    "gradients": gradients,
    "runs": runs,
    "card": card,
    "benchmark": benchmark,
}


def main() -> None:
    """Run a check where nothing can be reached."""
    tried: list[str] = []

    def refuse(_: Any, address: Any) -> None:
        tried.append(str(address))
        raise OSError("nothing is reached from a test")

    socket.socket.connect = refuse  # type: ignore[method-assign]
    check, folder, settings = sys.argv[1:]
    found = CHECKS[check](Path(folder), json.loads(settings))
    print(json.dumps({**found, "network": tried}))


if __name__ == "__main__":
    main()
