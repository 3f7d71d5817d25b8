"""GGUF files say what the model says: read back by transformers, and by llama.cpp where it is installed."""

import errno
import hashlib
import shutil
from pathlib import Path

import pytest
from full_disk import files_up_to
from tiny_adapter import seal, tiny_adapter

from curation.errors import CurationError, Refusal
from curation.rendering.template import built_in
from curation.sealed import read_sealed
from train.ship import export as exporting
from train.ship.export import GgufRecord, export
from train.ship.gguf_metadata import read_metadata
from train.ship.merge import merge

PURE = ["f16", "bf16", "q8_0"]


@pytest.mark.usefixtures("without_llama")
def test_base_and_adapter_give_the_bytes_of_the_merged_model(tmp_path, adapter, merged):
    for name, model in (("a", adapter), ("b", merged)):
        export(model, PURE, out=tmp_path / name)
    for suffix in ("f16", "bf16", "q8"):
        first, second = (tmp_path / n / f"AJ-Tiny-v1.0.0-{suffix}.gguf" for n in ("a", "b"))
        assert first.read_bytes() == second.read_bytes()


@pytest.mark.usefixtures("without_llama")
def test_a_file_beside_its_model_is_told_as_the_model_was(adapter, monkeypatch):
    monkeypatch.chdir(adapter.parent)
    (made,) = export(Path(adapter.name), ["f16"])
    assert made.as_text().startswith("wrote    AJ-Tiny-v1.0.0-f16.gguf: ")
    for left in adapter.parent.glob("*.gguf*"):
        left.unlink()


