"""One training step of a 32B and of a 7B on one GPU: seconds, tokens/s, MFU, peak memory.

    python -m benchmarks.train_gpu [--data DATASET] [--steps N] [--arm NAME]... [--check] [--record]

Weights are random and made on the GPU: time and memory do not depend on their values. Arms:

full      plain peft, every sequence one row of 2,048 tokens: what the roofline speaks of
grouped   plain peft, rows of like length together, padded to the longest, no packing
packed    plain peft, best-fit packing as `aj train` does it
unsloth   the same packing, model and kernels patched by Unsloth (the `gpu` extra)
7b        packed, a 7B in 4 bits with 24 GB of memory allowed (recipes/rtx4090_7b.yaml)

Each runs in a process of its own, so that one that runs out of memory is a line of the table. A step is
16 sequences: forward and backward in batches of 2 (7b: 1), clipping, AdamW. Token lengths are those of a
dataset's written rows (--data), else drawn from a log-normal distribution (stated in the table).
`--check` runs the path on a CPU with a tiny model and writes nothing. Of the project's packages only
msgspec and orjson are needed beside torch, transformers and peft (and polars for --data), so two wheels
bring it to a machine without a network.
"""

import argparse
import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import msgspec
import torch
from peft import get_peft_model
from transformers import AutoConfig, AutoModelForCausalLM

from benchmarks.results import can_record, machine, write_section
from curation.recipe.load import TrainSettings
from train.data.packing import IGNORED, Collator, best_fit
from train.data.steps import effective_batch
from train.model.families.table import KNOWN
from train.model.gpus import GPUS, step_flops
from train.model.load_model import attention, check_device, load, lora_config
from train.model.tiny import tiny_tokenizer

