"""aj why: the life of a row, or the rows that hold a text."""

from pathlib import Path

import click

from curation.commands.options import takes_dataset, takes_json
from curation.commands.printing import DONE, NO, one_line
from curation.commands.verbs import verb
from curation.errors import CurationError


@verb("why")
@takes_dataset
@click.argument("row", required=False, help="a row id, its beginning, or source:file:row")
@click.option("--text", metavar="TEXT", help="find rows that hold this text")
@takes_json()
def command(dataset: Path, row: str | None, text: str | None, as_json: bool) -> int:
    """Tell the life of a row, or find rows by their text."""
    if (row is None) == (text is None):
        raise CurationError("expected a row, or --text with what to look for")
    if text is not None:
        return rows_with(dataset, text, as_json=as_json)
    return life(dataset, row or "", as_json=as_json)


def rows_with(dataset: Path, text: str, *, as_json: bool) -> int:
    """Print where a text stands; the answer is no when it stands nowhere."""
    from reports.rows.search import find_text, hits
    from reports.rows.why import as_values

    places = find_text(dataset, text)
    click.echo(one_line(as_values(places)) if as_json else hits(places, dataset, text))
    return DONE if places else NO


def life(dataset: Path, row: str, *, as_json: bool) -> int:
    """Print what happened to a row."""
    from reports.rows.life import lives
    from reports.rows.unfinished import is_unfinished, lines_of, told
    from reports.rows.why import as_values, why

    if is_unfinished(dataset):
        lines = lines_of(dataset, row)
        click.echo(one_line(lines) if as_json else told(lines))
        return DONE
    found = why(dataset, row)
    click.echo(one_line(as_values(found)) if as_json else lives(found, dataset))
    return DONE
