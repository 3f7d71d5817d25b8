"""SQL gates: one number from the tables train, eval and ledger, and nothing else is in reach.

Polars SQL can read any file through table functions and quoted paths. So a gate's text is parsed,
every node of the tree is held against an allow-list, and what runs is the SQL written back from
the checked tree, never the text itself: nothing that two parsers understand differently gets
through. There are no joins and no WITH, so the work is linear in the tables; a regular expression
may not count; and a clock stops what is slow all the same.
"""

import math
import re
import threading
from collections.abc import Mapping
from pathlib import Path
from queue import Empty, Queue
from typing import Any

import polars as pl
import sqlglot
from sqlglot import exp

from curation.errors import CurationError, RecipeError
from curation.row import LEDGER_SCHEMA, MESSAGE_DTYPE

MAX_CHARACTERS = 2_000
MAX_SELECTS = 4
MAX_DEPTH = 40
MAX_PATTERN = 200
TIMEOUT_S = 60.0

SHARD_COLUMNS: dict[str, Any] = {
    "id": pl.String,
    "source": pl.String,
    "group": pl.String,
    "messages": pl.List(MESSAGE_DTYPE),
    "tools": pl.String,
    "repeat": pl.UInt16,
    "tokens": pl.UInt32,
}
# Of datasets made before turns had a `weight`, which is read as null.
OLDER_MESSAGES = pl.List(pl.Struct([field for field in MESSAGE_DTYPE.fields if field.name != "weight"]))
# `text`, computed where a gate asks for it, is what was said: every turn's content, one a line.
SHARD_COLUMNS["text"] = pl.String
COLUMNS = {"train": SHARD_COLUMNS, "eval": SHARD_COLUMNS, "ledger": LEDGER_SCHEMA}

# Counted repetition makes a small pattern a huge automaton: `(\w{50}){50}`. `\p{L}` is a class.
COUNTED = re.compile(r"(?<!\\p)(?<!\\P)(?<!\\x)(?<!\\u)\{")
PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")


class GateDialect(sqlglot.Dialect):
    """SQL as Polars means it: nulls sort as the largest value."""

    NULL_ORDERING = "nulls_are_large"


UNARY = ("this",)
BINARY = ("this", "expression")
# Every node a gate may hold, and those of its arguments that may be set.
ALLOWED: dict[type[exp.Expr], tuple[str, ...]] = {
    exp.Select: (*("expressions", "distinct", "from_", "where", "group", "having", "order", "limit"),),
    exp.From: UNARY,
    exp.Table: ("this", "alias"),
    exp.TableAlias: UNARY,
    exp.Subquery: ("this", "alias"),
    exp.Where: UNARY,
    exp.Having: UNARY,
    exp.Group: ("expressions",),
    exp.Order: ("expressions",),
    exp.Ordered: ("this", "desc", "nulls_first"),
    exp.Limit: ("expression",),
    exp.Distinct: ("expressions",),
    exp.Alias: ("this", "alias"),
    exp.Column: ("this", "table"),
    exp.Identifier: ("this", "quoted"),
    exp.Star: (),
    exp.Literal: ("this", "is_string"),
    exp.Boolean: UNARY,
    exp.Null: (),
    exp.Paren: UNARY,
    **dict.fromkeys((exp.Neg, exp.Not), UNARY),
    **dict.fromkeys((exp.And, exp.Or, exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE), BINARY),
    **dict.fromkeys((exp.Is, exp.Add, exp.Sub, exp.Mul, exp.Mod, exp.Like, exp.ILike), BINARY),
    exp.Div: ("this", "expression", "typed", "safe"),
    exp.Between: ("this", "low", "high"),
    exp.In: ("this", "expressions", "query"),
    exp.Case: ("this", "ifs", "default"),
    exp.If: ("this", "true"),
    **dict.fromkeys((exp.Cast, exp.TryCast), ("this", "to", "safe", "requires_string")),
    exp.DataType: ("this", "nested"),
    exp.Filter: BINARY,
    exp.Count: ("this", "big_int"),
    **dict.fromkeys((exp.Sum, exp.Avg, exp.Min, exp.Max, exp.Median, exp.Stddev), UNARY),
    **dict.fromkeys((exp.Abs, exp.Floor, exp.Ceil, exp.Lower, exp.Upper, exp.Trim), UNARY),
    exp.Round: ("this", "decimals"),
    exp.Length: UNARY,
    exp.ArraySize: UNARY,
    exp.Coalesce: ("this", "expressions"),
    exp.Nullif: BINARY,
    **dict.fromkeys((exp.StartsWith, exp.EndsWith, exp.RegexpLike), BINARY),
}
TYPES = frozenset(
    {
        exp.DataType.Type.BIGINT,
        exp.DataType.Type.INT,
        exp.DataType.Type.DOUBLE,
        exp.DataType.Type.VARCHAR,
        exp.DataType.Type.TEXT,
        exp.DataType.Type.BOOLEAN,
    }
)
FUNCTIONS = (
    "count, sum, avg, min, max, median, stddev, abs, round, floor, ceil, length, array_length, lower, "
    "upper, trim, coalesce, nullif, starts_with, ends_with, regexp_like, cast"
)


