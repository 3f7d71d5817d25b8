"""Which reader fits a file: a look at its first records, or at its text."""

import codecs
import glob
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec

from curation.errors import SourceError
from curation.jsontext import JSON_ERRORS, mend, plain
from curation.readers.conversion import converted, converter, fits
from curation.readers.messages.reader import CONVERSATION_KEYS
from curation.readers.reading import chunks, read, records_of
from curation.readers.sharegpt import CONVERSATION_KEYS as SHARED
from curation.recipe.source import Source
from curation.sources.decoding import first_bytes
from curation.sources.records import Bad, Filtered, Record, is_structured
from curation.turns.shape import Row

LOOKED_AT = 20
# A note with two headings is not a book.
SHORTEST_HERBAL = 2_000
_QUESTION = re.compile(r"question|query|prompt|ask|^q$", re.IGNORECASE)
_ANSWER = re.compile(r"answer|response|reply|completion|output|^a$", re.IGNORECASE)
_SPEAKERS = ("speaker", "role", "from", "agent", "author", "sender", "name", "NAMES", "id")
_SAID = ("text", "utterance", "content", "message", "value", "body", "UTTERANCES")
_USERS = {"user", "human", "customer", "client", "usr", "agent_1", "mturk_agent_1", "speaker_1", "1", "a"}
_ANSWERS = {".cm", ".sh", ".tgt", ".target", ".out", ".answer", ".answers"}
_MARKERS = (
    {"### Human:": "user", "### Assistant:": "assistant"},
    {"###Instruction:": "user", "###Output:": "assistant"},
    {"### Instruction:": "user", "### Response:": "assistant"},
    {"user:": "user", "assistant:": "assistant"},
    {"Human:": "user", "Assistant:": "assistant"},
)


@dataclass(frozen=True)
class Guess:
    """A reader and its settings, or None with the keys that were found instead, or what else is there."""

    reader: str | None
    settings: dict[str, Any] = field(default_factory=dict)
    keys: tuple[str, ...] = ()
    has_calls: bool = False
    problem: str = ""


def guess(path: Path) -> Guess:
    """The reader under which most of a file's first records become rows."""
    try:
        opening = first_bytes(path, 64).lstrip(codecs.BOM_UTF8).lstrip()[:1]
        return _of_records(path) if is_structured(path) or opening in (b"{", b"[") else _of_text(path)
    except SourceError as error:
        return Guess(None, problem=str(error))


def _of_records(path: Path) -> Guess:
    looked = list(islice(_records(path), LOOKED_AT))
    found = [record for record in looked if isinstance(record, bytes)]
    objects = [value for data in found if isinstance(value := _value(data), dict)]
    if not objects:
        bad = next((record for record in looked if isinstance(record, Bad)), None)
        return Guess(None, problem=bad.error if bad else "no record is a readable JSON object")
    for reader, settings in _candidates(path, objects):
        rows = _rows(path, reader, settings, found)
        if len(rows) * 2 > len(found):
            calls = any(
                message["tool_calls"] or "<tool_call>" in (message["content"] or "")
                for row in rows
                for message in row
            )
            return Guess(reader, settings | _wanted(objects), has_calls=calls)
    return Guess(None, keys=tuple(objects[0]))


def _records(path: Path) -> Iterator[Record]:
    source = _source("messages", {})
    first = chunks(path, source)[0]
    # As `qa`, which looks at every column of a wide file.
    for batch in records_of(first, _source("qa", {}), partial(fits, converter(source, path))):
        yield from (record for record in batch if not isinstance(record, Filtered))


def _value(data: bytes) -> Any:
    try:
        return plain(msgspec.Raw(data))
    except JSON_ERRORS:
        try:
            return plain(msgspec.Raw(mend(data)[0]))
        except JSON_ERRORS:
            return None


def _source(reader: str, settings: Mapping[str, Any]) -> Source:
    return msgspec.convert({"uri": ".", "reader": reader, "group": "any", **settings}, Source)


def _rows(path: Path, reader: str, settings: Mapping[str, Any], found: Sequence[bytes]) -> list[list[Any]]:
    source = _source(reader, settings)
    rows = converted([list(found)], converter(source, path), source)
    return [row.messages for row in rows if isinstance(row, Row)]


