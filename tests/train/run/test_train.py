"""What a run leaves behind, what it refuses, and what the command says."""

import json
import re
import shutil
import signal
from types import SimpleNamespace

import numpy as np
import orjson
import polars as pl
import pytest
from frozen_dataset import Frozen, frozen_dataset
from full_disk import files_up_to
from safetensors.torch import load_file
from transformers import Trainer, TrainingArguments

import aj
from curation.errors import CurationError, Refusal
from curation.recipe.model import TARGET_MODULES
from curation.rendering.template import built_in
from curation.row import message
from train.data.encoding import Encoder, Example
from train.data.examples import check_count
from train.data.gatekeeper import admit
from train.run.dry_run import named_gpus, thinks_itself
from train.run.journal import read_metrics
from train.run.model_folder import find_model
from train.run.output import read_run
from train.run.show import show
from train.run.train import Finished, train
from train.run.trainer import on_one_gpu


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Frozen:
    return frozen_dataset(tmp_path_factory.mktemp("made"), train={"max_steps": 2})


@pytest.fixture(scope="module")
def done(made) -> Frozen:
    train(made.frozen, **made.kwargs)
    return made


def options(run: Frozen) -> list[str]:
    return [str(run.frozen), "--data", str(run.data), "--base-model", str(run.base), "--out", str(run.out)]


def test_the_folder_holds_adapter_tokenizer_template_card_and_record(done):
    assert {path.name for path in done.out.iterdir()} >= {
        "adapter_model.safetensors",
        "adapter_config.json",
        "tokenizer.json",
        "tokenizer_config.json",
        "chat_template.jinja",
        "README.md",
        "run.json",
        "metrics.jsonl",
    }
    assert (done.out / "chat_template.jinja").read_text() == built_in("aj_r1").source
    assert not list(done.out.parent.glob(".*.part"))


def test_the_record_binds_the_adapter_to_data_and_approval(done):
    record = read_run(done.out)
    assert record["model"] == "AJ-Tiny-v1.0.0-lora"
    assert record["frozen"]["root"] == json.loads((done.data / "manifest.json").read_text())["root"]
    assert [approval["by"] for approval in record["approvals"]] == ["Test Person"]
    assert record["trial"] is False
    assert record["sources"]["web"]["exposure"] == record["epochs"] == pytest.approx(1.6)
    assert record["loaded"]["trainable_parameters"] == 32_768


def test_the_card_names_root_approval_mixture_and_versions(done):
    card = (done.out / "README.md").read_text()
    record = read_run(done.out)
    for said in (record["frozen"]["root"], "approved by Test Person", "| general | 50.0%", "| torch | 2."):
        assert said in card


def test_no_path_of_this_machine_is_in_the_adapter(done):
    for path in done.out.iterdir():
        assert str(done.base.parent).encode() not in path.read_bytes(), path.name


def test_the_adapter_is_found_by_the_commands_that_follow(done):
    assert find_model(done.out, done.base).kind == "adapter"


def test_training_moves_both_factors(done):
    weights = load_file(done.out / "adapter_model.safetensors")
    assert all(weight.abs().max() > 0 for weight in weights.values())
    assert len(weights) == 2 * 7 * 2


