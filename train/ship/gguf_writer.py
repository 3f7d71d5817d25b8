"""A model as a GGUF file: metadata, tensor names, and tensors written one at a time.

Every value comes from config.json, the tokenizer and the chat template; the format and the names are
those of llama.cpp's own converter. Source: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
"""

import errno
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import gguf
import numpy as np
from numpy.typing import NDArray

from curation.errors import Refusal
from curation.rendering.template import Template
from train.model.families.decoder import HEAD, rotary
from train.model.families.table import IN_GGUF, family_of
from train.model.tensors import Weights
from train.ship.gguf_tokenizer import NORMALIZER, Vocabulary, read_vocabulary, special_ids

ARCHITECTURES = {name: arch for arch, name in gguf.MODEL_ARCH_NAMES.items()}
# What config.json must say: llama.cpp's defaults are not those of transformers.
WANTED = ("max_position_embeddings", "num_key_value_heads", "rms_norm_eps")


class Header(NamedTuple):
    """What a GGUF file says of itself. file_type: llama.cpp's number of the quantisation."""

    name: str
    file_type: int
    config: Mapping[str, Any]
    tokenizer: Path
    template: Template


class Planned(NamedTuple):
    """A tensor of the file: its own name, the checkpoint's, its type, and its shape in the checkpoint."""

    name: str
    source: str
    type: gguf.GGMLQuantizationType
    shape: tuple[int, ...]


def architecture(config: Mapping[str, Any]) -> gguf.MODEL_ARCH:
    """GGUF's architecture of a model. Refusal for one that this writer does not know."""
    named = (config.get("architectures") or [None])[0]
    if named not in IN_GGUF:
        raise Refusal(f"architecture {named}: GGUF export covers {', '.join(IN_GGUF)}")
    if config.get("use_sliding_window"):
        raise Refusal("config.json: use_sliding_window is on, which llama.cpp does not read for this model")
    scalings = ({key: config.get(key)} for key in ("rope_scaling", "rope_parameters"))
    if any(rotary(scaling)["rope_type"] != "default" for scaling in scalings):
        raise Refusal("config.json: scaled rotary embeddings are not covered by GGUF export")
    missing = [key for key in WANTED if config.get(key) is None]
    if missing or rotary(config)["rope_theta"] is None:
        raise Refusal(f"config.json: no {(*missing, 'rope_theta')[0]}, which a GGUF file says")
    return ARCHITECTURES[str(family_of(config).gguf)]


def tensor_names(weights: Weights, config: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(GGUF name, checkpoint name) in the file's order: embedding, layers, end.

    Refusal for a tensor that the architecture does not have.
    """
    names = gguf.get_tensor_name_map(architecture(config), config["num_hidden_layers"])
    found = []
    for source in weights.entries:
        if source == HEAD and config.get("tie_word_embeddings"):
            continue
        name = names.get_name(source, try_suffixes=(".weight", ".bias"))
        if name is None:
            raise Refusal(f"{source}: a tensor that {config['architectures'][0]} does not have in GGUF")
        found.append((name, source))
    return sorted(found, key=lambda pair: place(pair[0]))


def place(name: str) -> tuple[int, int, str]:
    """Where a tensor stands: embedding first, layers in order, what follows them last."""
    if name.startswith("blk."):
        return 1, int(name.split(".")[1]), name
    return (0 if name.startswith("token_embd") else 2), 0, name


def write_gguf(
    path: Path,
    header: Header,
    tensors: list[Planned],
    make: Callable[[Planned], NDArray[Any]],
) -> None:
    """Write a whole GGUF file; `make` gives each tensor's data in turn, one in memory at a time."""
    arch = architecture(header.config)
    writer = gguf.GGUFWriter(path, gguf.MODEL_ARCH_NAMES[arch])
    try:
        add_model(writer, header)
        add_tokenizer(writer, header)
        for planned in tensors:
            add_tensor_info(writer, planned)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_ti_data_to_file()
        for planned in tensors:
            writer.write_tensor_data(make(planned))
    except OSError as error:
        if error.errno is not None:
            raise
        # numpy says how much of a tensor was written, not what stopped it.
        raise OSError(errno.ENOSPC, "the disk took only a part; free some space") from error
    finally:
        writer.close()


def add_model(writer: gguf.GGUFWriter, header: Header) -> None:
    """Keys of the architecture."""
    config = header.config
    writer.add_type("model")
    writer.add_name(header.name)
    writer.add_file_type(header.file_type)
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_rope_freq_base(rotary(config)["rope_theta"])
    writer.add_vocab_size(config["vocab_size"])
    if config.get("head_dim"):
        writer.add_key_length(config["head_dim"])
        writer.add_value_length(config["head_dim"])


def add_tokenizer(writer: gguf.GGUFWriter, header: Header) -> None:
    """Vocabulary, special tokens and chat template.

    No BOS is added by llama.cpp: training encoded the rendered text and nothing else, and a template that
    wants one writes it.
    """
    vocabulary = read_vocabulary(header.tokenizer, header.config["vocab_size"])
    ids = special_ids(header.tokenizer, header.template, vocabulary)
    add_vocabulary(writer, vocabulary)
    writer.add_eos_token_id(ids.eos)
    if ids.bos is not None:
        writer.add_bos_token_id(ids.bos)
    if ids.pad is not None:
        writer.add_pad_token_id(ids.pad)
    writer.add_add_bos_token(False)
    writer.add_chat_template(header.template.source)


def add_vocabulary(writer: gguf.GGUFWriter, vocabulary: Vocabulary) -> None:
    """The tokens, and how text is cut into them."""
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(vocabulary.pre)
    writer.add_token_list(vocabulary.tokens)
    writer.add_token_types(vocabulary.types)
    writer.add_token_merges(vocabulary.merges)
    writer.add_string(NORMALIZER, vocabulary.normalizer)


def add_tensor_info(writer: gguf.GGUFWriter, planned: Planned) -> None:
    """Announce a tensor: its name, type and size. The dtype given is not used: the type decides."""
    writer.add_tensor_info(
        planned.name, planned.shape, np.dtype(np.float32), tensor_bytes(planned), raw_dtype=planned.type
    )


def tensor_bytes(planned: Planned) -> int:
    """The size of a tensor in the file."""
    block, size = gguf.GGML_QUANT_SIZES[planned.type]
    return int(np.prod(planned.shape)) // block * size
