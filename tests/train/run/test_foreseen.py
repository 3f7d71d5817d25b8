"""What `aj train` or `aj export` would refuse, told by `aj check` and at the beginning of `aj run`."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from safetensors.torch import load_file, save_file
from small_recipe import write_jsonl
from tiny_model import made

import aj
from curation.rendering.template import built_in
from train.data.encoding import Encoder
from train.model.families.decoder import EMBEDDING
from train.model.families.mistral import FAMILY as MISTRAL

USER = "<｜User｜>"  # noqa: RUF001
SEVEN = "q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj, down_proj"
ROW = {"messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "hello"}]}


def told(folder: Path, capsys, base: str, *more: str, verb: str = "check", **changes: Any) -> tuple[int, str]:
    """The exit code, and what is printed of a recipe on a base model."""
    write_jsonl(folder / "chats.jsonl", [ROW])
    recipe = {
        "name": "small",
        "version": "1.0.0",
        "seed": 1,
        "base_model": {"id": base, "code": "Tiny"},
        "sources": {"chats": {"uri": "chats.jsonl", "reader": "messages", "group": "talk"}},
        "mixture": {"shares": {"talk": 1.0}},
        **changes,
    }
    (folder / "r.yaml").write_text(yaml.safe_dump(recipe, sort_keys=False))
    capsys.readouterr()
    code = aj.main([verb, str(folder / "r.yaml"), *more])
    printed = capsys.readouterr()
    return code, printed.err if code == 2 else printed.out


def copy_of_base(folder: Path, **config: Any) -> Path:
    """The tiny base model without its weights, its config changed."""
    base = folder / "base"
    base.mkdir()
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(made() / name, base / name)
    (base / "config.json").write_text(
        json.dumps({**json.loads((made() / "config.json").read_text()), **config})
    )
    return base


def test_a_recipe_that_trains_is_right(tmp_path, capsys):
    base = copy_of_base(tmp_path)
    for train in (
        {},
        {"target_modules": "all-linear"},
        {"target_modules": ["q_proj"], "max_seq_length": 4096},
    ):
        assert told(tmp_path, capsys, str(base), train=train)[0] == 0


@pytest.mark.parametrize(
    ("config", "train", "said"),
    [
        (
            {},
            {"target_modules": ["q_proj", "c_attn"]},
            f"train.target_modules: no layer c_attn; the model has {SEVEN}",
        ),
        (
            {},
            {"max_seq_length": 4097},
            "train.max_seq_length: expected at most 4096, the positions of the base model, got 4097",
        ),
        (
            {"quantization_config": {"quant_method": "gptq"}},
            {"load_in_4bit": True},
            "train.load_in_4bit: expected false, the base model is quantised by gptq already",
        ),
        (
            {"architectures": ["GPT2LMHeadModel"]},
            {},
            "base_model.id: {base}/config.json: the architecture is GPT2LMHeadModel; expected one of "
            "Qwen2ForCausalLM, Qwen3ForCausalLM, LlamaForCausalLM, MistralForCausalLM",
        ),
        (
            {"vocab_size": 64},
            {},
            "template: {base}: the tokenizer's largest id is {largest}, the model has 64 embeddings; this is "
            "the tokenizer of another model",
        ),
    ],
)  # fmt: skip
def test_what_the_base_model_does_not_take_is_one_line_at_its_key(tmp_path, capsys, config, train, said):
    base = copy_of_base(tmp_path, **config)
    tokens = json.loads((base / "tokenizer.json").read_text())["added_tokens"]
    said = said.format(base=base, largest=max(token["id"] for token in tokens))
    for verb in ("check", "run"):
        code, printed = told(tmp_path, capsys, str(base), verb=verb, train=train)
        assert code == 2
        [line] = printed.splitlines()
        assert line.startswith(f"aj {verb}: {tmp_path / 'r.yaml'}:")
        assert line.endswith(said)
    assert not (tmp_path / "build").exists()


def test_all_that_is_wrong_is_told_at_once_and_a_folder_can_be_named(tmp_path, capsys):
    base = copy_of_base(tmp_path)
    train = {"target_modules": ["w1"], "max_seq_length": 9000}
    bounds = {"evaluation": [{"metric": "loss", "max": 1.0}], "split": {"eval": 0}}
    code, printed = told(tmp_path, capsys, "acme/tiny", "--base-model", str(base), train=train, **bounds)
    assert code == 2
    for said in (
        "no layer w1",
        "expected at most 4096",
        "evaluation: measured on held-out rows, and there will",
    ):
        assert said in printed
    assert len(printed.splitlines()) == 4


def test_without_the_base_model_layers_that_no_model_has_are_told(tmp_path, capsys):
    code, printed = told(
        tmp_path, capsys, "acme/tiny", train={"target_modules": ["w1"], "max_seq_length": 9000}
    )
    assert code == 2
    assert printed.endswith(f"no layer w1 in any model that can be trained here; they have {SEVEN}\n")
    assert told(tmp_path, capsys, "acme/tiny", train={"target_modules": "all-linear"})[0] == 0
    big = "deepseek-ai/DeepSeek-R1-Distill-Qwen-32B"
    assert "expected at most 131072" in told(tmp_path, capsys, big, train={"max_seq_length": 131073})[1]


def test_another_commit_than_the_recipe_names_is_told(tmp_path, capsys):
    snapshot = tmp_path / "snapshots" / ("a" * 40)
    snapshot.parent.mkdir()
    copy_of_base(tmp_path).rename(snapshot)
    named = {"id": "acme/tiny", "code": "Tiny", "revision": "b" * 40}
    code, printed = told(tmp_path, capsys, "", "--base-model", str(snapshot), base_model=named)
    assert code == 2
    assert f"holds acme/tiny at commit {'a' * 40}, the recipe names {'b' * 40}" in printed


def test_a_template_that_the_tokenizer_does_not_know_is_told(tmp_path, capsys):
    base = copy_of_base(tmp_path)
    code, printed = told(tmp_path, capsys, str(base), template="chatml")
    assert code == 2
    assert "template: " in printed
    assert "<|im_end|>" in printed


def test_a_tokenizer_that_counts_otherwise_than_the_base_model_s_is_told(tmp_path, capsys):
    base = copy_of_base(tmp_path)
    other = json.loads((base / "tokenizer.json").read_text())
    (tmp_path / "same.json").write_text(json.dumps(other))
    assert told(tmp_path, capsys, str(base), tokenizer={"path": "same.json"})[0] == 0
    (tmp_path / "other.json").write_text(json.dumps({**other, "added_tokens": []}))
    code, printed = told(tmp_path, capsys, str(base), tokenizer={"path": "other.json"})
    assert code == 2
    assert re.search(
        r"tokenizer: counts \d+ tokens of a plain conversation by .*other\.json, training \d+", printed
    )


@pytest.mark.parametrize(
    ("config", "train", "said"),
    [
        ({}, {"use_dora": True}, "use_dora: `aj merge` and `aj export` cover no DoRA adapter"),
        ({"architectures": [MISTRAL.architecture]}, {}, "MistralForCausalLM: `aj export` covers Qwen2"),
        ({"quantization_config": {"quant_method": "awq"}}, {}, "a base model quantised by awq: `aj merge`"),
        ({}, {"lora_r": 520}, "lora_r 520: vLLM serves adapters up to 512"),
        ({}, {"lora_r": 200}, "lora_r 200: more than the 128 that the rank of k_proj can be"),
    ],
)  # fmt: skip
def test_what_will_not_be_merged_exported_or_served_is_a_note(tmp_path, capsys, config, train, said):
    code, printed = told(tmp_path, capsys, str(copy_of_base(tmp_path, **config)), train=train)
    assert code == 0
    assert f"\nnote    {said}" in printed
    code, printed = told(tmp_path, capsys, str(tmp_path / "base"), "--json", train=train)
    assert any(said in line for line in json.loads(printed)["cautions"])


def test_tokens_that_the_base_never_learnt_or_does_not_have_are_told(tmp_path, capsys):
    base = tmp_path / "base"
    shutil.copytree(made(), base)
    weights = load_file(base / "model.safetensors")
    number = Encoder(base, built_in("aj_r1")).added[USER]
    weights[EMBEDDING][number] = 0
    save_file(weights, base / "model.safetensors", {"format": "pt"})
    code, printed = told(tmp_path, capsys, str(base))
    assert code == 2
    assert f"template: {base}: the base model never learnt 1 of the tokens that" in printed
    assert f'`train: {{tokens: ["{USER}"]}}`' in printed
    code, printed = told(tmp_path, capsys, str(base), train={"tokens": [USER]})
    assert code == 0
    assert "\nnote    rows of the vocabulary are trained: vLLM" in printed
    code, printed = told(tmp_path, capsys, str(base), train={"tokens": [USER, "two words"]})
    assert code == 2
    assert "train.tokens: expected single tokens of" in printed


@pytest.mark.parametrize(
    ("train", "said"),
    [
        ({"tokens": ["a"], "modules_to_save": ["lm_head"]}, "train.tokens: modules_to_save trains all rows"),
        ({"modules_to_save": ["norm"]}, "train.modules_to_save[0]: expected one of embed_tokens, lm_head"),
    ],
)
def test_what_can_be_trained_of_the_vocabulary_is_rows_or_matrices(tmp_path, capsys, train, said):
    code, printed = told(tmp_path, capsys, "acme/tiny", train=train)
    assert code == 2
    assert said in printed
