"""Statements of other languages that the grammar of bash takes for commands: `x = 1`, `import os`.

A shape counts only where nobody would write a command so: `import -window root a.png`, `print a.pdf`, `pass`,
`let i++` and `grep = file` are commands.
"""

import re
from collections.abc import Sequence

# Of PowerShell.
CMDLET = (
    r"(?:Get|Set|New|Remove|Start|Stop|Invoke|Test|Select|Where|ForEach|Write|Read|Import|Export|Add"
    r"|Copy|Move|Rename|Out|Format|Measure|Sort|ConvertTo|ConvertFrom|Restart|Install|Update|Enable|Disable)-"
    r"[A-Z][A-Za-z]+\b"
)
# First, with or without more: a docstring, a cmdlet, what is left of `x |= 1`.
_FIRST = re.compile(rf"[A-Za-z]?(?:\"\"\"|''')|{CMDLET}\Z|=\Z")
# Alone: a sentence in quotes, a label, an item of a list, a decorator, `i++`.
_ALONE = re.compile(
    r"(['\"])(?:use strict|[^'\"$/\\\s]+(?:\s+[^'\"$/\\\s]+){2,}\s*)\1|(?:try|else|finally|default):|.+,"
    r"|@[A-Za-z_][\w.]{2,}|[A-Za-z_][\w.\[\]]*(?<![gc+])(?:\+\+|--)"
)
_KEY = re.compile(r"[\[{(]*['\"]?[A-Za-z_][\w.-]*['\"]?\]?:")
_ASSIGNS = re.compile(r"(?:[-+*/%^@:!?=~]|\*\*|//|\?\?|[=!]=)?=")
# What looks for or writes any text, so that its first argument may be an equals sign.
_TAKES_TEXT = frozenset({"echo", "printf", "grep", "egrep", "fgrep", "zgrep", "rg", "ag", "ack", "tr"})
# A value that a shell alone reads so: an assignment with a needless space.
_SHELL_VALUE = re.compile(r"\$\w+\Z|\$\{|\$\((?!['\"])|\"[`$]")

_DOTTED = r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*"
_MODULES = rf"{_DOTTED}(?: as \w+)?(?: ?, ?{_DOTTED}(?: as \w+)?)*"
_PICTURE = r"\.(?:png|jpe?g|gif|bmp|tiff?|pdf|e?ps|webp|svg|p[bgnp]m|xpm|xwd|miff)\Z"
_NUMBER = r"(?:['\"]?[-+]?[0-9]+['\"]?|--?)(?:\s|\Z)|[^']*[$`]"
_THING = r"(?:table|view|index|database|schema|trigger) "
_AFTER = {
    **dict.fromkeys(("const", "var"), r"[A-Za-z_$\[{]"),
    "let": r"[{\[]|[\w$]+\Z|[\w$]+,|[\w$]+ = ",
    "static": r"\S+ = ",
    "class": r"\S+ extends |.*[:{]\Z",
    "import": rf"(?!.*{_PICTURE}){_MODULES}\Z|.* from |.*\.(?:[cm]?[jt]s|css|json)['\"]\Z",
    "from": r"\S+ import ",
    "export": r"(?:default|const|class|function|async|interface|type) |\* |\{",
    "del": r"\w+(?:\Z|\[|, )|[\w.]+\[",
    "delete": r"this\.|[\w.]+\[|from ",
    **dict.fromkeys(("return", "break", "continue"), rf"(?!{_NUMBER})"),
    **dict.fromkeys(("yield", "raise", "throw", "assert", "await", "nonlocal", "typeof", "SELECT"), ""),
    **dict.fromkeys(("with", "except", "elif", "while", "if", "for", "async"), r".*:\Z"),
    **dict.fromkeys(("insert", "INSERT"), "into "),
    **dict.fromkeys(("update", "UPDATE"), r"\S+ set "),
    **dict.fromkeys(("create", "CREATE", "drop", "DROP", "alter", "ALTER"), _THING),
    "DELETE": "from ",
}
# What stands behind a word that opens a statement.
OPENED_BY = {word: re.compile(shape, re.DOTALL | re.IGNORECASE) for word, shape in _AFTER.items()}


def is_of_another_language(words: Sequence[str]) -> bool:
    """Whether a simple command, its words as written, is a statement of Python, JavaScript or the like."""
    first, rest = words[0], words[1:]
    if _FIRST.match(first):
        return True
    if not rest:
        return _ALONE.fullmatch(first) is not None
    if _ASSIGNS.fullmatch(rest[0]):
        return first not in _TAKES_TEXT and not _SHELL_VALUE.match(" ".join(rest[1:]))
    if _KEY.fullmatch(first) or (len(first) > 1 and first[-1] in ",[" and "=" in rest):
        return True
    shape = OPENED_BY.get(first)
    return shape is not None and shape.match(" ".join(rest)) is not None
