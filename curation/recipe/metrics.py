"""The table of metrics: what gates and expectations may bound, what each means, and how it comes about.

A metric of a stage is one entry here, made of the counts that the stage returns (curation/stages/seam.py).
What is measured on the files of a dataset is computed in curation/dataset/gate_metrics.py.
"""

from collections.abc import Iterable, Mapping
from typing import Literal, TypeVar

import msgspec

from curation.recipe.stages import STAGES

Kind = Literal["share", "change", "count", "number"]


class MetricDeclaration(msgspec.Struct, frozen=True, kw_only=True):
    """What a measured value is.

    meaning          in a line
    kind             a share (0 to 1), how a share changed (-1 to 1), a count (from 0) or any other number
    by               the run, the stage of this name while it goes on, or the files of the finished dataset
    per_source       whether it is measured for every source by itself
    needs_tokenizer  whether it is not measured without one
    share_of         the two counts of which it is part and whole, by their full names; without these it is
                     what the stage or the run counts under its own name
    of_nothing       the share where the whole was counted and is nothing
    """

    meaning: str
    kind: Kind
    by: str = "files"
    per_source: bool = False
    needs_tokenizer: bool = False
    share_of: tuple[str, str] | None = None
    of_nothing: float = 1.0


RUN, FILES = "run", "files"

METRICS: dict[str, MetricDeclaration] = {
    "mixture.max_share_error": MetricDeclaration(
        meaning="the most that a group's share of what is written differs from the share asked for",
        kind="share",
    ),
    "mixture.max_repeat": MetricDeclaration(
        meaning="how often the most repeated row is written",
        kind="count",
    ),
    "mixture.max_exposure": MetricDeclaration(
        meaning="how often the training shows the most repeated row; with packing it needs token counts",
        kind="number",
    ),
    "source.read": MetricDeclaration(
        meaning="the rows read from a source",
        kind="count",
        per_source=True,
    ),
    "source.invalid_share": MetricDeclaration(
        meaning="of a source's rows, those that are unreadable, refused for a key, or dropped as invalid",
        kind="share",
        per_source=True,
    ),
    "source.duplicate_share": MetricDeclaration(
        meaning="of a source's rows, those that are dropped as duplicates",
        kind="share",
        per_source=True,
    ),
    "source.kept_share": MetricDeclaration(
        meaning="of a source's rows, those that no stage drops",
        kind="share",
        per_source=True,
    ),
    "rows.train": MetricDeclaration(meaning="the rows written to train on, repeats included", kind="count"),
    "rows.eval": MetricDeclaration(meaning="the rows held out", kind="count"),
    "eval.leaked_rows": MetricDeclaration(
        meaning="rows held out that share a cluster of near duplicates with rows to train on",
        kind="count",
        by=RUN,
    ),
    "eval.near_train_pairs": MetricDeclaration(
        meaning="verified pairs of near duplicates across the split",
        kind="count",
        by=RUN,
    ),
    "tools.valid_share": MetricDeclaration(
        meaning="of the rows with tool calls, those whose calls are right or could be put right",
        kind="share",
        by="tools",
        share_of=("tools.valid", "tools.rows"),
    ),
    "tools.repaired_share": MetricDeclaration(
        meaning="of the rows with tool calls, those whose calls or tools were repaired",
        kind="share",
        by="tools",
        share_of=("tools.repaired", "tools.rows"),
        of_nothing=0.0,
    ),
    "calls.unread_share": MetricDeclaration(
        meaning="of the rows with tool calls or text that looks like one, those where such text was not read",
        kind="share",
        by="chat",
        share_of=("calls.unread", "calls.rows"),
        of_nothing=0.0,
    ),
    "tools.without": MetricDeclaration(
        meaning="rows whose tool calls are right and that offer no tools of their own",
        kind="count",
        by="tools",
    ),
    "trajectories.error_share": MetricDeclaration(
        meaning="of the rows with tool results, those with a call whose result says error",
        kind="share",
        by="trajectories",
        share_of=("trajectories.error_result", "trajectories.rows"),
        of_nothing=0.0,
    ),
    "trajectories.repeated_share": MetricDeclaration(
        meaning="of the rows with tool results, those that make a call again, with the same result",
        kind="share",
        by="trajectories",
        share_of=("trajectories.repeated_call", "trajectories.rows"),
        of_nothing=0.0,
    ),
    "trajectories.gave_up_share": MetricDeclaration(
        meaning="of the rows with tool results, those that give up",
        kind="share",
        by="trajectories",
        share_of=("trajectories.gave_up", "trajectories.rows"),
        of_nothing=0.0,
    ),
    "tools.drifting_names": MetricDeclaration(
        meaning="names of tools that the written rows offer with several sets of parameters",
        kind="count",
    ),
    "length.unsourced": MetricDeclaration(
        meaning="turns masked because their call asks for a text that stands in an earlier piece alone",
        kind="count",
        by="length",
    ),
    "pii.found": MetricDeclaration(
        meaning="how often personal data or a secret was found",
        kind="count",
        by="pii",
    ),
    "answers.faulty_share": MetricDeclaration(
        meaning="of the rows that the stage sees, those with an answer that has a fault it looks for",
        kind="share",
        by="answers",
        share_of=("answers.faulty", "answers.rows"),
        of_nothing=0.0,
    ),
    "same_answers.same_share": MetricDeclaration(
        meaning="of the rows that the stage sees, those with what their whole source has in common",
        kind="share",
        by="same_answers",
        share_of=("same_answers.same", "same_answers.rows"),
        of_nothing=0.0,
    ),
    "tokens.max": MetricDeclaration(
        meaning="the tokens of the longest row",
        kind="count",
        needs_tokenizer=True,
    ),
    "tokens.over_context": MetricDeclaration(
        meaning="rows of more tokens than train.max_seq_length",
        kind="count",
        needs_tokenizer=True,
    ),
    "language.kept_share": MetricDeclaration(
        meaning="of the rows that the stage sees, those that stay for their language",
        kind="share",
        by="language",
        share_of=("language.kept", "language.rows"),
    ),
    "conflicts.share": MetricDeclaration(
        meaning="of the rows with an answer, those to whose turns another row gives a different one",
        kind="share",
        by="conflicts",
        per_source=True,
        share_of=("conflicts.differing", "conflicts.rows"),
        of_nothing=0.0,
    ),
    "conflicts.contradicting_share": MetricDeclaration(
        meaning="of the rows with an answer, those to whose turns another row gives one that contradicts it",
        kind="share",
        by="conflicts",
        per_source=True,
        share_of=("conflicts.contradicting", "conflicts.rows"),
        of_nothing=0.0,
    ),
    "dedupe.capped": MetricDeclaration(
        meaning="how often the search for near duplicates reached a limit, so that pairs may be missing",
        kind="count",
        by="near_duplicates",
    ),
}

