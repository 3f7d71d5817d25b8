"""Every verb in the order of the work; its file is imported when it is asked for."""

import re
from collections.abc import Callable
from importlib import import_module
from itertools import chain, pairwise, takewhile
from keyword import iskeyword
from typing import Any

import click

GROUPS = {
    "First look": {
        "demo": "Curate the small recipe that comes with the project.",
        "init": "Look at a folder of files and write a first recipe for it.",
        "check": "Check a recipe, its files, and whether its mixture can be had.",
    },
    "Make a dataset": {
        "fetch": "Bring what a recipe names by address here, verified.",
        "curate": "Turn a recipe into a dataset directory with its report.",
    },
    "Read and decide": {
        "report": "Make a dataset's report again, byte for byte.",
        "why": "Tell the whole life of a row.",
        "diff": "Compare two datasets row by row.",
        "review": "Go through a dataset's rows in a browser, mark some, approve.",
        "gate": "Judge a dataset by its gates again.",
        "approve": "Record that a person approves a dataset.",
        "freeze": "Write the frozen recipe of an approved dataset.",
        "verify": "Re-hash a dataset or a frozen recipe and all it names.",
    },
    "Train": {
        "train": "Train a LoRA adapter from a frozen recipe.",
        "evaluate": "Measure a model on the eval split and judge it by its recipe.",
    },
    "Use the model": {
        "try": "Talk with an adapter, a merged model or a GGUF file.",
        "merge": "Merge an adapter into its base model.",
        "export": "Write GGUF files for llama.cpp and Ollama, each tried.",
    },
    "All of it": {
        "run": "Fetch, curate, approve, freeze, train, evaluate, merge and export, step by step.",
        "status": "Tell which steps of `aj run` are done.",
    },
}
HELP = {name: text for group in GROUPS.values() for name, text in group.items()}
# An option's name where its neighbour's value should stand; negative numbers are values.
DASHED = re.compile(r"-[^\d\s]\S*")


class Verb(click.Command):
    """One command. Its options may stand anywhere, and none takes the next one's name for its value."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not ctx.resilient_parsing:
            self.check_values(ctx, args)
        try:
            return super().parse_args(ctx, args)
        except click.UsageError as error:
            # click's parser does not always say whose option it was.
            error.ctx = error.ctx or ctx
            raise

    def check_values(self, ctx: click.Context, args: list[str]) -> None:
        """Raise UsageError where the value of an option was forgotten."""
        needy = [p for p in self.params if isinstance(p, click.Option) and not p.is_flag and not optional(p)]
        names = {*chain.from_iterable(option.opts for option in needy)}
        for name, value in pairwise(takewhile(lambda arg: arg != "--", args)):
            if name in names and DASHED.fullmatch(value):
                message = f"{name} needs a value; one that begins with a dash is written {name}={value}"
                raise click.BadOptionUsage(name, message, ctx)


def optional(option: click.Option) -> bool:
    """Whether an option may stand without its value, as --resume may."""
    return option.flag_value is True


def verb(name: str) -> Callable[[Callable[..., Any]], Verb]:
    """Make a function the command of that name, with the help of the table."""
    return click.command(name, cls=Verb, help=HELP[name], short_help=HELP[name])


class Verbs(click.Group):
    """`aj`: its commands come from the table, in its order."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(HELP)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in HELP:
            return None
        # A word of Python itself is no name that can be imported everywhere: `try` is in try_.py.
        module = import_module(f"curation.commands.{cmd_name}{'_' * iskeyword(cmd_name)}")
        command: click.Command = module.command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in HELP and not ctx.resilient_parsing:
            raise click.NoSuchCommand(args[0], possibilities=HELP, ctx=ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        width = max(map(len, HELP))
        for title, group in GROUPS.items():
            with formatter.section(title):
                formatter.write_dl([(name.ljust(width), text) for name, text in group.items()])


def print_version(ctx: click.Context, _: click.Parameter, asked: bool) -> None:
    """Print the installed version; it is looked up only when somebody asks."""
    if not asked or ctx.resilient_parsing:
        return
    from importlib.metadata import PackageNotFoundError, version

    try:
        click.echo(f"aj {version('aj-curation')}")
    except PackageNotFoundError:
        click.echo("aj, not installed: run from its folder")
    ctx.exit()


@click.group(
    "aj",
    cls=Verbs,
    help="Curate, approve and freeze a mixture of conversations, then train from it.",
    epilog='Completion: eval "$(_AJ_COMPLETE=bash_source aj)", or zsh_source; in fish '
    "_AJ_COMPLETE=fish_source aj | source",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=print_version,
    help="print the version of this installation",
)
def commands() -> None:
    """Every command."""
