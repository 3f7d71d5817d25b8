"""The loss watch: what goes wrong in a long run, reported when it does. Pure; the callbacks act on it."""

import math
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from statistics import median
from typing import Any, Literal, NamedTuple, Self

Kind = Literal["nan", "spike", "plateau", "grad_norm", "stall"]


class Event(NamedTuple):
    """Something that a person should know. `kind` is a name that `stop_on` takes."""

    kind: Kind
    step: int
    message: str


@dataclass
class Watch:
    """Looks at one observation after the other.

    least_known   observations before anything is compared
    spike         loss over the running median, as a factor
    grad_spike    gradient norm over its running median, as a factor
    plateau       observations without the best loss falling by `least`, as a share of it
    stall_s       least seconds between steps that count as a stall; 20 median steps where that is more
    """

    least_known: int = 8
    spike: float = 2.0
    grad_spike: float = 10.0
    plateau: int = 100
    least: float = 0.002
    stall_s: float = 30.0
    losses: deque[float] = field(default_factory=lambda: deque(maxlen=50))
    norms: deque[float] = field(default_factory=lambda: deque(maxlen=50))
    step_times: deque[float] = field(default_factory=lambda: deque(maxlen=50))
    best: float = math.inf
    since_best: int = 0

    def losses_at(self, step: int, loss: float, grad_norm: float | None) -> list[Event]:
        """Look at a logged loss and gradient norm."""
        events = []
        if not math.isfinite(loss) or (grad_norm is not None and not math.isfinite(grad_norm)):
            what = "the loss" if not math.isfinite(loss) else "the gradient norm"
            return [Event("nan", step, f"{what} is not a number; lower the learning rate")]
        if len(self.losses) >= self.least_known and loss > self.spike * median(self.losses):
            events.append(
                Event("spike", step, f"loss {loss:.3f}, {loss / median(self.losses):.1f} times its median")
            )
        if grad_norm is not None:
            if len(self.norms) >= self.least_known and grad_norm > self.grad_spike * median(self.norms):
                factor = grad_norm / median(self.norms)
                events.append(
                    Event("grad_norm", step, f"gradient norm {grad_norm:.3g}, {factor:.0f} times its median")
                )
            self.norms.append(grad_norm)
        self.losses.append(loss)
        return events + self.flat(step)

    def recall(self, metrics: Iterable[Mapping[str, Any]]) -> Self:
        """Know what a run had seen before it was stopped: lines of its metrics, in their order."""
        for line in metrics:
            if line["kind"] == "train" and line["loss"] is not None:
                self.losses_at(line["step"], line["loss"], line["grad_norm"])
        return self

    def flat(self, step: int) -> list[Event]:
        """Whether the running median has stopped falling."""
        now = median(self.losses)
        if len(self.losses) >= self.least_known and now < self.best * (1 - self.least):
            self.best, self.since_best = now, 0
            return []
        self.since_best += 1
        if self.since_best < self.plateau:
            return []
        self.since_best = 0
        return [Event("plateau", step, f"loss has stayed at {now:.3f} for {self.plateau} observations")]

    def waited(self, step: int, wait_s: float, step_s: float | None) -> list[Event]:
        """Look at the seconds that a step waited for its data, and at how long the last one took."""
        if step_s is not None:
            self.step_times.append(step_s)
        usual = median(self.step_times) if self.step_times else 0.0
        if wait_s < max(self.stall_s, 20 * usual):
            return []
        return [Event("stall", step, f"the data loader stalled for {wait_s:.0f} s")]
