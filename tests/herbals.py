"""A small herbal, and what is asked of it."""

from functools import cache

from curation.readers.herbal import reader as herbal
from curation.readers.herbal.entries import entries
from curation.readers.herbal.parts import Entry, pieces
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
    return entries(pieces(read_book(text)))


def body(answer: str) -> str:
    return answer.split("\n\nSource: ")[0]


ESSAYS = """\
PREFACE

Of the reasons for this book, and of mint.


GARLIC.

Garlic was given to soldiers. The root is eaten with bread in the south, and its juice is a medicinal thing.


MINT.

The Mint is a common herb of the garden, whose leaves make a good tea for the
stomach.

The _Water Mint_, or Brook Mint, stands in ditches and is stronger of smell.

Country people lay Water Mint on their floors.


ONION (_see_ Garlic).


SAGE.

Sage is a shrub of the south, and its leaves are boiled in ale.
"""
