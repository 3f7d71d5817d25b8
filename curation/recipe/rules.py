"""What types cannot say about a recipe: sums, names that refer to each other, settings that need others.

Every rule yields faults with the path of the key to mend. The rules run on a document that already
fits the model, so they never meet a wrong type.
"""

import re
from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import Any

import msgspec

from curation.recipe.conform import Fault, conform, meant, suggestion
from curation.recipe.kinds import (
    BUILT_IN_SCHEMAS,
    BUILT_IN_TEMPLATES,
    FINDABLE,
    LANGUAGE_NAMES,
    LANGUAGES,
    Named,
    named,
)
from curation.recipe.metrics import (
    ASKED,
    EVALUATED,
    LOSSES,
    METRICS,
    SOURCE_METRICS,
    MetricDeclaration,
    evaluated_as,
)
from curation.recipe.model import MAX_STEPS, Expectation, Gate, RecipeModel, TrainSettings
from curation.recipe.source_rules import inside_faults, source_faults
from curation.recipe.stages import STAGES, Tools
from curation.recipe.yaml_lines import Document, KeyPath

# Shares may be rounded: three thirds written with six digits still add up.
SUM_TOLERANCE = Fraction(3, 1_000_000)
# More repeats than this need a waiver of mixture.max_repeat (DESIGN.md §5).
PER_SOURCE = " and ".join(sorted({f"{name.partition('.')[0]}.*" for name in SOURCE_METRICS}))
REPEATS_WITHOUT_WAIVER = 16
REPEAT_GATE = "mixture.max_repeat"
# `lr_end` of transformers' get_polynomial_decay_schedule_with_warmup.
POLYNOMIAL_END = 1e-7


def stage_faults(document: Document, stages: Any) -> Iterator[Fault]:
    """Unknown stages, and settings that a stage does not have; entries of a wrong type are passed over."""
    for index, entry in enumerate(stages if isinstance(stages, list) else ()):
        path: KeyPath = ("stages", index)
        if not isinstance(entry, str | dict):
            continue
        if isinstance(entry, dict) and len(entry) != 1:
            yield Fault(path, f"expected one stage, got {len(entry)} keys; write '- name: {{key: value}}'")
            continue
        name, settings = (entry, {}) if isinstance(entry, str) else next(iter(entry.items()))
        if name not in STAGES:
            yield Fault(path, f"unknown stage '{name[:60]}'; {meant(name, STAGES, 'the stages are')}")
        elif settings is None:
            yield Fault(path, f"no settings after '{name}:'; write '- {name}' or '- {name}: {{key: value}}'")
        elif isinstance(entry, str):
            needed = [f.name for f in msgspec.structs.fields(STAGES[name].settings) if f.required]
            if needed:
                yield Fault(path, f"needs settings; write '- {name}: {{{': …, '.join(needed)}: …}}'")
        else:
            yield from conform(document, STAGES[name].settings, (*path, name), settings)


def rule_faults(recipe: RecipeModel, plan: list[tuple[str, str, Any]]) -> Iterator[Fault]:
    """Every fault of a recipe whose types are right. `plan`: (name, stage, settings) in order."""
    yield from share_faults(recipe)
    for name, source in recipe.sources.items():
        yield from source_faults(source, ("sources", name))
    yield from reference_faults(recipe, plan)
    yield from written_tools_faults(recipe, plan)
    yield from gate_faults(recipe)
    yield from waiver_faults(recipe)
    yield from train_faults(recipe)
    yield from tokenizer_faults(recipe, plan)
    yield from expectation_faults(recipe)


def share_faults(recipe: RecipeModel) -> Iterator[Fault]:
    """Shares that do not add up to 1; groups without sources and sources without a share."""
    shares = recipe.mixture.shares
    if isinstance(shares, str):
        return
    at: KeyPath = ("mixture", "shares")
    total = sum((Fraction(repr(share)) for share in shares.values()), Fraction(0))
    if abs(total - 1) > SUM_TOLERANCE:
        off = float(1 - total)
        mend = f"{off:.6g} is missing" if off > 0 else f"{-off:.6g} is too much"
        percent = "; shares are fractions, write 0.5 for 50 %" if total > 2 else ""
        yield Fault(at, f"the shares add up to {float(total):.6g}, not 1; {mend}{percent}")
    with_source = {source.group for source in recipe.sources.values()}
    misspelt = set()
    for name, source in recipe.sources.items():
        if source.group not in shares:
            near = suggestion(source.group, shares)
            misspelt.add(near)
            hint = f"did you mean '{near}'?" if near else f"the groups there: {', '.join(shares) or 'none'}"
            yield Fault(
                ("sources", name, "group"),
                f"group '{source.group}' has no share under mixture.shares; {hint}",
            )
    for group in shares:
        if group not in with_source and group not in misspelt:
            yield Fault((*at, group), f"no source has the group '{group}'; give it one or remove the share")


