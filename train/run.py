"""`aj train`: from a frozen recipe to an adapter. Read it from top to bottom.

Check, load, encode, pack, train, write. The order of sequences, the dropout and the optimiser are
functions of the frozen recipe alone, so a run that was stopped and resumed ends with the same adapter.
"""

import gc
import importlib.metadata
import logging
import math
import platform
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import torch
import transformers
from peft.optimizers import create_loraplus_optimizer
from transformers import Trainer, TrainingArguments

from curation.errors import CurationError, Refusal
from curation.files import file_digest
from curation.recipe import TrainSettings
from curation.rendering import Template, load_template
from curation.version import model_name
from train import checkpoints
from train.base import Base, check_vocabulary, find_base
from train.callbacks import Measure, Sealing, Stop
from train.checkpoints import Binding, Checkpoint
from train.encoding import Encoder
from train.examples import Examples, load_examples
from train.gate import Admitted, admit
from train.journal import METRICS, Journal, read_metrics, rewind_metrics, unattended
from train.leaks import check_packing
from train.model import Loaded, advice, load
from train.output import RUN, Documents, read_run, write_output
from train.packing import Collator, Pack, PackedRun, best_fit, fill_rate
from train.watch import Watch

PACKAGES = ("transformers", "peft", "accelerate", "tokenizers", "safetensors", "unsloth", "bitsandbytes")


@dataclass(frozen=True)
class Finished:
    """A finished run: the adapter's folder and its record. `reused`: it had been finished before."""

    out: Path
    record: Mapping[str, Any]
    reused: bool = False


@dataclass(frozen=True)
class Prepared:
    """All that a run needs but the model: the approved rows as packed sequences, and the binding."""

    admitted: Admitted
    settings: TrainSettings
    base: Base
    template: Template
    examples: Examples
    held_out: Examples
    packs: list[Pack]
    steps: int
    binding: Binding
    trial: bool

    @property
    def effective(self) -> int:
        """Sequences per update, whatever the batch became."""
        return self.settings.batch_size * self.settings.gradient_accumulation_steps

    @property
    def epochs(self) -> float:
        """Passes over the data."""
        return self.steps * self.effective / len(self.packs)

    @property
    def run(self) -> PackedRun:
        """The sequences in the order of training."""
        count = self.steps * self.effective
        return PackedRun(self.examples.sequences, self.packs, count, self.settings.seed or 0)


def train(
    frozen: Path,
    *,
    data: Path | None = None,
    base_model: Path | None = None,
    out: Path | None = None,
    resume: Path | bool = False,
    trial_steps: int | None = None,
    force: bool = False,
    documents: Documents | None = None,
) -> Finished:
    """Train the adapter of a frozen recipe.

    data         the dataset's folder; default build/<name>-v<version>
    base_model   the base model's folder; default the hub's cache
    out          default build/AJ-<code>-v<version>-lora; work files go to <out>.work
    resume       true goes on from the newest whole checkpoint, a path from that one
    trial_steps  stop after so many, and mark the adapter as a trial
    force        replace a finished adapter, or start a stopped run anew

    Raises Refusal when the data is not what was approved or the run had to be stopped, CurationError
    when something is missing, KeyboardInterrupt (after a checkpoint) on Ctrl-C.
    """
    admitted = admit(frozen, data)
    prepared = prepare(admitted, base_model, trial_steps)
    suffix = "lora-trial" if prepared.trial else "lora"
    code, version = admitted.recipe.base_model.code, admitted.recipe.version
    out = out or Path("build") / (model_name(code, version, "lora").removesuffix("lora") + suffix)
    work = out.with_name(f"{out.name}.work")
    saves = work / "checkpoints"

    done = finished_before(out, prepared, force)
    if done is not None:
        return done
    start, notes = starting_point(saves, prepared.binding, resume, force)
    if start is None:
        shutil.rmtree(work, ignore_errors=True)
    else:
        checkpoints.remove_after(saves, start.step)
        rewind_metrics(work, start.step)

    with Journal(work) as journal:
        quiet(transformers.utils.logging)
        for note in notes:
            journal.say(note)
        loaded = load(prepared.base, prepared.settings)
        journal.say(summary(prepared, loaded, start))
        if prepared.settings.packing:
            found = check_packing(loaded.model, prepared.examples.sequences, prepared.binding["vocabulary"])
            journal.say(f"packing   leak test passed ({found:.1g})")
        batches = run_to_the_end(prepared, loaded, journal, saves, start)
        record = run_record(prepared, loaded, journal, batches)
        told = write_output(
            out,
            loaded.model,
            base_folder=prepared.base.folder,
            template=prepared.template,
            record=record,
            metrics=(work / METRICS).read_bytes(),
            documents=documents,
        )
        journal.say(f"finished  {out}")
    return Finished(out, told)


