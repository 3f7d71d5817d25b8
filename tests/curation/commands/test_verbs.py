"""The table of verbs, and their files."""

from pathlib import Path

import click
import pytest

import curation.commands
from curation.commands.verbs import GROUPS, HELP, commands

# What several verbs use.
SHARED = {"__init__", "printing", "needs", "options", "verbs", "whole_way"}


def test_every_verb_has_its_file_and_every_file_its_verb():
    files = {path.stem for path in Path(curation.commands.__file__).parent.glob("*.py")}
    assert {name.rstrip("_") for name in files - SHARED} == set(HELP)


def test_a_verb_stands_in_one_group():
    assert sum(map(len, GROUPS.values())) == len(HELP)


@pytest.mark.parametrize("name", HELP)
def test_a_verb_has_the_name_and_the_help_of_the_table(name):
    command = commands.get_command(click.Context(commands), name)
    assert (command.name, command.help) == (name, HELP[name])


@pytest.mark.parametrize("name", HELP)
def test_an_option_that_takes_a_value_says_which_and_every_option_has_help(name):
    command = commands.get_command(click.Context(commands), name)
    for option in (p for p in command.params if isinstance(p, click.Option)):
        assert option.is_flag or option.metavar, option.name
        assert option.help, option.name


def test_a_verb_that_is_not_there_is_none():
    assert commands.get_command(click.Context(commands), "convert") is None


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ([], False),
        (["--resume"], True),
        (["--resume", "save/3"], Path("save/3")),
        (["--resume=save/3"], Path("save/3")),
        (["--resume", "--force"], True),
    ],
)
def test_resume_may_stand_without_its_checkpoint(given, found):
    train = commands.get_command(click.Context(commands), "train")
    assert train.make_context("train", ["frozen.yaml", *given]).params["resume"] == found


def test_what_may_be_given_more_than_once_is_kept_in_order():
    context = click.Context(commands)
    export = commands.get_command(context, "export").make_context(
        "export", ["m", "--quant", "q8_0", "--quant", "f16"]
    )
    assert export.params["quants"] == ("q8_0", "f16")
    train = commands.get_command(context, "train").make_context(
        "train", ["f", "--gpu", "h200", "--gpu", "h100", "--price", "2.5"]
    )
    assert (train.params["gpus"], train.params["usd"]) == (("h200", "h100"), 2.5)


@pytest.mark.parametrize(
    ("verb", "name", "value"),
    [
        ("evaluate", "turns", 200),
        ("evaluate", "max_tokens", 512),
        ("try", "max_tokens", 1024),
        ("review", "port", 0),
        ("init", "out", Path("recipe.yaml")),
        ("curate", "workers", None),
        ("run", "quants", ()),
    ],
)
def test_defaults(verb, name, value):
    command = commands.get_command(click.Context(commands), verb)
    assert command.make_context(verb, ["x"]).params[name] == value
