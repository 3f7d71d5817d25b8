"""What train settings imply."""

import math

from curation.recipe.load import TrainSettings


def effective_batch(settings: TrainSettings) -> int:
    """Sequences per update."""
    return settings.batch_size * settings.gradient_accumulation_steps


def steps_of(settings: TrainSettings, sequences: int) -> int:
    """Updates in all: as many as the recipe says, or as its epochs take over so many sequences."""
    if settings.epochs is None:
        assert settings.max_steps is not None, "a resolved recipe has max_steps or epochs"
        return settings.max_steps
    return max(1, math.ceil(settings.epochs * sequences / effective_batch(settings)))


def evaluated_once(settings: TrainSettings, steps: int) -> list[str]:
    """What to say of a run that ends before `eval_steps`."""
    if settings.eval_steps <= steps:
        return []
    return [f"measured once, at the end: eval_steps {settings.eval_steps:,} is more than {steps:,} updates"]


def warm_up_caution(settings: TrainSettings, steps: int) -> list[str]:
    """What to say of a run so short that the learning rate never reaches its peak."""
    if settings.reaches_peak(steps):
        return []
    return [
        f"the learning rate rises for {settings.warm_up(steps):,} updates and never reaches its peak in "
        f"{steps:,}; lower train.warmup_steps"
    ]
