import pytest

from curation.readers.herbal.names import capitalised, first_name, heading_text, is_plural


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
