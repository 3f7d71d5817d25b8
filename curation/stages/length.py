"""Tokens of the rendered row against the context: too long is split, cut or dropped, at turn borders only."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from curation.errors import RecipeError
from curation.recipe.stages import Length, TooLong
from curation.rendering.template import BUILT_IN, Template
from curation.rendering.template_parts import HEAD_BYTES, RenderError
from curation.rendering.tokens import NFC_GROWS, Counter, load_counter
from curation.row import Message, close_row, decode, drop, encode, is_trained, mask, note, open_row
from curation.stages.seam import Context, Rows, RowsFn, Split
from curation.turns.exchanges import exchanges
from curation.turns.pieces import Conversation, Piece
from curation.turns.standing import missing, said, stands

# A piece of piece p is numbered p * PIECES + k.
PIECES = 4096


class Fate(NamedTuple):
    """What becomes of one row or one piece of it. `reason` null: it stays. Null `messages`: as they were.

    unsourced: how many of its turns are masked as `unsourced_in_piece`.
    """

    row: int
    tokens: int | None
    reason: str | None = None
    detail: Mapping[str, Any] | None = None
    messages: str | None = None
    piece: int | None = None
    notes: str | None = None
    unsourced: int = 0


@dataclass(frozen=True)
class Gauge:
    """What tokens are counted with, and the bounds they are held against."""

    counter: Counter
    template: Template
    max_tokens: int
    min_tokens: int
    too_long: TooLong

    def verdict(self, tokens: int) -> tuple[str | None, Mapping[str, Any] | None]:
        """The reason and the detail by which a count is out of bounds, null if it is within."""
        if tokens > self.max_tokens:
            return "too_long", {"tokens": tokens, "max_tokens": self.max_tokens}
        if tokens < self.min_tokens:
            return "too_short", {"tokens": tokens, "min_tokens": self.min_tokens}
        return None, None


def length(
    rows: pl.DataFrame,
    *,
    counter: Counter,
    template: Template,
    max_tokens: int,
    min_tokens: int = 0,
    too_long: TooLong = "split",
) -> Split:
    """Keep rows of `min_tokens` to `max_tokens` tokens as `template` renders and `counter` counts them.

    Adds `tokens: u32`, null where the row's bytes already prove that it is short enough. Too long:
    `split` makes pieces of whole exchanges, packed from the first on. Each has the leading system messages;
    a later one also opens with the first request and with turns before its own, without loss
    (`context`; curation/turns/pieces.py says which), so that each turn is trained in one piece. A turn
    whose call has a text argument that stands nowhere before it in its piece, but did in the whole row, is
    masked (`unsourced_in_piece`). `cut` keeps the first exchanges that fit; `drop` drops. An exchange that
    is too long by itself is dropped. Reasons: too_long, too_short (detail `tokens`), unrenderable (detail
    `error`). Counts: unsourced, the turns masked so in pieces that stay.
    """
    rows = rows.with_columns(tokens=pl.lit(None, dtype=pl.UInt32))
    open_rows = rows.with_row_index("row")
    if min_tokens == 0 and template.markup is not None and counter.upper_bound(max_tokens) == max_tokens:
        open_rows = open_rows.filter(~is_short(max_tokens))
    return apply(rows, fates_of(open_rows, Gauge(counter, template, max_tokens, min_tokens, too_long)))


def is_short(max_tokens: int) -> pl.Expr:
    """Rows whose rendered bytes, hence tokens, cannot exceed `max_tokens` (see HEAD_BYTES)."""
    messages = pl.col("messages")
    return (
        (messages.str.len_bytes() + HEAD_BYTES <= max_tokens)
        & pl.col("tools").is_null()
        & ~messages.str.contains('"tool_calls":[', literal=True)
        & ~messages.str.contains(NFC_GROWS)
    )


def fates_of(rows: pl.DataFrame, gauge: Gauge) -> list[Fate]:
    """The fate of each of `rows` (with their index `row`) that were not short by their bytes."""
    texts: list[str] = []
    fates: list[Fate] = []
    rendered: list[dict[str, Any]] = []
    for row in rows.select("row", "piece", "messages", "tools", "notes").iter_rows(named=True):
        try:
            texts.append(gauge.template.render(decode(row["messages"]), row["tools"]))
            rendered.append(row)
        except RenderError as error:
            fates.append(Fate(row["row"], None, "unrenderable", {"error": str(error)}))
    for row, tokens in zip(rendered, gauge.counter.count(texts), strict=True):
        if tokens > gauge.max_tokens and gauge.too_long != "drop":
            fates += shorten(row, tokens, gauge)
        else:
            fates.append(Fate(row["row"], tokens, *gauge.verdict(tokens)))
    return fates


def shorten(row: Mapping[str, Any], tokens: int, gauge: Gauge) -> list[Fate]:
    """Split or cut a row that is too long; one exchange alone stays whole and is dropped."""
    messages = open_row(row["messages"], row["notes"])
    found = exchanges(messages)
    whole = [Fate(row["row"], tokens, *gauge.verdict(tokens))]
    if len(found) < 2:
        return whole
    weighed = weigh(messages, found, row["tools"], gauge)
    if gauge.too_long == "cut":
        kept, kept_tokens, _ = fitted(weighed, weighed.plan(gauge.max_tokens)[0], row["tools"], gauge)
        if kept_tokens > gauge.max_tokens:
            return whole
        text, notes = close_row(kept, row["notes"])
        notes = note(notes, stage="length", repair="cut", turns=len(messages) - len(kept))
        return [Fate(row["row"], kept_tokens, *gauge.verdict(kept_tokens), messages=text, notes=notes)]
    packed = pack(weighed, row["tools"], gauge)
    first = row["piece"] * PIECES + 1 if row["piece"] else 1
    fates = []
    for k, (piece, piece_tokens, own, unsourced_turns) in enumerate(packed):
        text, notes = close_row(piece, row["notes"])
        told: dict[str, Any] = {"split": [k + 1, len(packed)]}
        if k:
            told["carried"] = [found[0][0], len(piece) - own]
        fates.append(
            Fate(
                row["row"],
                piece_tokens,
                *gauge.verdict(piece_tokens),
                messages=text,
                piece=first + k,
                notes=note(notes, stage="length", **told),
                unsourced=unsourced_turns,
            )
        )
    return fates


def pack(row: Conversation, tools: str | None, gauge: Gauge) -> list[tuple[list[Message], int, int, int]]:
    """The pieces of a row with their exact tokens, how many messages at their end are no earlier piece's,
    and how many turns are masked as unsourced.
    """
    waiting = row.plan(gauge.max_tokens)
    pieces = []
    while waiting:
        plan = waiting.pop(0)
        piece, tokens, end = fitted(row, plan, tools, gauge)
        if end < plan.end:
            waiting.insert(0, Piece([], end, plan.end))
        own = row.found[end - 1][1] - row.found[plan.first][0]
        masked = 0
        if plan.first and any(is_trained(m) and m["tool_calls"] for m in piece[-own:]):
            masked = mask_unsourced(piece, own, row.said[: row.found[end - 1][1]])
        pieces.append((piece, tokens, own, masked))
    return pieces


def fitted(row: Conversation, plan: Piece, tools: str | None, gauge: Gauge) -> tuple[list[Message], int, int]:
    """A piece as planned with its exact tokens and the end of its exchanges.

    What it carries again, masked, and then its exchanges give way where the tokens say more than their costs
    did, or where the template refuses what is carried.
    """
    system, carried, end = row.messages[: row.found[0][0]], plan.carried, plan.end
    apart = True
    while True:
        own = row.messages[row.found[plan.first][0] : row.found[end - 1][1]]
        again = [dict(row.messages[position]) for position in carried]
        for message in again:
            if message["role"] == "assistant":
                mask(message, "context")
        piece = [*system, *again, *own]
        try:
            tokens = gauge.counter.count([gauge.template.render(piece, tools)])[0]
        except RenderError:
            if not carried:
                raise
            budget = sum(row.turns[position] for position in carried) if apart else -1
            carried = row.carry(plan.first, end, budget, apart=False)
            apart = False
            continue
        if tokens <= gauge.max_tokens or not (carried or end > plan.first + 1):
            return piece, tokens, end
        if carried:
            budget = sum(row.turns[position] for position in carried) - 1
            budget += min(gauge.max_tokens - tokens, 0)
            carried = row.carry(plan.first, end, budget, apart=apart)
        else:
            end -= 1


def mask_unsourced(piece: Sequence[Message], own: int, whole: Sequence[str]) -> int:
    """Mask those of a piece's last `own` turns whose calls ask for what stands in the whole row alone.

    `whole` is what is said in the row up to the piece's end. Returns how many turns that masked.
    """
    heard, masked = said(piece), 0
    for back in range(own, 0, -1):
        message = piece[-back]
        if is_trained(message) and any(
            stands(text, whole[:-back]) for text in missing(message, heard[:-back])
        ):
            mask(message, "unsourced_in_piece")
            masked += 1
    return masked


def weigh(
    messages: Sequence[Message], found: Sequence[tuple[int, int]], tools: str | None, gauge: Gauge
) -> Conversation:
    """A row with the tokens of what opens every piece, of each exchange and of each message.

    For the built-in templates, whose turns begin with a token of their own, those of opening and exchanges
    are exact. Otherwise the opening is what the first two exchanges together save, and an exchange's tokens
    are shared out among its messages by their size.
    """
    template, first = gauge.template, found[0][0]
    if template.markup is not None:
        parts = template.parts(messages, tools)
        texts = ["".join(parts[: first + 1]), *("".join(parts[a + 1 : b + 1]) for a, b in found)]
        head, *costs = gauge.counter.count([*texts, *parts[1:]])
        return Conversation(messages, found, head, costs[: len(found)], costs[len(found) :])
    texts = [template.render([*messages[:first], *messages[a:b]], tools) for a, b in found]
    both = template.render(messages[: found[1][1]], tools)
    *alone, together = gauge.counter.count([*texts, both])
    head = alone[0] + alone[1] - together
    turns = [0] * first
    for (a, b), tokens in zip(found, alone, strict=True):
        sizes = [len(encode([message])) for message in messages[a:b]]
        turns += [1 + (tokens - head) * size // sum(sizes) for size in sizes]
    return Conversation(messages, found, head, [tokens - head for tokens in alone], turns)


def apply(rows: pl.DataFrame, fates: Sequence[Fate]) -> Split:
    """Rows and their fates as kept and dropped frames, in the order of the rows, pieces in theirs."""
    counts = {"unsourced": sum(fate.unsourced for fate in fates if fate.reason is None)}
    if not fates:
        return Split(rows, drop(rows.clear(), [], []), counts)
    fates = sorted(fates, key=lambda fate: (fate.row, fate.piece or 0))
    judged = pl.Series([fate.row for fate in fates], dtype=pl.UInt32)
    untouched = rows.with_row_index("row").filter(~pl.col("row").is_in(judged.unique().implode()))
    stay, go = [f for f in fates if f.reason is None], [f for f in fates if f.reason is not None]
    kept = pl.concat([untouched, changed(rows, stay)]).sort("row", "piece", maintain_order=True)
    dropped = changed(rows, go).drop("row")
    reasons, details = [f.reason or "" for f in go], [f.detail or {} for f in go]
    return Split(kept.drop("row"), drop(dropped, reasons, details), counts)


def changed(rows: pl.DataFrame, fates: Sequence[Fate]) -> pl.DataFrame:
    """The rows of `fates`, with their index `row` and with what the fates change."""
    index = pl.Series("row", [fate.row for fate in fates], dtype=pl.UInt32)
    new = {
        "tokens": pl.Series([fate.tokens for fate in fates], dtype=pl.UInt32),
        "messages": pl.Series([fate.messages for fate in fates], dtype=pl.String),
        "piece": pl.Series([fate.piece for fate in fates], dtype=pl.UInt32),
        "notes": pl.Series([fate.notes for fate in fates], dtype=pl.String),
    }
    taken = rows[index].with_columns(
        **{
            name: values.fill_null(rows[index][name]) if name != "tokens" else values
            for name, values in new.items()
        }
    )
    return taken.insert_column(0, index)


def bind(settings: Length, context: Context) -> RowsFn:
    """`length` with the recipe's tokenizer and template loaded."""
    if context.tokenizer is None:
        raise RecipeError("stages: length needs a tokenizer: add `tokenizer: {path: FOLDER}` to the recipe")
    return partial(
        length,
        counter=load_counter(context.tokenizer),
        template=context.load_template(),
        max_tokens=settings.max_tokens,
        min_tokens=settings.min_tokens,
        too_long=settings.too_long,
    )


def files(settings: Length, context: Context) -> Sequence[Path]:
    """The tokenizer's files, and the template's if it is a path."""
    if context.tokenizer is None:
        return ()
    names = ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja")
    found = [context.tokenizer / name for name in names if (context.tokenizer / name).is_file()]
    if context.template not in (*BUILT_IN, "model"):
        found.append(context.data_root / context.template)
    return found


STAGE = Rows(bind=bind, files=files)
