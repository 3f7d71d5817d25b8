"""`aj train`: from a frozen recipe to an adapter. Read it from top to bottom.

Check, load, encode, pack, train, write. The order of sequences, the dropout and the optimiser are
functions of the frozen recipe alone, so a run that was stopped and resumed ends with the same adapter.
"""

import contextlib
import shutil
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from curation.errors import CurationError
from curation.files import alone_in, canonical
from train.data.gatekeeper import admit
from train.model.leaks import TOLERANCE, check_packing
from train.model.load_model import load, naming_full_memory
from train.model.patches import put_back
from train.model.sizes import furthest_command
from train.model.tokenizer_files import check_before
from train.run import checkpoints
from train.run.checkpoints import Binding, Checkpoint
from train.run.journal import BOARD, METRICS, Journal, hangup_ignored, rewind_metrics
from train.run.model_folder import evaluate_command, following_command, with_base
from train.run.output import RUN, Documents, read_run, write_output
from train.run.prepare import Prepared, prepare
from train.run.record import run_record, summary
from train.run.trainer import collator, quiet, run_to_the_end

SAVES = "checkpoints"  # within the folder of work files
# How a person reads the losses of a run record.
LOSSES = {"first loss": "at first", "last loss": "at last", "last eval loss": "on held-out rows"}


@dataclass(frozen=True)
class Finished:
    """A finished run: the adapter's folder and its record. `reused`: it had been finished before."""

    out: Path
    record: Mapping[str, Any]
    reused: bool = False

    def as_json(self) -> str:
        """The run record, for programs."""
        return canonical(dict(self.record)).decode()

    def as_text(self, base: Path | None = None, frozen: Path | None = None, data: Path | None = None) -> str:
        """What was made and what comes next. base, frozen, data: as they were given on the command line."""
        trial = self.record["trial"]
        losses = self.record["losses"]
        text = ", ".join(
            f"{losses[name]:.4f} {what}" for name, what in LOSSES.items() if losses[name] is not None
        )
        once = self.record.get("held_out", {}).get("measured_at") == [self.record["steps"]]
        text += " (measured once, at the end)" if once else ""
        lines = [
            f"adapter  {self.out}{' (finished before, nothing to do)' if self.reused else ''}",
            f"steps    {self.record['steps']:,}, {self.record['tokens']:,} tokens",
            f"loss     {text or 'not measured'}",
        ]
        if trial:
            lines.append(
                "trial    this adapter cannot be exported; run without --trial-steps for one that can"
            )
        following = furthest_command(self.record)
        if following != "try" and self.record["evaluation"]:
            command = evaluate_command(self.out, self.record, frozen, data)
        else:
            command = following_command(following, self.out)
        return "\n".join([*lines, f"next     {with_base(command, base)}"])


@hangup_ignored()
def train(
    frozen: Path,
    *,
    data: Path | None = None,
    base_model: Path | None = None,
    out: Path | None = None,
    resume: Path | bool = False,
    trial_steps: int | None = None,
    pause_at: int | None = None,
    force: bool = False,
    replace: bool = False,
    documents: Documents | None = None,
) -> Finished:
    """Train the adapter of a frozen recipe.

    data         the dataset's folder; default build/<name>-v<version>
    base_model   the base model's folder; default the hub's cache
    out          default build/AJ-<code>-v<version>-lora; work files go to <out>.work
    resume       true goes on from the newest whole checkpoint, a path from that one
    trial_steps  stop after so many, and mark the adapter as a trial
    pause_at     stop after that step as Ctrl-C does, with a checkpoint
    force        replace a finished adapter, or start a stopped run anew
    replace      go on from whatever this very run left, and replace what another left in its place

    Raises Refusal when the data is not what was approved or the run had to be stopped, CurationError
    when something is missing, KeyboardInterrupt (after a checkpoint) on Ctrl-C.
    """
    admitted = admit(frozen, data)
    prepared = prepare(admitted, base_model, trial_steps)
    out = out or Path("build") / (admitted.frozen.model + ("-trial" if prepared.trial else ""))
    work = out.with_name(f"{out.name}.work")
    saves = work / SAVES

    done = finished_before(out, prepared, resume, force, replace)
    if done is not None:
        return done
    with alone_in(work), saying_how_to_go_on(saves):
        start, notes = starting_point(saves, prepared.binding, resume, force, replace)
        if start is None:
            begin_anew(work)
        else:
            checkpoints.remove_after(saves, start.step)
            rewind_metrics(work, start.step)

        # What packages print on the way is no result.
        with (
            Journal(work) as journal,
            contextlib.redirect_stdout(sys.stderr),
            put_back(prepared.base.config),
        ):
            quiet()
            for note in notes:
                journal.say(note)
            record = fit(prepared, journal, out, start, pause_at, documents)
            journal.say(f"finished  {out}")
    return Finished(out, record)