# Further figures that a run leaves in gates.json for the report, by how their names begin.
FIGURES = {
    "conflicts.": "rows with an answer, and those of them with a differing, contradicting or reworded one",
    "dedupe.": "what the search for near duplicates did",
    "language.written.": "written rows by language",
    "pii.": "findings of personal data by kind",
    "thoughts.": "rows to train on, turns in them that carry loss, and those that think, by source",
    "tokens.trained.": "tokens that carry loss, by source",
    "turns.without_loss.": "turns of the assistant's that carry none in the rows to train on, by source",
}

SOURCE_METRICS = frozenset(name for name, metric in METRICS.items() if metric.per_source)
# The counts of stages that are published as they are, or that shares are made of.
_COUNTS = METRICS.keys() | {count for metric in METRICS.values() for count in metric.share_of or ()}
# Measured while a run goes on; absent where the stage that measures it is not in the recipe.
RUN_METRICS = frozenset(name for name, metric in METRICS.items() if metric.by != FILES)

# What `aj evaluate` measures of a model, bounded by the recipe's `evaluation`.
EVALUATED: dict[str, MetricDeclaration] = {
    "loss": MetricDeclaration(
        meaning="nats per token of what the assistant says: the lower, the better it is foretold",
        kind="number",
    ),
    "loss_change": MetricDeclaration(
        meaning="the loss less that of the base model: below 0, training helped",
        kind="number",
    ),
    "loss_change.worst_group": MetricDeclaration(
        meaning="the loss_change of the group that gained least",
        kind="number",
    ),
    "tools.parsed_share": MetricDeclaration(
        meaning="of the turns that call tools in the row, those where the model's calls are whole",
        kind="share",
    ),
    "tools.valid_share": MetricDeclaration(
        meaning="those whose calls the tools stage would keep as they stand",
        kind="share",
    ),
    "tools.name_share": MetricDeclaration(
        meaning="those that call the row's tools, in its order",
        kind="share",
    ),
    "tools.arguments_share": MetricDeclaration(
        meaning="those that call the row's tools with the row's arguments",
        kind="share",
    ),
    "tools.quiet_share": MetricDeclaration(
        meaning="of the turns that only speak in the row, those where the model calls nothing",
        kind="share",
    ),
}
# Measured for each of a recipe's groups and sources, too: `loss.group.custom`.
LOSSES = ("loss", "loss_change")
# Measured on the files that `evaluation` names, NAME being the entry's own.
ASKED: dict[str, MetricDeclaration] = {
    "questions.NAME.right_share": MetricDeclaration(
        meaning="of the questions, those that the model answers right",
        kind="share",
    ),
    "questions.NAME.right_change": MetricDeclaration(
        meaning="that share less the base model's: below 0, training cost right answers",
        kind="change",
    ),
    "questions.NAME.thinks_share": MetricDeclaration(
        meaning="of the answers, those behind a thought that is opened, says something and is closed",
        kind="share",
    ),
    "questions.NAME.thinks_change": MetricDeclaration(
        meaning="that share less the base model's: below 0, training cost the habit of thinking",
        kind="change",
    ),
    "questions.NAME.ends_share": MetricDeclaration(
        meaning="of the answers, those that end by themselves before the limit",
        kind="share",
    ),
    "questions.NAME.ends_change": MetricDeclaration(
        meaning="that share less the base model's",
        kind="change",
    ),
    "texts.NAME.loss": MetricDeclaration(
        meaning="nats per token of texts that were not trained on",
        kind="number",
    ),
    "texts.NAME.loss_change": MetricDeclaration(
        meaning="that loss less the base model's: above 0, training made such texts less likely",
        kind="number",
    ),
}


