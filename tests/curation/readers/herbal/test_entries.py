import pytest
from herbals import ESSAYS, named

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
        "Balm": "The balm is a bushy herb with lemon scented leaves, kept in every garden.",
        "Garden Rue": "The rue is a bitter shrub, set among clothes against moths.",
        "SAGE": "The leaves of sage are boiled in ale for the throat.",
    }
    text = "\n\n".join(form.format(name, told) for name, told in plants.items())
    assert [(e.name, e.sections[0].paragraphs[0]) for e in named(text)] == [
        ("Balm", plants["Balm"]),
        ("Garden Rue", plants["Garden Rue"]),
        ("Sage", plants["SAGE"]),
    ]


def test_essays_without_labels_are_plants_where_the_text_speaks_of_the_name():
    assert [entry.name for entry in named(ESSAYS)] == ["Garlic", "Mint", "Water Mint", "Sage"]


def test_names_in_plain_lines_are_headings_where_the_text_opens_with_them():
    text = (
        "Lemon Balm\n\nLemon balm is a herb of the mint family.\n\nIt makes a good tea.\n\n"
        "Rue\n\nThe rue is a bitter shrub with blue leaves.\n\n"
        "Yarrow\n\nThe yarrow grows in meadows and is feathery.\n"
    )
    assert [(e.name, len(e.sections[0].paragraphs)) for e in named(text)] == [
        ("Lemon Balm", 2),
        ("Rue", 1),
        ("Yarrow", 1),
    ]


def test_a_plant_within_an_essay_keeps_what_names_it():
    assert [len(entry.sections[0].paragraphs) for entry in named(ESSAYS)] == [1, 1, 2, 1]
