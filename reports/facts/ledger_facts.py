"""What the ledger tells beyond the manifest: repairs, faults of tools, languages that went."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import polars as pl

from reports.facts.dataset_tables import ledger


@dataclass(frozen=True)
class LedgerFacts:
    """repairs, flags: (stage, what) → rows; kept counts the rows of these that were written.

    tool_faults: tool → reason → rows dropped for it. languages: language → rows dropped for it.
    by_source: source → (stage, reason, rows), most frequent first. unread_calls: source → rows with text that
    looks like a tool call and was not read.
    """

    repairs: dict[tuple[str, str], int]
    flags: dict[tuple[str, str], int]
    repaired_rows: int
    repaired_written: int
    tool_faults: dict[str, dict[str, int]]
    languages: list[tuple[str, int]]
    by_source: dict[str, list[tuple[str, str, int]]]
    split_rows: int
    unread_calls: dict[str, int]


def ledger_facts(dataset: Path) -> LedgerFacts:
    """Facts from all ledger parts, each different detail decoded once."""
    scanned = ledger(dataset)
    has_facts = pl.col("detail").str.contains('"(?:repairs|flags|tool|language|parts)"')
    unread = pl.col("detail").str.contains('"flag":"call_like_text"', literal=True)
    details, drops, unread_calls = pl.collect_all(
        [
            scanned.filter(has_facts).group_by("fate", "stage", "reason", "detail").agg(rows=pl.len()),
            scanned.filter(pl.col("fate") == "dropped")
            .group_by("source", "stage", "reason")
            .agg(rows=pl.len()),
            scanned.filter(unread).group_by("source").agg(rows=pl.len()),
        ]
    )
    tallied = Tally()
    for line in details.iter_rows(named=True):
        tallied.add(line, orjson.loads(line["detail"]))
    by_source: dict[str, list[tuple[str, str, int]]] = {}
    for source, stage, reason, rows in drops.sort(
        "source", "rows", "stage", "reason", descending=[False, True, False, False]
    ).iter_rows():
        by_source.setdefault(source, []).append((stage or "", reason or "", rows))
    return LedgerFacts(
        repairs=ordered(tallied.repairs),
        flags=ordered(tallied.flags),
        repaired_rows=tallied.repaired,
        repaired_written=tallied.written,
        tool_faults={
            tool: ordered(reasons)
            for tool, reasons in sorted(tallied.faults.items(), key=lambda e: (-sum(e[1].values()), e[0]))
        },
        languages=list(ordered(tallied.languages).items()),
        by_source=by_source,
        split_rows=tallied.split,
        unread_calls=ordered(Counter(dict(unread_calls.iter_rows()))),
    )


class Tally:
    """Counts that grow line by line."""

    def __init__(self) -> None:
        self.repairs: Counter[tuple[str, str]] = Counter()
        self.flags: Counter[tuple[str, str]] = Counter()
        self.languages: Counter[str] = Counter()
        self.faults: dict[str, Counter[str]] = {}
        self.repaired = self.written = self.split = 0

    def add(self, line: Mapping[str, Any], detail: Mapping[str, Any]) -> None:
        """Count the rows that share one fate and one detail."""
        rows = line["rows"]
        for kind, counts in (("repair", self.repairs), ("flag", self.flags)):
            entries = {(str(e.get("stage", "")), named(e, kind)) for e in detail.get(f"{kind}s", ())}
            counts.update(dict.fromkeys(entries, rows))
        if detail.get("repairs"):
            self.repaired += rows
            self.written += rows if line["fate"] in ("train", "eval") else 0
        self.split += rows if "parts" in detail else 0
        if line["fate"] == "dropped" and "tool" in detail:
            self.faults.setdefault(str(detail["tool"]), Counter())[line["reason"]] += rows
        if line["fate"] == "dropped" and "language" in detail:
            self.languages[str(detail["language"])] += rows


def named(entry: Mapping[str, Any], kind: str) -> str:
    """What a note is about: its repair or flag, else the first thing it tells, such as `split`."""
    return str(entry.get(kind) or next((key for key in sorted(entry) if key not in ("stage", "count")), kind))


def ordered(counts: "Counter[Any]") -> dict[Any, int]:
    """Most frequent first, ties by name."""
    return dict(sorted(counts.items(), key=lambda entry: (-entry[1], entry[0])))
