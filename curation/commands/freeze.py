"""aj freeze: the frozen recipe of an approved dataset."""

from pathlib import Path

import click

from curation.commands.options import PATH, takes_dataset, takes_force
from curation.commands.printing import DONE
from curation.commands.verbs import verb


@verb("freeze")
@takes_dataset
@click.option("--out", type=PATH, metavar="FILE", help="default recipes/frozen/<recipe>-v<version>.yaml")
@takes_force("replace an existing frozen recipe")
def command(dataset: Path, out: Path | None, force: bool) -> int:
    """Freeze."""
    from curation.release.freeze import freeze

    path = freeze(dataset, out=out, force=force)
    click.echo(f"frozen  {path}\nnext    aj train {path} --data {dataset}")
    return DONE
