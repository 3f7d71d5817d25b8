"""A run that was stopped, killed or out of memory goes on and ends with the same adapter."""

import os
import shutil
import signal
from pathlib import Path

import orjson
import pytest
import torch
from forks import Fork, fork
from frozen_dataset import Frozen, frozen_dataset
from safetensors.torch import load_file
from tensorboard.backend.event_processing.event_file_loader import LegacyEventFileLoader

from curation.errors import CurationError, Refusal
from curation.files import alone_in, self_digest
from train.data.packing import Collator
from train.run import checkpoints
from train.run.callbacks import Measure, Sealing
from train.run.prepare import pad_id, used_versions
from train.run.train import train

ADAPTER = "adapter_model.safetensors"


class Killed(BaseException):
    """Stands for kill -9: nothing after it runs but what Python itself unwinds."""


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Frozen:
    """A run that nobody interrupted."""
    made = frozen_dataset(tmp_path_factory.mktemp("whole"))
    train(made.frozen, **made.kwargs)
    return made


def other_run(whole: Frozen, folder: Path) -> Frozen:
    """The same data, going to another folder."""
    return whole._replace(out=folder / whole.out.name)


def adapter(run: Frozen) -> bytes:
    return (run.out / ADAPTER).read_bytes()


def test_a_run_killed_between_saves_resumes_to_the_same_adapter(whole, tmp_path, monkeypatch):
    run = other_run(whole, tmp_path)
    monkeypatch.setattr("train.run.callbacks.Measure.on_step_end", killed_at(5))
    with pytest.raises(Killed):
        train(run.frozen, **run.kwargs)
    monkeypatch.undo()
    assert not run.out.exists()
    done = train(run.frozen, **run.kwargs, resume=True)
    assert adapter(run) == adapter(whole)
    assert [line["step"] for line in metrics(run) if line["kind"] == "train"] == [1, 2, 3, 4, 5, 6]
    assert done.record["losses"] == orjson.loads((whole.out / "run.json").read_bytes())["losses"]


def test_no_step_is_drawn_twice_of_a_run_that_had_gone_on_after_its_checkpoint(whole, tmp_path, monkeypatch):
    run = other_run(whole, tmp_path)
    monkeypatch.setattr("train.run.callbacks.Measure.on_step_end", killed_at(4))
    with pytest.raises(Killed):
        train(run.frozen, **run.kwargs)
    monkeypatch.undo()
    assert ("train/loss", 3) in [place[:2] for place in drawn(run)]
    train(run.frozen, **run.kwargs, resume=True)
    assert drawn(run) == sorted(
        (f"{line['kind']}/{name}", line["step"], pytest.approx(value))
        for line in metrics(run)
        for name, value in line.items()
        if name not in {"kind", "step", "at"} and value is not None
    )


def test_a_run_killed_during_a_save_goes_on_from_the_save_before(whole, tmp_path, monkeypatch):
    run = other_run(whole, tmp_path)

    def killed(self, args, state, *rest, **more):
        if state.global_step == 4:
            raise Killed
        sealing(self, args, state, *rest, **more)

    sealing = Sealing.on_save
    monkeypatch.setattr(Sealing, "on_save", killed)
    with pytest.raises(Killed):
        train(run.frozen, **run.kwargs)
    monkeypatch.undo()
    assert (run.work / "checkpoints/checkpoint-4/trainer_state.json").is_file()
    with pytest.raises(Refusal, match="checkpoint-4: its save was cut off, so it is not whole"):
        train(run.frozen, **run.kwargs, resume=run.work / "checkpoints/checkpoint-4")
    with pytest.raises(CurationError, match="a run was stopped here; go on with --resume, or start anew"):
        train(run.frozen, **run.kwargs)
    train(run.frozen, **run.kwargs, resume=True)
    assert adapter(run) == adapter(whole)


def test_any_checkpoint_can_be_named(whole, tmp_path):
    run = other_run(whole, tmp_path)
    train(run.frozen, **run.kwargs, resume=whole.work / "checkpoints/checkpoint-4")
    assert adapter(run) == adapter(whole)


def test_a_finished_run_is_recognised_and_nothing_is_trained(whole):
    before = (whole.out / "run.json").read_bytes()
    assert train(whole.frozen, **whole.kwargs).reused
    assert (whole.out / "run.json").read_bytes() == before


