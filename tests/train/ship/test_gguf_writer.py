import json
import shutil

import gguf
import pytest
import torch
from tiny_adapter import tiny_adapter
from transformers import AutoModelForCausalLM

from curation.errors import CurationError
from train.model.tensors import Checkpoint, fingerprint
from train.ship.export import export

PURE = ["f16", "bf16", "q8_0"]


def values(reader: gguf.GGUFReader, key: str):
    field = reader.get_field(key)
    return field.contents() if field else None


@pytest.mark.usefixtures("without_llama")
def test_the_file_holds_every_key_that_llama_cpp_asks_for(tmp_path, adapter, base):
    (made,) = export(adapter, ["q8_0"], out=tmp_path)
    reader = gguf.GGUFReader(made.path)
    config = json.loads((base / "config.json").read_text())
    tokenizer = json.loads((adapter / "tokenizer.json").read_text())
    ids = {token["content"]: token["id"] for token in tokenizer["added_tokens"]}
    expected = {
        "general.architecture": "qwen2",
        "general.type": "model",
        "general.name": "AJ-Tiny-v1.0.0",
        "general.file_type": 7,
        "general.quantization_version": 2,
        "qwen2.block_count": config["num_hidden_layers"],
        "qwen2.context_length": config["max_position_embeddings"],
        "qwen2.embedding_length": config["hidden_size"],
        "qwen2.feed_forward_length": config["intermediate_size"],
        "qwen2.attention.head_count": config["num_attention_heads"],
        "qwen2.attention.head_count_kv": config["num_key_value_heads"],
        "qwen2.rope.freq_base": 1_000_000.0,
        "qwen2.vocab_size": config["vocab_size"],
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "qwen2",
        "tokenizer.ggml.add_bos_token": False,
        "tokenizer.ggml.eos_token_id": ids["<｜end▁of▁sentence｜>"],  # noqa: RUF001
        "tokenizer.ggml.bos_token_id": ids["<｜begin▁of▁sentence｜>"],  # noqa: RUF001
        "tokenizer.ggml.padding_token_id": ids["<｜end▁of▁sentence｜>"],  # noqa: RUF001
        "tokenizer.chat_template": (adapter / "chat_template.jinja").read_text(),
    }
    assert {key: values(reader, key) for key in expected} == expected
    assert values(reader, "qwen2.attention.layer_norm_rms_epsilon") == pytest.approx(config["rms_norm_eps"])
    types = dict(
        zip(values(reader, "tokenizer.ggml.tokens"), values(reader, "tokenizer.ggml.token_type"), strict=True)
    )
    kinds = ("a", "<｜User｜>", "<tool_call>", "<think>")  # noqa: RUF001
    assert [types[text] for text in kinds] == [1, 3, 4, 4]
    assert len(types) == config["vocab_size"]
    assert types[f"[PAD{config['vocab_size'] - 1}]"] == 5


@pytest.mark.usefixtures("without_llama")
@pytest.mark.parametrize("quant", PURE)
def test_transformers_reads_the_same_weights_out_of_the_file(tmp_path, merged, quant):
    (made,) = export(merged, [quant], out=tmp_path)
    read = AutoModelForCausalLM.from_pretrained(tmp_path, gguf_file=made.path.name, dtype=torch.float32)
    right = Checkpoint(merged)
    tolerance = {"f16": 1e-4, "bf16": 0, "q8_0": 2e-3}[quant]
    for name, weight in read.state_dict().items():
        torch.testing.assert_close(weight, right.read(name).float(), atol=tolerance, rtol=1e-3)


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"architectures": ["MixtralForCausalLM"]}, "GGUF export covers"),
        ({"use_sliding_window": True}, "use_sliding_window"),
        ({"rope_parameters": {"rope_type": "yarn", "rope_theta": 1e6}}, "rotary"),
        ({"rope_scaling": {"type": "yarn", "factor": 4.0}}, "rotary"),
        ({"rope_parameters": None}, "no rope_theta"),
        ({"rms_norm_eps": None}, "no rms_norm_eps"),
    ],
)
def test_an_architecture_that_the_writer_does_not_cover_is_refused(tmp_path, base, config, said):
    other = tmp_path / "base"
    shutil.copytree(base, other)
    trained = {"id": str(other), "fingerprint": fingerprint(other)}
    lora = tiny_adapter(tmp_path / "AJ-Tiny-v1.0.0-lora", other, run={"base": trained})
    known = json.loads((other / "config.json").read_text())
    (other / "config.json").write_text(json.dumps({**known, **config}))
    with pytest.raises(CurationError, match=f"{said}|architecture is Mixtral"):
        export(lora, ["q8_0"], out=tmp_path / "out")
