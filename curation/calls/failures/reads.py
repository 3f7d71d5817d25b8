"""Whether a call only reads: what it gives back then is somebody's text, which may well speak of errors."""

import re
from typing import Any


def words(text: str) -> frozenset[str]:
    """The words of a text as a set."""
    return frozenset(text.split())


# Programs that print what is written elsewhere, or what they are told to.
_PROGRAMS = words(
    "ack ag awk base64 bat cat cd column cut dir dmesg echo egrep env fgrep file fmt fold gawk grep"
    " gzcat head"
    " hexdump history info journalctl jq less ls man more nl od printf pwd rg rev sed sort strings tac "
    "tail tee"
    " tee tr tree type uniq wc xxd yq zcat zgrep zless find git curl wget docker kubectl true export set"
)
# Of these only some commands read.
_READING = {
    "git": words("blame branch cat-file diff grep log ls-files reflog remote shortlog show status"),
    "docker": words("history images inspect logs ps"),
    "kubectl": words("describe events get logs"),
}
# Options with which a program that reads does something.
_NOTHING: frozenset[str] = frozenset()
_CHANGES = {
    "find": words("-exec -execdir -ok -okdir -delete"),
    "sed": words("-i --in-place"),
    "curl": words("-o -O --output -d --data -X --request -F"),
}
_SEGMENT = re.compile(r"\|\||&&|[|;\n]")
_WORDS = re.compile(r"[^\s'\"]+")
_READS = re.compile(
    r"(?:^|[_.:/-])(?:read|view|open|cat|show|search|grep|find|fetch|browse|visit|goto|scrape|crawl"
    r"|retrieve|lookup"
    r"|explain|translate|summari[sz]e|print|display|tail|head|man|help|docs?|documentation|logs?|wiki"
    r"|wikipedia"
    r"|transcri\w+|ocr|extract|inspect|list|ls|history|describe|get_?\w*(?:file|log|page|doc|content"
    r"|text|article"
    r"|url|email|message|ticket|issue|review|comment|post|news|note|error|event|alert|incident)\w*)(?:$"
    r"|[_.:/-])"
)
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
# Tools whose subject are errors: the key `error` of their results is what was asked for.
_OF_ERRORS = re.compile(
    r"error|log|exception|debug|diagnos|fault|issue|incident|ticket|lint|validat|alert|test|check"
    r"|status|verif"
)
_QUERIES = ("query", "sql", "statement")
_ASKS = re.compile(r"\s*(?:select|show|desc|describe|explain|pragma)\b", re.IGNORECASE)
_THINKS = frozenset({"think", "thought", "reflect", "plan", "calculate", "calculator"})
_SHELLS = frozenset({"command", "cmd"})


def of_name(name: str) -> str:
    """A tool's name in small letters, its words parted by `_`."""
    return _CAMEL.sub("_", name).lower()


def reads(name: str, arguments: dict[str, Any]) -> bool:
    """Whether a call reads and nothing else, as far as its name and its command tell."""
    command = next((arguments[key] for key in _SHELLS if isinstance(arguments.get(key), str)), None)
    if command is None:
        return _READS.search(of_name(name)) is not None
    return command == "view" or command_reads(command)


def looks(name: str, arguments: dict[str, Any]) -> bool:
    """Whether a call changes nothing, as far as can be told: it reads, asks a database, or thinks."""
    query = next((arguments[key] for key in _QUERIES if isinstance(arguments.get(key), str)), "")
    return reads(name, arguments) or _ASKS.match(query) is not None or of_name(name) in _THINKS


def is_of_errors(name: str) -> bool:
    """Whether a tool tells of errors."""
    return _OF_ERRORS.search(of_name(name)) is not None


def command_reads(command: str) -> bool:
    """Whether every program of a shell's command only prints what is written elsewhere."""
    programs = list(programs_of(command))
    return bool(programs) and all(_reads(words) for words in programs)


def programs_of(command: str) -> list[list[str]]:
    """The words of each part of a command."""
    parts = (_WORDS.findall(part)[:60] for part in _SEGMENT.split(command))
    return [words for words in parts if words]


def _reads(words: list[str]) -> bool:
    program = words[0].rpartition("/")[2]
    if not _CHANGES.get(program, _NOTHING).isdisjoint(words):
        return False
    known = _READING.get(program)
    if known is not None:
        return next((word for word in words[1:] if not word.startswith("-")), "") in known
    return program in _PROGRAMS
