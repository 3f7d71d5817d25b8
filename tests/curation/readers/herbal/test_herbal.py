"""Herbals become questions and the book's own answers, or a clear error."""

import re
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.errors import SourceError
from curation.readers.herbal import reader as herbal
from curation.readers.herbal.entries import entries
from curation.readers.herbal.names import capitalised, first_name, heading_text, is_plural
from curation.readers.herbal.parts import Entry, parts
from curation.readers.herbal.questions import surname
from curation.readers.herbal.text import read_book
from curation.recipe.source import Source

SOURCE = Source(uri="book.txt", reader="herbal", group="apothecary")

CLASSIC = """\
*** START OF THE PROJECT GUTENBERG EBOOK A LITTLE HERBAL ***

Produced by nobody in particular

[Illustration: A garden]

CONTENTS

    Yarrow . . . . . 3
    Tansy . . . . . 4


    YARROW, OR MILFOIL.

_Descript._] IT has many fine leaves, cut into a great number of
small parts, of a dark green col-
our, and tough. [3] The flowers are white or pale-
pink.

_Place._] It grows in dry pastures.

_Time._] It flowers all the summer.

_Government and virtues._] Under Venus. The bruised leaf is laid to
wounds.[1]

It is drunk in fevers also.


    THE TANSY.

Called also Buttons, by reason of its flower.

_Place and Time._] On field banks, in August.

_Virtues_] It is good against worms.


INDEX

Tansy, 4

Yarrow, 3

*** END OF THE PROJECT GUTENBERG EBOOK A LITTLE HERBAL ***
Licence text that nobody asked for.
"""


def asked(text: str, source: Source = SOURCE) -> list[tuple[str, str]]:
    rows = herbal.rows(text, source, file="books/little_herbal.txt")
    return [(row.messages[-2]["content"], row.messages[-1]["content"]) for row in rows]


@cache
def named(text: str) -> list[Entry]:
    return entries(parts(read_book(text)))


def body(answer: str) -> str:
    return answer.split("\n\nSource: ")[0]


def test_each_section_of_each_plant_is_one_question():
    pairs = asked(CLASSIC)
    assert len(pairs) == 4 + 3
    assert ["Yarrow" in q for q, _ in pairs] == [True] * 4 + [False] * 3
    assert all("Tansy" in q for q, _ in pairs[4:])


def test_paragraphs_are_reflowed_without_marks_and_cut_words_are_whole():
    text = CLASSIC.replace("dark green col-", "dark colour, green col-")
    answers = [body(a) for _, a in asked(text)]
    assert answers[0] == (
        "It has many fine leaves, cut into a great number of small parts, of a dark colour, green colour,"
        " and tough. The flowers are white or pale-pink."
    )
    assert answers[3] == "Under Venus. The bruised leaf is laid to wounds.\n\nIt is drunk in fevers also."


def test_every_answer_ends_with_book_and_entry():
    head = "Title: A Little Herbal\nAuthor: Jane Gardener\n\n"
    answers = [a for _, a in asked(head + CLASSIC)]
    assert answers[0].endswith("Source: Jane Gardener, A Little Herbal, “Yarrow, or Milfoil”.")
    assert answers[-1].endswith("Source: Jane Gardener, A Little Herbal, “The Tansy”.")


def test_the_recipe_may_name_the_book():
    source = Source(uri="x", reader="herbal", group="g", book="The Garden Book by Ann Green")
    assert asked(CLASSIC, source)[0][1].endswith("Source: Ann Green, The Garden Book, “Yarrow, or Milfoil”.")


def test_without_a_title_the_file_is_cited():
    assert "Source: little herbal, " in asked(CLASSIC)[0][1]


def test_a_system_prompt_of_the_source_opens_each_row():
    source = Source(uri="x", reader="herbal", group="g", system="You are an apothecary.")
    roles = [[m["role"] for m in row.messages] for row in herbal.rows(CLASSIC, source, file="x")]
    assert set(map(tuple, roles)) == {("system", "user", "assistant")}


def test_publisher_text_contents_index_and_pictures_leave_no_trace():
    text = " ".join(a for _, a in asked(CLASSIC))
    for trace in ("GUTENBERG", "Licence", "Illustration", "Produced", "[3]", "[1]", "_", " . . "):
        assert trace not in text


def test_line_endings_and_a_bom_change_nothing():
    assert asked("\ufeff" + CLASSIC.replace("\n", "\r\n")) == asked(CLASSIC)


def test_the_same_text_gives_the_same_questions():
    assert asked(CLASSIC) == asked(CLASSIC)


