"""Work files keep every value, and one of no rows still has its columns."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.arrow import FrameWriter, read_batches, read_frame, write_frame
from curation.errors import CurationError

SCHEMA = {"n": pl.UInt64, "text": pl.String}


@given(
    rows=st.lists(
        st.tuples(st.integers(0, 2**64 - 1), st.none() | st.text(st.characters(exclude_categories=["Cs"])))
    )
)
def test_round_trip(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("arrow") / "f.arrow"
    frame = pl.DataFrame(rows, schema=SCHEMA, orient="row")
    with FrameWriter(path, SCHEMA) as writer:
        writer.write(frame.head(2))
        writer.write(frame.slice(2))
    assert read_frame(path).equals(frame)
    assert pl.concat(list(read_batches(path, rows=3))).equals(frame)


def test_missing_columns_are_null_and_foreign_ones_are_left_out(tmp_path):
    with FrameWriter(tmp_path / "f.arrow", SCHEMA) as writer:
        writer.write(pl.DataFrame({"n": [1], "other": ["x"]}))
    assert read_frame(tmp_path / "f.arrow").rows() == [(1, None)]


def test_an_empty_file_yields_one_empty_batch_with_its_columns(tmp_path):
    write_frame(tmp_path / "f.arrow", pl.DataFrame(schema=SCHEMA))
    (batch,) = read_batches(tmp_path / "f.arrow")
    assert batch.schema == SCHEMA


def test_a_damaged_file_says_what_to_do(tmp_path):
    (tmp_path / "f.arrow").write_bytes(b"not arrow")
    with pytest.raises(CurationError, match="damaged work file"):
        read_frame(tmp_path / "f.arrow")
