from herbals import CLASSIC, asked, body

from curation.readers.herbal.questions import surname


def test_each_section_of_each_plant_is_one_question():
    pairs = asked(CLASSIC)
    assert len(pairs) == 4 + 3
    assert ["Yarrow" in q for q, _ in pairs] == [True] * 4 + [False] * 3
    assert all("Tansy" in q for q, _ in pairs[4:])


def test_every_answer_ends_with_book_and_entry():
    head = "Title: A Little Herbal\nAuthor: Jane Gardener\n\n"
    answers = [a for _, a in asked(head + CLASSIC)]
    assert answers[0].endswith("Source: Jane Gardener, A Little Herbal, “Yarrow, or Milfoil”.")
    assert answers[-1].endswith("Source: Jane Gardener, A Little Herbal, “The Tansy”.")


def test_the_wording_of_a_plant_does_not_depend_on_its_neighbours():
    alone = CLASSIC.split("    THE TANSY.")[0]
    assert asked(alone) == asked(CLASSIC)[:4]


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


def test_no_answer_is_longer_than_twelve_hundred_words():
    long = "\n\n".join(
        f"It helps the {i}th ague. " + "The root is good and it heals well. " * 60 for i in range(12)
    )
    pairs = asked(CLASSIC.replace("It is drunk in fevers also.", long))
    assert max(len(body(a).split()) for _, a in pairs) <= 1200
    assert len({q for q, _ in pairs}) == len(pairs)


def test_a_single_endless_paragraph_is_cut_between_sentences():
    long = "The root is good and it heals well in summer. " * 400
    pairs = asked(CLASSIC.replace("It is drunk in fevers also.", long))
    assert max(len(body(a).split()) for _, a in pairs) <= 1200
    assert all(body(a).endswith(".") for _, a in pairs)


def test_surnames():
    assert surname("Nicholas Culpeper, M.D.") == "Culpeper"
    assert surname("Grieve, Maud") == "Grieve"
