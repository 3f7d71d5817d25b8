"""Rows with the same turns so far and different answers: a model cannot learn both.

The context of a turn of the assistant's that carries loss is what stands before it: tools, system prompt and
turns, as `exact_duplicates` compares them, but for letter case, white space and closing marks. Of a context
with several answers each is held against the others: it says the same in other words (which is counted, and
never flagged), contradicts another, or says something else (answers.py). Flags: `contradicting_answer` and
`other_answer`. Where the recipe asks for it, rows go until no two that stay differ so, or all of them go.
Reason: `conflicting_answer`.

Rows stand in keep order: the sources named in `keep`, the recipe's others, then the place in the input.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from hashlib import blake2b
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import polars as pl

from curation.arrow import read_frame
from curation.recipe.stages import Conflicts
from curation.row import NO_LOSS, note
from curation.stages.conflicts.answers import read_answer, read_question, relation
from curation.stages.exact_duplicates import keep_order
from curation.stages.seam import (
    DROPS_SCHEMA,
    FLAGS_SCHEMA,
    PAIRS_SCHEMA,
    Context,
    Outcome,
    PrepareFn,
    Reduce,
)

# Of more different answers to one context these are read; of the others it is known only that they differ.
MOST_READ = 4
FOLDED = 400  # characters of JSON up to which answers are one where contexts would be

# How canonical JSON begins and parts messages, and how a turn of the assistant's is told: inside a text the
# quotes would be escaped.
_FIRST, _NEXT, _ASSISTANT = '[{"content":', ',{"content":', '"role":"assistant"'
_LOWER, _BLANK = bytes(range(256)).lower(), b" \t?!"


def prepare(rows: pl.DataFrame, *, order: Mapping[str, int]) -> pl.DataFrame:
    """The rows, with the key of what stands before the assistant's first turn, null where there is none.

    Rows that differ in it have no later context in common either.
    """
    keys: list[int | None] = []
    for messages, tools in zip(rows["messages"], rows["tools"], strict=True):
        said = messages.find(_ASSISTANT)
        end = messages.rfind(_NEXT, 0, said) if said >= 0 else -1
        before = messages[len(_FIRST) : end].split(_NEXT) if end >= 0 else []
        keys.append(int.from_bytes(digest_of((tools or "").encode(), before), "big") if end >= 0 else None)
    return rows.select(
        "pos",
        "piece",
        rank=pl.col("source").replace_strict(order, default=len(order), return_dtype=pl.UInt32),
        source="source",
        context=pl.Series(keys, dtype=pl.UInt64),
        messages="messages",
    )


def digest_of(start: bytes, messages: Iterable[str]) -> bytes:
    """64 bits of a digest of some messages, as parts of canonical JSON, and of what stands before them."""
    state = blake2b(start, digest_size=8)
    for part in messages:
        state.update(folded(part))
    return state.digest()


def folded(part: str) -> bytes:
    """A message as contexts compare it, whether or not it carries loss."""
    plain = part.replace("\\n", "").replace('."', '"').replace(NO_LOSS, "")
    return plain.encode().translate(_LOWER, _BLANK) + b"\0"


@dataclass(slots=True)
class Given:
    """An answer as canonical JSON, and the rows that give it."""

    text: str
    rows: list[int]


@dataclass(slots=True)
class Shared:
    """A context of several rows: its place among the messages, the message before it, and the answers."""

    turn: int
    asked: str
    answers: dict[bytes | str, Given] = field(default_factory=dict)

    @property
    def given(self) -> list[Given]:
        """The answers in keep order."""
        return list(self.answers.values())


def shared_contexts(rows: pl.DataFrame) -> list[Shared]:
    """The contexts with several answers among rows in keep order, in which rows are known by their place."""
    found: dict[int | bytes, Shared] = {}
    for row, (key, messages) in enumerate(rows.select("context", "messages").iter_rows()):
        for context, turn, asked, answer in answers_of(key, messages):
            shared = found.get(context)
            if shared is None:
                shared = found[context] = Shared(turn, asked)
            # Long answers are seldom the same but for their marks.
            plain = folded(answer) if len(answer) < FOLDED else answer
            if given := shared.answers.get(plain):
                given.rows.append(row)
            else:
                shared.answers[plain] = Given(answer, [row])
    return [shared for shared in found.values() if len(shared.answers) > 1]


def answers_of(key: int, messages: str) -> Iterator[tuple[int | bytes, int, str, str]]:
    """Every turn of the assistant's that carries loss: context, place, the message before it, and itself.

    key: of the context of the first, whether or not it carries loss.
    """
    parts = messages[len(_FIRST) : -1].split(_NEXT)
    if len(parts) == 2 and NO_LOSS not in parts[1]:
        yield key, 1, parts[0], parts[1]
        return
    first = next(turn for turn, part in enumerate(parts) if _ASSISTANT in part)
    state = blake2b(key.to_bytes(8, "big"), digest_size=8)
    for turn, part in enumerate(parts[first:], start=first):
        if _ASSISTANT in part and NO_LOSS not in part:
            yield state.digest() if turn > first else key, turn, parts[turn - 1], part
        if turn + 1 < len(parts):
            state.update(folded(part))


class Verdict(NamedTuple):
    """How the answers to one context relate, by their places.

    classes  of each answer; those of one class say the same
    second   the first answer that is not of the class of the first of all; 0 if there is none
    clashes  answer → the answer that it contradicts, and by what
    reworded  the answers that say the same as another in other words
    """

    classes: list[int]
    second: int
    clashes: dict[int, tuple[int, str]]
    reworded: set[int]

    def partner(self, answer: int) -> tuple[int, str] | None:
        """An answer that says something else, the gravest of several, and by what the two differ."""
        if answer in self.clashes:
            return self.clashes[answer]
        if self.classes[answer] != self.classes[0]:
            return 0, ""
        return (self.second, "") if self.second else None


Judged = tuple[Shared, Verdict]


def judge(shared: Shared, rewording: float) -> Verdict:
    """Hold the answers to a context against each other."""
    question = read_question(message_of(shared.asked)["content"] or "")
    read = [read_answer(message_of(given.text), question) for given in shared.given[:MOST_READ]]
    classes = list(range(len(shared.answers)))
    clashes: dict[int, tuple[int, str]] = {}
    reworded: set[int] = set()
    for one, other in combinations(range(len(read)), 2):
        how, why = relation(read[one], read[other], question, rewording)
        if how == "contradiction":
            clashes.setdefault(one, (other, why))
            clashes.setdefault(other, (one, why))
        elif how in ("same", "rewording"):
            # Only with the first of a class, so that no chain of small steps joins what differs.
            if classes[one] == one and classes[other] == other:
                classes[other] = one
            reworded |= {one, other} if how == "rewording" else set()
    second = next((answer for answer, of in enumerate(classes) if of), 0)
    return Verdict(classes, second, clashes, reworded)


def message_of(part: str) -> dict[str, Any]:
    """A message of a part of canonical JSON."""
    found: dict[str, Any] = orjson.loads('{"content":' + part)
    return found


class Finding(NamedTuple):
    """What is told of one row: the gravest of what its answers are, and the row with the other answer."""

    turn: int
    answers: int
    by: str
    other: int

    @property
    def note(self) -> str:
        """Its flag as a line of the row's notes."""
        told = {"stage": "conflicts", "turn": self.turn, "answers": self.answers}
        if self.by:
            return note(None, flag="contradicting_answer", by=self.by, **told)
        return note(None, flag="other_answer", **told)


