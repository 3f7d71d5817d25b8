"""Runs of an agent that fail: flagged, masked or dropped, each kind as the recipe says.

Judged are rows with tool results, also those whose results stand in user turns under a label such as
`Observation:`. Reasons and flags are explained in curation/recipe/stages.py; a flag has the `turns` that it
speaks of, counted from 0. What the table does not say:

error_result   what a result may say of its call is in curation/calls/failures; its `how` is key, status,
               exit_code, message, sql, shell, traceback, or marked where the set says so. Masked is the turn
               that calls, with all of its calls, and nothing after it
repeated_call  within one exchange, nothing new tried between; masked are the later ones
gave_up        by its last words, after a call that failed last or whatever came before; masked are they
failed_run     by the source's `failed`

Flags are noted whatever is done. A row whose turns are all masked goes later, as `nothing_to_train`.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Any, NamedTuple

import msgspec
import polars as pl

from curation.calls.failures.judge import failure
from curation.recipe.stages import FaultyRun, FaultyTurn, Trajectories
from curation.row import close_row, mask, note, open_row, read_notes
from curation.stages.rewriting import Rejected, Rewritten, Verdict, rewrite
from curation.stages.seam import Context, Rows, RowsFn, Split
from curation.stages.trajectories.runs import Made, Turn, as_call, gives_up, made_in, repeated

_decode = msgspec.json.Decoder(list[Turn]).decode
_RESULT, _RUN = '"role":"tool"', '"flag":"failed_run"'
# A user's turn that opens with a label, or ends with a prompt of a shell, as canonical JSON has it.
_LABELLED = (
    r'(?i)"content":"(?:\\n|\s)*(?:\*\*)?(?:observation|tool |execution |the output of|output of'
    r"|command output|<|\[tool|\[function)"
    r'|bash-\$(?:\\n|\s)*","name"'
)


class Fault(NamedTuple):
    """A fault of a run: its name, the turns that have it, and what else is to be told."""

    name: str
    turns: list[int]
    more: Mapping[str, Any] = MappingProxyType({})


def trajectories(
    rows: pl.DataFrame,
    *,
    error_result: FaultyTurn = "flag",
    repeated_call: FaultyTurn = "flag",
    gave_up: FaultyTurn = "flag",
    failed_run: FaultyRun = "flag",
) -> Split:
    """Rows whose runs do not fail, or fail in a way that may stay; see above.

    Needs `messages`, `tools`, `notes`. Counts as `rows` those with calls, and by fault those with it.
    """
    actions = {
        "failed_run": failed_run,
        "gave_up": gave_up,
        "error_result": error_result,
        "repeated_call": repeated_call,
    }
    counts = dict.fromkeys(("rows", "error_result", "repeated_call", "gave_up"), 0)

    def decide(text: str, offered: str | None, notes: str | None) -> Verdict:
        turns = _decode(text.encode())
        made = made_in(turns)
        counts["rows"] += bool(made)
        found = faults(turns, made, failing(made, notes), notes)
        counts.update((fault.name, counts[fault.name] + 1) for fault in found if fault.name in counts)
        return _verdict(text, offered, notes, found, actions) if found else None

    split = rewrite(rows, _may_be_runs(rows), decide)
    return Split(split.kept, split.dropped, counts)


def _may_be_runs(rows: pl.DataFrame) -> pl.Series:
    """Rows with tool results, with what may be labels of results, or marked as failed runs."""
    texts = rows["messages"]
    found = texts.str.contains(_RESULT, literal=True)
    found |= rows["notes"].str.contains(_RUN, literal=True).fill_null(False)
    return found | texts.str.contains(_LABELLED)


def failing(made: Sequence[Made], notes: str | None) -> dict[int, str]:
    """Which calls of a run failed → how their results say so, or how reading noted it."""
    marked, last = _marked(notes)
    found: dict[int, str] = {}
    for index, call in enumerate(made):
        if call.id is not None and call.id in marked:
            found[index] = "marked"
        elif call.said and (how := failure(call.said, *as_call(call))):
            found[index] = how
    if last and made and made[-1].said is None:
        found[len(made) - 1] = last
    return found


def _marked(notes: str | None) -> tuple[set[str], str | None]:
    """The ids of calls whose results their set marks as failures, and how a result that was taken off the end
    says so."""
    ids: set[str] = set()
    last = None
    for entry in read_notes(notes) if notes and '"failed' in notes else ():
        if entry.get("flag") == "failed_call" and entry.get("id"):
            ids.add(entry["id"])
        last = entry.get("failed", last)
    return ids, last


def faults(
    turns: Sequence[Turn], made: Sequence[Made], failed: Mapping[int, str], notes: str | None
) -> list[Fault]:
    """What is wrong with a run, in the order in which one of it may drop the row."""
    found: list[Fault] = []
    for entry in read_notes(notes) if notes and _RUN in notes else ():
        if entry.get("flag") == "failed_run":
            found.append(Fault("failed_run", []))
    last = next((i for i in reversed(range(len(turns))) if turns[i].role == "assistant"), None)
    if made and last is not None and last > made[-1].turn:
        failed_last = len(made) - 1 in failed and made[-1].said is not None
        if gives_up(turns[last].content or "", failed_last):
            found.append(Fault("gave_up", [last]))
    if failed:
        places: dict[int, str] = {}
        for index, how in failed.items():
            places.setdefault(made[index].turn, how)
        found.append(Fault("error_result", list(places), {"how": ", ".join(dict.fromkeys(places.values()))}))
    if again := repeated(made, failed):
        found.append(Fault("repeated_call", sorted({made[index].turn for index in again})))
    return found


def _verdict(
    text: str, offered: str | None, notes: str | None, found: list[Fault], actions: Mapping[str, str]
) -> Rewritten | Rejected:
    for fault in found:
        if actions[fault.name] == "drop":
            return Rejected(fault.name, {"turns": fault.turns, **fault.more}, notes)
    masked = [fault for fault in found if actions[fault.name] == "mask"]
    if masked:
        messages = open_row(text, notes)
        for fault in masked:
            for turn in fault.turns:
                mask(messages[turn], fault.name)
        text, notes = close_row(messages, notes)
    for fault in found:
        if fault.name != "failed_run":
            notes = note(notes, stage="trajectories", flag=fault.name, turns=fault.turns, **fault.more)
    return Rewritten(text, offered, notes)


def _bind(settings: Trajectories, context: Context) -> RowsFn:
    return partial(
        trajectories,
        error_result=settings.error_result,
        repeated_call=settings.repeated_call,
        gave_up=settings.gave_up,
        failed_run=settings.failed_run,
    )


STAGE = Rows(bind=_bind)
