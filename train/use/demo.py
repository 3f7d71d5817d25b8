"""`aj demo --train`: the whole path on a CPU, with a tiny model that is made on the spot.

Curate, approve, freeze, train, stop half-way, resume, merge, export, answer. What comes out is no use but to
show that every step works here.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from curation.errors import Refusal
from curation.release.approval import approve
from curation.release.freeze import freeze
from curation.row import message
from train.model.tiny import write_tiny_model
from train.run.output import Documents
from train.run.train import Finished, train
from train.run.trainer import quiet

BASE_ID, CODE = "demo/tiny-qwen2", "TinyQwen2"
CONTEXT = 512
STEPS = 40
SETTINGS: dict[str, Any] = {
    "lora_r": 16,
    "lora_alpha": 32,
    "lora_dropout": 0.0,
    "batch_size": 4,
    "gradient_accumulation_steps": 1,
    "max_steps": STEPS,
    "max_seq_length": CONTEXT,
    "learning_rate": 1e-2,
    "warmup_steps": 4,
    "save_steps": STEPS // 2,
    "eval_steps": STEPS // 2,
    "logging_steps": 5,
    "gradient_checkpointing": False,
}
QUESTION = "When do I water the garden?"
# The recipe, the dataset's folder → nothing: how a caller curates.
Curate = Callable[[Path, Path], None]


@dataclass(frozen=True)
class Demo:
    """What the demo made."""

    run: Finished
    base: Path
    folder: Path

    def as_text(self) -> str:
        """What was made and how the loss went. Raises Refusal when it did not fall."""
        losses = self.run.record["losses"]
        first, last = losses["first loss"], losses["last loss"]
        if not last < first:
            raise Refusal(f"the loss did not fall: {first:.3f}, then {last:.3f}")
        return (
            f"adapter  {self.run.out}, stopped and resumed half-way\n"
            f"loss     {first:.3f} at first, {last:.3f} at last"
        )


def write_demo(folder: Path, recipe: Path) -> Path:
    """A copy of the demo recipe in `folder`, for a tiny model made beside it. Returns the copy.

    The tokenizer learns its words from the demo's own files, so that rows are short.
    """
    values = yaml.safe_load(recipe.read_text(encoding="utf-8"))
    root = (recipe.parent / values["data_root"]).resolve()
    texts = [
        path.read_text(encoding="utf-8", errors="replace")
        for path in sorted(root.rglob("*"))
        if path.suffix in {".jsonl", ".json", ".csv", ".txt"}
    ]
    base = write_tiny_model(folder / "base", texts, vocabulary=2_000, spread=0.08)
    values |= {
        "name": "demo_train",
        "base_model": {"id": BASE_ID, "code": CODE},
        "tokenizer": {"path": str(base.resolve())},
        "data_root": str(root),
        "train": SETTINGS,
    }
    values["stages"] = with_length(values["stages"])
    copy = folder / "recipe.yaml"
    copy.write_text(yaml.safe_dump(values, sort_keys=False), encoding="utf-8")
    return copy


def with_length(stages: list[Any]) -> list[Any]:
    """The stages with `length` before the duplicates are looked for, so that every row fits."""
    place = stages.index("exact_duplicates")
    length: Mapping[str, Any] = {"length": {"max_tokens": CONTEXT, "too_long": "split"}}
    return [*stages[:place], length, *stages[place:]]


def train_demo(
    folder: Path, recipe: Path, curate: Curate, documents: Documents | None = None, *, force: bool = False
) -> Demo:
    """Curate, approve, freeze and train in `folder`, with a stop and a resume half-way.

    The approval is recorded as unattended. Raises as the steps do.
    """
    quiet()
    copy = write_demo(folder, recipe)
    data = folder / "data"
    curate(copy, data)
    if not (data / "approval.json").is_file():
        approve(data, "aj demo", "made by `aj demo --train`", attended=False)
    frozen = freeze(data, folder / "frozen.yaml", force=force)
    given: dict[str, Any] = {
        "data": data,
        "base_model": folder / "base",
        "out": folder / f"AJ-{CODE}-v1.0.0-lora",
        "documents": documents,
    }
    try:
        run = train(frozen, **given, pause_at=STEPS // 2, force=force, replace=not force)
    except KeyboardInterrupt as stopped:
        if f"stopped at step {STEPS // 2} " not in str(stopped):
            raise
        run = train(frozen, **given, resume=True, force=force)
    return Demo(run, folder / "base", folder)


def ship_demo(demo: Demo) -> Iterator[str]:
    """Merge, export and let llama.cpp answer; what each step made, and what is left out without it."""
    from train.run.model_folder import find_model
    from train.ship.export import export
    from train.ship.merge import merge
    from train.ship.quantise import has_llama
    from train.use.inference import open_inference, prompt_ids, text_of

    merged = merge(demo.run.out, demo.folder / "merged", base=demo.base, force=True)
    yield f"merged   {merged.out}"
    here = has_llama()
    for file in export(demo.run.out, ["q8_0", "q4_k_m"][: 1 + here], base=demo.base, force=True):
        yield file.as_text().partition("\nnext")[0]
        if not here:
            yield "left out q4_k_m and an answer from llama.cpp"
            return
        answering = open_inference(find_model(file.path), demo.base)
        prompt = prompt_ids(answering.encoder, [message("user", QUESTION)], None)
        said = text_of(answering.encoder, answering.answer(prompt, 12))
        yield f"asked    {QUESTION!r}, llama.cpp answers {said!r}"