def evaluated_as(metric: str) -> MetricDeclaration | None:
    """What `aj evaluate` measures under a name, a file's own in it; null where a group or source is named."""
    kind, _, rest = metric.partition(".")
    return EVALUATED.get(metric) or ASKED.get(f"{kind}.NAME.{rest.rpartition('.')[2]}")


def evaluated_meanings(names: Iterable[str]) -> dict[str, str]:
    """What the metrics of `aj evaluate` mean, those of a group or source by the part before its name."""
    measured = set(names)
    found = {name: declared.meaning for name, declared in EVALUATED.items() if name in measured}
    asked = {id(evaluated_as(name)) for name in measured - found.keys()}
    return found | {name: declared.meaning for name, declared in ASKED.items() if id(declared) in asked}


Number = TypeVar("Number", int, float)


def shares_of_source(counted: Mapping[str, float], source: str) -> dict[str, float | None]:
    """The metrics per source that a stage counts, as `<count>.<source>`; None where it did not run."""
    found: dict[str, float | None] = {}
    for name, metric in METRICS.items():
        if metric.per_source and metric.share_of is not None:
            part, whole = metric.share_of
            rows = counted.get(f"{whole}.{source}", 0)
            share = counted.get(f"{part}.{source}", 0) / rows if rows else metric.of_nothing
            found[name] = share if name in counted else None
    return found


def full_names(stage: str, counts: Mapping[str, Number]) -> dict[str, Number]:
    """What a stage counted by the names of this table: `<stage>.<count>`, or as its entry says.

    A count that no metric and no figure takes is a mistake in the table or in the stage.
    """
    prefix = STAGES[stage].counts_named or stage
    named = {f"{prefix}.{count}": n for count, n in counts.items()}
    unknown = [name for name in named if name not in _COUNTS and not name.startswith(tuple(FIGURES))]
    assert not unknown, f"{stage} counts what recipe/metrics.py does not declare: {', '.join(unknown)}"
    return named


def measured_by_run(counted: Mapping[str, float], stages: Iterable[str]) -> dict[str, float]:
    """What a run measured, as the gates name it, from its counts by their full names.

    What was not counted is not measured and absent: a gate on it fails.
    """
    found = {name: n for name, n in counted.items() if name in METRICS or name.startswith(tuple(FIGURES))}
    present = set(stages)
    for name, metric in METRICS.items():
        if metric.by in present and metric.share_of is not None and counted.keys() >= set(metric.share_of):
            part, whole = (counted[count] for count in metric.share_of)
            found[name] = part / whole if whole else metric.of_nothing
    return found
