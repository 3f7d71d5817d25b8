"""Bytes to UTF-8: archives, byte order marks, encodings, lines."""

import bz2
import codecs
import gzip
import lzma

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from curation.sources import decoding
from curation.sources.decoding import BrokenFile, blocks, lines, utf8
from curation.text import UnknownEncoding, to_text

TEXT = "".join(f"line {n} with some text\n" for n in range(5000)).encode()


PACKINGS = {"gz": gzip.compress, "zst": zstandard.compress, "xz": lzma.compress, "bz2": bz2.compress}


def packed(kind: str, data: bytes) -> bytes:
    return PACKINGS[kind](data)


def whole(path):
    return b"".join(blocks(path))


def until_broken(path):
    """What can be read before a break, and the break's message."""
    read, message = b"", None
    try:
        for block in blocks(path):
            read += block
    except BrokenFile as error:
        message = str(error)
    return read, message


@pytest.mark.parametrize("kind", PACKINGS)
def test_an_archive_reads_like_its_content(tmp_path, kind):
    path = tmp_path / f"a.jsonl.{kind}"
    path.write_bytes(packed(kind, TEXT))
    assert whole(path) == TEXT


@pytest.mark.parametrize("kind", PACKINGS)
def test_concatenated_archives_are_read_to_the_end(tmp_path, kind):
    path = tmp_path / f"a.{kind}"
    path.write_bytes(packed(kind, TEXT) + packed(kind, b"and more\n"))
    assert whole(path) == TEXT + b"and more\n"


@pytest.mark.parametrize("kind", ["gz", "xz", "bz2"])
def test_zero_padding_after_a_member_is_no_data(tmp_path, kind):
    path = tmp_path / f"a.{kind}"
    path.write_bytes(packed(kind, TEXT) + b"\0" * 512)
    assert whole(path) == TEXT


@pytest.mark.parametrize("kind", PACKINGS)
def test_an_archive_is_known_by_its_bytes_where_the_name_does_not_tell(tmp_path, kind):
    path = tmp_path / "a.jsonl"
    path.write_bytes(packed(kind, TEXT))
    assert whole(path) == TEXT


@pytest.mark.parametrize("kind", PACKINGS)
def test_a_truncated_archive_gives_what_came_before(tmp_path, kind):
    path = tmp_path / f"a.{kind}"
    data = packed(kind, TEXT)
    path.write_bytes(data[: len(data) - 20])
    read, message = until_broken(path)
    assert TEXT.startswith(read)
    assert message is not None
    assert message.endswith("ends too early")


@pytest.mark.parametrize("kind", PACKINGS)
@pytest.mark.parametrize("data", [b"", b'{"plain": "text"}\n'])
def test_a_file_named_as_an_archive_that_is_none_is_broken(tmp_path, kind, data):
    path = tmp_path / f"a.{kind}"
    path.write_bytes(data)
    assert until_broken(path)[1] is not None


@pytest.mark.parametrize("kind", PACKINGS)
def test_a_bomb_is_refused_before_it_fills_memory(tmp_path, kind, monkeypatch):
    monkeypatch.setattr(decoding, "EXPANSION_FLOOR_BYTES", 1 << 20)
    path = tmp_path / f"a.{kind}"
    path.write_bytes(packed(kind, b"\0" * (64 << 20)))
    read, message = until_broken(path)
    assert len(read) < 64 << 20
    assert "refused as a bomb" in message


def test_corrupt_gzip_gives_the_bytes_up_to_the_corrupt_place(tmp_path):
    path = tmp_path / "a.gz"
    data = bytearray(gzip.compress(TEXT))
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(bytes(data))
    read, message = until_broken(path)
    assert read
    assert message is not None


@pytest.mark.parametrize(
    ("encoding", "mark"),
    [
        ("utf-8", b""),
        ("utf-8", codecs.BOM_UTF8),
        ("utf-16-le", codecs.BOM_UTF16_LE),
        ("utf-16-be", codecs.BOM_UTF16_BE),
        ("utf-32-le", codecs.BOM_UTF32_LE),
    ],
)
def test_a_byte_order_mark_decides_and_disappears(encoding, mark):
    text = "Café ÿ 😀\n"
    assert b"".join(utf8([mark + text.encode(encoding)])).decode() == text


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=60), st.integers(1, 5))
def test_transcoding_does_not_depend_on_where_blocks_end(text, size):
    data = codecs.BOM_UTF16_LE + text.encode("utf-16-le")
    parts = [data[place : place + size] for place in range(0, len(data), size)]
    assert b"".join(utf8(parts)).decode() == text


@given(st.lists(st.binary(max_size=8), max_size=8))
def test_lines_do_not_depend_on_where_blocks_end(parts):
    joined = [line for line in b"".join(parts).split(b"\n") if line and not line.isspace()]
    assert [line for batch in lines(parts) for line in batch] == joined


@pytest.mark.parametrize(
    ("data", "text", "repair"),
    [
        ("naïve".encode(), "naïve", None),
        ("naïve “so”".encode("cp1252"), "naïve “so”", "cp1252"),
        (b"a\x81b\xe9", "a\x81bé", "latin-1"),
        ("naïve, é".encode() + b" \xff", "naïve, é �", "damaged_utf8"),
        (b"cut \xe2\x82", "cut �", "damaged_utf8"),
    ],
)
def test_a_line_that_is_not_utf8_is_western_or_damaged(data, text, repair):
    assert to_text(data) == (text, repair)


@pytest.mark.parametrize("text", ["如何武力收复台湾", "これは日本語のテキストです"])
@pytest.mark.parametrize("encoding", ["gb18030", "shift_jis"])
def test_other_encodings_are_not_guessed(text, encoding):
    with pytest.raises(UnknownEncoding, match="name its `encoding` in the recipe"):
        to_text(text.encode(encoding, errors="ignore"))
