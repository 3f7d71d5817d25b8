"""aj export: GGUF files of an adapter or a merged model, each tried."""

import json
from pathlib import Path

import click

from curation.commands.needs import TRAINING, need
from curation.commands.options import PATH, takes_base_model, takes_force, takes_json, takes_path
from curation.commands.printing import DONE
from curation.commands.verbs import verb


@verb("export")
@takes_path("model", "an adapter or a merged model")
@click.option(
    "--quant",
    "quants",
    multiple=True,
    metavar="NAME",
    help="f16, bf16, q8_0, q6_k, q5_k_m, q4_k_m (default); repeatable",
)
@click.option("--out", type=PATH, metavar="DIR", help="default: beside the model")
@takes_force("replace files")
@takes_json("print the records as JSON")
@takes_base_model
def command(
    model: Path,
    quants: tuple[str, ...],
    out: Path | None,
    force: bool,
    as_json: bool,
    base_model: Path | None,
) -> int:
    """Export."""
    need(*TRAINING, "gguf")
    from train.ship.export import export

    made = export(model, [*quants] or ["q4_k_m"], out=out, base=base_model, force=force)
    if as_json:
        click.echo(json.dumps([one.record.as_dict() for one in made]))
    else:
        click.echo("\n".join(one.as_text() for one in made))
    return DONE
