"""Gates: what a dataset must measure up to. gates.json says of every one how it went.

A gate that could not be measured fails: it was asked for, and nobody knows.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from curation.dataset.gate_metrics import Measures, measures
from curation.dataset.gate_sql import check_sql, measure_sql, tables
from curation.dataset.manifest import Manifest, Part, difference, read_manifest, read_recipe
from curation.errors import RecipeError, Refusal
from curation.figures import figure
from curation.recipe.load import Recipe
from curation.recipe.metrics import SOURCE_METRICS
from curation.recipe.model import Gate, Severity, Waiver
from curation.sealed import Sealed, read_sealed, schema_of, write_sealed

GATES = "gates.json"


class SourceResult(Part, frozen=True):
    """How one source did at a gate per source, under its own bounds."""

    source: str
    measured: int | float | None
    min: float | None
    max: float | None
    passed: bool


class WaiverRef(Part, frozen=True):
    """A waiver as the recipe gives it. Whether it still holds is judged by approve and freeze."""

    gate: str
    reason: str
    by: str
    until: str


class GateResult(Part, frozen=True):
    """One gate: what was asked, what was measured, and how it went.

    measured: null when not measured; for a gate per source the value of its worst source.
    detail: why it failed, in words; null when it passed.
    """

    name: str
    metric: str | None
    sql: str | None
    min: float | None
    max: float | None
    measured: int | float | None
    sources: list[SourceResult]
    passed: bool
    severity: Severity
    waiver: WaiverRef | None
    detail: str | None

    @property
    def stops(self) -> bool:
        """Whether it keeps the dataset from being used: an error that no waiver covers."""
        return not self.passed and self.severity == "error" and self.waiver is None


class GatesFile(Sealed, frozen=True):
    """gates.json. `root` is that of the dataset measured; `metrics` are those of the run."""

    format: Literal[1]
    root: str
    passed: bool
    gates: list[GateResult]
    metrics: dict[str, int | float]

    @property
    def failed(self) -> list[GateResult]:
        """The gates that stop the dataset."""
        return [gate for gate in self.gates if gate.stops]

    @property
    def waived(self) -> list[GateResult]:
        """The failed gates that only a waiver lets through."""
        return [gate for gate in self.gates if not gate.passed and gate.waiver is not None]


def measure(
    dataset: Path,
    gates: Sequence[Gate],
    metrics: Mapping[str, float],
    *,
    manifest: Manifest,
    recipe: Recipe,
) -> GatesFile:
    """Measure and judge every gate on the shards and the ledger of a dataset.

    metrics  what only the run could measure (RUN_METRICS of curation.recipe.metrics); further names are kept
    Raises RecipeError for SQL that is not allowed, naming the gate.
    """
    values = measures(dataset, metrics, manifest, recipe)
    scanned = tables(dataset)
    results = []
    for gate in gates:
        name = gate.title
        waiver = waiver_of(name, recipe.waivers)
        if gate.sql is not None:
            results.append(judge_value(gate, measure_sql(name, gate.sql, scanned), waiver))
        elif gate.metric in SOURCE_METRICS:
            results.append(judge_sources(gate, values, waiver))
        else:
            results.append(judge_value(gate, values.overall.get(gate.metric or ""), waiver))
    passed = not any(result.stops for result in results)
    return GatesFile(
        format=1,
        root=manifest.root,
        passed=passed,
        gates=results,
        metrics=dict(sorted(metrics.items())),
    )


def judge_again(dataset: Path) -> GatesFile:
    """The gates of a finished dataset, measured anew on its files; nothing is written.

    The run's own metrics are those of gates.json. Raises CurationError when `dataset` is none, and
    Refusal when a file that a gate measures was changed.
    """
    manifest = read_manifest(dataset)
    recipe, before = read_recipe(dataset, manifest), read_gates(dataset)
    for file in manifest.files:
        if file.path.startswith(("train/", "eval/", "ledger/")):
            what = difference(dataset, file)
            if what:
                raise Refusal(f"{dataset / file.path}: {what}; `aj verify {dataset}` lists everything")
    return measure(dataset, recipe.gates, before.metrics, manifest=manifest, recipe=recipe)


def write_gates(dataset: Path, gates: GatesFile) -> GatesFile:
    """Write `<dataset>/gates.json` atomically; returns it with `self_sha256`."""
    return write_sealed(dataset / GATES, gates)


def read_gates(dataset: Path) -> GatesFile:
    """The gates of a dataset, as they were judged. Raises as `read_sealed` does."""
    return read_sealed(dataset / GATES, GatesFile)


def check_gates(recipe: Recipe) -> None:
    """Refuse, before a row is read, SQL that would be refused after the run. Raises RecipeError."""
    for index, gate in enumerate(recipe.gates):
        if gate.sql is not None:
            try:
                check_sql(gate.title, gate.sql)
            except RecipeError as error:
                raise RecipeError(f"{recipe.at('gates', index, 'sql')}: {error}") from None


def waiver_of(name: str, waivers: Sequence[Waiver]) -> WaiverRef | None:
    """The waiver of a gate; of several the one that holds longest."""
    found = [w for w in waivers if w.gate == name]
    if not found:
        return None
    last = max(found, key=lambda w: str(w.until))
    return WaiverRef(gate=last.gate, reason=last.reason, by=last.by, until=str(last.until))


def within(value: float | None, low: float | None, high: float | None) -> bool:
    """Whether a measured value keeps its bounds, which belong to what is allowed."""
    return value is not None and (low is None or value >= low) and (high is None or value <= high)


def failure_text(value: float | None, low: float | None, high: float | None) -> str:
    """A failure in words: `0.12, more than 0.05`."""
    if value is None:
        return "not measured"
    if low is not None and value < low:
        return f"{figure(value, low)}, less than {figure(low, low)}"
    bound = high if high is not None else value
    return f"{figure(value, bound)}, more than {figure(bound, bound)}"


def judge_value(gate: Gate, value: float | None, waiver: WaiverRef | None) -> GateResult:
    """A gate with one value."""
    passed = within(value, gate.min, gate.max)
    detail = None if passed else failure_text(value, gate.min, gate.max)
    return result_of(gate, value, [], passed, waiver, detail)


def judge_sources(gate: Gate, values: Measures, waiver: WaiverRef | None) -> GateResult:
    """A gate on every source; `bounds` replaces the gate's bound for the sources that it names."""
    metric = gate.metric or ""
    sources = []
    for name, measured in values.by_source.items():
        low, high = bounds_of(gate, name)
        value = measured.get(metric)
        sources.append(
            SourceResult(source=name, measured=value, min=low, max=high, passed=within(value, low, high))
        )
    failed = [s for s in sources if not s.passed]
    detail = "; ".join(f"{s.source} {failure_text(s.measured, s.min, s.max)}" for s in failed) or None
    return result_of(gate, worst(sources), sources, not failed, waiver, detail)


