"""aj try: a talk with a model."""

from pathlib import Path

import click

from curation.commands.needs import TRAINING, need
from curation.commands.options import positive, takes_base_model, takes_path
from curation.commands.printing import DONE
from curation.commands.verbs import verb


@verb("try")
@takes_path("model", "an adapter, a merged model or a .gguf file")
@click.option("--tools", is_flag=True, help="offer the AJ tools; the next line is a call's result")
@click.option("--system", metavar="TEXT", help="a system message")
@click.option("--max-tokens", type=positive, default=1024, metavar="N", help="of one answer; default 1024")
@takes_base_model
def command(model: Path, tools: bool, system: str | None, max_tokens: int, base_model: Path | None) -> int:
    """Talk."""
    need(*TRAINING)
    from train.use.chat import try_model

    try_model(model, base=base_model, tools=tools, system=system, max_tokens=max_tokens)
    return DONE
