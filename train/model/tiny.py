"""A model of the right architecture that trains in seconds: for `aj demo --train`, tests and CI.

Qwen2, or another family, with random weights and a byte-level BPE tokenizer that has the control tokens of
DeepSeek-R1-Distill-Qwen. Widths are multiples of 256, as llama.cpp's K-quants ask for.
"""

# ruff: noqa: RUF001 - DeepSeek spells its role tokens with fullwidth bars.

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from train.model.families.family import Family
from train.model.families.qwen2 import FAMILY as QWEN2

WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
BOS, EOS = "<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>"
SPECIAL = (EOS, "<｜User｜>", "<｜Assistant｜>", BOS)
MARKS = ("<think>", "</think>", "<tool_call>", "</tool_call>")
SENTENCES = (
    "The garden wants water in the morning, and the herbs want shade in the afternoon.",
    "They're asking what we'll do when the 2 servers don't answer at all.",
    '{"name": "bash", "arguments": {"command": "docker ps -a | grep web"}}\n',
    '{"type": "function", "function": {"name": "read_file", "parameters": {"type": "object"}}}',
    "def answer(question):\n    return [word for word in question.split()]\n\n\n",
)
# The vocabulary of a model is padded beyond that of its tokenizer, as the real ones are.
PADDED_TO = 64


def tiny_tokenizer(texts: Iterable[str] = SENTENCES, *, vocabulary: int = 600) -> Any:
    """A tokenizer of transformers, trained on `texts`: the same for the same texts."""
    from tokenizers import (
        AddedToken,
        Regex,
        Tokenizer,
        decoders,
        models,
        normalizers,
        pre_tokenizers,
        trainers,
    )
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    words = pre_tokenizers.Split(Regex(WORDS), "isolated")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([words, byte_level])
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=vocabulary, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.add_special_tokens([AddedToken(text, normalized=False, special=True) for text in SPECIAL])
    tokenizer.add_tokens([AddedToken(text, normalized=False, special=False) for text in MARKS])
    fast: Any = PreTrainedTokenizerFast
    return fast(
        tokenizer_object=tokenizer, bos_token=BOS, eos_token=EOS, pad_token=EOS, model_max_length=16384
    )


def write_tiny_model(
    folder: Path,
    texts: Iterable[str] = SENTENCES,
    *,
    hidden: int = 256,
    layers: int = 2,
    vocabulary: int = 600,
    seed: int = 17,
    spread: float = 0.02,
    family: Family = QWEN2,
) -> Path:
    """Write config, float32 weights and tokenizer to `folder`, and return it.

    spread  standard deviation of the weights; a wider one learns more from an adapter alone
    """
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    tokenizer = tiny_tokenizer(texts, vocabulary=vocabulary)
    config = AutoConfig.for_model(
        family.model_type,
        vocab_size=-(-len(tokenizer) // PADDED_TO) * PADDED_TO,
        hidden_size=hidden,
        intermediate_size=2 * hidden,
        num_hidden_layers=layers,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=4096,
        rope_parameters={"rope_type": "default", "rope_theta": 1_000_000.0},
        initializer_range=spread,
        rms_norm_eps=1e-5,
        tie_word_embeddings=False,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        dtype="float32",
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        automatic: Any = AutoModelForCausalLM
        model = automatic.from_config(config)
    folder.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
