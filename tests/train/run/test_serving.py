"""What a card and a `next` line say is done as it stands there."""

import contextlib
import io
import json
import re
import shlex
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from frozen_dataset import Frozen, frozen_dataset
from peft import LoraConfig

import aj
from curation.rendering.template import built_in
from train.run.model_folder import find_model
from train.run.output import PEFT_0_10
from train.run.serving import VLLM_RANKS, adapter_serving, gguf_serving, merged_serving
from train.run.train import train
from train.use.inference import open_inference, prompt_ids

OWN = built_in("aj_r1").source + "{# a template of one's own #}"
SHORT = {"max_steps": 2, "save_steps": 2, "eval_steps": 2}
KINDS: dict[str, dict[str, Any]] = {
    "plain": {},
    "empty": {"train": {"thinking": "empty"}},
    "own template": {"template": "model"},
    "token rows": {"train": {"tokens": ["<think>"]}},
    "saved matrices": {"train": {"modules_to_save": ["embed_tokens", "lm_head"]}},
    "DoRA": {"train": {"use_dora": True}},
    "bounds": {"evaluation": [{"metric": "loss", "max": 99.0}]},
}


@pytest.fixture(scope="module", params=KINDS)
def made(request, tmp_path_factory) -> tuple[str, Frozen]:
    """A trained adapter of each kind; from its folder the base model is found as its card names it."""
    folder = tmp_path_factory.mktemp("run")
    asked = KINDS[request.param]
    run = frozen_dataset(folder, **{**asked, "train": {**SHORT, **asked.get("train", {})}})
    if "template" in asked:
        (run.base / "chat_template.jinja").write_text(OWN)
    train(run.frozen, **run.kwargs)
    (run.out / "example").mkdir()
    (run.out / "example" / "tiny").symlink_to(run.base)
    return request.param, run


def blocks(card: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", card, re.DOTALL | re.MULTILINE)


def said_by(program: str) -> str:
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(program, "card", "exec"), {})
    return out.getvalue()


def answered(folder: Path, base: Path | None) -> str:
    """What the model says by our own way, as the card's program prints it."""
    model = open_inference(find_model(folder, base))
    ids = prompt_ids(model.encoder, [{"role": "user", "content": "What grows in the shade?"}], None)
    made = model.answer(ids, 512)
    return str(model.encoder.whole.decode(made, skip_special_tokens=True))


def test_the_program_in_the_card_answers_as_aj_does(made, monkeypatch):
    _, run = made
    monkeypatch.chdir(run.out)
    [program] = blocks((run.out / "README.md").read_text(), "python")
    assert said_by(program) == answered(run.out, run.base) + "\n"


def next_of(told: str) -> list[list[str]]:
    """The commands of a `next` line."""
    [line] = [line for line in told.splitlines() if line.startswith("next")]
    return [shlex.split(command) for command in line.removeprefix("next").split(", or: ")]


def test_every_command_that_next_names_is_taken(made, tmp_path, capsys, monkeypatch):
    kind, run = made
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.stdin", io.StringIO())
    base = ["--base-model", str(run.base)]
    assert aj.main(["merge", str(run.out), "--out", str(tmp_path / "merged"), *base]) == (kind == "DoRA")
    merged = [] if kind == "DoRA" else next_of(capsys.readouterr().out)
    given = ["--data", str(run.data), *base, "--out", str(run.out)]
    assert aj.main(["train", str(run.frozen), *given]) == 0
    waiting, seen = [*merged, *next_of(capsys.readouterr().out)], []
    while waiting:
        program, *arguments = command = waiting.pop()
        seen.append(" ".join(command[:2]))
        if program == "aj":
            out = ["--out", str(tmp_path), "--force"] if arguments[0] == "export" else []
            data = ["--data", str(run.data), "--max-tokens", "4"] if arguments[0] == "evaluate" else []
            if arguments[0] == "evaluate" and "--frozen" in arguments:
                arguments[arguments.index("--frozen") + 1] = str(run.frozen)
            capsys.readouterr()
            assert aj.main([*arguments, *out, *data]) == 0, command
            if arguments[0] != "try":
                waiting += next_of(capsys.readouterr().out)
        elif program == "ollama":
            assert Path(command[-1]).read_text().startswith("# ollama create")
        else:
            assert Path(command[command.index("-m") + 1]).read_bytes()[:4] == b"GGUF"
    assert ("aj evaluate" in seen) == (kind == "bounds")
    served = {"DoRA": "aj try", "own template": "llama-server -m"}.get(kind, "ollama create")
    assert served in seen


def test_a_card_names_no_command_that_refuses_its_adapter(made):
    kind, run = made
    card = (run.out / "README.md").read_text()
    assert ("`aj export` writes GGUF" in card) == (kind != "DoRA")
    assert ("`aj merge` and `aj export` refuse it" in card) == (kind == "DoRA")


