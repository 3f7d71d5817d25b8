"""`aj check`: is the recipe right, are its files there, and can its mixture be had?"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from curation.fetched import fetched_sources
from curation.gates import check_gates
from curation.mixture import Available, Infeasible, plan
from curation.plan import TOKENIZER, NotFetched, PlannedStage, input_files, make_context
from curation.progress import Progress
from curation.reading import chunks, read
from curation.recipe import Recipe, check_files, load_recipe, stage_plan
from curation.shortage import render
from curation.stage import Context, Rows
from curation.tasks import stage_kind

# A source whose size is not known yet is taken to be as large as needed.
PLENTY = 10**12


@dataclass(frozen=True)
class Checked:
    """A recipe that is right. `rows`: input rows by source, None where they are not known yet."""

    recipe: Recipe
    rows: Mapping[str, int | None]
    shortage: Infeasible | None

    @property
    def feasible(self) -> bool:
        """False only when every count is known and even all rows cannot make the mixture."""
        return self.shortage is None or None in self.rows.values()

    def as_json(self) -> str:
        """The result for a program."""
        return json.dumps(
            {
                "recipe": self.recipe.name,
                "version": self.recipe.version,
                "rows": dict(self.rows),
                "feasible": self.feasible,
                "shortage": None if self.shortage is None else render(self.shortage),
            }
        )

    def as_text(self) -> str:
        """The result for a person."""
        width = max(len(name) for name in self.rows)
        lines = [f"{self.recipe.name} v{self.recipe.version}: the recipe is right", ""]
        for name, count in self.rows.items():
            source = self.recipe.sources[name]
            rows = "not fetched yet" if count is None else f"{count:,} rows"
            take = f", take {source.take:,}" if source.take else ""
            lines.append(f"  {name:<{width}}  {source.group}  {rows}{take}")
        lines.append("")
        if self.shortage is not None:
            lines.append(render(self.shortage))
        if None in self.rows.values():
            lines.append("next    aj fetch, then aj curate")
        elif self.shortage is None:
            lines.append("the mixture can be had if the stages keep enough rows\nnext    aj curate")
        return "\n".join(lines)


def check(path: Path, *, data_root: Path | None = None, fetched: Mapping[str, Path] | None = None) -> Checked:
    """Check a recipe without running it.

    Raises RecipeError for what is wrong in it, SourceError for files that are not there. The rows
    counted are those before the stages, so a mixture that fails here cannot be had at all.
    fetched: as in `curation.curate.curate`.
    """
    recipe = load_recipe(path, data_root=data_root)
    check_files(recipe)
    check_gates(recipe.gates)
    root = recipe.data_folder.resolve()
    fetched = fetched_sources(recipe) if fetched is None else fetched
    check_stages(recipe, root, path.parent.resolve(), fetched.get(TOKENIZER))
    rows = count_rows(recipe, root, fetched)
    available = {
        name: Available(
            rows=PLENTY if count is None and source.take is None else at_most(count, source.take),
            tokens=PLENTY,
            group=source.group,
            weight=source.weight,
        )
        for (name, source), count in zip(recipe.sources.items(), rows.values(), strict=True)
    }
    mixture = recipe.mixture
    answer = None
    if mixture.unit == "rows" and mixture.total != "max":
        answer = plan(
            available,
            shares=mixture.shares,
            unit="rows",
            total=mixture.total,
            max_repeat=mixture.max_repeat,
            on_shortage=mixture.on_shortage,
        )
    return Checked(recipe, rows, answer if isinstance(answer, Infeasible) else None)


def at_most(count: int | None, take: int | None) -> int:
    """The rows that a source can give."""
    return min(n for n in (count, take) if n is not None)


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
        waits = stage.stage == "length" and context.tokenizer is None
        if isinstance(kind, Rows) and not waits:
            kind.files(stage.settings, context)
            kind.bind(stage.settings, context)


def count_rows(recipe: Recipe, root: Path, fetched: Mapping[str, Path]) -> dict[str, int | None]:
    """Input rows of every source; None for one that is not fetched yet."""
    known = {n for n, s in recipe.sources.items() if "://" not in s.uri or n in fetched}
    rows: dict[str, int | None] = {name: 0 if name in known else None for name in recipe.sources}
    local = {name: recipe.sources[name] for name in known}
    files = input_files(recipe, root, fetched, only=known)
    with Progress("counting", sum(path.stat().st_size for _, path, _ in files)) as line:
        for name, path, file in files:
            counted = 0
            for chunk in chunks(path, local[name]):
                counted += sum(batch.height for batch in read(chunk, local[name], file=file))
            rows[name] = (rows[name] or 0) + counted
            line.add(path.stat().st_size, counted)
    return rows