ARMS = ("full", "grouped", "packed", "unsloth", "7b")
BIG, SMALL = "deepseek-ai/DeepSeek-R1-Distill-Qwen-32B", "deepseek-ai/DeepSeek-R1-Distill-Qwen-7B"
SMALL_BYTES = 24e9
WARM_UP = 2
# Median and spread of the stand-in lengths: e^5.9 is 365 tokens.
STAND_IN = (5.9, 0.9)
TINY: dict[str, Any] = {**KNOWN[SMALL], "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2,
                        "num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 512}  # fmt: skip
# As `aj train` computes.
DTYPE = torch.bfloat16 if torch.cuda.is_available() else torch.float32

Batch = dict[str, torch.Tensor]


@dataclass(frozen=True)
class Measured:
    """One arm: medians over the timed steps; memory in GiB, MFU of the full model's operations."""

    arm: str
    step_s: float
    useful_tokens_per_s: float
    fill: float
    mfu: float | None
    memory_gib: float | None
    problem: str | None = None


def settings_of(arm: str, *, check: bool) -> TrainSettings:
    """What an arm trains with."""
    settings = TrainSettings(max_steps=1, seed=17)
    if arm == "7b":
        settings = msgspec.structs.replace(
            settings, lora_r=32, lora_alpha=64, lora_dropout=0.0, load_in_4bit=not check, batch_size=1,
            gradient_accumulation_steps=16, optimizer="paged_adamw_8bit",
        )  # fmt: skip
    if check:
        settings = msgspec.structs.replace(
            settings, lora_r=4, max_seq_length=64, gradient_accumulation_steps=2, optimizer="adamw_torch"
        )
    return settings


def row_lengths(data: Path | None, capacity: int, count: int) -> list[int]:
    """Tokens of written rows, at most `capacity`, in an order of chance that is always the same."""
    if data is not None:
        import polars as pl  # only here, so that a machine without it can measure

        column = pl.scan_parquet(data / "train/*.parquet").select("tokens").collect()["tokens"]
        lengths = [int(tokens) for tokens in column.drop_nulls() if tokens <= capacity]
        if not lengths:
            raise SystemExit(f"{data}: its rows have no tokens counted; curate with a tokenizer")
    else:
        drawn, (median, spread) = random.Random(17), STAND_IN
        scale = capacity / 2048
        lengths = [min(capacity, int(drawn.lognormvariate(median, spread) * scale) + 8) for _ in range(count)]
    random.Random(18).shuffle(lengths)
    return lengths[:count]


def rows_of(arm: str, lengths: Sequence[int], settings: TrainSettings) -> list[list[int]]:
    """The sequences of an arm, each as the lengths of the examples in it."""
    capacity = settings.max_seq_length
    if arm == "full":
        return [[capacity] for _ in lengths]
    if arm == "grouped":
        return [[length] for length in grouped(lengths, settings)]
    packs = [[lengths[place] for place in pack] for pack in best_fit(lengths, capacity)]
    random.Random(19).shuffle(packs)
    return packs


def grouped(lengths: Sequence[int], settings: TrainSettings) -> Iterator[int]:
    """Lengths sorted within chunks of 50 updates, batches in an order of chance: grouping by length."""
    chunk, batch = 50 * effective_batch(settings), settings.batch_size
    drawn = random.Random(20)
    for start in range(0, len(lengths), chunk):
        ordered = sorted(lengths[start : start + chunk], reverse=True)
        batches = [ordered[place : place + batch] for place in range(0, len(ordered), batch)]
        drawn.shuffle(batches)
        for several in batches:
            yield from several


def batch_of(arm: str, rows: Sequence[list[int]], vocabulary: int, capacity: int, device: str) -> Batch:
    """A batch of random ids: padded with an attention mask, or packed as `aj train` gives it to the model."""
    if arm == "grouped":
        width = max(map(sum, rows))
        ids = torch.randint(0, vocabulary, (len(rows), width))
        mask = torch.tensor([[1] * sum(row) + [0] * (width - sum(row)) for row in rows])
        batch = {"input_ids": ids, "labels": ids.masked_fill(mask == 0, IGNORED), "attention_mask": mask}
    else:
        flat = arm == "unsloth" or "flash" in attention(DTYPE)
        collate = Collator(0, capacity, multiple=capacity, flat=flat, lengths=arm == "unsloth")
        batch = collate([joined(row, vocabulary) for row in rows])
    return {name: tensor.to(device) for name, tensor in batch.items()}


def joined(lengths: Sequence[int], vocabulary: int) -> dict[str, list[int]]:
    """Examples of random ids end to end, all of them trained."""
    ids = torch.randint(0, vocabulary, (sum(lengths),)).tolist()
    positions = [place for length in lengths for place in range(length)]
    labels = [token if place else IGNORED for token, place in zip(ids, positions, strict=True)]
    return {"input_ids": ids, "labels": labels, "position_ids": positions}


def build(arm: str, settings: TrainSettings, *, check: bool) -> Any:
    """The model of an arm with random weights and its adapter."""
    config = TINY if check else KNOWN[SMALL if arm == "7b" else BIG]
    known = {key: value for key, value in config.items() if key != "architectures"}
    if arm == "unsloth":
        return build_unsloth(known, settings)
    if arm == "7b" and not check:
        return build_small(known, settings)
    cuda = torch.cuda.is_available()
    automatic: Any = AutoModelForCausalLM
    with torch.device("cuda" if cuda else "cpu"):
        model = automatic.from_config(
            AutoConfig.for_model("qwen2", **known), dtype=DTYPE, attn_implementation=attention(DTYPE)
        )
    model.config.use_cache = False
    adapted = get_peft_model(model, lora_config(settings))
    if settings.gradient_checkpointing:
        adapted.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
        adapted.enable_input_require_grads()
    return adapted


def build_unsloth(known: Mapping[str, Any], settings: TrainSettings) -> Any:
    """The model as `aj train` has Unsloth load it, weights made on the GPU: 65 GB of them need no disk."""
    from train.model.base import Base

    automatic: Any = AutoModelForCausalLM
    config = AutoConfig.for_model("qwen2", **known)
    config.architectures, config.dtype = ["Qwen2ForCausalLM"], DTYPE

    def made(*_: Any, **given: Any) -> Any:
        with torch.device("cuda"):
            return automatic.from_config(given.get("config") or config, dtype=DTYPE)

    with tempfile.TemporaryDirectory() as folder:
        config.save_pretrained(folder)
        tiny_tokenizer().save_pretrained(folder)
        base = Base(BIG, None, None, Path(folder), config.to_dict(), "")
        with mock.patch.object(automatic, "from_pretrained", made):
            return load(base, settings, backend="unsloth").model


def build_small(known: Mapping[str, Any], settings: TrainSettings) -> Any:
    """A 7B through `train.model.load_model.load`, as `aj train` loads it, within 24 GB."""
    from train.model.base import find_base

    check_device(settings)  # before 15 GB are written
    automatic: Any = AutoModelForCausalLM
    with tempfile.TemporaryDirectory() as folder:
        config = AutoConfig.for_model("qwen2", **known)
        config.architectures = ["Qwen2ForCausalLM"]
        with torch.device("cuda"):
            model = automatic.from_config(config, dtype=torch.bfloat16)
        model.save_pretrained(folder)
        del model
        torch.cuda.empty_cache()
        whole = torch.cuda.get_device_properties(0).total_memory
        torch.cuda.set_per_process_memory_fraction(min(1.0, SMALL_BYTES / whole))
        torch.cuda.reset_peak_memory_stats()
        loaded = load(find_base(SMALL, folder=Path(folder)), settings).model
    if settings.gradient_checkpointing:
        loaded.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    return loaded


def optimiser_of(model: Any, settings: TrainSettings) -> Any:
    """AdamW, in 8 bits where the settings ask for it."""
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    if "8bit" in settings.optimizer:
        import bitsandbytes

        return bitsandbytes.optim.PagedAdamW8bit(weights, lr=1e-4)
    return torch.optim.AdamW(weights, lr=1e-4)


def measure(arm: str, data: Path | None, steps: int, *, check: bool) -> Measured:
    """Run an arm in this process."""
    settings = settings_of(arm, check=check)
    cuda = torch.cuda.is_available()
    device = "cuda" if cuda else "cpu"
    effective, capacity = effective_batch(settings), settings.max_seq_length
    lengths = row_lengths(data, capacity, 40 * effective * (steps + WARM_UP))
    sequences = rows_of(arm, lengths, settings)
    torch.manual_seed(17)
    model = build(arm, settings, check=check)
    model.train()
    optimiser = optimiser_of(model, settings)
    vocabulary = int(model.config.vocab_size)
    times, useful, widths = [], [], []
    for step in range(steps + WARM_UP):
        rows = [sequences[n % len(sequences)] for n in range(step * effective, (step + 1) * effective)]
        batches = [
            batch_of(arm, rows[start : start + settings.batch_size], vocabulary, capacity, device)
            for start in range(0, effective, settings.batch_size)
        ]
        started = now(cuda)
        for batch in batches:
            with torch.autocast(device, torch.bfloat16, enabled=cuda):
                loss = model(**batch, use_cache=False).loss / len(batches)
            loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        if step >= WARM_UP:
            times.append(now(cuda) - started)
            useful.append(sum(map(sum, rows)))
            widths.append(sum(batch["input_ids"].numel() for batch in batches))
    step_s, tokens, computed = statistics.median(times), sum(useful), sum(widths)
    card = torch.cuda.get_device_name() if cuda else ""
    peak = next((gpu.tflops for name, gpu in GPUS.items() if name in card), None)
    # Operations that the model needs, recomputing left out, for the tokens that were computed.
    needed = step_flops(
        TINY if check else KNOWN[SMALL if arm == "7b" else BIG],
        msgspec.structs.replace(settings, gradient_checkpointing=False),
    ) * (computed / len(times) / (effective * capacity))
    return Measured(
        arm=arm,
        step_s=step_s,
        useful_tokens_per_s=tokens / sum(times),
        fill=tokens / computed,
        mfu=needed / step_s / (peak * 1e12) if peak else None,
        memory_gib=torch.cuda.max_memory_allocated() / 2**30 if cuda else None,
    )


def now(cuda: bool) -> float:
    """Seconds, once the GPU has done what was asked of it."""
    if cuda:
        torch.cuda.synchronize()
    return time.perf_counter()


def in_a_process(arm: str, data: Path | None, steps: int, *, check: bool) -> Measured:
    """Run an arm in a process of its own; a failure is its last line."""
    command = [sys.executable, "-m", "benchmarks.train_gpu", "--one", arm, "--steps", str(steps)]
    command += ["--data", str(data)] if data else []
    command += ["--check"] if check else []
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return Measured(**json.loads(done.stdout.splitlines()[-1]))
    lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
    return Measured(arm, 0.0, 0.0, 0.0, None, None, problem=lines[-1][:160] if lines else "it ended")


def table(found: Sequence[Measured], data: Path | None, steps: int) -> str:
    """The section of RESULTS.md."""
    lengths = f"the written rows of {data.name}" if data else "log-normal, median 365 tokens (a stand-in)"
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU"
    rows = [
        "## A training step",
        "",
        f"`python -m benchmarks.train_gpu --steps {steps}`, {device}, "
        f"{machine('torch', 'transformers', 'peft')}. Lengths: {lengths}.",
        "",
        "| arm | s per step | useful tokens/s | fill | MFU | peak GiB |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for one in found:
        if one.problem:
            rows.append(f"| {one.arm} | {one.problem} | | | | |")
            continue
        mfu = f"{one.mfu:.0%}" if one.mfu is not None else "unknown"
        memory = f"{one.memory_gib:.1f}" if one.memory_gib is not None else "not measured"
        speed = f"{one.step_s:.2f} | {one.useful_tokens_per_s:,.0f}"
        rows.append(f"| {one.arm} | {speed} | {one.fill:.1%} | {mfu} | {memory} |")
    by_arm = {one.arm: one for one in found if not one.problem}
    if {"grouped", "packed"} <= set(by_arm):
        gain = by_arm["packed"].useful_tokens_per_s / by_arm["grouped"].useful_tokens_per_s
        rows += ["", f"Packing gives {gain:.2f} times the useful tokens of grouping by length."]
    return "\n".join(rows)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the arms, print the table, and record it if asked."""
    parser = argparse.ArgumentParser(description="Measure training steps on a GPU.")
    parser.add_argument("--data", type=Path, default=None, help="a dataset whose rows give the lengths")
    parser.add_argument("--steps", type=int, default=10, help="timed steps per arm")
    parser.add_argument("--arm", action="append", choices=ARMS, default=None)
    parser.add_argument("--check", action="store_true", help="run the path on a CPU with a tiny model")
    can_record(parser)
    parser.add_argument("--one", choices=ARMS, default=None, help=argparse.SUPPRESS)
    args = parser.parse_args(arguments)
    if args.one:
        print(json.dumps(measure(args.one, args.data, args.steps, check=args.check).__dict__))
        return 0
    if args.check and args.record:
        parser.error("--check measures nothing that belongs on record")
    if not args.check and not torch.cuda.is_available():
        print("no CUDA GPU here; --check runs the path on a CPU with a tiny model", file=sys.stderr)
        return 2
    if args.check:
        # Threads that wait for each other on a busy machine take ten times as long as one.
        torch.set_num_threads(1)
    arms = args.arm or [arm for arm in ARMS if not (args.check and arm == "unsloth")]
    run = measure if args.check else in_a_process
    found = [run(arm, args.data, args.steps, check=args.check) for arm in arms]
    text = table(found, args.data, args.steps)
    print(text)
    if args.record:
        write_section("train_gpu", text)
    return 1 if any(one.problem for one in found) else 0


if __name__ == "__main__":
    sys.exit(main())
