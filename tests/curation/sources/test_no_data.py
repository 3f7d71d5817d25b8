"""Each kind of file that holds no rows is named with what it is and what to do."""

import gzip
import io
import pickle
import zipfile

import pytest

from curation.sources.no_data import _KINDS, no_data


def zipped(*names):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for name in names:
            archive.writestr(name, b"x")
    return data.getvalue()


MAGIC = {
    b"version https://git-lfs.github.com/spec/v1\noid sha256:ab\n": "is a Git LFS pointer",
    b"Entry not found": "is an error message of a server",
    b"../../blobs/0123456789abcdef": "is the text of a link",
    b"<!DOCTYPE html>\n<html><body>404</body></html>": "is a web page",
    b'<?xml version="1.0"?><rows/>': "is XML",
    b"%PDF-1.7": "is a PDF",
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": "is an old Word or Excel file",
    b"SQLite format 3\0": "is a SQLite database",
    b"\0" * 8 + b"DUCK": "is a DuckDB database",
    b"\x89HDF\r\n\x1a\n": "is an HDF5 file",
    b"Obj\x01\x04\x14": "is an Avro file",
    b"ORC\x0a\x0b\x0a\x03\0\0": "is an ORC file",
    b"\x93NUMPY\x01\0": "is a NumPy array",
    pickle.dumps([{"question": "q"}], protocol=2): "holds pickled Python objects",
    pickle.dumps([{"question": "q"}]): "holds pickled Python objects",
    b"\x40\0\0\0\0\0\0\0" + b'{"w":{}}': "holds tensors",
    b"7z\xbc\xaf\x27\x1c\0\x04": "is a 7z archive",
    b"Rar!\x1a\x07\x01\0": "is a RAR archive",
    b"\x89PNG\r\n\x1a\n": "is a picture",
    b"RIFF\x24\0\0\0WAVEfmt ": "is sound",
    zipped("[Content_Types].xml", "xl/workbook.xml"): "is an Excel workbook; save its table as CSV",
    zipped("[Content_Types].xml", "word/document.xml"): "is a Word document",
    zipped("mimetype", "content.xml"): "is an OpenDocument file",
    zipped("archive/data.pkl", "archive/data/0"): "holds tensors",
    zipped("a.npy", "b.npy"): "is a NumPy array",
    zipped("rows.jsonl")[:40]: "is a ZIP archive that breaks off",
}


@pytest.mark.parametrize("data", MAGIC, ids=MAGIC.values())
def test_a_file_is_known_by_its_first_bytes_whatever_its_name(tmp_path, data):
    path = tmp_path / "rows.json"
    path.write_bytes(data)
    assert (no_data(path) or "").startswith(MAGIC[data])


def test_what_is_compressed_is_looked_into(tmp_path):
    path = tmp_path / "rows.jsonl.gz"
    path.write_bytes(gzip.compress(b"SQLite format 3\0"))
    assert (no_data(path) or "").startswith("is a SQLite database")


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("a.lance", "belongs to a Lance table"),
        ("a.pt", "holds tensors"),
        ("a.pkl", "holds pickled"),
        ("a.db", "is a database"),
        ("a.tfrecord", "holds records of TensorFlow"),
        ("a.html", "is a web page; save its text as .txt"),
        ("a.xml.gz", "is XML"),
    ],
)
def test_a_name_tells_where_the_bytes_do_not(tmp_path, name, what):
    path = tmp_path / name
    path.write_bytes(gzip.compress(b"abc\n") if name.endswith(".gz") else b"abc\n")
    assert (no_data(path) or "").startswith(what)


TEXTS = [
    "PARENTS ask: when?",
    "ORCS live here",
    "BZh is no word",
    "MZ",
    "ID3 tags, a history",
    "GGUF is a format",
]
TEXTS += [
    "The ftyp box",
    "FEATHER 1",
    "Objects in space",
    "RIFF and raff",
    "{\n",
    "[Notes: typed]",
    "",
    "../a, she said",
]


@pytest.mark.parametrize("text", TEXTS)
def test_no_text_is_taken_for_something_else(tmp_path, text):
    path = tmp_path / "a.txt"
    path.write_text(f"{text} and so on.\nMore of it.\n")
    assert no_data(path) is None


def test_each_kind_says_what_to_do_or_that_there_is_nothing_to_read():
    for one in _KINDS:
        assert one.magic or one.suffixes
        assert ";" in one.what or one.what.startswith(
            ("is a picture", "is sound", "is a program", "holds tensors")
        )
    suffixes = [suffix for one in _KINDS for suffix in one.suffixes]
    assert len(suffixes) == len(set(suffixes))
