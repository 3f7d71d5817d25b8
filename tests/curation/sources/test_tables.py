"""Parquet and CSV rows as JSON objects: every text survives, what cannot be JSON is left out."""

import csv
import datetime
import io
import json

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from curation.readers.where import passes
from curation.sources import tables
from curation.sources.records import Bad, Noted
from curation.sources.tables import Columns, arrow_records, csv_records, parquet_plan, parquet_records

ALL = Columns({}, passes({}), None, frozenset({"role", "content"}))
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


def objects(batches):
    return [json.loads(record) for batch in batches for record in batch]


def parquet(path, groups=None, columns=ALL):
    return objects(parquet_records(path, groups, columns))


def arrow(path, table, columns=ALL, *, stream=False):
    with pa.OSFile(str(path), "wb") as file:
        make = pa.ipc.new_stream if stream else pa.ipc.new_file
        with make(file, table.schema) as writer:
            writer.write_table(table, max_chunksize=2)
    return objects(arrow_records(path, columns))


@pytest.mark.parametrize("stream", [False, True])
def test_arrow_reads_as_parquet_does(tmp_path, stream):
    turn = {"content": "hi", "role": "user", "picture": b"\xff", "at": datetime.datetime(2024, 1, 1)}
    rows = {
        "conversation": [[turn], [], None, [turn, None, {**turn, "content": None}], [turn] * 3],
        "kind": pa.array(["a", "b", None, "a", "b"]).dictionary_encode(),
        "image": [b"\xff"] * 5,
        "text": ["x", "é\n", None, "", "z"],
    }
    table = pa.table(rows)
    pq.write_table(table, tmp_path / "a.parquet")
    expected = parquet(tmp_path / "a.parquet")
    assert arrow(tmp_path / "a.arrow", table, stream=stream) == expected
    assert expected[0] == {"conversation": [{"content": "hi", "role": "user"}], "kind": "a", "text": "x"}
    wanted = ALL._replace(wanted=frozenset({"text"}), where={"kind": "a"}, passes=passes({"kind": "a"}))
    found = list(arrow_records(tmp_path / "a.arrow", wanted))
    assert [r for batch in found for r in batch] == [
        r for batch in parquet_records(tmp_path / "a.parquet", None, wanted) for r in batch
    ]


def test_arrow_without_text_and_a_bomb_are_told(tmp_path, monkeypatch):
    path = tmp_path / "a.arrow"
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, pa.schema([("image", pa.binary())])):
        pass
    assert [b.error for batch in arrow_records(path, ALL) for b in batch] == [
        "no column holds text or numbers: image"
    ]
    monkeypatch.setattr(tables.decoding, "EXPANSION_FLOOR_BYTES", 1 << 10)
    monkeypatch.setattr(tables.decoding, "MAX_EXPANSION", 1)
    text = pa.array(["x" * 1000]).dictionary_encode()
    table = pa.table({"text": pa.DictionaryArray.from_arrays([0] * 500, text.dictionary)})
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table)
    (bad,) = [b for batch in arrow_records(path, ALL) for b in batch if isinstance(b, Bad)]
    assert bad.error == "Arrow data expands more than 1 times: refused as a bomb"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(st.lists(st.tuples(TEXT, st.lists(TEXT, max_size=3)), min_size=1, max_size=5))
def test_every_text_survives_parquet(tmp_path, rows):
    records = [
        {"text": text, "turns": [{"role": "user", "content": c} for c in turns]} for text, turns in rows
    ]
    schema = {"text": pl.String, "turns": pl.List(pl.Struct({"role": pl.String, "content": pl.String}))}
    path = tmp_path / "a.parquet"
    pl.DataFrame(records, schema=schema).write_parquet(path)
    assert parquet(path) == records


def test_of_turns_only_the_keys_that_matter_are_read(tmp_path):
    turn = {"content": "hi", "role": "user", "hashed_ip": "x", "timestamp": datetime.datetime(2024, 1, 1)}
    path = tmp_path / "a.parquet"
    pl.DataFrame([{"conversation": [turn], "model": "m", "QUESTION.question": "q"}]).write_parquet(path)
    assert parquet(path)[0] == {
        "conversation": [{"content": "hi", "role": "user"}],
        "model": "m",
        "QUESTION.question": "q",
    }
    wanted = ALL._replace(wanted=frozenset({"conversation"}))
    assert list(parquet(path, columns=wanted)[0]) == ["conversation"]


