import pytest

from curation.errors import CurationError
from curation.stages.exclude.exclusions import Exclusion, read_exclusions, to_bytes


def test_marks_survive_their_file(tmp_path):
    marks = [Exclusion(id="sha256:" + "a" * 64, note='é "x"\n', row="s:f:1", by="A Person")]
    (tmp_path / "marks.jsonl").write_bytes(to_bytes(marks))
    assert read_exclusions(tmp_path / "marks.jsonl") == marks


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("{", r"marks\.jsonl:2: .*; expected"),
        ('{"note": "x"}', r"marks\.jsonl:2: names no row"),
        ('{"id": "12"}', r"marks\.jsonl:2: names no row"),
        ('{"id": "sha256:' + "a" * 64 + '", "why": 1}', r"marks\.jsonl:2: .*unknown field `why`"),
    ],
)
def test_a_line_that_is_no_mark_is_named(tmp_path, line, told):
    (tmp_path / "marks.jsonl").write_text(f"\n{line}\n")
    with pytest.raises(CurationError, match=told):
        read_exclusions(tmp_path / "marks.jsonl")
