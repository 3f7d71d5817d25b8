"""Tokens that the base model never learnt: told before a run, trained by it, merged as peft merges them."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from frozen_dataset import Frozen, frozen_dataset
from peft import PeftModel
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

import aj
from curation.errors import CurationError, Refusal
from curation.rendering.template import built_in
from train.data.encoding import Encoder
from train.model.base import find_base
from train.model.families.decoder import EMBEDDING, HEAD
from train.model.gpus import count_parameters
from train.model.load_model import backend_of, load, parameters
from train.model.tensors import Checkpoint
from train.model.token_rows import check_learnt, token_ids, written_by
from train.run.model_folder import find_model
from train.run.output import read_run
from train.run.train import train
from train.ship.export import export
from train.ship.merge import merge
from train.use.inference import open_inference

END, USER, BEGIN = "<｜end▁of▁sentence｜>", "<｜User｜>", "<｜begin▁of▁sentence｜>"  # noqa: RUF001
THINK = "<think>"


def changed(base: Path, change: Any, *, tied: bool = False) -> Path:
    """A base model whose matrices of the vocabulary went through `change`.

    transformers makes the row of the token to pad with zero, which is the end of a turn too.
    """
    weights = load_file(base / "model.safetensors")
    weights[EMBEDDING][ids(base, END)] = weights[EMBEDDING][5].flip(0)
    change(weights)
    if tied:
        weights.pop(HEAD, None)
    save_file(weights, base / "model.safetensors", {"format": "pt"})
    config = json.loads((base / "config.json").read_text())
    (base / "config.json").write_text(
        json.dumps({**config, "tie_word_embeddings": tied, "pad_token_id": None})
    )
    return base


def ids(base: Path, *tokens: str) -> list[int]:
    encoder = Encoder(base, built_in("aj_r1"))
    return [encoder.added[token] for token in tokens]


def zero(*tokens: str, matrices: tuple[str, ...] = (EMBEDDING, HEAD)) -> Any:
    def change(weights: dict[str, torch.Tensor], base: Path) -> None:
        for name in weights.keys() & {*matrices}:
            weights[name][ids(base, *tokens)] = 0

    return change


@pytest.fixture
def judge(tmp_path):
    """What is said of the tiny base model once its weights were changed; of tools and thoughts too."""
    from train.model.tiny import write_tiny_model

    base = write_tiny_model(tmp_path / "base", hidden=64, layers=1)
    encoder = Encoder(base, built_in("aj_r1"))

    def judged(change: Any, *, tied: bool = False, calls: bool = True, **settings: Any) -> list[str]:
        from curation.recipe.load import TrainSettings

        changed(base, lambda weights: change(weights, base), tied=tied)
        used = written_by(encoder, calls=calls, thoughts=calls)
        found = find_base("example/tiny", folder=base)
        return check_learnt(base, found.config, encoder, used, TrainSettings(**settings))

    return judged


def test_random_rows_are_all_told_apart(judge):
    assert judge(lambda *_: None) == []


@pytest.mark.parametrize("tied", [False, True])
def test_a_row_of_zeros_is_refused_with_figures_and_the_list_to_paste(judge, tmp_path, tied):
    [number] = ids(tmp_path / "base", END)
    with pytest.raises(Refusal) as refused:
        judge(zero(END), tied=tied)
    said = str(refused.value)
    assert f"the embedding of {END} ({number}) is zero (length 0, usual 0.1" in said
    assert f'`train: {{tokens: ["{END}"]}}`' in said
    assert judge(zero(END), tied=tied, tokens=[END]) == []
    assert judge(zero(END), tied=tied, modules_to_save=["embed_tokens", "lm_head"]) == []


def test_rows_that_several_tokens_share_are_refused(judge):
    def alike(weights: dict[str, torch.Tensor], base: Path) -> None:
        one, other = ids(base, END, USER)
        weights[EMBEDDING][one] = weights[EMBEDDING][other] * 1.001

    with pytest.raises(
        Refusal, match=rf"the embedding of {re.escape(END)} \(\d+\) is that of {re.escape(USER)}"
    ):
        judge(alike)


def test_a_row_that_pads_the_vocabulary_is_refused(judge):
    def padded(weights: dict[str, torch.Tensor], base: Path) -> None:
        rows = weights[HEAD]
        first = max(Encoder(base, built_in("aj_r1")).added.values()) + 1
        rows[first:] = rows[first] + 0.1 * rows[first].std() * torch.randn(rows[first:].shape)
        rows[ids(base, END)] = rows[first:].mean(dim=0)

    with pytest.raises(Refusal, match=r"the output row of .* lies among those that pad the vocabulary"):
        judge(padded)


def test_an_output_row_matters_for_what_the_model_writes_itself_alone(judge):
    assert judge(zero(USER, matrices=(HEAD,))) == []
    with pytest.raises(Refusal, match=f"the output row of {THINK}"):
        judge(zero(THINK, matrices=(HEAD,)))


def test_tokens_that_the_rows_do_not_have_are_not_asked_for(judge):
    assert judge(zero(THINK), calls=False) == []


def test_the_token_that_begins_every_text_is_a_remark(judge):
    [remark] = judge(zero(BEGIN))
    assert remark.startswith(f"the embedding of {BEGIN}")


def test_an_untypically_short_row_is_a_remark_with_the_figures(judge):
    def short(weights: dict[str, torch.Tensor], base: Path) -> None:
        weights[EMBEDDING][ids(base, END)] *= 0.1

    [remark] = judge(short)
    assert re.search(r"is untypically short: 0\.01\d, usual 0\.1\d, hardly any below 0\.0\d", remark)


@pytest.mark.parametrize(("text", "how"), [("two words", r"\d of them"), ("", "none")])
def test_what_is_no_single_token_is_one_line(tmp_path, text, how):
    from tiny_model import tiny_model

    with pytest.raises(
        CurationError, match=rf"train.tokens: expected single tokens of .*, '{text}' is {how}"
    ):
        token_ids(tiny_model(tmp_path), [text])


KINDS = {
    "tokens": {"tokens": [END, THINK]},
    "whole": {"modules_to_save": ["embed_tokens", "lm_head"]},
    "one": {"modules_to_save": ["lm_head"]},
}


@pytest.fixture(scope="module", params=[(k, t) for k in KINDS for t in (False, True)], ids=str)
def run(request, tmp_path_factory) -> tuple[Frozen, str, bool]:
    """A finished run on a base model whose end token is zero, tied or not, in bfloat16."""
    kind, tied = request.param
    made = frozen_dataset(
        tmp_path_factory.mktemp("made"),
        train={"max_steps": 2, "save_steps": 1, "lora_dropout": 0.0, **KINDS[kind]},
    )

    def change(weights: dict[str, torch.Tensor]) -> None:
        if kind != "one" or tied:
            zero(END)(weights, made.base)
        for name in weights:
            weights[name] = weights[name].bfloat16()

    changed(made.base, change, tied=tied)
    config = json.loads((made.base / "config.json").read_text())
    (made.base / "config.json").write_text(json.dumps({**config, "dtype": "bfloat16"}))
    train(made.frozen, **made.kwargs)
    return made, kind, tied


def test_the_rows_move_and_are_merged_bit_for_bit_as_peft_does(run, tmp_path):
    made, kind, tied = run
    merge(made.out, tmp_path / "merged", base=made.base)
    ours = AutoModelForCausalLM.from_pretrained(tmp_path / "merged", dtype="auto")
    base = AutoModelForCausalLM.from_pretrained(made.base, dtype="auto")
    before = {name: weight.clone() for name, weight in base.state_dict().items()}
    theirs = PeftModel.from_pretrained(base, made.out).merge_and_unload()
    for name, weight in theirs.state_dict().items():
        assert torch.equal(ours.state_dict()[name], weight), name
    text = torch.tensor([[*range(20), *ids(made.base, END, THINK, USER)]])
    assert torch.equal(ours(text).logits, theirs(text).logits)
    merged = ours.state_dict()
    moved = {name: (merged[name] != before[name]).any(dim=1) for name in (EMBEDDING, HEAD)}
    if kind == "tokens":
        rows = ids(made.base, END, THINK)
        assert moved[EMBEDDING][ids(made.base, END)].all()
        assert all(set(found.nonzero().flatten().tolist()) <= set(rows) for found in moved.values())
    if kind == "whole" or tied:
        assert moved[EMBEDDING].any()
    assert moved[HEAD].any()
    assert torch.equal(merged[EMBEDDING], merged[HEAD]) == tied


def test_a_stopped_run_goes_on_bit_for_bit(run, tmp_path):
    made, _, _ = run
    out = tmp_path / made.out.name
    with pytest.raises(KeyboardInterrupt):
        train(made.frozen, **{**made.kwargs, "out": out}, pause_at=1)
    train(made.frozen, **{**made.kwargs, "out": out}, resume=True)
    name = "adapter_model.safetensors"
    assert (out / name).read_bytes() == (made.out / name).read_bytes()


def test_a_gguf_file_holds_the_trained_rows(run, tmp_path, monkeypatch):
    import gguf

    monkeypatch.setattr("train.ship.export.has_llama", lambda: False)
    made, _, tied = run
    [found] = export(made.out, ["bf16"], out=tmp_path, base=made.base)
    merge(made.out, tmp_path / "merged", base=made.base)
    weights = Checkpoint(tmp_path / "merged")
    read = {tensor.name: tensor.data for tensor in gguf.GGUFReader(found.path).tensors}
    assert ("output.weight" in read) != tied
    for name, source in (("token_embd.weight", EMBEDDING), ("output.weight", HEAD)):
        if name in read:
            expected = weights.read(source).view(torch.uint8).numpy()
            assert (read[name].view("uint8").reshape(expected.shape) == expected).all()


def test_parameters_are_those_that_the_dry_run_counts(run):
    made, kind, _ = run
    record = read_run(made.out)
    settings = json.loads(json.dumps(record["settings"]))
    assert {key: settings[key] for key in KINDS[kind]} == KINDS[kind]
    base = find_base("example/tiny", folder=made.base)
    from curation.recipe.load import TrainSettings

    asked = TrainSettings(**{key: settings[key] for key in ("lora_r", "target_modules", *KINDS[kind])})
    assert count_parameters(base.config, asked).trained == record["loaded"]["trainable_parameters"]


def test_whole_matrices_and_rows_are_trained_in_float32_by_plain_peft(run, monkeypatch):
    from curation.recipe.load import TrainSettings

    made, kind, _ = run
    monkeypatch.setattr("train.model.load_model.compute_dtype", lambda _: torch.bfloat16)
    asked = TrainSettings(lora_r=2, gradient_checkpointing=False, **KINDS[kind])
    model = load(find_base("example/tiny", folder=made.base), asked).model
    trained = [weight for weight in model.parameters() if weight.requires_grad]
    assert {weight.dtype for weight in trained} == {torch.float32}
    assert sum(weight.numel() for weight in trained) == parameters(model)[0]
    assert model.get_input_embeddings()(torch.tensor([[1, 2]])).dtype == torch.bfloat16
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr("train.model.load_model.has_package", lambda _: True)
    assert backend_of(asked) == "peft"


def test_a_run_is_refused_before_it_begins_and_the_dry_run_says_the_same(tmp_path, capsys):
    made = frozen_dataset(tmp_path)
    changed(made.base, lambda weights: zero(END)(weights, made.base))
    told = []
    for more in (["--dry-run"], []):
        given = ["--data", str(made.data), "--base-model", str(made.base), "--out", str(made.out)]
        assert aj.main(["train", str(made.frozen), *given, *more]) == 1
        told.append(capsys.readouterr().err)
    assert told[0] == told[1]
    assert "the base model never learnt 1 of the tokens that the template aj_r1 writes" in told[0]
    assert not made.out.exists()


def test_other_rows_than_the_base_model_has_are_refused(run, tmp_path):
    made, kind, _ = run
    if kind != "tokens":
        return
    out = tmp_path / made.out.name
    shutil.copytree(made.out, out)
    config = json.loads((out / "adapter_config.json").read_text())
    for rows in config["trainable_token_indices"].values():
        rows[-1] = 10_000
    (out / "adapter_config.json").write_text(json.dumps(config))
    from tiny_adapter import seal

    seal(out)
    with pytest.raises(Refusal, match="up to row 10000"):
        merge(out, tmp_path / "merged", base=made.base)


def test_an_adapter_answers_with_its_rows_and_the_base_without_them(run):
    made, _, _ = run
    model = open_inference(find_model(made.out, made.base))
    text = [*range(20), *ids(made.base, END, THINK), 5]
    plain: Any = AutoModelForCausalLM.from_pretrained(made.base, dtype="auto")
    logits = plain(torch.tensor([text])).logits[0].float()
    nats = torch.nn.functional.cross_entropy(logits[19:22], torch.tensor(text[20:]), reduction="none")
    adapted = model.losses(text, [20, 21, 22])
    with model.as_base() as base:
        assert base is not None
        assert base.losses(text, [20, 21, 22]) == pytest.approx(nats.tolist())
    assert (adapted != model.losses(text, [20, 21, 22])).sum() == 0
    assert adapted.tolist() != pytest.approx(nats.tolist(), abs=1e-9)
