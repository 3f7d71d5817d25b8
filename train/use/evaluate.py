"""`aj evaluate`: did training help, and did it break anything?

On the approved eval split: loss per group and source, the base model beside the adapter; and for turns
that call tools, whether the generated calls parse, fit their schemas, name the right tool and pass the right
arguments. On the files that the recipe's `evaluation` names, whether it still answers and foretells as its
base does (train/use/forgetting.py). Intervals are bootstrapped over rows, seeded, so the same model gives the
same file.
"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from curation.calls.given_tools import GivenTools, definitions, given_tools
from curation.errors import CurationError, Refusal
from curation.progress import Progress
from curation.recipe.kinds import as_stored
from curation.recipe.load import Recipe, stage_files, stage_plan
from curation.recipe.stages import BashSyntax
from curation.recipe.stages import Tools as ToolSettings
from curation.row import is_trained
from curation.sealed import write_sealed
from curation.turns.thoughts import has_thought
from curation.versions import versions
from train.data.encoding import Encoder
from train.data.gatekeeper import Admitted, admit
from train.model.sizes import furthest_command
from train.run.model_folder import (
    Kind,
    Model,
    check_weights,
    find_model,
    following_command,
    frozen_path,
    merged_model,
    with_base,
)
from train.run.output import read_run
from train.ship.evaluation import (
    Evaluation,
    Measured,
    evaluation_path,
    standing_evaluation,
    verdict_text,
    verdicts_of,
)
from train.use.forgetting import file_metrics, files_of, lost_answers, manner_of, take, tested
from train.use.inference import Inference, base_folder, open_inference, prompt_ids, text_of
from train.use.intervals import change, ratio
from train.use.tool_calls import Answer, Score, Tools, parse_answer, score

TURNS, MAX_TOKENS = 200, 512
SHOWN = 5  # wrong turns that the file quotes
QUOTED = 400  # characters of each
PACKAGES = ("torch", "transformers", "peft", "tokenizers")


class EvalRow(NamedTuple):
    """A row of the eval split."""

    id: str
    source: str
    group: str
    messages: list[Mapping[str, Any]]
    tools: str | None


class AskedTurn(NamedTuple):
    """An assistant turn of a row with tools: the message at `position`, and the calls it makes."""

    row: EvalRow
    position: int

    @property
    def calls(self) -> list[dict[str, Any]]:
        """What the row calls here; empty where it only speaks."""
        return self.row.messages[self.position]["tool_calls"] or []


class RowLoss(NamedTuple):
    """Nats over the trained tokens of a row, and how many these are."""

    row: EvalRow
    nats: float
    tokens: int


class Judge(NamedTuple):
    """How the recipe's tools stage judges calls: its `bash_syntax`, `schema`, `sources` and `formats`."""

    bash: BashSyntax
    given: GivenTools
    formats: bool

    def tools(self, row: EvalRow) -> Tools:
        """What the calls of a row are checked against."""
        return Tools(row.tools, self.bash, self.given.of(row.source), formats=self.formats)


class Asked(NamedTuple):
    """The turns that a model takes, and how its calls are judged."""

    turns: Sequence[AskedTurn]
    max_tokens: int
    judge: Judge


class Spoken(NamedTuple):
    """What a model generated for a turn, and how it compares."""

    turn: AskedTurn
    answer: Answer
    score: Score


