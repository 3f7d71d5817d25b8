"""`aj run`: the whole way of a recipe as steps, from fetching to quantised files.

Training is above this package: its steps come as functions from the command line.
"""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, TextIO

from curation.dataset.gates import judge_again
from curation.dataset.manifest import APPROVALS, MANIFEST, read_manifest
from curation.engine.plan import input_files, make_context, stage_files_of
from curation.errors import CurationError, Refusal, Terminated
from curation.jobs.assemble import Documents
from curation.jobs.curate import curate, default_out
from curation.jobs.steps import Step, Steps, files_of
from curation.readers.reading import companions
from curation.recipe.load import Recipe, load_recipe, recipe_digest
from curation.release.approval import approve, check_approvals
from curation.release.freeze import freeze
from curation.release.frozen import FROZEN_FOLDER, at_frozen_commit, parse_frozen
from curation.release.version import model_name
from curation.sources.fetched import RECORD, TOKENIZER, addresses, base_model, fetched_sources
from curation.versions import code_version

QUANTS = ("q4_k_m", "q8_0")
BUILD = Path("build")
# What an adapter was measured at: written into its folder, and no part of what was trained.
EVALUATION = "evaluation.json"


@dataclass(frozen=True)
class Training:
    """What comes after the frozen recipe. The last argument of each: may it replace what it made before?

    train     (frozen recipe, dataset, adapter folder to make, replace) → what to tell
    evaluate  (adapter, frozen recipe, dataset, replace) → what to tell; a failed bound is a Refusal
    merge     (adapter, folder to make, replace) → what to tell
    export    (merged model, quantisations, folder to write to, replace) → what to tell
    asks      JSON: what else decides what they make, such as another base model
    """

    train: Callable[[Path, Path, Path, bool], str]
    evaluate: Callable[[Path, Path, Path, bool], str]
    merge: Callable[[Path, Path, bool], str]
    export: Callable[[Path, Sequence[str], Path, bool], str]
    asks: Any = None


