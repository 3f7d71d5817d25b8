"""aj gate: a dataset judged by its gates again."""

from pathlib import Path

import click

from curation.commands.options import PATH, takes_dataset, takes_force, takes_json
from curation.commands.printing import DONE, NO, failures_in_red, one_line
from curation.commands.verbs import verb


@verb("gate")
@takes_dataset
@click.option("--junit", type=PATH, metavar="FILE", help="also write JUnit XML")
@takes_force("replace another --junit FILE")
@takes_json("print gates.json, on one line")
def command(dataset: Path, junit: Path | None, force: bool, as_json: bool) -> int:
    """Judge again, from the files of the dataset."""
    from curation.dataset.gates import judge_again
    from curation.dataset.junit import to_junit
    from curation.files import write_new
    from reports.pages.terminal import gates

    found = judge_again(dataset)
    if junit:
        write_new({junit: to_junit(found.gates, str(dataset))}, force=force)
    click.echo(one_line(found.as_dict()) if as_json else failures_in_red(gates(found)))
    return DONE if found.passed else NO
