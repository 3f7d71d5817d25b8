import pytest
from herbals import CLASSIC, ESSAYS, SOURCE, asked, body, named
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.errors import SourceError
from curation.readers.herbal import reader as herbal
from curation.recipe.source import Source


def test_the_recipe_may_name_the_book():
    source = Source(uri="x", reader="herbal", group="g", book="The Garden Book by Ann Green")
    assert asked(CLASSIC, source)[0][1].endswith("Source: Ann Green, The Garden Book, “Yarrow, or Milfoil”.")


def test_without_a_title_the_file_is_cited():
    assert "Source: little herbal, " in asked(CLASSIC)[0][1]


def test_a_system_prompt_of_the_source_opens_each_row():
    source = Source(uri="x", reader="herbal", group="g", system="You are an apothecary.")
    roles = [[m["role"] for m in row.messages] for row in herbal.rows(CLASSIC, source, file="x")]
    assert set(map(tuple, roles)) == {("system", "user", "assistant")}


def test_the_same_text_gives_the_same_questions():
    assert asked(CLASSIC) == asked(CLASSIC)


TITLED = """\
Title: A Small Herbal
Author: John Green

*** START OF THE PROJECT GUTENBERG EBOOK A SMALL HERBAL ***

A SMALL HERBAL

By

John Green, M.D. Author of "Outlines," etc.

"A small herbal is a herbal all the same."

[vii]

""" + ESSAYS.replace(
    "in the south,", "in the south (see _Onion_, _page_ 159); it belongs (_see page_ 12) to lilies,"
).replace("ONION (_see_ Garlic).", "ONION (Garden). _see_ Garlic, _page_ 9.")


def test_a_title_page_is_no_entry_and_pages_of_the_printed_book_are_not_told():
    rows = [message.messages for message in herbal.rows(TITLED, SOURCE, file="green.txt")]
    told = " ".join(message["content"] for messages in rows for message in messages)
    assert [entry.name for entry in named(ESSAYS)] == ["Garlic", "Mint", "Water Mint", "Sage"]
    assert "all the same" not in told
    assert "ONION" not in told
    assert "[vii]" not in told
    assert "page" not in told
    assert "in the south (see Onion); it belongs to lilies," in told


NOVEL = """\
CHAPTER I

It was a dark night, and the wind blew over the moor.

CHAPTER II

The morning came. Nobody spoke of herbs.
"""


@pytest.mark.parametrize("text", [NOVEL, "", "just a line", "A\n\nB\n\nC", "INDEX\n\nBalm, 3\n"])
def test_a_text_without_entries_is_an_error_that_says_what_was_looked_for(text):
    with pytest.raises(
        SourceError, match=r"books/x\.txt: no herbal entries: looked for plant names as headings"
    ):
        herbal.rows(text, SOURCE, file="books/x.txt")


def test_the_error_says_what_was_found_with_figures_and_examples():
    trees = "\n\n".join(
        f"{name}\n\nThe wind blew over the moor all night long." for name in ("HOPE", "FEAR", "JOY")
    )
    with pytest.raises(
        SourceError,
        match=r"found in 30 words 3 capitals on a line of their own \('Hope', 'Fear', 'Joy'; 0% of the text"
        r" under sure ones, order 0%, own name 0%, sections 0%\)",
    ):
        herbal.rows(trees, SOURCE, file="x")
    with pytest.raises(SourceError, match=r"found in 23 words no headings"):
        herbal.rows(NOVEL, SOURCE, file="x")


@settings(max_examples=150, deadline=None)
@given(st.text(alphabet="ABab_.*#[](){}—-\n 1:]", max_size=300))
def test_any_text_gives_rows_or_the_error(text):
    try:
        pairs = asked(text)
    except SourceError:
        return
    assert all(q.endswith("?") and body(a).strip() for q, a in pairs)