@dataclass(frozen=True)
class Run:
    """A recipe on its whole way.

    approve_by  approve without a person, recorded as such
    base        the base model's folder; null where its weights come from the hub, after the approval
    """

    path: Path
    documents: Documents
    training: Training
    data_root: Path | None = None
    approve_by: str | None = None
    workers: int | None = None
    quants: Sequence[str] = QUANTS
    base: Path | None = None

    def steps(self) -> Steps:
        """The steps and how far they are."""
        recipe = load_recipe(self.path, data_root=self.data_root)
        out = default_out(recipe)
        return Steps(out.with_name(f"{out.name}.run.json"), list(self.in_order(recipe, out)))

    def in_order(self, recipe: Recipe, dataset: Path) -> Iterator[Step]:
        """Fetch, curate, gate, approve, freeze, the base model's weights, train, evaluate, merge, export."""
        frozen = FROZEN_FOLDER / f"{recipe.name}-v{recipe.version}.yaml"
        named = partial(model_name, recipe.base_model.code, recipe.version)
        adapter, merged = BUILD / named("lora"), BUILD / named("merged")
        exported = [BUILD / f"{named(quant)}.gguf" for quant in self.quants]
        judged = [dataset / name for name in (MANIFEST, "gates.json", "report.html")]
        evaluation = [adapter / EVALUATION] if recipe.evaluation else []
        asked = [entry.entry.name for entry in addresses(recipe)]
        training = self.training

        yield Step("fetch", lambda: [], lambda: asked, lambda: fetched_files(recipe), self.fetch)
        yield Step(
            "curate",
            lambda: inputs_of(recipe, self.path),
            lambda: [recipe_digest(recipe), code_version()],
            lambda: dataset_files(dataset),
            partial(self.curate, dataset),
        )
        yield Step("gate", lambda: judged, lambda: None, lambda: [], partial(require_gates, dataset))
        yield Step(
            "approve",
            lambda: judged,
            lambda: None,
            lambda: [dataset / name for name in APPROVALS if (dataset / name).exists()],
            partial(self.approve, recipe, dataset),
        )
        yield Step(
            "freeze",
            lambda: [*judged, *(dataset / n for n in APPROVALS[: recipe.approval.people])],
            lambda: None,
            lambda: [frozen],
            lambda replace: f"{freeze(dataset, frozen, force=replace)}",
        )

        def weights() -> list[Path]:
            return [base_model(as_frozen(recipe, frozen)).entry / RECORD]

        if self.base is None:
            yield Step(
                "weights",
                lambda: [frozen],
                lambda: None,
                weights,
                lambda replace: fetch_weights(as_frozen(recipe, frozen)),
            )
        yield Step(
            "train",
            lambda: [frozen, *(weights() if self.base is None else base_files(self.base))],
            lambda: training.asks,
            lambda: [adapter],
            lambda replace: training.train(frozen, dataset, adapter, replace),
        )
        if evaluation:
            yield Step(
                "evaluate",
                lambda: [frozen, *trained_files(adapter)],
                lambda: training.asks,
                lambda: evaluation,
                lambda replace: training.evaluate(adapter, frozen, dataset, replace),
            )
        yield Step(
            "merge",
            lambda: trained_files(adapter),
            lambda: training.asks,
            lambda: [merged],
            lambda replace: training.merge(adapter, merged, replace),
        )
        yield Step(
            "export",
            lambda: [merged, *evaluation],
            lambda: list(self.quants),
            lambda: exported,
            lambda replace: training.export(merged, self.quants, BUILD, replace),
        )

    def fetch(self, replace: bool) -> str:
        """Bring what the recipe names by address; nothing is asked of the hub where all is here."""
        recipe = load_recipe(self.path, data_root=self.data_root)
        if not list(addresses(recipe)):
            return "nothing to fetch"
        from curation.jobs.fetch import fetch

        found = fetch(self.path, data_root=self.data_root, tell=on_stderr)
        return f"{len(found)} sources, {sum(entry.came for entry in found) / 1e6:,.1f} MB came"

    def curate(self, dataset: Path, replace: bool) -> str:
        """The dataset. Failed gates are for the next step to tell."""
        done = curate(
            self.path,
            documents=self.documents,
            out=dataset,
            data_root=self.data_root,
            workers=self.workers,
            force=replace,
        )
        return f"{dataset}: {done.manifest.written.train:,} rows to train, root {done.manifest.root[:16]}"

    def approve(self, recipe: Recipe, dataset: Path, replace: bool) -> str:
        """The approval that is there, or with `approve_by` one without a person; else stop for one."""
        try:
            found = check_approvals(dataset, recipe)
        except Refusal as error:
            if self.approve_by is None:
                raise Refusal(
                    f"{error}\nread    {dataset / 'report.html'}\n"
                    f"then    aj approve {dataset} --by NAME, and the same command again"
                ) from error
            standing = any((dataset / name).exists() for name in APPROVALS)
            approve(dataset, self.approve_by, attended=False, force=standing)
            found = check_approvals(dataset, recipe)
        return "by " + " and ".join(f"{s.approval.by} ({s.approval.mode})" for s in found)


def as_frozen(recipe: Recipe, frozen: Path) -> Recipe:
    """The recipe, its base model at the commit that was frozen."""
    try:
        return at_frozen_commit(recipe, parse_frozen(frozen))
    except CurationError:
        # Not there, or damaged: then freezing comes first.
        return recipe


def base_files(folder: Path) -> list[Path]:
    """What training reads of a base model."""
    names = ("config.json", "tokenizer.json")
    return [*(folder / name for name in names), *sorted(folder.glob("*.safetensors"))]


def fetch_weights(recipe: Recipe) -> str:
    """The base model, into the hub's cache. Only after the approval: it may be a hundred times the data."""
    from curation.sources.fetch_model import fetch_base_model

    model = fetch_base_model(recipe, tell=on_stderr)
    return f"{model.repo} at {model.commit[:12]}, {model.came / 1e9:,.2f} GB came"


