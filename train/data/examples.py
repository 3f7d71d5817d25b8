"""The approved rows as examples: encoded once, kept as flat arrays, counted per source."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from curation.dataset.thinking import Thoughts, added_up, thoughts_of
from curation.errors import Refusal
from curation.progress import Progress
from train.data.encoding import Encoder, Example
from train.data.gatekeeper import Admitted
from train.data.packing import Sequences, joined

ROWS_AT_ONCE = 512
SHOWN = 3  # ids in a message
Row = tuple[list[Mapping[str, Any]], str | None]


@dataclass(frozen=True)
class SourceTokens:
    """What a source brings: written rows, tokens, trained tokens, and the most copies of one row.

    without_loss: turns of the assistant's that are not trained.
    """

    rows: int
    tokens: int
    trained: int
    max_repeat: int
    without_loss: int = 0

    @property
    def trained_share(self) -> float:
        """Share of its tokens that the loss falls on."""
        return self.trained / self.tokens if self.tokens else 0.0


@dataclass(frozen=True)
class Examples:
    """All examples of a split in shard order, what each source brings, and how much of each group thinks."""

    sequences: Sequences
    sources: dict[str, SourceTokens]
    thoughts: dict[str, Thoughts]

    @property
    def rows(self) -> int:
        """Rows as they are written."""
        return sum(source.rows for source in self.sources.values())


def load_examples(admitted: Admitted, encoder: Encoder, split: str, max_seq_length: int) -> Examples:
    """Encode a split.

    Raises Refusal when a row is longer than a sequence, has no token for the loss to fall on, or another
    number of tokens than curation counted with the tokenizer and template of the recipe.
    """
    ids: list[NDArray[np.int32]] = []
    trained: list[NDArray[np.bool_]] = []
    tally: dict[str, list[int]] = {}
    thoughts: list[dict[str, Thoughts]] = []
    too_long: list[tuple[int, str]] = []
    untrained: list[str] = []
    rows_in_all = sum(file.rows or 0 for file in admitted.frozen.shards[split])
    with Progress(f"encoding {split}", rows_in_all) as progress:
        for part in admitted.parts(split):
            thoughts.append(thoughts_of(part))
            for chunk in part.iter_slices(ROWS_AT_ONCE):
                for row, examples in zip(
                    chunk.select("id", "source", "repeat", "tokens", "messages", "tools").iter_rows(
                        named=True
                    ),
                    encoder.examples(list(rows_of(chunk))),
                    strict=True,
                ):
                    check_count(row, examples, admitted, encoder)
                    too_long += [(len(e.ids), row["id"]) for e in examples if len(e.ids) > max_seq_length]
                    ids += [example.ids for example in examples]
                    trained += [example.trained for example in examples]
                    # The first token of an example is never a target.
                    targets = [int(example.trained[1:].sum()) for example in examples]
                    if not targets or not all(targets):
                        untrained.append(row["id"])
                    count(tally, row, examples, sum(targets))
                progress.add(chunk.height, chunk.height)
    if too_long:
        refuse_long(too_long, max_seq_length, admitted)
    refuse_untrained(untrained, split, admitted)
    sources = {name: SourceTokens(*tally[name]) for name in sorted(tally)}
    return Examples(joined(ids, trained), sources, added_up(thoughts))


def rows_of(rows: pl.DataFrame) -> Iterator[Row]:
    """(messages, tools) of shard rows."""
    yield from rows.select("messages", "tools").iter_rows()


def count(tally: dict[str, list[int]], row: Mapping[str, Any], examples: list[Example], targets: int) -> None:
    """Add a row to its source's rows, tokens, trained tokens, most copies and turns without loss."""
    counts = tally.setdefault(row["source"], [0, 0, 0, 0, 0])
    counts[0] += 1
    counts[1] += sum(len(example.ids) for example in examples)
    counts[2] += targets
    counts[3] = max(counts[3], row["repeat"])
    counts[4] += sum(message.get("weight") is not None for message in row["messages"])


def check_count(
    row: Mapping[str, Any], examples: list[Example], admitted: Admitted, encoder: Encoder
) -> None:
    """Raise Refusal when a row's tokens are not as many as curation counted.

    Curation counts spelled control tokens as such and training as text, so that a row that spells
    one may be longer here; never shorter. Rows that became several examples are not compared.
    """
    counted = row["tokens"]
    if counted is None or len(examples) != 1 or len(examples[0].ids) == counted:
        return
    tokens = len(examples[0].ids)
    if tokens < counted or tokens > 2 * counted + 64 or not encoder.spells(row["messages"], row["tools"]):
        raise Refusal(
            f"{admitted.data}: row {row['id']} has {tokens} tokens here, curation counted {counted}; the "
            f"tokenizer of the base model, or the template, is not the recipe's"
        )


def refuse_long(too_long: list[tuple[int, str]], limit: int, admitted: Admitted) -> None:
    """Raise Refusal for rows that do not fit: cutting a turn would teach half an answer."""
    longest, row_id = max(too_long)
    stage = json.dumps({"max_tokens": limit, "too_long": "split"}).replace('"', "")
    raise Refusal(
        f"{admitted.path}: {len(too_long):,} rows are longer than max_seq_length {limit} (the longest, "
        f"{row_id}, has {longest:,} tokens); add `length: {stage}` to the stages and curate again"
    )


def refuse_untrained(ids: list[str], split: str, admitted: Admitted) -> None:
    """Raise Refusal for rows that no loss falls on: an update of such rows alone would teach nothing."""
    if not ids:
        return
    which = dict.fromkeys(ids)
    more = f" and {len(which) - SHOWN:,} more" if len(which) > SHOWN else ""
    raise Refusal(
        f"{admitted.path}: rows of the {split} split have no token for the loss to fall on: "
        f"{', '.join([*which][:SHOWN])}{more}; curate again with `chat` among the stages, which drops a "
        f"conversation that nobody answers"
    )
