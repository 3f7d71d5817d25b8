"""The README is true: every command, every shipped file, every benchmark stands in it, and no other."""

import re
from pathlib import Path

import click

import aj
from curation.commands.verbs import commands
from curation.dataset.gates import check_gates
from curation.recipe.load import check_files, load_recipe

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
SHIPPED = ("curation", "schemas", "recipes", "train", "reports", "benchmarks")


def test_every_command_is_in_the_readme_with_every_option():
    listed = {m[1]: line for line in README.splitlines() if (m := re.match(r"\| `aj ([a-z]+)", line))}
    context = click.Context(commands)
    assert list(listed) == commands.list_commands(context)
    for name, line in listed.items():
        command = commands.get_command(context, name)
        options = {o for p in command.params if isinstance(p, click.Option) for o in p.opts}
        assert command.help in line
        assert set(re.findall("`(--[a-z-]+)`", line)) == options, f"aj {name}"


def test_every_room_is_in_the_readme_and_no_other():
    there = {
        f"{path.relative_to(ROOT)}/"
        for top in ("curation", "reports", "train")
        for path in (ROOT / top).iterdir()
        if (path / "__init__.py").is_file()
    }
    assert set(re.findall(r"^\| `((?:curation|reports|train)/[a-z]+/)`", README, re.MULTILINE)) == there


def test_its_recipe_is_right(tmp_path):
    (recipe,) = re.findall(r"```yaml\n(.*?)```", README, re.DOTALL)
    for name in ("chats/a.jsonl", "agent.jsonl.gz", "faq.csv", "tokenizer/tokenizer.json"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "recipe.yaml").write_text(recipe, encoding="utf-8")
    found = load_recipe(tmp_path / "recipe.yaml")
    check_files(found)
    check_gates(found)
    assert set(found.sources) == {"chats", "agent", "faq"}


def test_the_version_is_told(capsys):
    assert aj.main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("aj")


def test_no_hint_asks_an_index_for_this_project():
    """A package of its name there would be somebody else's."""
    code = [path for folder in SHIPPED for path in (ROOT / folder).rglob("*.py")]
    assert not [
        path for path in [ROOT / "aj.py", *code] if "aj-curation[" in path.read_text(encoding="utf-8")
    ]


def test_the_two_commands_are_one_line_each():
    lines = [line for line in README.splitlines() if line.startswith("python3 -m venv .venv && ")]
    assert lines[0].endswith(".venv/bin/aj demo")
    assert ".venv/bin/python -m pytest" in lines[1]
