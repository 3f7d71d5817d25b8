"""The row: canonical JSON, digests, and the columns that every part agrees on (DESIGN.md §3).

Between the stages a row is one line of a frame with `messages` as canonical JSON text; the
structs of the shards are made once, when the shards are written.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Any

import orjson
import polars as pl

MESSAGE_KEYS = ("role", "content", "name", "tool_calls", "tool_call_id")
TOOL_CALL_KEYS = ("id", "name", "arguments")

TOOL_CALL_DTYPE = pl.Struct({"id": pl.String, "name": pl.String, "arguments": pl.String})
MESSAGE_DTYPE = pl.Struct(
    {
        "role": pl.String,
        "content": pl.String,
        "name": pl.String,
        "tool_calls": pl.List(TOOL_CALL_DTYPE),
        "tool_call_id": pl.String,
        "weight": pl.UInt8,
    }
)
# How canonical JSON spells a turn without loss: `weight` sorts last, and inside a text its quotes would be
# escaped.
NO_LOSS = ',"weight":0'
# Why a turn carries no loss: its makers say so, or those of a row that equals its own, or it was joined with
# a turn that carries none. Stages have further reasons.
MARKED, COPY, JOINED = "marked", "copy", "joined"

# What travels between the stages. `pos` is (chunk ordinal << 32) | row within the chunk (see
# `places.py`); `piece` is 0 for a whole row and counts from 1 when a stage split it; `notes` holds one
# JSON object a line: {"stage": …, "repair": …} or {"stage": …, "flag": …}, with further keys as evidence,
# at most one {"no_loss": [[turn, reason], …]}, which only `close_row` writes, one {"stage": "read",
# "member": …} where it was read from an archive, and of a piece {"stage": "length", "split": [piece, pieces],
# "carried": [start, end]} with the places of the messages that an earlier piece has.
FRAME_SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "pos": pl.UInt64,
    "piece": pl.UInt32,
    "source": pl.String,
    "input_id": pl.String,
    "messages": pl.String,
    "tools": pl.String,
    "notes": pl.String,
}

# One line per input row of a run (DESIGN.md §4).
LEDGER_SCHEMA: dict[str, Any] = {
    "source": pl.String,
    "file": pl.String,
    "row": pl.UInt32,
    "input_id": pl.String,
    "id": pl.String,
    "fate": pl.String,
    "stage": pl.String,
    "reason": pl.String,
    "detail": pl.String,
}

Message = dict[str, Any]


def message(
    role: str,
    content: str | None = None,
    *,
    name: str | None = None,
    tool_calls: list[dict[str, str | None]] | None = None,
    tool_call_id: str | None = None,
) -> Message:
    """A message with all five keys. Empty `tool_calls` become null."""
    return {
        "role": role,
        "content": content,
        "name": name,
        "tool_calls": tool_calls or None,
        "tool_call_id": tool_call_id,
    }


def encode(messages: Sequence[Mapping[str, Any]]) -> str:
    """Messages as canonical JSON: sorted keys, no spaces, no ASCII escapes.

    The same text as json.dumps(messages, sort_keys=True, separators=(",", ":"),
    ensure_ascii=False). All five message keys must be present. Raises TypeError on a lone
    surrogate, which no UTF-8 file can hold.
    """
    return orjson.dumps(messages, option=orjson.OPT_SORT_KEYS).decode()


def decode(messages: str) -> list[Message]:
    """The messages of a row, from the frame's JSON text."""
    decoded: list[Message] = orjson.loads(messages)
    return decoded


def kept_keys(message: Mapping[str, Any]) -> Message:
    """A message as a frame has it, of any mapping: its five keys, and `weight` only where it is 0."""
    found = {key: message.get(key) for key in MESSAGE_KEYS}
    return found if message.get("weight") is None else {**found, "weight": message["weight"]}


def is_trained(message: Mapping[str, Any]) -> bool:
    """Whether a message carries loss: the assistant says it, and nothing masks it."""
    return message["role"] == "assistant" and message.get("weight") is None


def mask(message: Message, reason: str) -> None:
    """Take the loss from a turn of the assistant's in an open row; a reason that it has already stands."""
    message["weight"] = 0
    message.setdefault("no_loss", reason)


def open_row(messages: str, notes: str | None) -> list[Message]:
    """`decode` for a stage that masks turns, or adds, moves or takes out any.

    The reason of a turn without loss stands in the message, under `no_loss`, so that it goes where the turn
    goes; `close_row` takes it out again. Whoever makes a message of an old one keeps both keys.
    """
    opened = decode(messages)
    if NO_LOSS in messages:
        reasons = without_loss(notes)
        for turn, message in enumerate(opened):
            if "weight" in message:
                message["no_loss"] = reasons.get(turn, MARKED)
    return opened


def close_row(messages: Sequence[Message], notes: str | None) -> tuple[str, str | None]:
    """The text of an open row, and its notes with the turns that carry no loss and why."""
    masked = no_loss(messages)
    if notes and _MASKED in notes:
        notes = "\n".join(line for line in notes.split("\n") if not line.startswith(_MASKED)) or None
    return encode(messages), note(notes, **masked) if masked["no_loss"] else notes


