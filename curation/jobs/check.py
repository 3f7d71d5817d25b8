"""`aj check`: is the recipe right, are its files there, and can its mixture be had?"""

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import polars as pl
from msgspec.structs import replace

from curation.dataset.gates import check_gates
from curation.dataset.questions import evaluation_files
from curation.engine.plan import TOKENIZER, NotFetched, PlannedStage, input_files, make_context
from curation.errors import SourceError
from curation.mixture.funnel import Drop, Funnel, said
from curation.mixture.quotas import Available, Infeasible, MixturePlan, plan
from curation.mixture.shortage import render
from curation.progress import Progress
from curation.readers.keys.counts import KeyCounts, told_keys
from curation.readers.reading import chunks, read
from curation.recipe.load import Recipe, cautions, check_files, load_recipe, stage_plan
from curation.recipe.stages import STAGES, UNREAD
from curation.sources.fetched import fetched_sources
from curation.stages.seam import Context, Rows, stage_kind

# A source whose size is not known yet is taken to be as large as needed.
PLENTY = 10**12
# Of a source this many ignored keys are shown; the manifest has more.
MOST_KEYS = 12


@dataclass
class Counted:
    """Input rows of one source, and of those that cannot be read how many.

    first  what is wrong with the first of them
    drops  what reading drops, `where` included, by reason
    without_tools  those with tool calls that offer no tools
    refused, first_refused  those that have a refused key, and what the first of them says
    keys  as `curation.readers.keys.counts.told_keys` tells them
    """

    name: str
    rows: int = 0
    unreadable: int = 0
    without_tools: int = 0
    first: str | None = None
    refused: int = 0
    first_refused: str | None = None
    keys: Mapping[str, Any] = field(default_factory=dict)
    drops: dict[str, Drop] = field(default_factory=dict)

    @property
    def left(self) -> int:
        """Rows that reading leaves."""
        return self.rows - sum(drop.rows for drop in self.drops.values())

    def add(self, batch: pl.DataFrame, file: str, before: int) -> None:
        """Count a batch of a file of which `before` rows came in earlier ones."""
        refused = batch.filter(pl.col("reason") == "unsupported_key")
        bad = batch.filter(pl.col("reason").is_in(UNREAD) & (pl.col("reason") != "unsupported_key"))
        self.rows += batch.height
        self.unreadable += bad.height
        calling = batch["messages"].str.contains('"tool_calls":[', literal=True)
        self.without_tools += int((calling & batch["tools"].is_null()).sum())
        for (reason,), gone in batch.filter(pl.col("reason").is_not_null()).group_by("reason"):
            row, detail = gone.select("row", "detail").row(0)
            place = (self.name, file, before + row)
            new = Drop(stage="read", kind="read", reason=reason, rows=0, said=said([detail]), place=place)
            known = self.drops.get(reason, new)
            self.drops[reason] = replace(known, rows=known.rows + gone.height)
        if self.first is None and bad.height:
            row, detail = bad.select("row", "detail").row(0)
            self.first = f"{file}, row {before + row}: {orjson.loads(detail)['error']}"
        self.refused += refused.height
        if self.first_refused is None and refused.height:
            row, detail = refused.select("row", "detail").row(0)
            told = orjson.loads(detail)
            value = f" ({told['value'][:60]!r})" if told["value"] else ""
            self.first_refused = f"{file}, row {before + row}: `{told['key']}`{value}: {told['meaning']}"

    def key_lines(self) -> Iterator[str]:
        """What becomes of the keys of the records."""
        if not self.keys:
            return
        if self.keys["read"]:
            yield f"read: {', '.join(self.keys['read'])}"
        for part, more in (("ignored", self.keys["more_ignored"]), ("refused", 0)):
            told = [f"{key or repr(key)} ({rows:,})" for key, rows in self.keys[part].items()]
            more += len(told[MOST_KEYS:])
            if told:
                yield f"{part}: {', '.join(told[:MOST_KEYS])}{f' and {more:,} more' if more else ''}"


