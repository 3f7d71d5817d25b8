"""Ways of marking entries compete, and no text stands under another plant's name."""

import re

import pytest
from herbals import SOURCE, asked, body, named
from made_herbals import PLANTS, STYLES, entries, made, mark

from curation.errors import SourceError
from curation.readers.herbal import reader as herbal
from curation.readers.herbal.names import names_of
from curation.readers.herbal.parts import Entry, Section, pieces
from curation.readers.herbal.questions import Asker, Stray
from curation.readers.herbal.text import read_book
from curation.readers.herbal.ways import BAR, judge

LABELLED = [style for style in STYLES if len(re.findall(r"^[¶_=-]", STYLES[style], re.M)) > 2]


def told(text: str) -> dict[str, str]:
    """What the rows tell of each plant, by the name that the question says."""
    answers: dict[str, str] = dict.fromkeys(PLANTS, "")
    for question, answer in asked(text):
        (about,) = [
            name
            for name, latin in PLANTS.items()
            if re.search(rf"\b(?:{name}|{latin.split()[0]})\b", question, re.I)
        ]
        answers[about] += body(answer)
    return answers


def strangers(answers: dict[str, str]) -> list[tuple[str, str]]:
    return [
        (name, other)
        for name in answers
        for other in PLANTS
        if other != name and mark(other) in answers[name]
    ]


@pytest.mark.parametrize("style", STYLES)
def test_every_plant_of_every_style_has_its_own_text_and_nobody_elses(style):
    answers = told(made(style))
    assert all(mark(name) in answers[name] for name in PLANTS)
    assert strangers(answers) == []


@pytest.mark.parametrize("style", STYLES)
def test_the_way_that_wins_is_above_the_bar_and_covers_the_book(style):
    best = judge(pieces(read_book(made(style))))[0]
    assert best.score >= BAR
    assert len(best.marks) == len(PLANTS)
    assert best.covered > 0.75


@pytest.mark.parametrize("style", LABELLED)
def test_the_text_of_a_plant_whose_heading_is_lost_stands_under_no_other(style):
    lost = entries(style)
    lost["Mugwort"] = lost["Mugwort"].split("\n\n", 1)[1]
    answers = told("THE MADE BOOK\n\nBy A. N. Author\n\n\n" + "\n".join(lost.values()))
    assert strangers(answers) == []


def test_species_stand_under_their_own_names_and_families_end_them():
    text = made("common_over_latin", {"Mallow": "Malva sylvestris", "Musk": "Malva moschata"})
    text = text.replace("Mallow\n\n_Malva s", "MALVACEAE.\n\nMallow Family.\n\n\n_Malva s")
    text = text.replace("Musk\n\n_Malva m", "_M. m") + "\n\nROSACEAE.\n\nTrees and herbs with roses.\n"
    plants = [entry for entry in named(text) if entry.kind == "plant"]
    assert [entry.name for entry in plants] == ["Malva sylvestris", "Malva moschata"]
    assert not any("with roses" in entry.own or "Family" in entry.own for entry in plants)


def test_an_entry_that_only_sends_on_is_no_text_of_the_plant_above():
    sends_on = "\n\nBAYWORT, Stone-Leaf.--See BETONY.\n\nELDER (_see_ Nettle).\n"
    text = made("run_in_bold").replace("\n=BURDOCK", f"{sends_on}\n=BURDOCK")
    assert not any("baywort" in f"{q} {a}".lower() or "Elder" in a for q, a in asked(text))
    assert strangers(told(text)) == []


def test_running_heads_go_and_what_they_cut_is_whole_again():
    answers = told(made("scanned"))
    assert "pale yellow colour, and the country people gather it in June" in answers["Sage"]
    assert "GUIDE" not in " ".join(answers.values())


def test_labels_that_only_this_book_has_are_learned():
    questions = [question for question, _ in asked(made("labels_of_its_own"))]
    assert any("“Commerce”" in question for question in questions)
    assert any("“Microscopic Structure”" in question for question in questions)


def test_a_text_under_an_unproved_heading_is_nobodys():
    text = made("of_the").replace(
        "OF LOVAGE.", "ADVICE TO MOTHERS.\n\nDo not let them sit in the sun.\n\n\nOF LOVAGE."
    )
    assert not any("in the sun" in answer for _, answer in asked(text) if "Horehound" in _)


def test_the_last_plant_does_not_take_the_rest_of_the_book():
    rest = "\n\n".join(f"And so we come to the end of our {number}th walk." for number in range(60))
    assert not any("59th walk" in answer for _, answer in asked(made("run_in_bold") + f"\n{rest}\n"))


DICTIONARY = "\n\n".join(
    f"{word.upper()}, n. The {word} of one who has lent money to a friend and hopes to see it back again."
    for word in (
        "abdication",
        "belief",
        "calamity",
        "debt",
        "envy",
        "fame",
        "grief",
        "hope",
        "idleness",
        "joy",
    )
)
COOKERY = "\n\n".join(
    f"{dish.upper()}.\n\nFor the {dish}, beat six eggs with a pound of sugar, and bake it in a slow oven."
    for dish in (
        "almond pudding",
        "bread pudding",
        "custard",
        "dumplings",
        "gingerbread",
        "jumbles",
        "muffins",
    )
)


@pytest.mark.parametrize("text", [DICTIONARY, COOKERY])
def test_an_alphabet_of_other_things_is_no_herbal(text):
    with pytest.raises(
        SourceError, match=r"found in [\d,]+ words \d+ .*order \d+%, own name \d+%, sections 0%\)"
    ):
        herbal.rows(text, SOURCE, file="x.txt")


def test_a_row_that_neither_names_its_plant_nor_stands_under_its_heading_cannot_be_had():
    section = Section(
        "essay", ["The stalks of nightshade are purple, and its berries are shunned by children."]
    )
    elder = Entry("plant", "Elder", "Elder", "", [section], own="The elder grows in hedges.")
    (stray,) = Asker("Book", None).ask(elder)
    assert isinstance(stray, Stray)
    assert stray.why == "it names no 'Elder' and does not stand between its heading and the next"
    own = elder._replace(own=section.paragraphs[0])
    assert not any(isinstance(found, Stray) for found in Asker("Book", None).ask(own))


@pytest.mark.parametrize(
    ("heading", "text"),
    [
        ("WOODSORRELL", "The Wood Sorrel is sour."),
        ("Agrimony", "called Agrimonia by the Latins"),
        ("Berries, Juniper", "Junipers grow on hills"),
        ("Rue", "Rue is bitter"),
    ],
)
def test_a_plant_is_named_by_its_word_whatever_its_ending(heading, text):
    assert names_of(heading).search(text)


def test_a_word_that_many_plants_share_names_none():
    assert not names_of("Water Dock").search("The Water Mint stands in ditches.")
    assert not names_of("Rue").search("It is a true remedy.")


def test_half_a_name_is_made_whole():
    text = made(
        "title_case", dict(sorted({"Skunk or Swamp Cabbage": "Symplocarpus foetidus", **PLANTS}.items()))
    )
    rank = text.replace("woody root", "woody root; skunk cabbage is rank")
    assert [next(e.name for e in named(t) if "Skunk" in e.name) for t in (text, rank)] == [
        "Skunk or Swamp Cabbage",
        "Skunk Cabbage",
    ]
