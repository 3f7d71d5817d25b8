from herbals import CLASSIC, asked, body


def test_paragraphs_are_reflowed_without_marks_and_cut_words_are_whole():
    text = CLASSIC.replace("dark green col-", "dark colour, green col-")
    answers = [body(a) for _, a in asked(text)]
    assert answers[0] == (
        "It has many fine leaves, cut into a great number of small parts, of a dark colour, green colour,"
        " and tough. The flowers are white or pale-pink."
    )
    assert answers[3] == "Under Venus. The bruised leaf is laid to wounds.\n\nIt is drunk in fevers also."


def test_publisher_text_contents_index_and_pictures_leave_no_trace():
    text = " ".join(a for _, a in asked(CLASSIC))
    for trace in ("GUTENBERG", "Licence", "Illustration", "Produced", "[3]", "[1]", "_", " . . "):
        assert trace not in text


def test_line_endings_and_a_bom_change_nothing():
    assert asked("\ufeff" + CLASSIC.replace("\n", "\r\n")) == asked(CLASSIC)
