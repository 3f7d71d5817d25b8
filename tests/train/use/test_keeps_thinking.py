"""A tiny model that thinks before it answers is trained on rows without a thought, and asked again."""

import json
import random

import pytest
import torch
import yaml
from frozen_dataset import TRAIN
from small_recipe import no_documents, write_jsonl
from transformers import AutoModelForCausalLM

from curation.commands.whole_way import evaluate_step
from curation.errors import Refusal
from curation.jobs.curate import curate
from curation.release.approval import approve
from curation.release.freeze import freeze
from curation.rendering.template import built_in
from curation.row import message
from curation.sealed import read_sealed
from train.data.encoding import Encoder
from train.data.gatekeeper import admit
from train.model.tiny import write_tiny_model
from train.run.model_folder import find_model
from train.run.train import train
from train.ship.evaluation import Evaluation
from train.use.forgetting import files_of, manner_of, take
from train.use.inference import open_inference

BEDS = ("mint", "thyme", "sage", "kale", "leek", "rose", "bean", "pea", "beet", "chard")
# As DeepSeek's distills have it: a turn that was said lost its thought, the one to come opens it.
OWN = (
    "{{ bos_token }}{% for m in messages %}{% if m.role == 'user' %}<\uff5cUser\uff5c>{{ m.content }}"
    "{% else %}<\uff5cAssistant\uff5c>{{ m.content.split('</think>')[-1] }}{{ eos_token }}{% endif %}"
    "{% endfor %}{% if add_generation_prompt %}<\uff5cAssistant\uff5c><think>\n{% endif %}"
)
SETTINGS = {
    **TRAIN,
    "lora_r": 8,
    "lora_alpha": 16,
    "lora_dropout": 0.0,
    "batch_size": 8,
    "gradient_accumulation_steps": 1,
    "max_steps": 60,
    "max_seq_length": 64,
    "packing": False,
    "warmup_steps": 2,
    "save_steps": 1_000,
    "eval_steps": 1_000,
    "logging_steps": 20,
    "gradient_checkpointing": False,
}


def counts():
    """(bed, when, how many) of twenty beds."""
    drawn = random.Random(5)
    return [(bed, when, drawn.randint(10, 99)) for bed in BEDS for when in ("now", "later")]


def thoughts():
    """A row of each, with its thought."""
    return [
        [
            message("user", f"How many {bed} {when}?"),
            message("assistant", f"<think>\n{bed} {when} {number}\n</think>\n\n{number}"),
        ]
        for bed, when, number in counts()
    ]


def thinking_base(folder):
    """A model that answers all of them behind a thought, whether its prompt opens it or not."""
    rows = thoughts()
    write_tiny_model(folder, [built_in("aj_r1").render(row, None) for row in rows], spread=0.05)
    (folder / "chat_template.jinja").write_text(OWN)
    examples = [
        several[0]
        for thinking in ("as_is", "empty")
        for several in Encoder(folder, built_in("aj_r1", thinking)).examples([(row, None) for row in rows])
    ]
    shape = len(examples), max(len(one.ids) for one in examples)
    ids, labels = torch.zeros(shape, dtype=torch.long), torch.full(shape, -100)
    for place, one in enumerate(examples):
        own = torch.from_numpy(one.ids.astype("int64"))
        ids[place, : len(own)] = own
        labels[place, : len(own)] = torch.where(torch.from_numpy(one.trained), own, -100)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype="float32").train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    for _ in range(80):
        # Padding stands behind all that is trained, where nothing of it is seen.
        model(input_ids=ids, labels=labels).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    model.save_pretrained(folder)
    return folder