def prepare(admitted: Admitted, base_model: Path | None, trial_steps: int | None) -> Prepared:
    """Encode and pack the approved rows for the base model. No weights are loaded."""
    settings, recipe = admitted.recipe.train, admitted.recipe
    base = find_base(recipe.base_model.id, recipe.base_model.revision, base_model)
    template = load_template(recipe.template, base.folder, root=recipe.data_folder)
    encoder = Encoder(base.folder, template)
    check_vocabulary(base.config, encoder.largest_id, base.folder)
    examples = load_examples(admitted, encoder, "train", settings.max_seq_length)
    held_out = load_examples(admitted, encoder, "eval", settings.max_seq_length)
    packs = packs_of(examples, settings)
    if not packs:
        raise Refusal(f"{admitted.path}: its train split holds no row")
    steps = steps_of(settings, len(packs))
    if trial_steps is not None:
        steps = min(trial_steps, steps)
    trial = trial_steps is not None
    binding = {
        "model": admitted.frozen.model,
        "root": admitted.frozen.root,
        "base_model": {"id": base.id, "fingerprint": base.fingerprint},
        "template": template.digest,
        "tokenizer": file_digest(base.folder / "tokenizer.json"),
        "vocabulary": encoder.largest_id + 1,
        "settings": msgspec.to_builtins(settings),
        "steps": steps,
        "trial": trial,
        "device": "cuda" if torch.cuda.is_available() else "cpu",
        "versions": versions(),
    }
    return Prepared(admitted, settings, base, template, examples, held_out, packs, steps, binding, trial)


def packs_of(examples: Examples, settings: TrainSettings) -> list[Pack]:
    """The sequences of a split: packed, or one example each."""
    lengths = examples.sequences.lengths()
    if settings.packing:
        return best_fit(lengths, settings.max_seq_length)
    return [[position] for position in range(len(lengths))]


def steps_of(settings: TrainSettings, packs: int) -> int:
    """Updates in all: as many as the recipe says, or as its epochs take."""
    if settings.max_steps is not None and settings.epochs is None:
        return settings.max_steps
    effective = settings.batch_size * settings.gradient_accumulation_steps
    assert settings.epochs is not None, "a resolved recipe has max_steps or epochs"
    return max(1, math.ceil(settings.epochs * packs / effective))


def finished_before(out: Path, prepared: Prepared, force: bool) -> Finished | None:
    """The run's answer if it was finished already. Raises CurationError when `out` holds another."""
    if force or not out.exists():
        return None
    if (out / RUN).is_file():
        record = read_run(out)
        if not list(checkpoints.differences(record["binding"], prepared.binding)):
            return Finished(out, record, reused=True)
    raise CurationError(f"{out}: holds something else already; use --force to replace it, or --out")


def starting_point(
    saves: Path, binding: Binding, resume: Path | bool, force: bool
) -> tuple[Checkpoint | None, list[str]]:
    """The checkpoint to go on from, null for the beginning, and what to say about it."""
    if isinstance(resume, Path):
        return checkpoints.open_checkpoint(resume, binding), []
    if resume:
        return checkpoints.newest(saves, binding)
    whole = [path for path in checkpoints.saved(saves) if (path / checkpoints.MARKER).is_file()]
    if whole and not force:
        raise CurationError(
            f"{whole[0]}: a run was stopped here; go on with --resume, or start anew with --force"
        )
    return None, []


