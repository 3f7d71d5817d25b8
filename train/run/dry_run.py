"""`aj train --dry-run`: what a run will do and cost, without a weight being read."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from curation.dataset.manifest import SPLITS
from curation.dataset.thinking import Thoughts, all_of, share_text, teaches_not_to_think, thoughts_by_group
from curation.errors import CurationError, Refusal
from curation.files import canonical
from curation.recipe.load import TrainSettings
from curation.rendering.template import own_template
from curation.row import is_trained
from curation.turns.thoughts import OPENS, has_thought
from train.data.encoding import Encoder
from train.data.examples import refuse_untrained
from train.data.gatekeeper import Admitted, admit, template_of
from train.data.packing import best_fit, fill_rate
from train.data.steps import evaluated_once, steps_of, warm_up_caution
from train.model.gpus import (
    GIB,
    GPUS,
    Estimate,
    Gpu,
    Parameters,
    count_parameters,
    estimate,
    known_card,
    memory_bytes,
)
from train.model.sizes import cached, check_context, check_quantised, here, limits, sizes_of, with_targets
from train.model.token_rows import check_learnt, written_by

BYTES_PER_TOKEN = 4


@dataclass(frozen=True)
class SourceExposure:
    """One source: written rows, tokens, and how often the most repeated row is seen."""

    rows: int
    tokens: int
    max_repeat: int
    exposure: float


@dataclass(frozen=True)
class DryRun:
    """What a run will do. `counted`: tokens are curation's own; otherwise a fourth of the bytes."""

    model: str
    base: str
    dataset: str
    root: str
    counted: bool
    rows: int
    tokens: int
    too_long: int
    sequences: int
    fill: float
    steps: int
    tokens_per_step: int
    epochs: float
    cautions: list[str]
    sources: dict[str, SourceExposure]
    parameters: Parameters
    memory: dict[str, float]
    gpus: list[Estimate]
    limits: list[str]
    thoughts: dict[str, Thoughts]
    thinking: list[str]

    def as_json(self) -> str:
        """The result for programs."""
        content = {
            **self.__dict__,
            "sources": {name: source.__dict__ for name, source in self.sources.items()},
            "parameters": self.parameters._asdict(),
            "gpus": [gpu._asdict() for gpu in self.gpus],
            "thoughts": {group: one._asdict() for group, one in self.thoughts.items()},
        }
        return canonical(content).decode()

    def as_text(self) -> str:
        """The result for people."""
        about = "" if self.counted else " (estimated: curated without a tokenizer)"
        share = self.parameters.trained / self.parameters.base
        lines = [
            f"{self.model} on {self.base}",
            f"data      {self.dataset}, root {self.root[:12]}…, approved",
            f"          {self.rows:,} rows, {self.tokens:,} tokens{about}",
            f"packed    {self.sequences:,} sequences, {self.fill:.1%} full",
            f"steps     {self.steps:,} of {self.tokens_per_step:,} tokens, {self.epochs:.2f} epochs",
            f"adapter   {self.parameters.trained:,} trainable, {share:.2%} of {self.parameters.base:,}",
            "",
            f"{'source':24}{'rows':>10}{'tokens':>14}{'repeat':>8}{'exposure':>10}",
        ]
        for name, source in self.sources.items():
            lines.append(
                f"{name:24}{source.rows:>10,}{source.tokens:>14,}{source.max_repeat:>8}{source.exposure:>10.2f}"
            )
        lines += ["", f"thinking  {share_text(all_of(self.thoughts))}"]
        lines += [f"          {group}: {share_text(one)}" for group, one in self.thoughts.items()]
        uses = [f"{use} {amount / GIB:.1f}" for use, amount in self.memory.items()]
        total = sum(self.memory.values())
        lines += ["", f"memory    {total / GIB:.1f} GiB (about): {', '.join(uses)}", ""]
        lines.append(f"{'gpu':12}{'memory':>10}{'s/step':>16}{'hours':>10}{'US$':>8}")
        for gpu in self.gpus:
            best, usual = gpu.step_s
            fits = "fits" if gpu.fits else "too small"
            seconds = f"{best:.1f} to {usual:.1f}"
            lines.append(f"{gpu.gpu:12}{fits:>10}{seconds:>16}{gpu.hours:>10.1f}{gpu.dollars:>8.0f}")
        lines.append("seconds: at 80 % of the peak and at 45 %, which runs usually get; hours at 45 %")
        return "\n".join(lines + self.warnings())

    def warnings(self) -> list[str]:
        """What does not fit, and what may not be meant."""
        found = [*self.cautions]
        found += [f"thinking: {caution}" for caution in self.thinking]
        if self.too_long:
            found.append(
                f"does not fit: {self.too_long:,} rows are longer than a sequence; training will refuse them"
            )
        if not any(gpu.fits for gpu in self.gpus):
            found.append(
                "does not fit: no card listed; load_in_4bit, a smaller batch or a smaller base model"
            )
        often = [name for name, source in self.sources.items() if source.exposure > 16]
        if often:
            found.append(f"seen often: {', '.join(often)}: a row is trained on more than 16 times")
        return found + self.limits


