"""What is installed is pinned by hash, and nothing that is read from elsewhere can run."""

import ast
import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[1]
LOCK = ROOT / "requirements.lock"
FOLDERS = ("curation", "reports", "train", "schemas", "recipes")
SHIPPED = [ROOT / "aj.py", *(path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py")))]
PICKLES = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
SHELLS = {"os.system", "os.popen", "subprocess.getoutput", "subprocess.getstatusoutput"}


def locked() -> dict[str, tuple[str, int]]:
    """Version and number of hashes of every package in the lock."""
    found = {}
    for entry in re.split(r"\n(?=\S)", LOCK.read_text()):
        if told := re.match(r"([A-Za-z0-9._-]+)==([^\s\\]+)", entry):
            found[told[1].lower().replace("_", "-")] = (told[2], entry.count("--hash=sha256:"))
    return found


def asked() -> list[Requirement]:
    """What pyproject.toml asks for, for the commands of the README: all but the extra `gpu`."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    lines = list(project["dependencies"])
    for name in extras.keys() - {"gpu"}:
        lines += extras[name]
    return [Requirement(line) for line in lines if not line.startswith(project["name"])]


def test_every_package_is_locked_with_its_hashes():
    assert locked()
    assert [name for name, (_, hashes) in locked().items() if not hashes] == []


def test_the_lock_is_in_step_with_the_project():
    versions = locked()
    for requirement in asked():
        name = requirement.name.lower().replace("_", "-")
        assert name in versions, f"{name} is not in requirements.lock; make it anew (see its first lines)"
        assert Version(versions[name][0]) in requirement.specifier, f"{name} {versions[name][0]}"


def test_the_project_pins_what_it_ships():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    loose = [line for line in project["dependencies"] if "==" not in line]
    assert loose == []


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_nothing_that_is_read_can_run(path):
    """No pickle, no code from the hub, no shell, no evaluation of text."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        where = f"{path.name}:{getattr(node, 'lineno', 0)}"
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else [node.module or ""]
            assert not {name.split(".")[0] for name in names} & PICKLES, where
        if isinstance(node, ast.Call):
            check_call(node, where)


def check_call(node: ast.Call, where: str) -> None:
    name = ast.unparse(node.func)
    assert name not in SHELLS | {"eval", "exec"}, f"{where}: {name}"
    assert name not in {"yaml.load", "yaml.unsafe_load", "yaml.full_load"}, f"{where}: {name}"
    given = {keyword.arg: keyword.value for keyword in node.keywords}
    for key in ("trust_remote_code", "shell", "allow_pickle"):
        value = given.get(key)
        assert value is None or getattr(value, "value", True) is False, f"{where}: {key}"
    if name == "torch.load":
        value = given.get("weights_only")
        assert value is not None, f"{where}: torch.load without weights_only=True"
        assert getattr(value, "value", False) is True, f"{where}: torch.load without weights_only=True"
