"""Whether a command is bash, by a real grammar (tree-sitter-bash). Nothing is ever run.

The grammar has known gaps: on the 12,607 commands of nl2bash it refuses 99, of which `bash -n`
accepts 32. What it refuses is therefore tried once more with these constructs written otherwise.
"""

import re
import threading
from functools import lru_cache

import tree_sitter_bash
from tree_sitter import Language, Node, Parser

_LANGUAGE = Language(tree_sitter_bash.language())
_local = threading.local()

# Words, options, paths, quoted text, pipes and lists of such: most commands, and always right.
_RESERVED = "if|then|elif|else|fi|for|while|until|do|done|case|esac|in|select|function|time|coproc"
_WORD = r"""(?:[\w./:=,@%+^-]++|'[^']*+'|"[^"$`\\!]*+")++"""
_COMMAND = rf"(?!(?:{_RESERVED})\b){_WORD}(?: ++{_WORD})*+"
_PLAIN = re.compile(rf"{_COMMAND}(?: *(?:\||&&|\|\||;) *{_COMMAND})*+", re.ASCII)

_GAPS = (
    # A backslash at the very end stands for itself.
    (re.compile(r"\s\\\s*\Z"), " x"),
    # An old-style substitution without one inside it is the same as $( ).
    (re.compile(r"(?<!\\)`([^`\\]+)(?<!\\)`"), r"$(\1)"),
    # Extended patterns, as `shopt -s extglob` allows them.
    (re.compile(r"[!@?*+]\((?:[^()'\"`$]|\([^()'\"`$]*\))*\)"), "x"),
    # A dollar sign before what cannot be a name stands for itself.
    (re.compile(r"\$(?=[\s.,/|%)]|\Z)"), "x"),
)

_CACHED_LENGTH = 2048


def bash_error(command: str) -> dict[str, object] | None:
    """Where the first syntax error of a command is: `line` and `column` from 1, `near` the text.

    None if it is bash. Identical short commands are parsed once.
    """
    if len(command) <= _CACHED_LENGTH:
        return _cached_error(command)
    return _error(command)


def _error(command: str) -> dict[str, object] | None:
    if _PLAIN.fullmatch(command):
        return None
    root = _parse(command)
    if not root.has_error:
        return None
    rewritten = command
    for pattern, replacement in _GAPS:
        rewritten = pattern.sub(replacement, rewritten)
    if rewritten != command and not _parse(rewritten).has_error:
        return None
    return _where(root, command)


_cached_error = lru_cache(maxsize=16384)(_error)


def _parse(command: str) -> Node:
    parser = getattr(_local, "parser", None)
    if parser is None:
        parser = _local.parser = Parser(_LANGUAGE)
    return parser.parse(command.encode("utf-8", "replace")).root_node


def _where(root: Node, command: str) -> dict[str, object]:
    node = root
    while True:
        inner = next((child for child in node.children if child.has_error or child.is_missing), None)
        if inner is None or node.is_error:
            break
        node = inner
    row, column = node.start_point
    lines = command.encode("utf-8", "replace").split(b"\n")
    line = lines[row] if row < len(lines) else b""
    found: dict[str, object] = {
        "line": row + 1,
        "column": len(line[:column].decode("utf-8", "replace")) + 1,
        "near": line[column : column + 80].decode("utf-8", "replace"),
    }
    if node.is_missing:
        found["missing"] = node.type
    return found
