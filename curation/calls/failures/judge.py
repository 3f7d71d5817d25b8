"""Whether the result of a call says that it failed, and how it says so.

Judged is what the environment says of the call, not what a text speaks of: the keys of an object at the top
alone, an exit code, how a text begins and ends. Of a call that reads (a file, a log, a page) a failure is
believed only where the tool itself could not read. Found nothing is no failure, nor is a test that fails.
"""

from collections.abc import Iterator
from functools import cached_property
from typing import Any

import orjson

from curation.calls.failures import phrases
from curation.calls.failures.reads import is_of_errors, looks, programs_of, reads, words

# Keys of a result → how it says that it failed.
_ERRORS = words(
    "error errors err exception error_message errormessage error_msg errmsg error_code errorcode errcode"
    " error_type traceback stack_trace stacktrace fault failure error_description errordescription"
)
_FAILED = words("is_error iserror failed has_error haserror is_failed errored timed_out timedout")
_SUCCEEDED = words("success ok succeeded successful is_success issuccess is_successful")
_EXITS = words("exit_code exitcode returncode return_code exit_status exitstatus rc")
_STATES = words("status state result outcome type code")
_HTTP = words("status_code statuscode http_status httpstatus http_code httpcode http_status_code")
_BAD = words(
    "error failed failure fail exception denied timeout timed_out rejected invalid unauthorized forbidden"
    " not_found"
)
_GOOD = words("ok success succeeded successful completed complete done")
# What an object that only says that something failed has besides.
_EXPLAINS = (
    _ERRORS | _FAILED | _SUCCEEDED | _EXITS | _STATES | _HTTP
    | words("message msg detail details reason description data payload timestamp time request_id requestid"
        " hint suggestion suggestions title instance path help cause info documentation_url"
        " retry_after response"
        " output stdout stderr")
)  # fmt: skip
_TEXTS = words("message msg detail output stdout stderr result content text response data body")
# Without any of these an object tells nothing of its call.
_TELLING = _ERRORS | _FAILED | _SUCCEEDED | _EXITS | _STATES | _HTTP | _TEXTS | {"metadata"}
_NO_ERROR = frozenset(
    ("", "none", "null", "no", "no error", "no errors", "ok", "success", "false", "0", "n/a", "nil")
)
# Programs that say no by their exit code.
_SAY_NO = words(
    "grep egrep fgrep rg ag ack diff cmp test [ [[ pgrep which command type git pytest py.test tox nox jest"
    " mocha vitest mypy ruff flake8 pylint eslint tsc black isort prettier false expr"
)
_CHECKS = words(
    "pytest py.test tox nox jest mocha vitest mypy ruff flake8 pylint eslint tsc black isort pyright"
)
# Programs that print names, and nothing that is written in files.
_LISTS = words("cd dir du df env find ls ps pwd tree type wc")
_TESTS = ("test", "pytest", "unittest", "jest", "lint", "mypy", "check")
_SHOWN = 1200
_WHOLE = 200


def failure(said: str | None, name: str = "", arguments: str | None = None) -> str | None:
    """How a result says that its call failed: key, status, exit_code, message, sql, shell or traceback.

    None where it does not. name, arguments: of the call; a JSON text.
    """
    return Result(name, arguments).judged(said.strip()) if said else None