def reference_faults(recipe: RecipeModel, plan: list[tuple[str, str, Any]]) -> Iterator[Fault]:
    """Stages that name sources, files or languages."""
    for index, (_, stage, settings) in enumerate(plan):
        for one in named(settings):
            yield from named_faults(one, ("stages", index, stage, *one.path), recipe)


def written_tools_faults(recipe: RecipeModel, plan: list[tuple[str, str, Any]]) -> Iterator[Fault]:
    """Tools of sources that no stage would write, or that the stage names again."""
    stages = [(index, settings) for index, (_, _, settings) in enumerate(plan) if isinstance(settings, Tools)]
    for name in (name for name, source in recipe.sources.items() if source.tools is not None):
        if not stages:
            yield Fault(("sources", name, "tools"), "the stage 'tools' writes them; add it to 'stages:'")
        for index, settings in stages:
            if name in settings.sources:
                at: KeyPath = ("stages", index, "tools", "sources", name)
                yield Fault(at, f"sources.{name}.tools says it, too; leave one of them out")


def named_faults(one: Named, at: KeyPath, recipe: RecipeModel) -> Iterator[Fault]:
    """What is wrong with one thing that a setting names."""
    if one.kind == "source" and one.value not in recipe.sources:
        unknown = "unknown source" if at[-1] == one.value else f"unknown source '{one.value}'"
        yield Fault(at, f"{unknown}; {meant(one.value, recipe.sources)}")
    elif one.kind in ("path", "test set") or (
        one.kind == "tool schema" and one.value not in BUILT_IN_SCHEMAS
    ):
        yield from inside_faults(one.value, at)
    elif one.kind == "languages":
        yield from language_faults(one.value, at)
    elif one.kind == "public":
        yield from public_faults(one.value, at)


def public_faults(keep: list[str], at: KeyPath) -> Iterator[Fault]:
    """Values and patterns that the stage `pii` never finds, or under which it would find nothing."""
    for index, value in enumerate(keep):
        if sum(map(str.isalnum, value)) < 3:
            yield Fault((*at, index), f"'{value[:60]}' would keep nearly everything; name what is public")
        elif not FINDABLE.fullmatch(value):
            hint = "write an address, a number, a domain such as example.com, or a pattern such as support@*"
            yield Fault((*at, index), f"pii never finds '{value[:60]}'; {hint}")


def language_faults(keep: list[str], at: KeyPath) -> Iterator[Fault]:
    """Codes that the language stage never says: under them every row would be dropped."""
    if not keep:
        yield Fault(at, "keeps no language; write [en], or remove the stage")
    for code in keep:
        if code not in LANGUAGES:
            folded = code.strip().casefold()
            near = LANGUAGE_NAMES.get(folded) or re.split("[-_]", folded)[0]
            hint = f"write {near}" if near in LANGUAGES else "a language is an ISO 639-1 code such as en"
            yield Fault(at, f"unknown language '{code[:60]}'; {hint}")


def gate_faults(recipe: RecipeModel) -> Iterator[Fault]:
    """Gates that measure nothing or bound nothing, and names that two of them share."""
    seen: dict[str, int] = {}
    for index, gate in enumerate(recipe.gates):
        at: KeyPath = ("gates", index)
        yield from single_gate_faults(gate, at, recipe)
        if gate.title in seen:
            yield Fault(at, f"gates[{seen[gate.title]}] is called '{gate.title}' too; give one a 'name:'")
        elif gate.title:
            seen[gate.title] = index


def single_gate_faults(gate: Gate, at: KeyPath, recipe: RecipeModel) -> Iterator[Fault]:
    """What one gate lacks."""
    if (gate.metric is None) == (gate.sql is None):
        yield Fault(at, f"needs {'a' if gate.metric is None else 'either a'} 'metric:' or a 'sql:'")
    if gate.sql is not None and gate.name is None:
        yield Fault(at, "a sql gate needs a 'name:', for reports and waivers")
    if not gate.bounds:
        yield from bound_faults(gate.min, gate.max, at)
    elif gate.min is not None and gate.max is not None:
        yield Fault((*at, "bounds"), "stands for min or for max; give the gate one of the two")
    elif gate.min is None and gate.max is None:
        yield Fault(at, "needs a 'max:' or a 'min:' for the sources that bounds leaves out")
    by_source = gate.metric in SOURCE_METRICS
    if gate.per and not by_source:
        yield Fault((*at, "per"), f"only {PER_SOURCE} metrics are measured per source, '{gate.title}' is not")
    if gate.bounds and not by_source:
        yield Fault((*at, "bounds"), f"only {PER_SOURCE} metrics have a bound per source")
    for source in gate.bounds if by_source else ():
        if source not in recipe.sources:
            yield Fault((*at, "bounds", source), f"unknown source; {meant(source, recipe.sources)}")