def dry_run(
    frozen: Path,
    *,
    data: Path | None = None,
    base_model: Path | None = None,
    trial_steps: int | None = None,
    gpus: Mapping[str, Gpu] = GPUS,
) -> DryRun:
    """Check the data as training does, and compute the rest. Raises as `train.run.train.train` does."""
    admitted = admit(frozen, data)
    recipe, settings = admitted.recipe, admitted.recipe.train
    config = sizes_of(recipe.base_model.id, base_model, admitted.frozen.base_revision)
    settings = with_targets(config, settings)
    check_context(config, settings)
    check_quantised(config, settings)
    folder = here(recipe.base_model.id, base_model, admitted.frozen.base_revision)
    remarks = check_tokens(admitted, config, settings, folder) if folder else []
    for split in SPLITS:
        refuse_untrained(untrained(admitted, split), split, admitted)
    rows = list(row_lengths(admitted))
    fitting = [tokens for _, tokens, _, _ in rows if tokens <= settings.max_seq_length]
    packs = (
        best_fit(fitting, settings.max_seq_length) if settings.packing else [[n] for n in range(len(fitting))]
    )
    if not packs:
        raise CurationError(f"{frozen}: no row fits into {settings.max_seq_length} tokens")
    steps = steps_of(settings, len(packs))
    steps = min(trial_steps, steps) if trial_steps is not None else steps
    effective = settings.batch_size * settings.gradient_accumulation_steps
    epochs = steps * effective / len(packs)
    cautions = [f"tokens: {line}" for line in remarks]
    if held_out(admitted):
        cautions += [f"held out: {line}" for line in evaluated_once(settings, steps)]
    if trial_steps is None:
        cautions += [f"warm-up: {line}" for line in warm_up_caution(settings, steps)]
    thoughts = thoughts_by_group(admitted.parts("train"))
    taught = teaches_not_to_think(all_of(thoughts), settings.thinking)
    return DryRun(
        model=admitted.frozen.model,
        base=recipe.base_model.id,
        dataset=f"{admitted.frozen.name} {admitted.frozen.version}",
        root=admitted.frozen.root,
        counted=all(counted for *_, counted in rows),
        rows=len(rows),
        tokens=sum(tokens for _, tokens, _, _ in rows),
        too_long=len(rows) - len(fitting),
        sequences=len(packs),
        fill=fill_rate(fitting, packs, settings.max_seq_length),
        steps=steps,
        tokens_per_step=effective * settings.max_seq_length,
        epochs=epochs,
        cautions=cautions,
        sources=exposures(rows, epochs),
        parameters=count_parameters(config, settings),
        memory=memory_bytes(config, settings),
        gpus=estimate(config, settings, steps, gpus=gpus),
        limits=limits(config, settings),
        thoughts=thoughts,
        thinking=[taught] if taught and thinks_itself(admitted, base_model) else [],
    )


