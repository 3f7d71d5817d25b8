"""aj approve: a person's approval of a dataset, on record."""

from pathlib import Path

import click

from curation.commands.options import PATH, takes_dataset, takes_force
from curation.commands.printing import DONE
from curation.commands.verbs import verb


@verb("approve")
@takes_dataset
@click.option("--by", required=True, metavar="NAME", help="who approves")
@click.option("--note", metavar="TEXT", help="a word to it, kept with the approval")
@click.option("--sign", type=PATH, metavar="KEY", help="sign with this SSH key")
@takes_force("replace an earlier approval")
def command(dataset: Path, by: str, note: str | None, sign: Path | None, force: bool) -> int:
    """Approve."""
    from curation.release.approval import approve

    approve(dataset, by, note, key=sign, force=force)
    click.echo(f"approved {dataset} by {by}\nnext     aj freeze {dataset}")
    return DONE
