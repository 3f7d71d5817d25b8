"""The entries of a herbal: plants, simples of a catalogue, receipts, quoted receipts and chapters."""

# Old books are set with curly quotes and dashes.
# ruff: noqa: RUF001

import re
from collections import Counter

from curation.readers.herbal.names import first_name, heading_text
from curation.readers.herbal.parts import (
    Entry,
    Paragraph,
    Part,
    Section,
    add_to,
    is_front_matter,
    label_of,
    sections_of,
)
from curation.readers.herbal.passages import announces
from curation.readers.herbal.receipts import others, quotations
from curation.readers.herbal.words import PLANT_TOPICS

MIN_RUN_IN = 3
# Headings without labels that may stand between labelled plants.
MAX_UNLABELLED = 8

_RUN_IN_DASH = re.compile(
    r"^[_*=]*([A-Z][^.:;—*_=\n]{1,50}?)[.,:]?[_*=]*[.:]?[_*=]*\s?(?:—|--|–)\s?[_*=]*(\S.*)$", re.S
)
# `The _Hemp Agrimony_, or …` and `The Dwarf Elder (_Sambucus ebulus_) …` open a plant of their own.
_SUB_PLANT = re.compile(
    r"^(?:(?:Again|Also|Likewise|Next|Another|Our|Then),?\s+)?(?:the|The|Our|A|Another)?\s*"
    r"(?:(?:well[- ]known|medicinal|common|true|large|small|wayside|several)\s+)*"
    r"(?:_(?P<italic>[^_]{3,40}?)\s*_(?=[\s,(])|(?P<name>(?:(?:wild|purple|greater|lesser|stinking|true|black"
    r"|white|yellow|sweet|sea|water)\s)?[A-Z][\w'’-]+(?:\s[A-Z][\w'’-]+){0,3})"
    r"(?:,? or [^(_.]{3,40}?)?,?\s\(_[A-Z])"
)
_LATIN = re.compile(r"(?:us|um|is|ia|ica|alis|aris|ensis)$")


def entries(found: list[Part]) -> list[Entry]:
    """Everything that can be asked, in the order of the book; empty if this is no herbal."""
    region = _plant_region(found)
    if region:
        plants, rest = region
        return [*_plants(plants), *others(rest)]
    run_in = _run_in_plants(found)
    if run_in:
        return run_in
    rest_of_it = others(_without_front(found))
    quoted = [entry for part in _without_front(found) for entry in quotations(part)]
    if sum(entry.kind != "chapter" for entry in [*rest_of_it, *quoted]) >= MIN_RUN_IN:
        return [*rest_of_it, *quoted]
    return []


def _plant_region(found: list[Part]) -> tuple[list[Part], list[Part]] | None:
    """(parts that are plants, the parts after them), or None if no heading is a plant's.

    With section labels, the plants run from the first labelled heading to the last; without, they
    are the headings whose name comes back in the text below.
    """
    labelled = _labelled(found)
    if labelled:
        style = Counter(found[number].style for number in labelled).most_common(1)[0][0]
        region = found[labelled[0] : labelled[-1] + 1]
        return _merged(region, style), found[labelled[-1] + 1 :]
    named = [number for number, part in enumerate(found) if _speaks_of_its_name(part)]
    if len(named) < 2:
        return None
    return [found[number] for number in named], found[named[-1] + 1 :]


def _labelled(found: list[Part]) -> list[int]:
    """The parts with the section labels of a plant: the first run of them without a wide hole.

    A single label in a book of essays proves nothing: some part needs two, or half the parts one.
    """
    numbers = [number for number, part in enumerate(found) if part.topics & PLANT_TOPICS and part.heading]
    strong = any(len(found[number].topics & PLANT_TOPICS) > 1 for number in numbers)
    if not strong and 2 * len(numbers) < len(_without_front(found)):
        return []
    run = numbers[:1]
    for number in numbers[1:]:
        if number - run[-1] > MAX_UNLABELLED:
            break
        run.append(number)
    return run


def _merged(region: list[Part], style: str) -> list[Part]:
    """The region with headings of another style given back as text to the plant above them."""
    plants: list[Part] = []
    for part in region:
        if part.style == style or not plants:
            plants.append(part)
        else:
            plants[-1].paragraphs += [Paragraph(None, part.heading), *part.paragraphs]
    return [part for part in plants if not is_front_matter(part.heading)]


def _without_front(found: list[Part]) -> list[Part]:
    """The headed parts, less prefaces, what stands before the first chapter, and chapters of the contents."""
    longest: dict[str, int] = {}
    for part in found:
        if part.style == "chapter":
            longest[part.chapter] = max(part.length, longest.get(part.chapter, 0))
    kept = [
        part
        for part in found
        if part.heading
        and not is_front_matter(part.heading)
        and (part.style != "chapter" or 5 * part.length >= longest[part.chapter])
    ]
    first = next((number for number, part in enumerate(kept) if part.style == "chapter"), 0)
    return kept[first:]


