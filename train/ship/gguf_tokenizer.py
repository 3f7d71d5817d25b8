"""A byte-level BPE tokenizer as the metadata of a GGUF file, and back: llama.cpp cuts text as training did.

Covers tokenizer.json with the Split patterns that llama.cpp knows by name; others are refused, since a
near pattern would cut some texts otherwise.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from gguf import TokenType

from curation.errors import CurationError, Refusal
from curation.rendering.template import Template
from train.model.adapter import read_json
from train.ship.gguf_metadata import read_metadata

LETTERS = r"[^\r\n\p{L}\p{N}]?\p{L}+"
REST = r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
CONTRACTIONS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
# The Split pattern of tokenizer.json → llama.cpp's name of it. Source: llama.cpp, src/llama-vocab.cpp.
PRE_TOKENIZERS = {
    rf"{CONTRACTIONS}|{LETTERS}|\p{{N}}|{REST}": "qwen2",
    rf"{CONTRACTIONS}|{LETTERS}|\p{{N}}{{1,3}}|{REST}": "llama-bpe",
}
# Spelled like these, a token is a control token to llama.cpp's converter even when it is not flagged so.
CONTROL_EDGES = (("<|", "|>"), ("<\uff5c", "\uff5c>"))


# Where GGUF has no place for what tokenizer.json says; llama.cpp does not normalise and passes it over.
NORMALIZER = "aj.tokenizer.normalizer"
NFC = '{"type": "NFC"}'


class Vocabulary(NamedTuple):
    """The tokens of a model in order of id, padded to the rows of its embedding.

    ids: the added tokens' ids by text. normalizer: of tokenizer.json, as JSON.
    """

    pre: str
    tokens: list[str]
    types: list[int]
    merges: list[str]
    ids: dict[str, int]
    normalizer: str


def read_vocabulary(folder: Path, size: int) -> Vocabulary:
    """The vocabulary of a tokenizer folder for a model with `size` embeddings.

    Refusal when llama.cpp has no tokenizer that cuts text alike, or the model has fewer embeddings.
    """
    path = folder / "tokenizer.json"
    document = read_json(path)
    model = document.get("model") or {}
    if model.get("type") != "BPE" or model.get("byte_fallback") or model.get("ignore_merges"):
        raise Refusal(f"{path}: not a byte-level BPE tokenizer; GGUF export covers those only")
    pre = pre_tokenizer(document, path)
    added = {token["content"]: token for token in document.get("added_tokens", [])}
    by_id = {number: token for token, number in model["vocab"].items()}
    by_id |= {token["id"]: content for content, token in added.items()}
    if max(by_id) >= size:
        raise Refusal(f"{path}: ids up to {max(by_id):,}, and the model has {size:,} embeddings")
    return Vocabulary(
        pre=pre,
        tokens=[by_id.get(number, f"[PAD{number}]") for number in range(size)],
        types=[token_type(by_id.get(number), added) for number in range(size)],
        merges=[pair if isinstance(pair, str) else merge_line(pair) for pair in model["merges"]],
        ids={content: token["id"] for content, token in added.items()},
        normalizer=json.dumps(document.get("normalizer")),
    )


def pre_tokenizer(document: Mapping[str, Any], path: Path) -> str:
    """llama.cpp's name of the way text is cut into words."""
    steps = (document.get("pre_tokenizer") or {}).get("pretokenizers") or []
    patterns = [step["pattern"].get("Regex") for step in steps if step.get("type") == "Split"]
    if len(patterns) != 1 or patterns[0] not in PRE_TOKENIZERS:
        raise Refusal(f"{path}: llama.cpp has no tokenizer with its Split pattern: {patterns}")
    return PRE_TOKENIZERS[patterns[0]]


def merge_line(pair: list[str]) -> str:
    """A merge as GGUF has it. Spaces within a part are escaped as llama.cpp's converter does."""
    return " ".join("".join(chr(ord(c) + 256) if c == " " else c for c in part) for part in pair)


def token_type(token: str | None, added: Mapping[str, Mapping[str, Any]]) -> int:
    """Control tokens are hidden when text is shown; user-defined ones (`<tool_call>`) are not."""
    if token is None:
        return int(TokenType.UNUSED)
    if token not in added:
        return int(TokenType.NORMAL)
    spelled = any(token.startswith(start) and token.endswith(end) for start, end in CONTROL_EDGES)
    return int(TokenType.CONTROL if added[token].get("special") or spelled else TokenType.USER_DEFINED)


class SpecialIds(NamedTuple):
    """Ids that llama.cpp asks for; null where the tokenizer has none."""

    bos: int | None
    eos: int
    pad: int | None


def special_ids(folder: Path, template: Template, vocabulary: Vocabulary) -> SpecialIds:
    """BOS and padding of the tokenizer, and as EOS the token that ends a turn in the template.

    CurationError when the template ends turns with something that is no token.
    """
    if template.end not in vocabulary.ids:
        raise CurationError(
            f"{folder}: the template ends turns with {template.end!r}, which is no token of the vocabulary"
        )
    config = read_json(folder / "tokenizer_config.json")

    def number(key: str) -> int | None:
        value = config.get(key)
        text = value.get("content") if isinstance(value, dict) else value
        return vocabulary.ids.get(text) if isinstance(text, str) else None

    return SpecialIds(number("bos_token"), vocabulary.ids[template.end], number("pad_token"))


def tokenizer_document(path: Path) -> dict[str, Any]:
    """The content of tokenizer.json, made again from a GGUF file: every text has the same ids.

    The file of another exporter, or of an earlier version, says nothing of a normaliser; then it is Qwen's,
    NFC. Refusal for another tokenizer than this module writes.
    """
    found = read_metadata(path)
    patterns = {name: pattern for pattern, name in PRE_TOKENIZERS.items()}
    pattern = patterns.get(found.get("tokenizer.ggml.pre", ""))
    if found.get("tokenizer.ggml.model") != "gpt2" or pattern is None:
        raise Refusal(f"{path}: no tokenizer in it that is one of {', '.join(patterns)}")
    used = [
        (number, token, kind)
        for number, (token, kind) in enumerate(
            zip(found["tokenizer.ggml.tokens"], found["tokenizer.ggml.token_type"], strict=True)
        )
        if kind != TokenType.UNUSED
    ]
    plain = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
    return {
        "version": "1.0",
        "added_tokens": [
            {"id": number, "content": token, "special": kind == TokenType.CONTROL, **plain}
            for number, token, kind in used
            if kind in (TokenType.CONTROL, TokenType.USER_DEFINED)
        ],
        "normalizer": json.loads(found.get(NORMALIZER, NFC)),
        "pre_tokenizer": {
            "type": "Sequence",
            "pretokenizers": [
                {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False},
                {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False},
            ],
        },
        "post_processor": None,
        "decoder": {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False},
        "model": {
            "type": "BPE",
            # The added tokens too, so that they keep their ids; no merge leads to them.
            "vocab": {token: number for number, token, _ in used},
            "merges": [merge.split(" ") for merge in found["tokenizer.ggml.merges"]],
        },
    }
