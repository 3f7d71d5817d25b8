"""A small byte-level BPE tokenizer, trained on the spot, for tests that need a tokenizer and no corpus."""

from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

QWEN2_SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
ROLE_TOKENS = (
    "<｜end▁of▁sentence｜>",  # noqa: RUF001
    "<｜User｜>",  # noqa: RUF001
    "<｜Assistant｜>",  # noqa: RUF001
    "<｜begin▁of▁sentence｜>",  # noqa: RUF001
    "<|im_start|>",
    "<|im_end|>",
    "<think>",
    "</think>",
    "<tool_call>",
    "</tool_call>",
)
SENTENCES = (
    "The garden wants water in the morning, and the herbs want shade.",
    "They're asking what we'll do when the 2 servers don't answer.",
    '{"name": "bash", "arguments": {"command": "docker ps -a | grep web"}}\n',
    "Größe, naïve, déjà vu; 你好，世界。 Привет, мир!",  # noqa: RUF001
    "def answer(question):\n    return [word for word in question.split()]\n\n\n",
)


def train_tokenizer(
    folder: Path, *, normalise: bool = True, split: str = QWEN2_SPLIT, added: bool = True
) -> Path:
    """Write tokenizer.json, with the role tokens of both templates if `added`, to `folder`; return it."""
    tokenizer = Tokenizer(models.BPE())
    if normalise:
        tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(split), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=600, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    tokenizer.train_from_iterator(SENTENCES, trainer)
    tokenizer.add_tokens([AddedToken(text, normalized=False) for text in ROLE_TOKENS if added])
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder
