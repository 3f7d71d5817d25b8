"""The GPU benchmark's path, on a CPU with a tiny model."""

import subprocess
import sys
from pathlib import Path

import torch

from benchmarks.train_gpu import batch_of, main, row_lengths, rows_of, settings_of
from train.data.packing import IGNORED


def test_check_runs_every_arm_but_unsloth(capsys):
    assert main(["--check", "--steps", "1"]) == 0
    told = capsys.readouterr().out
    for arm in ("full", "grouped", "packed", "7b"):
        assert f"| {arm} | " in told
    assert "times the useful tokens of grouping by length" in told


def test_without_a_gpu_nothing_is_measured(capsys):
    if not torch.cuda.is_available():
        assert main([]) == 2
        assert "no CUDA GPU here" in capsys.readouterr().err


def test_packed_arms_compute_less_padding_than_grouped_ones():
    settings = settings_of("packed", check=False)
    lengths = row_lengths(None, settings.max_seq_length, 4_000)
    packed = rows_of("packed", lengths, settings)
    assert sum(map(sum, packed)) / (len(packed) * settings.max_seq_length) > 0.99
    grouped = rows_of("grouped", lengths, settings)
    assert sorted(n for group in grouped for n in group) == sorted(lengths)


def test_padding_is_masked_one_way_or_the_other():
    packed = batch_of("packed", [[3, 2]], 50, 8, "cpu")
    assert packed["position_ids"].tolist() == [[0, 1, 2, 0, 1, 0, 1, 2]]
    assert packed["labels"][0, 5:].tolist() == [IGNORED] * 3
    flat = batch_of("unsloth", [[3, 2], [4]], 50, 8, "cpu")
    assert flat["position_ids"].tolist() == [[0, 1, 2, 0, 1, 0, 1, 2, 3, 0, 1, 2, 3, 4, 5, 6]]
    assert flat["packed_seq_lengths"].tolist() == [3, 2, 4, 7]
    padded = batch_of("grouped", [[5], [2]], 50, 8, "cpu")
    assert padded["attention_mask"].tolist() == [[1] * 5, [1, 1, 0, 0, 0]]


def test_it_starts_on_a_machine_with_few_of_the_project_s_packages():
    absent = ("polars", "pyarrow", "numba", "datasketch", "zstandard", "jsonschema", "jsonschema_rs")
    code = f"import sys\nfor name in {absent}: sys.modules[name] = None\nimport benchmarks.train_gpu"
    root = Path(__file__).resolve().parents[2]
    subprocess.run([sys.executable, "-c", code], cwd=root, check=True)
