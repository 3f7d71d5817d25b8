"""What changed since the version that a dataset is compared with."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import orjson

from curation.dataset.gates import GatesFile
from curation.dataset.manifest import Manifest
from curation.recipe.load import Recipe
from curation.release.baseline import BASELINE

# Keys of a recipe that name the version itself, or are compared in tables of their own.
APART = ("name", "version", "baseline", "sources", "gates", "data_root")


class Change(NamedTuple):
    """One figure or setting, before and now; None where there was none."""

    what: str
    before: Any
    now: Any


class Changes(NamedTuple):
    """Everything that differs. sources: which came, went or have other files or settings."""

    rows: list[Change]
    mixture: list[Change]
    sources: list[Change]
    reasons: list[Change]
    gates: list[Change]
    settings: list[Change]


def read_baseline(dataset: Path) -> dict[str, Any] | None:
    """baseline.json of a dataset, if it has one."""
    path = dataset / BASELINE
    found: dict[str, Any] | None = orjson.loads(path.read_bytes()) if path.is_file() else None
    return found


def changes_since(
    before: Mapping[str, Any] | None, manifest: Manifest, gates: GatesFile, recipe: Recipe
) -> Changes | None:
    """The differences from a baseline, or None without one."""
    if before is None:
        return None
    now = msgspec.to_builtins(manifest)
    return Changes(
        rows=list(row_changes(before, now)),
        mixture=list(mixture_changes(before, now)),
        sources=list(source_changes(before, now, recipe.as_dict())),
        reasons=list(reason_changes(before, now)),
        gates=list(gate_changes(before, gates)),
        settings=list(setting_changes(by_stage(before["recipe"]), by_stage(recipe.as_dict()))),
    )


def by_stage(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """A recipe with its stages by name, and their order as a list, so that one setting is one change."""
    stages: dict[str, Any] = {}
    for stage in recipe["stages"]:
        ((kind, settings),) = stage.items() if isinstance(stage, dict) else ((stage, {}),)
        name = kind
        while name in stages:
            name += "'"
        stages[name] = settings
    return {**recipe, "stages": {**stages, "order": list(stages)}}


def row_changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[Change]:
    """Rows by fate and as written, equal ones too: they are what everyone asks first."""
    for name in ("read", "dropped", "unselected", "train", "eval"):
        if "rows" in before:
            yield Change(f"input rows {name}", before["rows"][name], now["rows"][name])
    for split in ("train", "eval"):
        yield Change(f"rows written to {split}", before["written"].get(split, 0), now["written"][split])


def mixture_changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[Change]:
    """The share that every group got; of a frozen recipe only what was asked is known."""
    asked = {} if "mixture" in before else before["recipe"]["mixture"]["shares"]
    # What natural shares came to is known of a dataset alone.
    then = got_shares(before["mixture"]) if "mixture" in before else {} if isinstance(asked, str) else asked
    current = got_shares(now["mixture"]) if "mixture" in before else asked_shares(now["mixture"])
    for group in dict.fromkeys((*then, *current)):
        yield Change(group, then.get(group), current.get(group))


def got_shares(mixture: Mapping[str, Any]) -> dict[str, float]:
    """What each group got of the total."""
    total = sum(group["got"] for group in mixture["groups"].values()) or 1
    return {name: group["got"] / total for name, group in mixture["groups"].items()}


def asked_shares(mixture: Mapping[str, Any]) -> dict[str, float]:
    """What each group was to get."""
    return {name: group["asked"] for name, group in mixture["groups"].items()}


def source_changes(
    before: Mapping[str, Any], now: Mapping[str, Any], recipe: Mapping[str, Any]
) -> Iterator[Change]:
    """Sources that came, went, or are read differently."""
    for name in dict.fromkeys((*before["sources"], *now["sources"])):
        then, current = before["sources"].get(name), now["sources"].get(name)
        if then is None or current is None:
            yield Change(name, then and summary(then), current and summary(current))
            continue
        changed = [
            key
            for key in ("group", "revision", "licence", "read", "train")
            if key in then and then[key] != current.get(key)
        ]
        files = sorted(file["sha256"] for file in current["files"])
        settings = [
            c.what for c in setting_changes(before["recipe"]["sources"][name], recipe["sources"][name], ())
        ]
        if changed or files != then["files"] or settings:
            yield Change(
                name,
                ", ".join(f"{key} {then[key]}" for key in changed) or "as now",
                ", ".join(
                    [
                        *(f"{key} {current.get(key)}" for key in changed),
                        *(["other files"] if files != then["files"] else []),
                        *(f"another {key}" for key in settings if key not in changed),
                    ]
                ),
            )


def summary(source: Mapping[str, Any]) -> str:
    """A source in a few words."""
    return f"{source['group']}, {source['read']:,} rows read"


def reason_changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[Change]:
    """Rows dropped by reason over all sources; only a dataset tells."""
    if "rows" not in before:
        return
    then, current = dropped(before), dropped(now)
    for reason in sorted({*then, *current}, key=lambda r: (-max(then.get(r, 0), current.get(r, 0)), r)):
        if then.get(reason, 0) != current.get(reason, 0):
            yield Change(reason, then.get(reason, 0), current.get(reason, 0))


def dropped(manifest: Mapping[str, Any]) -> dict[str, int]:
    """Input rows dropped by reason, over all sources."""
    counts: dict[str, int] = {}
    for source in manifest["sources"].values():
        for reason, rows in source["dropped"].items():
            counts[reason] = counts.get(reason, 0) + rows
    return counts


def gate_changes(before: Mapping[str, Any], gates: GatesFile) -> Iterator[Change]:
    """Gates that came, went, or measured something else."""
    then = {gate["name"]: gate["measured"] for gate in before.get("gates", ())}
    if "gates" not in before:
        then = {gate["name"]: None for gate in before["recipe"]["gates"]}
    now = {gate.name: gate.measured for gate in gates.gates}
    for name in dict.fromkeys((*then, *now)):
        if name not in then or name not in now:
            yield Change(name, "a gate" if name in then else None, "a gate" if name in now else None)
        elif "gates" in before and then[name] != now[name]:
            yield Change(name, then[name], now[name])


def setting_changes(
    before: Any, now: Any, apart: tuple[str, ...] = APART, path: str = ""
) -> Iterator[Change]:
    """Settings that differ, each by its key."""
    if isinstance(before, dict) and isinstance(now, dict):
        for key in dict.fromkeys((*before, *now)):
            if path or key not in apart:
                yield from setting_changes(
                    before.get(key), now.get(key), apart, f"{path}.{key}" if path else str(key)
                )
    elif before != now:
        yield Change(path, as_text(before), as_text(now))


def as_text(value: Any) -> Any:
    """A value of a recipe as JSON text; None where there is none."""
    return value if value is None or isinstance(value, str) else orjson.dumps(value).decode()
