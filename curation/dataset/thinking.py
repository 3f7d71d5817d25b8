"""How much of what is trained thinks before it speaks: counted on the shards, copies included."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import polars as pl

from curation.recipe.kinds import Thinking
from curation.row import NO_LOSS, decode, is_trained
from curation.turns.thoughts import CLOSES, has_thought
from curation.visible import percent

FIGURE = "thoughts"  # how the figures of a run begin
ASSISTANT = '"role":"assistant"'  # in canonical JSON; inside a text its quotes would be escaped
FEW = 0.5  # of the trained turns: with fewer, not to think is what is taught


class Thoughts(NamedTuple):
    """Rows to train on and those with a thought in a trained turn; trained turns and those with a thought."""

    rows: int = 0
    thinking_rows: int = 0
    turns: int = 0
    thinking_turns: int = 0

    def plus(self, other: "Thoughts") -> "Thoughts":
        """Both together."""
        return Thoughts(*map(sum, zip(self, other, strict=True)))


def thoughts_by_group(parts: Iterable[pl.DataFrame]) -> dict[str, Thoughts]:
    """What the train split's shards hold, by group. Needs the columns `group` and `messages`."""
    return added_up(map(thoughts_of, parts))


def added_up(several: Iterable[Mapping[str, Thoughts]]) -> dict[str, Thoughts]:
    """What several shards hold, by group."""
    found: dict[str, Thoughts] = {}
    for one in several:
        for group, counted in one.items():
            found[group] = found.get(group, Thoughts()).plus(counted)
    return dict(sorted(found.items()))


def thoughts_of(part: pl.DataFrame) -> dict[str, Thoughts]:
    """What one shard holds."""
    rows = part.select("group", "messages").with_row_index("row")
    turns = rows.explode("messages").unnest("messages")
    trained = turns.filter(pl.col("role") == "assistant")
    if "weight" in trained.columns:
        trained = trained.filter(pl.col("weight").is_null())
    closing = trained.filter(pl.col("content").str.contains(CLOSES, literal=True))
    thinks = [has_thought({"role": "assistant", "content": text}) for text in closing["content"]]
    thinking = closing.filter(pl.Series(thinks, dtype=pl.Boolean))
    counts = (
        dict(rows.group_by("group").len().iter_rows()),
        dict(thinking.group_by("group").agg(pl.col("row").n_unique()).iter_rows()),
        dict(trained.group_by("group").len().iter_rows()),
        dict(thinking.group_by("group").len().iter_rows()),
    )
    return {group: Thoughts(*(count.get(group, 0) for count in counts)) for group in counts[0]}


def thought_figures(rows: pl.DataFrame) -> dict[str, int]:
    """The same of rows whose messages are canonical JSON, by source: figures of a run."""
    said = pl.col("messages").str
    turns = said.count_matches(ASSISTANT, literal=True) - said.count_matches(NO_LOSS, literal=True)
    found = Counter({f"{FIGURE}.rows.{name}": n for name, n in rows.group_by("source").len().iter_rows()})
    counted = rows.group_by("source").agg(turns.cast(pl.Int64).sum())
    found.update({f"{FIGURE}.turns.{name}": n for name, n in counted.iter_rows()})
    closing = rows.filter(said.contains(CLOSES, literal=True)).select("source", "messages")
    for name, messages in closing.iter_rows():
        turns_of_row = sum(is_trained(one) and has_thought(one) for one in decode(messages))
        found[f"{FIGURE}.thinking_rows.{name}"] += turns_of_row > 0
        found[f"{FIGURE}.thinking_turns.{name}"] += turns_of_row
    return dict(found)


def figured_thoughts(metrics: Mapping[str, float], groups: Mapping[str, str]) -> dict[str, Thoughts]:
    """What a run counted, by group; empty where none did. groups: of the sources."""

    def of(source: str) -> Thoughts:
        return Thoughts(*(int(metrics.get(f"{FIGURE}.{key}.{source}", 0)) for key in Thoughts._fields))

    counted = [source for source in groups if f"{FIGURE}.rows.{source}" in metrics]
    return added_up({groups[source]: of(source)} for source in counted)


def all_of(thoughts: Mapping[str, Thoughts]) -> Thoughts:
    """All groups together."""
    whole = Thoughts()
    for one in thoughts.values():
        whole = whole.plus(one)
    return whole


def share_text(one: Thoughts) -> str:
    """How much of it thinks, in words."""
    return (
        f"{one.thinking_rows:,} of {one.rows:,} rows ({percent(one.thinking_rows, one.rows)}) and "
        f"{one.thinking_turns:,} of {one.turns:,} trained turns think before they speak"
    )


def teaches_not_to_think(whole: Thoughts, thinking: Thinking) -> str | None:
    """What training a base that thinks on such rows does, and the way out; null where it does not."""
    if thinking != "as_is" or not whole.turns or whole.thinking_turns >= FEW * whole.turns:
        return None
    return (
        f"{share_text(whole)}: a base that thinks is taught here to answer without; set `train.thinking: "
        "empty`, which leaves its thinking alone, or mix in rows with thoughts"
    )