class Result:
    """What is to be known of a call to judge its result; looked for only where it counts."""

    def __init__(self, name: str, arguments: str | None) -> None:
        self.name = name
        self._given = arguments or ""

    @cached_property
    def arguments(self) -> dict[str, Any]:
        given = _loaded(self._given)
        return given if isinstance(given, dict) else {}

    @cached_property
    def reads(self) -> bool:
        return reads(self.name, self.arguments)

    @cached_property
    def command(self) -> str:
        found = next((self.arguments[key] for key in ("command", "cmd") if key in self.arguments), "")
        return found if isinstance(found, str) else ""

    @cached_property
    def programs(self) -> list[list[str]]:
        return programs_of(self.command)

    @property
    def _is_checked(self) -> bool:
        """Whether a program is run that looks for errors in what it is given."""
        return any(words[0].rpartition("/")[2] in _CHECKS for words in self.programs)

    def judged(self, said: str) -> str | None:
        """How a result, without white space around it, says that its call failed."""
        if said[:2] in ("[(", "[[", "['"):
            return None
        if said[:1] in '{["':
            value = _loaded(said)
            if isinstance(value, list) and len(value) == 1 and isinstance(value[0], dict):
                value = value[0]
            if isinstance(value, dict):
                return self._of_object(value)
            if isinstance(value, str):
                return self._of_text(value.strip())
            if value is not None:
                return None
        return self._of_text(said)

    def _of_object(self, found: dict[str, Any]) -> str | None:
        held = {key.lower().replace("-", "_"): value for key, value in found.items()}
        if _TELLING.isdisjoint(held):
            return None
        inner = held.get("metadata")
        if isinstance(inner, dict):
            held = {**{key.lower(): value for key, value in inner.items() if key.lower() in _EXITS}, **held}
        code = next((held[key] for key in _EXITS if _is_number(held.get(key))), None)
        if code is not None:
            return self._of_code(code, "\n".join(_texts(held)))
        if self.programs and self.reads:
            return None
        if any(held.get(key) in (True, "true", "True") for key in _FAILED):
            return "key"
        succeeded = next((held[key] for key in _SUCCEEDED if key in held), None)
        if succeeded in (False, "false", "False"):
            return "key"
        if succeeded in (True, "true", "True"):
            return None
        only_explains = all(key in _EXPLAINS or value in (None, "", [], {}) for key, value in held.items())
        if any(_is_error(key, held[key]) for key in _ERRORS & held.keys()) and (
            only_explains or not ("errors" in held or is_of_errors(self.name) or self.reads)
        ):
            return "key"
        if any(_is_number(held.get(key)) and 400 <= held[key] <= 599 for key in _HTTP):
            return "status"
        if only_explains and any(_is_bad(held.get(key)) for key in _STATES):
            return "status"
        if succeeded is not None or any(_is_good(held.get(key)) for key in _STATES):
            return None
        told = list(_texts(held))
        return self._of_text(told[0].strip()) if len(told) == 1 and only_explains else None

    def _of_code(self, code: float, said: str) -> str | None:
        """Of an exit code: 1 of a program that compares, searches or tests is an answer."""
        if code == 0:
            return None
        if code in (1, 2) and any(words[0].rpartition("/")[2] in _SAY_NO for words in self.programs):
            return None if not any(map(_is_shell_error, _lines(said)[:3])) else "exit_code"
        if code == 1 and any(word in part for words in self.programs for part in words for word in _TESTS):
            return None
        return "exit_code"

    def _of_text(self, said: str) -> str | None:
        if not said:
            return None
        lines = _lines(said)
        if len(said) <= _SHOWN:
            said = "\n".join(lines)
        code = _exit_code(lines)
        if code is not None and not (self.reads and len(lines) == 1):
            return self._of_code(code, said)
        if self.reads:
            return self._of_reading(said, lines)
        if any(phrases.SQL.match(line) for line in lines[:2]):
            return "sql"
        if _is_traceback(said, lines):
            return "traceback"
        if self._is_checked:
            return "shell" if phrases.SHELL_END.search(lines[0]) else None
        if self.programs and _is_said_by_shell(lines):
            return "shell"
        if _opens(said, lines[0]):
            return "message"
        short = phrases.SHORT.fullmatch(said[: _WHOLE + 1]) is not None
        if short and not is_of_errors(self.name) and not looks(self.name, self.arguments):
            return "message"
        return "shell" if _is_said_by_shell(lines) else None

    def _of_reading(self, said: str, lines: list[str]) -> str | None:
        """Of what was read only a short text that says that it could not be."""
        if phrases.NOT_RUN.match(said):
            return "message"
        if self.programs:
            own = {words[0].rpartition("/")[2] for words in self.programs}
            by_itself = (told := phrases.PROGRAM.match(lines[0])) is not None and told[1] in own
            lists = self.programs[0][0].rpartition("/")[2] in _LISTS
            by_shell = (phrases.SHELL_END if lists else phrases.NO_SHELL).search(lines[0]) is not None
            of_own = (about := phrases.OF_SHELL.match(lines[0])) is not None and about[1] in self.command
            is_wrong = by_itself or by_shell or of_own
            return "shell" if is_wrong and _is_said_by_shell(lines) else None
        if len(said) > _WHOLE or len(lines) > 4 or phrases.LOG_LINE.match(said):
            return None
        return "message" if _opens(said, lines[0]) and phrases.CANNOT_READ.search(said) else None


