"""aj merge: an adapter merged into its base model."""

from pathlib import Path

import click

from curation.commands.needs import TRAINING, need
from curation.commands.options import PATH, takes_base_model, takes_force, takes_path
from curation.commands.printing import DONE
from curation.commands.verbs import verb


@verb("merge")
@takes_path("model", "an adapter")
@click.option("--out", type=PATH, metavar="DIR", help="default: beside the adapter")
@takes_force("replace a merged model")
@takes_base_model
def command(model: Path, out: Path | None, force: bool, base_model: Path | None) -> int:
    """Merge."""
    need(*TRAINING)
    from train.ship.merge import beside_adapter, merge

    click.echo(merge(model, out or beside_adapter(model), base=base_model, force=force).as_text())
    return DONE
