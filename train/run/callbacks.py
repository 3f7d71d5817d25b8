"""What happens between the steps of transformers' Trainer: measuring, watching, sealing, stopping."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from train.data.packing import PackedRun
from train.run.checkpoints import Batches, Binding, prune, remove, seal
from train.run.journal import Journal, live_line
from train.run.watch import Event, Watch


class Measure(TrainerCallback):
    """Times steps, counts tokens, writes metrics and the live line, and asks the watch.

    Throughput is over the steps since the last log, evaluation and saving left out.
    """

    def __init__(self, journal: Journal, run: PackedRun, effective: int, steps: int, watch: Watch) -> None:
        self.journal, self.run, self.effective, self.steps, self.watch = (
            journal, run, effective, steps, watch
        )  # fmt: skip
        self.events: list[Event] = []
        self.begun = self.idle_since = time.monotonic()
        self.last_step_s: float | None = None
        self.busy_s = self.waited_s = 0.0
        self.logged_at = 0

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, *_: Any, **__: Any) -> None:
        self.logged_at = state.global_step
        self.idle_since = time.monotonic()

    def on_step_begin(self, args: TrainingArguments, state: TrainerState, *_: Any, **__: Any) -> None:
        self.begun = time.monotonic()
        wait = self.begun - self.idle_since
        self.waited_s += wait
        self.tell(self.watch.waited(state.global_step, wait, self.last_step_s))

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        self.idle_since = time.monotonic()
        self.last_step_s = self.idle_since - self.begun
        self.busy_s += self.last_step_s
        if state.global_step == self.steps:
            control.should_log = True

    def on_evaluate(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        metrics: dict[str, float] = kwargs.get("metrics") or {}
        self.journal.record("eval", state.global_step, {"loss": metrics["eval_loss"]})
        self.journal.say(f"step {state.global_step:,}: eval loss {metrics['eval_loss']:.4f}")
        self.idle_since = time.monotonic()

    def on_save(self, *_: Any, **__: Any) -> None:
        self.idle_since = time.monotonic()

    def on_log(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        logs: dict[str, Any] = kwargs.get("logs") or {}
        if "loss" not in logs:
            return
        done = max(state.global_step - self.logged_at, 1)
        first = self.logged_at * self.effective
        tokens = self.run.tokens(first, state.global_step * self.effective)
        spent = max(self.busy_s + self.waited_s, 1e-9)
        values: dict[str, Any] = {
            "loss": float(logs["loss"]),
            "learning_rate": float(logs["learning_rate"]),
            "grad_norm": float(logs["grad_norm"]) if "grad_norm" in logs else None,
            "tokens": self.run.tokens(0, state.global_step * self.effective),
            "tokens_per_s": tokens / spent,
            "step_s": spent / done,
            "wait_s": self.waited_s / done,
            "memory_gib": torch.cuda.max_memory_allocated() / 2**30 if torch.cuda.is_available() else None,
        }
        self.journal.record("train", state.global_step, values)
        left_s = spent / done * (self.steps - state.global_step)
        text = live_line(state.global_step, self.steps, values, left_s)
        self.journal.line(text)
        self.journal.file.write(f"{text}\n")
        self.tell(self.watch.losses_at(state.global_step, values["loss"], values["grad_norm"]))
        self.busy_s = self.waited_s = 0.0
        self.logged_at = state.global_step
        self.idle_since = time.monotonic()

    def tell(self, events: Sequence[Event]) -> None:
        """Record what the watch saw."""
        for event in events:
            self.events.append(event)
            self.journal.record("event", event.step, {"what": event.kind, "message": event.message})
            self.journal.say(f"warning: step {event.step:,}: {event.message}")


class Stop(TrainerCallback):
    """Ends the run after the step at hand: when a person asks, or on an event of `stop_on`."""

    def __init__(self, measure: Measure, stop_on: Sequence[str]) -> None:
        self.measure, self.stop_on = measure, stop_on
        self.asked: type[KeyboardInterrupt] | None = None
        self.pause_at: int | None = None
        self.reason: Event | None = None

    def ask(self, by: type[KeyboardInterrupt]) -> None:
        """Stop after this step, with a checkpoint, and raise `by`."""
        self.asked = by

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        if state.global_step == self.pause_at:
            self.ask(KeyboardInterrupt)
        if self.asked:
            control.should_log = control.should_save = control.should_training_stop = True

    def on_log(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        found = [event for event in self.measure.events if event.kind in self.stop_on]
        if found and self.reason is None:
            self.reason = found[0]
            control.should_training_stop = True
            # What went wrong is in the weights by now: the checkpoint before is the one to keep.
            control.should_save = control.should_evaluate = False


class Sealing(TrainerCallback):
    """Marks every finished save as whole, then removes the old ones.

    A loss that is no number is noticed when it is logged; a save before that is not one to go on from.
    """

    def __init__(self, folder: Path, binding: Binding, batches: Batches, say: Callable[[str], None]) -> None:
        self.folder, self.binding, self.batches, self.say = folder, binding, batches, say

    def on_save(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **more: Any
    ) -> None:
        folder = self.folder / f"checkpoint-{state.global_step}"
        if not finite(more["model"]):
            remove(folder)
            self.say(f"warning: step {state.global_step:,}: not saved: the adapter holds what is no number")
            return
        seal(folder, self.binding, self.batches, args.gradient_accumulation_steps)
        prune(self.folder)
        self.say(f"step {state.global_step:,}: saved")


def finite(model: Any) -> bool:
    """Whether every trained weight is a number."""
    return all(bool(torch.isfinite(weight).all()) for weight in model.parameters() if weight.requires_grad)
