"""Conversations that branch: OASST's trees of ranked replies, and ChatGPT's export with its edited turns.

Of a tree the best path is a row: from the first turn on, at each turn the reply that people ranked first, to
the last that the assistant says. Of an export it is the path to `current_node`, which the person saw last.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from curation.readers.regrouping import Gather
from curation.readers.seam import EXACT, Candidate, Reader
from curation.recipe.source import Source
from curation.turns.chat_api import say
from curation.turns.roles import role_of
from curation.turns.shape import Convert, Row, Unfit, missing

_KEYS = ("mapping", "prompt", "replies", "message_tree_id")


class _Reply(msgspec.Struct):
    """A turn of OASST; `replies` where they stand inside it, ids where each turn is a record of its own."""

    text: str
    role: str
    rank: float | None = None
    deleted: bool | None = None
    review_result: bool | None = None
    replies: list["_Reply"] = []
    message_id: str | None = None
    parent_id: str | None = None


class _Tree(msgspec.Struct):
    prompt: _Reply | UnsetType = UNSET


class _Author(msgspec.Struct):
    role: str


class _Content(msgspec.Struct):
    """What a turn of an export holds: `parts`, `thoughts`, `text`, or what the person told of themselves."""

    content_type: str
    parts: list[Any] = []
    thoughts: list[dict[str, Any]] = []
    user_profile: str = ""
    user_instructions: str = ""


class _Said(msgspec.Struct):
    author: _Author
    content: _Content
    recipient: str | None = None
    metadata: dict[str, Any] = {}


class _Node(msgspec.Struct):
    message: _Said | None = None
    parent: str | None = None


class _Export(msgspec.Struct):
    mapping: dict[str, _Node]
    current_node: str | None = None


_RECORDS = msgspec.json.Decoder(list[msgspec.Raw])
_KEYS_OF = msgspec.json.Decoder(dict[str, msgspec.Raw])
_TREE = msgspec.json.Decoder(_Tree)
_REPLY = msgspec.json.Decoder(_Reply)
_EXPORT = msgspec.json.Decoder(_Export)
# Turns that an export keeps for its own pages and shows nobody.
_UNSEEN = ("reasoning_recap", "model_editable_context")


def converter(source: Source, path: Path) -> Convert:
    """The best path of a tree: one record with all in it, or a record a turn."""

    def convert(data: bytes) -> Row:
        records = _RECORDS.decode(data) if data.lstrip()[:1] == b"[" else [msgspec.Raw(data)]
        fields = _KEYS_OF.decode(records[0])
        if "mapping" in fields:
            return _exported(_EXPORT.decode(records[0]))
        if "prompt" in fields:
            root = _TREE.decode(records[0]).prompt
            return _ranked([root] if isinstance(root, _Reply) else [], lambda turn: turn.replies)
        turns = [_REPLY.decode(record) for record in records if "role" in _KEYS_OF.decode(record)]
        if not turns:
            raise missing(fields, _KEYS)
        if len(turns) == 1:
            return _ranked(turns, lambda turn: turn.replies)
        return _ranked([turn for turn in turns if turn.parent_id is None], partial(_answers, turns))

    return convert


def _answers(turns: Sequence[_Reply], asked: _Reply) -> list[_Reply]:
    return [turn for turn in turns if turn.parent_id is not None and turn.parent_id == asked.message_id]


def _ranked(roots: Sequence[_Reply], replies: Callable[[_Reply], Sequence[_Reply]]) -> Row:
    """The path of the best replies, up to the last of the assistant. Deleted and refused ones are none."""
    path: list[_Reply] = []
    following: Sequence[_Reply] = roots
    while good := [one for one in following if not one.deleted and one.review_result is not False]:
        path.append(min(good, key=lambda one: float("inf") if one.rank is None else one.rank))
        if len(path) > 10_000:
            raise Unfit("its turns answer each other in a circle")
        following = replies(path[-1])
    messages = [say(role_of(turn.role.lower()), turn.text) for turn in path]
    while messages and messages[-1]["role"] != "assistant":
        messages.pop()
    if not messages:
        raise Unfit("no reply of the assistant stands in the tree")
    return Row(messages, None, [])


def _exported(export: _Export) -> Row:
    """The path to the turn that was shown last. Raises Unfit for pictures and calls of its tools."""
    path: list[_Said] = []
    at, seen = export.current_node, set[str]()
    if at is None:
        raise missing(["mapping"], ["current_node"])
    while at is not None and at not in seen:
        seen.add(at)
        node = export.mapping.get(at)
        if node is None:
            raise Unfit(f"its mapping has no turn {at}")
        if node.message is not None:
            path.append(node.message)
        at = node.parent
    messages: list[dict[str, Any]] = []
    notes: list[dict[str, Any]] = []
    thought = ""
    for turn in reversed(path):
        if turn.content.content_type == "thoughts":
            thought += "\n\n".join(
                str(one.get("content") or one.get("summary")) for one in turn.content.thoughts
            )
        elif text := _text(turn):
            role = role_of(turn.author.role)
            if thought and role == "assistant":
                text, thought = f"<think>\n{thought}\n</think>\n\n{text}", ""
                notes.append({"stage": "read", "repair": "reasoning_content"})
            messages.append(say(role, text))
    if not messages:
        raise Unfit("the conversation has no turns")
    return Row(messages, None, notes)


def _text(turn: _Said) -> str:
    kind, content = turn.content.content_type, turn.content
    if kind == "user_editable_context":
        return "\n\n".join(text for text in (content.user_profile, content.user_instructions) if text)
    if kind in _UNSEEN or (turn.metadata.get("is_visually_hidden_from_user") and turn.author.role != "user"):
        return ""
    if turn.author.role == "tool" or (
        turn.author.role == "assistant" and turn.recipient not in (None, "all")
    ):
        raise Unfit("a tool of ChatGPT is called in it, whose schema the export does not tell")
    if kind not in ("text", "multimodal_text") or not all(isinstance(part, str) for part in content.parts):
        raise Unfit(f"a turn of type {kind} holds more than text")
    return "\n".join(content.parts)


def gather(source: Source) -> Gather:
    """By the id of the tree, where a record has one."""
    return Gather("message_tree_id", is_needed=False)


def guess_records(path: Path, objects: Sequence[Mapping[str, Any]]) -> Iterator[Candidate]:
    """Keys that only these sets have."""
    first = objects[0]
    replies = first.get("prompt", first)
    if (
        {"mapping", "current_node"} <= set(first)
        or (isinstance(replies, dict) and "replies" in replies)
        or {"message_tree_id", "parent_id", "text", "role"} <= set(first)
    ):
        yield Candidate(EXACT, is_sure=True)


READER = Reader(converter=converter, gather=gather, guess_records=guess_records)
