"""The one judge of a tool call: a row's in the tools stage, a model's in `aj evaluate` and `aj try`.

Of the calls of a row, first whether all is plainly right, else call by call. A model's call is judged as it
stands: `problem_of` says what the tools stage says where it may repair nothing.
"""

from collections import Counter
from typing import Any

import orjson

from curation.calls.bash.syntax import bash_error
from curation.calls.invented_nulls import without_nulls
from curation.calls.repairs import is_wrapper, repeated_key, strict_json, unquote, unwrap
from curation.calls.result_pairs import Problem, RowCall, RowTurn
from curation.calls.tool_schemas import Tool, Toolset, compile_tools, explain
from curation.recipe.stages import BashSyntax

_JSON_KINDS = {
    list: "an array", str: "a string", int: "a number", float: "a number", bool: "a boolean",
    type(None): "null",
}  # fmt: skip
_REMOTE = frozenset({"remote_bash", "remote_bash_all"})
_SHELLS = _REMOTE | {"bash"}


def offered_tools(own: str | None, given: Toolset, *, repair: bool, formats: bool = False) -> Toolset:
    """The tools that a row's calls are checked against: its own, or those given where it has none.

    own: a JSON array of definitions; an empty one counts as none. repair, formats: as in
    `compile_tools`.
    """
    found = compile_tools(own, repair=repair, formats=formats) if own is not None else given
    return found if found.tools or found.is_open or found.problem is not None else given


def problem_of(call: RowCall, offered: Toolset, bash: BashSyntax) -> Problem | None:
    """Why the tools stage would not keep a call as it stands, or None."""
    if offered.problem is not None:
        return Problem("schema_invalid", offered.problem)
    return CallCheck(offered, frozenset(), bash).call(0, call)


def in_words(problem: Problem) -> str:
    """What is wrong with a call, in one line."""
    detail = problem.detail
    if problem.reason == "unknown_tool":
        return f"no tool named {detail['tool']}"
    if problem.reason == "bash_syntax":
        kind = "no bash but another language" if detail.get("other_language") else "no bash"
        return f"{kind}, at line {detail['line']}, column {detail['column']}: {detail['near'] or 'the end'}"
    kind = {"arguments_not_json": "no JSON: ", "schema_invalid": "unusable tools: "}.get(problem.reason, "")
    path = detail.get("path", "$")
    return f"{kind}{detail['error']}{'' if path == '$' else f' (at {path})'}"


def is_plainly_right(turns: list[RowTurn], offered: Toolset, bash: BashSyntax) -> bool:
    """Sees most good rows at once: own ids, results in call order, valid arguments, no odd command.

    False says nothing; the careful way then decides.
    """
    ids: set[str] = set()
    waiting: list[str] = []
    at = 0
    for turn in turns:
        if turn.role == "tool":
            if at == len(waiting) or turn.tool_call_id != waiting[at]:
                return False
            at += 1
            continue
        if at != len(waiting):
            return False
        if turn.tool_calls:
            waiting, at = [], 0
            for call in turn.tool_calls:
                if not call.id or call.id in ids or not is_call_plainly_right(call, offered, bash):
                    return False
                ids.add(call.id)
                waiting.append(call.id)
    return at == len(waiting)


def is_call_plainly_right(call: RowCall, offered: Toolset, bash: BashSyntax) -> bool:
    """The same of one call in itself."""
    tool = offered.get(call.name or "")
    if tool is None or call.arguments is None or not tool.affordable(call.arguments):
        return False
    try:
        arguments = orjson.loads(call.arguments)
        if type(arguments) is not dict or "arguments" in arguments or "parameters" in arguments:
            return False
        if "null" in call.arguments:
            return False  # nobody may have written it
        if not tool.is_valid(arguments) or _may_repeat_keys(call.arguments, arguments):
            return False
    except ValueError:
        return False
    if call.name not in _SHELLS or bash == "ignore":
        return True
    command = arguments.get("command")
    return not isinstance(command, str) or bash_error(command) is None


