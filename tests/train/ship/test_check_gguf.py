"""What llama.cpp reads out of a file: training's tokens, the model's logits, its own tool's bytes."""

import ctypes
import json
import unicodedata
from functools import partial
from pathlib import Path

import gguf
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_adapter import seal, tiny_adapter, tiny_base
from transformers import Qwen2Config, Qwen2ForCausalLM

from curation.errors import Refusal
from curation.rendering.template import built_in
from curation.row import message
from train.data.encoding import Encoder
from train.run.model_folder import model_template
from train.ship import export as exporting
from train.ship.check_gguf import CONVERSATIONS, open_llama, served_ids, token_text
from train.ship.export import export
from train.use.inference import prompt_ids

llama_cpp = pytest.importorskip("llama_cpp", reason="llama-cpp-python (the extra `export`) is not installed")
pytestmark = pytest.mark.llama
TYPES = ["f16", "bf16", "q8_0", "q4_k_m", "q5_k_m", "q6_k"]

# llama.cpp's numbers of them, enum llama_ftype in include/llama.h.
FILE_TYPES = {"q8_0": 7, "q4_k_m": 15, "q5_k_m": 17, "q6_k": 18}


@pytest.fixture(scope="module")
def files(tmp_path_factory, adapter):
    out = tmp_path_factory.mktemp("gguf")
    return dict(zip(TYPES, export(adapter, TYPES, out=out), strict=True))


@pytest.fixture(scope="module")
def served(files):
    model = open_llama(files["q8_0"].path, context=64)
    yield model
    model.close()


@pytest.mark.parametrize("quant", TYPES)
def test_every_type_is_tried_and_within_its_bound(files, quant):
    check = files[quant].record.check
    assert check["kl_mean"] <= check["max_kl"]
    assert "same tokens as in training" in files[quant].as_text()


def by_its_own_tool(source: Path, quant: str, target: Path) -> dict[str, gguf.ReaderTensor]:
    """The tensors of a file as `llama_model_quantize` writes them to `target`."""
    asked = llama_cpp.llama_model_quantize_default_params()
    asked.ftype, asked.nthread = FILE_TYPES[quant], 2
    llama_cpp.llama_model_quantize(str(source).encode(), str(target).encode(), ctypes.byref(asked))
    return {tensor.name: tensor for tensor in gguf.GGUFReader(target).tensors}


@pytest.mark.parametrize("quant", FILE_TYPES)
def test_every_tensor_has_the_bytes_of_llama_cpps_own_tool(tmp_path, files, quant):
    theirs = by_its_own_tool(files["bf16"].path, quant, tmp_path / "own.gguf")
    ours = {tensor.name: tensor for tensor in gguf.GGUFReader(files[quant].path).tensors}
    assert ours.keys() == theirs.keys()
    for name, tensor in ours.items():
        assert tensor.tensor_type == theirs[name].tensor_type, name
        assert tensor.data.tobytes() == theirs[name].data.tobytes(), name


# Many layers, for those that get more bits; widths that fall back; and one matrix for both ends.
SHAPES = {
    "deep": {"num_hidden_layers": 19},
    "narrow": {"hidden_size": 96},
    "tied": {"tie_word_embeddings": True},
}


@pytest.mark.parametrize("shape", SHAPES)
def test_every_tensor_has_the_type_of_llama_cpps_own_tool(tmp_path, shape):
    base = tiny_base(tmp_path / "base")
    known = json.loads((base / "config.json").read_text())
    config = Qwen2Config(**{**known, "layer_types": None, "intermediate_size": 256, **SHAPES[shape]})
    Qwen2ForCausalLM(config).bfloat16().save_pretrained(base)
    lora = tiny_adapter(tmp_path / "AJ-Tiny-v1.0.0-lora", base)
    kinds = ["q4_k_m", "q5_k_m", "q6_k"]
    made = dict(zip(kinds, export(lora, kinds, out=tmp_path), strict=True))
    (whole,) = export(lora, ["bf16"], out=tmp_path)
    for quant, one in made.items():
        theirs = by_its_own_tool(whole.path, quant, tmp_path / "own.gguf")
        ours = {tensor.name: tensor.tensor_type for tensor in gguf.GGUFReader(one.path).tensors}
        assert ours == {name: tensor.tensor_type for name, tensor in theirs.items()}, quant


