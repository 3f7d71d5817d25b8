"""A model is measured on the approved eval split and judged by its recipe; export asks for that."""

import json
from types import SimpleNamespace

import msgspec
import numpy as np
import polars as pl
import pytest
import torch
from frozen_dataset import frozen_dataset
from tiny_adapter import tiny_adapter
from transformers import AutoModelForCausalLM

from curation.errors import CurationError, Refusal
from curation.recipe.metrics import evaluated_meanings
from curation.recipe.rules import evaluated
from curation.recipe.stages import Tools as ToolSettings
from curation.release.frozen import read_frozen
from curation.row import decode, encode, frame, message
from curation.sealed import read_sealed, write_sealed
from curation.stages.seam import Context
from curation.stages.tools import STAGE
from train.data.gatekeeper import admit
from train.model.load_model import has_package
from train.run.model_folder import Model, find_model
from train.run.output import read_run
from train.ship.evaluation import Evaluation, Verdict, passing_evaluation, verdicts_of
from train.ship.export import check_exportable, export
from train.ship.merge import merge
from train.use import evaluate as evaluating
from train.use.evaluate import (
    AskedTurn,
    EvalRow,
    Spoken,
    as_text,
    choose_turns,
    evaluate,
    judge_of,
    tool_metrics,
)
from train.use.inference import open_inference
from train.use.tool_calls import Answer, AnswerCall, Score

