"""Text that spells a control token of a chat model, and how to make it harmless.

A tokenizer that meets `<|im_end|>` inside a message may encode it as the end of the turn. The
spellings below are those of the chat formats of DeepSeek, Qwen and other ChatML models, Llama,
Mistral, Gemma, Phi and gpt-oss, as their tokenizers publish them; a recipe's own tokenizer adds
its own.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from curation.errors import CurationError

THINK_TOKENS = ("<think>", "</think>")

_PIPED = (
    "begin_of_text end_of_text start_header_id end_header_id eot_id eom_id python_tag "
    "finetune_right_pad_id im_start im_end im_sep endoftext endofprompt EOT system user assistant tool end "
    "start message channel call return constrain observation startoftext fim_prefix fim_middle fim_suffix "
    "fim_pad repo_name file_sep quad_start quad_end box_start box_end object_ref_start object_ref_end "
    "vision_start vision_end vision_pad image_pad video_pad"
)
_WIDE_BAR = "\uff5c"
_FULL_WIDTH = (
    "begin▁of▁sentence end▁of▁sentence User Assistant System tool▁calls▁begin tool▁calls▁end "
    "tool▁call▁begin tool▁call▁end tool▁outputs▁begin tool▁outputs▁end tool▁output▁begin tool▁output▁end "
    "tool▁sep fim▁begin fim▁hole fim▁end ▁pad▁"
)
_OTHERS = (
    "<tool_call> </tool_call> <tool_response> </tool_response> <start_of_turn> <end_of_turn> <bos> <eos> "
    "<s> </s> [INST] [/INST] <<SYS>> <</SYS>> [TOOL_CALLS] [TOOL_RESULTS] [/TOOL_RESULTS] [AVAILABLE_TOOLS] "
    "[/AVAILABLE_TOOLS] [SYSTEM_PROMPT] [/SYSTEM_PROMPT]"
)
# The family of reserved tokens is matched by what all of them begin with.
_PREFIXES = ("<|reserved_special_token_",)

CONTROL_TOKENS = (
    *(f"<|{name}|>" for name in _PIPED.split()),
    *(f"<{_WIDE_BAR}{name}{_WIDE_BAR}>" for name in _FULL_WIDTH.split()),
    *_OTHERS.split(),
    *_PREFIXES,
)


@dataclass(frozen=True)
class Spellings:
    """Control tokens compiled for searching: in plain text, and in JSON text with its escapes."""

    tokens: tuple[str, ...]
    plain: re.Pattern[str]
    escaped: re.Pattern[str]

    def marks(self) -> list[str]:
        """Literals of which a row's JSON text holds at least one if it spells a token anywhere."""
        # In tools and arguments a token may hide behind escapes.
        return [*self.tokens, "\\u", "\\/"]

    def find(self, text: str) -> str | None:
        """The first token that a plain text spells."""
        found = self.plain.search(text)
        return found.group() if found else None

    def find_json(self, text: str) -> str | None:
        """The first token that a JSON text spells, plainly or with escapes."""
        found = self._in_json(text).search(text)
        return _unescape(found.group()) if found else None

    def neutralise(self, text: str) -> tuple[str, int]:
        """`text` with a space after the first character of every token, and how many there were.

        `<|im_end|>` reads `< |im_end|>`: still legible, no longer a token, and there is nothing
        left to do on a second run.
        """
        return _space_out(self.plain, text)

    def neutralise_json(self, text: str) -> tuple[str, int]:
        """The same for a JSON text, whose other bytes stay as they are."""
        return _space_out(self._in_json(text), text)

    def _in_json(self, text: str) -> re.Pattern[str]:
        return self.escaped if "\\u" in text or "\\/" in text else self.plain


def spellings(tokens: Iterable[str]) -> Spellings:
    """`tokens` ready for searching, the longest first."""
    ordered = tuple(sorted(set(tokens), key=lambda token: (-len(token), token)))
    return Spellings(ordered, _pattern(ordered, re.escape), _pattern(ordered, _char))