def test_columns_of_bytes_are_left_out(tmp_path):
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"image": [b"\xff"], "images": [[{"bytes": b"\xff"}]], "text": ["x"]}), path)
    assert parquet(path) == [{"text": "x"}]


def test_types_that_json_has_no_word_for_become_text_or_null(tmp_path):
    path = tmp_path / "a.parquet"
    table = {
        "day": [datetime.date(2024, 2, 3)],
        "nan": [float("nan")],
        "word": pa.array(["x"]).dictionary_encode(),
        "big": pa.array([2**64 - 1], pa.uint64()),
    }
    pq.write_table(pa.table(table), path)
    assert parquet(path) == [{"day": "2024-02-03", "nan": None, "word": "x", "big": 2**64 - 1}]


def test_a_damaged_row_group_costs_itself_only(tmp_path):
    path = tmp_path / "a.parquet"
    frame = pl.DataFrame({"text": [f"{n} {'x' * 50}" for n in range(300)]})
    frame.write_parquet(path, row_group_size=100, compression="zstd", statistics=False)
    place = pq.ParquetFile(path).metadata.row_group(1).column(0).data_page_offset
    data = bytearray(path.read_bytes())
    data[place : place + 60] = bytes(60)
    path.write_bytes(bytes(data))
    found = [record for batch in parquet_records(path, range(0, 2), ALL) for record in batch]
    assert sum(isinstance(record, bytes) for record in found) == 100
    assert [record.error[:31] for record in found if isinstance(record, Bad)] == [
        "Parquet row group 1 cannot be r"
    ]
    assert len(parquet(path, range(2, 3))) == 100


def test_a_dictionary_that_stands_for_gigabytes_is_refused_as_a_bomb(tmp_path):
    """A million rows of one text of 10 KB: 10 GB in a file of a few KB."""
    path = tmp_path / "bomb.parquet"
    one = pa.DictionaryArray.from_arrays(pa.array([0] * 1_000_000, pa.int32()), ["x" * 10_000])
    pq.write_table(pa.table({"text": one}), path, row_group_size=1_000_000)
    assert path.stat().st_size < 20_000
    rows = 0
    for batch in parquet_records(path, None, ALL):
        rows += sum(not isinstance(record, Bad) for record in batch)
    (bad,) = batch
    assert bad.error == "Parquet row group 0 expands more than 250 times: refused as a bomb"
    assert rows <= (64 << 20) // 10_000


def test_row_groups_are_planned_by_size(tmp_path):
    path = tmp_path / "a.parquet"
    pl.DataFrame({"text": ["x" * 1000 + str(n) for n in range(40)]}).write_parquet(path, row_group_size=10)
    size = pq.ParquetFile(path).metadata.row_group(0).total_byte_size
    assert parquet_plan(path, 1) == [range(n, n + 1) for n in range(4)]
    assert parquet_plan(path, size * 3 // 2) == [range(0, 2), range(2, 4)]
    assert parquet_plan(path, 10**9) == [range(0, 4)]


CELLS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\0"), min_size=1, max_size=8)


@given(st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=6), st.sampled_from(",;\t|"))
def test_whatever_the_csv_module_writes_is_read_back(rows, delimiter):
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=delimiter, lineterminator="\n")
    writer.writerows([("question", "answer"), *rows])
    found = objects(csv_records([text.getvalue().encode()], delimiter))
    assert [(row["question"], row["answer"]) for row in found] == rows


def test_a_csv_row_knows_how_its_bytes_were_mended():
    data = "q,a\nwarum,naïve\nso,so\n".encode("cp1252")
    (batch,) = csv_records([data[:9], data[9:]])
    assert batch[0] == Noted('{"q":"warum","a":"naïve"}'.encode(), "cp1252")
    assert batch[1] == b'{"q":"so","a":"so"}'


def test_a_header_with_a_name_twice_keeps_both():
    assert objects(csv_records([b"text,text,\n1,2,3\n"])) == [{"text": "1", "text_2": "2", "": "3"}]


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"q,a\n1,2,3\n", "CSV row of 3 fields under a header of 2"),
        (b'q,a\n"x"y,1\n', "CSV: ',' expected after '\"'"),
        (b'"q,a\n', "CSV header: unexpected end of data"),
    ],
)
def test_csv_faults_are_records(data, error):
    ((bad,),) = csv_records([data])
    assert bad.error == error


def test_the_row_after_a_faulty_one_is_read():
    (batch,) = csv_records([b'q,a\n"x"y,1\nq,a\n'])
    assert [type(record) for record in batch] == [Bad, bytes]
