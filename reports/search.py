"""`aj why --text`: rows that hold a text.

Of the shards only what messages say and the arguments of tool calls is read, by several threads.
"""

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import orjson
import polars as pl
import pyarrow.compute as pc
import pyarrow.parquet as pq

from curation.errors import CurationError
from curation.manifest import SPLITS, read_manifest, shard_files
from reports.dataset import samples
from reports.visible import visible
from reports.why import MOST


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
    groups = [
        (dataset / file.path, group)
        for split in SPLITS
        for file in shard_files(manifest, split)
        for group in range(pq.read_metadata(dataset / file.path).num_row_groups)
    ]
    hits: dict[str | None, Hit] = {}
    with ThreadPoolExecutor() as pool:
        for found in pool.map(lambda at: search_group(at[0], at[1], text), groups):
            for hit in found:
                hits.setdefault(hit.id, hit)
            if len(hits) >= MOST:
                pool.shutdown(cancel_futures=True)
                break
    return [*hits.values(), *search_samples(dataset, text)][:MOST]


_META = re.compile(r"[\\.+*?()|\[\]{}^$#&\-~]")  # of the regular expressions that Polars reads
LEAVES = ("content", "tool_calls.list.element.arguments")


def search_group(path: Path, group: int, text: str) -> list[Hit]:
    """The rows of one row group that hold the text."""
    with pq.ParquetFile(path) as file:
        columns = [f"messages.list.element.{leaf}" for leaf in LEAVES]
        table = file.read_row_group(group, columns=["id", *columns])
    messages = table["messages"].combine_chunks()
    rows: dict[int, str] = {}
    of_message = pc.list_parent_indices(messages)
    flat = messages.flatten()
    said = pc.struct_field(flat, "content")
    calls = pc.struct_field(flat, "tool_calls")
    of_call = pc.take(of_message, pc.list_parent_indices(calls))
    arguments = pc.struct_field(calls.flatten(), "arguments")
    # Polars finds a text in half the time of Arrow, whose scalars also import pandas: 0.3 s.
    pattern = "(?i)" + _META.sub(r"\\\g<0>", text)
    for texts, parents in ((said, of_message), (arguments, of_call)):
        places = pl.Series(texts, dtype=pl.String).str.contains(pattern).arg_true()
        for place in places.head(4 * MOST):
            rows.setdefault(parents[place].as_py(), excerpt(texts[place].as_py(), text))
    ids = table["id"]
    return [
        Hit(id=ids[r].as_py(), name=None, split=path.parent.name, excerpt=e) for r, e in sorted(rows.items())
    ]


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