def test_a_changed_record_or_adapter_is_noticed(done, tmp_path):
    for name in ("run.json", "adapter_model.safetensors"):
        copy = tmp_path / name
        shutil.copytree(done.out, copy)
        data = bytearray((copy / name).read_bytes())
        data[len(data) // 2] ^= 1
        (copy / name).write_bytes(data)
        with pytest.raises(Refusal):
            read_run(copy)


def test_the_loss_falls_on_rows_that_are_seen_often(tmp_path):
    run = frozen_dataset(
        tmp_path, train={"max_steps": 12, "learning_rate": 1e-2, "lora_dropout": 0.0, "save_steps": 100}
    )
    losses = train(run.frozen, **run.kwargs).record["losses"]
    assert losses["last loss"] < 0.8 * losses["first loss"]


def test_a_trial_is_marked_and_named_so(made, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = train(made.frozen, data=made.data, base_model=made.base, trial_steps=1)
    assert run.out.name == "AJ-Tiny-v1.0.0-lora-trial"
    assert (run.record["trial"], run.record["steps"]) == (True, 1)
    assert "**A trial: not for use. It cannot be exported.**" in (run.out / "README.md").read_text()


@pytest.mark.parametrize("length", [{"max_steps": None, "epochs": 1}, {"max_steps": 2}])
def test_a_warm_up_longer_than_the_run_is_told_before_and_when_training(tmp_path, capsys, length):
    run = frozen_dataset(tmp_path, train={**length, "warmup_steps": 100})
    told = "the learning rate rises for 100 updates and never reaches its peak in "
    for more in (["--dry-run"], []):
        assert aj.main(["train", *options(run), *more]) == 0
        printed = capsys.readouterr()
        assert told in printed.out + printed.err
    assert aj.main(["train", *options(run), "--dry-run", "--trial-steps", "1"]) == 0
    assert told not in capsys.readouterr().out


def test_a_warm_up_of_a_share_of_the_steps_rises_for_so_many(tmp_path, capsys):
    run = frozen_dataset(tmp_path, train={"warmup_steps": 100, "warmup_ratio": 0.5, "learning_rate": 1e-3})
    assert aj.main(["train", *options(run), "--dry-run"]) == 0
    assert "never reaches its peak" not in capsys.readouterr().out
    train(run.frozen, **run.kwargs)
    rates = [line["learning_rate"] for line in read_metrics(run.out) if line["kind"] == "train"]
    assert rates[:4] == pytest.approx([0, 1e-3 / 3, 2e-3 / 3, 1e-3])
    assert rates[4] < rates[3]


@pytest.mark.parametrize(
    ("steps", "measured"), [(2, [2]), (3, [3]), (5, [3, 5]), (6, [3, 6])], ids="steps={}".format
)
def test_the_held_out_rows_are_measured_at_the_end_of_every_run(tmp_path, capsys, steps, measured):
    run = frozen_dataset(tmp_path, train={"max_steps": steps, "logging_steps": 4})
    short = "held out: measured once, at the end: eval_steps 3 is more than 2 updates"
    assert aj.main(["train", *options(run), "--dry-run"]) == 0
    assert (short in capsys.readouterr().out) == (steps == 2)
    assert aj.main(["train", *options(run)]) == 0
    told = capsys.readouterr()
    assert read_run(run.out)["held_out"] == {"rows": 1, "measured_at": measured}
    assert ("on held-out rows (measured once, at the end)\n" in told.out) == (len(measured) == 1)
    assert (f"held out  1 row, {short.removeprefix('held out: ')}\n" in told.err) == (steps == 2)
    # And the last update is logged, whatever `logging_steps`.
    assert [line["step"] for line in read_metrics(run.out) if line["kind"] == "train"][-1] == steps


def test_a_run_that_ended_without_measuring_them_does_so_when_it_is_taken_up_again(done, tmp_path):
    run = done._replace(out=tmp_path / "out")
    train(run.frozen, **run.kwargs, resume=done.work / "checkpoints/checkpoint-2")
    assert read_run(run.out)["losses"]["last eval loss"] == read_run(done.out)["losses"]["last eval loss"]


def test_lora_plus_learns_the_second_factor_faster(made, tmp_path):
    run = frozen_dataset(tmp_path, train={"max_steps": 1, "loraplus_ratio": 16.0, "warmup_steps": 0})
    plain = frozen_dataset(tmp_path / "plain", train={"max_steps": 1, "warmup_steps": 0})
    moved = [
        sum(float(w.abs().sum()) for name, w in load_file(train(r.frozen, **r.kwargs).out / ADAPTER).items()
            if "lora_B" in name)
        for r in (run, plain)
    ]  # fmt: skip
    assert moved[0] == pytest.approx(16 * moved[1], rel=0.01)


ADAPTER = "adapter_model.safetensors"


@pytest.mark.parametrize("how", [{}, {"force": True}, {"replace": True}])
def test_what_is_no_adapter_is_never_replaced(made, tmp_path, how):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/notes.txt").write_text("mine")
    for out in (tmp_path / "out", tmp_path / "out/notes.txt"):
        with pytest.raises(CurationError, match=r"is no adapter, there is no run\.json in it, and only"):
            train(made.frozen, **{**made.kwargs, "out": out}, **how)
    assert (tmp_path / "out/notes.txt").read_text() == "mine"


def test_an_empty_folder_is_no_obstacle(made, tmp_path):
    (tmp_path / "out").mkdir()
    train(made.frozen, **{**made.kwargs, "out": tmp_path / "out"})
    assert find_model(tmp_path / "out", made.base).kind == "adapter"


def test_a_row_longer_than_a_sequence_is_refused(tmp_path):
    run = frozen_dataset(tmp_path, train={"max_seq_length": 200})
    with pytest.raises(
        Refusal, match=r"rows are longer than max_seq_length 200 .*has 282 tokens\); add `length"
    ):
        train(run.frozen, **run.kwargs)


def test_another_tokenizer_than_curation_counted_with_is_refused(tmp_path):
    run = frozen_dataset(tmp_path, tokens=500)
    with pytest.raises(Refusal, match="tokens here, curation counted 500"):
        show(run.frozen, 1, data=run.data, base_model=run.base)
    with pytest.raises(Refusal, match=r"tokens here, curation counted 500; the tokenizer of the base model"):
        train(run.frozen, **run.kwargs)


def test_one_token_more_than_counted_is_another_tokenizer_unless_a_control_token_is_spelt(made):
    encoder = Encoder(made.base, built_in("aj_r1"))
    example = Example(np.zeros(5, np.int32), np.zeros(5, np.bool_))
    row = {"id": "sha256:0", "tokens": 4, "tools": None, "messages": [message("user", "hello")]}
    admitted = admit(made.frozen, made.data)
    with pytest.raises(Refusal, match="has 5 tokens here, curation counted 4"):
        check_count(row, [example], admitted, encoder)
    spelt = [message("user", f"hello {encoder.template.end}")]
    check_count({**row, "messages": spelt}, [example], admitted, encoder)
    check_count({**row, "tokens": 5}, [example], admitted, encoder)


def test_a_loss_that_is_no_number_ends_the_run_and_leaves_no_adapter(made, tmp_path, monkeypatch):
    from transformers import Trainer

    run = made._replace(out=tmp_path / "out")
    step = Trainer.training_step
    monkeypatch.setattr(Trainer, "training_step", lambda *a, **k: step(*a, **k) * float("nan"))
    with pytest.raises(Refusal, match="stopped at step 1: the loss is not a number; lower the learning rate"):
        train(run.frozen, **run.kwargs)
    assert not run.out.exists()
    assert not list((run.work / "checkpoints").glob("*/whole.json"))


def test_a_save_between_a_broken_step_and_its_log_is_nothing_to_go_on_from(tmp_path, monkeypatch):
    from transformers import Trainer

    run = frozen_dataset(tmp_path, train={"max_steps": 4, "save_steps": 1, "logging_steps": 4})
    step = Trainer.training_step

    def broken(self, model, *rest, **more):
        loss = step(self, model, *rest, **more)
        if self.state.global_step == 1:
            for weight in model.parameters():
                if weight.grad is not None:
                    weight.grad.fill_(float("nan"))
        return loss

    monkeypatch.setattr(Trainer, "training_step", broken)
    with pytest.raises(Refusal, match=r"stopped at step 4: the (loss|gradient norm) is not a number"):
        train(run.frozen, **run.kwargs)
    assert [path.name for path in (run.work / "checkpoints").iterdir()] == ["checkpoint-1"]
    assert "step 2: not saved" in next(run.work.glob("training_*.log")).read_text()


@pytest.mark.parametrize("size", [20, 200])
def test_a_full_disk_at_the_first_line_of_the_log_is_one_line_of_ours(made, tmp_path, capsys, size):
    run = made._replace(out=tmp_path / "out")
    with files_up_to(size):
        assert aj.main(["train", *options(run)]) == 2
    told = "cannot write: File too large; free some space and run the same command again"
    said = capsys.readouterr().err
    assert said.splitlines()[-1] == f"aj train: {run.work}: {told}"
    assert "Traceback" not in said
    assert aj.main(["train", *options(run)]) == 0


def test_a_full_disk_during_a_save_is_one_line_and_the_run_can_go_on(made, tmp_path):
    run = made._replace(out=tmp_path / "out")
    with (
        files_up_to(100_000),
        pytest.raises(CurationError, match="disk is full; free some space and run the"),
    ):
        train(run.frozen, **run.kwargs)
    assert not run.out.exists()
    with pytest.raises(CurationError, match="no whole checkpoint to resume from"):
        train(run.frozen, **run.kwargs, resume=True)
    train(run.frozen, **run.kwargs)
    assert run.out.exists()


def test_a_full_disk_when_the_adapter_is_written_loses_no_step(done, tmp_path):
    run = done._replace(out=tmp_path / "out")
    shutil.copytree(done.work, run.work)
    full = "out: cannot write: the disk is full; free some space and go on with --resume"
    with files_up_to(100_000), pytest.raises(CurationError, match=full):
        train(run.frozen, **run.kwargs, resume=True)
    assert not run.out.exists()
    assert not list(tmp_path.glob(".*.part"))
    train(run.frozen, **run.kwargs, resume=True)
    assert (run.out / ADAPTER).read_bytes() == (done.out / ADAPTER).read_bytes()


def test_metrics_are_lines_of_json_and_the_log_has_the_time_in_its_name(done):
    lines = [orjson.loads(line) for line in (done.work / "metrics.jsonl").read_bytes().splitlines()]
    assert [line["step"] for line in lines if line["kind"] == "train"] == [1, 2]
    [log] = done.work.glob("training_????????_??????.log")
    assert "leak test passed" in log.read_text()
    assert list((done.work / "tensorboard").iterdir())


def test_the_command_trains_and_says_what_is_next(made, tmp_path, capsys):
    run = made._replace(out=tmp_path / "out")
    assert aj.main(["train", *options(run)]) == 0
    told = capsys.readouterr().out
    assert re.search(rf"next     aj export {run.out} --quant q\w+ --base-model {run.base}\n", told)
    assert re.search(
        r"^steps    2, [\d,]+ tokens\nloss     \d\.\d+ at first, \d\.\d+ at last, "
        r"\d\.\d+ on held-out rows \(measured once, at the end\)$",
        told,
        re.MULTILINE,
    )
    assert aj.main(["train", *options(run), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["model"] == "AJ-Tiny-v1.0.0-lora"


def test_what_is_next_is_what_will_not_be_refused(done):
    finished = Finished(done.out, read_run(done.out))
    bounds = [{"metric": "loss", "max": 1.0}]
    asked = Finished(done.out, {**finished.record, "evaluation": bounds})
    assert f"\nnext     aj export {done.out} --quant q" in finished.as_text()
    assert asked.as_text().endswith(f"\nnext     aj evaluate {done.out} --frozen FILE")
    named = asked.as_text(frozen=done.frozen, data=done.data)
    assert named.endswith(f"\nnext     aj evaluate {done.out} --frozen {done.frozen} --data {done.data}")
    dora = Finished(done.out, {**finished.record, "settings": {"use_dora": True}})
    assert dora.as_text().endswith(f"\nnext     aj try {done.out}")
    llama = Finished(done.out, {**finished.record, "base": {"architecture": "LlamaForCausalLM"}})
    assert llama.as_text().endswith(f"\nnext     aj merge {done.out}")


def test_an_adapter_that_will_not_be_merged_is_told_before_it_is_trained(tmp_path, capsys):
    run = frozen_dataset(tmp_path, train={"use_dora": True, "max_steps": 1, "save_steps": 1})
    told = "use_dora: `aj merge` and `aj export` cover no DoRA adapter"
    assert aj.main(["train", *options(run), "--dry-run"]) == 0
    assert told in capsys.readouterr().out
    assert aj.main(["train", *options(run)]) == 0
    assert f"warning: {told}" in capsys.readouterr().err


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_stopped_run_exits_with_the_signal_s_code_and_says_how_to_go_on(
    made, tmp_path, capsys, monkeypatch, number, code
):
    from train.run.callbacks import Measure

    run = made._replace(out=tmp_path / "out")
    monkeypatch.setattr(Measure, "on_step_begin", lambda *a, **k: signal.raise_signal(number))
    assert aj.main(["train", *options(run)]) == code
    assert "stopped at step 1 of 2, all of it saved; go on with --resume" in capsys.readouterr().err


def test_what_packages_print_while_training_is_not_in_the_result(made, tmp_path, monkeypatch, capsys):
    step = Trainer.training_step

    def chatty(self, *rest, **more):
        print("Unsloth: Will smartly offload gradients to save VRAM!")
        return step(self, *rest, **more)

    monkeypatch.setattr(Trainer, "training_step", chatty)
    run = made._replace(out=tmp_path / "AJ-Tiny-v1.0.0-lora")
    assert aj.main(["train", *options(run), "--trial-steps", "1", "--json"]) == 0
    shown = capsys.readouterr()
    assert json.loads(shown.out)["trial"]
    assert "smartly offload" in shown.err


def test_an_update_has_the_recipe_s_sequences_on_a_machine_with_several_gpus(tmp_path):
    arguments = TrainingArguments(output_dir=str(tmp_path), per_device_train_batch_size=2, use_cpu=True)
    arguments._n_gpu = 4  # what transformers sets there
    assert arguments.train_batch_size == 8
    on_one_gpu(arguments)
    assert (arguments.train_batch_size, arguments.eval_batch_size) == (2, 8)


def test_ctrl_c_names_resume_only_where_there_is_something_to_resume(
    made, done, tmp_path, capsys, monkeypatch
):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    run = made._replace(out=tmp_path / "out")
    monkeypatch.setattr("train.run.train.load", interrupted)
    assert aj.main(["train", *options(run)]) == 130
    assert capsys.readouterr().err.endswith("aj train: stopped; run the same command again\n")
    shutil.copytree(done.work / "checkpoints", run.work / "checkpoints")
    assert aj.main(["train", *options(run), "--resume"]) == 130
    assert capsys.readouterr().err.endswith("aj train: stopped; go on with --resume\n")
    monkeypatch.setattr("train.run.train.prepare", interrupted)
    assert aj.main(["train", *options(run)]) == 130
    assert capsys.readouterr().err.endswith("aj train: stopped; run the same command again\n")


def test_whoever_may_read_the_record_may_read_the_weights(done):
    assert len({path.stat().st_mode for path in done.out.iterdir()}) == 1


def test_what_is_said_at_the_end_names_each_loss(done):
    told = Finished(done.out, read_run(done.out)).as_text()
    assert re.search(r"\nloss     [\d.]+ at first, [\d.]+ at last, [\d.]+ on held-out rows \(", told)


def test_show_prints_the_trained_parts_between_marks(made, capsys):
    assert aj.main(["train", *options(made), "--show", "2"]) == 0
    shown = capsys.readouterr().out
    assert shown.count("---") >= 4
    assert "⟦answer" in shown


def test_show_and_a_dry_run_need_neither_weights_nor_torch(made, tmp_path, monkeypatch, capsys):
    def absent(*packages):
        raise CurationError(f"{packages} not installed")

    monkeypatch.setattr("curation.commands.train.need", absent)
    folder = tmp_path / "tokenizer"
    folder.mkdir()
    (folder / "tokenizer.json").write_bytes((made.base / "tokenizer.json").read_bytes())
    given = ["train", str(made.frozen), "--data", str(made.data), "--base-model"]
    assert aj.main([*given, str(folder), "--show", "1"]) == 0
    assert "⟦answer" in capsys.readouterr().out
    assert aj.main([*given, str(made.base), "--dry-run"]) == 0
    assert aj.main([*given, str(made.base)]) == 2


def test_show_says_how_to_get_the_tokenizer_alone(made, monkeypatch, capsys):
    def nowhere(*_):
        raise CurationError("not on this machine")

    monkeypatch.setattr("train.run.show.cached", nowhere)
    assert aj.main(["train", str(made.frozen), "--data", str(made.data), "--show", "1"]) == 2
    assert "tokenizer.json tokenizer_config.json`" in capsys.readouterr().err


def test_show_prints_as_many_rows_as_asked_for(made):
    assert len(pl.read_parquet(made.data / "train/part-00000.parquet")) == 6
    for asked, shown in [(1, 1), (7, 7), (12, 12), (50, 12)]:
        text = show(made.frozen, asked, data=made.data, base_model=made.base)
        assert text.count(" trained ---") == shown


def test_a_dry_run_needs_no_weights(made, tmp_path, capsys):
    folder = tmp_path / "config"
    folder.mkdir()
    (folder / "config.json").write_bytes((made.base / "config.json").read_bytes())
    arguments = [
        "train",
        str(made.frozen),
        "--data",
        str(made.data),
        "--base-model",
        str(folder),
        "--dry-run",
    ]
    assert aj.main(arguments) == 0
    said = capsys.readouterr().out
    assert "web" in said
    assert "thinking  0 of 12 rows (0.0\u00a0%) and 0 of 16 trained turns think before they speak" in said
    assert "          plants: 0 of 6 rows" in said
    assert "thinking: 0 of 12 rows" in said  # what that teaches a base that thinks
    assert aj.main([*arguments, "--json", "--gpu", "h200", "--price", "2"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [gpu["gpu"] for gpu in told["gpus"]] == ["H200"]
    assert told["sources"]["web"]["exposure"] == told["epochs"]
    counts = {"rows": 6, "thinking_rows": 0, "turns": 8, "thinking_turns": 0}
    assert told["thoughts"] == {"general": counts, "plants": counts}
    assert "`train.thinking: empty`" in told["thinking"][0]
    capsys.readouterr()
    assert aj.main([*arguments, "--gpu", "abacus"]) == 2
    known = "H200, H100, B200, A100, L40S, RTX 4090, RTX 5090"
    assert capsys.readouterr().err == f"aj train: --gpu abacus: not known; expected one of {known}\n"


@pytest.mark.parametrize(
    ("spelling", "known"),
    [
        ("4090", "RTX 4090"),
        ("rtx4090", "RTX 4090"),
        ("RTX 4090", "RTX 4090"),
        ("GeForce RTX 4090", "RTX 4090"),
        ("NVIDIA GeForce RTX 5090", "RTX 5090"),
        ("geforce-4090", "RTX 4090"),
        ("H200-SXM", "H200"),
        ("h100 sxm5", "H100"),
        ("NVIDIA H100 80GB HBM3", "H100"),
        ("A100-SXM4-80GB", "A100"),
        ("b200_180gb", "B200"),
        ("nvidia l40s", "L40S"),
    ],
)
def test_a_card_is_known_by_the_names_that_people_and_drivers_give_it(spelling, known):
    assert list(named_gpus([spelling])) == [known]


@pytest.mark.parametrize(
    "other",
    ["4080", "RTX 4090 Laptop GPU", "4090D", "H100 PCIe", "H100 NVL", "A100-SXM4-40GB", "L40", "GH200", ""],
)
def test_another_card_is_not_taken_for_one_that_is_known(other):
    with pytest.raises(CurationError, match="not known; expected one of H200"):
        named_gpus([other])


@pytest.mark.parametrize("more", [[], ["--dry-run"]])
def test_sequences_longer_than_the_model_has_positions_are_refused_in_one_line(tmp_path, capsys, more):
    run = frozen_dataset(tmp_path, train={"max_seq_length": 4097})
    assert aj.main(["train", *options(run), *more]) == 2
    assert (
        capsys.readouterr()
        .err.splitlines()[-1]
        .endswith("train.max_seq_length: expected at most 4096, the positions of the base model, got 4097")
    )


def test_a_dry_run_answers_in_one_line_to_a_layer_that_the_model_does_not_have(tmp_path, capsys):
    run = frozen_dataset(tmp_path, train={"target_modules": ["q_proj", "c_attn"]})
    assert aj.main(["train", *options(run), "--dry-run"]) == 2
    assert capsys.readouterr().err.startswith(
        "aj train: train.target_modules: no layer c_attn; the model has"
    )


def test_all_linear_layers_are_recorded_by_their_names_and_give_the_same_adapter(done, tmp_path, capsys):
    run = frozen_dataset(tmp_path, train={"max_steps": 2, "target_modules": "all-linear"})
    assert aj.main(["train", *options(run), "--dry-run"]) == 0
    assert "32,768 trainable" in capsys.readouterr().out
    record, named = train(run.frozen, **run.kwargs).record, read_run(done.out)
    assert record["settings"]["target_modules"] == list(TARGET_MODULES)
    assert record["binding"]["settings"] == named["binding"]["settings"]
    assert json.loads((run.out / "adapter_config.json").read_text())["target_modules"] == sorted(
        TARGET_MODULES
    )
    for name in (ADAPTER, "adapter_config.json"):
        assert (run.out / name).read_bytes() == (done.out / name).read_bytes()


def test_what_is_for_an_estimate_starts_no_training(made, tmp_path, capsys):
    run = made._replace(out=tmp_path / "out")
    for given in (["--gpu", "h100"], ["--price", "2"]):
        assert aj.main(["train", *options(run), *given]) == 2
        assert "expected --dry-run" in capsys.readouterr().err
    assert not run.out.exists()


@pytest.mark.parametrize("wrong", ["-3", "nan", "inf", "three"])
def test_a_price_that_is_none_is_refused(made, capsys, wrong):
    assert aj.main(["train", *options(made), "--dry-run", f"--price={wrong}"]) == 2
    told = f"aj train: --price: {wrong} is no price; expected US dollars per hour, 0 or more"
    assert capsys.readouterr().err.startswith(told)


@pytest.mark.parametrize(
    ("template", "tokens", "own", "known"),
    [
        ("aj_r1", [], None, True),
        ("chatml", [], None, False),
        ("chatml", ["<think>", "</think>"], None, True),
        ("chatml", [], "{% if add_generation_prompt %}<think>{% endif %}", True),
    ],
)
def test_a_base_thinks_by_its_role_tokens_its_vocabulary_or_its_template(
    tmp_path, template, tokens, own, known
):
    added = [{"content": token} for token in ("<|im_end|>", *tokens)]
    (tmp_path / "tokenizer.json").write_text(json.dumps({"added_tokens": added}))
    if own is not None:
        (tmp_path / "chat_template.jinja").write_text(own)
    recipe = SimpleNamespace(template=template, base_model=SimpleNamespace(id="nobody/nothing"))
    admitted = SimpleNamespace(recipe=recipe, frozen=SimpleNamespace(base_revision=None))
    assert thinks_itself(admitted, tmp_path) is known