def _candidates(path: Path, objects: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Readers worth trying, the most telling first."""
    first = objects[0]
    keys = {key.lower() for key in first}
    turns = next((key for key in CONVERSATION_KEYS if _is_turns(first.get(key), "role", "content")), None)
    if turns:
        yield ("wildchat" if turns == "conversation" and "language" in keys else "messages"), {}
    if any(_is_turns(first.get(key), "from", "value") for key in SHARED):
        yield "sharegpt", {}
    if isinstance(first.get("turn_history"), dict) or _is_turns(first.get("trajectory")):
        yield "trajectory", {}
    if isinstance(first.get("question"), list) and {"function", "involved_classes"} & keys:
        yield "bfcl", {"answers": "possible_answer"} if (path.parent / "possible_answer").is_dir() else {}
    if "instruction" in keys:
        yield "alpaca", {}
    yield from _arena(path, first)
    yield from _mapped(objects)
    yield "adventure", {}
    for key, value in first.items():
        for roles in _MARKERS:
            if isinstance(value, str) and all(mark in value for mark in roles):
                yield "map", {"map": {"text": key, "roles": roles}}
    yield "qa", {}
    if columns := _asked_and_answered(objects):
        yield "qa", {"columns": columns}


def _wanted(objects: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The `where` of answers that people judged, as in sets for KTO: those that they liked."""
    if not all("completion" in one and isinstance(one.get("label"), bool) for one in objects):
        return {}
    return {"where": {"label": True}}


def _asked_and_answered(objects: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """The two columns of text that look like a question and its answer: by name, else by what they say.

    By what they say, the question is the column most of whose texts end with a question mark, and
    the answer the one with the most text besides it.
    """
    texts = {
        key: [str(record[key]) for record in objects if isinstance(record.get(key), str)]
        for key in objects[0]
        if isinstance(objects[0][key], str)
    }
    asking = {
        key: sum(text.rstrip().endswith("?") for text in said) / len(said) for key, said in texts.items()
    }
    question = next((key for key in texts if _QUESTION.search(key)), None)
    if question is None:
        question = max(asking, key=lambda key: asking[key], default=None)
        if question is None or asking[question] <= 0.5:
            return {}
    others = [key for key in texts if key != question]
    named = [key for key in others if _ANSWER.search(key)]
    answer = max(named or others, key=lambda key: sum(map(len, texts[key])), default=None)
    return {"question": question, "answer": answer} if answer else {}


def _is_turns(value: Any, *keys: str) -> bool:
    return (
        bool(value) and isinstance(value, list) and isinstance(value[0], dict) and set(keys) <= set(value[0])
    )


def _arena(path: Path, first: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """FastChat: answers in `choices`, their questions in a file beside it."""
    if "choices" in first and "question_id" in first and (path.parent / "question.jsonl").is_file():
        layout = {
            "turns": "choices.0.turns",
            "roles": {"*": "assistant"},
            "join": "question_id",
            "prompts": "turns",
        }
        yield "map", {"answers": "question.jsonl", "map": layout}


def _mapped(objects: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Any list of turns with a speaker and what is said."""
    for key, value in objects[0].items():
        if not _is_turns(value):
            continue
        speaker = next((name for name in _SPEAKERS if name in value[0]), None)
        said = next((name for name in _SAID if name in value[0] and name != speaker), None)
        if speaker and said:
            turns = [turn for record in objects for turn in record.get(key) or () if isinstance(turn, dict)]
            roles = _roles([turn.get(speaker) for turn in turns])
            layout: dict[str, Any] = {"turns": key, "role": speaker, "content": said}
            if "*" in roles:
                layout["names"] = True
            if roles:
                yield "map", {"map": {**layout, "roles": roles}}


def _roles(speakers: Sequence[Any]) -> dict[str, str]:
    """Two speakers are user and assistant; of more, the one who speaks most is the assistant."""
    names = [" ".join(map(str, name)) if isinstance(name, list) else str(name) for name in speakers]
    order = list(dict.fromkeys(names))
    if len(order) < 2:
        return {}
    if len(order) > 2:
        return {Counter(names).most_common(1)[0][0]: "assistant", "*": "user"}
    user = next((name for name in order if name.lower() in _USERS), order[0])
    return {user: "user", **{name: "assistant" for name in order if name != user}}


def _of_text(path: Path) -> Guess:
    """A playthrough, a herbal, or one of two files of lines."""
    if _reads(path, "adventure", {}):
        return Guess("adventure", {"player": "assistant"})
    partner = _partner(path)
    if partner is not None:
        return Guess("lines", {"answers": partner.name})
    if path.stat().st_size > SHORTEST_HERBAL and _reads(path, "herbal", {}):
        return Guess("herbal")
    return Guess(None, problem="text that is no playthrough, no herbal and not one of two files of lines")


def _reads(path: Path, reader: str, settings: Mapping[str, Any]) -> bool:
    source = _source(reader, settings)
    try:
        frames = [frame for chunk in chunks(path, source) for frame in read(chunk, source, file=path.name)]
    except SourceError:
        return False
    return all(frame.height and frame["reason"].null_count() == frame.height for frame in frames)


def _partner(path: Path) -> Path | None:
    """The file of the same stem and as many lines that holds the answers."""
    others = [p for p in path.parent.glob(f"{glob.escape(path.stem)}.*") if p != path and p.is_file()]
    if len(others) != 1 or is_structured(others[0]):
        return None
    told = [p for p in (path, others[0]) if p.suffix in _ANSWERS]
    answers = told[0] if len(told) == 1 else max(path, others[0])
    return answers if path != answers and 1 < _line_count(path) == _line_count(answers) else None


def _line_count(path: Path) -> int:
    with path.open("rb") as file:
        return sum(1 for _ in file)
