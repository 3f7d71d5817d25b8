"""How commands answer: their exit codes, one line for a program, red for what failed."""

import os
import re
from typing import Any

import click

from curation.files import canonical

DONE, NO = 0, 1
# A failed gate or bound, and what `aj verify` found to differ.
FAILED = re.compile(r"^(?:differs\b|.*\bFAILED\b).*$", re.MULTILINE)


def colour() -> bool | None:
    """False where NO_COLOR asks for none; else None: a terminal has it, a pipe or a file has not."""
    return False if os.environ.get("NO_COLOR") else None


def one_line(document: Any) -> str:
    """A document for a program: JSON in its canonical form, on one line."""
    return canonical(document).decode()


def failures_in_red(text: str) -> str:
    """A table of verdicts with the lines of what failed in red; `click.echo` takes the colour out again."""
    return FAILED.sub(lambda line: click.style(line[0], fg="red"), text)


def aside(line: str) -> None:
    """Tell something beside the answer, on stderr."""
    click.echo(line, err=True)