def evaluate(
    path: Path,
    *,
    frozen: Path | None = None,
    data: Path | None = None,
    base: Path | None = None,
    rows: int | None = None,
    turns: int = TURNS,
    max_tokens: int = MAX_TOKENS,
    force: bool = False,
) -> Evaluation:
    """Measure a model on the eval split it was not trained on, judge it, and write evaluation.json.

    frozen: default recipes/frozen/<name>-v<version>.yaml. data: the dataset's folder. base: folder of the
    base model. rows: a preview over so many rows, which is not written. turns: generate for so many
    tool-calling turns, and as many others, chosen by digest.

    Refusal when the data is not what was approved or not what the adapter was trained beside.
    """
    model = find_model(path, base)
    if evaluation_path(path).exists() and rows is None and not force:
        raise CurationError(f"{evaluation_path(path)} exists; use --force to measure again")
    admitted = admit(frozen or frozen_path(model.run, model.path), data)
    check_same_recipe(model, admitted)
    chosen = eval_rows(admitted)[:rows]
    files = files_of(admitted, rows)
    if not chosen and not files:
        raise Refusal(
            f"{admitted.path}: its eval split is empty; set `split: {{eval: 0.01}}` and curate again"
        )
    check_weights(model)
    speaker = open_inference(model, base)
    asked = Asked(choose_turns(chosen, turns), max_tokens, judge_of(admitted.recipe))
    window = min(admitted.recipe.train.max_seq_length, speaker.context or sys.maxsize)
    folder = model.base or base_folder(model, base)
    manner = manner_of(speaker.encoder, folder or (path if path.is_dir() else None), own=False)
    losses, spoken = measure(speaker, chosen, asked, path.name)
    taken = take(speaker, files, manner, window, path.name)
    base_taken = None
    with speaker.as_base() as untrained:
        before = measure(untrained, chosen, asked, "base model") if untrained else ([], [])
        if untrained:
            own = manner_of(untrained.encoder, folder, own=True)
            base_taken = take(untrained, files, own, window, "base model")
    seed = admitted.recipe.seed
    metrics = loss_metrics(losses, before[0], seed) | tool_metrics(spoken, seed)
    metrics |= file_metrics(files, taken, base_taken, seed)
    base_metrics = loss_metrics(before[0], [], seed) | tool_metrics(before[1], seed)
    base_metrics |= file_metrics(files, base_taken, None, seed) if base_taken else {}
    found = Evaluation(
        format=1,
        model=model.name,
        kind=model.kind,
        adapter_sha256=model.adapter_sha256,
        frozen_sha256=admitted.frozen.as_dict()["self_sha256"],
        root=admitted.frozen.root,
        sample=rows is not None,
        rows=len(chosen),
        tool_turns=sum(bool(one.turn.calls) for one in spoken),
        metrics=metrics,
        base=base_metrics,
        verdicts=verdicts_of(expectations(admitted), metrics),
        examples=wrong_turns(spoken),
        versions=versions(PACKAGES),
        files=tested(files, admitted),
        lost=lost_answers(files, taken, base_taken),
    )
    return found if found.sample else write_sealed(evaluation_path(path), found)


def evaluate_once(
    adapter: Path, *, frozen: Path, data: Path, base: Path | None = None, force: bool = False
) -> Evaluation:
    """The evaluation that lies with an adapter where it still holds, else a new one. Raises as `evaluate`."""
    model, admitted = find_model(adapter, base), admit(frozen, data)
    digest = admitted.frozen.as_dict()["self_sha256"]
    before = standing_evaluation(adapter, expectations(admitted), model.adapter_sha256, digest)
    return before or evaluate(adapter, frozen=frozen, data=data, base=base, force=force)


def check_same_recipe(model: Model, admitted: Admitted) -> None:
    """Refusal when the model was trained from another frozen recipe: its eval rows may have been seen."""
    recorded = (model.run.get("frozen") or {}).get("self_sha256")
    if recorded and recorded != admitted.frozen.as_dict()["self_sha256"]:
        raise Refusal(f"{model.path}: trained from another frozen recipe than {admitted.path}")


def expectations(admitted: Admitted) -> list[dict[str, Any]]:
    """The recipe's bounds on the trained model."""
    return [as_stored(one) for one in admitted.recipe.bounds]


def judge_of(recipe: Recipe) -> Judge:
    """The judge that the recipe's tools stage is, by its defaults where the recipe has no such stage.

    A file of `schema` or `sources` that is not on this machine is told on stderr: rows that it was for are
    offered nothing but their own tools then, so that no other call counts as valid. CurationError when a
    file holds no definitions.
    """
    found = (settings for _, _, settings in stage_plan(recipe) if isinstance(settings, ToolSettings))
    settings = next(found, ToolSettings())
    root = recipe.data_folder
    absent = [path for _, path in stage_files(settings) if not (root / path).is_file()]
    for path in absent:
        print(f"{root / path}: not there; calls that it was to judge count as not valid", file=sys.stderr)

    def read(schema: str) -> str:
        return "[]" if schema in absent else definitions(schema, root)

    sources = {name: read(schema) for name, schema in settings.sources.items()}
    given = given_tools(read(settings.schema), sources, formats=settings.formats)
    return Judge(settings.bash_syntax, given, settings.formats)