def test_widths_that_are_no_multiple_of_256_fall_back_as_in_llama_cpp(tmp_path, adapter):
    from train.ship.quantise import tensor_type

    kinds = {
        "blk.0.attn_q.weight": "Q5_0",
        "blk.0.ffn_down.weight": "Q5_0",
        "blk.1.ffn_down.weight": "Q8_0",
        "output.weight": "Q8_0",
    }
    found = {name: tensor_type(name, (64, 96), "q4_k_m", layers=2, tied=False).name for name in kinds}
    assert found == kinds
    assert tensor_type("blk.0.attn_q.weight", (64, 33), "q4_k_m", layers=2, tied=False).name == "F16"


def wrong(read, name, *, old, new):
    """Another tensor than the one asked for."""
    return read(name.replace(old, "?").replace(new, old).replace("?", new))


# Two matrices of a model of random weights, swapped, say less than the rounding of K-quants.
SWAPS = [("gate_proj", "up_proj", TYPES[:3]), ("layers.0.", "layers.1.", TYPES)]


@pytest.mark.parametrize(
    ("old", "new", "quant"), [(old, new, q) for old, new, quants in SWAPS for q in quants]
)
def test_a_file_with_swapped_tensors_is_refused_and_not_kept(tmp_path, adapter, monkeypatch, old, new, quant):
    def swapped(weights, planned):
        return exporting.encode(wrong(weights.read, planned.source, old=old, new=new), planned.type)

    monkeypatch.setattr(exporting, "tensor_data", swapped)
    with pytest.raises(Refusal, match="not the model's"):
        export(adapter, [quant], out=tmp_path / "out")
    assert not list((tmp_path / "out").glob("*.gguf"))


def test_a_file_without_the_adapter_is_refused(tmp_path, adapter, monkeypatch):
    def base_only(weights, planned):
        return exporting.encode(weights.base.read(planned.source), planned.type)

    monkeypatch.setattr(exporting, "tensor_data", base_only)
    with pytest.raises(Refusal, match="not the model's"):
        export(adapter, ["q8_0"], out=tmp_path / "out")


@pytest.mark.parametrize("place", range(len(CONVERSATIONS)))
def test_llama_cpp_is_served_the_tokens_of_training(served, adapter, place):
    messages, tools = CONVERSATIONS[place]
    encoder = Encoder(adapter, built_in("aj_r1"))
    assert served_ids(served, messages, tools, encoder.template) == prompt_ids(encoder, messages, tools)


# As Qwen2.5's own: arguments as objects, which it writes as JSON. The other wants a text for every content.
OBJECTS = (
    "{%- if tools %}{{- tools | tojson + '\n' }}{%- endif %}"
    "{%- for message in messages %}{{- '<｜User｜>' + message.role + '\n' }}"  # noqa: RUF001
    "{%- if message.content %}{{- message.content }}{%- endif %}"
    "{%- for call in message.tool_calls or [] %}"
    "{%- if call.function is defined %}{%- set call = call.function %}{%- endif %}"
    """{{- '\n<tool_call>\n{"name": "' + call.name + '", "arguments": ' + call.arguments | tojson + '}' }}"""
    "{%- endfor %}{{- '<｜end▁of▁sentence｜>\n' }}{%- endfor %}"  # noqa: RUF001
    "{%- if add_generation_prompt %}{{- '<｜User｜>assistant\n' }}{%- endif %}"  # noqa: RUF001
)
TEXTS_ONLY = OBJECTS.replace("{%- if message.content %}", "").replace(
    "{{- message.content }}{%- endif %}", "{{- message.content + '' }}"
)


@pytest.mark.parametrize(("source", "null"), [(OBJECTS, None), (TEXTS_ONLY, "")])
def test_a_template_of_the_model_that_takes_objects_is_served_as_it_was_trained(tmp_path, source, null):
    base = tiny_base(tmp_path / "base")
    lora = tiny_adapter(tmp_path / "AJ-Tiny-v1.0.0-lora", base)
    (lora / "chat_template.jinja").write_text(source)
    template = model_template(seal(lora))
    assert (template.name, template.calls, template.null_content) == ("model", "object", null)
    (made,) = export(lora, ["q8_0"], out=tmp_path)
    assert "same tokens as in training" in made.as_text()


TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cn"]), max_size=40).filter(
    lambda text: "\0" not in text
)


@settings(max_examples=60)
@given(
    TEXT,
    TEXT,
    TEXT,
    st.dictionaries(st.text("abc_", min_size=1, max_size=5), TEXT | st.integers(), max_size=3),
)
def test_any_conversation_with_tools_is_served_as_it_was_trained(
    served, adapter, system, asked, result, arguments
):
    system, asked, result = (unicodedata.normalize("NFC", text) for text in (system, asked, result))
    call = {"id": "c1", "name": "bash", "arguments": json.dumps(arguments)}
    messages = [
        message("system", system),
        message("user", asked),
        message("assistant", asked or None, tool_calls=[call]),
        message("tool", result, tool_call_id="c1"),
    ]
    encoder = Encoder(adapter, built_in("aj_r1"))
    tools = json.dumps([{"type": "function", "function": {"name": "bash", "description": system}}])
    assert served_ids(served, messages, tools, encoder.template) == prompt_ids(encoder, messages, tools)