def _speaks_of_its_name(part: Part) -> bool:
    """Whether the heading could be a plant that the text below it speaks of."""
    if part.style in ("plain", "chapter") or is_front_matter(part.heading) or re.search(r"\d", part.heading):
        return False
    name = heading_text(part.heading)
    text = " ".join(paragraph.text for paragraph in part.paragraphs).lower()
    nouns = [word.lower() for word in re.findall(r"[^\W\d_]{3,}", first_name(name))]
    if not nouns or len(name.split()) > 8:
        return False
    stems = {re.sub(r"(?:ies|y|es|s)$", "", noun) for noun in nouns}
    return any(re.search(rf"\b{re.escape(stem)}", text) for stem in stems)


def _plants(found: list[Part]) -> list[Entry]:
    plants: list[Entry] = []
    for part in found:
        heading = re.sub(r"^Of (?:the )?", "", heading_text(part.heading))
        sections = sections_of(part)
        if not sections:
            continue
        name = first_name(heading)
        if sections[0].topic != "essay":
            plants.append(Entry("plant", name, heading, "", sections))
            continue
        (_, first), *subs = _split_plants(sections[0], name)
        plants.append(Entry("plant", name, heading, "", [first]))
        plants += [Entry("plant", sub or name, f"{heading}: {sub}", "", [section]) for sub, section in subs]
    return plants


def _split_plants(section: Section, name: str) -> list[tuple[str | None, Section]]:
    """An essay cut where a paragraph opens another plant; what follows stays there while it names it.

    The first pair is the plant of the heading, with every paragraph no other plant claims.
    """
    found: list[tuple[str | None, Section]] = [(None, Section("essay", []))]
    current = 0
    for text in section.paragraphs:
        sub = _sub_plant(text, name) if found[0][1].paragraphs else None
        if sub:
            found.append((sub, Section("essay", [text])))
            current = len(found) - 1
            continue
        owner = found[current][0]
        follows = "\n" in text or announces(found[current][1].paragraphs[-1:])
        if owner and not follows and not re.search(rf"\b{re.escape(owner.split()[-1][:-1])}", text, re.I):
            current = 0
        found[current][1].paragraphs.append(text)
    return found


def _sub_plant(text: str, name: str) -> str | None:
    """The other plant a paragraph opens: a common name in italics, or one with its Latin name in brackets."""
    match = _SUB_PLANT.match(text)
    if not match:
        return None
    sub = (match["italic"] or match["name"]).strip(" ,")
    words = sub.split()
    if match["italic"] and (len(words) < 2 or not all(word[0].isupper() for word in words)):
        return None
    if (len(words) == 1 and (_same(sub, name) or match["italic"])) or sub.lower() == name.lower():
        return None
    if (
        _LATIN.search(words[-1])
        or words[0] in ("The", "This", "Our", "Another", "Dr", "Saint", "Latin")
        or "," in sub
    ):
        return None
    if words[-1] in ("Pharmacopoeia", "Ode", "Materia"):
        return None
    return sub[:1].upper() + sub[1:]


def _same(sub: str, name: str) -> bool:
    """Whether a single word is the plant of the heading, which names no other."""
    return sub.lower().rstrip("s") in name.lower() and " and " not in name


def _run_in_plants(found: list[Part]) -> list[Entry]:
    """Plants of a book that prints the name at the head of its paragraph: `AGRIMONY.—This herb …`.

    Empty unless a fair part of the paragraphs begins so: a dash after two capitals is not rare.
    """
    plants: list[Entry] = []
    topic = "essay"
    paragraphs = [p for part in found if not is_front_matter(part.heading) for p in part.paragraphs]
    for paragraph in paragraphs:
        run_in = None if paragraph.topic else _RUN_IN_DASH.match(paragraph.text)
        if run_in and _is_name(run_in[1]):
            label = label_of(run_in[2])
            topic, text = label if label else ("essay", run_in[2])
            heading = heading_text(run_in[1])
            plants.append(Entry("plant", first_name(heading), heading, "", [Section(topic, [text])]))
        elif plants:
            topic = paragraph.topic or topic
            add_to(plants[-1], topic, paragraph.text)
    unlabelled = sum(paragraph.topic is None for paragraph in paragraphs)
    return plants if len(plants) >= max(MIN_RUN_IN, unlabelled / 4) else []


def _is_name(text: str) -> bool:
    words = text.split()
    return len(words) <= 5 and all(
        word[:1].isupper() or word.lower() in ("or", "of", "the", "and", "de") for word in words
    )