def fit(
    prepared: Prepared,
    journal: Journal,
    out: Path,
    start: Checkpoint | None,
    pause_at: int | None,
    documents: Documents | None,
) -> dict[str, Any]:
    """Load, test, train, write. Returns the run record; the model is gone from memory."""
    check_before(prepared.base.folder, prepared.encoder)
    loaded = load(prepared.base, prepared.settings)
    journal.say(summary(prepared, loaded, start))
    if prepared.settings.packing:
        with naming_full_memory("the leak test", prepared.settings):
            found = check_packing(
                loaded.model,
                prepared.examples.sequences,
                prepared.binding["vocabulary"],
                collator(prepared, loaded),
                prepared.settings.batch_size,
            )
        journal.say(
            f"packing   leak test passed: examples change each other by {found:.1g}, at most {TOLERANCE:g}"
        )
    batches = run_to_the_end(prepared, loaded, journal, journal.folder / SAVES, start, pause_at)
    return write_output(
        out,
        loaded.model,
        base_folder=prepared.base.folder,
        encoder=prepared.encoder,
        record=run_record(prepared, loaded, journal, batches),
        metrics=(journal.folder / METRICS).read_bytes(),
        documents=documents,
    )


@contextlib.contextmanager
def saying_how_to_go_on(saves: Path) -> Iterator[None]:
    """Ctrl-C or a full disk outside the steps: what a person does next depends on what was saved."""
    try:
        yield
    except OSError as error:
        if not checkpoints.disk_full(error):
            raise
        hint = checkpoints.how_to_go_on(saves)
        raise CurationError(
            f"{saves.parent}: cannot write: {error.strerror}; free some space and {hint}"
        ) from error
    except KeyboardInterrupt as stopped:
        if stopped.args:
            raise
        raise type(stopped)(f"stopped; {checkpoints.how_to_go_on(saves)}") from None


def finished_before(
    out: Path, prepared: Prepared, resume: Path | bool, force: bool, replace: bool
) -> Finished | None:
    """The run's answer if it was finished already. Raises CurationError when `out` holds another.

    The same training from a recipe that was frozen anew, with another approval or evaluation, is
    recorded anew from its last checkpoint.
    """
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return None
    if not (out / RUN).is_file():
        raise CurationError(
            f"{out}: is no adapter, there is no {RUN} in it, and only adapters are replaced; name another "
            f"folder with --out"
        )
    if force:
        return None
    record = None
    try:
        record = read_run(out)
    except CurationError:
        if not replace:
            raise
    same = record is not None and not list(checkpoints.differences(record["binding"], prepared.binding))
    if (
        record
        and same
        and record["frozen"]["self_sha256"] == prepared.admitted.frozen.as_dict()["self_sha256"]
    ):
        return Finished(out, record, reused=True)
    if replace or (same and resume):
        return None
    if same:
        raise CurationError(
            f"{out}: trained before its recipe was frozen anew; use --resume to record that, or --out"
        )
    raise CurationError(f"{out}: holds something else already; use --force to replace it, or --out")


def begin_anew(work: Path) -> None:
    """Remove what an earlier run left in the folder of work files: its own files, and no others."""
    for name in (SAVES, BOARD):
        shutil.rmtree(work / name, ignore_errors=True)
    for path in (work / METRICS, *work.glob("training_*.log")):
        path.unlink(missing_ok=True)


def starting_point(
    saves: Path, binding: Binding, resume: Path | bool, force: bool, replace: bool
) -> tuple[Checkpoint | None, list[str]]:
    """The checkpoint to go on from, null for the beginning, and what to say about it."""
    if isinstance(resume, Path):
        return checkpoints.open_checkpoint(resume, binding), []
    if replace:
        try:
            return checkpoints.newest(saves, binding)
        except CurationError as error:
            if checkpoints.only_environment_changed(saves, binding):
                raise
            return None, [str(error)] if checkpoints.saved(saves) else []
    if resume:
        return checkpoints.newest(saves, binding)
    whole = checkpoints.whole(saves)
    if whole and not force:
        raise CurationError(
            f"{whole[0]}: a run was stopped here; go on with --resume, or start anew with --force"
        )
    return None, []
