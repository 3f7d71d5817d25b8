"""JSON lines of plain conversations to rows at the speed of a compiled loop (curation/chat_kernel.py).

Most lines of most chat sets hold nothing but texts of users and assistants. Those are taken here, with
the very bytes that the reader would give; all others, and whatever is wrong or unusual, are left to it.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from curation import chat_kernel as kernel
from curation.readers.messages import conversation_keys
from curation.source import Source

_SHORTEST = len('{"role":"user"}')


def quick_key(source: Source) -> str | None:
    """The key of the conversations of a source whose lines may be taken here; None if none may."""
    settled = source.columns is None and source.where is None and source.system is None
    return (
        conversation_keys(source.reader)[0] if source.reader in ("messages", "wildchat") and settled else None
    )


def canonical_messages(lines: Sequence[bytes], key: str) -> pl.Series:
    """The canonical messages of every line, null for those that are left to the reader.

    lines: without line feeds. key: of the conversation in the line's object.
    """
    data = np.frombuffer(b"\n".join((*lines, bytes(kernel.ROOM))), np.uint8)
    starts = np.zeros(len(lines) + 1, np.int64)
    np.cumsum(np.fromiter((len(line) + 1 for line in lines), np.int64, len(lines)), out=starts[1:])
    # Memory that is never touched costs nothing, so the most that any line can need is no burden.
    out = np.empty(2 * len(data) + len(data) // _SHORTEST * kernel.OVERHEAD + kernel.ROOM, np.uint8)
    offsets, is_done = np.empty(len(lines) + 1, np.int64), np.empty(len(lines), np.bool_)
    transcode: Any = kernel.transcode
    transcode(data, starts, np.frombuffer(key.encode(), np.uint8), out, offsets, is_done)
    valid = pa.array(is_done).buffers()[1]
    texts = pa.LargeStringArray.from_buffers(
        len(lines), pa.py_buffer(offsets), pa.py_buffer(out[: offsets[-1]]), valid
    )
    return pl.Series("messages", texts)
