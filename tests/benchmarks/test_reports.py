"""The benchmark of reports, small: that what it measures is right."""

import json

import pytest

from benchmarks import reports
from benchmarks.multiply import conversations
from curation.dataset.manifest import read_manifest
from reports.facts.diff import diff

ROWS = 160


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two datasets of the demo's own rows."""
    made = tmp_path_factory.mktemp("datasets")
    demo = reports.ROOT / "recipes"
    lines = conversations(demo / "demo.yaml", demo / "demo")
    reports.make_datasets(made, lines, ROWS, tokenizer=False)
    return made


def test_one_file_of_eight_is_exchanged(folder):
    old, new = (read_manifest(folder / name) for name in ("old", "new"))
    assert old.rows.read == new.rows.read == ROWS
    before, now = ({f.sha256 for s in m.sources.values() for f in s.files} for m in (old, new))
    assert (len(before - now), len(now - before)) == (1, 1)
    totals = diff(folder / "old", folder / "new").totals
    assert 0 < totals["removed"] <= ROWS // 8 + ROWS // 16
    assert totals["added"] > 0


def test_every_command_is_measured_and_the_last_line_is_one_json_object(folder, monkeypatch, capsys):
    monkeypatch.setattr(reports, "CORPUS", folder)
    sized = folder.parent / "keep" / str(ROWS)
    sized.parent.mkdir()
    sized.symlink_to(folder)
    monkeypatch.setattr("sys.argv", ["reports", "--rows", str(ROWS), "--keep", str(sized.parent), "--json"])
    reports.main()
    lines = capsys.readouterr().out.splitlines()
    (found,) = json.loads(lines[-1])["sizes"]
    names = ["report", "diff", "diff --html", "why, by id", "why, by place", "why, a duplicate"]
    assert list(found["measured"])[:6] == names
    assert all(one["cpu_s"] > 0 and one["bytes"] > 0 for one in found["measured"].values())
    assert found["measured"]["report"]["bytes"] < 2_000_000
    assert sum("| " in line for line in lines) == 2 + len(found["measured"])
