"""aj status: which steps of `aj run` are done."""

import json
from pathlib import Path

import click

from curation.commands.needs import load_early
from curation.commands.options import takes_recipe
from curation.commands.printing import DONE
from curation.commands.verbs import verb
from curation.commands.whole_way import takes_model, whole_way


@verb("status")
@takes_recipe
@takes_model
def command(
    recipe: Path, data_root: Path | None, as_json: bool, base_model: Path | None, quants: tuple[str, ...]
) -> int:
    """Tell where a run stands."""
    load_early(recipe, data_root)
    from curation.jobs.run import as_json as for_programs
    from curation.jobs.run import as_text

    steps = whole_way(recipe, data_root, base_model, quants).steps()
    given = {"--data-root": data_root, "--base-model": base_model}
    options = [text for name, value in given.items() if value is not None for text in (name, str(value))]
    options += [text for quant in quants for text in ("--quant", quant)]
    again = " ".join(["aj run", str(recipe), *options])
    click.echo(json.dumps(for_programs(steps)) if as_json else as_text(steps, again))
    return DONE
