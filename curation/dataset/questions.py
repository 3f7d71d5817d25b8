"""Questions with checkable answers and untouched texts: the files that a recipe's `evaluation` names.

One JSON object a line. A question is `question` (one message of a user's) or `messages` (role and content
each, the last not the assistant's), where it offers them `tools`, and an `answer`, one of

    {"number": 42, "tolerance": 0.5}                      tolerance: 0 where it is left out
    {"choice": "B", "of": ["A", "B", "C"]}
    {"regex": "^Paris\\b"}                                as in JSON Schema, looked for in what is said
    {"call": {"name": "water", "arguments": {"bed": 3}}}

A text is {"text": "…"}. Other keys are refused: a misspelt one would be a question that asks something else.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import jsonschema_rs

from curation.calls.checks import in_words, problem_of
from curation.calls.result_pairs import RowCall
from curation.calls.tool_schemas import Toolset, compile_tools
from curation.errors import CurationError
from curation.files import file_digest
from curation.recipe.load import Recipe
from curation.row import Message, message

FOLDER = "evaluation"  # of a dataset: a copy of each file
MOST_FAULTS = 5  # that are told of a file
ROLES = ("system", "user", "assistant")
# Steps of a pattern that looks around or refers back, in one answer; others run in linear time.
PATTERNS = jsonschema_rs.FancyRegexOptions(backtrack_limit=100_000)
KINDS = '{"number": 42}, {"choice": "B", "of": ["A", "B"]}, {"regex": "…"} or {"call": {"name": …}}'


class Number(NamedTuple):
    """A number that is right within a tolerance, both exact."""

    value: Fraction
    tolerance: Fraction


class Choice(NamedTuple):
    """One of several texts."""

    right: str
    of: tuple[str, ...]


class Pattern(NamedTuple):
    """A regular expression that has to be found. found: whether it is in a text, within bounded time."""

    regex: str
    found: Callable[[str], bool]


class Call(NamedTuple):
    """One tool call. arguments: JSON."""

    name: str
    arguments: str


Answer = Number | Choice | Pattern | Call


class Question(NamedTuple):
    """A conversation that asks for an answer, the tools that it offers as JSON, and what is right."""

    messages: list[Message]
    tools: str | None
    answer: Answer


def dataset_name(kind: str, name: str) -> str:
    """Where a dataset keeps its copy of a file of `evaluation`."""
    return f"{FOLDER}/{kind}-{name}.jsonl"


def evaluation_files(recipe: Recipe, root: Path) -> dict[str, Path]:
    """The files that the recipe's `evaluation` names, by where a dataset keeps its copy.

    root: the data root. CurationError with the faults of the first file that is not as it should be.
    """
    found = {}
    for one in recipe.asked:
        path = root / str(one.file)
        (read_questions if one.kind == "questions" else read_texts)(path)
        found[dataset_name(one.kind, str(one.name))] = path
    return found


def evaluation_digests(recipe: Recipe, root: Path) -> dict[str, str]:
    """sha256 of those files, by `evaluation:` and where a dataset keeps its copy. Raises the same."""
    files = evaluation_files(recipe, root)
    return {f"{FOLDER}:{name.removeprefix(f'{FOLDER}/')}": file_digest(path) for name, path in files.items()}


def read_questions(path: Path) -> list[Question]:
    """The questions of a file. CurationError with the lines that are none, and what would be right."""
    return list(read_lines(path, question_of))


def read_texts(path: Path) -> list[str]:
    """The texts of a file. CurationError with the lines that are none, and what would be right."""
    return list(read_lines(path, text_of))


def read_lines(path: Path, parse: Callable[[Any], Any]) -> Iterator[Any]:
    """What a file holds, a line at a time; blank lines are passed over."""
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise CurationError(f"{path}: cannot be read: {error.strerror or error}") from error
    found, faults = [], []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            found.append(parse(json_object(line)))
        except ValueError as error:
            faults.append(f"{path}:{number}: {error}")
    if faults:
        more = len(faults) - MOST_FAULTS
        raise CurationError("\n".join([*faults[:MOST_FAULTS], *([f"and {more:,} more"] if more > 0 else [])]))
    if not found:
        raise CurationError(f"{path}: is empty; expected one JSON object a line")
    yield from found


def json_object(line: bytes) -> dict[str, Any]:
    """The object of a line."""
    try:
        value = json.loads(line, parse_constant=refuse)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"not JSON: {error}; expected one object a line") from error
    if not isinstance(value, dict):
        raise ValueError(f"expected an object, got {shown(value)}")
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise ValueError("half a character (a lone surrogate), which no text can hold") from error
    return value


def refuse(name: str) -> None:
    """NaN and Infinity are no JSON."""
    raise ValueError(f"{name} is no JSON")


def shown(value: Any) -> str:
    """A value as a message quotes it."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:60]}…"


def known(value: Mapping[str, Any], keys: tuple[str, ...], where: str = "") -> None:
    """ValueError for another key than these."""
    for key in value:
        if key not in keys:
            raise ValueError(f"{where}unknown key '{key[:60]}'; known here: {', '.join(keys)}")


def text(value: Any, what: str) -> str:
    """A text that says something."""
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"{what}: expected a text, got {shown(value)}")
    return value


def text_of(line: Mapping[str, Any]) -> str:
    """The text of a line."""
    known(line, ("text",))
    return text(line.get("text"), "text")


