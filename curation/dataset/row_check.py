"""Do the rows of the shards still have the ids that they were written with, and make up the root?

Ids are recomputed from messages and tools as they lie in the shards. Polars writes the canonical
JSON of a whole column at once; where its text does not give the stored id, the slow and exact way
of curation/row.py decides. About 60,000 rows of 2 KB a second on one core.
"""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import polars as pl

from curation.dataset.gate_sql import OLDER_MESSAGES, SHARD_COLUMNS
from curation.dataset.manifest import SPLITS, ListedFile, Manifest, shard_files
from curation.row import TOOL_CALL_KEYS, encode, kept_keys, row_id


class Problem(NamedTuple):
    """What is wrong with a file of a dataset; `row` counts from 0 in it, where one row is to blame."""

    file: str
    row: int | None
    what: str

    def __str__(self) -> str:
        return f"{self.file}{'' if self.row is None else f': row {self.row}'}: {self.what}"


class CheckedRows(NamedTuple):
    """What the shards hold: their ids by split, the root that they make, and what is wrong."""

    ids: dict[str, pl.Series]
    root: str
    rows: int
    problems: list[Problem]


# Polars writes struct fields in the order of the schema; canonical JSON sorts its keys. Rows with a turn of
# `weight` 0, which canonical JSON has only there, are left to the exact way.
CALL = pl.struct(*[pl.element().struct.field(key) for key in sorted(TOOL_CALL_KEYS)])
PLAIN = ("content", "name", "role", "tool_call_id")
CALLS = pl.element().struct.field("tool_calls").list.eval(CALL).alias("tool_calls")
MESSAGE = pl.struct(*[pl.element().struct.field(key) for key in PLAIN], CALLS)
TEXTS = (
    pl.struct(v=pl.col("messages").list.eval(MESSAGE)).struct.json_encode().alias("messages"),
    pl.struct(v=pl.col("tools")).struct.json_encode().alias("tools"),
)
WRAPPED = slice(len('{"v":'), -1)


def check_rows(dataset: Path, manifest: Manifest) -> CheckedRows:
    """Read every shard that the manifest lists and check its rows."""
    root = hashlib.sha256()
    problems: list[Problem] = []
    ids: dict[str, pl.Series] = {}
    rows = 0
    for split in SPLITS:
        parts = [pl.Series("id", [], dtype=pl.String)]
        for file in shard_files(manifest, split):
            try:
                shard = read_shard(dataset / file.path)
            except (OSError, ValueError, pl.exceptions.PolarsError) as error:
                problems.append(Problem(file.path, None, f"not a shard any more: {one_line(error)}"))
                continue
            problems += shard_problems(file, shard)
            for row, repeat in zip(shard["id"], shard["repeat"], strict=True):
                root.update(f"{split}\t{row}\t{repeat}\n".encode())
            parts.append(shard["id"])
            rows += shard.height
        ids[split] = pl.concat(parts)
    return CheckedRows(ids, root.hexdigest(), rows, problems)


def read_shard(path: Path) -> pl.DataFrame:
    """id, messages, tools and repeat of a shard. Raises ValueError when its columns are others."""
    shard = pl.read_parquet(path, glob=False, use_pyarrow=False)
    expected = {name: dtype for name, dtype in SHARD_COLUMNS.items() if name != "text"}
    if dict(shard.schema) not in (expected, {**expected, "messages": OLDER_MESSAGES}):
        raise ValueError(f"columns {dict(shard.schema)}; expected {expected}")
    return shard.select("id", "messages", "tools", "repeat")


def shard_problems(file: ListedFile, shard: pl.DataFrame) -> Iterator[Problem]:
    """A wrong number of rows, and the first row that does not have the id of its content."""
    if shard.height != file.rows:
        yield Problem(file.path, None, f"{shard.height} rows; the manifest says {file.rows}")
    for number, (stored, computed) in enumerate(zip(shard["id"], recomputed(shard), strict=True)):
        if stored != computed and stored != exact_id(shard, number):
            yield Problem(file.path, number, f"its content is not that of its id {stored}")
            return


def recomputed(shard: pl.DataFrame) -> Iterator[str]:
    """The id of every row, the fast way: right for a row whose stored id it equals; none for some rows."""
    for messages, tools, plain in shard.select(*TEXTS, is_plain(shard)).iter_rows():
        text = f"[{messages[WRAPPED]},{tools[WRAPPED]}]"
        yield "sha256:" + hashlib.sha256(text.encode()).hexdigest() if plain else ""


def is_plain(shard: pl.DataFrame) -> pl.Expr:
    """Whether all turns of a row carry loss that can; so it is in shards older than `weight`."""
    if shard.schema["messages"] == OLDER_MESSAGES:
        return pl.lit(True).alias("plain")
    weights = pl.col("messages").list.eval(pl.element().struct.field("weight").is_null())
    return weights.list.all().alias("plain")


def exact_id(shard: pl.DataFrame, number: int) -> str | None:
    """The id of one row, as it is defined."""
    messages, tools = shard.row(number, named=True)["messages"], shard["tools"][number]
    return row_id(encode([*map(kept_keys, messages)]), tools) if messages is not None else None


def one_line(error: Exception) -> str:
    """The first line of an error."""
    return str(error).partition("\n")[0]
