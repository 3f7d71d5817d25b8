"""Unsloth itself, as it is published, through our loading and our runs: same losses, same adapter.

On a machine without a card its code runs over CPU tensors and its kernels in Triton's interpreter
(cuda_stand_in.py): what it computes is shown here, how fast it is is not. Each check is a process of its
own, as Unsloth changes transformers and peft for good.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[2]
TRAIN = {
    "max_steps": 2,
    "max_seq_length": 64,
    "warmup_steps": 0,
    "learning_rate": 1e-2,
    "batch_size": 1,
    "gradient_accumulation_steps": 2,
    "gradient_checkpointing": True,
    "save_steps": 1,
    "eval_steps": 9,
}
# Rounding of 16 bits, and of 32, over two layers.
HALF, FULL = 1e-2, 1e-4

pytestmark = [pytest.mark.unsloth, pytest.mark.slow]


def check(name, folder, **settings):
    """What a check of unsloth_checks.py found; it runs in an empty folder."""
    empty = folder / "empty"
    empty.mkdir()
    paths = os.pathsep.join([str(TESTS.parent), str(TESTS)])
    done = subprocess.run(
        [sys.executable, str(TESTS / "unsloth_checks.py"), name, str(folder / "made"), json.dumps(settings)],
        capture_output=True,
        text=True,
        cwd=empty,
        env={**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    *printed, found = done.stdout.splitlines()
    return {**json.loads(found), "printed": printed}


# Architectures, and what Unsloth does otherwise: fused kernels in 16 bits, checkpoints on the host.
CASES = [
    {"kind": "qwen2", "dtype": "float32"},
    {
        "kind": "qwen2",
        "dtype": "float16",
        "settings": {"gradient_checkpointing": True, "max_seq_length": 512},
    },
    {"kind": "qwen3", "dtype": "float16", "settings": {"use_rslora": True}},
    {"kind": "llama", "dtype": "float16", "config": {"tie_word_embeddings": True}},
    {"kind": "mistral", "dtype": "float16", "settings": {"target_modules": ["q_proj", "v_proj"]}},
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['kind']}-{case['dtype']}")
def test_loss_and_gradients_of_packed_examples_are_those_of_plain_peft(tmp_path, case):
    found = check("gradients", tmp_path, **case)
    assert found["how"]["backend"] == "unsloth"
    assert found["how"]["patched_layers"] == 2
    assert found["losses"][0] == pytest.approx(found["losses"][1], rel=1e-4)
    assert found["names"]
    assert found["worst"] < (FULL if case["dtype"] == "float32" else HALF)
    assert found["leak"] < 1e-5
    assert found["network"] == []


def test_a_run_ends_with_the_adapter_of_plain_peft_and_resumes_bit_for_bit(tmp_path):
    found = check("runs", tmp_path, **TRAIN)
    assert found["how"] == {"peft": "peft", "unsloth": "unsloth", "resumed": "unsloth"}
    for plain, unsloth in zip(found["metrics"]["peft"], found["metrics"]["unsloth"], strict=True):
        assert unsloth == pytest.approx(plain, rel=1e-4)
    assert len(found["metrics"]["peft"]) == 2
    assert found["worst"] < FULL
    assert found["resumed_equal"]
    assert found["same_config"]
    assert found["put_back"], "another model in the same process runs through Unsloth's code"
    assert found["left"] == [], "files in the user's folder"
    assert found["printed"] == [], "what Unsloth prints is no result"
    assert found["network"] == []


# bitsandbytes, too, computes here on the CPU; there it cannot train once it has evaluated.
SMALL = {"load_in_4bit": True, "optimizer": "paged_adamw_8bit", "packing": False, "eval_steps": 99}


@pytest.mark.parametrize(("settings", "dtype"), [({}, "bfloat16"), (SMALL, "nf4")])
def test_plain_peft_trains_on_a_card_and_resumes_bit_for_bit(tmp_path, settings, dtype):
    found = check("card", tmp_path, **{**TRAIN, "max_seq_length": 320, "max_steps": 4, **settings})
    assert found["how"]["backend"] == "peft"
    assert (found["how"]["device"], found["how"]["dtype"]) == ("Stand-in", dtype)
    assert len(found["losses"]) == 4
    assert found["losses"][-1] < found["losses"][0]
    assert found["resumed_equal"]
    assert found["network"] == []


def test_the_benchmark_measures_it(tmp_path):
    found = check("benchmark", tmp_path)
    assert found["measured"]["useful_tokens_per_s"] > 0
    assert found["measured"]["problem"] is None
