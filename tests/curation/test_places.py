"""From a position to source, file and row, for one file in stretches and many files in one chunk."""

from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.places import Place, Places, files_and_rows

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
        positions = [(chunk["ordinal"] << 32) | row for row in range(len(expected))]
        found = [places[pos] for pos in positions]
        assert [(place.file, place.row) for place in found] == expected
        assert [places.position(place) for place in found] == positions
        assert len(expected) == [0, *accumulate(rows for _, _, rows in chunk["files"])][-1]


def test_a_row_that_no_chunk_holds_has_no_position():
    places = Places([{"ordinal": 0, "source": "s", "files": [["a", 0, 2]]}])
    for place in (Place("s", "a", 2), Place("s", "b", 0), Place("t", "a", 0)):
        with pytest.raises(KeyError):
            places.position(place)
