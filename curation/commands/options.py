"""Options that several commands take."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

Decorator = Callable[[Any], Any]


class AnyPath(click.Path):
    """A file or a folder; whether it is there and can be read, its reader tells."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value == "":
            self.fail("expected a path, got nothing", param, ctx)
        return super().convert(value, param, ctx)


PATH = AnyPath(path_type=Path, readable=False)


def positive(text: str) -> int:
    """A whole number of at least one."""
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise click.BadParameter(f"{text} is not a whole number of at least 1")
    return number


def takes_path(name: str, help: str) -> Decorator:
    """A path as an argument."""
    return click.argument(name, type=PATH, help=help)


def takes_force(help: str) -> Decorator:
    """--force, with what it replaces."""
    return click.option("--force", is_flag=True, help=help)


def takes_json(help: str = "print the result as JSON") -> Decorator:
    """--json."""
    return click.option("--json", "as_json", is_flag=True, help=help)


def takes_recipe(function: Any) -> Any:
    """A recipe, --data-root and --json: what every command on a recipe takes."""
    root = click.option("--data-root", type=PATH, metavar="DIR", help="where relative URIs start")
    return takes_path("recipe", "a YAML file")(root(takes_json()(function)))


takes_dataset = takes_path("dataset", "a folder that `aj curate` made")
takes_workers = click.option("--workers", type=positive, metavar="N", help="processes (default: one a core)")
takes_base_model = click.option("--base-model", type=PATH, metavar="DIR", help="default: the hub's cache")