def test_a_merged_model_s_card_answers_as_aj_does(made, tmp_path, monkeypatch):
    kind, run = made
    if kind == "DoRA":
        return
    given = ["--out", str(tmp_path / "one"), "--base-model", str(run.base)]
    assert aj.main(["merge", str(run.out), *given]) == 0
    monkeypatch.chdir(tmp_path / "one")
    [program] = blocks((tmp_path / "one" / "README.md").read_text(), "python")
    assert said_by(program) == answered(Path(), None) + "\n"


def test_the_card_of_a_gguf_file_names_what_reads_its_template(made, tmp_path):
    kind, run = made
    if kind in ("DoRA", "bounds"):
        return
    given = ["--quant", "q8_0", "--out", str(tmp_path), "--base-model", str(run.base)]
    assert aj.main(["export", str(run.out), *given]) == 0
    card = (tmp_path / "AJ-Tiny-v1.0.0-q8.md").read_text()
    assert blocks(card, "bash")[0] == "llama-server -m AJ-Tiny-v1.0.0-q8.gguf --jinja -c 320\n"
    assert ("ollama create" in card) == (tmp_path / "AJ-Tiny-v1.0.0-q8.Modelfile").exists()
    assert ("ollama create" in card) == (kind != "own template")


@pytest.mark.llama
def test_a_file_with_a_template_of_one_s_own_is_measured_and_talks(made, tmp_path, capsys):
    kind, run = made
    if kind != "own template":
        return
    base = ["--base-model", str(run.base)]
    assert aj.main(["export", str(run.out), "--quant", "bf16", "--out", str(tmp_path), *base]) == 0
    file = tmp_path / "AJ-Tiny-v1.0.0-bf16.gguf"
    assert next_of(capsys.readouterr().out)[0] == ["aj", "try", str(file)]
    asked = [{"role": "user", "content": "What grows in the shade?"}]
    there, here = (open_inference(find_model(path, run.base)).encoder for path in (file, run.out))
    assert prompt_ids(there, asked, None) == prompt_ids(here, asked, None)
    assert aj.main(["evaluate", str(file), "--frozen", str(run.frozen), "--data", str(run.data)]) == 0


def test_the_settings_of_an_adapter_load_in_the_oldest_peft_unless_they_need_a_later_one(made):
    kind, run = made
    config = json.loads((run.out / "adapter_config.json").read_text())
    least = re.search(r"peft (\S+) or later", (run.out / "README.md").read_text())[1]
    needed = {"token rows": "0.18", "saved matrices": "0.10"}
    assert least == needed.get(kind, "0.10")
    assert (config.keys() <= PEFT_0_10) == (least == "0.10")
    assert LoraConfig.from_pretrained(str(run.out)).r == config["r"]


def record(**settings: Any) -> dict[str, Any]:
    return {
        "model": "AJ-Tiny-v1.0.0-lora",
        "base": {
            "id": "example/tiny",
            "commit": "abc",
            "revision": None,
            "architecture": "Qwen2ForCausalLM",
        },
        "trial": False,
        "template": {"name": settings.pop("template", "aj_r1")},
        "settings": {"max_seq_length": 2048, "use_dora": False, **settings},
    }


@pytest.mark.parametrize(("rank", "room"), [(1, 8), (64, 64), (96, 128), (512, 512)])
def test_vllm_is_given_room_for_the_rank(rank, room):
    [line] = blocks(adapter_serving(record(), {"r": rank}), "bash")
    words = shlex.split(line)
    assert words[:3] == ["vllm", "serve", "example/tiny"]
    assert words[words.index("--max-lora-rank") + 1] == str(room)
    assert words[words.index("--revision") + 1] == "abc"
    assert room in VLLM_RANKS


@pytest.mark.parametrize(
    "config",
    [{"use_dora": True}, {"modules_to_save": ["lm_head"]}, {"trainable_token_indices": {"lm_head": [1]}}],
)
def test_vllm_is_not_given_an_adapter_that_it_refuses(config):
    card = adapter_serving(record(), {"r": 8, **config})
    assert not blocks(card, "bash")
    assert "`aj merge` first" in card


@pytest.mark.parametrize(
    ("settings", "calls", "thoughts"),
    [
        ({}, "hermes", None),
        ({"thinking": "empty"}, "hermes", "qwen3"),
        ({"template": "model"}, None, None),
        ({"template": "model", "thinking": "empty"}, None, None),
    ],
)
def test_vllm_looks_for_calls_and_thoughts_where_the_template_writes_them(settings, calls, thoughts):
    [line] = blocks(merged_serving(record(**settings), "AJ-Tiny-v1.0.0-merged"), "bash")
    words = shlex.split(line)
    found = dict(pairwise(words))
    assert found.get("--tool-call-parser") == calls
    assert found.get("--reasoning-parser") == thoughts


def test_a_context_that_no_record_tells_is_left_to_the_server():
    assert "llama-server -m one.gguf --jinja\n" in gguf_serving({}, "one.gguf")
