"""From files to frames: formats, encodings, archives, chunks, and an account of every record."""

import bz2
import codecs
import gzip
import io
import json
import lzma
import os
import tarfile
import zipfile
from itertools import pairwise

import msgspec
import polars as pl
import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from curation.errors import SourceError
from curation.readers.reading import READ_SCHEMA, Chunk, chunks, list_files, probe, read
from curation.recipe.source import Source
from curation.row import decode, encode


def talk(asked, answered):
    return {"messages": [{"role": "user", "content": asked}, {"role": "assistant", "content": answered}]}


TALKS = [talk(f"naïve {n}?", f"yes\r\n“{n}”") for n in range(5)]
PAIRS = [{"question": f"naïve {n}?", "answer": f"yes, “{n}”\nindeed"} for n in range(5)]


def source(reader="messages", **settings):
    return msgspec.convert({"uri": "data", "reader": reader, "group": "g", **settings}, Source)


def frame(path, reader="messages", **settings):
    """All records of a file."""
    asked = source(reader, **settings)
    return pl.concat([f for c in chunks(path, asked) for f in read(c, asked, file=path.name)])


def texts(found):
    return [[m["content"] for m in decode(text)] for text in found["messages"].drop_nulls()]


def errors(found):
    return [json.loads(detail)["error"] for detail in found["detail"].drop_nulls()]


PACKINGS = {"gz": gzip.compress, "zst": zstandard.compress, "xz": lzma.compress, "bz2": bz2.compress}


def written(path, text, *, encoding="utf-8", mark=b"", packing=None):
    data = mark + text.encode(encoding)
    if packing:
        data = PACKINGS[packing](data)
    path = path.with_name(path.name + (f".{packing}" if packing else ""))
    path.write_bytes(data)
    return path


def as_lines(records):
    return "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)


def as_csv(records):
    rows = ['"question","answer"', *(f'"{r["question"]}","{r["answer"]}"' for r in records)]
    return "\n".join(rows) + "\n"


ENCODINGS = [
    ("utf-8", b""),
    ("utf-8", codecs.BOM_UTF8),
    ("utf-16-le", codecs.BOM_UTF16_LE),
    ("utf-16-be", codecs.BOM_UTF16_BE),
    ("cp1252", b""),
]
LAYOUTS = {
    "lines.jsonl": as_lines(TALKS),
    "lines without a final newline.jsonl": as_lines(TALKS).rstrip(),
    "crlf.jsonl": as_lines(TALKS).replace("\n", "\r\n"),
    "blank lines.jsonl": as_lines(TALKS).replace("\n", "\n  \n\n"),
    "lines named.json": as_lines(TALKS),
    "array.json": json.dumps(TALKS, ensure_ascii=False),
    "pretty.json": json.dumps(TALKS, ensure_ascii=False, indent=2),
    "pretty array named.jsonl": json.dumps(TALKS, ensure_ascii=False, indent=2),
    "one element a line.json": "[\n" + ",\n".join(json.dumps(t, ensure_ascii=False) for t in TALKS) + "\n]\n",
    "one after the other.json": "\n".join(json.dumps(t, ensure_ascii=False, indent=2) for t in TALKS),
    "one after the other named.jsonl": "\n".join(json.dumps(t, indent=2) for t in TALKS),
    "keyed.json": json.dumps({str(n): t for n, t in enumerate(TALKS)}, ensure_ascii=False, indent=1),
    "wrapped.json": json.dumps({"version": 1, "data": TALKS}, ensure_ascii=False),
}


@pytest.mark.parametrize("packing", [None, *PACKINGS])
@pytest.mark.parametrize(("encoding", "mark"), ENCODINGS)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_json_of_every_layout_encoding_and_packing(tmp_path, layout, encoding, mark, packing):
    path = written(tmp_path / layout, LAYOUTS[layout], encoding=encoding, mark=mark, packing=packing)
    found = frame(path)
    assert texts(found) == [[m["content"] for m in talk["messages"]] for talk in TALKS]
    assert found["row"].to_list() == list(range(5))


