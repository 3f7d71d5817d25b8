"""Whether a call only reads: what it gives back then is somebody's text, which may well speak of errors."""

import re
from typing import Any


def words(text: str) -> frozenset[str]:
    """The words of a text as a set."""
    return frozenset(text.split())


# Programs that print what is written elsewhere, or what they are told to.
_PROGRAMS = words(
    "ack ag awk base64 bat cat cd column cut dir dmesg echo egrep env fgrep file fmt fold gawk grep gzcat"
    " head hexdump history info journalctl jq less ls man more nl od printf pwd rg rev sed sort strings"
    " tac tail tee tee tr tree type uniq wc xxd yq zcat zgrep zless find git curl wget docker kubectl true"
    " export set"
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
# Tools that give back what somebody wrote: by their verb, or by what they look for.
_READS = re.compile(
    r"(?:^|_)(?:read|view|cat|grep|tail|head|man|help|browse|visit|scrape|crawl|explain|translate"
    r"|summari[sz]e|transcribe|ocr|extract|wiki|wikipedia|docs|logs)(?:_|$)|^open(?:_file|_url|_page)?$"
    r"|(?:^|_)(?:get|fetch|search|find|show|load|list|open|query|lookup|retrieve|download)\w*_(?:files?"
    r"|logs?|pages?|docs?|documents?|documentation|contents?|texts?|articles?|urls?|emails?|messages?"
    r"|tickets?|issues?|reviews?|comments?|posts?|news|notes?|errors?|web|internet|alerts?|polic(?:y|ies)"
    r"|faqs?|quotes?|lyrics)(?:_|$)|(?:^|_)(?:web|google|internet|wiki\w*|docs?|code|knowledge|news"
    r"|faq)_(?:search|lookup|query)(?:_|$)"
)
# Tools that change nothing, besides.
_LOOKS = re.compile(
    r"(?:^|_)(?:get|fetch|search|find|show|list|ls|lookup|look|query|retrieve|check|describe|display|print"
    r"|inspect|history|status|think|thought|reflect|plan|calculate|calculator)(?:_|$)"
)
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
# Tools whose subject are errors: the key `error` of their results is what was asked for.
_OF_ERRORS = re.compile(
    r"error|log|exception|debug|diagnos|fault|issue|incident|ticket|lint|validat|alert|test|check|status"
    r"|verif"
)
_QUERIES = ("query", "sql", "statement")
_ASKS = re.compile(r"\s*(?:select|show|desc|describe|explain|pragma)\b", re.IGNORECASE)
_MARKS = re.compile(r"[.:/ -]+")


def of_name(name: str) -> str:
    """A tool's name in small letters, its words parted by `_`."""
    return _MARKS.sub("_", _CAMEL.sub("_", name)).lower()


def reads(name: str, arguments: dict[str, Any]) -> bool:
    """Whether a call gives back what is written somewhere, as far as its name and its command tell."""
    command = _command(arguments)
    if command is None:
        return _READS.search(of_name(name)) is not None
    return command == "view" or command_reads(command)


def looks(name: str, arguments: dict[str, Any]) -> bool:
    """Whether a call changes nothing, as far as can be told: it reads, looks something up, asks or thinks."""
    if reads(name, arguments):
        return True
    query = next((arguments[key] for key in _QUERIES if isinstance(arguments.get(key), str)), None)
    if query is not None and _ASKS.match(query) is not None:
        return True
    return _command(arguments) is None and _LOOKS.search(of_name(name)) is not None


def _command(arguments: dict[str, Any]) -> str | None:
    return next((arguments[key] for key in ("command", "cmd") if isinstance(arguments.get(key), str)), None)


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