def question_of(line: Mapping[str, Any]) -> Question:
    """The question of a line."""
    known(line, ("question", "messages", "tools", "answer"))
    if ("question" in line) == ("messages" in line):
        raise ValueError("needs either a 'question' or 'messages'")
    if "question" in line:
        messages = [message("user", text(line["question"], "question"))]
    else:
        messages = messages_of(line["messages"])
    offered, tools = tools_of(line.get("tools"))
    answer = answer_of(line.get("answer"))
    if isinstance(answer, Call) and not offered.is_open and answer.name not in offered.tools:
        there = ", ".join(offered.tools) or "none"
        raise ValueError(f"answer.call.name: '{answer.name}' is not among the question's tools: {there}")
    if isinstance(answer, Call) and (wrong := problem_of(RowCall(*answer), offered, "drop")) is not None:
        raise ValueError(f"answer.call: not valid by the question's tools: {in_words(wrong)}")
    return Question(messages, tools, answer)


def messages_of(value: Any) -> list[Message]:
    """The messages of a question."""
    if not isinstance(value, list) or not value:
        raise ValueError(f"messages: expected a list of role and content, got {shown(value)}")
    found = []
    for position, one in enumerate(value):
        where = f"messages[{position}]"
        if not isinstance(one, dict):
            raise ValueError(f"{where}: expected role and content, got {shown(one)}")
        known(one, ("role", "content"), f"{where}: ")
        if one.get("role") not in ROLES:
            raise ValueError(f"{where}.role: expected {', '.join(ROLES)}, got {shown(one.get('role'))}")
        found.append(message(one["role"], text(one.get("content"), f"{where}.content")))
    if found[-1]["role"] != "user":
        raise ValueError(f"messages: the last is the {found[-1]['role']}'s; expected the user's")
    return found


def tools_of(value: Any) -> tuple[Toolset, str | None]:
    """The tools of a question, and as JSON."""
    if value is None:
        return Toolset(), None
    if not isinstance(value, list) or not value:
        raise ValueError(f"tools: expected a list of function schemas, got {shown(value)}")
    written = json.dumps(value, ensure_ascii=False)
    offered = compile_tools(written, repair=True)
    if offered.problem is not None:
        raise ValueError(f"tools: not usable: {shown(offered.problem)}")
    return offered, written


def answer_of(value: Any) -> Answer:
    """The right answer of a question."""
    kinds: dict[str, Callable[[Mapping[str, Any]], Answer]]
    kinds = {"number": number_of, "choice": choice_of, "regex": pattern_of, "call": call_of}
    named = [kind for kind in kinds if isinstance(value, dict) and kind in value]
    if len(named) != 1:
        raise ValueError(f"answer: expected one of {KINDS}, got {shown(value)}")
    return kinds[named[0]](value)


def number_of(value: Mapping[str, Any]) -> Number:
    """{"number": 42, "tolerance": 0.5}"""
    known(value, ("number", "tolerance"), "answer: ")
    found = {"number": value["number"], "tolerance": value.get("tolerance", 0)}
    for key, one in found.items():
        if isinstance(one, bool) or not isinstance(one, int | float) or abs(one) > 10**300:
            raise ValueError(f"answer.{key}: expected a number such as 42, got {shown(one)}")
    if found["tolerance"] < 0:
        raise ValueError(f"answer.tolerance: expected at least 0, got {shown(found['tolerance'])}")
    return Number(Fraction(repr(found["number"])), Fraction(repr(found["tolerance"])))


def choice_of(value: Mapping[str, Any]) -> Choice:
    """{"choice": "B", "of": ["A", "B", "C"]}"""
    known(value, ("choice", "of"), "answer: ")
    right, of = value["choice"], value.get("of")
    if not isinstance(of, list) or len(of) < 2 or not all(isinstance(one, str) and one.strip() for one in of):
        raise ValueError(f'answer.of: expected the choices, such as ["A", "B"], got {shown(of)}')
    if len({one.strip().casefold() for one in of}) < len(of):
        raise ValueError(f"answer.of: two of them are the same: {shown(of)}")
    if right not in of:
        raise ValueError(f"answer.choice: {shown(right)} is not among {shown(of)}")
    return Choice(right.strip(), tuple(one.strip() for one in of))


def pattern_of(value: Mapping[str, Any]) -> Pattern:
    """{"regex": "…"}"""
    known(value, ("regex",), "answer: ")
    regex = text(value["regex"], "answer.regex")
    try:
        validator = jsonschema_rs.validator_for({"pattern": regex}, offline=True, pattern_options=PATTERNS)
    except (ValueError, jsonschema_rs.ValidationError) as error:
        raise ValueError(f"answer.regex: no regular expression of JSON Schema: {shown(regex)}") from error
    return Pattern(regex, validator.is_valid)


def call_of(value: Mapping[str, Any]) -> Call:
    """{"call": {"name": …, "arguments": {…}}}"""
    known(value, ("call",), "answer: ")
    call = value["call"]
    right = '{"name": "water", "arguments": {"bed": 3}}'
    if not isinstance(call, dict):
        raise ValueError(f"answer.call: expected {right}, got {shown(call)}")
    known(call, ("name", "arguments"), "answer.call: ")
    arguments = call.get("arguments", {})
    if not isinstance(arguments, dict):
        raise ValueError(f"answer.call.arguments: expected an object, got {shown(arguments)}")
    return Call(text(call.get("name"), "answer.call.name"), json.dumps(arguments, ensure_ascii=False))
