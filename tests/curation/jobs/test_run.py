"""`aj run`: every step once, again only where something changed, and a stop for a person's approval."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hub_layouts import tokenizer_model
from hub_recipe import point_at
from hub_server import running
from small_recipe import conversation, no_documents, small_recipe, write_jsonl

from curation.errors import CurationError, Refusal, Terminated
from curation.jobs.run import Run, Training, as_frozen, as_json, as_text, logged
from curation.jobs.steps import Steps
from curation.recipe.load import load_recipe
from curation.release.approval import approve
from curation.release.frozen import parse_frozen, read_frozen
from curation.sources.fetch_model import fetch_base_model
from curation.sources.fetched import base_commit

ROOT = Path(__file__).resolve().parents[3]
ALL = ["fetch", "curate", "gate", "approve", "freeze", "train", "merge", "export"]


class Stub:
    """Stands in for training: what it makes depends on what it reads alone."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.fail: str | None = None

    def note(self, name: str, replace: bool) -> None:
        self.calls.append(f"{name}!" if replace else name)
        if self.fail == name:
            raise CurationError(f"{name} failed")

    def train(self, frozen: Path, data: Path, adapter: Path, replace: bool) -> str:
        self.note("train", replace)
        adapter.mkdir(parents=True, exist_ok=True)
        (adapter / "weights").write_text(read_frozen(frozen).root)
        return "trained"

    def evaluate(self, adapter: Path, frozen: Path, data: Path, replace: bool) -> str:
        self.note("evaluate", replace)
        (adapter / "evaluation.json").write_text((adapter / "weights").read_text())
        if self.fail == "bound":
            raise Refusal("evaluation.json: failed: loss 3 (max 2)")
        return "loss 1 (max 2)"

    def merge(self, adapter: Path, merged: Path, replace: bool) -> str:
        self.note("merge", replace)
        merged.mkdir(parents=True, exist_ok=True)
        (merged / "weights").write_text((adapter / "weights").read_text())
        return "merged"

    def export(self, merged: Path, quants: Sequence[str], folder: Path, replace: bool) -> str:
        self.note("export", replace)
        for quant in ("q4km", "q8"):
            (folder / f"AJ-Model-v1.0.0-{quant}.gguf").write_text((merged / "weights").read_text())
        return "exported"


class Way:
    """A run of the small recipe in a folder, and what it told."""

    def __init__(self, folder: Path) -> None:
        self.recipe = small_recipe(folder)
        self.stub = Stub()
        self.told: list[str] = []
        self.base: Path | None = folder / "base"
        self.base.mkdir()
        for name in ("config.json", "tokenizer.json", "model.safetensors"):
            (self.base / name).write_text(name)

    def steps(self, approve_by: str | None = None) -> Steps:
        training = Training(self.stub.train, self.stub.evaluate, self.stub.merge, self.stub.export)
        run = Run(self.recipe, no_documents, training, approve_by=approve_by, workers=1, base=self.base)
        return run.steps()

    def run(self, approve_by: str | None = "CI") -> list[str]:
        """The names of the steps that were done, not skipped."""
        self.told.clear()
        self.stub.calls.clear()
        self.steps(approve_by).run(self.told.append)
        return [line.split()[0] for line in self.told if "skipped" not in line]


@pytest.fixture
def way(tmp_path, monkeypatch) -> Way:
    monkeypatch.chdir(tmp_path)
    return Way(tmp_path)


def test_all_steps_once_and_then_none(way):
    assert way.run() == ALL
    assert way.run() == []
    assert as_json(way.steps()) == dict.fromkeys(ALL, "done")
    assert way.stub.calls == []
    assert Path("build/AJ-Model-v1.0.0-q8.gguf").exists()


def test_it_stops_for_a_persons_approval_and_goes_on_after_it(way):
    with pytest.raises(
        Refusal, match=r"not approved; (.|\n)*then    aj approve build/small-v1.0.0 --by NAME"
    ):
        way.run(approve_by=None)
    assert as_json(way.steps()) == {
        **dict.fromkeys(ALL[:3], "done"),
        **dict.fromkeys(ALL[3:], "to do"),
    }
    approve(Path("build/small-v1.0.0"), "Ada")
    assert way.run(approve_by=None) == ALL[3:]
    assert read_frozen(Path("recipes/frozen/small-v1.0.0.yaml")).signed[0].approval.mode == "attended"


def test_an_approval_without_a_person_is_recorded_as_such_or_refused(way):
    way.run(approve_by="CI")
    signed = read_frozen(Path("recipes/frozen/small-v1.0.0.yaml")).signed[0].approval
    assert (signed.by, signed.mode) == ("CI", "unattended")


def test_a_recipe_can_forbid_approval_without_a_person(way, tmp_path):
    way.recipe = small_recipe(tmp_path, approval={"unattended": False})
    with pytest.raises(Refusal, match="forbids unattended approval"):
        way.run(approve_by="CI")