def check_tokens(
    admitted: Admitted, config: Mapping[str, Any], settings: TrainSettings, folder: Path
) -> list[str]:
    """What is untypical of the tokens that the rows are written with; Refusal where one was never learnt."""
    encoder = Encoder(folder, template_of(admitted, folder))
    calls = thoughts = False
    for part in (part for split in SPLITS for part in admitted.parts(split)):
        for messages, tools in part.select("messages", "tools").iter_rows():
            calls = calls or bool(tools) or any(one.get("tool_calls") for one in messages)
            thoughts = thoughts or any(map(has_thought, messages))
    used = written_by(encoder, calls=calls, thoughts=thoughts)
    return check_learnt(folder, config, encoder, used, settings)


def held_out(admitted: Admitted) -> int:
    """Rows of the eval split."""
    return sum(file.rows or 0 for file in admitted.frozen.shards["eval"])


def untrained(admitted: Admitted, split: str) -> list[str]:
    """The ids of rows without a turn that carries loss."""
    return [
        row_id
        for part in admitted.parts(split)
        for row_id, messages in part.select("id", "messages").iter_rows()
        if not any(map(is_trained, messages))
    ]


def thinks_itself(admitted: Admitted, base_model: Path | None) -> bool:
    """Whether the base thinks, as far as is known here: by its role tokens, its template or its vocabulary.

    The template aj_r1 is for DeepSeek-R1 and its distills.
    """
    recipe = admitted.recipe
    folder = base_model or known_folder(recipe.base_model.id, admitted.frozen.base_revision)
    texts = [recipe.template] if folder is None else [recipe.template, *vocabulary_of(folder)]
    return "aj_r1" in texts or any(OPENS in text for text in texts)


def known_folder(base: str, revision: str | None) -> Path | None:
    """The folder of a base model, where it is on this machine."""
    try:
        return cached(base, revision)
    except CurationError:
        return None


def vocabulary_of(folder: Path) -> list[str]:
    """The tokens that were added to a model's vocabulary, and its chat template."""
    path, found = folder / "tokenizer.json", []
    if path.is_file():
        found = [token["content"] for token in orjson.loads(path.read_bytes()).get("added_tokens", [])]
    try:
        return [*found, own_template(folder)]
    except Refusal:
        return found


Length = tuple[str, int, int, bool]


def row_lengths(admitted: Admitted) -> list[Length]:
    """(source, tokens, repeat, counted) of every written train row."""
    template = None
    found: list[Length] = []
    for part in admitted.parts("train"):
        for row in part.iter_rows(named=True):
            tokens = row["tokens"]
            if tokens is None:
                template = template or template_of(admitted)
                text = template.render(row["messages"], row["tools"])
                found.append((row["source"], -(-len(text.encode()) // BYTES_PER_TOKEN), row["repeat"], False))
            else:
                found.append((row["source"], tokens, row["repeat"], True))
    return found


def exposures(rows: list[Length], epochs: float) -> dict[str, SourceExposure]:
    """How often each source's most repeated row is seen."""
    tally: dict[str, list[int]] = {}
    for source, tokens, repeat, _ in rows:
        counts = tally.setdefault(source, [0, 0, 0])
        tally[source] = [counts[0] + 1, counts[1] + tokens, max(counts[2], repeat)]
    return {
        name: SourceExposure(count, tokens, repeat, repeat * epochs)
        for name, (count, tokens, repeat) in sorted(tally.items())
    }


def named_gpus(names: list[str], price: float | None = None) -> dict[str, Any]:
    """The cards of `--gpu`, all without; CurationError for one that is not known."""
    chosen = {}
    for name in names or list(GPUS):
        known = known_card(name)
        if known is None:
            raise CurationError(f"--gpu {name}: not known; expected one of {', '.join(GPUS)}")
        chosen[known] = GPUS[known]._replace(price=price) if price is not None else GPUS[known]
    return chosen
