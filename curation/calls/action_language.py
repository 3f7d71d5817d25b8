"""Which language an action is in, as far as the text itself shows it: one of actions.LANGUAGES, or none."""

import ast
import re
import warnings

from curation.calls.bash.other_languages import CMDLET
from curation.calls.bash.syntax import bash_error, keeps_the_grammar

FENCES = {
    **dict.fromkeys(("bash", "sh", "shell", "console", "zsh"), "bash"),
    **dict.fromkeys(("sql", "mysql", "sqlite", "postgresql"), "sql"),
    **dict.fromkeys(("python", "python3", "py"), "python"),
    **dict.fromkeys(("powershell", "pwsh", "ps1"), "powershell"),
}

# Statements that are no command of a shell. `select` is one of bash's own words in `select x in …`.
_SQL = re.compile(
    r"\s*\(?\s*(?:select\b(?!\s+\w+\s+in\b)|insert\s+into\b|replace\s+into\b|delete\s+from\b"
    r"|update\s+[\w.`\"]+\s+set\b|with\s+(?:recursive\s+)?\w+(?:\s*\([^)]*\))?\s+as\s*\("
    r"|(?:create|drop|alter)\s+(?:or\s+replace\s+)?(?:temp(?:orary)?\s+|unique\s+)?"
    r"(?:table|view|index|database|schema|trigger)\b"
    r"|show\s+(?:full\s+)?(?:tables|databases|columns|create|index|schemas)\b|describe\s+[\w.`\"]+\s*;?\s*\Z"
    r"|desc\s+[\w.`\"]+\s*;?\s*\Z|explain\s+\w|pragma\s+\w)",
    re.IGNORECASE,
)
# What may also open a statement where the source is known to be SQL.
_SQL_TOO = re.compile(r"\s*(?:set|use|call|begin|commit|rollback|truncate|analyze|values)\b", re.IGNORECASE)
_COMMENT = re.compile(r"(?:\s*(?:--[^\n]*\n|/\*.*?\*/))+", re.DOTALL)
_PYTHON = re.compile(
    r"\s*(?:(?:async\s+)?def\s+\w+\s*\(|class\s+\w+\s*[(:]|from\s+[\w.]+\s+import\s"
    r"|import\s+[\w.]+(?:\s+as\s+\w+)?\s*\n|print\()"
)
# What opens Python too, where it is no bash.
_PYTHON_TOO = re.compile(r"\s*(?:[\w.]+\s+=\s|[\w.]+\(|@\w+|(?:for|while|if|with|try)\b[^\n]*:\s*(?:\n|\Z))")
# A cmdlet, or a variable set as no other shell does it.
_POWERSHELL = re.compile(rf"(?:^|[|;({{=&]\s*){CMDLET}|^\s*\$\w+ = |\$env:\w", re.MULTILINE)
_PROSE = re.compile(r"\s*[A-Z][a-z]*(?:'[a-z]+)?,?(?: [a-z]+(?:'[a-z]+)?,?){3}")
_LIKE_BASH = re.compile(r"(?:^|\s)-{1,2}[A-Za-z]|[|;&<>$]|(?:^|\s)\.{0,2}/\w|(?:^|\s)~/|\w\.\w{1,4}(?:\s|$)")
_BACKQUOTED = re.compile(r"`([^`]*)`")
# Programs whose name says enough, and which no game or shop takes for a verb.
_PROGRAMS = re.compile(
    r"(?:ls|cat|head|tail|e?grep|rg|sed|awk|sort|uniq|wc|tr|xargs|cd|pwd|mkdir|rmdir|rm|cp|mv|ln|chmod|chown"
    r"|df|du|ps|uname|whoami|hostname|date|echo|printf|export|sudo|su|apt|apt-get|yum|dnf|pip3?|python3?|node"
    r"|npm|git|gcc|curl|wget|ssh|scp|rsync|tar|g?zip|gunzip|unzip|docker|kubectl|systemctl|journalctl|crontab"
    r"|ip|ping|netstat|ss|diff|md5sum|sha256sum|tee|basename|dirname|stat|vim|nano|bash|sh|java|perl|ruby"
    r"|cargo|pytest)(?=\s|\Z)"
)


def evident_language(text: str) -> str | None:
    """The language that a text is evidently in; None where it could be several, or none of them."""
    bare = _COMMENT.sub("", text, count=1)
    if _SQL.match(bare):
        return "sql"
    if _POWERSHELL.search(text):
        return "powershell"
    if _PYTHON.match(text) and _is_python(text):
        return "python"
    if _PROSE.match(text):
        return None
    if bash_error(text) is not None:
        return "python" if _PYTHON_TOO.match(text) and _is_python(text) else None
    return "bash" if _PROGRAMS.match(text.lstrip()) or _LIKE_BASH.search(_without_marks(text)) else None


def may_be(text: str, language: str) -> bool:
    """Whether a text may stand in a source of a language.

    SQL must open as a statement and Python must parse. A shell's command is what is evidently in no
    other language and no sentence: the syntax of bash is the tools stage's to judge.
    """
    if language == "sql":
        bare = _COMMENT.sub("", text, count=1)
        return bool(_SQL.match(bare) or _SQL_TOO.match(bare))
    if language == "python":
        return _is_python(text)
    if not text.strip() or _PROSE.match(text):
        return False
    # What is taken for bash may well be PowerShell: `ls -l`.
    return evident_language(text) in ({None, "bash", language})


def is_complete(text: str, language: str | None) -> bool:
    """Whether a text may end here: in its language, or with all its quotes closed."""
    if language == "python":
        return _is_python(text)
    if text.count("'") % 2 or text.count('"') % 2:
        return False
    return language in ("sql", "powershell") or ("<<" not in text and keeps_the_grammar(text))


def _without_marks(text: str) -> str:
    """Without what stands in backquotes and is no command, as prose marks `<name>`; bash reads it later."""
    return _BACKQUOTED.sub(lambda found: found[0] if keeps_the_grammar(found[1]) else "", text)


def _is_python(text: str) -> bool:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True
