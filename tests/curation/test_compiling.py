import os
import re
import shutil
import subprocess
import sys

import pytest
from full_disk import files_up_to

from curation import compiling
from curation.compiling import PACKAGE, UNUSED_S, compiled_with, kernel_folder, kernel_sources, sweep

# A loop of one file that calls an instruction of another.
BYTES_OF_ARGUMENT = """
import sys
import numpy as np
from curation.stages.near_duplicates import kernels
text = np.frombuffer(sys.argv[1].encode(), np.uint8)
print(int(kernels._some(text.ctypes.data, len(text))).to_bytes(8, "little").rstrip(b"\\0").decode())
"""
FOLDER = "from curation.compiling import kernel_folder; print(kernel_folder())"


def add_one(number):
    return number + 1


@pytest.fixture
def place(tmp_path, monkeypatch):
    """$AJ_CACHE, for processes that ask anew; NUMBA_CACHE_DIR is not set."""
    monkeypatch.setenv("AJ_CACHE", str(tmp_path / "aj"))
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    monkeypatch.setattr(compiling.config, "CACHE_DIR", "")
    kernel_folder.cache_clear()
    yield tmp_path / "aj"
    kernel_folder.cache_clear()


def printed(code, *arguments, cwd=PACKAGE.parent):
    command = [sys.executable, "-c", code, *arguments]
    environment = {**os.environ, "PYTHONPATH": str(cwd)}
    told = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=True)
    return told.stdout.strip()


def test_machine_code_follows_an_edit_of_what_a_loop_calls(place, tmp_path):
    for path in [*kernel_sources(), *PACKAGE.rglob("__init__.py")]:
        copy = tmp_path / "house/curation" / path.relative_to(PACKAGE)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, copy)
    house = tmp_path / "house"
    assert printed(BYTES_OF_ARGUMENT, "HAL", cwd=house) == "HAL"
    folders = list(place.glob("kernels/*"))
    assert len(folders) == 1
    assert list(folders[0].rglob("*.nbc"))
    helper = house / "curation/instructions.py"
    told = helper.read_text(encoding="utf-8")
    loaded = "builder.load(pointer), ir.IntType(64)"
    assert told.count(loaded) == 1
    after = "builder.add(builder.load(pointer), ir.IntType(8)(1)), ir.IntType(64)"
    helper.write_text(told.replace(loaded, after), encoding="utf-8")
    assert printed(BYTES_OF_ARGUMENT, "HAL", cwd=house) == "IBM"
    assert len(list(place.glob("kernels/*"))) == 2


def test_every_loop_and_what_it_imports_decides_the_digest():
    compiles = re.compile(r"^\s*(from|import) (numba|llvmlite)|compiled_with", re.MULTILINE)
    found = {p for p in PACKAGE.rglob("*.py") if compiles.search(p.read_text(encoding="utf-8"))}
    assert PACKAGE / "instructions.py" in found
    assert found <= set(kernel_sources())


def test_every_process_has_the_same_folder(place):
    assert printed(FOLDER) == str(kernel_folder())
    assert kernel_folder().parent == place / "kernels"


def test_numbas_own_setting_is_honoured(place, tmp_path, monkeypatch):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "numba"))
    assert printed(FOLDER).startswith(str(tmp_path / "numba"))
    assert not place.exists()


def test_only_what_nothing_uses_is_swept(place):
    own, old, used = (place / (letter * 32) for letter in "abc")
    mine = place / "my own folder"
    for folder in (own, old, used, mine):
        (folder / "near_duplicates").mkdir(parents=True)
    long_ago = own.stat().st_mtime - UNUSED_S - 60
    for folder in (own, old, mine):
        os.utime(folder, (long_ago, long_ago))
    sweep(own)
    assert sorted(place.iterdir()) == [own, used, mine]


def test_where_the_cache_cannot_be_written_another_place_is_taken(place, tmp_path, monkeypatch):
    place.write_text("no folder")
    monkeypatch.setattr(compiling, "PACKAGE", tmp_path / "curation")
    monkeypatch.setattr(compiling, "source_digest", lambda: "d" * 32)
    assert kernel_folder() == tmp_path / "curation/__pycache__/kernels" / ("d" * 32)


def test_without_a_place_loops_are_compiled_all_the_same(monkeypatch):
    monkeypatch.setattr(compiling, "kernel_folder", lambda: None)
    loop = compiled_with(nogil=True)(add_one)
    assert loop(2) == 3
    assert loop.stats.cache_path is None


def test_a_full_disk_costs_only_the_cache(monkeypatch, tmp_path):
    monkeypatch.setattr(compiling, "kernel_folder", lambda: tmp_path)
    loop = compiled_with(nogil=True)(add_one)
    with files_up_to(0):
        assert loop(2) == 3
    assert not list(tmp_path.rglob("*.nbc"))


def test_a_loop_found_in_the_cache_is_not_compiled_again(monkeypatch, tmp_path):
    monkeypatch.setattr(compiling, "kernel_folder", lambda: tmp_path)
    assert compiled_with()(add_one)(2) == 3
    again = compiled_with()(add_one)
    assert again(2) == 3
    assert again.stats.cache_hits


@pytest.mark.parametrize("bytes_left", [0, 40])
@pytest.mark.parametrize("kind", ["nbi", "nbc"])
def test_broken_machine_code_is_compiled_anew(place, kind, bytes_left):
    assert printed(BYTES_OF_ARGUMENT, "HAL") == "HAL"
    for path in place.glob(f"kernels/*/**/*.{kind}"):
        path.write_bytes(path.read_bytes()[:bytes_left])
    assert printed(BYTES_OF_ARGUMENT, "HAL") == "HAL"
    assert all(path.stat().st_size > 40 for path in place.glob(f"kernels/*/**/*.{kind}"))
