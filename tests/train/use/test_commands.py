"""aj merge, export, evaluate and try: what they print, and their exit codes."""

import io
import json
import shutil
import sys

import pytest
from frozen_dataset import frozen_dataset
from tiny_adapter import tiny_adapter

import aj
from curation.release.frozen import read_frozen


@pytest.fixture
def made(tmp_path):
    """An adapter whose recipe asks for a loss of at most 99."""
    found = frozen_dataset(tmp_path, evaluation=[{"metric": "loss", "max": 99.0}])
    frozen = read_frozen(found.frozen)
    digest = frozen.as_dict()["self_sha256"]
    run = {
        "frozen": {"name": frozen.name, "version": frozen.version, "self_sha256": digest},
        "evaluation": [{"metric": "loss", "max": 99.0, "min": None}],
    }
    tiny_adapter(found.out, found.base, run=run)
    return found


def test_an_adapter_and_its_merged_model_become_the_same_file(tmp_path, made, capsys):
    model, base = str(made.out), ["--base-model", str(made.base)]
    assert aj.main(["merge", model, *base]) == 0
    merged = tmp_path / "AJ-Tiny-v1.0.0-merged"
    assert f"next    aj evaluate {merged} --frozen FILE" in capsys.readouterr().out

    assert aj.main(["export", model, "--quant", "q8_0", *base]) == 1
    assert "asks for an evaluation" in capsys.readouterr().err
    assert aj.main(["evaluate", model, "--frozen", str(made.frozen), "--data", str(made.data), *base]) == 0
    told = capsys.readouterr().out
    assert "passed     loss" in told
    assert "meaning    loss: nats per token" in told
    assert told.index("loss_change: the loss less") < told.index("passed     loss")

    for source, out in ((model, "one"), (str(merged), "two")):
        assert (
            aj.main(["export", source, "--quant", "q8_0", "--out", str(tmp_path / out), "--json", *base]) == 0
        )
        (record,) = json.loads(capsys.readouterr().out)
        assert record["file"] == "AJ-Tiny-v1.0.0-q8.gguf"
        assert record["evaluation_sha256"]
    one, two = (tmp_path / name / record["file"] for name in ("one", "two"))
    assert one.read_bytes() == two.read_bytes()


@pytest.mark.parametrize("kind", ["adapter", pytest.param("gguf", marks=pytest.mark.llama)])
def test_a_model_answers_what_is_typed(tmp_path, made, capsys, monkeypatch, kind):
    model, base = str(made.out), ["--base-model", str(made.base)]
    if kind == "gguf":
        assert (
            aj.main(["evaluate", model, "--frozen", str(made.frozen), "--data", str(made.data), *base]) == 0
        )
        assert aj.main(["export", model, "--quant", "q8_0", *base]) == 0
        assert "tried    in llama.cpp" in capsys.readouterr().out
        model, base = str(tmp_path / "AJ-Tiny-v1.0.0-q8.gguf"), []
    monkeypatch.setattr(sys, "stdin", io.StringIO("hello\n"))
    assert aj.main(["try", model, "--tools", "--max-tokens", "8", *base]) == 0
    assert len(capsys.readouterr().out) > 1


@pytest.mark.llama
def test_a_gguf_file_is_measured_without_its_base_model(tmp_path, made, capsys):
    data = ["--frozen", str(made.frozen), "--data", str(made.data)]
    base = ["--base-model", str(made.base)]
    assert aj.main(["evaluate", str(made.out), *data, *base]) == 0
    assert aj.main(["export", str(made.out), "--quant", "q8_0", *base]) == 0
    file = tmp_path / "AJ-Tiny-v1.0.0-q8.gguf"
    assert f"next     aj try {file}, or: ollama" in capsys.readouterr().out
    shutil.rmtree(made.base)
    assert aj.main(["evaluate", str(file), *data, "--max-tokens", "4"]) == 0
    told = capsys.readouterr().out
    assert "passed     loss" in told
    assert told.endswith(f"next       aj try {file}\n")


def test_a_failed_bound_is_a_no(made, capsys, monkeypatch):
    monkeypatch.setattr(
        "train.use.evaluate.expectations", lambda _: [{"metric": "loss", "max": 0.1, "min": None}]
    )
    command = ["evaluate", str(made.out), "--frozen", str(made.frozen), "--data", str(made.data)]
    assert aj.main([*command, "--base-model", str(made.base)]) == 1
    assert "FAILED     loss" in capsys.readouterr().out


@pytest.mark.parametrize("command", ["merge", "export", "evaluate", "try"])
def test_a_wrong_request_is_one_line_and_exit_2(tmp_path, capsys, command):
    assert aj.main([command, str(tmp_path / "absent")]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith(f"aj {command}: ")
    assert shown.err.count("\n") == 1