def test_a_recipe_frozen_anew_is_recorded_without_training_again(tmp_path):
    run = frozen_dataset(tmp_path, train={"max_steps": 2})
    train(run.frozen, **run.kwargs)
    before = adapter(run)
    shutil.rmtree(run.data)
    again = frozen_dataset(
        tmp_path / "again", train={"max_steps": 2}, evaluation=[{"metric": "loss", "max": 0.1}]
    )._replace(base=run.base, out=run.out)
    with pytest.raises(CurationError, match="trained before its recipe was frozen anew; use --resume"):
        train(again.frozen, **again.kwargs)
    done = train(again.frozen, **again.kwargs, resume=True)
    assert done.record["evaluation"] == [{"metric": "loss", "max": 0.1, "min": None}]
    assert done.record["batches"] == [{"step": 0, "batch": 2}]
    assert adapter(run) == before
    assert train(again.frozen, **again.kwargs).reused


def test_a_checkpoint_of_other_settings_is_refused_with_the_difference(whole, tmp_path):
    other = frozen_dataset(tmp_path, train={"learning_rate": 2e-3, "lora_dropout": 0.2})
    with pytest.raises(
        Refusal, match=r"train\.learning_rate was 0\.001, is 0\.002; train\.lora_dropout was 0\.1, is 0\.2"
    ):
        train(other.frozen, **other.kwargs, resume=whole.work / "checkpoints/checkpoint-4")


def test_a_checkpoint_of_a_base_model_with_other_settings_is_refused(whole, tmp_path):
    run = other_run(whole, tmp_path)._replace(base=tmp_path / "base")
    shutil.copytree(whole.base, run.base)
    config = run.base / "config.json"
    config.write_text(config.read_text().replace("1000000.0", "10000.0"))
    with pytest.raises(Refusal, match=r"base_model\.settings\.rope_theta was 1000000\.0, is 10000\.0"):
        train(run.frozen, **run.kwargs, resume=whole.work / "checkpoints/checkpoint-4")


def test_a_checkpoint_with_a_changed_file_is_refused(whole, tmp_path):
    copy = tmp_path / "checkpoint-4"
    shutil.copytree(whole.work / "checkpoints/checkpoint-4", copy)
    data = bytearray((copy / ADAPTER).read_bytes())
    data[-1] ^= 1
    (copy / ADAPTER).write_bytes(data)
    run = other_run(whole, tmp_path)
    with pytest.raises(Refusal, match=f"{ADAPTER} is not what was saved"):
        train(run.frozen, **run.kwargs, resume=copy)


def test_a_checkpoint_that_was_renamed_is_refused_and_kept(whole, tmp_path):
    run = other_run(whole, tmp_path)
    renamed = run.work / "checkpoints/checkpoint-5"
    shutil.copytree(whole.work / "checkpoints/checkpoint-4", renamed)
    with pytest.raises(Refusal, match="checkpoint-5: holds step 4; rename it to checkpoint-4"):
        train(run.frozen, **run.kwargs, resume=renamed)
    assert renamed.is_dir()


def test_a_run_may_replace_what_another_left_but_goes_on_from_its_own(whole, tmp_path):
    run = other_run(whole, tmp_path)
    shutil.copytree(whole.work / "checkpoints/checkpoint-4", run.work / "checkpoints/checkpoint-4")
    done = train(run.frozen, **run.kwargs, replace=True)
    assert [line["step"] for line in metrics(run) if line["kind"] == "train"] == [5, 6]
    assert done.record["batches"] == [{"step": 0, "batch": 2}]
    assert train(run.frozen, **run.kwargs, replace=True).reused

    shorter = {"max_steps": 1, "warmup_steps": 0, "save_steps": 1}
    other = frozen_dataset(tmp_path / "other", train=shorter)._replace(out=run.out)
    with pytest.raises(CurationError, match="holds something else already"):
        train(other.frozen, **other.kwargs)
    done = train(other.frozen, **other.kwargs, replace=True)
    assert done.record["batches"] == [{"step": 0, "batch": 2}]
    assert done.record["steps"] == 1


def test_hours_of_work_are_not_replaced_because_a_package_changed(whole, tmp_path, monkeypatch):
    run = other_run(whole, tmp_path)
    shutil.copytree(whole.work / "checkpoints/checkpoint-4", run.work / "checkpoints/checkpoint-4")
    monkeypatch.setattr("train.run.prepare.used_versions", lambda: {**used_versions(), "torch": "9.9"})
    with pytest.raises(Refusal, match=r"belongs to another run: .*versions\.torch was"):
        train(run.frozen, **run.kwargs, replace=True)
    assert (run.work / "checkpoints/checkpoint-4").is_dir()


