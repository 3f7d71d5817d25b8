"""Tokens of the rendered row against the context: too long is split, cut or dropped, at turn borders only."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from curation.errors import RecipeError
from curation.recipe.stages import Length, TooLong
from curation.rendering.template import BUILT_IN, Template, load_template
from curation.rendering.template_parts import HEAD_BYTES, RenderError
from curation.rendering.tokens import NFC_GROWS, Counter, load_counter
from curation.row import Message, close_row, decode, drop, note, open_row
from curation.stages.seam import Context, Rows, RowsFn, Split
from curation.turns.exchanges import exchanges

# A piece of piece p is numbered p * PIECES + k.
PIECES = 4096


class Fate(NamedTuple):
    """What becomes of one row or one piece of it. `reason` null: it stays. Null `messages`: as they were."""

    row: int
    tokens: int | None
    reason: str | None = None
    detail: Mapping[str, Any] | None = None
    messages: str | None = None
    piece: int | None = None
    notes: str | None = None


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
    `split` makes pieces of whole exchanges, each with the leading system messages, packed from the
    first on; `cut` keeps the first exchanges that fit; `drop` drops. An exchange that is too long by
    itself is dropped. Reasons: too_long, too_short (detail `tokens`), unrenderable (detail `error`).
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
    packed = pack(messages, found, row["tools"], gauge)
    if gauge.too_long == "cut":
        kept, kept_tokens = packed[0]
        if kept_tokens > gauge.max_tokens:
            return whole
        text, notes = close_row(kept, row["notes"])
        notes = note(notes, stage="length", repair="cut", turns=len(messages) - len(kept))
        return [Fate(row["row"], kept_tokens, *gauge.verdict(kept_tokens), messages=text, notes=notes)]
    first = row["piece"] * PIECES + 1 if row["piece"] else 1
    fates = []
    for k, (piece, piece_tokens) in enumerate(packed):
        text, notes = close_row(piece, row["notes"])
        fates.append(
            Fate(
                row["row"],
                piece_tokens,
                *gauge.verdict(piece_tokens),
                messages=text,
                piece=first + k,
                notes=note(notes, stage="length", split=[k + 1, len(packed)]),
            )
        )
    return fates


def pack(
    messages: Sequence[Message], found: Sequence[tuple[int, int]], tools: str | None, gauge: Gauge
) -> list[tuple[list[Message], int]]:
    """Pieces of successive exchanges with their exact tokens: as many as fit, and at least one.

    Costs of single exchanges decide where a piece ends; every piece is then counted as a whole, and
    shortened by an exchange where that says more.
    """
    system = messages[: found[0][0]]
    head, costs = estimate(messages, found, tools, gauge)
    pieces: list[tuple[list[Message], int]] = []
    start = 0
    while start < len(found):
        end, total = start + 1, head + costs[start]
        while end < len(found) and total + costs[end] <= gauge.max_tokens:
            total += costs[end]
            end += 1
        while True:
            piece = [*system, *messages[found[start][0] : found[end - 1][1]]]
            tokens = gauge.counter.count([gauge.template.render(piece, tools)])[0]
            if tokens <= gauge.max_tokens or end == start + 1:
                break
            end -= 1
        pieces.append((piece, tokens))
        start = end
    return pieces


def estimate(
    messages: Sequence[Message], found: Sequence[tuple[int, int]], tools: str | None, gauge: Gauge
) -> tuple[int, list[int]]:
    """Tokens of what opens every piece, and of each exchange.

    Exact for the built-in templates, whose turns begin with a token of their own. Otherwise the
    opening is what the first two exchanges together save.
    """
    template, first = gauge.template, found[0][0]
    if template.markup is not None:
        parts = template.parts(messages, tools)
        texts = ["".join(parts[: first + 1]), *("".join(parts[a + 1 : b + 1]) for a, b in found)]
        head, *costs = gauge.counter.count(texts)
        return head, costs
    texts = [template.render([*messages[:first], *messages[a:b]], tools) for a, b in found]
    both = template.render(messages[: found[1][1]], tools)
    *alone, together = gauge.counter.count([*texts, both])
    head = alone[0] + alone[1] - together
    return head, [tokens - head for tokens in alone]


def apply(rows: pl.DataFrame, fates: Sequence[Fate]) -> Split:
    """Rows and their fates as kept and dropped frames, in the order of the rows, pieces in theirs."""
    if not fates:
        return Split(rows, drop(rows.clear(), [], []))
    fates = sorted(fates, key=lambda fate: (fate.row, fate.piece or 0))
    judged = pl.Series([fate.row for fate in fates], dtype=pl.UInt32)
    untouched = rows.with_row_index("row").filter(~pl.col("row").is_in(judged.unique().implode()))
    stay, go = [f for f in fates if f.reason is None], [f for f in fates if f.reason is not None]
    kept = pl.concat([untouched, changed(rows, stay)]).sort("row", "piece", maintain_order=True)
    dropped = changed(rows, go).drop("row")
    reasons, details = [f.reason or "" for f in go], [f.detail or {} for f in go]
    return Split(kept.drop("row"), drop(dropped, reasons, details))


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
        template=load_template(context.template, context.tokenizer, root=context.data_root),
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