def eval_rows(admitted: Admitted) -> list[EvalRow]:
    """The eval split in shard order, which is an order by digest."""
    columns = ("id", "source", "group", "messages", "tools")
    return [EvalRow(*row) for part in admitted.parts("eval") for row in part.select(columns).iter_rows()]


def measure(
    speaker: Inference, rows: Sequence[EvalRow], asked: Asked, label: str
) -> tuple[list[RowLoss], list[Spoken]]:
    """Losses of all rows, and answers to the chosen turns."""
    losses, spoken = [], []
    with Progress(f"evaluating {label}", len(rows) + len(asked.turns)) as progress:
        for row in rows:
            losses.append(row_loss(speaker, row))
            progress.add(1, 1)
        for turn in asked.turns:
            spoken.append(speak(speaker, turn, asked.max_tokens, asked.judge))
            progress.add(1, 1)
    return losses, spoken


def choose_turns(rows: Sequence[EvalRow], limit: int) -> list[AskedTurn]:
    """Up to `limit` turns that call tools, and as many that could and do not, in order of the rows.

    A turn that carries no loss is no example of what to say, and is not asked for.
    """
    calling: list[AskedTurn] = []
    speaking: list[AskedTurn] = []
    for row in rows:
        for position, message in enumerate(row.messages):
            if row.tools and is_trained(message):
                turn = AskedTurn(row, position)
                (calling if turn.calls else speaking).append(turn)
    return [*calling[:limit], *speaking[:limit]]


def row_loss(speaker: Inference, row: EvalRow) -> RowLoss:
    """The loss over what the assistant says in a row, as in training."""
    nats, tokens = 0.0, 0
    for example in speaker.encoder.examples([(row.messages, row.tools)])[0]:
        places = [int(place) for place in np.flatnonzero(example.trained) if place]
        if places:
            nats += float(speaker.losses(example.ids.tolist(), places).sum())
            tokens += len(places)
    return RowLoss(row, nats, tokens)


def speak(speaker: Inference, turn: AskedTurn, max_tokens: int, judge: Judge) -> Spoken:
    """Let the model take a turn."""
    encoder: Encoder = speaker.encoder
    # A turn that the row has no thought for is asked for as it was trained: behind an empty one.
    thinks = has_thought(turn.row.messages[turn.position])
    prompt = prompt_ids(encoder, turn.row.messages[: turn.position], turn.row.tools, thinking=thinks)
    said = text_of(encoder, speaker.answer(prompt, max_tokens))
    answer = parse_answer((encoder.template.opens if thinks else "") + said)
    return Spoken(turn, answer, score(answer, turn.calls, judge.tools(turn.row)))


def loss_metrics(losses: Sequence[RowLoss], base: Sequence[RowLoss], seed: int) -> dict[str, Measured]:
    """`loss` and, with a base model, `loss_change` (negative is better): overall, per group and source."""
    metrics: dict[str, Measured] = {}
    for name, places in parts(losses):
        nats = np.array([losses[place].nats for place in places])
        tokens = np.array([float(losses[place].tokens) for place in places])
        if not tokens.sum():
            continue
        metrics[f"loss{name}"] = ratio(nats, tokens, seed)
        if base:
            other = np.array([base[place].nats for place in places])
            metrics[f"loss_change{name}"] = change(nats, other, tokens, seed)
    groups = [metrics[key] for key in metrics if key.startswith("loss_change.group.")]
    if groups:
        metrics["loss_change.worst_group"] = max(groups, key=lambda measured: measured.value)
    return metrics


def parts(losses: Sequence[RowLoss]) -> Iterator[tuple[str, list[int]]]:
    """(ending of the metric's name, places of its rows): all, each group, each source."""
    yield "", list(range(len(losses)))
    for kind in ("group", "source"):
        for name in sorted({getattr(one.row, kind) for one in losses}):
            yield (
                f".{kind}.{name}",
                [place for place, one in enumerate(losses) if getattr(one.row, kind) == name],
            )