@dataclass(frozen=True)
class Checked:
    """A recipe that is right. `counted`: what every source holds, None where that is not known yet.

    solved: the mixture that all rows would make, or why they cannot make it
    notes: what else to say, of training
    """

    recipe: Recipe
    counted: Mapping[str, Counted | None]
    solved: MixturePlan | Infeasible
    notes: Sequence[str] = ()

    @property
    def rows(self) -> dict[str, int | None]:
        """Input rows by source, None where they are not known yet."""
        return {name: None if one is None else one.rows for name, one in self.counted.items()}

    @property
    def cautions(self) -> list[str]:
        """What is allowed and perhaps not meant."""
        return [*cautions(self.recipe), *self.notes]

    @property
    def shortage(self) -> Infeasible | None:
        """Why the mixture cannot be had."""
        return self.solved if isinstance(self.solved, Infeasible) else None

    @property
    def feasible(self) -> bool:
        """False only when every count is known and even all rows cannot make the mixture."""
        return self.shortage is None or None in self.rows.values()

    def without_tools(self, name: str) -> int | None:
        """Rows of a source whose calls stand without tools, in the rows and in the source's `tools`."""
        one = self.counted[name]
        return None if one is None else 0 if self.recipe.sources[name].tools else one.without_tools

    def funnels(self) -> dict[str, Funnel]:
        """What reading made of each group's rows, of those whose sources are all known."""
        found: dict[str, list[Counted | None]] = defaultdict(list)
        for name, one in self.counted.items():
            found[self.recipe.sources[name].group].append(one)
        return {
            group: Funnel(
                read=sum(one.rows for one in members if one),
                drops=[drop for one in members if one for drop in one.drops.values()],
            )
            for group, members in found.items()
            if None not in members
        }

    def as_json(self) -> str:
        """The result for a program."""
        return json.dumps(
            {
                "recipe": self.recipe.name,
                "version": self.recipe.version,
                "rows": self.rows,
                "unreadable": {n: None if one is None else one.unreadable for n, one in self.counted.items()},
                "without_tools": {name: self.without_tools(name) for name in self.counted},
                "keys": {n: None if one is None else one.keys for n, one in self.counted.items()},
                "feasible": self.feasible,
                "shortage": None if self.shortage is None else render(self.shortage, self.funnels()),
                "cautions": self.cautions,
            }
        )

    def as_text(self, path: Path | None = None) -> str:
        """The result for a person. `path`: the recipe, as the next command names it."""
        width = max(len(name) for name in self.counted)
        lines = [f"{self.recipe.name} v{self.recipe.version}: the recipe is right", ""]
        for name, one in self.counted.items():
            source = self.recipe.sources[name]
            take = f", take {source.take:,}" if source.take else ""
            lines.append(f"  {name:<{width}}  {source.group}  {counts(one)}{take}")
            if one is not None and one.first is not None:
                lines.append(f"  {'':<{width}}  first unreadable: {one.first}")
            if bare := self.without_tools(name):
                hint = "`tools: aj_tools`, or a file, writes them"
                lines.append(f"  {'':<{width}}  {plural(bare, 'row')} with tool calls and no tools; {hint}")
            for line in one.key_lines() if one is not None else ():
                lines.append(f"  {'':<{width}}  {line}")
            if one is not None and one.first_refused is not None:
                lines.append(f"  {'':<{width}}  first refused: {one.first_refused}")
        lines += ["", *(f"note    {line}" for line in self.cautions)]
        named = f" {path}" if path else ""
        absent = sum(one is None for one in self.counted.values())
        if absent:
            lines.append(
                f"note    {absent} of {len(self.counted)} sources are not here: their counts are unknown and"
                " taken to be enough"
            )
        if self.shortage is not None:
            lines.append(render(self.shortage, self.funnels()))
        if None in self.counted.values():
            lines.append(f"next    aj fetch{named}, then aj curate{named}")
        elif isinstance(self.solved, MixturePlan):
            lines += [*self.largest(self.solved), f"next    aj curate{named}"]
        return "\n".join(lines)

    def largest(self, solved: MixturePlan) -> Iterator[str]:
        """That the mixture can be had; for a total of `max` how large it gets, and what keeps it there."""
        yield "the mixture can be had if the stages keep enough rows"
        mixture = self.recipe.mixture
        if mixture.total != "max" or mixture.unit != "rows":
            return
        readable = {group: 0 for group in self.recipe.groups}
        for name, one in self.counted.items():
            source = self.recipe.sources[name]
            readable[source.group] += at_most(one, source.take)
        held = [
            f"{group} ({plural(readable[group], 'row')}, {mixture.max_repeat} times each)"
            for group, quota in solved.groups.items()
            if quota and quota == readable[group] * mixture.max_repeat
        ]
        by = f"; what keeps it there: {', '.join(held[:3])}" if held else ""
        yield f"total: max is at most {plural(solved.total, 'row')}{by}"