def added_tokens(tokenizer: Path) -> tuple[str, ...]:
    """The control tokens among a tokenizer's `added_tokens`: special ones, or spelt like one.

    Other added tokens (runs of spaces, HTML tags) are ordinary text and left out, and so are
    `<think>` and `</think>`, which have their place in assistant turns. `tokenizer`: the folder of
    tokenizer.json, or that file. Raises CurationError when it cannot be read.
    """
    path = tokenizer_file(tokenizer)
    try:
        entries = orjson.loads(path.read_bytes())["added_tokens"]
        found = [entry["content"] for entry in entries if _is_control(entry)]
    except OSError as error:
        raise CurationError(f"{path}: cannot read the tokenizer: {error.strerror}") from error
    except (orjson.JSONDecodeError, KeyError, TypeError) as error:
        raise CurationError(f"{path}: not a tokenizer.json with `added_tokens`: {error}") from error
    return tuple(token for token in found if token not in THINK_TOKENS)


def tokenizer_file(tokenizer: Path) -> Path:
    """tokenizer.json of a tokenizer given by its folder or by the file itself."""
    return tokenizer / "tokenizer.json" if tokenizer.is_dir() else tokenizer


def thinking_is_balanced(text: str) -> bool:
    """Whether every <think> is closed before the next one opens, and nothing else is closed."""
    opened = False
    for token in _thinks(text):
        if opened is (token == "<think>"):
            return False
        opened = not opened
    return not opened


def lacks_opening_think(text: str) -> bool:
    """Whether thinking is closed once and never opened: templates put `<think>` into the prompt."""
    return list(_thinks(text)) == ["</think>"]


def _thinks(text: str) -> Iterator[str]:
    return (match.group() for match in re.finditer("</?think>", text))


def _is_control(entry: dict[str, Any]) -> bool:
    content: str = entry["content"]
    if len(content) < 3 or any(c.isspace() for c in content):
        return False
    return bool(entry.get("special")) or "|" in content or _WIDE_BAR in content or content in CONTROL_TOKENS


def _pattern(tokens: Sequence[str], spelling: Callable[[str], str]) -> re.Pattern[str]:
    """Matches any of the tokens, the longest at its place.

    Written as a tree of their characters: an alternation of whole tokens tries every one of them
    wherever a text has a `<`.
    """
    tree: dict[str, Any] = {}
    for token in tokens:
        branch = tree
        for c in token:
            branch = branch.setdefault(c, {})
        branch[""] = {}
    return re.compile(_branches(tree, spelling) if tree else "(?!)")


def _branches(tree: dict[str, Any], spelling: Callable[[str], str]) -> str:
    found = [spelling(c) + _branches(below, spelling) for c, below in sorted(tree.items()) if c]
    if not found:
        return ""
    either = found[0] if len(found) == 1 and "" not in tree else f"(?:{'|'.join(found)})"
    return f"{either}?" if "" in tree else either


def _char(c: str) -> str:
    digits = "".join(f"[{d}{d.upper()}]" if d.isalpha() else d for d in f"{ord(c):04x}")
    slash = r"|\\/" if c == "/" else ""
    return rf"(?:{re.escape(c)}|\\u{digits}{slash})"


def _space_out(pattern: re.Pattern[str], text: str) -> tuple[str, int]:
    total = 0
    while True:
        text, count = pattern.subn(_spaced, text)
        if not count:
            return text, total
        total += count


def _spaced(match: re.Match[str]) -> str:
    spelt = match.group()
    first = 6 if spelt.startswith("\\u") else 2 if spelt.startswith("\\") else 1
    return f"{spelt[:first]} {spelt[first:]}"


def _unescape(spelt: str) -> str:
    found: str = orjson.loads(f'"{spelt}"')
    return found