def tool_metrics(spoken: Sequence[Spoken], seed: int) -> dict[str, Measured]:
    """Shares of tool-calling turns, and of turns that must not call: `tools.*`."""
    calling = [one for one in spoken if one.turn.calls]
    speaking = [one for one in spoken if not one.turn.calls]
    metrics = {}
    for name in Score._fields if calling else ():
        right = [getattr(one.score, name) for one in calling]
        metrics[f"tools.{name}_share"] = share_of_turns(calling, right, seed)
    if speaking:
        quiet = [not one.answer.calls for one in speaking]
        metrics["tools.quiet_share"] = share_of_turns(speaking, quiet, seed)
    return metrics


def share_of_turns(spoken: Sequence[Spoken], right: Sequence[bool], seed: int) -> Measured:
    """The share of right turns. Its interval is over rows: turns of one row succeed and fail together."""
    rows: dict[str, list[bool]] = {}
    for one, is_right in zip(spoken, right, strict=True):
        rows.setdefault(one.turn.row.id, []).append(is_right)
    hits = np.array([float(sum(turns)) for turns in rows.values()])
    return ratio(hits, np.array([float(len(turns)) for turns in rows.values()]), seed)


def wrong_turns(spoken: Sequence[Spoken]) -> list[dict[str, Any]]:
    """The first turns whose calls are not the row's, quoted."""
    wrong = [one for one in spoken if one.turn.calls and not one.score.arguments]
    return [
        {
            "id": one.turn.row.id,
            "message": one.turn.position,
            "expected": [f"{call['name']} {call['arguments']}"[:QUOTED] for call in one.turn.calls],
            "got": [quoted_call(call)[:QUOTED] for call in one.answer.calls],
            "said": one.answer.content[:QUOTED],
        }
        for one in wrong[:SHOWN]
    ]


def quoted_call(call: Any) -> str:
    """A generated call in one line."""
    return f"{call.name} {call.arguments}" if call.problem is None else f"no call: {call.problem}"


def as_text(
    found: Evaluation, path: Path, base: Path | None = None, meanings: Mapping[str, str] | None = None
) -> str:
    """The result for people: the model beside its base, what the names mean, then the bounds.

    base: as in `evaluate`. meanings: of the metrics, by name.
    """
    lines = [f"evaluated  {path}: {found.rows:,} rows, {found.tool_turns:,} tool-calling turns"]
    if found.sample:
        lines.append("sample     only a part of the eval split: nothing is written, nothing is proved")
    for label, file in found.files.items():
        kind, _, name = label.partition(".")
        known = f", {file.in_train:,} of them also in the train split" if file.in_train else ""
        lines.append(f"asked      {name}: {file.rows:,} {kind}{known}")
    width = max(map(len, found.metrics), default=0)
    lines.append(f"{'':{width}}  {'base':>9}  {'model':>9}  95 % interval")
    for name, measured in found.metrics.items():
        before = f"{found.base[name].value:9.4f}" if name in found.base else f"{'':9}"
        lines.append(
            f"{name:{width}}  {before}  {measured.value:9.4f}  {measured.low:.4f} to {measured.high:.4f}"
        )
    for place, (name, meaning) in enumerate((meanings or {}).items()):
        lines.append(f"{'' if place else 'meaning':9}  {name}: {meaning}")
    lines += [f"{'passed' if one.passed else 'FAILED'}     {verdict_text(one)}" for one in found.verdicts]
    if not found.sample and found.passed:
        lines.append(f"next       {next_command(found.kind, path, base)}")
    return "\n".join(lines)


def next_command(kind: Kind, path: Path, base: Path | None) -> str:
    """What comes after a model was measured, and will not be refused."""
    run = read_run(path) if kind == "adapter" else merged_model(path).run if kind == "merged" else {}
    following = furthest_command(run) if run else "try"
    if following == "merge" and kind == "merged":
        following = "try"
    command = following_command(following, path)
    return with_base(command, base) if kind == "adapter" else command
