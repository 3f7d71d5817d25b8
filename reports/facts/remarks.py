"""The verdict, and what a careful reader would want pointed out before approving."""

import re
from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

import msgspec

from curation.dataset.gate_metrics import exposure
from curation.dataset.gates import GatesFile
from curation.dataset.manifest import Manifest, SourceCounts
from curation.dataset.thinking import all_of, teaches_not_to_think
from curation.recipe.load import Recipe, stage_plan
from curation.recipe.stages import STAGES
from curation.visible import percent
from reports.facts.ledger_facts import LedgerFacts
from reports.facts.shard_facts import ShardFacts
from reports.facts.worth_facts import WorthFacts

Level = Literal["stop", "look", "note"]
LEVELS: tuple[Level, ...] = ("stop", "look", "note")

MOST_EXPOSURE = 16  # times that a row may be trained on before it is pointed out
HIGH_LOSS = 0.5  # share of a source's rows that may go before it is pointed out
# Terms that rule out or restrict commercial use, and words for no terms at all.
RESTRICTED = re.compile(r"\bNC\b|non-?commercial|research", re.IGNORECASE)
UNSTATED = re.compile(r"none|unknown|unstated|not stated", re.IGNORECASE)


class Verdict(NamedTuple):
    """state: passed, waived, failed or preview. title: the answer. text: what follows from it."""

    state: str
    title: str
    text: str


class Remark(NamedTuple):
    """One thing to look at, and the section of the report that shows more."""

    level: Level
    text: str
    section: str

    def order(self) -> int:
        """Where it stands among others: the gravest first."""
        return LEVELS.index(self.level)


def verdict(manifest: Manifest, gates: GatesFile) -> Verdict:
    """Whether this dataset may be approved."""
    if manifest.sample:
        return Verdict(
            "preview",
            "A preview: it cannot be approved",
            "It was made with --sample from some rows of every source, as many from each of its files."
            " It knows two copies only where it read both, so the whole has more duplicates than it"
            " shows. Run the same command without it.",
        )
    if gates.failed:
        number = len(gates.failed)
        return Verdict(
            "failed",
            f"{number} gate{'s' if number > 1 else ''} failed: it must not be trained on",
            "Mend the recipe or its sources, or waive the gate there with a reason, a name and a date.",
        )
    if gates.waived:
        number = len(gates.waived)
        return Verdict(
            "waived",
            f"All gates pass, {number} only by a waiver: it may be trained on once a person approves it",
            "Approving it approves the waivers too: read who answers for them and why.",
        )
    if not gates.gates:
        return Verdict(
            "none",
            "No gates were set: only a person's reading can tell whether to train on it",
            "Nothing was measured against a bound. It may be trained on once a person approves it.",
        )
    passing = "Its one gate passes" if len(gates.gates) == 1 else f"All {len(gates.gates)} gates pass"
    return Verdict(
        "passed",
        f"{passing}: it may be trained on once a person approves it",
        "Look at what follows and at some rows. Nothing can be trained before someone approves.",
    )


def remarks(
    manifest: Manifest,
    gates: GatesFile,
    recipe: Recipe,
    shards: ShardFacts,
    ledger: LedgerFacts,
    worth: WorthFacts,
) -> Iterator[Remark]:
    """Everything worth a look."""
    for gate in gates.gates:
        if gate.stops:
            yield Remark("stop", f"Gate {gate.name}: {gate.detail}", "gates")
        elif not gate.passed:
            why = f"waived by {gate.waiver.by}" if gate.waiver else "a warning"
            yield Remark("look", f"Gate {gate.name} did not pass ({why}): {gate.detail}", "gates")
    yield from mixture_remarks(manifest, recipe)
    for name, source in manifest.sources.items():
        yield from source_remarks(name, source)
    yield from training_remarks(manifest, recipe, shards)
    yield from worth_remarks(worth)
    yield from run_remarks(gates.metrics, recipe)
    if shards.shared_ids:
        yield Remark("stop", f"{shards.shared_ids:,} eval rows stand in train too", "leakage")
    if shards.lengths and shards.lengths.over:
        context = recipe.train.max_seq_length
        yield Remark(
            "look",
            f"{shards.lengths.over:,} rows are longer than the context of {context:,} tokens",
            "lengths",
        )
    if not manifest.written.eval:
        yield Remark("look", "Nothing is held out: there are no eval rows", "leakage")