def test_a_failed_gate_ends_the_run_before_anyone_approves(way, tmp_path):
    way.recipe = small_recipe(tmp_path, gates=[{"metric": "rows.train", "min": 10_000}])
    with pytest.raises(Refusal, match=r"failed gates: rows\.train"):
        way.run()
    assert not Path("build/small-v1.0.0/approval.json").exists()


def test_changed_data_is_curated_again_and_all_that_follows(way, tmp_path):
    way.run()
    first = read_frozen(Path("recipes/frozen/small-v1.0.0.yaml")).root
    write_jsonl(tmp_path / "data/two.jsonl", [conversation(5000 + n, words=40) for n in range(60)])
    assert as_json(way.steps())["curate"] == "changed"
    assert way.run() == ALL[1:]
    assert read_frozen(Path("recipes/frozen/small-v1.0.0.yaml")).root != first
    assert way.stub.calls == ["train!", "merge!", "export!"]


def test_a_touched_file_with_the_same_bytes_changes_nothing(way, tmp_path):
    way.run()
    os.utime(tmp_path / "data/two.jsonl", ns=(1, 1))
    assert way.run() == []


def test_a_lost_or_changed_output_is_made_again_and_what_follows_is_not_where_it_is_the_same(way):
    way.run()
    Path("build/AJ-Model-v1.0.0-merged/weights").write_text("tampered")
    assert as_json(way.steps())["merge"] == "damaged"
    assert way.run() == ["merge"]
    Path("build/AJ-Model-v1.0.0-q8.gguf").unlink()
    assert way.run() == ["export"]


def test_a_step_that_fails_is_the_next_to_run(way):
    way.stub.fail = "merge"
    with pytest.raises(CurationError, match="merge failed"):
        way.run()
    assert as_text(way.steps(), "aj run r.yaml").splitlines()[-1] == "next     merge: aj run r.yaml"
    way.stub.fail = None
    assert way.run() == ["merge", "export"]


def test_nothing_of_others_is_replaced(way, tmp_path):
    theirs = tmp_path / "build/AJ-Model-v1.0.0-lora"
    theirs.mkdir(parents=True)
    way.stub.fail = "train"
    with pytest.raises(CurationError):
        way.run()
    assert way.stub.calls == ["train"]
    with pytest.raises(CurationError):
        way.run()
    assert way.stub.calls == ["train"], "a second start took it for its own"


def test_an_adapter_is_measured_where_the_recipe_asks_and_before_it_is_merged(way, tmp_path):
    way.recipe = small_recipe(tmp_path, evaluation=[{"metric": "loss", "max": 2.0}])
    assert way.run() == [*ALL[:6], "evaluate", *ALL[6:]]
    assert as_json(way.steps())["evaluate"] == "done"
    assert way.run() == []
    # What was measured is read by export alone: neither training nor merging is done again for it.
    Path("build/AJ-Model-v1.0.0-lora/evaluation.json").write_text("measured again by hand")
    Path("build/AJ-Model-v1.0.0-lora/evaluation.html").write_text("the same for people")
    assert way.run() == ["evaluate"]
    Path("build/AJ-Model-v1.0.0-lora/weights").write_text("tampered")
    assert way.run() == ["train"]


def test_a_failed_bound_ends_the_run_before_anything_is_merged(way, tmp_path):
    way.recipe = small_recipe(tmp_path, evaluation=[{"metric": "loss", "max": 2.0}])
    way.stub.fail = "bound"
    for _ in range(2):
        with pytest.raises(Refusal, match="loss 3"):
            way.run()
        assert as_text(way.steps(), "aj run r.yaml").splitlines()[-4:] == [
            "evaluate to do",
            "merge    to do",
            "export   to do",
            "next     evaluate: aj run r.yaml",
        ]
    assert not Path("build/AJ-Model-v1.0.0-merged").exists()


def test_the_base_model_comes_after_the_approval_and_once(way, tmp_path, monkeypatch):
    with running() as hub:
        for name, value in point_at(hub, tmp_path / "cache").items():
            monkeypatch.setenv(name, value)
        hub.repos["org/model"] = tokenizer_model({"tokenizer.json": b"{}"})
        way.base = None
        with pytest.raises(Refusal, match="not approved"):
            way.run(approve_by=None)
        assert not hub.requests
        assert way.run() == ["approve", "freeze", "weights", "train", "merge", "export"]
        hub.requests.clear()
        assert way.run() == []
        assert not hub.requests


def test_the_weights_come_at_the_commit_that_was_frozen_though_the_branch_moved_since(
    way, tmp_path, monkeypatch
):
    with running() as hub:
        for name, value in point_at(hub, tmp_path / "cache").items():
            monkeypatch.setenv(name, value)
        repo = hub.repos["org/model"] = tokenizer_model({"tokenizer.json": b"{}"})
        files = repo.commits[repo.branches["main"]]
        way.base = None
        recipe = load_recipe(way.recipe)
        first = fetch_base_model(recipe).commit
        way.run()
        frozen = parse_frozen(Path("recipes/frozen/small-v1.0.0.yaml"))
        assert frozen.base_commit == first
        repo.commit({**files, "config.json": b'{"changed": true}'})
        assert fetch_base_model(recipe).commit != first
        assert base_commit(as_frozen(recipe, Path("recipes/frozen/small-v1.0.0.yaml"))) == first
        assert way.run() == []