def run_to_the_end(
    prepared: Prepared, loaded: Loaded, journal: Journal, saves: Path, start: Checkpoint | None
) -> list[dict[str, int]]:
    """Train to the last step, whatever the memory allows at once. Returns the batches used.

    Out of GPU memory halves the batch and lengthens the accumulation; the run goes on from the last
    step with the same sequences per update.
    """
    batch = start.batch if start else prepared.settings.batch_size
    used = [{"step": start.step if start else 0, "batch": batch}]
    while True:
        trainer, stop = make_trainer(prepared, loaded, journal, saves, batch)
        with unattended(journal.log_path, stop.ask):
            full = False
            try:
                trainer.train(resume_from_checkpoint=str(start.path) if start else None)
            except torch.cuda.OutOfMemoryError:
                full = True
            if full:
                smaller = next_batch(batch, prepared.effective)
                if smaller is None:
                    raise CurationError(
                        f"out of GPU memory at batch 1; {advice(prepared.settings)}, then freeze again"
                    )
                start = saved_after_failure(trainer, prepared, saves, start, smaller)
        if not full:
            break
        used.append({"step": start.step if start else 0, "batch": smaller or 1})
        longer = prepared.effective // (smaller or 1)
        message = f"out of GPU memory: batch {batch} → {smaller}, accumulation {longer}"
        journal.record("event", used[-1]["step"], {"what": "out_of_memory", "message": message})
        journal.say(f"step {used[-1]['step']:,}: {message}")
        batch = smaller or 1
        del trainer
        gc.collect()
        torch.cuda.empty_cache()
    if stop.reason is not None:
        raise Refusal(
            f"stopped at step {stop.reason.step:,}: {stop.reason.message}; the whole checkpoints before it "
            f"are in {saves}"
        )
    if stop.asked and trainer.state.global_step < prepared.steps:
        raise KeyboardInterrupt(
            f"stopped at step {trainer.state.global_step:,} of {prepared.steps:,}, all of it saved; "
            f"go on with --resume"
        )
    return used