def findings(judged: Sequence[Judged]) -> dict[int, Finding]:
    """What is found of every row that an answer differs from."""
    found: dict[int, Finding] = {}
    for shared, verdict in judged:
        answers, given = len(set(verdict.classes)), shared.given
        for place, answer in enumerate(given):
            if partner := verdict.partner(place):
                other, by = partner
                told = Finding(shared.turn, answers, by, given[other].rows[0])
                found.update(
                    (row, told) for row in answer.rows if row not in found or (by and not found[row].by)
                )
    return found


def pairs_to_show(judged: Sequence[Judged]) -> Iterator[tuple[int, int, str]]:
    """Of every context two rows whose answers differ, and by what; those that contradict each other first."""
    for shared, verdict in judged:
        answer = min(verdict.clashes, default=0)
        if partner := verdict.partner(answer):
            other, by = partner
            yield shared.given[answer].rows[0], shared.given[other].rows[0], by


def gone(
    judged: Sequence[Judged], found: Mapping[int, Finding], settings: Conflicts
) -> dict[int, int | None]:
    """The rows that go, each with the row that stays in its place, if one does."""
    if settings.action != "keep_one":
        return dict.fromkeys(found) if settings.action == "drop" else {}
    said: dict[int, list[tuple[int, int]]] = {}
    worth: dict[int, int] = {}
    for context, (shared, verdict) in enumerate(judged):
        times = Counter[int]()
        for of, given in zip(verdict.classes, shared.given, strict=True):
            times[of] += len(given.rows)
        for of, given in zip(verdict.classes, shared.given, strict=True):
            by_rule = {"first": 0, "longest": len(given.text), "most_given": times[of]}
            for row in given.rows:
                said.setdefault(row, []).append((context, of))
                worth.setdefault(row, by_rule[settings.rule])
    stays: dict[int, tuple[int, int]] = {}
    goes: dict[int, int | None] = {}
    for row in sorted(found, key=lambda row: (-worth[row], row)):
        instead = [stays[c][1] for c, of in said[row] if c in stays and stays[c][0] != of]
        if instead:
            goes[row] = instead[0]
        else:
            stays |= {c: (of, row) for c, of in said[row] if c not in stays}
    return goes