def bound_faults(low: float | None, high: float | None, at: KeyPath) -> Iterator[Fault]:
    """At least one bound, and a range that is not empty."""
    if low is None and high is None:
        yield Fault(at, "needs a 'max:' or a 'min:'")
    elif low is not None and high is not None and low > high:
        yield Fault((*at, "min"), f"{low:g} is more than max {high:g}; nothing can pass")


def expectation_faults(recipe: RecipeModel) -> Iterator[Fault]:
    """Bounds without a number; files without a name of their own, or with keys of a bound."""
    seen: set[tuple[str, str]] = set()
    for index, one in enumerate(recipe.evaluation):
        at: KeyPath = ("evaluation", index)
        if sum(key is not None for key in (one.metric, one.questions, one.texts)) != 1:
            yield Fault(at, "needs one of 'metric:', 'questions:' and 'texts:'")
        elif one.file is None:
            yield from bound_faults(one.min, one.max, at)
            if one.name is not None:
                yield Fault((*at, "name"), "is for 'questions:' and 'texts:'; a bound has its metric's name")
        else:
            yield from inside_faults(one.file, (*at, one.kind))
            known = f"{one.kind}.{one.name or 'NAME'}"
            value = "right_change" if one.kind == "questions" else "loss_change"
            if one.min is not None or one.max is not None:
                yield Fault(at, f"a file has no bound; write it as '- {{metric: {known}.{value}, min: …}}'")
            if one.name is None:
                yield Fault(at, f"needs a 'name:', for metrics such as {known}.{value}")
            elif (one.kind, one.name) in seen:
                yield Fault((*at, "name"), f"another entry with {one.kind} has the name '{one.name}' too")
            else:
                seen.add((one.kind, one.name))
        if one.kind != "questions" and one.max_tokens != Expectation().max_tokens:
            yield Fault((*at, "max_tokens"), "is for the answers to 'questions:'")


def range_faults(recipe: RecipeModel) -> Iterator[Fault]:
    """Bounds that no value can reach or miss, such as a share of 5 for 5 %.

    Not asked of stored recipes: some are older than this rule.
    """
    for index, gate in enumerate(recipe.gates):
        if gate.metric is not None:
            bounds: list[tuple[KeyPath, float | None]] = [(("max",), gate.max), (("min",), gate.min)]
            bounds += [(("bounds", source), bound) for source, bound in gate.bounds.items()]
            yield from out_of_range(METRICS[gate.metric], bounds, ("gates", index))
    for index, expectation in enumerate(recipe.evaluation):
        if metric := evaluated_as(expectation.metric or ""):
            bounds = [(("max",), expectation.max), (("min",), expectation.min)]
            yield from out_of_range(metric, bounds, ("evaluation", index))


def out_of_range(
    metric: MetricDeclaration, bounds: Iterable[tuple[KeyPath, float | None]], at: KeyPath
) -> Iterator[Fault]:
    """Bounds outside of what a metric of this kind can be."""
    for key, bound in bounds:
        if (
            bound is None
            or metric.kind == "number"
            or (bound >= 0 and metric.kind == "count")
            or (metric.kind == "share" and 0 <= bound <= 1)
            or (metric.kind == "change" and -1 <= bound <= 1)
        ):
            continue
        if metric.kind in ("share", "change"):
            what = "a share from 0 to 1" if metric.kind == "share" else "the change of a share, from -1 to 1"
            could_be = 1 < bound <= 100 or (metric.kind == "change" and -100 <= bound < -1)
            percent = f"; for {bound:g} % write {bound / 100:g}" if could_be else ""
            yield Fault((*at, *key), f"expected {what}, got {bound:g}{percent}")
        else:
            yield Fault((*at, *key), f"expected a count of at least 0, got {bound:g}")


def evaluation_faults(recipe: RecipeModel) -> Iterator[Fault]:
    """Bounds on what `aj evaluate` does not measure: found now, not after the training."""
    known = evaluated(recipe)
    for index, bound in enumerate(recipe.evaluation):
        if bound.metric is not None and bound.metric not in known:
            hint = meant(bound.metric, known, "measured are")
            yield Fault(("evaluation", index, "metric"), f"unknown metric '{bound.metric[:60]}'; {hint}")


