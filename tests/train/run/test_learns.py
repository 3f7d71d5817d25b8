"""The path ends in a model that learnt: slow tests that look at what is said, not at how."""

import json
import random
import signal
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from frozen_dataset import TRAIN, Frozen
from small_recipe import no_documents, write_jsonl

import aj
from curation.jobs.curate import curate
from curation.release.approval import approve
from curation.release.freeze import freeze
from curation.rendering.template import built_in
from curation.row import message
from train.model.tiny import write_tiny_model
from train.run.model_folder import find_model
from train.run.train import train
from train.use.inference import open_inference, prompt_ids, text_of
from train.use.tool_calls import Score, Tools, parse_answer, score

# Matrices this small are slower on several threads.
torch.set_num_threads(1)

TOOLS = json.dumps(
    [
        {
            "name": "water",
            "parameters": {
                "type": "object",
                "properties": {"bed": {"type": "string"}, "litres": {"type": "integer"}},
                "required": ["bed", "litres"],
                "additionalProperties": False,
            },
        }
    ]
)
BEDS = ("mint", "thyme", "sage", "kale", "leek", "rose", "bean", "pea", "beet", "chard")
SETTINGS = {
    **TRAIN,
    "lora_r": 64,
    "lora_alpha": 128,
    "lr_scheduler": "cosine",
    "lora_dropout": 0.0,
    "batch_size": 4,
    "gradient_accumulation_steps": 1,
    "max_steps": 110,
    "max_seq_length": 512,
    "learning_rate": 3e-3,
    "warmup_steps": 10,
    "save_steps": 1_000,
    "eval_steps": 1_000,
    "logging_steps": 20,
    "gradient_checkpointing": False,
}


def conversations() -> list[list[dict[str, Any]]]:
    """Twenty requests, each answered with a call of its own."""
    drawn = random.Random(5)
    rows = []
    for number in range(20):
        bed, when = BEDS[number % 10], ("now", "later")[number // 10]
        arguments = json.dumps({"bed": bed, "litres": drawn.randint(2, 99)})
        call = {"id": "call00001", "name": "water", "arguments": arguments}
        rows.append([message("user", f"{bed} {when}"), message("assistant", None, tool_calls=[call])])
    return rows


def frozen_calls(folder: Path) -> Frozen:
    """Those rows, curated, approved and frozen, and a base model with random weights."""
    write_jsonl(folder / "calls.jsonl", [{"messages": row, "tools": TOOLS} for row in conversations()])
    recipe = {
        "name": "calls",
        "version": "1.0.0",
        "seed": 17,
        "base_model": {"id": "example/tiny", "code": "Tiny"},
        "sources": {"calls": {"uri": "calls.jsonl", "reader": "messages", "group": "custom"}},
        "mixture": {"shares": {"custom": 1.0}, "max_repeat": 1},
        "split": {"eval": 0},
        "stages": ["normalise", "chat"],
        "gates": [],
        "train": SETTINGS,
    }
    (folder / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    data = curate(folder / "recipe.yaml", documents=no_documents, out=folder / "data", workers=1).dataset
    approve(data, "Test Person")
    frozen = freeze(data, folder / "frozen.yaml")
    texts = [built_in("aj_r1").render(row, TOOLS) for row in conversations()]
    base = write_tiny_model(folder / "base", texts, spread=0.08)
    return Frozen(frozen, data, base, folder / "AJ-Tiny-v1.0.0-lora")


@pytest.mark.slow
def test_a_tiny_model_learns_twenty_calls_and_makes_the_right_ones(tmp_path):
    run = frozen_calls(tmp_path)
    done = train(run.frozen, **run.kwargs)
    model = open_inference(find_model(done.out, run.base))
    scores = []
    for asked, answered in conversations():
        ids = model.answer(prompt_ids(model.encoder, [asked], TOOLS), 64)
        answer = parse_answer(text_of(model.encoder, ids))
        scores.append(score(answer, answered["tool_calls"], Tools(TOOLS)))
    assert scores == [Score(parsed=True, valid=True, name=True, arguments=True)] * 20


@pytest.mark.slow
@pytest.mark.llama
def test_the_demo_goes_the_whole_way_and_on_after_ctrl_c(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(
        "train.run.callbacks.Measure.on_step_begin", lambda *_, **__: signal.raise_signal(signal.SIGINT)
    )
    assert aj.main(["demo", "--train", "--out", str(tmp_path)]) == 130
    assert "stopped at step 1 of 40, all of it saved; the same command goes on" in capsys.readouterr().err
    monkeypatch.undo()
    assert aj.main(["demo", "--train", "--out", str(tmp_path)]) == 0
    told = capsys.readouterr().out
    for said in ("stopped and resumed half-way", "merged", "Q8_0", "Q4_K", "llama.cpp answers"):
        assert said in told
    assert aj.main(["demo", "--train", "--out", str(tmp_path)]) == 0


@pytest.mark.slow
def test_the_demo_without_llama_cpp_does_all_the_rest_and_says_what_it_left_out(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr("train.ship.quantise.has_llama", lambda: False)
    monkeypatch.setattr("train.ship.export.has_llama", lambda: False)
    assert aj.main(["demo", "--train", "--out", str(tmp_path)]) == 0
    told = capsys.readouterr()
    for said in ("stopped and resumed half-way", "merged", "Q8_0", "pip install", "left out q4_k_m"):
        assert said in told.out
    assert "Writing model shards" not in told.err