@pytest.mark.usefixtures("without_llama")
def test_names_and_records_follow_the_version(tmp_path, adapter):
    (made,) = export(adapter, ["q8_0"], out=tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {
        "AJ-Tiny-v1.0.0-q8.gguf",
        "AJ-Tiny-v1.0.0-q8.gguf.json",
        "AJ-Tiny-v1.0.0-q8.Modelfile",
        "AJ-Tiny-v1.0.0-q8.md",
    }
    record = read_sealed(tmp_path / "AJ-Tiny-v1.0.0-q8.gguf.json", GgufRecord)
    assert record == made.record
    assert record.sha256 == hashlib.sha256(made.path.read_bytes()).hexdigest()
    assert "not tried in llama.cpp" in made.as_text()


@pytest.mark.usefixtures("without_llama")
def test_card_and_record_say_how_a_history_reads(tmp_path, adapter):
    (made,) = export(adapter, ["q8_0"], out=tmp_path)
    assert made.record.history["clients"].keys() == {"llama.cpp", "vLLM", "Ollama"}
    card = (tmp_path / "AJ-Tiny-v1.0.0-q8.md").read_text()
    for one in made.record.history["differences"]:
        assert f"| {one['client']} | {one['form']} |" in card
    assert "history  reads as in training after llama.cpp, vLLM, Ollama" in made.as_text()


@pytest.mark.usefixtures("without_llama")
def test_an_adapter_of_the_first_edition_is_exported_with_its_template(tmp_path, base):
    first = built_in("aj_r1", first=True)
    adapter = tiny_adapter(tmp_path / "AJ-Tiny-v1.0.0-lora", base)
    (adapter / "chat_template.jinja").write_text(first.source)
    (made,) = export(seal(adapter), ["f16"], out=tmp_path / "out")
    assert made.record.template_sha256 == first.digest
    assert read_metadata(made.path)["tokenizer.chat_template"] == first.source
    differing = [(one["client"], one["form"]) for one in made.record.history["differences"]]
    assert ("llama.cpp", "words and call") in differing


def test_a_trial_is_refused_merged_or_not(tmp_path, base):
    trial = tiny_adapter(tmp_path / "AJ-Tiny-v1.0.0-lora", base, run={"trial": True})
    merge(trial, tmp_path / "merged")
    for model in (trial, tmp_path / "merged"):
        with pytest.raises(Refusal, match="a trial's adapter") as refusal:
            export(model, ["q8_0"], out=tmp_path / "out")
        assert refusal.value.exit_code == 1


def test_a_model_without_a_record_is_refused(tmp_path, merged):
    shutil.copytree(merged, tmp_path / "model")
    (tmp_path / "model" / "merge.json").unlink()
    with pytest.raises(Refusal, match="no record"):
        export(tmp_path / "model", ["q8_0"])


def test_a_merged_model_with_another_template_than_it_was_made_with_is_refused(tmp_path, merged):
    shutil.copytree(merged, tmp_path / "model")
    (tmp_path / "model" / "chat_template.jinja").write_text("{{ messages }}")
    with pytest.raises(Refusal, match="changed since"):
        export(tmp_path / "model", ["q8_0"])


def test_merged_weights_that_changed_on_the_disk_are_refused(tmp_path, merged):
    shutil.copytree(merged, tmp_path / "model")
    weights = tmp_path / "model" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\0")
    with pytest.raises(Refusal, match="merge again"):
        export(tmp_path / "model", ["q8_0"])


def test_another_split_pattern_is_refused_not_guessed(tmp_path, base):
    lora = tiny_adapter(tmp_path / "AJ-Tiny-v1.0.0-lora", base)
    text = (lora / "tokenizer.json").read_text()
    (lora / "tokenizer.json").write_text(text.replace(r"|\\p{N}|", r"|\\p{N}{1,2}|"))
    with pytest.raises(Refusal, match="Split pattern"):
        export(seal(lora), ["q8_0"], out=tmp_path / "out")


def test_an_unknown_quantisation_lists_the_known_ones(adapter):
    with pytest.raises(CurationError, match="f16, bf16, q8_0, q4_k_m, q5_k_m, q6_k"):
        export(adapter, ["q3_x"])


@pytest.mark.usefixtures("without_llama")
@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()])
def test_a_full_disk_and_ctrl_c_leave_nothing_behind(tmp_path, adapter, monkeypatch, error):
    def fail(*_):
        raise error

    monkeypatch.setattr(exporting, "tensor_data", fail)
    with pytest.raises((CurationError, KeyboardInterrupt)):
        export(adapter, ["q8_0"], out=tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.usefixtures("without_llama")
@pytest.mark.parametrize("size", [1_000, 300_000])
def test_a_file_that_the_disk_takes_only_a_part_of_is_told_as_that(tmp_path, adapter, size):
    told = "q8.gguf: cannot write: (File too large|the disk took only a part; free some space)$"
    with files_up_to(size), pytest.raises(CurationError, match=told):
        export(adapter, ["q8_0"], out=tmp_path / "out")


def test_too_small_a_disk_is_told_before_the_work(tmp_path, adapter, monkeypatch):
    monkeypatch.setattr(exporting, "MARGIN", 10**18)
    with pytest.raises(CurationError, match="GB free"):
        export(adapter, ["q8_0"], out=tmp_path / "out")


@pytest.mark.usefixtures("without_llama")
def test_a_place_that_cannot_be_written_to_is_one_line(tmp_path, adapter):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(CurationError, match="file: cannot be made: File exists; use --out DIR"):
        export(adapter, ["q8_0"], out=tmp_path / "file")


def test_nothing_is_replaced_without_force(tmp_path, adapter, base):
    [made] = export(adapter, ["q8_0"], out=tmp_path)
    made.path.write_bytes(b"mine")
    with pytest.raises(CurationError, match="--force"):
        export(adapter, ["q8_0"], out=tmp_path)
    export(adapter, ["q8_0"], out=tmp_path, force=True)
    other = tiny_adapter(tmp_path / "AJ-Tiny-v1.0.0-lora", base, scale=0.03)
    with pytest.raises(CurationError, match="--force"):
        export(other, ["q8_0"], out=tmp_path)


@pytest.mark.usefixtures("without_llama")
def test_the_same_export_after_ctrl_c_keeps_what_was_finished(tmp_path, adapter, monkeypatch):
    write, written = exporting.write_gguf, []

    def stopped(path, *rest):
        written.append(path.name.split(".gguf")[0])
        if len(written) == 2:
            raise KeyboardInterrupt
        write(path, *rest)

    monkeypatch.setattr(exporting, "write_gguf", stopped)
    with pytest.raises(KeyboardInterrupt):
        export(adapter, ["f16", "q8_0"], out=tmp_path)
    again = export(adapter, ["f16", "q8_0"], out=tmp_path)
    assert [name.rpartition("-")[2] for name in written] == ["f16", "q8", "q8"]
    assert [one.reused for one in again] == [True, False]
    assert "finished before, nothing to do" in again[0].as_text()
    assert [one.record for one in export(adapter, ["f16", "q8_0"], out=tmp_path)] == [
        one.record for one in again
    ]
    assert len(written) == 3
