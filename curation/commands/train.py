"""aj train: a LoRA adapter from a frozen recipe; or what training would do, or what it would train on."""

import sys
from pathlib import Path
from typing import Any

import click

from curation.commands.needs import TRAINING, need
from curation.commands.options import PATH, positive, takes_base_model, takes_force, takes_json, takes_path
from curation.commands.printing import DONE, colour
from curation.commands.verbs import verb
from curation.errors import CurationError


class Checkpoint(click.Path):
    """A checkpoint's folder; True for the newest one, False for none."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        return value if isinstance(value, bool) else super().convert(value, param, ctx)


def price(text: str) -> float:
    """US dollars, none or more."""
    try:
        number = float(text)
    except ValueError:
        number = -1
    if not 0 <= number < float("inf"):
        raise click.BadParameter(f"{text} is no price; expected US dollars per hour, 0 or more")
    return number


@verb("train")
@takes_path("frozen", "a frozen recipe that `aj freeze` wrote")
@click.option("--data", type=PATH, metavar="DIR", help="its dataset's folder")
@takes_base_model
@click.option("--out", type=PATH, metavar="DIR", help="the adapter's folder")
@click.option(
    "--resume",
    type=Checkpoint(path_type=Path, readable=False),
    is_flag=False,
    flag_value=True,
    default=False,
    metavar="[CHECKPOINT]",
    help="go on from a checkpoint; default the newest whole one",
)
@takes_force("replace an adapter, or start anew")
@click.option("--trial-steps", type=positive, metavar="N", help="a short trial")
@click.option("--dry-run", is_flag=True, help="tell steps, memory, time and cost, then stop")
@click.option("--gpu", "gpus", multiple=True, metavar="NAME", help="for --dry-run; repeatable")
@click.option("--price", "usd", type=price, metavar="USD", help="an hour of that GPU")
@click.option("--show", "examples", type=positive, metavar="N", help="print N examples, then stop")
@takes_json()
def command(
    frozen: Path,
    data: Path | None,
    base_model: Path | None,
    out: Path | None,
    resume: bool | Path,
    force: bool,
    trial_steps: int | None,
    dry_run: bool,
    gpus: tuple[str, ...],
    usd: float | None,
    examples: int | None,
    as_json: bool,
) -> int:
    """Train, or tell what training would do."""
    if (gpus or usd is not None) and not dry_run:
        raise CurationError("--gpu and --price are for an estimate: expected --dry-run with them")
    if examples:
        return show_examples(frozen, examples, data, base_model)
    if dry_run:
        return tell_ahead(frozen, data, base_model, trial_steps, [*gpus], usd, as_json=as_json)
    need(*TRAINING)
    from reports.pages.training import training_documents
    from train.run.train import train

    run = train(
        frozen,
        data=data,
        base_model=base_model,
        out=out,
        resume=resume,
        trial_steps=trial_steps,
        force=force,
        documents=training_documents,
    )
    click.echo(run.as_json() if as_json else run.as_text(base_model, frozen, data))
    return DONE


def show_examples(frozen: Path, examples: int, data: Path | None, base_model: Path | None) -> int:
    """Print rendered examples, what is trained in colour."""
    from train.run.show import show

    painted = colour() is None and sys.stdout.isatty()
    click.echo(show(frozen, examples, data=data, base_model=base_model, colour=painted))
    return DONE


def tell_ahead(
    frozen: Path,
    data: Path | None,
    base_model: Path | None,
    trial_steps: int | None,
    gpus: list[str],
    usd: float | None,
    *,
    as_json: bool,
) -> int:
    """Print steps, memory, time and cost."""
    from train.run.dry_run import dry_run, named_gpus

    found = dry_run(
        frozen, data=data, base_model=base_model, trial_steps=trial_steps, gpus=named_gpus(gpus, usd)
    )
    click.echo(found.as_json() if as_json else found.as_text())
    return DONE
