"""Berkeley Function Calling Leaderboard: questions and functions, with the answers in another file."""

import ast
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import orjson
from msgspec import Raw

from curation.readers.answers import answer_file, answer_files, keyed_records
from curation.readers.seam import OWN, Candidate, Reader
from curation.recipe.source import Source
from curation.turns.chat_api import ask, call, decode_turns, offered, row_of_turns, say
from curation.turns.shape import AnswerWithoutCalls, Convert, Row, Unfit, missing

# Multi-turn rows name classes; their functions are described in files of these names.
_CLASS_FILES = {
    "GorillaFileSystem": "gorilla_file_system",
    "MathAPI": "math_api",
    "MessageAPI": "message_api",
    "TwitterAPI": "posting_api",
    "TicketAPI": "ticket_api",
    "TradingBot": "trading_bot",
    "TravelAPI": "travel_booking",
    "VehicleControlAPI": "vehicle_control",
    "MemoryAPI": "memory_kv",
    "WebSearchAPI": "web_search",
}
FUNCTION_FOLDER = "multi_turn_func_doc"

Truth = Callable[[str], bytes | None]


class _Record(msgspec.Struct):
    question: Raw
    id: str | int | None = None
    function: Raw = Raw(b"")
    involved_classes: list[str] | None = None
    excluded_function: list[str] | None = None


_RECORD = msgspec.json.Decoder(_Record)
_LIST = msgspec.json.Decoder(list[Raw])
_OBJECT = msgspec.json.Decoder(dict[str, Raw])
_TEXT = msgspec.json.Decoder(str)


class _FunctionDoc(msgspec.Struct):
    name: str
    parameters: Raw = Raw(b"")


def converter(source: Source, path: Path) -> Convert:
    """`answered` with the file that the source's `answers` names."""
    answers = answer_file(path, source)
    return answered(keyed_records(answers, "id") if answers else None, path.parent)


def companions(path: Path, source: Source) -> list[Path]:
    """The answers, and the functions of multi-turn rows."""
    return [*answer_files(path, source), *sorted((path.parent / FUNCTION_FOLDER).glob("*.json"))]


def answered(truth: Truth | None = None, folder: Path | None = None) -> Convert:
    """A turn per question; the answer's calls follow it, its acceptable values reduced to the first.

    truth   id → the answer record of the file that `answers` names; a row without one ends with the
            question; one that is a text, found by calls that are not told, is AnswerWithoutCalls
    folder  where the source's file lies, for the functions of multi-turn rows
    Schemas stay as published, `"type": "dict"` included: the tools stage repairs them.
    """
    described = _descriptions(folder) if folder else {}

    def convert(data: bytes) -> Row:
        try:
            record = _RECORD.decode(data)
        except msgspec.ValidationError as error:
            if "missing required field `question`" not in str(error):
                raise
            raise missing(_OBJECT.decode(data), ["question"]) from None
        tools = offered(record.function) or _of_classes(record, described)
        answers = _answers(record, truth, _positions(tools))
        questions = _questions(record.question)
        if len(answers) > len(questions):
            raise Unfit(f"{len(questions)} questions but {len(answers)} answers")
        messages: list[dict[str, Any]] = []
        for place, asked in enumerate(questions):
            messages += asked
            if place < len(answers) and answers[place] is not None:
                messages.append(answers[place] or {})
        return Row(messages, tools, [])

    return convert


def _questions(raw: Raw) -> list[list[dict[str, Any]]]:
    """The messages of every turn: a text, a list of messages, or a list of such lists."""
    data = bytes(raw)
    if data[:1] == b'"':
        return [[say("user", _TEXT.decode(data))]]
    parts = _LIST.decode(data)
    if parts and bytes(parts[0])[:1] == b"[":
        # A turn may be empty: functions held back until then are handed out without a word.
        turns = [decode_turns(part) for part in parts]
        return [row_of_turns(turn, None).messages if turn else [] for turn in turns]
    return [row_of_turns(decode_turns(data), None).messages]


def _answers(
    record: _Record, truth: Truth | None, positions: Mapping[str, Sequence[str]]
) -> list[dict[str, Any] | None]:
    """The assistant's message for each question."""
    found = truth(str(record.id)) if truth and record.id is not None else None
    if found is None:
        return []
    raw = _OBJECT.decode(found).get("ground_truth")
    if raw is None:
        raise missing(_OBJECT.decode(found), ["ground_truth"])
    if bytes(raw)[:1] != b"[":
        return []
    values = _LIST.decode(raw)
    if values and bytes(values[0])[:1] == b"[":
        turns = [[_TEXT.decode(text) for text in _LIST.decode(turn)] for turn in values]
        return [ask([_parsed(text, positions) for text in turn]) if turn else None for turn in turns]
    if values and bytes(values[0])[:1] == b"{":
        return [ask([_chosen_call(value) for value in values])]
    texts = [_TEXT.decode(value) for value in values]
    if bytes(record.function) not in (b"", b"null"):
        return [ask([_parsed(text, positions) for text in texts])]
    if texts and record.involved_classes:
        # Web search and memory: what was looked up to find the answer is nowhere written.
        offered_by = ", ".join(record.involved_classes)
        raise AnswerWithoutCalls(f"it offers the tools of {offered_by} and answers without a call")
    return [say("assistant", texts[0])] if texts else []


