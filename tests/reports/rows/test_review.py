import pytest

from curation.errors import CurationError
from tests.finished import finished

pytest.importorskip("bottle", reason="needs bottle: pip install '.[review]'")


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    return finished(tmp_path_factory.mktemp("small"))


def test_marks_never_lie_in_the_dataset(original):
    from reports.rows.review import Review

    with pytest.raises(CurationError, match="must not change"):
        Review(original, original / "marks.jsonl")
