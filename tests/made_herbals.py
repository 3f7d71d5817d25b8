"""Made herbals in the styles in which old ones are printed, each a template of one entry.

Every sentence about a plant carries the plant's own mark, so that a text under another plant's name shows.
"""

import random

PLANTS = {
    "Agrimony": "Agrimonia eupatoria", "Alkanet": "Anchusa tinctoria", "Balm": "Melissa officinalis",
    "Betony": "Stachys betonica", "Borage": "Borago officinalis", "Burdock": "Arctium lappa",
    "Celandine": "Chelidonium majus", "Comfrey": "Symphytum officinale", "Dandelion": "Taraxacum vulgare",
    "Elecampane": "Inula helenium", "Fennel": "Foeniculum vulgare", "Gentian": "Gentiana lutea",
    "Horehound": "Marrubium vulgare", "Lovage": "Levisticum officinale", "Mugwort": "Artemisia vulgaris",
    "Nettle": "Urtica dioica", "Rue": "Ruta graveolens", "Sage": "Salvia officinalis",
    "Tansy": "Tanacetum vulgare", "Yarrow": "Achillea millefolium",
}  # fmt: skip

STYLES = {
    "labels_with_dashes": """
{NAME}

Botanical: {latin} (LINN.)
Family: N.O. Something

---Synonyms---Old {name} {mark}.
---Part Used---The herb {mark}.
---Habitat---The plant is found in {place} {mark}.

---Description---A perennial with {leaf} leaves and yellow flowers {mark}.

---Medicinal Action and Uses---An infusion is given for {ail} {mark}.

It is taken cold before breakfast {mark}.
""",
    "essay_under_two_names": """
{NAME}. _{genus}._

A common plant that flowers in summer {mark}; the leaves are {leaf}, and it grows in
{place} {mark}. The root is small.

The leaves have been recommended in {ail} {mark}.
""",
    "chapter_behind_the_name": """
Of {name}. Chap. {number}.

¶ The Description.

THE leaues of it are {leaf} and greene, and set with floures {mark}.

¶ The Place.

It groweth in {place} {mark}.

¶ The Vertues.

A The decoction of the leaues is good for them that haue {ail} {mark}.
""",
    "latin_over_common": """
{LATIN}

{NAME}, OLD {NAME}

_Description_: Natural Order, Something. Stem two feet high; leaves {leaf} {mark}.

_Properties and Uses_: The root is a mild stimulant, useful in {ail} {mark}.

_Pharmaceutical Preparations_: Infusion. One ounce to a quart {mark}.
""",
    "labels_of_its_own": """
RADIX {GENUS}.

_{name} Root_; F. _Racine de {name}_; G. _{name}wurzel_.

=Botanical Origin=--_{latin}_, a perennial herb of {place} {mark}.

=Microscopic Structure=--The root has {leaf} fibres {mark}.

=Commerce=--It comes in bags {mark}.

=Uses=--Seldom prescribed, save in {ail} {mark}.
""",
    "run_in_capitals": """
{NAME} (_{latin}_).—A plant with {leaf} leaves, that grows in {place} {mark}. {name} flowers in
July, and its root is woody.

It is good for {ail} {mark}.
""",
    "run_in_bold": """
={NAME}.=--The {name} has {leaf} leaves and grows in {place} {mark}, and its
flowers and roots were laid to swellings for {ail} {mark}.
""",
    "run_in_italics": """
_{name}_ (_{latin}_). The {name} has {leaf} leaves and grows in {place} {mark}. A tea
of the flowers is good for {ail} {mark}.
""",
    "numbered": """
{number}. {name}, _{genus}_; the {leaf} leaves are hot and dry, and eaten by them that
have {ail} {mark}. It grows in {place}, and the root is boiled.
""",
    "title_case": """
{name} ({latin})

The {name} has {leaf} leaves and grows in {place} {mark}. It is a plant with a woody root.

Our grandmothers gave it for {ail} {mark}.
""",
    "common_over_latin": """
{name}

_{latin}_

_Flowers_--Yellow, on {leaf} stems {mark}.

_Preferred Habitat_--{place} {mark}.

_Flowering Season_--July {mark}.

Nobody passes it by {mark}; its leaves are laid to {ail}.
""",
    "of_the": """
OF {NAME}.

{name} is an herb with {leaf} leaves that grows in {place} {mark}. The flowers are white.

The juice of the root is good for {ail} {mark}.
""",
    "names_on_one_line": """
{NAME}. _{latin}_, Linn. N.O. Something.

_Habitat._--{place} of Europe {mark}.

_Part used._--Herb {mark}.

_Medicinal use._--The leaves are {leaf}, and used for {ail} {mark}.
""",
    "heading_on_its_text": """
{NAME}.
The plant is hoary; {name} grows in {place} {mark}, with {leaf} leaves
and yellow flowers. The root is woody, and it
is given for {ail} {mark}.
""",
    "scanned": """
{NAME}. ({latin}.)

{name} is a plant with {leaf} leaves and yellow seeds, found in {place} {mark}. The flowers are of a pale yel-
low colour, and the country people

{page} THE BOTANIC GUIDE.

gather it in June {mark}. The root is given for {ail} {mark}.
""",
}
LEAVES = ("cut", "jagged", "smooth", "hoary", "round", "long", "narrow", "toothed", "hairy")
PLACES = ("ditches", "meadows", "hedges", "walls", "woods", "gardens", "heaths")
AILS = ("agues", "coughs", "wounds", "fevers", "jaundice", "colic", "worms", "palsy")


def made(style: str, plants: dict[str, str] = PLANTS) -> str:
    """A book in a style, with an entry for every plant."""
    return "THE MADE BOOK\n\nBy A. N. Author\n\n\n" + "\n".join(entries(style, plants).values())


def entries(style: str, plants: dict[str, str] = PLANTS) -> dict[str, str]:
    """The text of every plant of a book."""
    return {
        name: STYLES[style].format(
            name=name,
            NAME=name.upper(),
            latin=latin,
            LATIN=latin.upper(),
            genus=latin.split()[0],
            GENUS=latin.split()[0].upper(),
            number=number,
            page=number + 8,
            mark=mark(name),
            leaf=random.Random(f"leaf {name}").choice(LEAVES),
            place=random.Random(f"place {name}").choice(PLACES),
            ail=random.Random(f"ail {name}").choice(AILS),
        )
        for number, (name, latin) in enumerate(plants.items(), 1)
    }


def mark(name: str) -> str:
    """The words that only a text about the plant holds."""
    return f"as old {name[::-1].lower()} folk say"