def _chosen_call(raw: Raw) -> dict[str, Any]:
    found = list(_OBJECT.decode(raw).items())
    if len(found) != 1:
        raise Unfit(f"a call in the answer names {len(found)} functions; expected one")
    name, arguments = found[0]
    return call(name, _chosen_object(arguments).decode())


def _chosen_object(raw: Raw) -> bytes:
    """An object of acceptable values with the first of each; what may be left out is left out."""
    members = []
    for key, options in _OBJECT.decode(raw).items():
        value = _chosen(options)
        if value is not None:
            members.append(orjson.dumps(key) + b": " + value)
    return b"{" + b", ".join(members) + b"}"


def _chosen(options: Raw) -> bytes | None:
    data = bytes(options)
    if data[:1] != b"[":
        return _literal(data)
    accepted = _LIST.decode(data)
    if not accepted:
        return b"[]"
    # An empty string first says that the argument may be left out, and by itself nothing else.
    return None if bytes(accepted[0]) == b'""' else _literal(bytes(accepted[0]))


def _literal(data: bytes) -> bytes:
    if data[:1] == b"{":
        return _chosen_object(Raw(data))
    if data[:1] == b"[":
        return b"[" + b", ".join(_literal(bytes(item)) for item in _LIST.decode(data)) + b"]"
    return data


def _parsed(text: str, positions: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """`mv(source='a', destination='b')` as a call; arguments by position take the schema's names."""
    try:
        made = ast.parse(text.strip(), mode="eval").body
        if not isinstance(made, ast.Call):
            raise ValueError("not a call")
        name = ast.unparse(made.func)
        names = positions.get(name, ())
        if len(made.args) > len(names):
            raise ValueError("an argument without a name")
        values = {key: ast.literal_eval(value) for key, value in zip(names, made.args, strict=False)}
        values |= {str(word.arg): ast.literal_eval(word.value) for word in made.keywords if word.arg}
        return call(name, orjson.dumps(values, option=orjson.OPT_NON_STR_KEYS).decode())
    except (SyntaxError, ValueError, TypeError, RecursionError, MemoryError, Warning) as error:
        raise Unfit(f"the answer is no call that can be read: {text[:60]} ({error})") from None


def _positions(tools: str | None) -> dict[str, list[str]]:
    """Function → the names of its parameters in order, also under its name without the class."""
    found: dict[str, list[str]] = {}
    if tools is None:
        return found
    try:
        for doc in msgspec.json.decode(tools, type=list[_FunctionDoc]):
            properties = (
                _OBJECT.decode(doc.parameters).get("properties")
                if bytes(doc.parameters)[:1] == b"{"
                else None
            )
            found[doc.name] = list(_OBJECT.decode(properties)) if properties else []
    except msgspec.ValidationError:
        return found
    return found


def _descriptions(folder: Path) -> dict[str, list[tuple[str, bytes]]]:
    """Class → (function name, schema) of each of its functions, from the files beside the source."""
    found = {}
    for name, stem in _CLASS_FILES.items():
        path = folder / FUNCTION_FOLDER / f"{stem}.json"
        if path.is_file():
            texts = [line for line in path.read_bytes().split(b"\n") if line.strip()]
            found[name] = [(msgspec.json.decode(text, type=_FunctionDoc).name, text) for text in texts]
    return found


def _of_classes(record: _Record, described: Mapping[str, Iterable[tuple[str, bytes]]]) -> str | None:
    excluded = set(record.excluded_function or ())
    schemas = [
        text
        for name in record.involved_classes or ()
        for function, text in described.get(name, ())
        if function not in excluded
    ]
    return offered(Raw(b"[" + b",".join(schemas) + b"]")) if schemas else None


def guess_records(path: Path, objects: Sequence[Mapping[str, Any]]) -> Iterator[Candidate]:
    """Questions as lists beside functions or classes."""
    keys = {key.lower() for key in objects[0]}
    if isinstance(objects[0].get("question"), list) and {"function", "involved_classes"} & keys:
        has_answers = (path.parent / "possible_answer").is_dir()
        yield Candidate(OWN, {"answers": "possible_answer"} if has_answers else {})


READER = Reader(converter=converter, companions=companions, guess_records=guess_records)