def test_resuming_without_a_checkpoint_says_so(whole, tmp_path):
    run = other_run(whole, tmp_path)
    with pytest.raises(CurationError, match="no whole checkpoint to resume from; run without --resume"):
        train(run.frozen, **run.kwargs, resume=True)


def test_ctrl_c_saves_and_the_run_goes_on_from_there(whole, tmp_path, monkeypatch):
    run = other_run(whole, tmp_path)
    monkeypatch.setattr("train.run.callbacks.Measure.on_step_begin", interrupted_at(2))
    with pytest.raises(
        KeyboardInterrupt, match="stopped at step 3 of 6, all of it saved; go on with --resume"
    ):
        train(run.frozen, **run.kwargs)
    monkeypatch.undo()
    assert checkpoints.saved(run.work / "checkpoints")[0].name == "checkpoint-3"
    train(run.frozen, **run.kwargs, resume=True)
    assert adapter(run) == adapter(whole)


def test_out_of_memory_halves_the_batch_and_goes_on_from_the_last_step(whole, tmp_path, monkeypatch):
    run = other_run(whole, tmp_path)
    batches = full_above(monkeypatch, batch=1, from_step=3)
    done = train(run.frozen, **run.kwargs)
    assert done.record["batches"] == [{"step": 0, "batch": 2}, {"step": 3, "batch": 1}]
    assert batches[-1] == 1
    steps = [line["step"] for line in metrics(run) if line["kind"] == "train"]
    assert steps == [1, 2, 3, 4, 5, 6]
    [event] = done.record["events"]
    assert event["message"] == "out of GPU memory: batch 2 → 1, accumulation 4"
    assert done.record["settings"]["batch_size"] == 2


def test_the_record_has_the_batches_of_the_parts_before_a_stop(whole, tmp_path, monkeypatch):
    run = other_run(whole, tmp_path)
    full_above(monkeypatch, batch=1, from_step=3)
    with pytest.raises(KeyboardInterrupt):
        train(run.frozen, **run.kwargs, pause_at=5)
    monkeypatch.undo()
    made = [{"step": 0, "batch": 2}, {"step": 3, "batch": 1}]
    assert train(run.frozen, **run.kwargs, resume=True).record["batches"] == made


def test_the_record_has_the_batches_up_to_the_checkpoint_and_none_that_were_undone(
    whole, tmp_path, monkeypatch
):
    run = other_run(whole, tmp_path)
    full_above(monkeypatch, batch=1, from_step=3)
    with pytest.raises(KeyboardInterrupt):
        train(run.frozen, **run.kwargs, pause_at=3)
    monkeypatch.undo()
    earlier = run.work / "checkpoints/checkpoint-2"
    made = train(run.frozen, **run.kwargs, resume=earlier).record["batches"]
    assert made == [{"step": 0, "batch": 2}]


def test_a_checkpoint_of_an_earlier_version_knows_its_last_batch(whole, tmp_path):
    shutil.copytree(whole.work / "checkpoints/checkpoint-4", tmp_path / "checkpoint-4")
    marker = tmp_path / "checkpoint-4/whole.json"
    document = orjson.loads(marker.read_bytes())
    del document["batches"], document["self_sha256"]
    document["batch"] = 1
    marker.write_bytes(orjson.dumps({**document, "self_sha256": self_digest(document)}))
    found = checkpoints.open_checkpoint(tmp_path / "checkpoint-4", document["binding"])
    assert found.batches == [{"step": 4, "batch": 1}]