def next_batch(batch: int, effective: int) -> int | None:
    """The next smaller batch that divides the sequences of an update; null below 1."""
    return next((size for size in range(batch // 2, 0, -1) if effective % size == 0), None)


def saved_after_failure(
    trainer: Any, prepared: Prepared, saves: Path, start: Checkpoint | None, batch: int
) -> Checkpoint | None:
    """A checkpoint of the last finished step, from what is still in memory."""
    trainer.model.zero_grad(set_to_none=True)
    torch.cuda.empty_cache()
    step = trainer.state.global_step
    if step == (start.step if start else 0):
        return replaced_batch(start, prepared, batch)
    trainer.state.train_batch_size = batch
    trainer._save_checkpoint(trainer.model, None)
    return checkpoints.seal(
        saves / f"checkpoint-{step}", prepared.binding, batch, prepared.effective // batch
    )


def replaced_batch(start: Checkpoint | None, prepared: Prepared, batch: int) -> Checkpoint | None:
    """The same checkpoint, from now on with a smaller batch."""
    if start is None:
        return None
    return checkpoints.seal(start.path, prepared.binding, batch, prepared.effective // batch)


def make_trainer(
    prepared: Prepared, loaded: Loaded, journal: Journal, saves: Path, batch: int
) -> tuple[Any, Stop]:
    """transformers' Trainer over the packed sequences, and what can stop it."""
    settings, run = prepared.settings, prepared.run
    cuda = torch.cuda.is_available()
    torch.use_deterministic_algorithms(not cuda)
    evaluates = len(prepared.held_out.sequences.starts) > 1 and settings.eval_steps <= prepared.steps
    arguments = TrainingArguments(
        output_dir=str(saves),
        max_steps=prepared.steps,
        per_device_train_batch_size=batch,
        per_device_eval_batch_size=batch,
        gradient_accumulation_steps=prepared.effective // batch,
        learning_rate=settings.learning_rate,
        weight_decay=settings.weight_decay,
        warmup_steps=settings.warmup_steps,
        lr_scheduler_type=settings.lr_scheduler,
        optim=settings.optimizer,
        max_grad_norm=settings.max_grad_norm,
        bf16=settings.bf16 and cuda,
        tf32=settings.tf32 if cuda else None,
        use_cpu=not cuda,
        gradient_checkpointing=settings.gradient_checkpointing and loaded.how["backend"] == "peft",
        gradient_checkpointing_kwargs={"use_reentrant": False},
        seed=settings.seed or 0,
        data_seed=settings.seed or 0,
        train_sampling_strategy="sequential",
        save_strategy="steps",
        save_steps=settings.save_steps,
        eval_strategy="steps" if evaluates else "no",
        eval_steps=settings.eval_steps,
        logging_steps=settings.logging_steps,
        logging_first_step=True,
        logging_nan_inf_filter=False,
        prediction_loss_only=True,
        label_names=["labels"],
        remove_unused_columns=False,
        dataloader_pin_memory=cuda,
        report_to=[],
        disable_tqdm=True,
    )
    measure = Measure(journal, run, prepared.effective, prepared.steps, Watch())
    stop = Stop(measure, settings.stop_on)
    sealing = Sealing(saves, prepared.binding, lambda step: journal.say(f"step {step:,}: saved"))
    trainer: Any = Trainer(
        model=loaded.model,
        args=arguments,
        train_dataset=run,
        eval_dataset=held_out_run(prepared) if evaluates else None,
        data_collator=Collator(pad_id(prepared), settings.max_seq_length),
        callbacks=[measure, stop, sealing],
        optimizers=(loraplus(loaded.model, settings, arguments), None),
    )
    silence(trainer)
    return trainer, stop


def loraplus(model: Any, settings: TrainSettings, arguments: Any) -> Any:
    """The optimiser of LoRA+, null for the usual one."""
    if settings.loraplus_ratio is None:
        return None
    kind, options = Trainer.get_optimizer_cls_and_kwargs(arguments, model)
    options.pop("lr", None)
    return create_loraplus_optimizer(
        model,
        kind,
        lr=settings.learning_rate,
        loraplus_lr_ratio=settings.loraplus_ratio,
        loraplus_weight_decay=settings.weight_decay,
        **options,
    )


def held_out_run(prepared: Prepared) -> PackedRun:
    """The eval split in sequences, once."""
    packs = packs_of(prepared.held_out, prepared.settings)
    return PackedRun(prepared.held_out.sequences, packs, len(packs), prepared.settings.seed or 0)


def pad_id(prepared: Prepared) -> int:
    """An id to pad with; padding is never a target, nor seen by anything that is."""
    found = prepared.base.config.get("pad_token_id")
    if found is None:
        found = prepared.base.config.get("eos_token_id")
    return int(found[0] if isinstance(found, list) else found or 0)


def silence(trainer: Any) -> None:
    """Leave printing to the journal."""
    for callback in list(trainer.callback_handler.callbacks):
        if type(callback).__name__ in {"PrinterCallback", "ProgressCallback"}:
            trainer.remove_callback(type(callback))


def quiet(logs: Any) -> None:
    """transformers' own warnings go to the log alone."""
    logs.disable_progress_bar()
    logs.disable_default_handler()
    logs.enable_propagation()
    logging.getLogger("transformers").setLevel(logging.WARNING)


def summary(prepared: Prepared, loaded: Loaded, start: Checkpoint | None) -> str:
    """What is about to happen, in a few lines."""
    how, lengths = loaded.how, prepared.examples.sequences.lengths()
    fill = fill_rate(lengths, prepared.packs, prepared.settings.max_seq_length)
    trained = sum(told.trained for told in prepared.examples.sources.values())
    lines = [
        f"data      {prepared.admitted.frozen.name} {prepared.admitted.frozen.version}, root "
        f"{prepared.admitted.frozen.root[:12]}…, approved by "
        f"{', '.join(entry.document.by for entry in prepared.admitted.frozen.approvals)}",
        f"examples  {len(lengths):,}, {sum(lengths):,} tokens, {trained / max(sum(lengths), 1):.1%} trained",
        *(
            f"          {name:20} {told.tokens:>12,} tokens, {told.trained_share:6.1%} trained"
            for name, told in prepared.examples.sources.items()
        ),
        f"packed    {len(prepared.packs):,} sequences of {prepared.settings.max_seq_length:,}, {fill:.1%} "
        f"full",
        f"model     {prepared.base.id}: {how['backend']} on {how['device']}, {how['dtype']}, "
        f"{how['attention']}, {how['trainable_parameters']:,} trainable of {how['parameters']:,}",
        f"steps     {prepared.steps:,} of {prepared.effective} sequences, {prepared.epochs:.2f} epochs",
    ]
    if start is not None:
        lines.append(f"resumed   {start.path.name}, step {start.step:,}")
    return "\n".join(lines)


def run_record(
    prepared: Prepared, loaded: Loaded, journal: Journal, batches: Sequence[Mapping[str, int]]
) -> dict[str, Any]:
    """run.json: what was trained on what, by which settings, and how it went."""
    frozen, recipe = prepared.admitted.frozen, prepared.admitted.recipe
    metrics = read_metrics(journal.folder)
    losses = [line["loss"] for line in metrics if line["kind"] == "train"]
    held_out = [line["loss"] for line in metrics if line["kind"] == "eval"]
    lengths = prepared.examples.sequences.lengths()
    return {
        "format": 1,
        "model": frozen.model,
        "trial": prepared.trial,
        "frozen": {
            "name": frozen.name,
            "version": frozen.version,
            "root": frozen.root,
            "recipe_sha256": frozen.recipe_sha256,
            "manifest_sha256": frozen.manifest_sha256,
            "self_sha256": frozen.as_dict()["self_sha256"],
        },
        "approvals": [
            {
                "by": entry.document.by,
                "at": entry.document.at,
                "note": entry.document.note,
                "mode": entry.document.mode,
                "signed": entry.signature is not None,
            }
            for entry in frozen.approvals
        ],
        "base": prepared.base.as_dict(),
        "template": {"name": prepared.template.name, "digest": prepared.template.digest},
        "tokenizer": {"sha256": prepared.binding["tokenizer"]},
        "settings": prepared.binding["settings"],
        "evaluation": msgspec.to_builtins(recipe.evaluation),
        "steps": prepared.steps,
        "epochs": round(prepared.epochs, 4),
        "tokens": prepared.run.tokens(0, prepared.steps * prepared.effective),
        "mixture": dict(recipe.mixture.shares),
        "sources": {
            name: {
                "group": recipe.sources[name].group,
                "licence": frozen.sources[name].licence,
                "uri": frozen.sources[name].uri,
                "revision": frozen.sources[name].revision,
                "rows": told.rows,
                "tokens": told.tokens,
                "trained_share": round(told.trained_share, 4),
                "exposure": round(told.max_repeat * prepared.epochs, 3),
            }
            for name, told in prepared.examples.sources.items()
        },
        "packing": {
            "sequences": len(prepared.packs),
            "fill": round(fill_rate(lengths, prepared.packs, prepared.settings.max_seq_length), 4),
        },
        "batches": list(batches),
        "losses": {
            "first loss": losses[0] if losses else None,
            "last loss": losses[-1] if losses else None,
            "last eval loss": held_out[-1] if held_out else None,
        },
        "events": [line for line in metrics if line["kind"] == "event"],
        "loaded": loaded.how,
        "versions": versions(),
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "binding": prepared.binding,
    }


def versions() -> dict[str, str]:
    """Versions of everything that can change what a step computes."""
    found = {"python": platform.python_version(), "torch": torch.__version__}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
