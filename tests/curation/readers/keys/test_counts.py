"""How many rows have which keys: the same by every path, for every cut of a file."""

import json

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from shapes import HELLO, source

from curation.errors import SourceError
from curation.readers import reading
from curation.readers.keys.counts import KEYS_SCHEMA, MOST_TOLD, KeyCounts, told_keys
from curation.readers.reading import chunks, keys_of, probe, read


def counted(path, whole, **cut):
    frames, reasons = [], []
    for chunk in chunks(path, whole, **cut):
        counts = KeyCounts(whole)
        reasons += [
            reason
            for frame in read(chunk, whole, file=path.name, counts=counts)
            for reason in frame["reason"].to_list()
        ]
        frames.append(counts.frame())
    return told_keys(frames), frames, reasons


def lines(path, records):
    path.write_text("".join(f"{json.dumps(record)}\n" for record in records))
    return path


RECORDS = [
    {"messages": HELLO, "id": 1, "image": None},
    {"messages": [HELLO[0], {**HELLO[1], "thinking": "two words"}], "label": False},
    {"messages": [{**HELLO[0], "toxic": True}, HELLO[1]], "id": 2, "images": []},
    {"messages": [{**HELLO[0], "toxic": None}, {**HELLO[1], "toxic": 1}], "image": "x.png"},
    {"messages": "no list", "id": 4},
    {"messages": json.dumps(HELLO), "label": True, "id": 5},
]
TOLD = {
    "read": ["messages", "messages[].content", "messages[].role", "messages[].thinking"],
    "ignored": {"id": 3, "messages[].toxic": 2, "label": 1},
    "more_ignored": 0,
    "refused": {"image": 1, "label": 1},
}


def test_every_row_that_can_be_read_counts(tmp_path):
    told, _, reasons = counted(lines(tmp_path / "a.jsonl", RECORDS), source("messages"))
    assert told == TOLD
    assert reasons == [None, "unsupported_key", None, "unsupported_key", "unreadable", None]


def test_a_row_that_its_reader_drops_could_be_read(tmp_path):
    marked = [HELLO[0], {**HELLO[1], "weight": "half", "toxic": True}]
    told, _, reasons = counted(lines(tmp_path / "a.jsonl", [{"messages": marked}]), source("messages"))
    assert reasons == ["invalid_mark"]
    assert "messages[].weight" in told["read"]
    assert told["ignored"] == {"messages[].toxic": 1}


@pytest.mark.parametrize("chunk_bytes", [1, 300, 1 << 20])
def test_both_paths_and_every_cut_count_alike(tmp_path, monkeypatch, chunk_bytes):
    path = lines(tmp_path / "a.jsonl", RECORDS * 7)
    expected, (first,), reasons = counted(path, source("messages"))
    monkeypatch.setattr(reading, "QUICK_BYTES", 0)
    told, frames, again = counted(path, source("messages"), chunk_bytes=chunk_bytes)
    assert (told, again) == (expected, reasons)
    assert frames[0].join(first, on=["part", "key", "row", "value"]).height == frames[0].height


def test_the_compiled_look_is_the_same_for_readers_without_a_loop(tmp_path, monkeypatch):
    records = [
        {"question": f"q{n}", "answer": "a", "n": n or None, "image": "x" * (n == 2)} for n in range(4)
    ]
    path = lines(tmp_path / "a.jsonl", records)
    expected = counted(path, source("qa"))[0]
    assert expected["ignored"] == {"n": 3}
    assert expected["refused"] == {"image": 1}
    monkeypatch.setattr(reading, "QUICK_BYTES", 0)
    assert counted(path, source("qa"))[0] == expected


def test_of_parquet_what_is_not_decoded_counts_by_its_statistics(tmp_path):
    table = pa.table(
        {
            "messages": [[{**turn, "country": "x", "toxic": None, "channel": None} for turn in HELLO]] * 4,
            "hash": ["a", None, "b", "c"],
            "raw": [b"\0", None, None, b"\1"],
            "image": pa.array(
                [{"bytes": b"\xff", "path": None}, None, None, None],
                pa.struct({"bytes": pa.binary(), "path": pa.string()}),
            ),
        }
    )
    pq.write_table(table, tmp_path / "a.parquet", row_group_size=2)
    told, frames, reasons = counted(tmp_path / "a.parquet", source("messages"), chunk_bytes=1)
    assert told["ignored"] == {"messages[].country": 4, "hash": 3, "raw": 2}
    assert told["refused"] == {"image": 1}
    assert reasons == ["unsupported_key", None, None, None]
    assert len(frames) == 2
    assert counted(tmp_path / "a.parquet", source("messages"))[0] == told


def test_sounds_inside_turns_are_seen_in_parquet(tmp_path):
    kinds = {"role": pa.string(), "content": pa.string(), "audio": pa.struct({"bytes": pa.binary()})}
    turns = [[{**HELLO[0], "audio": {"bytes": b"\xff"}}, {**HELLO[1], "audio": None}], HELLO]
    table = pa.table({"messages": pa.array(turns, pa.list_(pa.struct(kinds)))})
    pq.write_table(table, tmp_path / "a.parquet")
    assert counted(tmp_path / "a.parquet", source("messages"))[2] == ["unsupported_key", None]


def test_the_most_frequent_keys_are_told_and_the_rest_is_a_number():
    frame = pl.DataFrame(
        [("ignored", f"k{n:03}", 1 + (n == 70), 0, "x") for n in range(MOST_TOLD + 30)],
        schema=KEYS_SCHEMA,
        orient="row",
    )
    told = told_keys([frame])
    assert list(told["ignored"])[:2] == ["k070", "k000"]
    assert (len(told["ignored"]), told["more_ignored"]) == (MOST_TOLD, 30)


def test_no_count_is_no_key():
    assert told_keys([]) == {"read": [], "ignored": {}, "more_ignored": 0, "refused": {}}


def test_a_source_all_of_whose_rows_say_more_is_refused_at_once(tmp_path):
    path = lines(tmp_path / "a.jsonl", [{"messages": HELLO, "image": f"{n}.png"} for n in range(3)])
    with pytest.raises(SourceError, match=r"source s: .* `image`, .* picture.*0\.png.*ignore: \[image\]"):
        probe([path], source("messages"), name="s")
    probe([path], source("messages", ignore=["image"]), name="s")


def test_a_verdict_may_differ_further_down_and_refuses_rows_only(tmp_path):
    probe([lines(tmp_path / "a.jsonl", [{"messages": HELLO, "label": False}])], source("messages"), name="s")


def test_what_becomes_of_the_keys_of_a_file_and_what_to_write(tmp_path):
    found = keys_of(lines(tmp_path / "a.jsonl", RECORDS), source("messages"))
    assert {key: found[key] for key in TOLD} == TOLD
    assert set(found["advice"]) == {"image", "label"}
    assert "where: {label: true}" in found["advice"]["label"]["write"]