def test_the_wording_of_a_plant_does_not_depend_on_its_neighbours():
    alone = CLASSIC.split("    THE TANSY.")[0]
    assert asked(alone) == asked(CLASSIC)[:4]


LAYOUTS = {
    "names_over_labels": """\
Balm

Description: A bushy herb with lemon
scented leaves.
Virtues: It cheers the heart.

Rue

Description: A bitter shrub with blue green leaves.
Virtues: It is set against moths.
""",
    "numbered_chapters": """\
CHAP. 1. Of Balm.

_Descript._] A bushy herb with lemon scented leaves.

_Vertues._] It cheers the heart.

CHAP. 2. Of Rue.

_Descript._] A bitter shrub with blue green leaves.

_Vertues._] It is set against moths.
""",
    "numbered_names": """\
12. BALM.

Description.--A bushy herb with lemon scented leaves.

Virtues.--It cheers the heart.

13. RUE.

Description.--A bitter shrub with blue green leaves.

Virtues.--It is set against moths.
""",
    "markdown": """\
# A Short Herbal

## Balm

### Description

A bushy herb with lemon scented leaves.

### Virtues

It cheers the heart.

## Rue

### Description

A bitter shrub with blue green leaves.

### Virtues

It is set against moths.
""",
    "markdown_bold": """\
## Balm

**Description:** A bushy herb with lemon scented leaves.

**Virtues:** It cheers the heart.

## Rue

**Description:** A bitter shrub with blue green leaves.

**Virtues:** It is set against moths.
""",
    "own_lines": """\
BALM.

¶ The Description.

A bushy herb with lemon scented leaves.

¶ The Vertues.

It cheers the heart.


RUE.

¶ The Description.

A bitter shrub with blue green leaves.

¶ The Vertues.

It is set against moths.
""",
    "plain_labels": """\
BALM

Description. A bushy herb with lemon scented leaves.

Virtues. It cheers the heart.


RUE

Description. A bitter shrub with blue green leaves.

Virtues. It is set against moths.
""",
    "underlined": """\
Balm
----

Description: A bushy herb with lemon scented leaves.

Virtues: It cheers the heart.

Rue
---

Description: A bitter shrub with blue green leaves.

Virtues: It is set against moths.
""",
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_common_layouts_give_the_same_entries(layout):
    found = [
        (entry.name, section.topic, section.paragraphs)
        for entry in named(LAYOUTS[layout])
        for section in entry.sections
    ]
    assert found == [
        ("Balm", "description", ["A bushy herb with lemon scented leaves."]),
        ("Balm", "virtues", ["It cheers the heart."]),
        ("Rue", "description", ["A bitter shrub with blue green leaves."]),
        ("Rue", "virtues", ["It is set against moths."]),
    ]


@pytest.mark.parametrize("form", ["{}.—{}", "{}.--{}", "_{}._—{}", "**{}** — {}"])
def test_run_in_headings_are_entries(form):
    plants = {
        "Balm": "A bushy herb with lemon scented leaves, kept in every garden.",
        "Garden Rue": "A bitter shrub, set among clothes against moths.",
        "SAGE": "The leaves are boiled in ale for the throat.",
    }
    text = "\n\n".join(form.format(name, told) for name, told in plants.items())
    assert [(e.name, e.sections[0].paragraphs[0]) for e in named(text)] == [
        ("Balm", plants["Balm"]),
        ("Garden Rue", plants["Garden Rue"]),
        ("Sage", plants["SAGE"]),
    ]


ESSAYS = """\
PREFACE

Of the reasons for this book, and of mint.


MINT.

The Mint is a common herb of the garden, and makes a good tea for the
stomach.

The _Water Mint_, or Brook Mint, stands in ditches and is stronger of smell.

Country people lay Water Mint on their floors.


ONION (_see_ Garlic).


GARLIC.

Garlic was given to soldiers. It is eaten with bread in the south.
"""


def test_essays_without_labels_are_plants_where_the_text_speaks_of_the_name():
    assert [entry.name for entry in named(ESSAYS)] == ["Mint", "Water Mint", "Garlic"]


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
    "in the south.", "in the south (see _Onion_, _page_ 159). It belongs (_see page_ 12) to lilies."
).replace("ONION (_see_ Garlic).", "ONION (Garden). _see_ Garlic, _page_ 9.")


