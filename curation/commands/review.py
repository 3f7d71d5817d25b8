"""aj review: a local page to go through a dataset's rows."""

from pathlib import Path

import click

from curation.commands.options import PATH, takes_dataset
from curation.commands.printing import DONE
from curation.commands.verbs import verb


@verb("review")
@takes_dataset
@click.option("--marks", type=PATH, metavar="FILE", help="exclusion file")
@click.option("--port", type=int, default=0, metavar="PORT", help="default: a free one")
def command(dataset: Path, marks: Path | None, port: int) -> int:
    """Serve the page until Ctrl-C."""
    from reports.pages.review_app import open_server

    server, sitting = open_server(dataset, marks, port)
    click.echo(f"open    {sitting.address}\nmarks   {sitting.review.marks_path}\nstop    Ctrl-C")
    with server:
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            marked = len(sitting.review.marks)
            click.echo(f"\n{marked:,} row{'s are' if marked != 1 else ' is'} marked")
    return DONE
