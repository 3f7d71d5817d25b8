"""Imports point down (DESIGN.md §2), read from the source with `ast`."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
CONTRACT = {
    "curation.approval",
    "curation.errors",
    "curation.files",
    "curation.freeze",
    "curation.frozen",
    "curation.manifest",
    "curation.progress",
    "curation.recipe",
    "curation.rendering",
    "curation.row",
    "curation.sealed",
    "curation.settings",
    "curation.signing",
    "curation.source",
    "curation.template_parts",
    "curation.tokens",
    "curation.verify",
    "curation.version",
    "curation.versions",
}


def modules(folder: str) -> dict[str, Path]:
    """Every module of a folder by its dotted name."""
    return {
        ".".join(path.relative_to(ROOT).with_suffix("").parts): path
        for path in sorted((ROOT / folder).rglob("*.py"))
    }


def imports(path: Path) -> set[str]:
    """The names that a file imports anywhere, inside functions too."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found.add(node.module or "")
    return found


def top(name: str) -> str:
    return name.split(".")[0]


@pytest.mark.parametrize(
    ("folder", "never"),
    [
        ("curation", {"reports", "train", "aj", "benchmarks", "torch", "transformers"}),
        ("reports", {"train", "aj", "benchmarks", "torch", "transformers"}),
        ("train", {"reports", "aj", "benchmarks"}),
        ("schemas", {"curation", "reports", "train", "aj", "benchmarks"}),
    ],
)
def test_a_folder_imports_nothing_above_it(folder, never):
    for name, path in modules(folder).items():
        above = {imported for imported in imports(path) if top(imported) in never}
        assert not above, f"{name} imports {sorted(above)}"


def test_train_imports_only_the_contract():
    for name, path in modules("train").items():
        used = {imported for imported in imports(path) if top(imported) == "curation"}
        assert used <= CONTRACT, f"{name} imports {sorted(used - CONTRACT)}"


def test_stages_do_not_import_the_engine():
    engine = {"curation.work", "curation.pipeline", "curation.tasks", "curation.curate", "curation.plan"}
    for folder in ("curation/stages", "curation/readers"):
        for name, path in modules(folder).items():
            assert not imports(path) & engine, name


def test_no_import_cycle():
    paths = {**modules("curation"), **modules("reports"), **modules("train")}
    graph = {name: {i for i in imports(path) if i in paths} for name, path in paths.items()}
    done: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, " -> ".join((*trail, name))
        if name not in done:
            for below in graph[name]:
                visit(below, (*trail, name))
            done.add(name)

    for name in graph:
        visit(name, ())