def test_an_update_is_the_same_however_it_is_cut_into_batches(tmp_path, monkeypatch):
    """Loss is averaged over the trained tokens of an update, of which sequences have unlike many."""
    still = {"lora_dropout": 0.0, "max_steps": 2, "warmup_steps": 0}
    ways: list[dict[str, int]] = [
        {"batch_size": 4, "gradient_accumulation_steps": 1},
        {"batch_size": 1, "gradient_accumulation_steps": 4},
    ]
    made = [frozen_dataset(tmp_path / str(n), train={**still, **way}) for n, way in enumerate(ways)]
    first, second = [train(run.frozen, **run.kwargs) and load_file(run.out / ADAPTER) for run in made]
    assert closest(first, second) < 1e-6

    # The same in one row, as flash attention needs it.
    run = made[0]._replace(out=tmp_path / "flat")
    monkeypatch.setattr(
        "train.run.trainer.collator", lambda p, _: Collator(pad_id(p), p.settings.max_seq_length, flat=True)
    )
    train(run.frozen, **run.kwargs)
    assert closest(first, load_file(run.out / ADAPTER)) < 1e-6

    # And when the memory ends within an update, which is then done over.
    monkeypatch.undo()
    run = made[0]._replace(out=tmp_path / "small")
    full_above(monkeypatch, batch=2, from_step=1)
    batches = train(run.frozen, **run.kwargs).record["batches"]
    assert batches == [{"step": 0, "batch": 4}, {"step": 1, "batch": 2}]
    assert closest(first, load_file(run.out / ADAPTER)) < 1e-6


