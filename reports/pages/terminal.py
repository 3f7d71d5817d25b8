"""What the commands print: the funnel, the mixture, the gates, and what comes next."""

import json
from collections.abc import Sequence
from pathlib import Path

import msgspec

from curation.dataset.gates import GateResult, GatesFile
from curation.dataset.manifest import Manifest
from curation.figures import figure
from curation.jobs.curate import Finished
from curation.recipe.stages import READING


def table(rows: Sequence[Sequence[str]], *, right: Sequence[int] = ()) -> str:
    """Rows as aligned columns, two spaces apart; the columns in `right` are right-aligned."""
    widths = [max(len(row[n]) for row in rows) for n in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [cell.rjust(widths[n]) if n in right else cell.ljust(widths[n]) for n, cell in enumerate(row)]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def funnel(manifest: Manifest) -> str:
    """From rows read to rows written, with the reasons of each stage, in pieces."""
    unread = {
        reason: sum(s.dropped.get(reason, 0) for s in manifest.sources.values()) for reason in READING.reasons
    }
    rows = [("", "rows", "dropped", "why")]
    rows.append(("read", f"{manifest.rows.read:,}", count(sum(unread.values())), reasons(unread)))
    for stage in manifest.stages:
        added = f"+{stage.added:,} pieces  " if stage.added else ""
        why = added + reasons(stage.dropped)
        rows.append((stage.name, f"{stage.out:,}", count(sum(stage.dropped.values())), why))
    rows.append(("written", f"{manifest.written.train + manifest.written.eval:,}", "", splits(manifest)))
    return table(rows, right=(1, 2))


def splits(manifest: Manifest) -> str:
    """How the written rows divide."""
    return (
        f"train {manifest.written.train:,}, eval {manifest.written.eval:,}, "
        f"left out by the mixture or by take {manifest.rows.unselected:,}"
    )


def count(number: int) -> str:
    """A number with thousands separators; nothing for none."""
    return f"{number:,}" if number else ""


def reasons(dropped: dict[str, int]) -> str:
    """Reasons with their counts, most frequent first."""
    ordered = sorted(((n, reason) for reason, n in dropped.items() if n), key=lambda e: (-e[0], e[1]))
    return ", ".join(f"{reason} {n:,}" for n, reason in ordered)


def mixture(manifest: Manifest) -> str:
    """Asked and got, by group."""
    groups = manifest.mixture.groups
    total = sum(group.got for group in groups.values()) or 1
    head = ("group", "asked", "got", str(manifest.mixture.unit), "of", "unique", "repeat")
    rows = [head]
    for name, group in groups.items():
        rows.append(
            (
                name,
                f"{group.asked:.1%}",
                f"{group.got / total:.1%}",
                f"{group.got:,}",
                f"{group.available:,}",
                f"{group.unique:,}",
                f"{group.max_repeat}x" if group.max_repeat > 1 else "",
            )
        )
    return table(rows, right=(1, 2, 3, 4, 5, 6))


def gates(found: GatesFile) -> str:
    """Every gate with its verdict."""
    if not found.gates:
        return "no gates in the recipe"
    rows = [("gate", "verdict", "measured", "")]
    for gate in found.gates:
        measured = "" if gate.measured is None else figure(gate.measured, gate.min, gate.max)
        rows.append((gate.name, verdict(gate), measured, gate.detail or ""))
    return table(rows, right=(2,))


def verdict(gate: GateResult) -> str:
    """passed, warning, waived or FAILED."""
    if gate.passed:
        return "passed"
    if gate.waiver is not None:
        return "waived"
    return "warning" if gate.severity == "warn" else "FAILED"


def summary(dataset: Path, manifest: Manifest, found: GatesFile) -> str:
    """What `aj curate` ends with, but the next step."""
    kept = manifest.rows.train + manifest.rows.eval
    head = f"kept {kept:,} of {manifest.rows.read:,} rows; "
    head += f"{manifest.rows.dropped:,} dropped, each with its reason"
    blocks = [funnel(manifest), mixture(manifest), gates(found), head]
    return "\n\n".join(blocks) + f"\n\nroot    {manifest.root}\nreport  {dataset / 'report.html'}"


def finished(run: Finished) -> str:
    """All that `aj curate` prints."""
    done = run.tasks_run + run.tasks_reused
    if run.unchanged:
        work = "unchanged since the finished run; nothing was done again"
    elif run.tasks_reused:
        work = f"{run.tasks_reused:,} of {done:,} tasks were finished already and reused"
    else:
        work = f"{done:,} tasks"
    head = summary(run.dataset, run.manifest, run.gates)
    return f"{head}\ntime    {run.wall_s:.1f} s ({work})\n{next_step(run)}"


def next_step(run: Finished) -> str:
    """The command to go on with, and what a preview does not show."""
    if run.manifest.sample:
        return (
            "note    a preview knows two copies only where it read both: the whole has more duplicates\n"
            "next    a preview cannot be approved; run the same command without --sample"
        )
    if not run.passed:
        return "next    a gate failed: read the report, mend the recipe or waive the gate with a reason"
    return f"next    read the report, then: aj approve {run.dataset} --by NAME"


def finished_json(run: Finished) -> str:
    """The same for a program."""
    return json.dumps(
        {
            "dataset": str(run.dataset),
            "root": run.manifest.root,
            "passed": run.passed,
            "rows": msgspec.to_builtins(run.manifest.rows),
            "written": msgspec.to_builtins(run.manifest.written),
            "tasks": {"run": run.tasks_run, "reused": run.tasks_reused},
            "wall_s": round(run.wall_s, 3),
        }
    )