def test_the_end_of_a_turn_stops_llama_cpp_and_bos_is_not_doubled(served):
    assert token_text(served, served.token_eos()) == built_in("aj_r1").end
    ids = served.tokenize(b"plain", add_bos=True, special=True)
    assert served.token_bos() not in ids


def test_another_rendering_than_trainings_is_refused(tmp_path, adapter, monkeypatch):
    monkeypatch.setattr(exporting, "parity_ids", partial(lambda encoder: [[1, 2], [3], [4]]))
    with pytest.raises(Refusal, match="other tokens than training saw"):
        export(adapter, ["f16"], out=tmp_path / "out")


def test_a_broken_file_is_one_line(tmp_path, files):
    half = tmp_path / "half.gguf"
    half.write_bytes(files["f16"].path.read_bytes()[:100_000])
    with pytest.raises(Refusal, match=r"llama.cpp cannot load it"):
        open_llama(half, context=8)


@pytest.fixture(scope="module")
def real(tmp_path_factory, corpus):
    """A narrow model with the real vocabulary of DeepSeek-R1-Distill-Qwen, in llama.cpp, and its encoder."""
    folder = tmp_path_factory.mktemp("real")
    tokenizer = corpus / "tokenizer_r1_distill"
    config = Qwen2Config(
        vocab_size=152_064,
        hidden_size=32,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=1,
        num_key_value_heads=1,
        rope_parameters={"rope_type": "default", "rope_theta": 1e6},
        dtype="bfloat16",
    )
    Qwen2ForCausalLM(config).save_pretrained(folder / "base")
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (folder / "base" / name).write_bytes((tokenizer / name).read_bytes())
    lora = tiny_adapter(folder / "AJ-Real-v1.0.0-lora", folder / "base")
    (made,) = export(lora, ["q8_0"], out=folder)
    model = open_llama(made.path, context=64)
    yield model, Encoder(lora, built_in("aj_r1"))
    model.close()


def rows_of(path: Path, count: int):
    """Conversations of a JSONL file or JSON array in OpenAI's shape, as rows."""
    text = path.read_text(encoding="utf-8-sig")
    records = (
        json.loads(text)
        if path.suffix == ".json"
        else [json.loads(line) for line in text.splitlines()[:count]]
    )
    for record in records[:count]:
        said = record.get("messages") or record.get("traj")
        messages = [
            message(
                one["role"],
                one.get("content"),
                tool_calls=[{"id": c["id"], **c["function"]} for c in one.get("tool_calls") or ()],
                tool_call_id=one.get("tool_call_id"),
            )
            for one in said
        ]
        yield messages, json.dumps(record["tools"]) if record.get("tools") else None


@pytest.mark.corpus
@pytest.mark.parametrize(
    ("file", "count"), [("derived_openai_tools/sgd_dev.jsonl", 300), ("tau_bench/gpt-4o-airline.json", 60)]
)
def test_real_conversations_with_tools_are_served_with_the_real_vocabulary_as_trained(
    real, corpus, file, count
):
    model, encoder = real
    compared = 0
    for messages, tools in rows_of(corpus / file, count):
        assert served_ids(model, messages, tools, encoder.template) == prompt_ids(encoder, messages, tools)
        compared += 1
    assert compared >= min(count, 50)


TEXTS = [
    "alpaca_zh/alpaca_zh.jsonl.zst",
    "crd3/crd3_episodes.jsonl.zst",
    "herbal_old_english/33654-0.txt",
    "swe_agent_traj/crypto__eps.traj",
]


@pytest.mark.corpus
@pytest.mark.parametrize("file", TEXTS)
def test_real_text_in_normal_form_c_is_cut_as_training_cuts_it(real, corpus, file):
    model, encoder = real
    with (corpus / file).open("rb") as stream:
        data = zstandard.ZstdDecompressor().stream_reader(stream) if file.endswith(".zst") else stream
        text = unicodedata.normalize("NFC", data.read(300_000).decode("utf-8", "ignore"))
    ours = encoder.whole.encode(text, add_special_tokens=False).ids
    assert list(model.tokenize(text.encode(), add_bos=False, special=True)) == ours