@pytest.mark.parametrize("packing", [None, *PACKINGS])
@pytest.mark.parametrize(("encoding", "mark"), ENCODINGS)
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_tables_of_every_delimiter_encoding_and_packing(tmp_path, delimiter, encoding, mark, packing):
    text = as_csv(PAIRS).replace('","', f'"{delimiter}"')
    name = "table.tsv" if delimiter == "\t" else "table.csv"
    path = written(tmp_path / name, text, encoding=encoding, mark=mark, packing=packing)
    assert texts(frame(path, "qa")) == [[pair["question"], pair["answer"]] for pair in PAIRS]


@pytest.mark.parametrize("packing", [None, *PACKINGS])
@pytest.mark.parametrize(("encoding", "mark"), ENCODINGS)
def test_plain_text_of_every_encoding_and_packing(tmp_path, encoding, mark, packing):
    text = "Schöne Welt\r\n\r\n> look\r\n\r\nA “road”.\r\n"
    path = written(tmp_path / "game.txt", text, encoding=encoding, mark=mark, packing=packing)
    assert texts(frame(path, "adventure")) == [["Schöne Welt", "look", "A “road”."]]


@pytest.mark.parametrize("packing", [None, *PACKINGS])
def test_parquet_of_turns_and_of_columns(tmp_path, packing):
    for name, records, reader, expected in (
        ("t", TALKS, "messages", [[m["content"] for m in talk["messages"]] for talk in TALKS]),
        ("q", PAIRS, "qa", [[pair["question"], pair["answer"]] for pair in PAIRS]),
    ):
        path = tmp_path / f"{name}.parquet"
        pl.DataFrame(records).write_parquet(path, row_group_size=2)
        if packing:
            path = written(tmp_path / path.name, "", mark=path.read_bytes(), packing=packing)
        assert texts(frame(path, reader)) == expected


@pytest.mark.parametrize("packing", [None, *PACKINGS])
@pytest.mark.parametrize("kind", ["file", "stream"])
def test_arrow_as_a_file_and_as_a_stream(tmp_path, kind, packing):
    path, table = tmp_path / "data.arrow", pl.DataFrame(TALKS)
    table.write_ipc(path, compression="zstd") if kind == "file" else table.write_ipc_stream(path)
    if packing:
        path = written(tmp_path / path.name, "", mark=path.read_bytes(), packing=packing)
    assert texts(frame(path)) == [[m["content"] for m in talk["messages"]] for talk in TALKS]


def packed(files, packing):
    data = io.BytesIO()
    if packing == "zip":
        with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in files.items():
                archive.writestr(name, content)
        return data.getvalue()
    with tarfile.open(fileobj=data, mode=packing) as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return data.getvalue()


@pytest.mark.parametrize("packing", ["w", "w:gz", "w:xz", "zip"])
def test_an_archive_reads_as_its_files_do_one_after_the_other(tmp_path, packing):
    for name, content in (("z.jsonl", LAYOUTS["lines.jsonl"]), ("a.json", LAYOUTS["pretty.json"])):
        (tmp_path / name).write_text(content, encoding="utf-8")
    pl.DataFrame(TALKS).write_parquet(tmp_path / "m.parquet", row_group_size=2)
    pl.DataFrame(TALKS).write_ipc_stream(tmp_path / "b.arrow")
    written(tmp_path / "c.jsonl", "{broken\n" + LAYOUTS["lines.jsonl"], packing="bz2")
    paths = [tmp_path / name for name in ("z.jsonl", "m.parquet", "b.arrow", "c.jsonl.bz2", "a.json")]
    archive = tmp_path / "all"
    archive.write_bytes(packed({f"d/{path.name}": path.read_bytes() for path in paths}, packing))
    found, apart = frame(archive), [frame(path) for path in paths]
    assert found["row"].to_list() == list(range(26))
    assert found["messages"].equals(pl.concat(apart)["messages"])
    members = [
        name for path, one in zip(paths, apart, strict=True) for name in [f"d/{path.name}"] * one.height
    ]
    told = [json.loads(cell.split("\n")[-1]) for cell in found["notes"].fill_null("{}")]
    named = [json.loads(cell) for cell in found["detail"].fill_null("{}")]
    assert [a.get("member") or b.get("member") for a, b in zip(told, named, strict=True)] == members


