"""JSON lines of conversations to rows at the speed of a compiled loop (curation/readers/messages/kernel.py).

Most lines of most chat sets hold messages, tool calls and tools as chat APIs write them. Those are taken
here, with the very bytes that the reader would give; all others, and whatever is wrong or unusual, are
left to it.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
from msgspec import Raw
from numpy.typing import NDArray

from curation.jsontext import JSON_ERRORS
from curation.readers.messages import kernel
from curation.readers.seam import Taken
from curation.recipe.readers import READERS
from curation.recipe.source import Source
from curation.turns.chat_api import offered

_SHORTEST = len('{"role":"user"}')


def quick_key(source: Source) -> str | None:
    """The key of the conversations of a source whose lines may be taken here; None if none may."""
    names = READERS[source.reader].columns.get("messages")
    if not names or any(
        one is not None for one in (source.where, source.system, source.records, source.failed or None)
    ):
        return None
    return names[0] if source.columns in (None, {"messages": names[0]}) else None


def quick(source: Source) -> Callable[[Sequence[bytes]], Taken] | None:
    """`canonical_rows` for the lines of a source; None if none may be taken here."""
    key = quick_key(source)
    return None if key is None else partial(canonical_rows, key=key)


def canonical_rows(lines: Sequence[bytes], key: str) -> Taken:
    """The canonical messages and the tools of every line, null for those that are left to the reader.

    lines: without line feeds. key: of the conversation in the line's object.
    """
    data = np.frombuffer(b"\n".join((*lines, bytes(kernel.ROOM))), np.uint8)
    starts = np.zeros(len(lines) + 1, np.int64)
    np.cumsum(np.fromiter((len(line) + 1 for line in lines), np.int64, len(lines)), out=starts[1:])
    # Memory that is never touched costs nothing, so the most that any line can need is no burden.
    out = np.empty(2 * len(data) + len(data) // _SHORTEST * kernel.OVERHEAD + kernel.ROOM, np.uint8)
    offsets, is_done = np.empty(len(lines) + 1, np.int64), np.empty(len(lines), np.bool_)
    tools = np.empty((len(lines), 2), np.int64)
    transcode: Any = kernel.transcode
    transcode(data, starts, np.frombuffer(key.encode(), np.uint8), out, offsets, is_done, tools)
    offers = offered_by_line(data, tools, is_done)
    valid = pa.py_buffer(np.packbits(is_done, bitorder="little"))
    texts = pa.LargeStringArray.from_buffers(
        len(lines), pa.py_buffer(offsets), pa.py_buffer(out[: offsets[-1]]), valid
    )
    return Taken(pl.Series("messages", texts), pl.Series("tools", offers, dtype=pl.String))


def offered_by_line(
    data: NDArray[np.uint8], tools: NDArray[np.int64], is_done: NDArray[np.bool_]
) -> list[str | None]:
    """The tools of every line as text; a line whose tools the reader must look at is no longer done."""
    found: list[str | None] = [None] * len(tools)
    for line in np.flatnonzero(is_done & (tools[:, 0] >= 0)).tolist():
        try:
            found[line] = _offered(data[tools[line, 0] : tools[line, 1]].tobytes())
        except JSON_ERRORS:
            is_done[line] = False
    return found


@lru_cache(maxsize=256)
def _offered(raw: bytes) -> str | None:
    """Rows of one agent offer the same tools."""
    return offered(Raw(raw))
