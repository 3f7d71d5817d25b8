"""Archives as the files in them: in order, never unpacked, and whatever must not be read told by its name."""

import bz2
import gzip
import io
import lzma
import stat
import tarfile
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.sources import archives, decoding
from curation.sources.archives import Member, kind, members
from curation.sources.records import Bad

TAR = {"tar": bytes, "tar.gz": gzip.compress, "txz": lzma.compress, "tbz2": bz2.compress}


def a_tar(*entries, pack=bytes):
    """Entries are (name, bytes), or a TarInfo of something that is no file."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as archive:
        for entry in entries:
            if isinstance(entry, tarfile.TarInfo):
                archive.addfile(entry)
                continue
            info = tarfile.TarInfo(entry[0])
            info.size = len(entry[1])
            archive.addfile(info, io.BytesIO(entry[1]))
    return pack(data.getvalue())


def a_zip(*entries):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries:
            archive.writestr(name, content)
    return data.getvalue()


def special(name, kind, link=""):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info


def content(member):
    """Name and bytes of a member, or what is said of it."""
    if isinstance(member, Bad):
        return member.member, member.error
    try:
        return member.path, b"".join(decoding.blocks(member.let_go()))
    except decoding.BrokenFile as error:
        return None, str(error)


def read(path, data):
    path.write_bytes(data)
    return [content(member) for member in members(path)]


FILES = [("b/two.jsonl", b"two"), ("a/one.jsonl", b"one" * 100_000), ("empty.jsonl", b"")]


@pytest.mark.parametrize("suffix", [*TAR, "zip"])
def test_members_come_in_the_order_in_which_they_are_stored(tmp_path, suffix):
    path = tmp_path / f"x.{suffix}"
    data = a_zip(*FILES) if suffix == "zip" else a_tar(*FILES, pack=TAR[suffix])
    assert read(path, data) == FILES
    assert kind(path) == ("zip" if suffix == "zip" else "tar")


def test_an_archive_is_known_by_its_bytes_whatever_its_name(tmp_path):
    for data in (a_tar(*FILES), a_tar(*FILES, pack=gzip.compress), a_zip(*FILES)):
        assert read(tmp_path / "rows", data) == FILES


@pytest.mark.parametrize("make", [a_tar, a_zip])
def test_what_is_no_data_is_passed_over_as_in_a_folder(tmp_path, make):
    junk = [
        ("__MACOSX/._a.jsonl", b"x"),
        (".DS_Store", b"x"),
        ("d/.hidden/a", b"x"),
        ("dataset_info.json", b"{}"),
    ]
    folders = [special("d/", tarfile.DIRTYPE)] if make is a_tar else [("d/", b"")]
    assert read(tmp_path / "x", make(*folders, *junk, ("d/a.jsonl", b"a"))) == [("d/a.jsonl", b"a")]


@pytest.mark.parametrize("name", ["../a.jsonl", "d/../../a.jsonl", "/a.jsonl", "C:\\a.jsonl", "d\\..\\..\\a"])
@pytest.mark.parametrize("make", [a_tar, a_zip])
def test_a_name_that_leads_out_is_one_unreadable_row_with_that_name(tmp_path, make, name):
    found = read(tmp_path / "x", make(("a", b"a"), (name, b"x"), ("b", b"b")))
    assert found == [("a", b"a"), (name, f"{name} has a name that leads out of the archive"), ("b", b"b")]


def test_links_and_devices_are_never_followed(tmp_path):
    kinds = {"l": tarfile.SYMTYPE, "h": tarfile.LNKTYPE, "c": tarfile.CHRTYPE, "p": tarfile.FIFOTYPE}
    found = read(tmp_path / "x", a_tar(("a", b"a"), *(special(n, k, "a") for n, k in kinds.items())))
    assert found[1:] == [(name, f"{name} is a link or a device; pack the file itself") for name in kinds]
    link = zipfile.ZipInfo("l")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    assert read(tmp_path / "x", a_zip((link, "a"))) == [
        ("l", "l is a link or a device; pack the file itself")
    ]


def test_one_level_is_read(tmp_path):
    inner = [("in.zip", a_zip(*FILES)), ("in.tar.gz", a_tar(*FILES, pack=gzip.compress))]
    found = read(tmp_path / "x", a_tar(*inner, ("rows.jsonl.gz", gzip.compress(b"rows"))))
    assert [told for _, told in found[:2]] == [f"{name} {archives._NESTED}" for name, _ in inner]
    assert found[2] == ("rows.jsonl.gz", b"rows")


def test_an_encrypted_and_a_damaged_member_are_told_and_the_others_read(tmp_path):
    data = bytearray(a_zip(("a", b"a" * 99), ("b", b"b" * 99), ("c", b"c")))
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        infos = archive.infolist()
    entry = data.index(b"PK\x01\x02")
    for place in (infos[0].header_offset + 6, entry + 8):
        data[place] |= 1
    data[infos[1].header_offset + 30 + 1] ^= 0xFF
    first, second, third = read(tmp_path / "x.zip", bytes(data))
    assert first == ("a", "a is encrypted; pack it without a password")
    assert second[1].startswith("b cannot be read: Error -3 while decompressing data")
    # A ZIP archive has a list of its members, so what comes after is not lost.
    assert third == ("c", b"c")


def test_a_bomb_is_refused_by_its_name_before_it_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "EXPANSION_FLOOR_BYTES", 1 << 16)
    found = read(tmp_path / "x", a_zip(("a", b"a"), ("bomb", b"\0" * (1 << 20)), ("c", b"c")))
    told = "bomb expands more than 250 times: refused as a bomb"
    assert found == [("a", b"a"), ("bomb", told), ("c", b"c")]


@pytest.mark.parametrize("suffix", TAR)
def test_a_cut_archive_gives_what_came_before_and_one_word_on_the_break(tmp_path, suffix):
    files = [(f"{n}.jsonl", b"%d" % n * 400) for n in range(20)]
    whole = a_tar(*files, pack=TAR[suffix])
    *before, (_, told) = read(tmp_path / f"x.{suffix}", whole[: len(whole) // 2])
    assert before == files[: len(before)]
    assert "too early" in told or "unexpected end of data" in told or "truncated" in told
    # bzip2 has nothing before a whole block of 900 kB.
    assert before or suffix in ("tbz2", "txz")


def test_a_damaged_header_is_not_taken_for_the_end(tmp_path):
    data = bytearray(a_tar(("a", b"a"), ("b", b"b")))
    data[1024 + 100] ^= 1
    assert read(tmp_path / "x.tar", bytes(data)) == [
        ("a", b"a"),
        (None, "the archive is damaged: bad checksum"),
    ]


def test_an_archive_behind_another_is_told(tmp_path):
    data = a_tar(("a", b"a"))
    assert read(tmp_path / "x", data * 2)[1:] == [
        (None, "more data follows the end of the archive; pack it anew")
    ]
    assert read(tmp_path / "x", data[:1024])[1:] == [
        (None, "the archive ends without its end mark: it may be cut off")
    ]


@given(st.lists(st.binary(max_size=40), max_size=5), st.lists(st.integers(1, 30), min_size=1, max_size=4))
def test_a_member_begins_anew_each_time_until_it_is_let_go(blocks, sizes):
    member = Member("a", iter(block for block in blocks if block))
    whole = b"".join(blocks)
    for size in sizes:
        with member.open("rb") as file:
            found = b""
            while len(found) < size and (more := file.read(size - len(found))):
                found += more
        assert found == whole[:size]
    assert b"".join(decoding.blocks(member.let_go())) == whole
