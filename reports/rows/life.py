"""What `aj why` prints."""

import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from curation.visible import note_text, visible
from reports.rows.why import MOST, Cluster, Life

WIDTH = 100
MOST_TEXT = 600  # characters of a message


def lives(found: list[Life], dataset: Path) -> str:
    """Rows one after another."""
    more = [f"and more rows like these; only {MOST} are told"] if len(found) == MOST else []
    return "\n\n".join([*("\n".join(life(one, dataset)) for one in found), *more])


def life(row: Life, dataset: Path) -> Iterator[str]:
    """One row, a line a fact."""
    yield visible(f"{row.source}:{row.file}:{row.row}")
    yield f"  group    {row.group}"
    if row.file_sha256:
        yield f"  file     sha256 {row.file_sha256}"
    yield f"  as read  {row.input_id or 'unreadable'}"
    for step in row.steps:
        notes = "; ".join(
            note_text({k: v for k, v in n.items() if k != "stage"}).lstrip(": ") for n in step.notes[:4]
        )
        notes += f"; and {len(step.notes) - 4} more" if len(step.notes) > 4 else ""
        detail = orjson.dumps(step.detail).decode() if step.detail else ""
        parts = [step.verdict, step.reason or "", notes, detail]
        yield visible(f"  {step.stage:<17} {'  '.join(part for part in parts if part)}")
    yield f"  fate     {row.fate}{f' as {row.id}' if row.id else ''}"
    yield from pieces(row)
    for place in row.places:
        copy = f", copy {place.repeat}" if place.repeat > 1 else ""
        tokens = f", {place.tokens:,} tokens" if place.tokens is not None else ""
        yield f"  written  {place.file} row {place.row:,}{copy}{tokens}"
    if row.survivor:
        yield visible(f"  instead  {row.survivor} stays (similarity {row.similarity})")
        yield visible(f"           aj why {dataset} {row.survivor}")
    if row.stands_for_count:
        many = "s" if row.stands_for_count > 1 else ""
        yield f"  stays for {row.stands_for_count:,} duplicate{many} that went"
        yield from (f"           {visible(name)}" for name in row.stands_for)
    if row.cluster:
        yield from cluster(row.cluster)
    yield from text(row)


def cluster(found: Cluster) -> Iterator[str]:
    """The rows that belong together, and where they went."""
    went = ", ".join(f"{rows:,} {fate}" for fate, rows in found.fates.items())
    yield f"  cluster  {sum(found.fates.values()):,} rows alike or with the same first question: {went}"
    yield from (f"           {visible(place)}  {fate}" for place, fate in found.members)
    more = sum(found.fates.values()) - 1 - len(found.members)
    if more > 0:
        yield f"           and {more:,} more"


def pieces(row: Life) -> Iterator[str]:
    """The pieces of a split row."""
    for number, (row_id, fate, reason) in enumerate(row.parts, 1):
        yield f"  piece {number:<3}{fate}{f' ({reason})' if reason else ''}{f'  {row_id}' if row_id else ''}"


def text(row: Life) -> Iterator[str]:
    """What the row says, or where to read it."""
    if row.messages is None:
        yield f"  its text is not in the dataset; it is record {row.row:,} of {visible(row.file)}"
        return
    masked = dict(row.masked)
    for turn, message in enumerate(orjson.loads(row.messages)):
        name = f" ({message['name']})" if message["name"] else ""
        loss = f"  no loss: {masked.get(turn, 'no reason known')}" if "weight" in message else ""
        yield visible(f"  {message['role']}{name}{loss}")
        yield from indented(message["content"])
        for call in message["tool_calls"] or ():
            yield from indented(f"→ {call['name']} {call['arguments']}")


def indented(said: Any) -> Iterator[str]:
    """A message's text, cut and wrapped."""
    cut = visible(said or "")[:MOST_TEXT]
    for line in cut.splitlines():
        yield from textwrap.wrap(line, WIDTH, initial_indent="    ", subsequent_indent="    ")
    if len(said or "") > MOST_TEXT:
        yield f"    … {len(said) - MOST_TEXT:,} more characters"
