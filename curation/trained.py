"""How many tokens of a row carry loss: what the assistant says and calls, through the end of each turn."""

from itertools import repeat

import polars as pl

from curation.rendering import Template
from curation.row import decode
from curation.tokens import Counter


def trained_tokens(rows: pl.DataFrame, counter: Counter, template: Template) -> dict[str, int] | None:
    """Trained tokens by source, for rows with `source`, `messages` and `tools`.

    As many as the mask of `train` leaves unmasked: a turn opens and ends with tokens of its own, so that
    it can be counted alone, less its opening. None for a template that is not built in.
    """
    if template.markup is None:
        return None
    texts: list[str] = []
    sources: list[str] = []
    for source, text, tools in rows.select("source", "messages", "tools").iter_rows():
        messages = decode(text)
        pieces = template.parts(messages, tools)[1:]
        turns = [p for m, p in zip(messages, pieces, strict=True) if m["role"] == "assistant"]
        texts += [turn.removesuffix(template.markup.tail) for turn in turns]
        sources += repeat(source, len(turns))
    (opening,) = counter.count([template.markup.assistant_open])
    counted = pl.DataFrame(
        {"source": sources, "tokens": counter.count(texts)},
        schema={"source": pl.String, "tokens": pl.Int64},
    )
    found = counted.group_by("source").agg(pl.col("tokens").sum() - pl.len().cast(pl.Int64) * opening)
    return dict(sorted(found.iter_rows()))
