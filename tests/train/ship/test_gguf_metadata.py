"""The metadata of a GGUF file as gguf's own reader gives it, and what is answered to a broken file."""

import gguf
import pytest

from curation.errors import CurationError, Refusal
from train.ship.gguf_metadata import read_metadata


@pytest.fixture
def file(tmp_path):
    writer = gguf.GGUFWriter(tmp_path / "x.gguf", "qwen2")
    writer.add_string("a.text", "Größe")
    writer.add_uint32("a.count", 7)
    writer.add_int64("a.large", -(1 << 40))
    writer.add_float64("a.share", 0.25)
    writer.add_bool("a.flag", True)
    writer.add_array("a.texts", ["one", "", "три"])
    writer.add_array("a.numbers", [1, -2, 3])
    writer.add_array("a.nested", [[1, 2], [3]])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
    return tmp_path / "x.gguf"


def test_every_kind_of_value_is_read_as_gguf_reads_it(file):
    found = read_metadata(file)
    reader = gguf.GGUFReader(file)
    assert found["a.nested"] == [[1, 2], [3]]
    flat = {key: value for key, value in found.items() if key != "a.nested"}
    assert flat == {key: reader.get_field(key).contents() for key in flat}
    assert {"general.architecture", "a.text", "a.large", "a.texts"} <= set(flat)


def test_a_file_that_is_cut_off_anywhere_is_refused(file, tmp_path):
    data = file.read_bytes()
    for length in range(1, len(data) - 40):
        (tmp_path / "cut.gguf").write_bytes(data[:length])
        with pytest.raises(Refusal, match=r"cut\.gguf: "):
            read_metadata(tmp_path / "cut.gguf")


@pytest.mark.parametrize("content", [b"", b"GGUF", b"GGML" + b"\0" * 60, b"GGUF" + b"\xff" * 60])
def test_what_is_no_gguf_file_is_refused(tmp_path, content):
    (tmp_path / "x.gguf").write_bytes(content)
    with pytest.raises(Refusal, match=r"x\.gguf: "):
        read_metadata(tmp_path / "x.gguf")


def test_an_absent_file_is_one_clear_line(tmp_path):
    with pytest.raises(CurationError, match=r"x\.gguf: cannot be read: No such file"):
        read_metadata(tmp_path / "x.gguf")
