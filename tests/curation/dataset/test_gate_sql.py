import time

import polars as pl
import pytest
import sqlglot
from hypothesis import given
from hypothesis import strategies as st

from curation.dataset.gate_sql import COLUMNS, OLDER_MESSAGES, check_sql, collect, measure_sql, tables
from curation.errors import CurationError, RecipeError
from curation.row import message

ROWS = pl.DataFrame(
    {
        "id": ["sha256:aa", "sha256:bb", "sha256:cc"],
        "source": ["web", "web", "books"],
        "group": ["g", "g", "h"],
        "messages": [
            [message("user", "Hi there"), message("assistant", "Hello")],
            [message("user", "x"), message("assistant", None)],
            [message("user", "it's 5\\6")],
        ],
        "tools": [None, "[]", None],
        "repeat": [1, 2, 1],
        "tokens": [10, 3000, None],
        "text": ["Hi there\nHello", "x", "it's 5\\6"],
    },
    schema=COLUMNS["train"],
)
TABLES = {
    "train": ROWS.lazy(),
    "eval": ROWS.head(1).lazy(),
    "ledger": pl.LazyFrame(schema=COLUMNS["ledger"]),
}


@pytest.mark.parametrize(
    ("sql", "value"),
    [
        ("select count(*) from train", 3),
        ("SELECT COUNT(*) FROM train WHERE tokens > 2048", 1),
        ("select count(*) from train where id in (select id from eval)", 1),
        ("select count(*) from train where id not in (select id from eval)", 2),
        ("select max(n) from (select source, count(*) as n from train group by source) as t", 2),
        ("select count(distinct source) from train", 2),
        ("select count(*) filter (where repeat > 1) from train", 1),
        ("select sum(case when tokens > 100 then 1 else 0 end) * 1.0 / count(*) from train", 1 / 3),
        ("select avg(array_length(messages)) from train", 5 / 3),
        ("select count(*) from train where text like '%there%'", 1),
        ("select count(*) from train where text ilike 'hi%'", 1),
        ("select count(*) from train where regexp_like(text, '^\\p{L}+ ')", 1),
        ("select count(*) from train where text = 'it''s 5\\6' -- a comment", 1),
        ("select count(*) from train where starts_with(lower(text), 'hi') or tokens is null", 2),
        ("select coalesce(max(tokens), 0) from train where \"group\" = 'g'", 3000),
        ("select tokens from train order by tokens desc nulls last limit 1", 3000),
        ("select tokens from train order by tokens desc limit 1", None),
        ("select tokens from train order by tokens limit 1", 10),
        ("select tokens from train order by tokens nulls first limit 1", None),
        ("select cast(count(*) as double) / 2 from train", 1.5),
        ("select round(avg(tokens), 1) from train", 1505.0),
        ("select count(*) from ledger where fate = 'dropped' and reason = 'unreadable'", 0),
    ],
)
def test_a_gate_measures_one_number(sql, value):
    measured = measure_sql("gate", sql, TABLES)
    assert measured == (value if value is None else pytest.approx(value, rel=1e-6))


@pytest.mark.parametrize(
    "sql",
    [
        "select avg(tokens) from train where tokens > 9999",
        "select tokens from train where id = 'none'",
        "select max(tokens) / 0 from train where tokens = 10",
    ],
)
def test_an_average_of_nothing_is_not_measured(sql):
    assert measure_sql("gate", sql, TABLES) is None


