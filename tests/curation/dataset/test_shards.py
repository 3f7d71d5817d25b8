"""Messages go through a shard byte for byte."""

import json

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from curation.dataset.shards import SHARD_SCHEMA, parquet_writer, to_shard
from curation.row import encode, message, row_id

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
call = st.fixed_dictionaries({"id": st.none() | text, "name": text, "arguments": text})
messages = st.lists(
    st.builds(
        lambda role, content, name, calls, call_id: message(
            role, content, name=name, tool_calls=calls, tool_call_id=call_id
        ),
        st.sampled_from(["system", "user", "assistant", "tool"]),
        st.none() | text,
        st.none() | text,
        st.lists(call, max_size=3),
        st.none() | text,
    ),
    max_size=5,
)


def rows_of(conversations):
    """Rows as `gather` makes them."""
    texts = pl.Series("messages", [encode(c) for c in conversations], dtype=pl.String)
    return texts.to_frame().with_columns(
        id=pl.lit("sha256:1"), source=pl.lit("s"), group=pl.lit("g"), tools=pl.lit(None, pl.String),
        repeat=pl.lit(1, pl.UInt16), tokens=pl.lit(None, pl.UInt32),
    )  # fmt: skip


@given(st.lists(messages, max_size=6))
def test_structs_hold_exactly_what_the_text_held(conversations):
    table = to_shard(rows_of(conversations))
    assert table.schema == SHARD_SCHEMA
    table.validate(full=True)
    assert table["messages"].to_pylist() == [[{"weight": None, **m} for m in c] for c in conversations]


@given(messages, st.none() | text)
def test_the_id_is_the_documented_formula_over_the_row_as_loaded(conversation, tools):
    loaded = to_shard(rows_of([conversation]))["messages"].to_pylist()[0]
    loaded = [{k: v for k, v in m.items() if k != "weight" or v is not None} for m in loaded]
    by_the_book = json.dumps([loaded, tools], sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    import hashlib

    assert row_id(encode(conversation), tools) == "sha256:" + hashlib.sha256(by_the_book.encode()).hexdigest()


def test_a_shard_opens_in_polars_and_in_datasets(tmp_path):
    rows = pl.DataFrame(
        {
            "id": ["sha256:1"],
            "source": ["s"],
            "group": ["g"],
            "messages": [encode([message("user", "a\u2028\x00é"), message("assistant", None, tool_calls=[
                {"id": "1", "name": "bash", "arguments": '{"command": "ls  -la", "n": 12345678901234567890}'}
            ])])],
            "tools": [None],
            "repeat": [1],
            "tokens": [None],
        },
        schema_overrides={"tools": pl.String, "tokens": pl.UInt32},
    )  # fmt: skip
    path = tmp_path / "part-00000.parquet"
    with parquet_writer(path, SHARD_SCHEMA) as writer:
        writer.write_table(to_shard(rows))
    loaded = pl.read_parquet(path)
    assert loaded["messages"].to_list()[0][0]["content"] == "a\u2028\x00é"
    assert loaded.schema["repeat"] == pl.UInt16
    from datasets import load_dataset

    again = load_dataset("parquet", data_files=str(path), split="train", cache_dir=str(tmp_path / "cache"))
    assert again[0]["messages"][1]["tool_calls"][0]["arguments"].endswith("12345678901234567890}")