class CallCheck:
    """The calls of one row, one after the other; arguments are mended in place."""

    __slots__ = ("_bash", "_kinds", "_offered", "flags", "repaired")

    def __init__(self, offered: Toolset, kinds: frozenset[str], bash: BashSyntax) -> None:
        self._offered = offered
        self._kinds = kinds
        self._bash = bash
        self.repaired: Counter[str] = Counter()
        self.flags: list[dict[str, Any]] = []

    def call(self, index: int, call: RowCall) -> Problem | None:
        """The first thing wrong with a call in itself, or None."""
        where = {"message": index, "tool": call.name}
        tool = self._offered.get(call.name or "")
        if tool is None:
            return Problem("unknown_tool", {**where, "offered": sorted(self._offered.tools)[:20]})
        text, kinds = _mended(call.arguments or "", tool, self._kinds)
        try:
            arguments = orjson.loads(text)
        except orjson.JSONDecodeError as error:
            return Problem(
                "arguments_not_json", {**where, "error": error.msg, "near": _near(text, error.pos)}
            )
        if type(arguments) is not dict:
            kind = _JSON_KINDS[type(arguments)]
            return Problem("arguments_invalid", {**where, "path": "$", "error": f"not an object but {kind}"})
        if _may_repeat_keys(text, arguments) and (repeated := repeated_key(text)) is not None:
            fault = f"the key {repeated[1][:200]!r} is written twice, and nobody can tell which one counts"
            return Problem("arguments_invalid", {**where, "path": repeated[0][:300], "error": fault})
        if not tool.affordable(text):
            return Problem(
                "schema_invalid", {**where, "error": "these arguments would cost too much to check"}
            )
        if "nulls" in self._kinds and (fewer := without_nulls(text, tool.schema)) is not None:
            text, arguments = fewer, orjson.loads(fewer)
            kinds = {*kinds, "nulls"}
        if not _is_valid(tool, arguments):
            return Problem("arguments_invalid", {**where, **explain(tool, arguments, text)})
        if kinds:
            call.arguments = text
            self.repaired.update(kinds)
        return self._shell(where, arguments) if call.name in _SHELLS else None

    def _shell(self, where: dict[str, Any], arguments: dict[str, Any]) -> Problem | None:
        command = arguments.get("command")
        if self._bash == "ignore" or not isinstance(command, str):
            return None
        error = bash_error(command)
        is_remote = where["tool"] in _REMOTE
        if error is None or (is_remote and "other_language" in error):
            return None
        where = {**where, **error}
        if self._bash == "drop" and not is_remote:
            return Problem("bash_syntax", where)
        self.flags.append(where)
        return None


def _may_repeat_keys(text: str, arguments: dict[str, Any]) -> bool:
    """Whether the text may hold a key twice. Without one, written again it has as many quotes."""
    try:
        return orjson.dumps(arguments).count(b'"') != text.count('"')
    except TypeError:
        # Integers beyond 64 bits are not written by orjson.
        return True


def _is_valid(tool: Tool, arguments: Any) -> bool:
    try:
        return tool.is_valid(arguments)
    except ValueError:
        # Nested deeper than the validator goes.
        return False


def _mended(text: str, tool: Tool, kinds: frozenset[str]) -> tuple[str, set[str]]:
    """The arguments as they were meant, and the repairs that it took."""
    text, used = _strict(text, kinds)
    if "nesting" not in kinds:
        return text, used
    for _ in range(2):
        inner = _inner(text, tool)
        if inner is None:
            break
        text, more = _strict(inner, kinds)
        used |= more | {"nesting"}
    return text, used


def _strict(text: str, kinds: frozenset[str]) -> tuple[str, set[str]]:
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError:
        strict = strict_json(text) if "json" in kinds else None
        return (text, set()) if strict is None else (strict, {"json"})
    return text, set()


def _inner(text: str, tool: Tool) -> str | None:
    """What one needless layer holds: a string of JSON, or an object of arguments."""
    try:
        arguments = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    if isinstance(arguments, str):
        inner = unquote(text)
    elif _is_needless(arguments, tool, text):
        inner = unwrap(text, tool.name)
    else:
        return None
    return inner if inner is not None and inner.lstrip()[:1] in ("{", '"') else None


def _is_needless(arguments: Any, tool: Tool, text: str) -> bool:
    """Whether arguments only wrap others. A tool that declares no parameter may well mean them so."""
    if not isinstance(arguments, dict) or not is_wrapper(arguments, tool.properties):
        return False
    return bool(tool.properties) or not (tool.affordable(text) and _is_valid(tool, arguments))


def _near(text: str, position: int) -> str:
    return text[max(0, position - 30) : position + 30]
