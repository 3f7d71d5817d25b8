"""Every reason and note that the code gives to rows is explained in the table, and the table has no other."""

import ast
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

from curation.recipe.stages import NOTES, READING, REASONS, STAGES

CURATION = Path(__file__).resolve().parents[3] / "curation"
# What rooms below the stages say on behalf of one.
WHOSE = {"calls": "tools", "turns": "chat"}
# Files that yield what they found, its kind first, which is a reason or a note as the recipe says.
KINDS_YIELDED = {"faults", "thoughts", "same_answers"}
# As functions of the code name it: the place of a reason among their arguments.
REASON_OF = {"Rejected": 0, "Problem": 0, "Fault": 0, "Fate": 2}


def files(*rooms: str) -> list[Path]:
    return [path for room in rooms for path in sorted((CURATION / room).rglob("*.py"))]


def own_files(stage: str) -> list[Path]:
    """The file of a stage, or all in its folder."""
    path = CURATION / "stages" / stage
    return files(f"stages/{stage}") if path.is_dir() else [path.with_suffix(".py")]


def constants(node: ast.AST | None) -> Iterator[str]:
    """The texts in an expression."""
    for inner in ast.walk(node) if node is not None else ():
        if isinstance(inner, ast.Constant) and isinstance(inner.value, str):
            yield inner.value


def emitted(path: Path) -> tuple[set[str], set[str]]:
    """Reasons and notes that a file spells where it gives them to rows."""
    reasons: set[str] = set()
    notes: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            place = REASON_OF.get(name, 99)
            if place < len(node.args) and isinstance(node.args[place], ast.Constant):
                reasons |= set(constants(node.args[place]))
            for word in node.keywords:
                if word.arg == "reason" and not isinstance(word.value, ast.Name):
                    reasons |= set(constants(word.value))
                if word.arg in ("repair", "flag") and isinstance(word.value, ast.Constant):
                    notes |= set(constants(word.value))
        elif (
            isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult) and isinstance(node.left, ast.List)
        ):
            reasons |= set(constants(node.left))
        elif isinstance(node, ast.Dict):
            for key, value in zip(node.keys, node.values, strict=True):
                if isinstance(key, ast.Constant) and key.value in ("repair", "flag"):
                    notes |= {text for text in constants(value) if isinstance(value, ast.Constant)}
        elif path.stem in KINDS_YIELDED and isinstance(node, ast.Yield) and isinstance(node.value, ast.Tuple):
            kinds = set(constants(node.value.elts[0]))
            reasons, notes = reasons | kinds, notes | kinds
        elif isinstance(node, ast.Return) and isinstance(node.value, ast.Tuple):
            first, *others = node.value.elts or [None]
            if isinstance(first, ast.Constant) and any(isinstance(other, ast.Dict) for other in others):
                reasons |= set(constants(first))
    return reasons, notes


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_gives_no_reason_and_notes_nothing_that_its_entry_does_not_explain(name):
    told = STAGES[name]
    paths = own_files(name)
    for room, stage in WHOSE.items():
        paths += files(room) if stage == name else []
    found = [emitted(path) for path in paths]
    reasons = set().union(*(reasons for reasons, _ in found))
    notes = set().union(*(notes for _, notes in found))
    assert reasons | notes
    assert reasons <= set(told.reasons)
    assert notes <= set(told.notes) | set(READING.notes)


def test_reading_gives_no_reason_and_notes_nothing_that_is_not_explained():
    for path in files("readers", "sources"):
        reasons, notes = emitted(path)
        assert notes <= set(READING.notes), path
        assert reasons <= set(READING.reasons), path


def test_no_reason_or_note_is_explained_that_nothing_gives():
    rooms = [*files("readers", "sources", "turns", "calls", "stages", "engine"), *CURATION.glob("*.py")]
    spelt = {text for path in rooms for text in constants(ast.parse(path.read_text(encoding="utf-8")))}
    # Spelt together from parts: "no_" and a role, the side of a fault.
    parts = {"no_user", "no_assistant"}
    # A note of keys alone, such as {"split": [1, 2]}.
    keys = {word for path in rooms for word in re.findall(r"\b([a-z_]+)=", path.read_text(encoding="utf-8"))}
    assert not {*REASONS, *NOTES} - spelt - parts - keys


@pytest.mark.parametrize("stage", ["chat", "tools"])
def test_what_a_stage_says_beyond_the_table_is_of_reasons_and_notes_of_its_own(stage):
    said = import_module(f"curation.stages.{stage}").__doc__
    names = re.findall(r"^([a-z_]+)  ", said, re.MULTILINE)
    assert len(names) >= 5
    assert set(names) <= {*STAGES[stage].reasons, *STAGES[stage].notes}