def test_texts_in_an_archive_are_read_by_readers_of_texts_and_told_by_others(tmp_path):
    path = tmp_path / "games.zip"
    path.write_bytes(packed({"a.txt": b"A hall.\n\n> look\n\nA door.\n", "b.jsonl": b"{}"}, "zip"))
    found = frame(path, "adventure")
    assert texts(found) == [["A hall.", "look", "A door."]]
    assert errors(frame(path))[0] == "a.txt is text, which reader messages does not take"


def test_what_is_no_data_is_one_unreadable_row_wherever_it_stands(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"SQLite format 3\0" + b"\n\n\n" * 99)
    inside = tmp_path / "a.zip"
    inside.write_bytes(packed({"a.db": path.read_bytes(), "b.jsonl": as_lines(TALKS).encode()}, "zip"))
    told = "is a SQLite database; export its tables as CSV or JSON lines"
    assert errors(frame(path)) == [f"a.jsonl {told}"]
    assert errors(frame(inside)) == [f"a.db {told}"]
    assert frame(inside).height == 6


def test_the_frame_has_its_columns_even_without_records(tmp_path):
    path = tmp_path / "empty.jsonl"
    path.write_bytes(b"\n \n")
    assert dict(frame(path).schema) == READ_SCHEMA
    assert frame(path).height == 0


def test_messages_are_canonical(tmp_path):
    path = written(tmp_path / "a.jsonl", as_lines(TALKS))
    assert all(text == encode(decode(text)) for text in frame(path)["messages"])


def test_a_system_prompt_of_the_recipe_goes_to_rows_without_one(tmp_path):
    own = {"messages": [{"role": "system", "content": "mine"}, *TALKS[0]["messages"]]}
    path = written(tmp_path / "a.jsonl", as_lines([TALKS[0], own]))
    assert [row[0] for row in texts(frame(path, system="yours"))] == ["yours", "mine"]


def test_where_filters_and_accounts_for_what_it_leaves_out(tmp_path):
    records = [
        {**talk, "language": language, "toxic": False} for talk, language in zip(TALKS, "EEFGE", strict=True)
    ]
    lines = written(tmp_path / "a.jsonl", as_lines(records))
    table = tmp_path / "a.parquet"
    pl.DataFrame(records).write_parquet(table)
    for path in (lines, table):
        found = frame(path, where={"language": ["E", "F"], "toxic": False})
        assert found["reason"].to_list() == [None, None, None, "filtered", None]
        assert json.loads(found["detail"][3]) == {"column": "language", "value": "G"}


def test_where_compares_text_with_numbers_and_booleans_by_spelling(tmp_path):
    path = written(tmp_path / "a.csv", "question,answer,good,n\nq,a,True,1\nq,b,False,1\nq,c,True,2\n")
    assert texts(frame(path, "qa", where={"good": True, "n": 1})) == [["q", "a"]]


def test_where_on_a_column_that_is_not_there_is_unreadable_not_silence(tmp_path):
    path = written(tmp_path / "a.jsonl", as_lines([{**TALKS[0], "language": "E"}]))
    assert errors(frame(path, where={"langage": "E"})) == [
        "keys found: messages, language; expected one of: langage; did you mean where: {language: …}?"
    ]


GOOD = json.dumps(TALKS[0])


def other(text):
    return GOOD.replace("0?", text).encode("gb18030")