REFUSED = {
    # other tables and files
    "select count(*) from read_csv('/etc/passwd')": "no table",
    "select count(*) from read_parquet('x.parquet')": "no table",
    "select count(*) from scan_parquet('x.parquet')": "no table",
    "select count(*) from 'x.parquet'": "no table",
    'select count(*) from "/etc/passwd"': "no table",
    'select count(*) from "train/part-00000.parquet"': "no table",
    "select count(*) from other": "the tables are train, eval, ledger",
    "select count(*) from main.train": "with db is not allowed",
    "select count(*) from information_schema.tables": "with db is not allowed",
    "select count(*) from train where id in (select column_0 from read_csv('/etc/passwd'))": "no table",
    "select count(*) from (select * from read_json('x'))": "no table",
    "select count(*) from /* train */ read_csv('x')": "no table",
    "select count(*) from (values (1)) as t": "not allowed",
    # another statement
    "with train as (select * from read_csv('x')) select count(*) from train": "expected one SELECT",
    "with recursive t as (select 1 as n union all select n + 1 from t) select max(n) from t": "expected one",
    "select 1 from train; drop table train": "';' is not allowed",
    "select count(*) from train;": "';' is not allowed",
    "drop table train": "expected one SELECT",
    "create table x as select * from train": "expected one SELECT",
    "copy train to 'x'": "expected one SELECT",
    "explain select 1": "expected one SELECT",
    "show tables": "expected one SELECT",
    "table train": "expected one SELECT",
    "from train": "expected one SELECT",
    "(select count(*) from train)": "expected one SELECT",
    "select count(*) into x from train": "with into is not allowed",
    "select count(*) from train union all select 1 from eval": "UNION is not allowed",
    "select count(*) from train for update": "with locks is not allowed",
    "": "expected one SELECT",
    "-- nothing": "expected one SELECT",
    # work that explodes
    "select count(*) from train cross join train as b": "with joins is not allowed",
    "select count(*) from train, train as b, ledger": "with joins is not allowed",
    "select count(*) from train join eval on true": "with joins is not allowed",
    "select count(*) from train natural join eval": "with joins is not allowed",
    "select count(*) from train join eval using (source)": "with joins is not allowed",
    "select (select count(*) from eval) from train": "a SELECT inside",
    "select count(*) from train where tokens = (select max(tokens) from train)": "a SELECT inside",
    "select count(*) from train where exists (select 1 from eval)": "not allowed",
    "select repeat(id, 1000000000) from train": "function repeat is not allowed",
    "select replace(replace(id, 'a', 'aa'), 'a', 'aa') from train": "function replace is not allowed",
    "select string_agg(id) from train": "not allowed",
    "select id || id from train": "not allowed",
    "select count(*) over () from train": "WINDOW is not allowed",
    "select unnest(messages) from train": "function unnest is not allowed",
    "select count(*) from train where regexp_like(text, '(a{1000}){1000}')": "a pattern with {…}",
    "select count(*) from train where regexp_like(text, '.{0,5000}x')": "a pattern with {…}",
    "select count(*) from train where regexp_like(text, '(')": "not a regular expression",
    "select count(*) from train where regexp_like(text, source)": "a pattern must be a quoted text",
    f"select count(*) from train where regexp_like(text, '{'a*' * 101}')": "a pattern of 202 characters",
    "select count(*) from train where " + " or ".join(["id in (select id from eval)"] * 4): "more than 4",
    "select count(*) from train where " + " and ".join(["true"] * 150): "nested more than 40 deep",
    "select count(*) from train where " + "(" * 900 + "true" + ")" * 900: "not SQL",
    "select " + "abs(" * 450 + "1" + ")" * 450 + " from train": "at most 2000",
    # other functions and syntax
    "select getenv('HOME') from train": "function getenv is not allowed",
    "select version() from train": "not allowed",
    "select columns('.*') from train": "function columns is not allowed",
    "select * exclude (id) from train": "with except is not allowed",
    "select messages[1] from train": "BRACKET is not allowed",
    "select cast(id as blob) from train": "cast to bigint",
    "select count(*) from train tablesample (10 rows)": "with sample is not allowed",
    "select /*+ hint */ count(*) from train": "with hint is not allowed",
    "select count(*) from train where tokens = @x": "PARAMETER is not allowed",
    "select count(*) from train where tokens = ?": "PLACEHOLDER is not allowed",
    'select count(*) as "a b" from train': "expected letters, digits and _",
    # not one number
    "select id from train": "gives a String",
    "select id = 'x' from train": "gives a Boolean",
    "select count(*), 1 from train": "2 columns",
    "select 1": "a SELECT without FROM",
    "select nope from train": 'unable to find column "nope"',
    "select count(*) from train where": "not SQL",
}


