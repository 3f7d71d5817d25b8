"""aj init: a first recipe for a folder of files."""

from pathlib import Path

import click

from curation.commands.options import PATH, takes_force, takes_path
from curation.commands.printing import DONE
from curation.commands.verbs import verb
from curation.errors import CurationError


@verb("init")
@takes_path("folder", "what to look at")
@click.option("--out", type=PATH, default="recipe.yaml", metavar="FILE", help="default recipe.yaml")
@takes_force("replace an existing recipe")
def command(folder: Path, out: Path, force: bool) -> int:
    """Write a first recipe, show a row of each source, and tell what it leaves open."""
    from curation.files import write_bytes
    from curation.jobs.first.look import first_look, told
    from curation.jobs.first.recipe import recipe_text

    if out.exists() and not force:
        raise CurationError(f"{out} exists; use --force to replace it, or --out for another file")
    first = first_look(folder)
    write_bytes(out, recipe_text(first, out).encode())
    click.echo("\n".join([f"wrote   {out}", *told(first), f"next    look it over, then: aj check {out}"]))
    return DONE
