"""`aj why --text`: rows that hold a text.

Of the shards only what messages say and the arguments of tool calls is read, by several threads.
"""

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import numpy as np
import orjson
import polars as pl
import pyarrow.parquet as pq

from curation.dataset.manifest import SPLITS, read_manifest, shard_files
from curation.errors import CurationError
from curation.visible import visible
from reports.facts.dataset_tables import samples
from reports.rows.why import MOST


class Hit(msgspec.Struct, frozen=True, kw_only=True):
    """A row whose text holds what was looked for. `id` is null for sampled rows that were dropped."""

    id: str | None
    name: str | None
    split: str
    excerpt: str


def find_text(dataset: Path, text: str) -> list[Hit]:
    """Rows that hold a text, at most MOST: every written row is searched, of the others the samples.

    What messages say and the arguments of tool calls are searched, upper and lower case alike.
    Raises CurationError on an empty text.
    """
    if not text.strip():
        raise CurationError("--text: expected some text to look for")
    manifest = read_manifest(dataset)
    shards = [dataset / file.path for split in SPLITS for file in shard_files(manifest, split)]
    hits: dict[str | None, Hit] = {}
    with ThreadPoolExecutor() as pool:
        for found in pool.map(lambda shard: search_shard(shard, text), shards):
            for hit in found:
                hits.setdefault(hit.id, hit)
            if len(hits) >= MOST:
                pool.shutdown(cancel_futures=True)
                break
    return [*hits.values(), *search_samples(dataset, text)][:MOST]


_META = re.compile(r"[\\.+*?()|\[\]{}^$#&\-~]")  # of the regular expressions that Polars reads
LEAVES = ("content", "tool_calls.list.element.arguments")


def search_shard(path: Path, text: str, most: int = MOST) -> list[Hit]:
    """Rows of a shard that hold the text, in order; no further row group is read once there are `most`."""
    # Polars finds a text in half the time of Arrow, whose scalars also import pandas: 0.3 s.
    pattern = "(?i)" + _META.sub(r"\\\g<0>", text)
    found: list[Hit] = []
    with pq.ParquetFile(path) as file:
        for group in range(file.num_row_groups):
            rows = search_group(file, group, text, pattern, most)
            if rows:
                ids = file.read_row_group(group, columns=["id"], use_threads=False)["id"]
                found += [
                    Hit(id=ids[row].as_py(), name=None, split=path.parent.name, excerpt=around)
                    for row, around in sorted(rows.items())
                ]
            if len(found) >= most:
                break
    return found


def search_group(file: pq.ParquetFile, group: int, text: str, pattern: str, most: int) -> dict[int, str]:
    """Rows of one row group that hold the text, each with the words around it."""
    columns = [f"messages.list.element.{leaf}" for leaf in LEAVES]
    messages = file.read_row_group(group, columns=columns, use_threads=False)["messages"].combine_chunks()
    flat = messages.flatten()
    calls = flat.field("tool_calls")
    rows: dict[int, str] = {}
    for texts, lists in (
        (flat.field("content"), (messages,)),
        (calls.flatten().field("arguments"), (calls, messages)),
    ):
        places = pl.Series(texts, dtype=pl.String).str.contains(pattern).arg_true().head(4 * most)
        for place in places:
            row = place
            for parent in lists:
                row = int(np.searchsorted(parent.offsets.to_numpy(), row, side="right")) - 1
            rows.setdefault(row, excerpt(texts[place].as_py(), text))
    return rows


def search_samples(dataset: Path, text: str) -> Iterator[Hit]:
    """Sampled rows that were not written and hold the text, in their messages or their evidence."""
    escaped = orjson.dumps(text)[1:-1].decode().lower()
    holds = [pl.col(c).str.to_lowercase().str.contains(escaped, literal=True) for c in ("messages", "detail")]
    gone = (pl.col("kind") == "dropped") & pl.any_horizontal(holds)
    for row in samples(dataset).filter(gone).collect().iter_rows(named=True):
        name = f"{row['source']}:{row['file']}:{row['row']}"
        whole = f"{row['messages'] or ''} {row['detail'] or ''}"
        yield Hit(id=None, name=name, split="dropped", excerpt=excerpt(whole, escaped))


def excerpt(whole: str, text: str) -> str:
    """The text with a few words on either side, on one line."""
    at = max(whole.lower().find(text.lower()), 0)
    start, end = max(at - 40, 0), at + len(text) + 40
    middle = " ".join(whole[start:end].split())
    return f"{'… ' if start else ''}{middle}{' …' if end < len(whole) else ''}"


def hits(found: list[Hit], dataset: Path, looked_for: str) -> str:
    """Found rows for the terminal, each with the command that tells its life."""
    if not found:
        return f"no written row and no sampled row holds {visible(looked_for)!r}"
    lines = []
    for hit in found:
        lines += [f"{hit.split:<8} {visible(hit.id or hit.name or '')}", f"         {visible(hit.excerpt)}"]
    more = f"only the first {MOST} are told\n" if len(found) == MOST else ""
    return "\n".join(lines) + f"\n{more}next    aj why {dataset} ROW"