def find_conflicts(paths: Sequence[Path], *, settings: Conflicts) -> Outcome:
    """What all prepared rows say of each other: flags, drops, pairs to be shown, and counts by source."""
    every = pl.concat([read_frame(path) for path in paths]).filter(pl.col("context").is_not_null())
    several = every.filter(pl.len().over("context") > 1)
    rows = several.filter(pl.col("messages").n_unique().over("context") > 1).sort("rank", "pos", "piece")
    judged = [(shared, judge(shared, settings.rewording)) for shared in shared_contexts(rows)]
    found = findings(judged)
    places = [*rows.select("pos", "piece").iter_rows(), (None, None)]
    drops = [
        (*places[row], *places[-1 if stays is None else stays])
        for row, stays in gone(judged, found, settings).items()
    ]
    flags = [(*places[row], *places[told.other], told.note) for row, told in found.items()]
    pairs = [(*places[one], *places[other], by or "other") for one, other, by in pairs_to_show(judged)]
    return Outcome(
        listed(drops, DROPS_SCHEMA, "survivor").with_columns(
            reason=pl.lit("conflicting_answer"), detail=pl.lit("{}")
        ),
        listed(pairs, PAIRS_SCHEMA, "other", "by"),
        counted(every["source"], rows["source"], judged, found),
        flags=listed(flags, FLAGS_SCHEMA, "other", "note"),
    )


def counted(
    sources: pl.Series, of_row: pl.Series, judged: Sequence[Judged], found: Mapping[int, Finding]
) -> dict[str, float]:
    """Rows with an answer, and what was found of them: of all, and by source.

    Of those found, differing are contradicting and other ones; reworded rows differ from none.
    """
    reworded = {
        row
        for shared, verdict in judged
        for place, given in enumerate(shared.given)
        if place in verdict.reworded
        for row in given.rows
    }
    kinds = {
        "rows": sources,
        "differing": of_row[list(found)],
        "contradicting": of_row[[row for row, told in found.items() if told.by]],
        "reworded": of_row[sorted(reworded - found.keys())],
    }
    counts = {name: float(len(rows)) for name, rows in kinds.items()}
    for name, rows in kinds.items():
        counts |= {
            f"{name}.{source}": float(n) for source, n in rows.value_counts().sort("source").iter_rows()
        }
    return counts


def listed(
    rows: Sequence[tuple[Any, ...]], schema: Mapping[str, Any], other: str, *more: str
) -> pl.DataFrame:
    """Tuples of pos, piece, those of another row and more, as a frame of a schema; the rest is null."""
    names = ("pos", "piece", f"{other}_pos", f"{other}_piece", *more)
    frame = pl.DataFrame(rows, schema={name: schema[name] for name in names}, orient="row")
    return frame.select(
        pl.col(name) if name in names else pl.lit(None, dtype).alias(name) for name, dtype in schema.items()
    ).sort("pos", "piece")


def _bind_prepare(settings: Any, context: Context) -> PrepareFn:
    assert isinstance(settings, Conflicts)
    return partial(prepare, order=keep_order(settings.keep, context.sources))


def _bind(settings: Any, context: Context) -> Any:
    assert isinstance(settings, Conflicts)
    return partial(find_conflicts, settings=settings)


STAGE = Reduce(prepare=_bind_prepare, bind=_bind)
