"""aj report: a dataset's report, made again from its files."""

from pathlib import Path

import click

from curation.commands.options import PATH, takes_dataset, takes_force
from curation.commands.printing import DONE
from curation.commands.verbs import verb


@verb("report")
@takes_dataset
@click.option("--out", type=PATH, metavar="FILE", help="write it elsewhere")
@takes_force("replace an existing --out FILE")
def command(dataset: Path, out: Path | None, force: bool) -> int:
    """Make the report again."""
    from reports.pages.documents import remake_report

    path, written = remake_report(dataset, out=out, force=force)
    click.echo(f"report  {path}{'' if written else ' (unchanged)'}")
    click.echo(f"next    read it, then: aj approve {dataset} --by NAME")
    return DONE
