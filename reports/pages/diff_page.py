"""What `aj diff` prints, and its page."""

from collections.abc import Sequence

from curation.visible import count, percent, visible
from reports.facts.changes import Change
from reports.facts.diff import KINDS, Diff
from reports.pages.report import environment, render
from reports.pages.terminal import table

MOST = 24  # causes printed; the page and the JSON have all
TITLES = {
    "rows": "rows",
    "mixture": "share of each group",
    "sources": "sources",
    "reasons": "dropped by reason",
    "gates": "gates",
    "settings": "settings",
}


def as_text(found: Diff) -> str:
    """The comparison in a terminal."""
    head = f"{found.old} → {found.new}"
    if found.equal:
        return f"{head}: nothing differs\nroot    {found.new_root}"
    counts = ", ".join(f"{found.totals[kind]:,} {kind}" for kind in KINDS)
    blocks = [
        f"{head}\nrows    {f'the same, {found.same_but}' if found.same_but else counts}",
        source_table(found),
        cause_table(found),
        *(change_table(name, changes) for name, changes in found.changes.items()),
    ]
    return "\n\n".join(block for block in blocks if block)


def source_table(found: Diff) -> str:
    """The sources whose rows differ."""
    lines = [
        (name, count(one.before), count(one.now), *(count(getattr(one, kind)) for kind in KINDS))
        for name, one in found.sources.items()
        if one.before != one.now or one.added or one.changed or one.moved
    ]
    return table([("source", "written", "now", *KINDS), *lines], right=(1, 2, 3, 4, 5, 6)) if lines else ""


def cause_table(found: Diff) -> str:
    """Why, with a row for each."""
    lines = [
        (one.kind, one.source, count(one.rows), one.why, visible(one.examples[0]))
        for one in found.causes[:MOST]
    ]
    hidden = len(found.causes) - MOST
    more = f"\nand {hidden} more, all in --json and --html" if hidden > 0 else ""
    return table([("", "source", "rows", "why", "such as"), *lines], right=(2,)) + more if lines else ""


def change_table(name: str, changes: Sequence[Change]) -> str:
    """One kind of change."""
    lines = [(c.what, value(c.before, name, c.now), value(c.now, name, c.before)) for c in changes]
    right = () if name in ("sources", "settings") else (1, 2)
    return table([(TITLES[name], "before", "now"), *lines], right=right) if lines else ""


def value(side: object, name: str, other: object) -> str:
    """One side of a change, in figures that differ from the other's."""
    if side is None:
        return "-"
    if name == "mixture" and isinstance(side, (int, float)):
        return percent(side)
    if not isinstance(side, (int, float)):
        return visible(str(side))
    return count(side, other if isinstance(other, (int, float)) else None)


def as_html(found: Diff) -> bytes:
    """The comparison as a page of its own, in the manner of the report."""
    return render(environment(), "diff.html.jinja", found=found, kinds=KINDS, titles=TITLES, value=value)
