from shapes import said, source

from curation.readers import lines


def test_lines_are_paired_and_a_missing_half_is_named():
    pairs = list(lines.rows(["a", "", "b", "c"], ["1", "", " "], source("lines")))
    assert said(pairs[0]) == [("user", "a"), ("assistant", "1")]
    assert [str(pair) for pair in pairs[1:]] == [
        "the answer is blank",
        "only the file of questions has this line: c",
    ]
