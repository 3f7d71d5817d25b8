"""Whether a command is bash: its grammar, and no statement of another language that bash would take."""

import re
from functools import lru_cache

from curation.calls.bash.grammar import SimpleCommand, simple_commands
from curation.calls.bash.other_languages import CMDLET, OPENED_BY, is_of_another_language
from curation.calls.bash.words import NotBash

# Words, options, paths, quoted text, pipes and lists of such: most commands, and always right.
_RESERVED = "if|then|elif|else|fi|for|while|until|do|done|case|esac|in|select|function|time|coproc"
_QUOTED = r"""'[^']*+'|"(?:[^"$`\\]++|\$[a-zA-Z_]\w*+|\\[^\n])*+\""""
_WORD = rf"""(?:[\w./:=,@%+^*?~-]++|\\[^\n]|\{{\}}|\$[a-zA-Z_]\w*+|{_QUOTED})++"""
_REDIRECTION = rf"(?:[0-9]?(?:>>?|<) *+{_WORD}|[0-9]?>&[0-9])"
_COMMAND = rf"(?!(?:{_RESERVED})\b){_WORD}(?: ++(?:{_REDIRECTION}|{_WORD}))*+"
_PLAIN = re.compile(rf"{_COMMAND}(?: *+(?:\|\|?|&&|;) *+{_COMMAND})*+", re.ASCII)
# Unless they begin as other languages may.
_SUSPECT = re.compile(
    rf"(?:{'|'.join(OPENED_BY)}|{CMDLET}|//)(?: |\Z)|[^ |&;]*(?:[@'\"]|\+\+|--|[=:,[](?:[ |&;]|\Z))"
    r"|[^ ]++ ++[^\w ]{0,3}=(?: |\Z)"
)
# What other languages open a comment with; of a shell's programs it says nothing.
_COMMENT = "//"
# What may be the name of a program.
_PROGRAM = re.compile(r"[\w.~$]*[A-Za-z_.~$]|/\w")
_CACHED_LENGTH = 2048


def bash_error(command: str) -> dict[str, object] | None:
    """Where a command stops being bash; None if it is bash.

    `line` and `column` count from 1, `near` is the text there. `missing` says what would be right there, or
    at the end of what begins there; `other_language` is True where the grammar is kept. Identical short
    commands are read once.
    """
    return _cached_error(command) if len(command) <= _CACHED_LENGTH else _error(command)


def keeps_the_grammar(command: str) -> bool:
    """Whether bash could read a command, whatever language it is in."""
    error = bash_error(command)
    return error is None or "other_language" in error


def _error(command: str) -> dict[str, object] | None:
    if _PLAIN.fullmatch(command) and not _SUSPECT.match(command):
        return None
    try:
        found = simple_commands(command)
    except NotBash as error:
        missing = {} if error.missing is None else {"missing": error.missing}
        return {**_place(command, error.at), **missing}
    at = _other_language(found)
    return None if at is None else {**_place(command, at), "other_language": True}


def _other_language(commands: list[SimpleCommand]) -> int | None:
    """Where a statement of another language begins, if commands open with one and hold more such than others.

    One among commands is a slip of somebody who writes bash.
    """
    commands = [one for one in commands if one.words[0] != _COMMENT]
    are_foreign = [is_of_another_language(one.words) for one in commands]
    if True not in are_foreign:
        return None
    first = commands[are_foreign.index(True)]
    if first is not commands[0] and first.words[0] != "=":
        return None
    others = sum(
        len(one.words) > 1 and _PROGRAM.match(one.words[0]) is not None
        for one, is_foreign in zip(commands, are_foreign, strict=True)
        if not is_foreign
    )
    return first.at if sum(are_foreign) > others else None


_cached_error = lru_cache(maxsize=16384)(_error)


def _place(command: str, at: int) -> dict[str, object]:
    start = command.rfind("\n", 0, at) + 1
    rest = command[at : at + 80].split("\n", 1)[0]
    return {"line": command.count("\n", 0, at) + 1, "column": at - start + 1, "near": rest}
