"""aj curate: a recipe turned into a dataset directory; prints the funnel, the mixture and the gates."""

from pathlib import Path

import click

from curation.commands.needs import load_early
from curation.commands.options import PATH, positive, takes_force, takes_recipe, takes_workers
from curation.commands.printing import DONE, NO, failures_in_red
from curation.commands.verbs import verb


@verb("curate")
@takes_recipe
@click.option("--out", type=PATH, metavar="DIR", help="default build/<recipe>-v<version>")
@takes_workers
@click.option("--sample", type=positive, metavar="N", help="preview about N rows")
@takes_force("replace a finished run")
def command(
    recipe: Path,
    data_root: Path | None,
    as_json: bool,
    out: Path | None,
    workers: int | None,
    sample: int | None,
    force: bool,
) -> int:
    """Curate."""
    return curate_and_tell(
        recipe, data_root=data_root, as_json=as_json, out=out, workers=workers, sample=sample, force=force
    )


def curate_and_tell(
    recipe: Path,
    *,
    data_root: Path | None = None,
    as_json: bool = False,
    out: Path | None = None,
    workers: int | None = None,
    sample: int | None = None,
    force: bool = False,
) -> int:
    """Curate a recipe and print what came of it; the answer is no when a gate failed."""
    load_early(recipe, data_root)
    from curation.jobs.curate import curate
    from reports.pages.documents import documents
    from reports.pages.terminal import finished, finished_json

    run = curate(
        recipe,
        documents=documents,
        out=out,
        data_root=data_root,
        workers=workers,
        sample=sample,
        force=force,
    )
    click.echo(finished_json(run) if as_json else failures_in_red(finished(run)))
    return DONE if run.passed else NO
