"""What a model said, taken apart: words, and the tool calls written as `<tool_call>{…}</tool_call>`.

Read strictly, as a template writes them: a model is measured by what a server would make of its words, so
that nothing is repaired. Whether a call is valid says the judge that the tools stage has
(curation/calls/checks.py).
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import msgspec

from curation.calls.checks import in_words, offered_tools, problem_of
from curation.calls.result_pairs import RowCall
from curation.calls.text_calls import CLOSE, OPEN, after_thinking
from curation.calls.tool_schemas import Toolset
from curation.jsontext import JSON_ERRORS, compact
from curation.recipe.stages import BashSyntax
from curation.turns.chat_api import Function, arguments_text

NEVER_CLOSED = "never closed"
NOTHING = Toolset()


@dataclass(frozen=True)
class AnswerCall:
    """One call. problem: why it is none; name and arguments are then null.

    text: its arguments as JSON, as they were spelt.
    """

    name: str | None
    arguments: dict[str, Any] | None
    problem: str | None
    text: str | None = field(default=None, compare=False)

    @property
    def written(self) -> str:
        """Its arguments as JSON without white space."""
        return compact((self.text or json.dumps(self.arguments)).encode())


class Answer(NamedTuple):
    """Words before the first call, thinking included, and the calls in order."""

    content: str
    calls: list[AnswerCall]

    @property
    def parses(self) -> bool:
        """Whether there are calls, and all of them are whole."""
        return bool(self.calls) and all(call.problem is None for call in self.calls)

    def as_message(self, number: int) -> dict[str, Any]:
        """The answer as a message; call ids count from `number`. Calls that do not parse stay words."""
        calls = [
            {
                "id": f"call{number + place:05}",
                "name": call.name,
                "arguments": call.written,
            }
            for place, call in enumerate(self.calls)
            if call.problem is None
        ]
        return {
            "role": "assistant",
            "content": self.content or None,
            "name": None,
            "tool_calls": calls or None,
            "tool_call_id": None,
        }


def parse_answer(text: str) -> Answer:
    """The calls of an answer. What is spelled while thinking is no call."""
    thought, said = after_thinking(text)
    head, *blocks = said.split(OPEN)
    return Answer((thought + head).strip(), [parse_call(block) for block in blocks])


def parse_call(block: str) -> AnswerCall:
    """One call, from what stands after its `<tool_call>`."""
    body, closed, _ = block.partition(CLOSE)
    if not closed:
        return broken(NEVER_CLOSED)
    try:
        value = json.loads(body, parse_constant=refuse_constant)
    except (ValueError, RecursionError) as error:
        return broken(f"no JSON: {error}")
    if not isinstance(value, dict) or not isinstance(value.get("name"), str):
        return broken("no name")
    if not isinstance(value.get("arguments"), dict):
        return broken("arguments are no JSON object")
    try:
        text = arguments_text(msgspec.json.decode(body, type=Function).arguments)
    except JSON_ERRORS as error:
        return broken(f"no JSON: {error}")  # half a character, or a number without end
    return AnswerCall(value["name"], value["arguments"], None, text)


def broken(problem: str) -> AnswerCall:
    """A call that is none."""
    return AnswerCall(None, None, problem)


def refuse_constant(name: str) -> None:
    """NaN and Infinity are no JSON."""
    raise ValueError(f"{name} is no JSON")


class Tools:
    """The tools that a row offers, as the tools stage reads them.

    bash, formats: its settings. given: the tools of a row without its own.
    """

    def __init__(
        self,
        tools: str | None,
        bash: BashSyntax = "drop",
        given: Toolset = NOTHING,
        *,
        formats: bool = False,
    ) -> None:
        self.offered, self.bash = offered_tools(tools, given, repair=True, formats=formats), bash

    def problem(self, call: AnswerCall) -> str | None:
        """Why a call is not valid; null when it is."""
        if call.problem is not None:
            return call.problem
        found = problem_of(RowCall(call.name, call.written), self.offered, self.bash)
        return None if found is None else in_words(found)


class Score(NamedTuple):
    """How one generated turn compares with the row's own, each claim over the whole turn."""

    parsed: bool
    valid: bool
    name: bool
    arguments: bool


def score(answer: Answer, expected: Sequence[Mapping[str, Any]], tools: Tools) -> Score:
    """Compare an answer with the calls (name, arguments as JSON text) that the row has, in order."""
    parsed = answer.parses
    valid = parsed and all(tools.problem(call) is None for call in answer.calls)
    name = parsed and [call.name for call in answer.calls] == [call["name"] for call in expected]
    arguments = name and all(
        same(call.arguments, loaded(right["arguments"]))
        for call, right in zip(answer.calls, expected, strict=True)
    )
    return Score(parsed, valid, name, arguments)


def loaded(arguments: str) -> Any:
    """Arguments of a row; text that is no JSON stands for itself."""
    try:
        return json.loads(arguments)
    except ValueError:
        return arguments


def same(one: Any, other: Any) -> bool:
    """Whether two JSON values are equal: 1 and 1.0 are, 1 and true are not."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)
