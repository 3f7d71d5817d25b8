"""The rooms of the house (DESIGN.md §2): each imports only what lies below it, as `ast` reads it."""

import ast
from pathlib import Path

import pytest

from curation.versions import LATER

ROOT = Path(__file__).resolve().parents[1]
# From the ground up; rooms on one floor may not import each other. A room is a folder, with all that is in
# it; the files right in `curation/` are the street.
FLOORS = (
    ("curation",),
    ("curation.recipe",),
    ("curation.turns",),
    ("curation.calls",),
    ("curation.rendering",),
    ("curation.sources",),
    ("curation.readers",),
    ("curation.stages",),
    ("curation.mixture",),
    ("curation.dataset",),
    ("curation.engine",),
    ("curation.release",),
    ("curation.jobs",),
    ("reports.facts", "train.data"),
    ("reports.rows", "train.model"),
    ("reports.pages", "train.run"),
    ("train.ship",),
    ("train.use",),
    ("curation.commands",),
)
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
# Beside the house: every room may use these, and they use none of it.
SHARED = ("schemas", "recipes")
ABOVE_ALL = ("aj", "benchmarks", "tests")
HEAVY = ("torch", "transformers", "peft", "unsloth")


def module(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


FILES = {
    module(path): path
    for top in ("curation", "reports", "train")
    for path in sorted((ROOT / top).rglob("*.py"))
}


def room(name: str) -> str:
    """The room of a module: its top folder and the folder below it, or the street."""
    first_two = ".".join(name.split(".")[:2])
    return first_two if first_two in FLOOR else name.split(".")[0]


def imports(path: Path) -> set[str]:
    """What a file imports anywhere, inside functions too; a module of ours by its own name."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= (names & FILES.keys()) or {node.module or ""}
    return found


def refused(name: str, imported: str) -> bool:
    """Whether a module may not import another: that lies above it, or on the same floor, or next door."""
    here, there = room(name), room(imported)
    if {here.split(".")[0], there.split(".")[0]} == {"reports", "train"}:
        return True
    return here != there and FLOOR[there] >= FLOOR[here]


def test_every_file_is_in_a_room():
    packages = {name for name in FILES if FILES[name].name == "__init__.py"}
    lost = {name for name in FILES.keys() - packages if room(name) not in FLOOR}
    assert not lost


@pytest.mark.parametrize("name", FILES)
def test_a_room_imports_only_what_lies_below_it(name):
    found = imports(FILES[name])
    above = {i for i in found if i.split(".")[0] in ABOVE_ALL}
    above |= {i for i in found & FILES.keys() if refused(name, i)}
    assert not above, f"{name} imports {', '.join(sorted(above))}"


@pytest.mark.parametrize("name", [name for name in FILES if not name.startswith("train")])
def test_only_training_needs_torch(name):
    assert not {i for i in imports(FILES[name]) if i.split(".")[0] in HEAVY}


def test_what_tasks_run_is_all_in_the_version_of_the_code():
    """`code_version` leaves out rooms that no task reaches: nothing up to the engine imports them."""
    names = [name for name in FILES if name.startswith("curation")]
    below = [name for name in names if FLOOR[room(name)] <= FLOOR["curation.engine"]]
    reached = {room(found) for name in below for found in imports(FILES[name]) & FILES.keys()}
    assert not reached & {f"curation.{later}" for later in LATER}
    assert all(f"curation.{later}" in FLOOR for later in LATER)


@pytest.mark.parametrize("folder", SHARED)
def test_what_every_room_uses_imports_no_room(folder):
    for path in (ROOT / folder).rglob("*.py"):
        assert not {i for i in imports(path) if i.split(".")[0] in ("curation", "reports", "train", "aj")}


def test_no_file_imports_itself_in_a_circle():
    graph = {name: imports(path) & FILES.keys() for name, path in FILES.items()}
    done: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, " -> ".join((*trail, name))
        if name not in done:
            for below in graph[name]:
                visit(below, (*trail, name))
            done.add(name)

    for name in graph:
        visit(name, ())


@pytest.mark.parametrize(
    ("name", "imported"),
    [
        ("curation.readers.qa", "curation.dataset.manifest"),
        ("curation.row", "curation.recipe.load"),
        ("train.use.chat", "reports.pages.report"),
        ("reports.pages.report", "train.data.packing"),
        ("train.model.base", "train.ship.export"),
    ],
)
def test_an_import_upwards_is_refused(name, imported):
    assert refused(name, imported)
