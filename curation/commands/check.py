"""aj check: whether a recipe is right and its mixture can be had, before anything is made."""

import json
from dataclasses import replace
from pathlib import Path

import click

from curation.commands.needs import load_early, refuse_early
from curation.commands.options import takes_base_model, takes_recipe
from curation.commands.printing import DONE, NO
from curation.commands.verbs import verb
from curation.errors import CurationError


@verb("check")
@takes_recipe
@click.option("--online", is_flag=True, help="ask the hub too: are they there, do they fit?")
@takes_base_model
def command(
    recipe: Path, data_root: Path | None, as_json: bool, online: bool, base_model: Path | None
) -> int:
    """Check a recipe; the answer is no when even all rows cannot make its mixture."""
    notes = refuse_early(load_early(recipe, data_root), base_model)
    from curation.jobs.check import check

    found = replace(check(recipe, data_root=data_root), notes=notes)
    seen = []
    if online:
        from curation.jobs.check_online import check_online

        seen = check_online(found.recipe)
    if as_json:
        facts = json.loads(found.as_json())
        click.echo(json.dumps({**facts, "online": [vars(entry) for entry in seen]} if online else facts))
    else:
        click.echo("\n".join([*(entry.as_text() for entry in seen), found.as_text(recipe)]))
    if any(entry.problem for entry in seen):
        return CurationError.exit_code
    return DONE if found.feasible else NO