BOUNDS = [{"metric": "loss", "max": 99.0}, {"metric": "tools.quiet_share", "min": 0.0}]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A frozen dataset and an adapter that says it was trained on it."""
    folder = tmp_path_factory.mktemp("evaluate")
    found = frozen_dataset(folder, evaluation=[{"metric": "loss", "max": 99.0}])
    frozen = read_frozen(found.frozen)
    run = {
        "frozen": {
            "name": frozen.name,
            "version": frozen.version,
            "self_sha256": frozen.as_dict()["self_sha256"],
        },
        "evaluation": [{"metric": "loss", "max": 99.0, "min": None}],
    }
    tiny_adapter(found.out, found.base, run=run)
    return found


def measure(made, **options):
    return evaluate(made.out, frozen=made.frozen, data=made.data, base=made.base, max_tokens=8, **options)


@pytest.fixture(scope="module")
def found(made):
    return measure(made)


def test_losses_of_model_and_base_are_those_of_transformers(made, found):
    model = open_inference(find_model(made.out, made.base))
    (row,) = evaluating.eval_rows(admit(made.frozen, made.data))
    (example,) = model.encoder.examples([(row.messages, row.tools)])[0]
    ids = torch.tensor(example.ids[None].astype("int64"))
    labels = torch.where(torch.from_numpy(example.trained), ids, -100)
    base = AutoModelForCausalLM.from_pretrained(made.base, dtype="auto")
    assert found.base["loss"].value == pytest.approx(base(ids, labels=labels).loss.item(), abs=1e-5)
    assert found.metrics["loss"].value != found.base["loss"].value
    change_of = found.metrics["loss"].value - found.base["loss"].value
    assert found.metrics["loss_change"].value == pytest.approx(change_of, abs=2e-6)
    assert {f"loss.group.{row.group}", f"loss.source.{row.source}"} <= found.metrics.keys()


def test_every_metric_has_its_meaning_where_it_is_printed(made, found):
    whole = [name for name in found.metrics if ".group." not in name and ".source." not in name]
    names = [*whole, *(f"tools.{field}_share" for field in Score._fields), "tools.quiet_share"]
    assert list(evaluated_meanings(names)) == list(dict.fromkeys(names))
    shown = as_text(found, made.out, meanings=evaluated_meanings(found.metrics))
    assert "meaning    loss: nats per token" in shown
    assert "           loss_change: the loss less" in shown


def test_a_recipe_may_bound_whatever_is_measured_and_nothing_else(made, found):
    known = evaluated(admit(made.frozen, made.data).recipe)
    assert set(found.metrics) <= set(known)
    scores = [f"tools.{name}_share" for name in (*Score._fields, "quiet")]
    assert [name for name in known if name.startswith("tools.")] == scores


def test_the_file_is_sealed_bound_to_the_adapter_and_lets_export_pass(made, found):
    stored = read_sealed(made.out / "evaluation.json", Evaluation)
    assert stored == found
    assert stored.verdicts == [Verdict("loss", 99.0, None, found.metrics["loss"].value, True)]
    assert check_exportable(find_model(made.out, made.base)) == found.self_sha256
    quant = "q4_k_m" if has_package("llama_cpp") else "q8_0"
    assert as_text(found, made.out).endswith(f"next       aj export {made.out} --quant {quant}")
    assert as_text(found, made.out, made.base).endswith(f" --quant {quant} --base-model {made.base}")


@pytest.mark.parametrize(
    ("run", "adapter", "merged"),
    [
        ({"base": {"architecture": "LlamaForCausalLM"}}, "merge", "try"),
        ({"base": {"architecture": "MistralForCausalLM"}}, "merge", "try"),
        ({"settings": {"use_dora": True}}, "try", "try"),
        ({"trial": True}, "try", "try"),
        ({}, "export", "export"),
    ],
)
def test_what_is_next_is_what_will_not_be_refused(made, found, monkeypatch, run, adapter, merged):
    record = {**read_run(made.out), **run}
    monkeypatch.setattr(evaluating, "read_run", lambda _: record)
    monkeypatch.setattr(evaluating, "merged_model", lambda path: Model(path, "merged", None, record, None))
    for kind, following in (("adapter", adapter), ("merged", merged)):
        changed = Evaluation(**{**{n: getattr(found, n) for n in Evaluation.__struct_fields__}, "kind": kind})
        said = as_text(changed, made.out).splitlines()[-1].partition(" --quant ")[0]
        assert said == f"next       aj {following} {made.out}"


def test_measuring_again_gives_the_same_bytes(made, found):
    before = (made.out / "evaluation.json").read_bytes()
    with pytest.raises(CurationError, match="--force"):
        measure(made)
    measure(made, force=True)
    assert (made.out / "evaluation.json").read_bytes() == before


def test_a_preview_writes_nothing(made, found):
    before = (made.out / "evaluation.json").read_bytes()
    assert measure(made, rows=1).sample
    assert (made.out / "evaluation.json").read_bytes() == before


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"adapter_sha256": "0" * 64}, "another adapter"),
        ({"sample": True}, "sample"),
        ({"verdicts": []}, "other bounds"),
        ({"metrics": {}}, "other bounds"),
    ],
)
def test_export_refuses_an_evaluation_that_does_not_count(tmp_path, made, found, changes, said):
    fields = {**{name: getattr(found, name) for name in Evaluation.__struct_fields__}, **changes}
    write_sealed(tmp_path / "evaluation.json", Evaluation(**fields))
    with pytest.raises(Refusal, match=said):
        passing_evaluation([tmp_path], [{"metric": "loss", "max": 99.0}], found.adapter_sha256)


def test_export_refuses_without_an_evaluation_and_with_a_failed_one(tmp_path, found):
    with pytest.raises(Refusal, match="asks for an evaluation"):
        passing_evaluation([tmp_path], [{"metric": "loss", "max": 1.0}], found.adapter_sha256)
    assert passing_evaluation([tmp_path], [], found.adapter_sha256) is None
    bounds = [{"metric": "loss", "max": 1.0}]
    fields = {name: getattr(found, name) for name in Evaluation.__struct_fields__}
    failed = Evaluation(**{**fields, "verdicts": verdicts_of(bounds, found.metrics)})
    write_sealed(tmp_path / "evaluation.json", failed)
    with pytest.raises(Refusal, match=r"failed: loss \d.*max 1"):
        passing_evaluation([tmp_path], bounds, found.adapter_sha256)


def test_an_edited_evaluation_is_refused(tmp_path, made, found):
    text = (made.out / "evaluation.json").read_text()
    (tmp_path / "evaluation.json").write_text(text.replace('"passed": true', '"passed": false'))
    with pytest.raises(Refusal, match="changed since"):
        passing_evaluation([tmp_path], [{"metric": "loss", "max": 99.0}], found.adapter_sha256)


def test_a_model_trained_from_another_recipe_is_refused(tmp_path, made):
    other = frozen_dataset(tmp_path, train={"max_steps": 7})
    with pytest.raises(Refusal, match="another frozen recipe"):
        evaluate(made.out, frozen=other.frozen, data=other.data, base=made.base, rows=1)


def test_turns_that_call_come_before_those_that_could():
    call = [{"id": "1", "name": "bash", "arguments": "{}"}]
    said = decode(
        encode(
            [
                {"role": "user", "content": "a"},
                {"role": "assistant", "content": None, "tool_calls": call},
                {"role": "tool", "content": "b"},
                {"role": "assistant", "content": "c", "tool_calls": None},
            ]
        )
    )
    with_tools = EvalRow("1", "s", "g", said, "[]")
    without = with_tools._replace(tools=None)
    assert choose_turns([without, with_tools], 5) == [AskedTurn(with_tools, 1), AskedTurn(with_tools, 3)]
    assert [turn.position for turn in choose_turns([with_tools, with_tools], 1)] == [1, 3]
    assert choose_turns([without], 5) == []
    masked = with_tools._replace(messages=[{**m, "weight": 0} for m in with_tools.messages])
    assert choose_turns([masked], 5) == []


def test_turns_of_one_row_count_as_one_draw_for_the_interval():
    def said(turns):
        call = [{"id": "1", "name": "bash", "arguments": "{}"}]
        found = []
        for number in range(80):
            message = {"role": "assistant", "content": None, "tool_calls": call}
            row = EvalRow(str(number), "s", "g", [message] * turns, "[]")
            right = number % 4 == 0
            answer = Answer("", [AnswerCall("bash", {}, None)])
            found += [Spoken(AskedTurn(row, at), answer, Score(*[right] * 4)) for at in range(turns)]
        return tool_metrics(found, 17)["tools.valid_share"]

    assert said(5) == said(1)
    assert (said(5).value, said(5).rows) == (0.25, 80)
    assert said(5).high - said(5).low == pytest.approx(2 * 1.96 * np.sqrt(0.25 * 0.75 / 80), rel=0.15)


def test_the_result_reads_as_json(found):
    assert json.loads(json.dumps(found.as_dict()))["metrics"]["loss"]["rows"] == found.rows


@pytest.mark.parametrize("kind", ["merged", pytest.param("gguf", marks=pytest.mark.llama)])
def test_a_merged_model_and_a_gguf_file_are_measured_beside_their_base(tmp_path, made, found, kind):
    model = merge(made.out, tmp_path / "merged", base=made.base).out
    if kind == "gguf":
        (file,) = export(model, ["f16"], out=tmp_path)
        model = file.path
    other = evaluate(model, frozen=made.frozen, data=made.data, base=made.base, max_tokens=8)
    assert other.adapter_sha256 == found.adapter_sha256
    assert ("aj try" if kind == "gguf" else "aj export") in as_text(other, model).splitlines()[-1]
    for name in ("loss", "loss_change"):
        assert other.metrics[name].value == pytest.approx(found.metrics[name].value, abs=1e-3)
    assert other.base["loss"] == found.base["loss"]


@pytest.mark.parametrize("kind", ["merged", pytest.param("gguf", marks=pytest.mark.llama)])
def test_a_model_whose_bytes_changed_is_not_measured(tmp_path, made, kind):
    model = merge(made.out, tmp_path / "merged", base=made.base).out
    weights = model / "model.safetensors"
    if kind == "gguf":
        (file,) = export(model, ["f16"], out=tmp_path)
        weights = model = file.path
    data = bytearray(weights.read_bytes())
    data[-100] ^= 1
    weights.write_bytes(data)
    with pytest.raises(Refusal, match=r"changed since `aj (merge|export)` wrote it"):
        evaluate(model, frozen=made.frozen, data=made.data, base=made.base, max_tokens=8)


def bare_recipe(root, stages):
    """All that the judge looks at."""
    return SimpleNamespace(stages=stages, data_folder=root)


@pytest.mark.parametrize(
    ("stages", "expected"),
    [
        (["chat", "tools"], "drop"),
        ([{"tools": {"bash_syntax": "flag"}}], "flag"),
        ([{"tools": {"schema": "any", "bash_syntax": "ignore"}}], "ignore"),
        (["chat"], "drop"),
    ],
)
def test_commands_are_judged_as_the_recipes_tools_stage_judges_them(tmp_path, stages, expected):
    assert judge_of(bare_recipe(tmp_path, stages)).bash == expected


CALLS = {
    "of AJ": ("bash", '{"command":"ls"}'),
    "of AJ, not bash": ("bash", '{"command":"if"}'),
    "of AJ, without its command": ("bash", "{}"),
    "of the file": ("fly", '{"to":"Kew"}'),
    "of the file, wrongly": ("fly", '{"to":3}'),
    "of nobody": ("sow", "{}"),
}
OWN = '[{"name":"sow","parameters":{"type":"object"}}]'


@pytest.mark.parametrize("own", [None, "[]", OWN])
@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize(
    "settings",
    [
        None,
        {},
        {"schema": "any"},
        {"schema": "any", "bash_syntax": "flag"},
        {"schema": "tools/fly.json"},
        {"sources": {"flights": "tools/fly.json"}},
        {"schema": "tools/fly.json", "sources": {"flights": "any", "garden": "aj_tools"}},
    ],
)
def test_a_call_is_valid_where_the_tools_stage_of_the_recipe_keeps_it(tmp_path, settings, call, own):
    (tmp_path / "tools").mkdir()
    parameters = {"type": "object", "properties": {"to": {"type": "string"}}}
    (tmp_path / "tools/fly.json").write_text(json.dumps([{"name": "fly", "parameters": parameters}]))
    name, arguments = CALLS[call]
    entry = {"id": "1", "name": name, "arguments": arguments}
    said = [
        message("user", "x"),
        message("assistant", tool_calls=[entry]),
        message("tool", "ok", tool_call_id="1"),
        message("assistant", "done"),
    ]
    sources = ("flights", "garden")
    bound = STAGE.bind(
        msgspec.convert(settings or {}, ToolSettings), Context(sources=sources, data_root=tmp_path)
    )
    judge = judge_of(bare_recipe(tmp_path, ["chat"] if settings is None else [{"tools": settings}]))
    for source in sources:
        rows = frame([said], [own]).with_columns(source=pl.lit(source))
        tools = judge.tools(EvalRow("1", source, "g", said, own))
        problem = tools.problem(AnswerCall(name, json.loads(arguments), None, arguments))
        assert (problem is None) == (bound(rows).kept.height == 1), (source, problem)


def test_a_file_of_tools_that_is_not_here_is_told_and_offers_nothing(tmp_path, capsys):
    stages = [{"tools": {"schema": "any", "sources": {"flights": "tools/fly.json"}}}]
    judge = judge_of(bare_recipe(tmp_path, stages))
    lost = tmp_path / "tools/fly.json"
    assert capsys.readouterr().err == f"{lost}: not there; calls that it was to judge count as not valid\n"
    call = AnswerCall("sow", {}, None)
    rows = {source: EvalRow("1", source, "g", [], None) for source in ("flights", "garden")}
    assert judge.tools(rows["flights"]).problem(call) == "no tool named sow"
    assert judge.tools(rows["garden"]).problem(call) is None
    assert judge.tools(rows["flights"]._replace(tools=OWN)).problem(call) is None
