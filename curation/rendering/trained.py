"""How many tokens of a row carry loss: what the assistant says and calls, through the end of each turn."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from curation.rendering import tokens
from curation.rendering.template import Template
from curation.rendering.template_parts import Markup, opening_of
from curation.row import decode, is_trained


def trained_tokens(rows: pl.DataFrame, counter: tokens.Counter, template: Template) -> dict[str, int] | None:
    """Trained tokens by source, for rows with `source`, `messages`, `tools` and `tokens`, which may be null.

    As many as the mask of `train` leaves open: a turn opens and ends with tokens of its own, so that it
    can be counted alone, less what of it is given, or all the rest of the row, whichever is shorter. None for
    a template that is not built in.
    """
    if template.markup is None:
        return None
    given = {text: counter.count([text])[0] for text in template.markup.openings}
    found: Counter[str] = Counter()
    texts: list[str] = []
    owners: list[tuple[str, int, int]] = []
    for source, text, tools, whole in rows.select("source", "messages", "tools", "tokens").iter_rows():
        messages = decode(text)
        turns, rest = turns_and_rest(template.markup, messages, template.parts(messages, tools))
        found[source] -= sum(given[opening_of(template.markup, one)] for one in messages if is_trained(one))
        if whole is not None and sum(map(len, rest)) < sum(map(len, turns)):
            found[source] += whole
            turns, sign = rest, -1
        else:
            sign = 1
        texts += turns
        owners.append((source, sign, len(turns)))
    counts = iter(counter.count(texts))
    for source, sign, number in owners:
        found[source] += sign * sum(next(counts) for _ in range(number))
    return dict(sorted(found.items()))


def turns_and_rest(
    markup: Markup, messages: Sequence[Mapping[str, Any]], parts: Sequence[str]
) -> tuple[list[str], list[str]]:
    """A rendered row cut at the turns that carry loss: these, each through its end token, and the rest."""
    turns: list[str] = []
    rest = [parts[0]]
    for message, part in zip(messages, parts[1:], strict=True):
        if is_trained(message):
            turns.append(part.removesuffix(markup.tail))
            rest.append(markup.tail)
        else:
            rest[-1] += part
    return turns, rest
