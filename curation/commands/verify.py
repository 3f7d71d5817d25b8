"""aj verify: a dataset or a frozen recipe, and all it names, hashed again."""

from pathlib import Path

import click

from curation.commands.options import PATH, takes_json, takes_path
from curation.commands.printing import DONE, NO, failures_in_red
from curation.commands.verbs import verb


@verb("verify")
@takes_path("path", "a dataset's folder or a frozen recipe")
@click.option("--data", type=PATH, metavar="DIR", help="dataset of a frozen recipe")
@takes_json()
def command(path: Path, data: Path | None, as_json: bool) -> int:
    """Verify; the answer is no when anything differs."""
    from curation.release.verify import verify

    found = verify(path, data=data)
    click.echo(found.as_json() if as_json else failures_in_red(found.as_text()))
    return DONE if found.ok else NO
