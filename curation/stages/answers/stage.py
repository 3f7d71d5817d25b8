"""Answers that are not worth training on: broken off, left over from a template, said again and again.

The kinds are explained in curation/recipe/stages.py and found in the files beside this one. Every turn of the
assistant's that carries loss is looked at: its thoughts, what it says and, for what a template left over and
for a text that is not there, the question before it. A kind that the recipe drops is the reason of the row;
one that it masks takes the loss from the turn (reason `answer`); one that it flags or masks is noted with the
turns that have it and what was seen in the first of them.

Some of it may be right in its place: an agent declines what its rules forbid, and asks for the text that it
is to work on. Words before a tool call may end in any way. What declines or speaks of itself as a model is
looked for in English, Chinese, German, French, Spanish and Portuguese, other words in English and in part in
Chinese.
"""

from collections.abc import Collection, Iterator, Set
from dataclasses import replace
from functools import partial
from typing import Any

import msgspec
import polars as pl

from curation.recipe.stages import ANSWER_KINDS, Answers
from curation.row import close_row, note, open_row
from curation.row import mask as take_loss
from curation.stages.answers.faults import MARKS, faults_of, marked_in, may_have_faults
from curation.stages.answers.suspects import suspects
from curation.stages.rewriting import Rejected, Rewritten, Verdict, rewrite_together
from curation.stages.seam import Context, Rows, RowsFn, Split
from curation.visible import cut

NO_CALLS = b"null"
NONE: Set[str] = frozenset()
EVIDENCE = 60  # characters of it


class Turn(msgspec.Struct, gc=False):
    """What is looked at of a message."""

    role: str
    content: str | None
    tool_calls: msgspec.Raw
    weight: int | None = None


# Of a row: kind → the turns that have it, and how it was seen in the first.
Faults = dict[str, tuple[list[int], str]]
_TURNS = msgspec.json.Decoder(list[Turn])


def answers(
    rows: pl.DataFrame,
    *,
    drop: Collection[str] = (),
    mask: Collection[str] = (),
    flag: Collection[str] = ANSWER_KINDS,
) -> Split:
    """Rows without those that have a fault of a kind in `drop`; turns with one in `mask` lose their loss.

    Needs `messages`, `tools`, `notes`. Counts as `rows` those looked at, as `faulty` those with one. Order
    is unchanged. Idempotent.
    """
    looked_for = {*drop, *mask, *flag}
    messages = rows["messages"]
    marked = _marked(messages)
    places = suspects(messages).scatter(list(marked), True).arg_true()
    found: dict[int, Faults] = {}
    for place, text in zip(places, messages[places], strict=True):
        faults = _row_faults(text, marked.get(place, NONE))
        if asked_for := {kind: fault for kind, fault in faults.items() if kind in looked_for}:
            found[place] = asked_for
    faulty = pl.repeat(False, rows.height, dtype=pl.Boolean, eager=True).scatter(list(found), True)
    verdicts = iter(found.values())

    def decide(part: pl.DataFrame) -> Iterator[Verdict]:
        for text, tools, notes in part.select("messages", "tools", "notes").iter_rows():
            yield _verdict(next(verdicts), text, tools, notes, drop=drop, masked=mask, flag=flag)

    split = rewrite_together(rows, faulty, decide)
    return replace(split, counts={"rows": rows.height, "faulty": len(found)})


def _marked(messages: pl.Series) -> dict[int, Set[str]]:
    """What rows have words of, by their place; without those that have none."""
    places = messages.str.contains_any(list(MARKS), ascii_case_insensitive=True).arg_true()
    marks = messages[places].str.extract_many(list(MARKS), ascii_case_insensitive=True, overlapping=True)
    return {
        place: {kind for mark in set(found) for kind in MARKS[mark.lower()]}
        for place, found in zip(places, marks.to_list(), strict=True)
    }


def _row_faults(text: str, marked: Set[str]) -> Faults:
    """What is wrong with the turns of a row that carry loss."""
    faults: Faults = {}
    asked, first = "", True
    for place, turn in enumerate(_TURNS.decode(text)):
        said = turn.content or ""
        if turn.role == "user":
            asked, first = said, first and not asked
        elif turn.role == "assistant":
            if said and turn.weight is None:
                here = marked_in(marked, asked, said) if marked and not first else marked
                if first or here or may_have_faults(asked, said):
                    calls = bytes(turn.tool_calls) != NO_CALLS
                    for kind, evidence in faults_of(asked, said, here, calls=calls, first=first):
                        faults.setdefault(kind, ([], evidence))[0].append(place)
            first = False
    return faults


def _verdict(
    faults: Faults,
    text: str,
    tools: str | None,
    notes: str | None,
    *,
    drop: Collection[str],
    masked: Collection[str],
    flag: Collection[str],
) -> Verdict:
    for kind, (turns, evidence) in faults.items():
        if kind in drop:
            return Rejected(kind, {"turn": turns[0], "said": cut(evidence, EVIDENCE)[0]}, notes)
    without_loss = {turn for kind, (turns, _) in faults.items() if kind in masked for turn in turns}
    if without_loss:
        messages = open_row(text, notes)
        for turn in without_loss:
            take_loss(messages[turn], "answer")
        text, notes = close_row(messages, notes)
    for kind, (turns, evidence) in faults.items():
        if kind in flag or kind in masked:
            said = cut(evidence, EVIDENCE)[0]
            line = note(None, stage="answers", flag=kind, turns=sorted(set(turns)), said=said)
            if line not in (notes or "").split("\n"):
                notes = f"{notes}\n{line}" if notes else line
    return Rewritten(text, tools, notes)


def _bind(settings: Any, context: Context) -> RowsFn:
    assert isinstance(settings, Answers)
    flag = ANSWER_KINDS if settings.flag == "all" else settings.flag
    return partial(answers, drop=settings.drop, mask=settings.mask, flag=flag)


STAGE = Rows(bind=_bind)