def test_a_title_page_is_no_entry_and_pages_of_the_printed_book_are_not_told():
    rows = [message.messages for message in herbal.rows(TITLED, SOURCE, file="green.txt")]
    told = " ".join(message["content"] for messages in rows for message in messages)
    assert [entry.name for entry in named(ESSAYS)] == ["Mint", "Water Mint", "Garlic"]
    assert "all the same" not in told
    assert "ONION" not in told
    assert "[vii]" not in told
    assert "page" not in told
    assert "in the south (see Onion). It belongs to lilies." in told


def test_well_known_is_not_a_name():
    plants = "".join(
        f"{name}.\n\n{text}\n\n_Place._] In hedges.\n\n_Virtues._] Mars owns the shrub.\n\n\n"
        for name, text in {
            "BARBERRY": "The shrub is so well known by every boy that it needs no description.",
            "ARRACH": "It is also known by the name of Orach.",
        }.items()
    )
    said = {question: body(answer) for question, answer in asked(plants)}
    names = [q for q in said if "other names" in q or "else" in q]
    assert [said[question] for question in names] == ["It is also known by the name of Orach."]


def test_names_in_plain_lines_are_headings_where_the_text_opens_with_them():
    text = (
        "Lemon Balm\n\nLemon balm is a herb of the mint family.\n\nIt makes a good tea.\n\n"
        "Yarrow\n\nThe yarrow grows in meadows and is feathery.\n"
    )
    assert [(e.name, len(e.sections[0].paragraphs)) for e in named(text)] == [
        ("Lemon Balm", 2),
        ("Yarrow", 1),
    ]


def test_a_plant_within_an_essay_keeps_what_names_it():
    assert [len(entry.sections[0].paragraphs) for entry in named(ESSAYS)] == [1, 2, 1]


RECEIPTS = """\
    SAGE.

_Descript._] A grey herb.

_Virtues._] It helps the throat.


SYRUPS.

    _Syrupus Salviæ._
    Or Syrup of Sage.

_College._] Take of the juice of sage a pint, of sugar two pounds, and
boil it to a syrup.

_Culpeper._] It helps the cough.

    _Oil of Roses._

Take red roses, bruise them, and steep them in oil forty days.

    12. _For the Tooth-ache._

Hold a clove between the teeth that ache.

    13. _Another._

Wash the mouth with vinegar wherein sage was boiled.
"""


def test_receipts_are_asked_by_their_english_name():
    questions = [q for q, _ in asked(RECEIPTS)]
    assert sum("Syrup of Sage" in q for q in questions) == 2
    assert sum("Oil of Roses" in q for q in questions) == 1
    assert sum("the Tooth-ache" in q for q in questions) == 2
    assert "other receipt" in questions[-1]


def test_a_receipt_answers_with_its_own_text():
    answers = {q: body(a) for q, a in asked(RECEIPTS)}
    making = next(a for q, a in answers.items() if "Oil of Roses" in q)
    assert making == "Take red roses, bruise them, and steep them in oil forty days."


def test_no_answer_is_longer_than_twelve_hundred_words():
    long = "\n\n".join(
        f"It helps the {i}th ague. " + "It is good and it heals well. " * 60 for i in range(12)
    )
    pairs = asked(CLASSIC.replace("It is drunk in fevers also.", long))
    assert max(len(body(a).split()) for _, a in pairs) <= 1200
    assert len({q for q, _ in pairs}) == len(pairs)


def test_a_single_endless_paragraph_is_cut_between_sentences():
    long = "It is good and it heals well in summer. " * 400
    pairs = asked(CLASSIC.replace("It is drunk in fevers also.", long))
    assert max(len(body(a).split()) for _, a in pairs) <= 1200
    assert all(body(a).endswith(".") for _, a in pairs)


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


def test_the_error_says_what_was_found():
    with pytest.raises(
        SourceError, match=r"found 2 headings \('Chapter I', 'Chapter II'\) over 2 paragraphs"
    ):
        herbal.rows(NOVEL, SOURCE, file="x")


