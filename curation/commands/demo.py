"""aj demo: the small recipe that comes with the project, and with --train the whole path of a tiny model."""

from importlib import resources
from pathlib import Path

import click

from curation.commands.curate import curate_and_tell
from curation.commands.needs import TRAINING, need
from curation.commands.options import PATH, takes_force
from curation.commands.printing import DONE
from curation.commands.verbs import verb


@verb("demo")
@click.option("--out", type=PATH, metavar="DIR", help="dataset folder (default build/demo-v<version>)")
@takes_force("replace a finished run")
@click.option("--train", is_flag=True, help="also train, export and ask a tiny model (minutes)")
def command(out: Path | None, force: bool, train: bool) -> int:
    """Curate recipes/demo.yaml."""
    recipe = Path(str(resources.files("recipes"))) / "demo.yaml"
    if not train:
        return curate_and_tell(recipe, out=out, force=force)
    return whole_path(recipe, out or Path("build/demo-train"), force=force)


def whole_path(recipe: Path, out: Path, *, force: bool) -> int:
    """Curate, approve, freeze, train, resume, merge, export, answer."""
    need(*TRAINING)
    from curation.jobs.curate import curate
    from reports.pages.documents import documents
    from reports.pages.training import training_documents
    from train.use.demo import ship_demo, train_demo

    def curated(recipe: Path, dataset: Path) -> None:
        curate(recipe, documents=documents, out=dataset, force=force)

    demo = train_demo(out, recipe, curated, training_documents, force=force)
    click.echo(demo.as_text())
    for line in ship_demo(demo):
        click.echo(line)
    return DONE
