"""`aj curate` as one function: a recipe in, a finished dataset directory out."""

import hashlib
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from curation.dataset.gates import GatesFile, check_gates, read_gates
from curation.dataset.manifest import MANIFEST, Manifest, read_manifest
from curation.dataset.questions import evaluation_files
from curation.engine.executor import Engine, Executor
from curation.engine.local import Local
from curation.engine.pipeline import Pipeline
from curation.engine.plan import Plan, make_plan
from curation.errors import CurationError
from curation.files import alone_in, file_digest, write_bytes
from curation.jobs.assemble import Documents, assemble
from curation.jobs.shortfall import LEDGER, explained
from curation.mixture.choice import Infeasibility
from curation.recipe.load import Recipe, check_files, load_recipe
from curation.release.baseline import BASELINE, baseline_bytes
from curation.sources.fetched import fetched_sources


@dataclass(frozen=True)
class Finished:
    """A finished run: where it is, what it holds, and how much of it was there already."""

    dataset: Path
    manifest: Manifest
    gates: GatesFile
    tasks_run: int
    tasks_reused: int
    wall_s: float
    unchanged: bool = False

    @property
    def passed(self) -> bool:
        """Whether no gate of severity error failed without a waiver."""
        return self.gates.passed


def default_out(recipe: Recipe, sample: int | None = None) -> Path:
    """build/<recipe>-v<version>/, with -sample for a preview."""
    return Path("build") / f"{recipe.name}-v{recipe.version}{'-sample' if sample else ''}"


def curate(
    recipe_path: Path,
    *,
    documents: Documents,
    out: Path | None = None,
    data_root: Path | None = None,
    workers: int | None = None,
    sample: int | None = None,
    force: bool = False,
    fetched: Mapping[str, Path] | None = None,
    engine: Engine | None = None,
) -> Finished:
    """Run a recipe. The same call after any stop goes on from what was finished.

    fetched  folders of hub and https sources; default what `aj fetch` left in the cache
    engine   where the tasks run; default this machine, with `workers` processes

    A finished run with unchanged inputs answers as it did; with changed ones it raises
    CurationError. With `force` it is made again from the work files that still hold, which a newer
    version of this code may read otherwise; the same dataset keeps its approval. Raises Infeasibility
    when the mixture cannot be had, with a ledger left in the work folder.
    """
    started = time.monotonic()
    recipe = load_recipe(recipe_path, data_root=data_root)
    check_files(recipe)
    check_gates(recipe)
    root = recipe.data_folder.resolve()
    dataset = out or default_out(recipe, sample)
    work = dataset.with_name(f"{dataset.name}.work")
    fetched = fetched_sources(recipe) if fetched is None else fetched
    refuse_foreign(dataset)
    with locked(work):
        plan = make_plan(recipe, root, fetched=fetched, base=recipe_path.parent.resolve())
        evaluation_files(recipe, root)
        if (dataset / MANIFEST).is_file():
            changed = what_changed(dataset, plan, sample)
            if changed is None and not force:
                manifest = read_manifest(dataset)
                return Finished(
                    dataset, manifest, read_gates(dataset), 0, 0, time.monotonic() - started, True
                )
            if not force:
                raise CurationError(
                    f"{dataset}: holds a finished run with {changed}; use --force to replace it, "
                    "--out for another folder, or another `version` in the recipe"
                )
        chosen: Engine = engine or Local(workers or default_workers(plan))
        with chosen as running:
            executor = Executor(running, work)
            pipeline = Pipeline(plan, executor, preview=sample)
            try:
                outputs = pipeline.run()
            except Infeasibility as problem:
                raise explained(problem, pipeline, dataset) from None
        manifest, gates = assemble(plan, outputs, dataset, documents, sample=sample is not None)
        prune(work, executor.used)
        timings = {
            "wall_s": round(time.monotonic() - started, 3),
            "workers": running.workers,
            "tasks_run": executor.ran,
            "tasks_reused": executor.reused,
            "cpu_s": {name: round(seconds, 2) for name, seconds in pipeline.cpu_s.items()},
        }
        write_bytes(dataset / "timings.json", msgspec.json.format(msgspec.json.encode(timings)) + b"\n")
        return Finished(dataset, manifest, gates, executor.ran, executor.reused, time.monotonic() - started)


def default_workers(plan: Plan) -> int:
    """One for each core that we may use; a single one where starting more costs more than it saves."""
    small = sum(file.bytes for file in plan.files) < 4 << 20
    return (
        1
        if small
        else len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count() or 1
    )


def refuse_foreign(dataset: Path) -> None:
    """Never write into a folder that holds something else."""
    if dataset.exists() and not dataset.is_dir():
        raise CurationError(f"{dataset}: is a file; expected a folder to write the dataset to")
    if dataset.is_dir() and any(dataset.iterdir()) and not (dataset / MANIFEST).is_file():
        raise CurationError(f"{dataset}: is not empty and holds no dataset; choose another --out")


@contextmanager
def locked(work: Path) -> Iterator[None]:
    """One run at a time for one output folder, without what earlier ones left that made no dataset."""
    with alone_in(work):
        shutil.rmtree(work / "tmp", ignore_errors=True)
        shutil.rmtree(work / LEDGER, ignore_errors=True)
        yield


def what_changed(dataset: Path, plan: Plan, sample: int | None) -> str | None:
    """What differs between a finished run and what is asked now; None when nothing does."""
    manifest = read_manifest(dataset)
    if manifest.sample != (sample is not None):
        return "a preview" if manifest.sample else "the whole recipe, not a preview"
    if sample is not None:
        return "another preview"
    if manifest.recipe.sha256 != plan.recipe_sha256:
        return "another recipe"
    for name, source in manifest.sources.items():
        then = [(f.path, f.sha256) for f in source.files]
        now = [(f.name, f.sha256) for f in plan.files if f.source == name]
        now += [(beside, sha256) for beside, _, sha256 in plan.companion_files(name)]
        if then != now:
            return f"other files of source {name}"
    if {k: v for k, v in manifest.versions.items() if ":" in k} != plan.input_digests():
        return "other files of a stage, the template, the tokenizer or the evaluation"
    if baseline_digest(plan.recipe) != {f.path: f.sha256 for f in manifest.files}.get(BASELINE):
        return "another baseline"
    for listed in manifest.files:
        path = dataset / listed.path
        if not path.is_file() or path.stat().st_size != listed.bytes:
            return f"a damaged {listed.path}"
        if listed.path == "recipe.json" and file_digest(path) != listed.sha256:
            return f"a damaged {listed.path}"
    return None


def baseline_digest(recipe: Recipe) -> str | None:
    """sha256 of the baseline.json that a run would write now; None when it would write none."""
    data = baseline_bytes(recipe)
    return None if data is None else hashlib.sha256(data).hexdigest()


def prune(work: Path, used: set[str]) -> None:
    """Remove what no task of this run used: outputs of older recipes and of killed runs."""
    shutil.rmtree(work / "tmp", ignore_errors=True)
    for folder in (work / "tasks").iterdir():
        if folder.name not in used:
            shutil.rmtree(folder, ignore_errors=True)