def trained(folder, base, thinking, thinking_rows=()):
    """An adapter trained on forty answers without a thought, and what it takes to measure it."""
    folder.mkdir()
    rows = [
        [message("user", f"How many {bed} {when}?"), message("assistant", f"I see {bed}.")]
        for bed in BEDS
        for when in ("today", "soon", "at noon", "then")
    ]
    write_jsonl(folder / "rows.jsonl", [{"messages": row} for row in (*rows, *thinking_rows)])
    asked = [(f"How many {bed} {when}?", {"number": n}) for bed, when, n in counts() if when == "now"]
    write_jsonl(folder / "beds.jsonl", [{"question": one, "answer": right} for one, right in asked])
    recipe = {
        "name": "beds",
        "version": "1.0.0",
        "seed": 17,
        "base_model": {"id": "example/tiny", "code": "Tiny"},
        "sources": {"rows": {"uri": "rows.jsonl", "reader": "messages", "group": "custom"}},
        "mixture": {"shares": {"custom": 1.0}, "max_repeat": 1},
        "split": {"eval": 0},
        "stages": ["normalise", "chat"],
        "gates": [],
        "evaluation": [
            {"questions": "beds.jsonl", "name": "beds", "max_tokens": 32},
            {"metric": "questions.beds.thinks_change", "min": -0.5},
        ],
        "train": {**SETTINGS, "thinking": thinking},
    }
    (folder / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    data = curate(folder / "recipe.yaml", documents=no_documents, out=folder / "data", workers=1).dataset
    approve(data, "Test Person")
    frozen = freeze(data, folder / "frozen.yaml")
    done = train(frozen, data=data, base_model=base, out=folder / "AJ-Tiny-v1.0.0-lora")
    return done.out, frozen, data


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return thinking_base(tmp_path_factory.mktemp("thinks") / "base")


@pytest.mark.slow
def test_rows_without_a_thought_cost_a_model_its_thinking_and_the_bound_on_it_stops_the_run(tmp_path, base):
    adapter, frozen, data = trained(tmp_path / "as_is", base, "as_is")
    with pytest.raises(Refusal, match=r"failed: questions.beds.thinks_change -1 \(min -0.5\)"):
        evaluate_step(base, adapter, frozen, data, False)
    found = read_sealed(adapter / "evaluation.json", Evaluation)
    assert found.base["questions.beds.thinks_share"].value == 1.0
    assert found.base["questions.beds.right_share"].value == 1.0
    assert found.metrics["questions.beds.right_change"].high < -0.5
    assert found.lost[0]["base"].endswith("</think>\n\n89")
    assert "0 of 40 rows" in (adapter / "README.md").read_text()
    # What it lost is the habit of opening a thought: where the prompt does, it thinks as before.
    speaker = open_inference(find_model(adapter, base))
    said = take(
        speaker, files_of(admit(frozen, data)), manner_of(speaker.encoder, base, own=True), 64, "model"
    )
    assert all(one.thinks and one.right for one in said["questions.beds"])


@pytest.mark.slow
def test_behind_empty_thoughts_most_of_its_thinking_stays(tmp_path, base):
    adapter, frozen, data = trained(tmp_path / "empty", base, "empty")
    assert evaluate_step(base, adapter, frozen, data, False).startswith("questions.beds.thinks_change")
    found = read_sealed(adapter / "evaluation.json", Evaluation)
    assert found.metrics["questions.beds.thinks_share"].low > 0.5
    assert json.loads((adapter / "run.json").read_text())["settings"]["thinking"] == "empty"


@pytest.mark.slow
def test_a_fifth_of_rows_with_thoughts_keeps_all_of_it(tmp_path, base):
    later = [row for row in thoughts() if "later" in row[0]["content"]]
    adapter, frozen, data = trained(tmp_path / "mixed", base, "as_is", later)
    evaluate_step(base, adapter, frozen, data, False)
    found = read_sealed(adapter / "evaluation.json", Evaluation)
    assert found.metrics["questions.beds.thinks_change"].value == 0
    assert found.files["questions.beds"].in_train == 0
    assert "10 of 50 rows (20.0\u00a0%)" in (adapter / "README.md").read_text()