def evaluated(recipe: RecipeModel) -> list[str]:
    """The name of every value that `aj evaluate` may measure on a model of this recipe."""
    parts = [f"group.{name}" for name in recipe.groups] + [f"source.{name}" for name in recipe.sources]
    files = [
        metric.replace("NAME", one.name)
        for one in recipe.asked
        for metric in ASKED
        if one.name is not None and metric.startswith(f"{one.kind}.")
    ]
    return [*EVALUATED, *(f"{loss}.{part}" for loss in LOSSES for part in parts), *files]


def waiver_faults(recipe: RecipeModel) -> Iterator[Fault]:
    """Waivers of gates that do not exist; many repeats without one."""
    titles = {gate.title for gate in recipe.gates} | {REPEAT_GATE}
    for index, waiver in enumerate(recipe.waivers):
        if waiver.gate not in titles:
            hint = meant(waiver.gate, sorted(titles), "the gates are")
            yield Fault(("waivers", index, "gate"), f"no gate is called '{waiver.gate}'; {hint}")
    waived = any(waiver.gate == REPEAT_GATE for waiver in recipe.waivers)
    if recipe.mixture.max_repeat > REPEATS_WITHOUT_WAIVER and not waived:
        yield Fault(
            ("mixture", "max_repeat"),
            f"{recipe.mixture.max_repeat} is more than {REPEATS_WITHOUT_WAIVER} repeats, which teach little"
            f" (arXiv 2305.16264); add a waiver with 'gate: {REPEAT_GATE}' if it must be",
        )


def train_faults(recipe: RecipeModel) -> Iterator[Fault]:
    """Settings of the training that contradict each other."""
    train = recipe.train
    if train.max_steps is not None and train.epochs is not None:
        yield Fault(("train", "epochs"), "max_steps is set too; give one of the two")
    if train.warmup_ratio is not None and train.warmup_steps != TrainSettings().warmup_steps:
        yield Fault(("train", "warmup_ratio"), "warmup_steps is set too; give one of the two")
    if train.tokens and train.modules_to_save:
        yield Fault(("train", "tokens"), "modules_to_save trains all rows; give one of the two")
    if train.thinking != "as_is" and recipe.template not in BUILT_IN_TEMPLATES:
        yield Fault(
            ("train", "thinking"),
            f"{train.thinking} is written by the templates {' and '.join(BUILT_IN_TEMPLATES)} alone; set one"
            " of these, or leave it out",
        )
    product = train.batch_size * train.gradient_accumulation_steps
    if train.effective_batch_size not in (None, product):
        yield Fault(
            ("train", "effective_batch_size"),
            f"expected {product} (batch_size {train.batch_size} times gradient_accumulation_steps"
            f" {train.gradient_accumulation_steps}), got {train.effective_batch_size}",
        )


def rate_faults(recipe: RecipeModel) -> Iterator[Fault]:
    """A rate that rises to the end, or cannot fall. Not asked of stored recipes: some are older than this."""
    train = recipe.train
    steps = train.max_steps or MAX_STEPS
    if train.epochs is None and not train.reaches_peak(steps):
        yield Fault(
            ("train", "warmup_steps"),
            f"the learning rate rises for {train.warmup_steps} of the run's {steps} updates and never reaches"
            f" its peak; expected fewer than {steps}, such as {steps // 10}",
        )
    if train.lr_scheduler == "polynomial" and train.learning_rate <= POLYNOMIAL_END:
        yield Fault(
            ("train", "learning_rate"),
            f"expected more than {POLYNOMIAL_END:g}, at which lr_scheduler: polynomial ends, got"
            f" {train.learning_rate:g}",
        )


def tokenizer_faults(recipe: RecipeModel, plan: list[tuple[str, str, Any]]) -> Iterator[Fault]:
    """What counts tokens without a tokenizer, and a tokenizer that is two or none."""
    if recipe.tokenizer is not None:
        if (recipe.tokenizer.id is None) == (recipe.tokenizer.path is None):
            yield Fault(("tokenizer",), "needs either an 'id:' or a 'path:'")
        return
    need = "counts tokens; add 'tokenizer: {id: …}' or '{path: …}'"
    for index, (_, stage, _settings) in enumerate(plan):
        if STAGES[stage].counts_tokens:
            yield Fault(("stages", index), f"{stage} {need}")
    if recipe.mixture.unit == "tokens":
        yield Fault(("mixture", "unit"), f"a mixture by tokens {need}")
    for index, gate in enumerate(recipe.gates):
        if gate.metric is not None and METRICS[gate.metric].needs_tokenizer:
            yield Fault(("gates", index, "metric"), f"{gate.metric} {need}")
