"""The steps of `aj run` and `aj status`: what they call, and the options that both take."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from curation.commands.needs import TRAINING, load_early, need
from curation.commands.options import PATH
from curation.errors import Refusal

if TYPE_CHECKING:
    from curation.jobs.run import Run


def takes_model(function: Any) -> Any:
    """--base-model and --quant."""
    quants = click.option(
        "--quant", "quants", multiple=True, metavar="NAME", help="default q4_k_m and q8_0; repeatable"
    )
    base = click.option("--base-model", type=PATH, metavar="DIR", help="default: fetched from the hub")
    return base(quants(function))


def whole_way(
    recipe: Path,
    data_root: Path | None,
    base: Path | None,
    quants: Sequence[str],
    *,
    approve_by: str | None = None,
    workers: int | None = None,
) -> "Run":
    """A recipe's steps; training is imported when one of its steps runs."""
    from curation.jobs.run import QUANTS, Run, Training
    from reports.pages.documents import documents

    training = Training(
        partial(train_step, base),
        partial(evaluate_step, base),
        partial(merge_step, base),
        export_step,
        asks=str(base) if base else None,
    )
    model = Path(load_early(recipe, data_root).base_model.id)
    return Run(
        recipe,
        documents,
        training,
        data_root=data_root,
        approve_by=approve_by,
        workers=workers,
        quants=tuple(quants) or QUANTS,
        base=base or (model if model.is_dir() else None),
    )


def train_step(base: Path | None, frozen: Path, data: Path, adapter: Path, replace: bool) -> str:
    """Train, from the newest checkpoint where there is one."""
    need(*TRAINING)
    from reports.pages.training import training_documents
    from train.run.checkpoints import MARKER
    from train.run.train import train

    resume = any(adapter.with_name(f"{adapter.name}.work").glob(f"checkpoints/*/{MARKER}"))
    done = train(
        frozen,
        data=data,
        base_model=base,
        out=adapter,
        resume=resume,
        replace=replace,
        documents=training_documents,
    )
    return done.as_text()


def evaluate_step(base: Path | None, adapter: Path, frozen: Path, data: Path, replace: bool) -> str:
    """Measure the adapter once. Raises Refusal where a bound of the recipe fails."""
    need(*TRAINING)
    from reports.pages.training import write_evaluation
    from train.ship.evaluation import evaluation_path, failed, verdict_text
    from train.use.evaluate import evaluate_once

    found = evaluate_once(adapter, frozen=frozen, data=data, base=base, force=replace)
    write_evaluation(adapter, found.as_dict())
    if not found.passed:
        raise Refusal(failed(found, evaluation_path(adapter)))
    return "\n".join(map(verdict_text, found.verdicts))


def merge_step(base: Path | None, adapter: Path, merged: Path, replace: bool) -> str:
    """Merge the adapter into its base model."""
    from train.ship.merge import merge

    return merge(adapter, merged, base=base, force=replace).as_text()


def export_step(merged: Path, quants: Sequence[str], folder: Path, replace: bool) -> str:
    """Write the GGUF files."""
    from train.ship.export import export

    return "\n".join(one.as_text() for one in export(merged, quants, out=folder, force=replace))
