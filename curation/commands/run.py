"""aj run: every step from fetching to GGUF files that is not done yet, logged."""

import json
from importlib.util import find_spec
from pathlib import Path

import click

from curation.commands.needs import load_early, refuse_early
from curation.commands.options import takes_recipe, takes_workers
from curation.commands.printing import DONE, aside
from curation.commands.verbs import verb
from curation.commands.whole_way import takes_model, whole_way


@verb("run")
@takes_recipe
@click.option("--approve-by", metavar="NAME", help="approve without a person reading")
@takes_workers
@takes_model
def command(
    recipe: Path,
    data_root: Path | None,
    as_json: bool,
    approve_by: str | None,
    workers: int | None,
    base_model: Path | None,
    quants: tuple[str, ...],
) -> int:
    """Do every step that is not done, and log it."""
    for note in refuse_early(load_early(recipe, data_root), base_model):
        aside(f"note    {note}")
    from curation.jobs.run import as_json as for_programs
    from curation.jobs.run import logged

    with logged(Path.cwd()) as log:
        way = whole_way(recipe, data_root, base_model, quants, approve_by=approve_by, workers=workers)
        steps = way.steps()
        steps.run(aside)
        # A GGUF file is answered from by llama.cpp; where that is not, the merged model answers.
        model = steps.steps[-1 if find_spec("llama_cpp") else -2].makes()[0]
        text = f"all steps are done; log in {log.name}\nnext    aj try {model}"
        click.echo(json.dumps(for_programs(steps)) if as_json else text)
    return DONE
