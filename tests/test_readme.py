"""The README is true: every command, every room, every benchmark stands in it, and its walk runs as shown."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest

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


def rooms_told() -> set[str]:
    """The rooms in the README's table; the row of `train/` or `reports/` has all of theirs."""
    told: set[str] = set()
    for line in README.partition("## The rooms")[2].splitlines():
        if line.startswith("| `"):
            top, *inner = re.findall(r"`([a-z_/]+/)`", line)
            told |= {top + name for name in inner} if top in ("train/", "reports/") else {top}
    return told


def test_every_room_is_in_the_readme_and_no_other():
    there = {
        f"{path.relative_to(ROOT)}/"
        for top in ("curation", "reports", "train")
        for path in (ROOT / top).iterdir()
        if (path / "__init__.py").is_file()
    }
    told = {name for name in rooms_told() if name.split("/")[0] in ("curation", "reports", "train")}
    assert told - {"curation/"} == there


def test_every_benchmark_is_in_the_readme_and_no_other():
    told = re.search(r"`python -m benchmarks\.NAME` \(([^)]*)\)", README)
    assert told is not None
    there = {
        path.stem
        for path in (ROOT / "benchmarks").glob("*.py")
        if "can_record" in path.read_text(encoding="utf-8") and path.stem != "results"
    }
    assert set(re.findall("`(\\w+)`", told[1])) == there


def test_it_is_short():
    assert len(README.splitlines()) <= 200


@pytest.mark.slow
def test_the_ten_minutes_are_as_they_are_shown(tmp_path):
    """Every command of the walk, by bash in a folder of its own; what is shown comes in that order."""
    walk = README.partition("## Ten minutes")[2].partition("## From the frozen")[0]
    shutil.copytree(ROOT / "recipes", tmp_path / "recipes")
    aj = f'aj() {{ {shlex.quote(sys.executable)} {shlex.quote(str(ROOT / "aj.py"))} "$@"; }}\n'
    for commands_, shown in re.findall(r"```bash\n(.*?)```\n\n```text\n(.*?)```", walk, re.DOTALL):
        done = subprocess.run(
            ["bash", "-c", aj + commands_],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=False,
        )
        printed = iter(done.stdout.splitlines())
        for line in shown.splitlines():
            assert line in printed, f"{line!r} is not printed, or not there:\n{done.stdout}{done.stderr}"


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
