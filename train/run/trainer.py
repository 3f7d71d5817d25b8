"""transformers' Trainer over packed sequences, to the last step, whatever the memory allows at once."""

import gc
import logging
from pathlib import Path
from typing import Any

import torch
import transformers
from peft.optimizers import create_loraplus_optimizer
from safetensors import SafetensorError
from transformers import Trainer, TrainingArguments
from transformers.utils.import_utils import is_torch_tf32_available

from curation.errors import CurationError, Refusal
from curation.recipe.load import TrainSettings
from train.data.packing import IGNORED, Collator
from train.model.load_model import Loaded, advice, out_of_memory
from train.run import checkpoints
from train.run.callbacks import Measure, Sealing, Stop
from train.run.checkpoints import Batches, Checkpoint
from train.run.journal import Journal, asked_to_stop, read_metrics
from train.run.prepare import Prepared, held_out_run, pad_id
from train.run.watch import Watch


def run_to_the_end(
    prepared: Prepared,
    loaded: Loaded,
    journal: Journal,
    saves: Path,
    start: Checkpoint | None,
    pause_at: int | None = None,
) -> Batches:
    """Train to the last step, whatever the memory allows at once. Returns the batches used since step 0.

    Out of GPU memory halves the batch and lengthens the accumulation; the run goes on from the last
    step with the same sequences per update.
    """
    used = start.batches if start else [{"step": 0, "batch": prepared.settings.batch_size}]
    asked: type[KeyboardInterrupt] | None = None
    while True:
        batch = used[-1]["batch"]
        trainer, stop = make_trainer(prepared, loaded, journal, saves, used)
        stop.pause_at, stop.asked = pause_at, asked
        with asked_to_stop(stop.ask):
            full = False
            try:
                trainer.train(resume_from_checkpoint=str(start.path) if start else None)
                evaluate_end(trainer, journal, prepared.steps)
            except (OSError, RuntimeError, SafetensorError) as error:
                full = out_of_memory(error)
                if not full and checkpoints.disk_full(error):
                    hint = checkpoints.how_to_go_on(saves)
                    raise CurationError(
                        f"{saves}: cannot save: the disk is full; free some space and {hint}"
                    ) from error
                if not full:
                    raise
            if full:
                smaller = next_batch(batch, prepared.effective)
                if smaller is None:
                    raise CurationError(
                        f"out of GPU memory at batch 1; {advice(prepared.settings)}, then freeze again"
                    )
                start, used = saved_after_failure(trainer, prepared, saves, start, used, smaller)
        if not full:
            break
        longer = prepared.effective // used[-1]["batch"]
        message = f"out of GPU memory: batch {batch} → {used[-1]['batch']}, accumulation {longer}"
        journal.record("event", used[-1]["step"], {"what": "out_of_memory", "message": message})
        journal.say(f"step {used[-1]['step']:,}: {message}")
        asked = stop.asked
        del trainer
        gc.collect()
        torch.cuda.empty_cache()
    if stop.reason is not None:
        raise Refusal(
            f"stopped at step {stop.reason.step:,}: {stop.reason.message}; the whole checkpoints before it "
            f"are in {saves}"
        )
    if stop.asked and trainer.state.global_step < prepared.steps:
        raise stop.asked(
            f"stopped at step {trainer.state.global_step:,} of {prepared.steps:,}, all of it saved; "
            f"go on with --resume"
        )
    return used


def evaluate_end(trainer: Any, journal: Journal, steps: int) -> None:
    """Measure the held-out rows at the last step, unless it was done there, by this process or one before."""
    done = any(line["kind"] == "eval" and line["step"] == steps for line in read_metrics(journal.folder))
    if trainer.eval_dataset is not None and trainer.state.global_step == steps and not done:
        trainer.evaluate()