def check_sql(name: str, sql: str) -> str:
    """The SQL that a gate will run, written back from its checked tree.

    Raises RecipeError, one line that names the gate, for anything but one SELECT over train, eval
    and ledger with the functions in FUNCTIONS, for an unknown column, and for more than one value.
    """
    statement = parse(name, sql)
    for node in statement.walk():
        check_node(name, node)
    check_size(name, statement)
    safe = statement.sql(dialect=GateDialect, identify=True, comments=False)
    nothing = {table: pl.LazyFrame(schema=columns) for table, columns in COLUMNS.items()}
    run(name, safe, nothing, TIMEOUT_S)
    return safe


def parse(name: str, sql: str) -> exp.Select:
    """The one SELECT of a gate's text."""
    if len(sql) > MAX_CHARACTERS:
        raise refused(name, f"{len(sql)} characters; at most {MAX_CHARACTERS} are allowed")
    try:
        # Looking at the tokens first keeps the parser from logging about commands it does not know.
        tokens = sqlglot.tokenize(sql, dialect=GateDialect)
        if not tokens or tokens[0].token_type != sqlglot.TokenType.SELECT:
            raise refused(name, "expected one SELECT over train, eval, ledger")
        if any(token.token_type == sqlglot.TokenType.SEMICOLON for token in tokens):
            raise refused(name, "';' is not allowed; expected one SELECT")
        statement = sqlglot.parse_one(sql, dialect=GateDialect, error_level=sqlglot.ErrorLevel.RAISE)
    except (sqlglot.errors.SqlglotError, RecursionError) as error:
        # The parser's message goes on with a copy of the query in terminal colours.
        reason = re.sub(r" for <class [^>]*>", "", str(error).partition("\n")[0])
        raise refused(name, f"not SQL: {reason or 'nested too deeply'}") from error
    if not isinstance(statement, exp.Select):
        raise refused(name, f"{described(statement)} is not allowed; expected one SELECT")
    return statement


def check_node(name: str, node: exp.Expr) -> None:
    """Refuse a node that the allow-list does not hold, or an argument of it."""
    allowed = ALLOWED.get(type(node))
    if allowed is None:
        offered = f"; functions: {FUNCTIONS}" if isinstance(node, exp.Func) else ""
        raise refused(name, f"{described(node)} is not allowed{offered}")
    extra = [key for key, value in node.args.items() if value and key not in allowed]
    if extra:
        raise refused(name, f"{described(node)} with {extra[0].rstrip('_')} is not allowed")
    if isinstance(node, exp.Table):
        check_table(name, node)
    elif isinstance(node, exp.Identifier):
        if not PLAIN_NAME.fullmatch(node.name):
            raise refused(name, f"name {node.name!r} is not allowed; expected letters, digits and _")
    elif isinstance(node, exp.DataType):
        if node.this not in TYPES:
            raise refused(name, "cast to bigint, double, varchar or boolean only")
    elif isinstance(node, exp.Select):
        check_place(name, node)
    elif isinstance(node, exp.RegexpLike | exp.Like | exp.ILike):
        check_pattern(name, node)


def check_table(name: str, node: exp.Table) -> None:
    """A table is one of the three, by its bare name."""
    if not isinstance(node.this, exp.Identifier) or node.name not in COLUMNS:
        raise refused(name, f"no table {node.sql()[:60]!r}; the tables are train, eval, ledger")


def check_place(name: str, node: exp.Select) -> None:
    """A SELECT stands alone, in FROM or in IN: nowhere does it run once for every row."""
    parent = node.parent
    while isinstance(parent, exp.Subquery):
        parent = parent.parent
    if not isinstance(parent, exp.From | exp.In | None):
        raise refused(name, "a SELECT inside is allowed in FROM (…) and IN (…) only")
    if node.args.get("from_") is None:
        raise refused(name, "a SELECT without FROM is not allowed")


