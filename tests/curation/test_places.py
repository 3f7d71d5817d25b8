"""From a position to source, file and row, for one file in stretches and many files in one chunk."""

from itertools import accumulate

from hypothesis import given
from hypothesis import strategies as st

from curation.places import Places, files_and_rows

FILES = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 9)), min_size=1, max_size=8)


@given(st.lists(FILES, min_size=1, max_size=4))
def test_every_row_of_every_chunk_has_its_own_place_and_both_ways_agree_on_it(chunks):
    table = [
        {
            "ordinal": ordinal,
            "source": "s",
            "files": [[f"{ordinal}-{n}", first, rows] for n, (rows, first) in enumerate(files)],
        }
        for ordinal, files in enumerate(chunks)
    ]
    places = Places(table)
    for chunk in table:
        expected = [(name, first + row) for name, first, rows in chunk["files"] for row in range(rows)]
        assert files_and_rows(chunk).rows() == expected
        found = [places[(chunk["ordinal"] << 32) | row] for row in range(len(expected))]
        assert [(place.file, place.row) for place in found] == expected
        assert len(expected) == [0, *accumulate(rows for _, _, rows in chunk["files"])][-1]