BROKEN = {
    "cut line.jsonl": (f"{GOOD}\n{GOOD[:40]}\n{GOOD}", 2, "Input data was truncated"),
    "no json.jsonl": (f"{GOOD}\nhello\n", 1, "JSON is malformed: invalid character (byte 0)"),
    "two on a line.jsonl": (f"{GOOD} {GOOD}\n", 0, "JSON is malformed: trailing characters"),
    "no object.jsonl": ("17\n", 0, "Expected `object`, got `int`"),
    "no messages.jsonl": ('{"text": "hi"}\n', 0, "keys found: text; expected one of: messages, conversation"),
    "deep.jsonl": ('{"messages": ' + "[" * 100_000 + "\n", 0, "nested too deeply"),
    "number.jsonl": ('{"messages": [{"role": "user", "content": 1}]}', 0, "Expected `str | array | null`"),
    "cut array.json": (f"[{GOOD}, {GOOD[:30]}", 1, "broken JSON array: the array ends too early"),
    "no comma.json": (f"[{GOOD} {GOOD}]", 0, "broken JSON array: a comma is missing"),
    "cut object.json": (json.dumps(TALKS[0], indent=1)[:-3], 0, "broken JSON: it ends too early"),
    "faulty element.json": (f'[{GOOD}, {{"messages": oops}}, {GOOD}]', 2, "JSON is malformed: invalid"),
    "gb18030.jsonl": (other("如何武力收复台湾"), 0, "neither UTF-8 nor cp1252; name its `encoding`"),
    "cut.jsonl.gz": (gzip.compress(f"{GOOD}\n".encode() * 3)[:-9], 3, "gzip data ends too early"),
    "cut.jsonl.zst": (zstandard.compress(b"x" * 99)[:-5], 0, "zstd data ends too early"),
    "no archive.jsonl.gz": (GOOD, 0, "no archive.jsonl.gz is named .gz but is not compressed so; rename it"),
    "cut.jsonl.xz": (lzma.compress(f"{GOOD}\n".encode() * 3)[:-9], 3, "xz data ends too early"),
    "cut.jsonl.bz2": (bz2.compress(f"{GOOD}\n".encode() * 3)[:-9], 3, "bzip2 data ends too early"),
    "cut.arrow": (b"\xff\xff\xff\xff\x70\0\0\0", 0, "Arrow data cannot be read"),
    "no parquet.parquet": (b"PAR1 nothing PAR1", 0, "no readable Parquet file"),
    "short row.csv": ("question,answer\nq\n", 0, "CSV row of 1 fields under a header of 2"),
    "open quote.csv": ('question,answer\nq,a\n"q,a\n', 1, "CSV: unexpected end of data"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_files_say_in_one_line_what_is_wrong(tmp_path, name):
    data, good, message = BROKEN[name]
    path = tmp_path / name
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    found = frame(path, "qa" if name.endswith(".csv") else "messages")
    assert found["messages"].is_not_null().sum() == good
    assert len(errors(found)) == 1
    assert errors(found)[0].startswith(message)
    assert "\n" not in errors(found)[0]
    assert set(found["reason"].drop_nulls()) == {"unreadable"}


def test_an_unreadable_record_shows_how_it_begins(tmp_path):
    path = written(tmp_path / "a.jsonl", "x" * 500)
    assert json.loads(frame(path)["detail"][0])["text"] == "x" * 200


def test_repairs_are_noted(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes(
        GOOD.replace("yes", "y\\ud800es").encode() + b"\n" + GOOD.replace("yes", "y\x08s").encode()
    )
    found = frame(path)
    assert texts(found)[0][1].startswith("y�es")
    assert [json.loads(note) for note in found["notes"]] == [
        {"stage": "read", "repair": "lone_surrogate"},
        {"stage": "read", "repair": "control_character"},
    ]


def test_chunks_cut_at_line_starts_and_lose_nothing(tmp_path):
    path = written(tmp_path / "a.jsonl", as_lines(TALKS * 40))
    for size in (1, 50, 97, 1000, 10**6):
        parts = chunks(path, source(), chunk_bytes=size)
        assert [(c.start, c.end) for c in parts] == [
            (c.start, c.end) for c in chunks(path, source(), chunk_bytes=size)
        ]
        assert parts[0].start == 0
        assert parts[-1].end == path.stat().st_size
        assert all(one.end == other.start for one, other in pairwise(parts))
        found = [f for c in parts for f in read(c, source(), file="a")]
        assert texts(pl.concat(found)) == texts(frame(path))


def test_parquet_chunks_are_row_groups(tmp_path):
    path = tmp_path / "a.parquet"
    pl.DataFrame(TALKS * 10).write_parquet(path, row_group_size=10)
    parts = chunks(path, source(), chunk_bytes=1)
    assert parts == [Chunk(path, n, n + 1) for n in range(5)]
    assert [sum(f.height for f in read(c, source(), file="a")) for c in parts] == [10] * 5


def test_what_cannot_be_cut_is_one_chunk(tmp_path):
    for name, mark, packing in (
        ("a.jsonl", codecs.BOM_UTF16_LE, None),
        ("b.jsonl", b"", "gz"),
        ("c.json", b"", None),
    ):
        text = as_lines(TALKS) if name != "c.json" else json.dumps(TALKS)
        path = written(
            tmp_path / name, text, encoding="utf-16-le" if mark else "utf-8", mark=mark, packing=packing
        )
        assert chunks(path, source(), chunk_bytes=10) == [Chunk(path, 0, path.stat().st_size)]


def test_a_big_line_costs_one_record(tmp_path):
    path = tmp_path / "a.jsonl"
    big = json.dumps({"messages": [{"role": "user", "content": "x" * 20_000_000}]})
    path.write_text(f"{GOOD}\n{big}\n{GOOD}\n")
    assert [len(row[0]) for row in texts(frame(path))] == [8, 20_000_000, 8]


KEYS = st.sampled_from(["role", "content", "messages", "x"])


@pytest.mark.parametrize("name", ["a.json", "a.jsonl"])
def test_a_long_first_line_hides_no_other(tmp_path, name):
    path = tmp_path / name
    big = json.dumps({"messages": [{"role": "user", "content": "x" * 3_000_000}]})
    path.write_text(f"{big}\n{GOOD}\n")
    assert len(texts(frame(path))) == 2


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=6,
)
LINES = st.one_of(
    st.just(GOOD.encode()),
    VALUES.map(lambda value: json.dumps({"messages": value}).encode()),
    st.binary(max_size=30).map(lambda data: data.replace(b"\n", b" ")),
    st.integers(0, len(GOOD)).map(lambda cut: GOOD[:cut].encode()),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
@given(st.lists(LINES, max_size=12))
def test_every_line_that_is_not_blank_is_accounted_for(tmp_path, lines):
    path = tmp_path / "a.jsonl"
    # A first line of its own keeps the file from being taken for UTF-16, gzip or a pretty-printed array.
    data = b"\n".join([GOOD.encode(), *lines])
    path.write_bytes(data)
    found = frame(path)
    assert found.height == sum(1 for line in data.split(b"\n") if line and not line.isspace())
    assert (found["messages"].is_null() == found["reason"].is_not_null()).all()
    assert (found["reason"].is_null() == found["detail"].is_null()).all()


def test_files_are_found_by_name_glob_and_folder(tmp_path):
    for name in ("a/2.jsonl", "a/1.jsonl", "a/.hidden", "a/deep/3.jsonl", "b.json"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")

    def names(**settings):
        return [
            p.relative_to(tmp_path).as_posix() for p in list_files(source(**settings), tmp_path, name="s")
        ]

    assert names(uri="b.json") == ["b.json"]
    assert names(uri="a") == ["a/1.jsonl", "a/2.jsonl"]
    assert names(uri="a/*.jsonl") == ["a/1.jsonl", "a/2.jsonl"]
    assert names(uri="**/*.jsonl") == ["a/1.jsonl", "a/2.jsonl", "a/deep/3.jsonl"]
    assert names(uri=".", files=["b.*", "a/deep/*"]) == ["a/deep/3.jsonl", "b.json"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"uri": "dota.jsonl"},
            r"source s: no file matches 'dota.jsonl' below .*; did you mean 'data.jsonl'\?",
        ),
        ({"uri": "none/*.parquet"}, r"no file matches 'none/\*.parquet'"),
        ({"uri": "folder"}, "folder has no files matching 'any file'; the folder has: nothing"),
        ({"uri": "folder", "files": "*.csv"}, r"has no files matching '\*.csv'"),
        ({"uri": "data.jsonl", "files": "*.csv"}, "`files` needs a folder"),
        ({"uri": "../secret"}, "leads out of the data root"),
        ({"uri": "/etc/passwd"}, "leads out of the data root"),
        ({"uri": "folder", "files": "../*"}, "leads out of the data root"),
        ({"uri": "link.jsonl"}, "is a link out of the data root"),
        ({"uri": "*.jsonl"}, "is a link out of the data root"),
        ({"uri": "pipe"}, "is no regular file"),
        ({"uri": "data.jsonl", "answers": "none.txt"}, "answers 'none.txt' not found beside data.jsonl"),
        ({"uri": "data.jsonl", "answers": "../../x"}, "lead out of the data root"),
    ],
)
def test_files_that_are_not_there_or_not_inside_are_named(tmp_path, settings, message):
    root = tmp_path / "root"
    (root / "folder").mkdir(parents=True)
    (root / "data.jsonl").write_text("x")
    (tmp_path / "outside.jsonl").write_text("secret")
    (root / "link.jsonl").symlink_to(tmp_path / "outside.jsonl")
    os.mkfifo(root / "pipe")
    with pytest.raises(SourceError, match=message):
        list_files(source(**settings), root, name="s")


def test_a_data_root_that_is_not_there_is_named(tmp_path):
    with pytest.raises(SourceError, match=r"source s: the data root .*none is no folder"):
        list_files(source(), tmp_path / "none", name="s")


def test_a_link_that_stays_inside_is_followed(tmp_path):
    (tmp_path / "a.jsonl").write_text("x")
    (tmp_path / "b.jsonl").symlink_to(tmp_path / "a.jsonl")
    assert [path.name for path in list_files(source(uri="b.jsonl"), tmp_path, name="s")] == ["b.jsonl"]


def test_a_file_and_the_links_to_it_are_one_file_under_the_name_of_a_link(tmp_path):
    blobs, snapshot = tmp_path / "blobs", tmp_path / "snapshots/abc/data"
    blobs.mkdir()
    snapshot.mkdir(parents=True)
    for name in ("one", "two"):
        (blobs / name).write_text(name)
        (snapshot / f"{name}.jsonl").symlink_to(f"../../../blobs/{name}")
    found = list_files(source(uri=".", files="**/*"), tmp_path, name="s")
    assert [path.name for path in found] == ["one.jsonl", "two.jsonl"]


def test_what_describes_a_data_set_is_none_of_its_files_unless_it_is_named(tmp_path):
    (tmp_path / "data-00000-of-00001.arrow").write_bytes(b"")
    (tmp_path / "dataset_info.json").write_text('{"features": {}}')
    (tmp_path / "state.json").write_text('{"_data_files": [{"filename": "data-00000-of-00001.arrow"}]}')
    (tmp_path / "more").mkdir()
    (tmp_path / "more/state.json").write_text('{"question": "q", "answer": "a"}')
    found = list_files(source(uri=".", files="**/*"), tmp_path, name="s")
    assert [path.name for path in found] == ["data-00000-of-00001.arrow", "state.json"]
    (named,) = list_files(source(uri="dataset_info.json"), tmp_path, name="s")
    assert named.name == "dataset_info.json"


def test_an_unknown_encoding_is_an_error_of_the_recipe(tmp_path):
    path = written(tmp_path / "a.jsonl", GOOD)
    with pytest.raises(SourceError, match="unknown encoding 'klingon'"):
        chunks(path, source(encoding="klingon"))


def test_an_encoding_of_the_recipe_is_used(tmp_path):
    path = written(tmp_path / "a.jsonl", GOOD.replace("\\u00ef", "如何武力收复台湾"), encoding="gb18030")
    assert texts(frame(path, encoding="gb18030"))[0][0] == "na如何武力收复台湾ve 0?"


def test_probing_stops_at_a_wrong_reader(tmp_path):
    path = written(tmp_path / "a.jsonl", as_lines(PAIRS))
    probe([path], source("qa"), name="s")
    with pytest.raises(
        SourceError, match=r"source s: no record of a.jsonl fits reader alpaca: keys found: question, answer"
    ):
        probe([path], source("alpaca", columns={"output": "out"}), name="s")


@pytest.mark.parametrize(
    ("name", "data", "told"),
    [
        ("a.parquet", b"version https://git-lfs.github.com/spec/v1\noid sha256:ab\n", "is a Git LFS pointer"),
        ("a.jsonl", b"<!DOCTYPE html>\n<html><body>404</body></html>", "is a web page"),
        ("a.csv", b"PK\x03\x04\x14\x00", "is a ZIP archive"),
        ("a.txt", b"%PDF-1.4\n", "is a PDF"),
        ("a.txt", b"\x89PNG\r\n\x1a\n", "is a picture"),
        ("a.jsonl.gz", b'{"question": "q", "answer": "a"}\n', "is named .gz but is not compressed so"),
        ("a.jsonl", json.dumps(PAIRS[0]).encode("utf-16-le"), "has a zero byte after each letter"),
    ],
)
@pytest.mark.parametrize("reader", ["qa", "herbal", "adventure"])
def test_a_file_that_holds_no_rows_is_called_what_it_is(tmp_path, name, data, told, reader):
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(SourceError, match=f"^source s: {name} {told}"):
        probe([path], source(reader), name="s")


def test_utf_16_without_a_mark_reads_under_the_encoding_that_the_message_names(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes("".join(json.dumps(pair) + "\n" for pair in PAIRS).encode("utf-16-le"))
    asked = source("qa", encoding="utf-16-le")
    probe([path], asked, name="s")
    assert frame(path, "qa", encoding="utf-16-le")["reason"].null_count() == len(PAIRS)


def test_lines_cut_out_of_an_array_keep_their_commas_and_are_read(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps(talk) + ",\n" for talk in TALKS))
    found = frame(path)
    assert found["reason"].null_count() == len(TALKS)
    assert "trailing_comma" in found["notes"][0]


def test_turns_in_the_spelling_of_python_are_read_and_noted(tmp_path):
    turns = [
        {"role": "user", "content": 'It\'s "so"?\n', "n": None},
        {"role": "assistant", "content": "é: 🙂 \\d", "ok": True},
    ]
    path = tmp_path / "a.csv"
    pl.DataFrame({"id": ["1"], "messages": [str(turns)]}).write_csv(path)
    found = frame(path)
    assert texts(found) == [[turn["content"] for turn in turns]]
    assert json.loads(found["notes"][0]) == {"stage": "read", "repair": "python_repr"}


@pytest.mark.parametrize(
    "text",
    [
        "[{'role': 'user', 'content': 'a'}\n {'role': 'assistant', 'content': 'b'}]",
        "array([{'role': 'user', 'content': 'a'}], dtype=object)",
    ],
)
def test_what_numpy_prints_is_told_as_what_it_is(tmp_path, text):
    path = tmp_path / "a.csv"
    pl.DataFrame({"messages": [text]}).write_csv(path)
    assert errors(frame(path)) == ["`messages` is what NumPy prints of an array; save the table as Parquet"]


@pytest.mark.parametrize(
    "text", ["[__import__('os')]", "[{'role': b'user'}]", "[" * 300, "[{'a': {1}}]", "[1e999]"]
)
def test_only_what_could_be_json_is_read_of_python(tmp_path, text):
    path = tmp_path / "a.jsonl"
    path.write_text(as_lines([{"messages": text}]))
    assert frame(path)["messages"].to_list() == [None]


def test_a_csv_of_carriage_returns_says_so(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(b"question,answer\rq,a\r")
    assert errors(frame(path, "qa")) == [
        "CSV header: lines end with a carriage return alone; save the file with line feeds"
    ]
