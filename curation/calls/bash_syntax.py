"""Whether a command is bash, by a real grammar (tree-sitter-bash). Nothing is ever run.

The grammar has known gaps: on the 12,607 commands of nl2bash it refuses 99, of which `bash -n`
accepts 32. What it refuses is therefore tried once more with these constructs written otherwise.
"""

import re
import threading
from functools import lru_cache
from itertools import accumulate

import tree_sitter_bash
from tree_sitter import Language, Node, Parser

_LANGUAGE = Language(tree_sitter_bash.language())
_local = threading.local()

# Words, options, paths, quoted text, pipes and lists of such: most commands, and always right.
_RESERVED = "if|then|elif|else|fi|for|while|until|do|done|case|esac|in|select|function|time|coproc"
_QUOTED = r"""'[^']*+'|"(?:[^"$`\\!]++|\$[a-zA-Z_]\w*+|\\[^\n])*+\""""
_WORD = rf"""(?:[\w./:=,@%+^*?~\[\]-]++|\\[^\n]|\{{\}}|\$[a-zA-Z_]\w*+|{_QUOTED})++"""
_REDIRECTION = rf"(?:[0-9]?(?:>>?|<) *+{_WORD}|[0-9]?>&[0-9])"
_COMMAND = rf"(?!(?:{_RESERVED})\b){_WORD}(?: ++(?:{_REDIRECTION}|{_WORD}))*+"
_PLAIN = re.compile(rf"{_COMMAND}(?: *+(?:\|\|?|&&|;) *+{_COMMAND})*+", re.ASCII)

_CONTINUING = frozenset({b"then", b"elif", b"else", b"fi", b"do", b"done", b"esac"})
_SUSPECT = re.compile(r"\b(?:then|elif|else|fi|do|done|esac)\b|;;")

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
_MAX_NESTING = 500


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
    if _is_too_deep(command):
        return {"line": 1, "column": 1, "near": command[:80], "missing": ")"}
    root = _parse(command)
    if not root.has_error:
        stray = _stray(root) if _SUSPECT.search(command) else None
        return None if stray is None else _found(stray, command)
    rewritten = command
    for pattern, replacement in _GAPS:
        rewritten = pattern.sub(replacement, rewritten)
    if rewritten != command and not _parse(rewritten).has_error:
        return None
    return _found(_first_error(root), command)


_cached_error = lru_cache(maxsize=16384)(_error)


def _parse(command: str) -> Node:
    parser = getattr(_local, "parser", None)
    if parser is None:
        parser = _local.parser = Parser(_LANGUAGE)
    return parser.parse(command.encode("utf-8", "replace")).root_node


def _is_too_deep(command: str) -> bool:
    """Whether brackets are nested as in no command: the grammar's time grows with their square."""
    if command.count("(") <= _MAX_NESTING:
        return False
    steps = (1 if bracket == "(" else -1 for bracket in command if bracket in "()")
    return max(accumulate(steps)) > _MAX_NESTING


def _stray(root: Node) -> Node | None:
    """A word that only continues a construct, where a command should begin, or a stray `;;`.

    The grammar takes them for a command's name and for the end of a command; bash does not.
    """
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if node.type == "command_name" and node.text in _CONTINUING:
            return node
        if node.type == ";;" and node.parent is not None and node.parent.type != "case_item":
            return node
        waiting.extend(reversed(node.children))
    return None


def _first_error(root: Node) -> Node:
    node = root
    while not node.is_error:
        inner = next((child for child in node.children if child.has_error or child.is_missing), None)
        if inner is None:
            break
        node = inner
    return node


def _found(node: Node, command: str) -> dict[str, object]:
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
