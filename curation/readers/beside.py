"""What stands beside turns, or a question and its answer: tools, a system prompt, a history, thoughts."""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from msgspec import Raw

from curation.jsontext import JSON_ERRORS
from curation.readers.columns import look_up
from curation.recipe.keys import KINDS
from curation.turns.chat_api import content_of, decode_turns, offered, row_of_turns, say, with_thought
from curation.turns.roles import ROLES, role_of
from curation.turns.shape import Unfit, Unsupported, missing

_TEXT = msgspec.json.Decoder(str)
_OBJECT = msgspec.json.Decoder(dict[str, Raw])
_PAIRS = msgspec.json.Decoder(list[tuple[str, str | None]])
_OBJECTS = msgspec.json.Decoder(list[dict[str, str | None]])
# Who asks and who answers in an exchange that is an object, and no other keys.
_EXCHANGES = (
    ("user", "assistant"),
    ("human", "assistant"),
    ("human", "gpt"),
    ("user", "bot"),
    ("question", "answer"),
    ("query", "response"),
    ("prompt", "response"),
    ("prompt", "completion"),
    ("instruction", "output"),
    ("input", "output"),
)


def first_offered(found: Iterable[tuple[str, Raw]]) -> str | None:
    """The tools under the first key that holds any; mere names count under `tools` and `functions`."""
    for key, raw in found:
        text = offered(raw)
        if text is not None and (key in ("tools", "functions") or text.startswith("[{")):
            return text
    return None


def system_beside(found: Iterable[tuple[str, Raw]], own: str | None) -> str | None:
    """The system prompt that stands under the first key that holds one.

    own: that which opens the turns, None where they have none. Where they have one it stays, and Unsupported
    is raised for another that says something else.
    """
    for key, raw in found:
        if not (text := _system_text(raw)):
            continue
        if own is None:
            return text
        if own and text.strip() not in own and len(text.split(None, 1)) > 1:
            raise Unsupported(key, "another system prompt than that of the turns stands there", text[:200])
    return None


def _system_text(raw: Raw) -> str | None:
    """A system prompt: a text, a list of parts, or Gemini's object with `parts`."""
    data = bytes(raw)
    if data[:1] == b"{":
        data = bytes(_OBJECT.decode(data).get("parts", b""))
    if data[:1] == b"[":
        return content_of(msgspec.json.decode(data, type=list[Raw]), "system").text
    return _TEXT.decode(data) if data[:1] == b'"' else None


def following(record: Mapping[str, Raw], path: str) -> bytes:
    """What follows the turns, under a path: the JSON of a list, a single turn made one, or of a text.

    Raises Unfit where nothing stands there.
    """
    value = look_up(record, path)
    data = b"null" if value is None else bytes(value)
    if data == b"null":
        raise missing(record, [path], "columns: {completion: %s}")
    return data if data[:1] in (b"[", b'"') else b"[" + data + b"]"


def earlier(text: str, key: str) -> list[dict[str, Any]]:
    """The turns of a history: pairs of what was asked and said, exchanges as objects, or turns with roles.

    text: its JSON. key: where it stands. Raises Unsupported for any other shape.
    """
    if text.strip() in ("", "[]", "null", "None"):
        return []
    data = text.encode()
    for read in (_pairs, _exchanges, _turns):
        try:
            return read(data)
        except (*JSON_ERRORS, Unfit):
            continue
    raise Unsupported(key, KINDS["history"].meaning, text[:200])


def _pairs(data: bytes) -> list[dict[str, Any]]:
    return _said([(asked, answered) for asked, answered in _PAIRS.decode(data)])


def _exchanges(data: bytes) -> list[dict[str, Any]]:
    found = []
    for exchange in _OBJECTS.decode(data):
        keys = next((pair for pair in _EXCHANGES if set(pair) == set(exchange)), None)
        if keys is None:
            raise Unfit("no exchange of two texts")
        found.append((exchange[keys[0]] or "", exchange[keys[1]]))
    return _said(found)


def _said(pairs: list[tuple[str, str | None]]) -> list[dict[str, Any]]:
    messages = []
    for asked, answered in pairs:
        messages += [say("user", asked)] if asked else []
        messages += [say("assistant", answered)] if answered else []
    return messages


def _turns(data: bytes) -> list[dict[str, Any]]:
    messages = row_of_turns(decode_turns(data), None).messages
    if any(role_of(message["role"].lower()) not in ROLES for message in messages):
        raise Unfit("a speaker without a role")
    return messages


def thought_first(thought: str | None, said: str | None) -> str | None:
    """An answer with the thought before it, where one of more than a word stands beside it."""
    if not thought or len(thought.split(None, 1)) < 2:
        return said
    return with_thought(thought, said)
