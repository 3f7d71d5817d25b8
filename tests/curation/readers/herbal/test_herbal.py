"""Real herbals, where the corpus lies beside the project."""

import re

import pytest
from herbals import asked, body, named

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