def counts(one: Counted | None) -> str:
    """The rows of a source in words."""
    if one is None:
        return "not fetched yet"
    unreadable = f", {one.unreadable:,} unreadable" if one.unreadable else ""
    return plural(one.rows, "row") + unreadable + (f", {one.refused:,} refused" if one.refused else "")


def plural(count: int, noun: str) -> str:
    """A count with its noun."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def check(path: Path, *, data_root: Path | None = None, fetched: Mapping[str, Path] | None = None) -> Checked:
    """Check a recipe without running it.

    Raises RecipeError for what is wrong in it, SourceError for files that are not there. The rows
    counted are those before the stages, so a mixture that fails here cannot be had at all.
    fetched: as in `curation.jobs.curate.curate`.
    """
    recipe = load_recipe(path, data_root=data_root)
    check_files(recipe)
    check_gates(recipe)
    root = recipe.data_folder.resolve()
    fetched = fetched_sources(recipe) if fetched is None else fetched
    check_stages(recipe, root, path.parent.resolve(), fetched.get(TOKENIZER))
    evaluation_files(recipe, root)
    counted = count_rows(recipe, root, fetched)
    available = {
        name: Available(
            rows=at_most(counted[name], source.take),
            tokens=PLENTY if at_most(counted[name], source.take) else 0,
            group=source.group,
            weight=source.weight,
        )
        for name, source in recipe.sources.items()
    }
    mixture = recipe.mixture
    solved = plan(
        available,
        shares=mixture.shares,
        unit=mixture.unit,
        total=mixture.total,
        max_repeat=mixture.max_repeat,
        on_shortage=mixture.on_shortage,
    )
    return Checked(recipe, counted, solved)


def at_most(one: Counted | None, take: int | None) -> int:
    """The rows that a source can give; one that is not fetched yet, as many as are needed."""
    return min(PLENTY if one is None else one.left, PLENTY if take is None else take)


def check_stages(recipe: Recipe, root: Path, base: Path, tokenizer: Path | None) -> None:
    """Bind every stage once: a missing schema or reference file shows here.

    What needs a tokenizer that is not fetched yet waits until it is.
    """
    try:
        context = make_context(recipe, root, base, tokenizer)
    except NotFetched:
        context = Context(recipe.seed, tuple(recipe.sources), root)
    for entry in stage_plan(recipe):
        stage = PlannedStage(*entry)
        kind = stage_kind(stage.stage)
        waits = STAGES[stage.stage].counts_tokens and context.tokenizer is None
        if isinstance(kind, Rows) and not waits:
            kind.files(stage.settings, context)
            kind.bind(stage.settings, context)


def count_rows(recipe: Recipe, root: Path, fetched: Mapping[str, Path]) -> dict[str, Counted | None]:
    """What every source holds; None for one that is not fetched yet.

    Raises SourceError, naming the source, for one that cannot be read at all.
    """
    known = {n: s for n, s in recipe.sources.items() if "://" not in s.uri or n in fetched}
    found: dict[str, Counted | None] = {n: Counted(n) if n in known else None for n in recipe.sources}
    keys: dict[str, list[pl.DataFrame]] = {name: [] for name in known}
    files = input_files(recipe, root, fetched, only=known)
    with Progress("counting", sum(path.stat().st_size for _, path, _ in files)) as line:
        for name, path, file in files:
            one = found[name] or Counted(name)
            before = start = one.rows
            try:
                for chunk in chunks(path, known[name]):
                    counts = KeyCounts(known[name])
                    for batch in read(chunk, known[name], file=file, counts=counts):
                        one.add(batch, file, before - start)
                    before = one.rows
                    keys[name].append(counts.frame())
            except SourceError as error:
                raise SourceError(f"source {name}: {str(error).removeprefix(f'source {name}: ')}") from None
            line.add(path.stat().st_size, one.rows - start)
    for name in known:
        (found[name] or Counted(name)).keys = told_keys(keys[name])
    return found
