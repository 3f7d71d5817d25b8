"""The seam between stages and engine (DESIGN.md §6): three kinds, and nothing else crosses it.

A stage file `curation/stages/<name>.py` holds pure functions of Polars frames and `STAGE`, which binds
them to settings: an engine and a user by hand run the same, `STAGE.bind(settings, context)(rows)`. The
settings of every stage are declared in `curation/recipe/stages.py`, so that the recipe's schema knows them.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

import polars as pl

from curation.by_name import by_name
from curation.recipe.kinds import Thinking

if TYPE_CHECKING:
    from curation.rendering.template import Template


@dataclass(frozen=True)
class Split:
    """What a stage kept and what it dropped; `kept, dropped = stage(rows)` gives the two.

    Both have every column of the input and keep its order; `dropped` also has `reason: str` and
    `detail: str` (a JSON object with the evidence). A stage that splits rows into pieces returns
    more rows than it got, with `piece` numbered from 1.

    counts: what the stage alone can count, such as {"rows": 9, "valid": 8}, of nothing too: a count that is
    left out was not measured. They are summed over the run as `<stage>.<name>`, from which
    curation/recipe/metrics.py makes metrics; it declares every name.
    """

    kept: pl.DataFrame
    dropped: pl.DataFrame
    counts: Mapping[str, int] = field(default_factory=dict)

    def __iter__(self) -> Iterator[pl.DataFrame]:
        yield self.kept
        yield self.dropped


FLAGS_SCHEMA: dict[str, Any] = {
    "pos": pl.UInt64,
    "piece": pl.UInt32,
    "other_pos": pl.UInt64,
    "other_piece": pl.UInt32,
    "note": pl.String,
}


class Outcome(NamedTuple):
    """What a stage over all rows found.

    drops    pos u64, piece u32, reason str, detail str, survivor_pos u64?, survivor_piece u32?
    pairs    verified pairs: pos u64, piece u32, other_pos u64, other_piece u32, similarity f64
             (those at or above the threshold join the row's cluster; those below are kept for
             the report only); those of two answers that differ have no similarity but `by` what they do
    counts   as in Split, e.g. {"capped": 0}
    flags    lines for the notes of rows that stay or go, each naming another row: pos u64, piece u32,
             other_pos u64, other_piece u32, note str
    masks    turns of rows that stay and from here on carry no loss: pos u64, piece u32, turn u32
    """

    drops: pl.DataFrame
    pairs: pl.DataFrame
    counts: Mapping[str, float] = MappingProxyType({})
    masks: pl.DataFrame = pl.DataFrame(schema={"pos": pl.UInt64, "piece": pl.UInt32, "turn": pl.UInt32})
    flags: pl.DataFrame = pl.DataFrame(schema=FLAGS_SCHEMA)


DROPS_SCHEMA: dict[str, Any] = {
    "pos": pl.UInt64,
    "piece": pl.UInt32,
    "reason": pl.String,
    "detail": pl.String,
    "survivor_pos": pl.UInt64,
    "survivor_piece": pl.UInt32,
}
MASKS_SCHEMA: dict[str, Any] = {"pos": pl.UInt64, "piece": pl.UInt32, "turn": pl.UInt32}
PAIRS_SCHEMA: dict[str, Any] = {
    "pos": pl.UInt64,
    "piece": pl.UInt32,
    "other_pos": pl.UInt64,
    "other_piece": pl.UInt32,
    "similarity": pl.Float64,
    "by": pl.String,
}


@dataclass(frozen=True)
class Context:
    """What a recipe knows and a stage may need. Plain data: it travels to worker processes.

    offered  source → the tools that calls of its rows are checked against where these have none, as a recipe
             names them; "" for all other sources
    written  the sources whose rows get these tools
    thinking  of the recipe's `train`: how the template writes a turn without a thought
    """

    seed: int = 0
    sources: tuple[str, ...] = ()
    data_root: Path = Path()
    tokenizer: Path | None = None
    template: str = "aj_r1"
    offered: Mapping[str, str] = field(default_factory=dict)
    written: tuple[str, ...] = ()
    thinking: Thinking = "as_is"

    def load_template(self) -> "Template":
        """The recipe's template. Raises RecipeError and Refusal."""
        # Deferred: few stages render a row.
        from curation.rendering.template import load_template

        return load_template(self.template, self.tokenizer, root=self.data_root, thinking=self.thinking)


def context_of(values: Mapping[str, Any]) -> Context:
    """A Context from its JSON form."""
    return Context(
        seed=values["seed"],
        sources=tuple(values["sources"]),
        data_root=Path(values["data_root"]),
        tokenizer=Path(values["tokenizer"]) if values["tokenizer"] else None,
        template=values["template"],
        offered=values["offered"],
        written=tuple(values["written"]),
        thinking=values["thinking"],
    )


RowsFn = Callable[[pl.DataFrame], Split]
PrepareFn = Callable[[pl.DataFrame], pl.DataFrame]


def no_files(settings: Any, context: Context) -> Sequence[Path]:
    """For stages that read nothing but their rows."""
    return ()


@dataclass(frozen=True)
class Rows:
    """Batch → kept + dropped, no state across rows. `bind(settings, context)` gives the function.

    `files(settings, context)` names the files that the stage reads, whose digests count as inputs.
    """

    bind: Callable[[Any, Context], RowsFn]
    files: Callable[[Any, Context], Sequence[Path]] = no_files


@dataclass(frozen=True)
class Keyed:
    """All rows with an equal `key` meet in one call; `bind` gives frame → Outcome.

    `prepare` runs like a rows stage and returns the few columns needed: pos, piece, the key (hex
    text) and what the function compares. The function sorts inside: arrival order cannot matter.
    """

    key: str
    prepare: Callable[[Any, Context], PrepareFn]
    bind: Callable[[Any, Context], Callable[[pl.DataFrame], Outcome]]


@dataclass(frozen=True)
class Reduce:
    """An associative fold (concatenation of prepared frames) and one function over the result.

    `prepare` runs like a rows stage, its frames are written as Arrow files; `bind` gives a
    function of those files, in plan order, to be memory-mapped and not copied.
    """

    prepare: Callable[[Any, Context], PrepareFn]
    bind: Callable[[Any, Context], Callable[[Sequence[Path]], Outcome]]


Kind = Rows | Keyed | Reduce


@cache
def stage_kind(name: str) -> Kind:
    """The `STAGE` of a stage: of its file in curation/stages/, or of `stage.py` in its folder there."""
    kind: Kind = by_name("curation.stages", name, "stage").STAGE
    return kind


def no_pairs() -> pl.DataFrame:
    """An empty frame of pairs."""
    return pl.DataFrame(schema=PAIRS_SCHEMA)


def no_drops() -> pl.DataFrame:
    """An empty frame of drops."""
    return pl.DataFrame(schema=DROPS_SCHEMA)