def _loaded(text: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return None


def _is_number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_error(key: str, value: Any) -> bool:
    """Whether the value of a key for errors tells of one."""
    if isinstance(value, str):
        return value.strip().lower() not in _NO_ERROR
    if _is_number(value):
        return bool(value != 0 if "code" in key else 400 <= value <= 599)
    return bool(value) and not isinstance(value, float)


def _is_bad(value: Any) -> bool:
    if _is_number(value):
        return bool(400 <= value <= 599)
    return isinstance(value, str) and value.strip().lower().replace(" ", "_") in _BAD


def _is_good(value: Any) -> bool:
    return isinstance(value, str) and value.strip().lower() in _GOOD


def _texts(held: dict[str, Any]) -> Iterator[str]:
    """The texts of an object that may be what its tool said."""
    return (
        value for key, value in held.items() if key in _TEXTS and isinstance(value, str) and value.strip()
    )


def _lines(said: str) -> list[str]:
    """The first and last lines that are not empty, without what an editor's prompt adds."""
    shown = said if len(said) <= 2 * _SHOWN else f"{said[:_SHOWN]}\n…\n{said[-_SHOWN:]}"
    lines = [line for line in shown.split("\n") if line.strip()]
    while len(lines) > 1 and lines[-1].lstrip().startswith(("(Open file:", "(Current directory:", "bash-$")):
        lines.pop()
    return lines or [""]


def _opens(said: str, line: str) -> bool:
    """Whether a result opens with the words of a failure; a long text must call it an error."""
    words = phrases.OPENS if len(said) <= _SHOWN else phrases.ERROR
    return (words.match(said[:_SHOWN]) or phrases.EXCEPTION.match(line)) is not None


def _exit_code(lines: list[str]) -> int | None:
    """The exit code that the first or the last lines state."""
    for line in (lines[0], *lines[-2:]):
        if len(line) <= 120 and (found := phrases.EXIT_CODE.search(line)) is not None:
            return int(next(filter(None, found.groups())))
    return None


def _is_shell_error(line: str) -> bool:
    return phrases.SHELL_LINE.match(line[:500]) is not None


def _is_said_by_shell(lines: list[str]) -> bool:
    """Whether most lines say what went wrong, or the last says that the shell could not go on."""
    wrong = [_is_shell_error(line) for line in lines]
    if not any(wrong):
        return False
    beside = sum(
        phrases.HELP_LINE.match(line) is not None
        for line, is_wrong in zip(lines, wrong, strict=True)
        if not is_wrong
    )
    first = next(i for i, line in enumerate(lines) if wrong[i] or not phrases.HELP_LINE.match(line))
    if wrong[first] and 2 * sum(wrong) + beside >= len(lines) - beside:
        return True
    return phrases.SHELL_END.search(lines[-1]) is not None


def _is_traceback(said: str, lines: list[str]) -> bool:
    """Whether a result opens with a language's stack, or ends with one of Python's."""
    if phrases.STACK.match(said):
        return True
    tail = "\n".join(lines[-40:])
    place = phrases.TRACEBACK in tail or phrases.PYTHON_PLACE.search(tail) is not None
    return place and (said.startswith(phrases.TRACEBACK) or phrases.RAISED.match(lines[-1]) is not None)