def no_loss(messages: Sequence[Message]) -> dict[str, list[list[Any]]]:
    """The note of the turns of an open row that carry no loss; takes their reasons out of the messages."""
    masked = [(turn, message) for turn, message in enumerate(messages) if "weight" in message]
    return {"no_loss": [[turn, message.pop("no_loss", MARKED)] for turn, message in masked]}


_MASKED = '{"no_loss":'


def without_loss(notes: str | None) -> dict[int, str]:
    """Turn → why it carries no loss, of a `notes` cell."""
    entries = read_notes(notes) if notes and _MASKED in notes else []
    return {turn: reason for entry in entries for turn, reason in entry.get("no_loss", ())}


_CARRIED = '"carried":'


def carried(notes: str | None) -> tuple[int, int]:
    """Where in a piece's messages those stand that it only carries again, as (start, end); (0, 0) if none."""
    entries = read_notes(notes) if notes and _CARRIED in notes else []
    places = [entry["carried"] for entry in entries if "carried" in entry]
    return (places[-1][0], places[-1][1]) if places else (0, 0)


def row_id(messages: str, tools: str | None) -> str:
    """The digest of a row (DESIGN.md §3) from its canonical messages and its tools text."""
    tail = b"null" if tools is None else orjson.dumps(tools)
    text = b"[" + messages.encode() + b"," + tail + b"]"
    return "sha256:" + hashlib.sha256(text).hexdigest()


def row_ids(messages: Iterable[str], tools: Iterable[str | None]) -> list[str]:
    """`row_id` of every row of two columns of equal length."""
    return [row_id(text, tool) for text, tool in zip(messages, tools, strict=True)]


def ids_of(rows: pl.DataFrame) -> pl.Series:
    """The `row_id` of every row of a frame: its column `id`, which the engine keeps, else computed."""
    if "id" in rows.columns:
        return rows["id"]
    return pl.Series("id", row_ids(rows["messages"], rows["tools"]), dtype=pl.String)


def digest(*values: object) -> str:
    """sha256 in hex of the values as text, joined by tabs: what every seeded choice ranks by."""
    return hashlib.sha256("\t".join(map(str, values)).encode()).hexdigest()


def ranks_of(rows: pl.DataFrame, seed: int) -> pl.Series:
    """digest(seed, id) of every row of a frame: its column `rank`, which the engine keeps, else computed."""
    return rows["rank"] if "rank" in rows.columns else seeded("rank", rows["id"], seed)


def seeded(name: str, ids: pl.Series, seed: int, *more: object) -> pl.Series:
    """digest(seed, id, …) of a column, spelt out because a million calls of `digest` take a second more."""
    tail = "".join(f"\t{value}" for value in more)
    found = [hashlib.sha256(f"{seed}\t{row_id}{tail}".encode()).hexdigest() for row_id in ids.to_list()]
    return pl.Series(name, found, dtype=pl.String)


def frame(
    conversations: Sequence[Sequence[Mapping[str, Any]]],
    tools: Sequence[str | None] | None = None,
    *,
    source: str = "rows",
) -> pl.DataFrame:
    """A frame as the stages take it, from messages as Python lists. Missing message keys are null.

    Use it to run a single stage by hand: `normalise(frame([[{"role": "user", …}, …]]))`.
    """
    texts = [encode([kept_keys(m) for m in c]) for c in conversations]
    offered = list(tools) if tools is not None else [None] * len(texts)
    return pl.DataFrame(
        {
            "pos": list(range(len(texts))),
            "piece": [0] * len(texts),
            "source": [source] * len(texts),
            "input_id": row_ids(texts, offered),
            "messages": texts,
            "tools": offered,
            "notes": [None] * len(texts),
        },
        schema=FRAME_SCHEMA,
    )


def note(notes: str | None, **entry: object) -> str:
    """`notes` with one more entry, e.g. note(notes, stage="tools", repair="call_ids")."""
    line = orjson.dumps(entry, option=orjson.OPT_SORT_KEYS).decode()
    return line if notes is None else f"{notes}\n{line}"


def read_notes(notes: str | None) -> list[dict[str, Any]]:
    """The entries of a `notes` cell."""
    return [orjson.loads(line) for line in notes.split("\n")] if notes else []


def drop(rows: pl.DataFrame, reasons: Sequence[str], details: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    """`rows` with `reason: str` and `detail: str` (a JSON object), as a stage returns what it dropped."""
    texts = [orjson.dumps(d, option=orjson.OPT_SORT_KEYS).decode() for d in details]
    return rows.with_columns(
        pl.Series("reason", list(reasons), dtype=pl.String),
        pl.Series("detail", texts, dtype=pl.String),
    )


def root_digest(lines: Iterable[tuple[str, str, int]]) -> str:
    """The root: sha256 over f"{split}\\t{id}\\t{repeat}\\n" of every shard row.

    `lines` are (split, id, repeat), train then eval, in shard order.
    """
    digest = hashlib.sha256()
    texts = (f"{split}\t{row_id}\t{repeat}\n" for split, row_id, repeat in lines)
    while some := "".join(islice(texts, 10_000)):
        digest.update(some.encode("ascii"))
    return digest.hexdigest()
