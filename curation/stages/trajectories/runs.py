"""A row as a run: its calls and what came of them, which only repeat an earlier one, and how it ends."""

import re
from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

import msgspec
import orjson

from curation.calls.failures.reads import looks, of_name


class TurnCall(msgspec.Struct, gc=False):
    """A call of a turn; `arguments` is JSON text."""

    name: str | None = None
    arguments: str | None = None
    id: str | None = None


class Turn(msgspec.Struct, gc=False):
    """What a run is judged by."""

    role: str
    content: str | None = None
    tool_calls: list[TurnCall] | None = None
    tool_call_id: str | None = None


class Made(NamedTuple):
    """A call and its result.

    turn      the place of the turn that makes it
    exchange  how many times the user had spoken
    said      its result; None where there is none
    """

    turn: int
    exchange: int
    name: str
    arguments: str
    id: str | None
    said: str | None


# How an environment's answer opens where it stands in a user's turn, and how a shell's prompt ends it.
OBSERVED = (
    r"(?i:^\s*(?:\*\*)?(?:observation|tool (?:output|result|response)|execution (?:result|output)"
    r"|the output of the os|output of the command|command output)\b[^\n:]{0,60}:|^\s*<(?:observation"
    r"|tool_response|tool_result|returncode|execution_result|function_results?|output)>|^\s*\[(?:tool"
    r"|function) (?:result|output|response)\])|\bbash-\$\s*$"
)
_OBSERVED = re.compile(OBSERVED)
_FENCED = re.compile(r"```(?:bash|sh|shell)?\n(.*?)```", re.DOTALL)
_REACT = re.compile(r"^Action: *([\w .-]+?) *\n+Action Input: *(.*)", re.MULTILINE)
_LABEL = re.compile(
    r"^\s*(?:\*\*)?(?:observation|tool \w+|execution \w+|the output of the os|output of the command"
    r"|command output)[^\n:]{0,60}:(?:\*\*)?\s*",
    re.I,
)
_TAG = re.compile(
    r"^\s*<(observation|tool_response|tool_result|execution_result|function_results?"
    r"|output)>\s*(.*?)\s*(?:</\1>)?\s*$",
    re.S,
)


def made_in(turns: Sequence[Turn]) -> list[Made]:
    """The calls of a run in order, each with its result: by the call's id, else in call order.

    Where nothing is called but a user's turns are an environment's answers, each answers the text before it.
    """
    open_: dict[int, TurnCall] = {}
    made: list[Made] = []
    exchange = 0
    for place, turn in enumerate(turns):
        if turn.role == "tool":
            index = next(
                (i for i, call in open_.items() if call.id and call.id == turn.tool_call_id),
                next(iter(open_), None),
            )
            if index is not None:
                del open_[index]
                made[index] = made[index]._replace(said=turn.content or "")
        elif turn.role == "user":
            before = turns[place - 1] if place else None
            if (
                before is not None
                and before.role == "assistant"
                and not before.tool_calls
                and _is_observed(turn)
            ):
                said = observed(turn.content or "")
                made.append(Made(place - 1, exchange, "", before.content or "", None, said))
            else:
                exchange += 1
                open_.clear()
        elif turn.tool_calls:
            for call in turn.tool_calls:
                open_[len(made)] = call
                made.append(Made(place, exchange, call.name or "", call.arguments or "", call.id, None))
    return made


def as_call(made: Made) -> tuple[str, str]:
    """The name and the arguments of a call; of a text its fenced command, or ReAct's action."""
    if made.name:
        return made.name, made.arguments
    if (spelt := _REACT.search(made.arguments)) is not None:
        return spelt[1].strip(), spelt[2] or ""
    fenced = _FENCED.findall(made.arguments)
    return "", orjson.dumps({"command": fenced[-1].strip()}).decode() if fenced else ""


def _is_observed(turn: Turn) -> bool:
    return _OBSERVED.search(turn.content or "") is not None


def observed(text: str) -> str:
    """An environment's answer without the label or tag around it."""
    text = _LABEL.sub("", text)
    tagged = _TAG.match(text)
    return tagged[2] if tagged else text.strip()


# Calls that are made again on purpose: who waits, moves on, or draws lots.
_AGAIN = re.compile(
    r"(?:^|_)(?:wait|sleep|poll|scroll|next|previous|prev|press|key|click|tap|swipe|type|move|step|turn"
    r"|forward|backward|back|up|down|left|right|go|walk|roll|random|draw|flip|spin|shuffle|noop|continue"
    r"|attack|undo|redo|retry|increment|decrement|push|pop)(?:_|$)"
)
_WAITING = re.compile(
    r"\b(?:pending|in[ _-]progress|running|queued|processing|waiting|starting|loading"
    r"|not (?:yet )?(?:ready|finished|available)|still|try again later|provisioning|creating|building)\b",
    re.IGNORECASE,
)


