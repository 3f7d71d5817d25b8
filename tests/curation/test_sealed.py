import pytest

from curation.errors import CurationError, Refusal
from curation.sealed import Sealed, read_sealed, write_sealed


class Note(Sealed, frozen=True):
    """A document for these tests."""

    text: str
    size: int | float
    draft: bool = False


def test_a_document_comes_back_with_its_digest(tmp_path):
    note = write_sealed(tmp_path / "note.json", Note(text="é\n", size=1))
    assert len(note.self_sha256) == 64
    assert read_sealed(tmp_path / "note.json", Note) == note


def test_its_digest_is_of_the_other_keys_alone():
    note = Note(text="a", size=1.0)
    assert note.as_dict() == Note(text="a", size=1.0, self_sha256="old").as_dict()
    assert list(note.as_dict()) == ["text", "size", "self_sha256"]


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "not JSON any more"),
        (b"\xff", "not JSON any more"),
        (b"[]", "self_sha256 does not match"),
        (b"{}", "self_sha256 does not match"),
        (b'{"text": "a", "size": 1, "self_sha256": "0"}', "self_sha256 does not match"),
        (b"[" * 2000, "not JSON any more"),
        (b'{"a":' + b"[" * 900 + b"]" * 900 + b"}", "changed since it was written"),
    ],
)
def test_what_is_not_as_written_is_refused(tmp_path, data, told):
    (tmp_path / "note.json").write_bytes(data)
    with pytest.raises(Refusal, match=told) as refusal:
        read_sealed(tmp_path / "note.json", Note)
    assert refusal.value.exit_code == 1


def test_an_absent_document_is_a_wrong_request(tmp_path):
    with pytest.raises(CurationError, match=r"note\.json: cannot be read: No such file") as wrong:
        read_sealed(tmp_path / "note.json", Note)
    assert wrong.value.exit_code == 2


def test_other_spacing_and_another_order_are_noticed(tmp_path):
    path = tmp_path / "note.json"
    write_sealed(path, Note(text="a", size=1))
    lines = path.read_text().splitlines(keepends=True)
    for changed in (lines[:1] + lines[2:3] + lines[1:2] + lines[3:], [*lines, " "]):
        path.write_text("".join(changed))
        with pytest.raises(Refusal, match="same values, other bytes"):
            read_sealed(path, Note)
