"""evaluation.json: what a model was measured at, judged by the recipe, bound to the adapter's digest."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec

from curation.errors import CurationError, Refusal
from curation.sealed import Sealed, read_sealed

EVALUATION = "evaluation.json"


class Measured(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A value with its 95 % interval over `rows` rows; a share of turns, over the rows that have them."""

    value: float
    low: float
    high: float
    rows: int


class Verdict(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One bound of the recipe, judged. `value` is null when nothing was measured: that fails."""

    metric: str
    max: float | None
    min: float | None
    value: float | None
    passed: bool


class Tested(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file of questions or texts: its digest, its rows, and how many of these stand in the train split."""

    sha256: str
    rows: int
    in_train: int


class Evaluation(Sealed, frozen=True):
    """evaluation.json. Digests are sha256.

    sample: only a part of the eval split was looked at, so it proves nothing. metrics, base: the model's
    and the base model's values by name. files: those of the recipe's `evaluation`, as the metrics name them.
    lost: questions that the base model answers right and this one does not.
    """

    format: Literal[1]
    model: str
    kind: Literal["adapter", "merged", "gguf"]
    adapter_sha256: str | None
    frozen_sha256: str
    root: str
    sample: bool
    rows: int
    tool_turns: int
    metrics: dict[str, Measured]
    base: dict[str, Measured]
    verdicts: list[Verdict]
    examples: list[dict[str, Any]]
    versions: dict[str, str]
    files: dict[str, Tested] = msgspec.field(default_factory=dict)
    lost: list[dict[str, Any]] = msgspec.field(default_factory=list)

    @property
    def passed(self) -> bool:
        """Whether every bound of the recipe holds."""
        return all(verdict.passed for verdict in self.verdicts)


def verdicts_of(expectations: Sequence[Mapping[str, Any]], metrics: Mapping[str, Measured]) -> list[Verdict]:
    """The recipe's bounds on measured values. What was not measured fails."""
    verdicts = []
    for expected in expectations:
        found = metrics.get(expected["metric"])
        value = found.value if found is not None else None
        low, high = expected.get("min"), expected.get("max")
        passed = (
            value is not None
            and value == value
            and (low is None or value >= low)
            and (high is None or value <= high)
        )
        verdicts.append(Verdict(expected["metric"], high, low, value, passed))
    return verdicts


def evaluation_path(model: Path) -> Path:
    """Where the evaluation of a model lies: in its folder, or beside a GGUF file."""
    return model.with_name(f"{model.name}.{EVALUATION}") if model.is_file() else model / EVALUATION


def standing_evaluation(
    model: Path, expectations: Sequence[Mapping[str, Any]], adapter_sha256: str | None, frozen_sha256: str
) -> Evaluation | None:
    """The evaluation that lies with a model, where it is of this adapter, this data and these bounds."""
    try:
        found = read_sealed(evaluation_path(model), Evaluation)
    except CurationError:
        return None
    asked = (adapter_sha256, frozen_sha256, False)
    if (found.adapter_sha256, found.frozen_sha256, found.sample) != asked:
        return None
    return found if found.verdicts == verdicts_of(expectations, found.metrics) else None


def passing_evaluation(
    folders: Sequence[Path], expectations: Sequence[Mapping[str, Any]], adapter_sha256: str | None
) -> str | None:
    """The digest of the evaluation that a recipe with bounds asks for, from the first folder that has one.

    Null when the recipe has no bounds. Refusal when there is none, it failed, is a sample, judges other
    bounds or belongs to another adapter.
    """
    if not expectations:
        return None
    path = next((evaluation_path(f) for f in folders if evaluation_path(f).is_file()), None)
    how = f"run `aj evaluate {folders[0]}`"
    if path is None:
        raise Refusal(f"{folders[0]}: its recipe asks for an evaluation, and there is none; {how}")
    found = read_sealed(path, Evaluation)
    if found.adapter_sha256 != adapter_sha256:
        raise Refusal(f"{path}: belongs to another adapter; {how}")
    if found.sample:
        raise Refusal(f"{path}: looked at a sample of the eval split only; {how} without --rows")
    if found.verdicts != verdicts_of(expectations, found.metrics):
        raise Refusal(f"{path}: judges other bounds than the recipe's; {how}")
    if not found.passed:
        raise Refusal(failed(found, path))
    return found.self_sha256


def failed(found: Evaluation, path: Path) -> str:
    """The bounds that do not hold, in one line."""
    failures = [verdict_text(verdict) for verdict in found.verdicts if not verdict.passed]
    return f"{path}: failed: {'; '.join(failures)}"


def verdict_text(verdict: Verdict) -> str:
    """A bound and what was measured."""
    bounds = [f"min {verdict.min:g}"] if verdict.min is not None else []
    bounds += [f"max {verdict.max:g}"] if verdict.max is not None else []
    value = "not measured" if verdict.value is None else f"{verdict.value:.4g}"
    return f"{verdict.metric} {value} ({', '.join(bounds) or 'no bound'})"