def repeated(made: Sequence[Made], failed: Collection[int]) -> list[int]:
    """Which calls equal an earlier one of their exchange in name, arguments and result, and tried "
    "nothing new.

    failed: which of them failed. A call between the two that may have changed something excuses the second,
    unless both fail alike; so do tools that step on, and results that ask to wait.
    """
    if len(made) < 2 or len({call.name for call in made}) == len(made):
        return []
    keys: list[Any] = [(c.exchange, c.name, _same(c.arguments), c.said) for c in made]
    if len(set(keys)) == len(keys) and made[-1].said is not None:
        return []
    latest: dict[Any, int] = {}
    found: list[int] = []
    # The last call that was new and may have changed something.
    changed = -1
    for index, (call, key) in enumerate(zip(made, keys, strict=True)):
        before = latest.get(key)
        latest[key] = index
        if call.said is None:
            # Nobody says what came of it; it goes on with a loop, or is new.
            if index - 1 in found and keys[index - 1][:3] == key[:3]:
                found.append(index)
        elif before is None:
            changed = changed if _only_reads(call) or index in failed else index
        elif (before >= changed or index in failed) and not _is_meant(call, index in failed):
            found.append(index)
    return found


def _same(arguments: str) -> str | bytes:
    try:
        return orjson.dumps(orjson.loads(arguments), option=orjson.OPT_SORT_KEYS)
    except (orjson.JSONDecodeError, TypeError):
        return arguments


def _only_reads(call: Made) -> bool:
    try:
        given = orjson.loads(call.arguments)
    except orjson.JSONDecodeError:
        return False
    return isinstance(given, dict) and looks(call.name, given)


def _is_meant(call: Made, failed: bool) -> bool:
    """Whether a call may well be made again as it stands."""
    said = call.said or ""
    if not failed and len(said) <= 2000 and _WAITING.search(said) is not None:
        return True
    return not failed and call.name != "" and _AGAIN.search(of_name(call.name)) is not None


_I = r"\bI(?:'m| am| was|'ve been| have been)? ?"
_TASK = r"(?:the|this|that|your|it\b|any|my)"
# Words that give up, whatever came before them.
GIVES_UP = re.compile(
    r"\bI(?:'ll| will| must| have to)? (?:give|giving) up\b|\bI(?:'m| am) (?:giving up|stuck"
    r"|out of ideas)\b|\bgiving up (?:here|now|on (?:this|the))\b|\bagent stopped due to\b|\b(?:iteration"
    r"|step|turn|cost|token) limit (?:was |has been |is )?(?:reached|exceeded)\b|\b(?:reached|exceeded"
    r"|hit) (?:the|my) (?:maximum|max|limit)\b[^.]{0,40}\b(?:steps|iterations|turns|attempts|tries)\b"
    r"|\b(?:maximum|max) (?:number of )?(?:steps|iterations|turns) (?:was |were |has been "
    r"|have been )?(?:reached|exceeded)\b"
    rf"|{_I}(?:unable|not able) to (?:complete|finish|solve|fix|resolve|accomplish|fulfil+) {_TASK}"
    rf"|\bI (?:could not|couldn't|cannot|can't|failed to|wasn't able to|was not able to) (?:complete"
    rf"|finish|solve|fix|resolve|accomplish|fulfil+|figure out) {_TASK}"
    r"|\bI(?:'ve| have) (?:run|ran) out of (?:steps|attempts|turns|time|budget|ideas)\b",
    re.IGNORECASE,
)
# Words that give up after a call that failed last.
GIVES_IN = re.compile(
    r"\b(?:I(?:'m| am) sorry|sorry|apologi[sz]e|unfortunately|regrettably)\b|\bI(?:'m| am| was)? (?:unable"
    r"|not able) to\b|\bI (?:could not|couldn't|cannot|can't|failed|wasn't able|was not able)\b"
    r"|抱歉|无法|对不起",
    re.IGNORECASE,
)


_GOES_ON = re.compile(r"\b(?:let me|let's|I'll|I will (?:try|now|use)|try again)\b", re.IGNORECASE)


def gives_up(last: str, failed_last: bool) -> bool:
    """Whether what the assistant says last gives up; failed_last: whether the call before it failed."""
    said = last.rpartition("</think>")[2].replace("\u2019", "'")
    if "```" in said:
        # It still acts.
        return False
    gives_in = failed_last and GIVES_IN.search(said) is not None and _GOES_ON.search(said) is None
    return gives_in or GIVES_UP.search(said) is not None
