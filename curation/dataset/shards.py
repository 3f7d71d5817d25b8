"""The shards: Parquet with the columns of DESIGN.md §3, the same bytes for any number of workers."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from curation.arrow import read_frame, to_arrow
from curation.dataset.thinking import thought_figures
from curation.errors import CurationError
from curation.row import MESSAGE_DTYPE, NO_LOSS
from curation.stages.seam import context_of
from curation.task import Task

if TYPE_CHECKING:
    from curation.rendering import tokens
    from curation.rendering.template import Template

ROWS_PER_PART = 25_000
ROWS_PER_GROUP = 2_500

TOOL_CALL = pa.struct([("id", pa.string()), ("name", pa.string()), ("arguments", pa.string())])
MESSAGE = pa.struct(
    [
        ("role", pa.string()),
        ("content", pa.string()),
        ("name", pa.string()),
        ("tool_calls", pa.list_(TOOL_CALL)),
        ("tool_call_id", pa.string()),
        ("weight", pa.uint8()),
    ]
)
SHARD_SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("source", pa.string()),
        ("group", pa.string()),
        ("messages", pa.list_(MESSAGE)),
        ("tools", pa.string()),
        ("repeat", pa.uint16()),
        ("tokens", pa.uint32()),
    ]
)


def parquet_writer(path: Path, schema: pa.Schema) -> pq.ParquetWriter:
    """A writer whose bytes depend on the rows alone, given the locked libraries."""
    return pq.ParquetWriter(
        path,
        schema,
        compression="zstd",
        compression_level=3,
        use_dictionary=["source", "group"] if "group" in schema.names else ["source", "file", "reason"],
        write_statistics=True,
        store_schema=True,
    )


def write_part(task: Task, work: Path, out: Path) -> dict[str, Any]:
    """One part of a split: gather its rows from the mapped work files and write them."""
    params = task.params
    chosen = read_frame(work / "tasks" / params["written"] / "written.arrow").filter(
        pl.col("split") == params["split"]
    )
    chosen = chosen.slice(params["start"], ROWS_PER_PART)
    kept = {
        int(ordinal): read_frame(
            work / "tasks" / key / "kept.arrow", ["messages", "tools", "tokens", "language"]
        )
        for ordinal, key in params["rows"]
    }
    count = token_counter(task) if params["count_tokens"] else None
    trained = trained_counter(task) if params["count_tokens"] and params["split"] == "train" else None
    tokens: list[int] = []
    metrics: Counter[str] = Counter()
    with parquet_writer(out / "part.parquet", SHARD_SCHEMA) as writer:
        for start in range(0, chosen.height, ROWS_PER_GROUP):
            rows = gather(chosen.slice(start, ROWS_PER_GROUP), kept, count)
            tokens += [t or 0 for t in rows["tokens"]]
            metrics.update(languages_of(rows))
            if params["split"] == "train":
                metrics.update(without_loss(rows))
                metrics.update(thought_figures(rows))
            metrics.update(trained(rows) if trained else {})
            writer.write_table(to_shard(rows))
    return {
        "rows": chosen.height,
        "tokens": sum(tokens),
        "max_tokens": max(tokens, default=0),
        "metrics": dict(metrics),
    }


def languages_of(rows: pl.DataFrame) -> dict[str, int]:
    """Rows by language, as the stage `language` found it, by the names that the report reads."""
    counted = rows["language"].drop_nulls().value_counts()
    return {f"language.written.{language}": count for language, count in counted.iter_rows()}


def without_loss(rows: pl.DataFrame) -> dict[str, int]:
    """Turns of the assistant's that carry no loss, by source; nothing for a source without any."""
    found: Counter[str] = Counter()
    some = rows.filter(pl.col("messages").str.contains(NO_LOSS, literal=True))
    for source, messages in some.select("source", "messages").iter_rows():
        found[f"turns.without_loss.{source}"] += messages.count(NO_LOSS)
    return dict(found)


def trained_counter(task: Task) -> Callable[[pl.DataFrame], dict[str, int]]:
    """Counts the tokens that carry loss, by source; nothing where the template does not tell them."""
    from curation.rendering.trained import trained_tokens

    counter, template = gauge(task)

    def count(rows: pl.DataFrame) -> dict[str, int]:
        found = trained_tokens(rows, counter, template) or {}
        return {f"tokens.trained.{source}": tokens for source, tokens in found.items()}

    return count


def gather(
    chosen: pl.DataFrame,
    kept: dict[int, pl.DataFrame],
    count: Callable[[pl.DataFrame], pl.DataFrame] | None,
) -> pl.DataFrame:
    """`chosen` with messages, tools and tokens, in its order."""
    chosen = chosen.with_row_index("place").with_columns(ordinal=pl.col("pos") // (1 << 32))
    found = []
    for (ordinal,), here in chosen.partition_by("ordinal", as_dict=True, maintain_order=True).items():
        found.append(pl.concat([here, kept[int(ordinal)][here["offset"]]], how="horizontal"))
    rows = pl.concat(found).sort("place")
    return count(rows) if count else rows


def to_shard(rows: pl.DataFrame) -> pa.Table:
    """Rows with messages as text → the columns of a shard; every string is as it stands."""
    columns = [pl.col(name) for name in SHARD_SCHEMA.names if name != "messages"]
    return to_arrow(rows.select(*columns, messages=structs())).select(SHARD_SCHEMA.names).cast(SHARD_SCHEMA)


def structs() -> pl.Expr:
    """The column `messages`, canonical text, as lists of structs."""
    return pl.col("messages").str.json_decode(pl.List(MESSAGE_DTYPE))


def gauge(task: Task) -> tuple["tokens.Counter", "Template"]:
    """What counts tokens by the recipe's tokenizer, and the recipe's template."""
    from curation.rendering.tokens import load_counter

    context = context_of(orjson.loads(task.paths["context"]))
    assert context.tokenizer is not None
    return load_counter(context.tokenizer), context.load_template()


def token_counter(task: Task) -> Callable[[pl.DataFrame], pl.DataFrame]:
    """Fills `tokens` where it is null: the ids of the row rendered with the recipe's template."""
    from curation.rendering.template_parts import RenderError
    from curation.rendering.tokens import count_rows

    counter, template = gauge(task)

    def fill(rows: pl.DataFrame) -> pl.DataFrame:
        missing = pl.col("tokens").is_null()
        try:
            counted = count_rows(rows.filter(missing), counter, template)
        except RenderError as error:
            raise CurationError(
                f"a row cannot be rendered: {error}; add the stage `length`, which drops such rows"
            ) from None
        known = rows["tokens"].is_null()
        return rows.with_columns(rows["tokens"].scatter(known.arg_true(), counted))

    return fill