def test_another_base_model_in_the_same_folder_is_trained_on_anew(way):
    way.run()
    (way.base / "model.safetensors").write_text("other weights")
    assert way.run() == ["train"]
    assert way.stub.calls == ["train!"]


def test_a_damaged_journal_is_told(way):
    way.run()
    Path("build/small-v1.0.0.run.json").write_text("{")
    with pytest.raises(CurationError, match=r"run\.json: not readable any more; remove it"):
        way.steps()


def test_all_that_is_printed_goes_to_a_log_named_as_ever(tmp_path, capsys):
    with logged(tmp_path, datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)) as path:
        print("a result")
        print("a step", file=sys.stderr)
        print("\r 50 %", end="", file=sys.stderr)
    assert path.name == "training_20260304_050607.log"
    assert path.read_text() == "a result\na step\n"
    assert capsys.readouterr() == ("a result\n", "a step\n\r 50 %")
    with pytest.raises(Refusal), logged(tmp_path, datetime(2026, 3, 4, tzinfo=UTC)) as path:
        raise Refusal("not approved")
    assert path.read_text() == "stopped: not approved\n"
    with pytest.raises(KeyboardInterrupt), logged(tmp_path, datetime(2026, 3, 5, tzinfo=UTC)) as path:
        raise Terminated
    assert path.read_text() == "stopped: SIGTERM\n"


def demo_for(base: Path) -> str:
    """recipes/demo.yaml for a tiny base model: its tokenizer makes many more tokens of a row."""
    text = (ROOT / "recipes/demo.yaml").read_text()
    for old, new in {
        r"base_model: .*": "base_model: {id: local/tiny, code: Tiny}\ntokenizer: {path: base}",
        r"data_root: demo": f"data_root: {ROOT / 'recipes/demo'}",
        r"  - pii:": "  - length: {max_tokens: 2048, too_long: split}\n  - pii:",
        r"max_steps: \d+": "max_steps: 2",
        r"warmup_steps: \d+": "warmup_steps: 1",
        r"batch_size: \d+": "batch_size: 1",
        r"gradient_accumulation_steps: \d+": "gradient_accumulation_steps: 1",
        r"max_seq_length: \d+": "max_seq_length: 2048",
    }.items():
        text, count = re.subn(old, new, text)
        assert count == 1, old
    return text


def demo_of(folder: Path, evaluation: str) -> Any:
    """The demo's recipe with bounds in `folder`, and the real command there, with a tiny base model."""
    from tiny_model import tiny_model

    base = tiny_model(folder / "base")
    (folder / "demo.yaml").write_text(f"{demo_for(base)}\nevaluation: {evaluation}\n")
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}

    def aj(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(ROOT / "aj.py"), *words, "--base-model", str(base)]
        return subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, check=False
        )

    return aj


@pytest.mark.slow
def test_an_adapter_that_fails_its_bounds_is_trained_and_measured_once(tmp_path):
    aj = demo_of(tmp_path, "[{metric: loss, max: 0.01}]")
    measured = tmp_path / "build/AJ-Tiny-v1.0.0-lora/evaluation.json"
    times = []
    for _ in range(2):
        done = aj("run", "demo.yaml", "--approve-by", "CI")
        assert done.returncode == 1, done.stderr
        assert "evaluation.json: failed: loss " in done.stderr
        times.append(measured.stat().st_mtime_ns)
    assert times[0] == times[1], "the same adapter was measured again"
    assert aj("status", "demo.yaml").stdout.endswith(
        f"evaluate: aj run demo.yaml --base-model {tmp_path / 'base'}\n"
    )
    assert json.loads(aj("status", "demo.yaml", "--json").stdout) == {
        **dict.fromkeys(ALL[:6], "done"),
        **dict.fromkeys(["evaluate", "merge", "export"], "to do"),
    }
    assert (measured.parent / "report.html").is_file()
    assert (measured.parent / "evaluation.html").is_file()


@pytest.mark.slow
@pytest.mark.llama
def test_the_demo_goes_all_the_way_on_a_cpu(tmp_path):
    """The real commands, from fetching to GGUF, with a base model of a few hundred thousand parameters."""
    aj = demo_of(tmp_path, "[{metric: loss, max: 99}]")
    done = aj("run", "demo.yaml", "--approve-by", "CI")
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in (tmp_path / "build").glob("*.gguf")) == [
        "AJ-Tiny-v1.0.0-q4km.gguf",
        "AJ-Tiny-v1.0.0-q8.gguf",
    ]
    assert len(list(tmp_path.glob("training_*.log"))) >= 1
    told = json.loads(aj("status", "demo.yaml", "--json").stdout)
    assert told == dict.fromkeys([*ALL, "evaluate"], "done")