def check_pattern(name: str, node: exp.Expr) -> None:
    """A pattern is a short text without counted repetition."""
    pattern = node.args["expression"]
    if not isinstance(pattern, exp.Literal) or not pattern.is_string:
        raise refused(name, "a pattern must be a quoted text")
    if len(pattern.this) > MAX_PATTERN:
        raise refused(name, f"a pattern of {len(pattern.this)} characters; at most {MAX_PATTERN}")
    if isinstance(node, exp.RegexpLike) and COUNTED.search(pattern.this):
        raise refused(name, "a pattern with {…} is not allowed; write the repetition out or use * or +")
    if isinstance(node, exp.RegexpLike):
        try:
            pl.Series(["x"]).str.contains(pattern.this, strict=True)
        except pl.exceptions.PolarsError as error:
            raise refused(name, f"not a regular expression: {error}") from error


def check_size(name: str, statement: exp.Select) -> None:
    """Bound how many tables a gate scans and how deep it nests."""
    if sum(1 for _ in statement.find_all(exp.Select)) > MAX_SELECTS:
        raise refused(name, f"more than {MAX_SELECTS} SELECTs")
    if max(node.depth for node in statement.walk()) > MAX_DEPTH:
        raise refused(name, f"nested more than {MAX_DEPTH} deep")


def described(node: exp.Expr) -> str:
    """A node in the words of SQL."""
    if isinstance(node, exp.Func):
        return f"function {(node.name if isinstance(node, exp.Anonymous) else node.sql_name()).lower()}"
    return type(node).__name__.upper()


def refused(name: str, reason: str) -> RecipeError:
    """The one-line error of a gate's SQL."""
    return RecipeError(" ".join(f"gate {name}: {reason}".split()))


def tables(dataset: Path) -> dict[str, pl.LazyFrame]:
    """The three tables of a dataset, scanned lazily. A split without shards is an empty table."""
    return {table: scan(sorted((dataset / table).glob("*.parquet")), table) for table in COLUMNS}


def scan(files: list[Path], table: str) -> pl.LazyFrame:
    """One table over its files, with its derived columns."""
    if not files:
        return pl.LazyFrame(schema=COLUMNS[table])
    rows = pl.scan_parquet(files, glob=False)
    if table == "ledger":
        return rows
    if rows.collect_schema().get("messages") == OLDER_MESSAGES:
        turns = pl.element().struct.with_fields(weight=pl.lit(None, pl.UInt8))
        rows = rows.with_columns(pl.col("messages").list.eval(turns))
    said = pl.col("messages").list.eval(pl.element().struct.field("content"))
    return rows.with_columns(text=said.list.join("\n", ignore_nulls=True))


def measure_sql(
    name: str, sql: str, tables: Mapping[str, pl.LazyFrame], timeout_s: float = TIMEOUT_S
) -> float | None:
    """The number that a gate's SQL gives, or None where it gives null, as an average of nothing.

    Raises RecipeError as `check_sql` does, and CurationError when it takes more than `timeout_s`.
    """
    return run(name, check_sql(name, sql), tables, timeout_s)


def run(name: str, safe: str, tables: Mapping[str, pl.LazyFrame], timeout_s: float) -> float | None:
    """Run checked SQL and take its one number."""
    try:
        query = pl.SQLContext(dict(tables), eager=False).execute(safe)
        # Two rows are enough to see that it is not one.
        result = collect(name, query.head(2), timeout_s)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        raise refused(name, str(error).splitlines()[0]) from error
    if result.width != 1 or result.height > 1:
        columns, rows = result.width, "more" if result.height > 1 else result.height
        raise refused(name, f"gives {columns} columns and {rows} rows; expected one number")
    if not (result.dtypes[0].is_numeric() or result.dtypes[0] == pl.Null):
        raise refused(name, f"gives a {result.dtypes[0]}; expected one number")
    value = result.item() if result.height else None
    return number(value)


def number(value: Any) -> float | None:
    """A measured value as a gate compares it: int or finite float, else None."""
    if value is None or isinstance(value, int):
        return value
    return float(value) if math.isfinite(value) else None


def collect(name: str, query: pl.LazyFrame, timeout_s: float) -> pl.DataFrame:
    """Collect in a thread beside this one, so that a clock can end the wait.

    The thread is a daemon: it does not keep the program from ending. (Polars has a cancel of its
    own; in version 2.1 the process crashed some time after it.)
    """
    found: Queue[pl.DataFrame | BaseException] = Queue()

    def work() -> None:
        try:
            found.put(query.collect())
        except BaseException as error:
            found.put(error)

    threading.Thread(target=work, daemon=True, name=f"gate {name}").start()
    try:
        result = found.get(timeout=timeout_s)
    except Empty:
        message = f"gate {name}: not finished after {timeout_s:g} s; make the query cheaper"
        raise CurationError(message) from None
    if isinstance(result, BaseException):
        raise result
    return result