def on_stderr(line: str) -> None:
    """Progress and diagnostics."""
    print(line, file=sys.stderr)


def require_gates(dataset: Path, replace: bool) -> str:
    """Measure the gates again. Raises Refusal, so that nobody approves what failed."""
    gates = judge_again(dataset)
    if not gates.passed:
        failed = "; ".join(f"{gate.name}: {gate.detail}" for gate in gates.failed)
        raise Refusal(f"{dataset}: failed gates: {failed}; mend the data or add a waiver to the recipe")
    return f"{len(gates.gates)} gates, {len(gates.waived)} of them waived"


def inputs_of(recipe: Recipe, path: Path) -> list[Path] | None:
    """Every file that curating reads; None while some are not fetched."""
    fetched = fetched_sources(recipe)
    if any(address.name not in fetched for address in addresses(recipe)):
        return None
    root = recipe.data_folder.resolve()
    context = make_context(recipe, root, path.parent.resolve(), fetched.get(TOKENIZER))
    files = []
    for name, file, _ in input_files(recipe, root, fetched):
        files += [file, *companions(file, recipe.sources[name])]
    asked = [root / str(one.file) for one in recipe.asked]
    return [*dict.fromkeys(files), *stage_files_of(recipe, context), *asked]


def fetched_files(recipe: Recipe) -> list[Path]:
    """What fetching made: the folders that the records name now."""
    return sorted(fetched_sources(recipe).values())


def dataset_files(dataset: Path) -> list[Path]:
    """The files of a dataset but those that people add."""
    if not (dataset / MANIFEST).is_file():
        return [dataset]
    return [dataset / MANIFEST, *(dataset / file.path for file in read_manifest(dataset).files)]


def trained_files(adapter: Path) -> list[Path]:
    """What training made; what was measured of it since is left out."""
    kind = EVALUATION.partition(".")[0]
    return [path for path in files_of(adapter) if path.stem != kind] or [adapter]


class Both:
    """A stream that writes to two."""

    def __init__(self, screen: TextIO, log: TextIO) -> None:
        self.screen, self.log = screen, log

    def write(self, text: str) -> int:
        self.screen.write(text)
        # A progress line that is written over again is for the screen alone.
        if "\r" not in text and "\x1b" not in text:
            self.log.write(text)
            self.log.flush()
        return len(text)

    def flush(self) -> None:
        self.screen.flush()

    def isatty(self) -> bool:
        return self.screen.isatty()

    def fileno(self) -> int:
        return self.screen.fileno()


@contextmanager
def logged(folder: Path, now: datetime | None = None) -> Iterator[Path]:
    """All that is printed also goes to training_YYYYMMDD_HHMMSS.log (local time), errors included."""
    moment = now or datetime.now(UTC).astimezone()
    path = folder / f"training_{moment:%Y%m%d_%H%M%S}.log"
    try:
        log = path.open("a", encoding="utf-8")
    except OSError as error:
        raise CurationError(f"{path}: cannot write: {error.strerror}") from error
    with log:
        out: Any = Both(sys.stdout, log)
        err: Any = Both(sys.stderr, log)
        with redirect_stdout(out), redirect_stderr(err):
            try:
                yield path
            except (CurationError, KeyboardInterrupt) as error:
                by = "SIGTERM" if isinstance(error, Terminated) else "Ctrl-C"
                log.write(f"stopped: {str(error) or by}\n")
                raise


def as_text(steps: Steps, again: str) -> str:
    """Where a run stands, and what comes next. again: the command that goes on."""
    lines, waiting = [], None
    for step, state in steps.states():
        waiting = waiting or (step.name if state != "done" else None)
        lines.append(f"{step.name:9}{state}")
    lines.append(f"next     {waiting}: {again}" if waiting else "all steps are done")
    return "\n".join(lines)


def as_json(steps: Steps) -> dict[str, str]:
    """Where a run stands, for programs."""
    return {step.name: state for step, state in steps.states()}
