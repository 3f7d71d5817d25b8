"""aj evaluate: a model measured on the eval split, and judged by its recipe."""

import json
from pathlib import Path

import click

from curation.commands.needs import TRAINING, need
from curation.commands.options import PATH, positive, takes_base_model, takes_force, takes_json, takes_path
from curation.commands.printing import DONE, NO, failures_in_red
from curation.commands.verbs import verb


@verb("evaluate")
@takes_path("model", "an adapter, a merged model or a .gguf file")
@click.option("--frozen", type=PATH, metavar="FILE", help="default: recipes/frozen/…")
@click.option("--data", type=PATH, metavar="DIR", help="its dataset's folder")
@click.option("--rows", type=positive, metavar="N", help="a preview, not written")
@click.option("--turns", type=positive, default=200, metavar="N", help="tool calls to generate; default 200")
@click.option(
    "--max-tokens", type=positive, default=512, metavar="N", help="of a generated turn; default 512"
)
@takes_force("measure again")
@takes_json("print evaluation.json, on one line")
@takes_base_model
def command(
    model: Path,
    frozen: Path | None,
    data: Path | None,
    rows: int | None,
    turns: int,
    max_tokens: int,
    force: bool,
    as_json: bool,
    base_model: Path | None,
) -> int:
    """Measure, print, and answer no when a bound of the recipe fails."""
    need(*TRAINING)
    from curation.recipe.metrics import evaluated_meanings
    from train.use.evaluate import as_text, evaluate

    found = evaluate(
        model,
        frozen=frozen,
        data=data,
        base=base_model,
        rows=rows,
        turns=turns,
        max_tokens=max_tokens,
        force=force,
    )
    if found.kind == "adapter" and not found.sample:
        from reports.pages.training import write_evaluation

        write_evaluation(model, found.as_dict())
    if as_json:
        click.echo(json.dumps(found.as_dict()))
    else:
        meanings = evaluated_meanings(found.metrics)
        click.echo(failures_in_red(as_text(found, model, base_model, meanings)))
    return DONE if found.passed else NO