def next_batch(batch: int, effective: int) -> int | None:
    """The next smaller batch that divides the sequences of an update; null below 1."""
    return next((size for size in range(batch // 2, 0, -1) if effective % size == 0), None)


def saved_after_failure(
    trainer: Any, prepared: Prepared, saves: Path, start: Checkpoint | None, used: Batches, batch: int
) -> tuple[Checkpoint | None, Batches]:
    """A checkpoint of the last finished step, from what is still in memory, and the batches with the next."""
    trainer.model.zero_grad(set_to_none=True)
    torch.cuda.empty_cache()
    before = start.step if start else 0
    # The memory may end before the Trainer has read at which step it starts.
    step = max(trainer.state.global_step, before)
    used = [*used, {"step": step, "batch": batch}]
    if step > before:
        trainer.state.train_batch_size = batch
        trainer._save_checkpoint(trainer.model, None)
        folder = saves / f"checkpoint-{step}"
    elif start is None:
        return None, used
    else:
        folder = start.path
    return checkpoints.seal(folder, prepared.binding, used, prepared.effective // batch), used


class MeanOverTokens(Trainer):
    """transformers' Trainer, whose losses are nats per trained token, whatever was a batch or a window.

    Its own are means of means: of the updates since the last log, and of the batches of the eval split.
    """

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self.parts: list[Any] = []
        self.since_log, self.held_out = Nats(), Nats()

    def training_step(self, *given: Any, **named: Any) -> Any:
        """As transformers does it. What the batches of an update return adds up to its mean."""
        loss = super().training_step(*given, **named)
        self.parts.append(loss)
        if len(self.parts) == self.args.gradient_accumulation_steps:
            effective = self.args.gradient_accumulation_steps * self.args.per_device_train_batch_size
            first = self.state.global_step * effective
            run: Any = self.train_dataset
            self.since_log.add(sum(self.parts), run.targets(first, first + effective))
            self.parts = []
        return loss

    def log(self, logs: dict[str, Any], *rest: Any) -> None:
        """As transformers does it."""
        if "loss" in logs:
            logs["loss"], self.since_log = self.since_log.mean(), Nats()
        super().log(logs, *rest)

    def evaluation_loop(self, *given: Any, **named: Any) -> Any:
        """As transformers does it."""
        self.held_out = Nats()
        output: Any = super().evaluation_loop(*given, **named)
        output.metrics["eval_loss"] = self.held_out.mean()
        return output

    def prediction_step(self, model: Any, inputs: Any, *rest: Any, **named: Any) -> Any:
        """As transformers does it."""
        found = super().prediction_step(model, inputs, *rest, **named)
        self.held_out.add(found[0], (inputs["labels"] != IGNORED).sum())
        return found


class Nats:
    """Losses of many tokens, added up where they were computed: nothing waits for them."""

    def __init__(self) -> None:
        self.nats: Any = 0.0
        self.tokens: Any = 0

    def add(self, mean: Any, tokens: Any) -> None:
        """The mean of so many more."""
        self.nats += mean.double() * tokens
        self.tokens += tokens

    def mean(self) -> float:
        """Nats per token."""
        return float(self.nats / self.tokens)


def make_trainer(
    prepared: Prepared, loaded: Loaded, journal: Journal, saves: Path, used: Batches
) -> tuple[Any, Stop]:
    """transformers' Trainer over the packed sequences, and what can stop it."""
    settings, run, batch = prepared.settings, prepared.run, used[-1]["batch"]
    cuda = torch.cuda.is_available()
    torch.use_deterministic_algorithms(not cuda)
    evaluates = prepared.held_out.rows > 0
    arguments = TrainingArguments(
        output_dir=str(saves),
        max_steps=prepared.steps,
        per_device_train_batch_size=batch,
        per_device_eval_batch_size=batch,
        gradient_accumulation_steps=prepared.effective // batch,
        learning_rate=settings.learning_rate,
        weight_decay=settings.weight_decay,
        warmup_steps=settings.warm_up(prepared.steps),
        lr_scheduler_type=settings.lr_scheduler,
        optim=settings.optimizer,
        max_grad_norm=settings.max_grad_norm,
        bf16=settings.bf16 and cuda,
        tf32=settings.tf32 if is_torch_tf32_available() else None,
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
    on_one_gpu(arguments)
    watch = Watch().recall(read_metrics(journal.folder))
    measure = Measure(journal, run, prepared.effective, prepared.steps, watch)
    stop = Stop(measure, settings.stop_on)
    sealing = Sealing(saves, prepared.binding, used, journal.say)
    trainer: Any = MeanOverTokens(
        model=loaded.model,
        args=arguments,
        train_dataset=run,
        eval_dataset=held_out_run(prepared) if evaluates else None,
        data_collator=collator(prepared, loaded),
        callbacks=[measure, stop, sealing],
        optimizers=(loraplus(loaded.model, settings, arguments), None),
    )
    silence(trainer)
    return trainer, stop


def on_one_gpu(arguments: TrainingArguments) -> None:
    """Train on the GPU that holds the model, however many there are.

    transformers would give a model in 16 bits to all of them, with a batch for each: an update would
    have as many times the sequences that the recipe says.
    """
    if arguments.n_gpu > 1:
        arguments._n_gpu = 1


def collator(prepared: Prepared, loaded: Loaded) -> Collator:
    """Batches in the form in which the model keeps packed examples apart."""
    settings, unsloth = prepared.settings, loaded.how["backend"] == "unsloth"
    flat = settings.packing and (unsloth or "flash" in loaded.how["attention"])
    return Collator(pad_id(prepared), settings.max_seq_length, flat=flat, lengths=flat and unsloth)


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


def silence(trainer: Any) -> None:
    """Leave printing to the journal."""
    for callback in list(trainer.callback_handler.callbacks):
        if type(callback).__name__ in {"PrinterCallback", "ProgressCallback"}:
            trainer.remove_callback(type(callback))


def quiet() -> None:
    """transformers' own warnings go to the log alone."""
    logs: Any = transformers.utils.logging
    logs.disable_progress_bar()
    logs.disable_default_handler()
    logs.enable_propagation()
    logging.getLogger("transformers").setLevel(logging.WARNING)