def closest(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> float:
    """The largest difference between two adapters, that are no fresh ones."""
    assert any(weight.abs().max() > 1e-4 for name, weight in one.items() if "lora_B" in name)
    return max(float((one[name] - other[name]).abs().max()) for name in one)


def test_ctrl_c_while_the_memory_ends_stops_the_run_all_the_same(whole, tmp_path, monkeypatch):
    run = other_run(whole, tmp_path)
    full_above(monkeypatch, batch=1, from_step=3)
    presses = [os.kill]
    begin = Measure.on_step_begin

    def press_once(self, args, state, *rest, **more):
        if state.global_step == 3 and presses:
            presses.pop()(os.getpid(), signal.SIGINT)
        return begin(self, args, state, *rest, **more)

    monkeypatch.setattr(Measure, "on_step_begin", press_once)
    with pytest.raises(KeyboardInterrupt, match="stopped at step 4 of 6, all of it saved"):
        train(run.frozen, **run.kwargs)
    monkeypatch.undo()
    train(run.frozen, **run.kwargs, resume=True)
    assert (run.out / ADAPTER).is_file()


def test_out_of_memory_at_the_first_step_starts_over_with_half_the_batch(whole, tmp_path, monkeypatch):
    run = other_run(whole, tmp_path)
    full_above(monkeypatch, batch=1, from_step=0)
    assert train(run.frozen, **run.kwargs).record["batches"] == [
        {"step": 0, "batch": 2},
        {"step": 0, "batch": 1},
    ]


@pytest.mark.parametrize(
    "message",
    [
        "CUDA error: out of memory",
        "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
        "Triton Error [CUDA]: out of memory",
        "Unsloth: No or negligible GPU memory available for fused cross entropy.",
    ],
)
def test_out_of_memory_is_known_whoever_says_so(whole, tmp_path, monkeypatch, message):
    run = other_run(whole, tmp_path)
    full_above(monkeypatch, batch=1, from_step=0, error=RuntimeError(message))
    batches = train(run.frozen, **run.kwargs, trial_steps=1).record["batches"]
    assert [used["batch"] for used in batches] == [2, 1]


def test_another_error_of_a_step_is_no_lack_of_memory(whole, tmp_path, monkeypatch):
    run = other_run(whole, tmp_path)
    error = RuntimeError("CUDA error: an illegal memory access was encountered")
    full_above(monkeypatch, batch=1, from_step=0, error=error)
    with pytest.raises(RuntimeError, match="an illegal memory access"):
        train(run.frozen, **run.kwargs)


def test_out_of_memory_at_batch_1_says_what_to_do(whole, tmp_path, monkeypatch):
    run = other_run(whole, tmp_path)
    full_above(monkeypatch, batch=0, from_step=0)
    with pytest.raises(
        CurationError, match="out of GPU memory at batch 1; set load_in_4bit: true or a shorter"
    ):
        train(run.frozen, **run.kwargs)


@pytest.mark.slow
@pytest.mark.parametrize("place", ["step", "save"])
def test_kill_9_and_resume_give_the_same_adapter(whole, tmp_path, place):
    run = other_run(whole, tmp_path)
    killed = in_a_process(run, KILLS[place])
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert not run.out.exists()
    assert in_a_process(run, "", resume=True).returncode == 0
    assert adapter(run) == adapter(whole)


@pytest.mark.slow
def test_a_closed_terminal_does_not_end_a_run(whole, tmp_path):
    run = other_run(whole, tmp_path)
    hangs_up = (
        "begin = Measure.on_step_begin\n"
        "def hang_up(self, *rest, **more):\n"
        "    os.kill(os.getpid(), signal.SIGHUP)\n"
        "    return begin(self, *rest, **more)\n"
        "Measure.on_step_begin = hang_up\n"
    )
    done = in_a_process(run, hangs_up)
    assert done.returncode == 0
    assert "finished" not in done.stderr
    assert adapter(run) == adapter(whole)


KILLS = {
    "step": (
        "begin = Measure.on_step_begin\n"
        "def kill(self, args, state, *rest, **more):\n"
        "    if state.global_step == 3: os.kill(os.getpid(), signal.SIGKILL)\n"
        "    return begin(self, args, state, *rest, **more)\n"
        "Measure.on_step_begin = kill\n"
    ),
    "save": (
        "save = Trainer._save_optimizer_and_scheduler\n"
        "def kill(self, folder):\n"
        "    if self.state.global_step == 4: os.kill(os.getpid(), signal.SIGKILL)\n"
        "    return save(self, folder)\n"
        "Trainer._save_optimizer_and_scheduler = kill\n"
    ),
}


LIBRARIES = """
import os, signal
from pathlib import Path
import torch
from peft import LoraConfig
from transformers import AutoModelForCausalLM, AutoTokenizer, Trainer, TrainingArguments
from train.run.train import train
from train.run.callbacks import Measure
torch.set_num_threads(1)
"""


def in_a_process(run: Frozen, before: str, *, resume: bool = False) -> Fork:
    """The run as a process that has ended; `before` is code that goes before it."""
    code = (
        f"{before}\n"
        f"train(Path({str(run.frozen)!r}), data=Path({str(run.data)!r}), base_model=Path({str(run.base)!r}), "
        f"out=Path({str(run.out)!r}), resume={resume})\n"
    )
    process = fork(code, libraries=LIBRARIES)
    process.wait()
    return process


def metrics(run: Frozen) -> list:
    return [orjson.loads(line) for line in (run.out / "metrics.jsonl").read_bytes().splitlines()]


def drawn(run: Frozen) -> list[tuple[str, int, float]]:
    """What the files of TensorBoard hold, all of them, as a reader that knows of no resume finds it."""
    return sorted(
        (value.tag, event.step, value.simple_value)
        for path in (run.work / "tensorboard").iterdir()
        for event in LegacyEventFileLoader(str(path)).Load()
        for value in event.summary.value
    )


def killed_at(step: int):
    def on_step_end(self, args, state, *rest, **more):
        if state.global_step == step:
            raise Killed

    return on_step_end


def interrupted_at(step: int):
    def on_step_begin(self, args, state, *rest, **more):
        if state.global_step == step:
            os.kill(os.getpid(), signal.SIGINT)

    return on_step_begin


def full_above(monkeypatch, *, batch: int, from_step: int, error: Exception | None = None) -> list[int]:
    """The device is out of memory for more than `batch` sequences at once, from a step on."""
    from transformers import Trainer

    sizes: list[int] = []
    step = Trainer.training_step

    def training_step(self, model, inputs, *rest, **more):
        sizes.append(len(inputs["input_ids"]))
        if self.state.global_step >= from_step and sizes[-1] > batch:
            raise error or torch.cuda.OutOfMemoryError("made up")
        return step(self, model, inputs, *rest, **more)

    monkeypatch.setattr(Trainer, "training_step", training_step)
    return sizes


@pytest.mark.parametrize("how", [{}, {"resume": True}, {"force": True}, {"replace": True}])
def test_two_runs_never_write_into_one_folder(whole, tmp_path, how):
    run = other_run(whole, tmp_path)
    shutil.copytree(whole.work, run.work)
    before = sorted(path for path in run.work.rglob("*") if path.name != "lock")
    with alone_in(run.work), pytest.raises(CurationError, match="another run is writing here; wait for it"):
        train(run.frozen, **run.kwargs, **how)
    assert sorted(path for path in run.work.rglob("*") if path.name != "lock") == before
    assert train(run.frozen, **run.kwargs, resume=True).out.is_dir()


def test_a_run_that_begins_anew_removes_work_files_and_no_others(whole, tmp_path):
    run = other_run(whole, tmp_path)
    shutil.copytree(whole.work, run.work)
    (run.work / "notes.txt").write_text("mine")
    train(run.frozen, **run.kwargs, force=True)
    assert (run.work / "notes.txt").read_text() == "mine"
    assert len(list(run.work.glob("training_*.log"))) == 1
