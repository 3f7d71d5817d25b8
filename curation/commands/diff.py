"""aj diff: two datasets, row by row."""

from pathlib import Path

import click

from curation.commands.options import PATH, takes_force, takes_json, takes_path
from curation.commands.printing import DONE, one_line
from curation.commands.verbs import verb


@verb("diff")
@takes_path("old", "the dataset before")
@takes_path("new", "the dataset after")
@click.option("--html", type=PATH, metavar="FILE", help="also write a page")
@click.option("--rows", type=PATH, metavar="FILE", help="also write every differing row, as JSON lines")
@takes_force("replace other files at --html and --rows")
@takes_json()
def command(old: Path, new: Path, html: Path | None, rows: Path | None, force: bool, as_json: bool) -> int:
    """Compare two datasets."""
    from curation.files import write_new
    from reports.facts.diff import as_json as for_programs
    from reports.facts.diff import diff, differing_rows
    from reports.pages.diff_page import as_html, as_text

    found = diff(old, new)
    files = {}
    if html:
        files[html] = as_html(found)
    if rows:
        files[rows] = differing_rows(old, new).write_ndjson().encode()
    write_new(files, force=force)
    click.echo(one_line(for_programs(found)) if as_json else as_text(found))
    return DONE