def bounds_of(gate: Gate, source: str) -> tuple[float | None, float | None]:
    """(min, max) of a gate for one source. A source's own bound replaces max, or min without one."""
    own = gate.bounds.get(source)
    if own is None:
        return gate.min, gate.max
    return (gate.min, own) if gate.max is not None else (own, None)


def worst(sources: Sequence[SourceResult]) -> float | None:
    """The value furthest over, or nearest to, its bound; None when one was not measured."""
    if not sources or any(s.measured is None for s in sources):
        return None

    def excess(source: SourceResult) -> float:
        value = source.measured or 0.0
        over = [value - source.max] if source.max is not None else []
        under = [source.min - value] if source.min is not None else []
        return max(over + under, default=0.0)

    return max(sources, key=excess).measured


def result_of(
    gate: Gate,
    measured: float | None,
    sources: list[SourceResult],
    passed: bool,
    waiver: WaiverRef | None,
    detail: str | None,
) -> GateResult:
    """The result, with what the gate asked for."""
    return GateResult(
        name=gate.title,
        metric=gate.metric,
        sql=gate.sql,
        min=gate.min,
        max=gate.max,
        measured=measured,
        sources=sources,
        passed=passed,
        severity=gate.severity,
        waiver=waiver,
        detail=detail,
    )


def gates_schema() -> dict[str, Any]:
    """What schemas/gates.schema.json holds."""
    return schema_of(GatesFile, "gates.json of a curated dataset")