def mixture_remarks(manifest: Manifest, recipe: Recipe) -> Iterator[Remark]:
    """Repeats and missed shares."""
    groups = manifest.mixture.groups
    total = sum(group.got for group in groups.values()) or 1
    for name, group in groups.items():
        got = group.got / total
        if abs(got - group.asked) > 0.01:
            yield Remark(
                "look",
                f"{name} got {percent(got)} of the mixture, {percent(group.asked)} was asked",
                "mixture",
            )
        if group.max_repeat > 1:
            text = f"{name}: {group.unique:,} different rows, each up to {group.max_repeat} times"
            yield Remark("look" if group.max_repeat > 4 else "note", text, "mixture")
    wanted = recipe.mixture.total
    if wanted != "max" and total < wanted:
        yield Remark("look", f"{total:,} {manifest.mixture.unit} of the {wanted:,} asked for", "mixture")


def training_remarks(manifest: Manifest, recipe: Recipe, shards: ShardFacts) -> Iterator[Remark]:
    """Training that shows the same rows over and over, or teaches a base that thinks not to."""
    train = recipe.train
    taught = teaches_not_to_think(all_of(shards.thoughts), train.thinking)
    # Its role tokens are those of DeepSeek-R1 and its distills, which think.
    if taught is not None and recipe.template == "aj_r1":
        yield Remark("look", taught[:1].upper() + taught[1:], "mixture")
    counts = [group.tokens for group in shards.groups.values()]
    tokens = None if None in counts else sum(count or 0 for count in counts)
    most = max((group.max_repeat for group in shards.groups.values()), default=0)
    facts = {"max_repeat": most, "train": manifest.written.train, "train_tokens": tokens}
    shown, about = exposure(facts, train), "about"
    if shown is None:
        # Without token counts nobody knows how many rows a sequence holds: one at least.
        shown, about = exposure(facts, msgspec.structs.replace(train, packing=False)), "at least"
    if shown is not None and shown > MOST_EXPOSURE:
        asked = f"{train.epochs:g} epochs" if train.epochs is not None else f"{train.max_steps:,} steps"
        instead = "" if train.epochs is not None else "; a recipe may say train.epochs in place of steps"
        yield Remark(
            "look", f"{asked} train on the most repeated row {about} {shown:,.0f} times{instead}", "mixture"
        )


def source_remarks(name: str, source: SourceCounts) -> Iterator[Remark]:
    """Great losses and licences."""
    gone = sum(source.dropped.values())
    if not source.read:
        yield Remark("look", f"{name} gave no row at all", "sources")
    elif gone > HIGH_LOSS * source.read:
        reason, rows = max(source.dropped.items(), key=lambda entry: (entry[1], entry[0]))
        lost = f"{name} lost {percent(gone, source.read)} of its {source.read:,} rows"
        yield Remark("look", f"{lost}, most as {reason} ({rows:,})", "sources")
    written = source.train + source.eval
    if written and (not source.licence or UNSTATED.search(source.licence)):
        yield Remark("note", f"{name}: {written:,} rows under no stated licence", "sources")
    elif written and RESTRICTED.search(source.licence or ""):
        yield Remark("note", f"{name}: {written:,} rows under {source.licence}", "sources")


def worth_remarks(worth: WorthFacts) -> Iterator[Remark]:
    """What a model would learn two ways."""
    contradicting = sum(one.contradicting for one in worth.conflicts)
    other = sum(one.differing for one in worth.conflicts) - contradicting
    if contradicting:
        yield Remark("look", f"{contradicting:,} rows are contradicted by rows with the same turns", "worth")
    if other:
        yield Remark("note", f"{other:,} rows have the turns of others and another answer", "worth")
    if worth.drifts:
        names = f"{len(worth.drifts):,} tool{'s are' if len(worth.drifts) > 1 else ' is'}"
        yield Remark("look", f"{names} offered under one name with several sets of parameters", "worth")


def run_remarks(metrics: dict[str, Any], recipe: Recipe) -> Iterator[Remark]:
    """What only the run could measure."""
    if metrics.get("eval.leaked_rows"):
        yield Remark(
            "stop", f"{metrics['eval.leaked_rows']:,} eval rows share a cluster with train rows", "leakage"
        )
    if metrics.get("eval.near_train_pairs"):
        yield Remark(
            "stop",
            f"{metrics['eval.near_train_pairs']:,} near-duplicate pairs lie across the split",
            "leakage",
        )
    if metrics.get("dedupe.capped"):
        capped = int(metrics["dedupe.capped"])
        yield Remark(
            "note",
            f"{capped:,} times the search for near duplicates reached a limit, so pairs may be missing",
            "pairs",
        )
    kinds = {kind for _, kind, _ in stage_plan(recipe)}
    for stage, declared in STAGES.items():
        if declared.without and stage not in kinds:
            yield Remark("note", declared.without, "provenance")
