"""aj fetch: what a recipe names by address, brought here and verified."""

from pathlib import Path

import click

from curation.commands.options import takes_force, takes_recipe
from curation.commands.printing import DONE, aside
from curation.commands.verbs import verb


@verb("fetch")
@takes_recipe
@click.option("--offline", is_flag=True, help="only look whether all is here and unchanged")
@takes_force("fetch again what is here")
@click.option("--base-model", is_flag=True, help="bring the base model's weights too")
def command(
    recipe: Path, data_root: Path | None, as_json: bool, offline: bool, force: bool, base_model: bool
) -> int:
    """Fetch a recipe's sources, or those of a frozen recipe."""
    from curation.jobs.fetch import as_json as for_programs
    from curation.jobs.fetch import as_text, fetch, recipe_at

    found = fetch(recipe, offline=offline, force=force, data_root=data_root, tell=aside)
    if base_model and not offline:
        from curation.sources.fetch_model import fetch_base_model

        fetch_base_model(recipe_at(recipe, data_root), tell=aside)
    click.echo(for_programs(found) if as_json else as_text(found, recipe))
    return DONE