@pytest.mark.parametrize("sql", REFUSED)
def test_nothing_else_is_in_reach(sql):
    started = time.monotonic()
    with pytest.raises(RecipeError) as refusal:
        check_sql("rows over the context", sql)
    text = str(refusal.value)
    assert text.startswith("gate rows over the context: ")
    assert REFUSED[sql] in text
    assert "\n" not in text
    assert time.monotonic() - started < 5


def test_more_than_one_row_is_no_number():
    with pytest.raises(RecipeError, match="gives 1 columns and more rows; expected one number"):
        measure_sql("gate", "select tokens from train", TABLES)


def test_a_cast_that_fails_on_the_rows_names_the_gate():
    with pytest.raises(RecipeError, match=r"^gate gate: .*conversion") as refusal:
        measure_sql("gate", "select sum(cast(source as bigint)) from train", TABLES)
    assert "\n" not in str(refusal.value)


def test_a_slow_query_is_stopped():
    endless = pl.LazyFrame({"x": [1]}).map_batches(lambda frame: time.sleep(1.5) or frame)
    with pytest.raises(CurationError, match=r"gate slow: not finished after 0\.1 s"):
        collect("slow", endless, 0.1)


@given(st.text(alphabet="ab'\"\\%;-/*$`{}\n\0é", max_size=12))
def test_a_text_in_quotes_is_that_text_and_no_sql(text):
    """What one parser writes, the other reads: no literal can end early."""
    literal = text.replace("'", "''")
    frame = pl.LazyFrame({**{n: [None] for n in COLUMNS["train"] if n != "tools"}, "tools": [text]})
    try:
        value = measure_sql("g", f"select count(*) from train where tools = '{literal}'", {"train": frame})
    except RecipeError:
        return
    assert value == 1


WORDS = (
    "select count(*) from train where id in ( ) ' \" ; -- /* */ read_csv('/etc/passwd') scan_parquet "
    "'/etc/passwd' \"/etc/passwd\" as t , union all join on true group by with x ledger . eval = 1 \\ $$ "
    "values lateral unnest(messages) limit order \n {} [1] :: @ ? `"
)


@given(st.lists(st.sampled_from(WORDS.split(" ")), max_size=14))
def test_whatever_passes_reads_the_three_tables_alone(fragments):
    try:
        safe = check_sql("g", "select count(*) from train " + " ".join(fragments))
    except RecipeError:
        return
    read = {table.name for table in sqlglot.parse_one(safe).find_all(sqlglot.exp.Table)}
    assert read <= {"train", "eval", "ledger"}


def test_tables_of_a_dataset_without_eval_are_empty(tmp_path):
    (tmp_path / "train").mkdir()
    ROWS.drop("text").write_parquet(tmp_path / "train/part-00000.parquet")
    scanned = tables(tmp_path)
    assert measure_sql("g", "select count(*) from eval", scanned) == 0
    assert scanned["train"].collect()["text"].to_list() == ROWS["text"].to_list()


def test_a_path_that_looks_like_a_pattern_is_a_path(tmp_path):
    folder = tmp_path / "a[1]*"
    (folder / "train").mkdir(parents=True)
    ROWS.drop("text").write_parquet(folder / "train/part-00000.parquet")
    assert measure_sql("g", "select count(*) from train", tables(folder)) == 3


def test_turns_of_shards_that_are_older_than_their_weight_have_none(tmp_path):
    (tmp_path / "train").mkdir()
    path = tmp_path / "train" / "part-00000.parquet"
    ROWS.drop("text").cast({"messages": OLDER_MESSAGES}).write_parquet(path)
    frame = tables(tmp_path)["train"].select(*COLUMNS["train"]).collect()
    assert dict(frame.schema) == COLUMNS["train"]
    assert frame["messages"].explode().struct.field("weight").null_count() == 5