@pytest.mark.parametrize(
    ("heading", "name"),
    [
        ("ADDER'S TONGUE OR SERPENT'S TONGUE.", "Adder's Tongue"),
        ("ALEHOOF, OR GROUND-IVY.", "Alehoof"),
        ("ARRACH, WILD AND STINKING.", "Wild and Stinking Arrach"),
        ("ANEMONE (Wood).", "Wood Anemone"),
        ("ARUM--THE COMMON.", "the Common Arum"),
        ("THE BAY TREE.", "the Bay Tree"),
        ("ASH TREE.", "the Ash Tree"),
        ("AVENS, CALLED ALSO COLEWORT, AND HERB BONET.", "Avens"),
        ("HOLLY, HOLM, OR HULVER BUSH.", "Holly"),
        ("CELANDINE (Greater, and Lesser).", "Greater and Lesser Celandine"),
        ("MERCURY-DOG'S (_Euphorbiaceoe_).", "Dog's Mercury"),
        ("LIME TREE, Flowers of (_Tiliaceoe_).", "Flowers of the Lime Tree"),
        ("ST. JOHN'S WORT.", "St. John's Wort"),
        ("SAUCE-ALONE, OR JACK-BY-THE-HEDGE-SIDE.", "Sauce-Alone"),
        ("QUEEN OF THE MEADOWS, MEADOW SWEET, OR MEAD SWEET.", "Queen of the Meadows"),
    ],
)
def test_headings_become_names_a_question_can_say(heading, name):
    assert first_name(heading_text(heading)) == name


@pytest.mark.parametrize(
    ("name", "plural"),
    [
        ("Beans", True),
        ("Asparagus", False),
        ("Borage and Bugloss", True),
        ("Wild and Stinking Arrach", False),
        ("White and Black Horehound", True),
        ("Queen of the Meadows", False),
        ("Flowers of the Lime Tree", True),
        ("St. John's Wort", False),
        ("Cress", False),
    ],
)
def test_verbs_agree_with_the_name(name, plural):
    assert is_plural(name) is plural


def test_drop_capitals_go_down():
    assert capitalised("CONSIDERING divers shires") == "Considering divers shires"
    assert capitalised("A COMMON Star Thistle") == "A common Star Thistle"
    assert capitalised("1. THE flower") == "1. The flower"
    assert capitalised("the root") == "The root"


def test_surnames():
    assert surname("Nicholas Culpeper, M.D.") == "Culpeper"
    assert surname("Grieve, Maud") == "Grieve"


@settings(max_examples=150, deadline=None)
@given(st.text(alphabet="ABab_.*#[](){}—-\n 1:]", max_size=300))
def test_any_text_gives_rows_or_the_error(text):
    try:
        pairs = asked(text)
    except SourceError:
        return
    assert all(q.endswith("?") and body(a).strip() for q, a in pairs)


BOOKS = {
    "culpeper": ("herbal_culpeper/49513-0.txt", "utf-8", 300),
    "fernie": ("herbal_simples/19352-8.txt", "latin-1", 150),
}


def real(corpus, book):
    path, encoding, least = BOOKS[book]
    return (corpus / path).read_bytes().decode(encoding), least


@pytest.mark.corpus
@pytest.mark.parametrize("book", BOOKS)
def test_real_herbals_give_their_plants(corpus, book):
    text, least = real(corpus, book)
    plants = {entry.name for entry in named(text) if entry.kind == "plant"}
    assert len(plants) >= least
    pairs = asked(text)
    assert len({q for q, _ in pairs}) == len(pairs)
    for question, answer in pairs:
        assert 3 <= len(body(answer).split()) <= 1200, question
        assert not re.search(r"[_*]{2}|\[\d+\]|\[Illustration|GUTENBERG|Gutenberg", answer), question


@pytest.mark.corpus
@pytest.mark.parametrize("book", BOOKS)
def test_answers_of_real_plants_stand_between_their_heading_and_the_next(corpus, book):
    text = re.sub(r"[\W_]+", "", re.sub(r"\[\d+\]", "", real(corpus, book)[0]))
    last = 0
    for entry in named(real(corpus, book)[0]):
        heading = re.sub(r"[\W_]+", "", entry.heading.split(": ")[0].split(" (")[0]).upper()
        if entry.kind != "plant" or ": " in entry.heading:
            continue
        start = text.find(re.sub(r"[\W_]+", "", entry.sections[0].paragraphs[0])[:60], last)
        assert start >= last, entry.heading
        assert heading[:12] in text[max(0, start - 120) : start].upper(), entry.heading
        last = start


@pytest.mark.corpus
def test_culpepers_dispensatory_gives_receipts(corpus):
    kinds = [entry.kind for entry in named(real(corpus, "culpeper")[0])]
    assert kinds.count("receipt") >= 300
    assert kinds.count("simple") >= 200


@pytest.mark.corpus
def test_a_history_of_herbals_gives_what_it_quotes(corpus):
    text = (corpus / "herbal_old_english/33654-0.txt").read_text(encoding="utf-8")
    found = named(text)
    assert {entry.kind for entry in found} == {"quotation", "chapter"}
    assert any("flying venom" in q for q, _ in asked(text))
