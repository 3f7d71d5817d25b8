"""The entries of a herbal: plants, simples of a catalogue, receipts, quoted receipts and chapters."""

# Old books are set with curly quotes and dashes.
# ruff: noqa: RUF001

import re
from collections import Counter

from curation.readers.herbal.headings import is_closing
from curation.readers.herbal.learned import with_learned_labels
from curation.readers.herbal.names import first_name, heading_text, names_of
from curation.readers.herbal.parts import (
    Entry,
    Paragraph,
    Part,
    Section,
    is_front_matter,
    parts,
    sections_of,
)
from curation.readers.herbal.passages import announces
from curation.readers.herbal.receipts import others, quotations
from curation.readers.herbal.ways import BAR, Piece, judge
from curation.readers.herbal.words import ADJECTIVES

# Receipts and quotations that make a book without plants worth asking.
MIN_RECEIPTS = 3
# How many times as long as others the last plant may be without a look at where it ends.
MAX_LAST = 3
# Entries in which the same words may open another plant: a book that is quoted opens more.
MAX_QUOTED = 2
# Words in the paragraph that opens another plant, at least: fewer are where a quotation stands.
MIN_SUB_WORDS = 10

# `The _Hemp Agrimony_, or …` and `The Dwarf Elder (_Sambucus ebulus_) …` open a plant of their own.
_SUB_PLANT = re.compile(
    r"^(?:(?:Again|Also|Likewise|Next|Another|Our|Then),?\s+)?(?:the|The|Our|A|Another)?\s*"
    r"(?:(?:well[- ]known|medicinal|common|true|large|small|wayside|several)\s+)*"
    r"(?:_(?P<italic>[^_]{3,40}?)\s*_(?=[\s,(])|(?P<name>(?:(?:wild|purple|greater|lesser|stinking|true|black"
    r"|white|yellow|sweet|sea|water)\s)?[A-Z][\w'’-]+(?:\s[A-Z][\w'’-]+){0,3})"
    r"(?:,? or [^(_.]{3,40}?)?,?\s\(_[A-Z])"
)
_LATIN = re.compile(r"(?:us|um|is|ia|ica|alis|aris|ensis)$")


def entries(found: list[Piece]) -> list[Entry]:
    """Everything that can be asked, in the order of the book; empty if this is no herbal.

    The plants, by the way of marking them that the book follows, and what stands behind them; of a book
    without plants its receipts, what it quotes and its chapters.
    """
    judged = judge(found)
    taught = with_learned_labels(found, judged)
    if taught != found:
        found, judged = taught, judge(taught)
    best = next(iter(judged), None)
    if best and best.score >= BAR:
        made = parts(found, best)
        last = max(number for number, part in enumerate(made) if part.style == "entry")
        plants = _with_tails(made[: last + 1], best.way)
        _cut_last(plants)
        return [*_plants(plants), *others(made[last + 1 :])]
    front = _without_front(parts(found))
    named = [*others(front), *(entry for part in front for entry in quotations(part))]
    # Without a plant about it, a numbered italic line may be anybody's.
    named = [entry for entry in named if entry.sections[0].topic != "advice"]
    receipts = sum(entry.kind != "chapter" for entry in named)
    return named if receipts >= max(MIN_RECEIPTS, len(named) / 2) else []


def _with_tails(made: list[Part], way: str) -> list[Part]:
    """The plants, each with what stands under lesser headings; what does not speak of it is left out.

    An italic line is a lesser heading under capitals and numbered chapters, and its text the plant's. The
    text under any other heading is the plant's where each paragraph names it, and nobody's below a family,
    a chapter, or what may be another plant.
    """
    plants: list[Part] = []
    is_open = False
    for part in made:
        if part.style == "entry":
            _cut_repeat(part)
            plants.append(part)
            is_open = True
        elif is_closing(part.heading) or part.style == "reference" or part.is_rival:
            is_open = False
        elif is_open:
            named = names_of(plants[-1].heading, *plants[-1].others)
            lesser = part.style == "title" and way in ("caps", "chapter")
            if lesser or (named and all(named.search(paragraph.text) for paragraph in part.paragraphs)):
                plants[-1].paragraphs += [Paragraph(None, part.heading), *part.paragraphs]
    return plants


def _cut_repeat(part: Part) -> None:
    """Leave out what follows a lost heading: where the first section comes again and names another plant."""
    topics = [paragraph.topic for paragraph in part.paragraphs]
    first = next((topic for topic in topics if topic), None)
    named = names_of(part.heading, *part.others)
    others: set[str] = set()
    for number, (topic, paragraph) in enumerate(zip(topics, part.paragraphs, strict=True)):
        if topic == first and len(others) > 1 and not (named and named.search(paragraph.text)):
            del part.paragraphs[number:]
            return
        if topic and topic != first:
            others.add(topic)


def _cut_last(plants: list[Part]) -> None:
    """No heading ends the last plant of a book: a long text under it is its own as far as it names it."""
    *before, last = plants
    lengths = sorted(part.length for part in before)
    named = names_of(last.heading, *last.others)
    if not before or not named or last.length <= MAX_LAST * lengths[len(lengths) // 2]:
        return
    own = [number for number, paragraph in enumerate(last.paragraphs) if named.search(paragraph.text)]
    last.paragraphs = last.paragraphs[: own[-1] + 1 if own else 1]


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


def _plants(found: list[Part]) -> list[Entry]:
    plants: list[Entry] = []
    quoted = _quoted(found)
    genus = ""
    for part in found:
        heading, genus = _full_name(re.sub(r"^Of (?:the )?", "", heading_text(part.heading)), genus)
        sections = sections_of(part)
        if not sections:
            continue
        name = _said_name(heading, part)
        names = tuple(heading_text(other) for other in part.others)
        own = "\n".join(paragraph.text for paragraph in part.paragraphs)
        if sections[0].topic != "essay":
            plants.append(Entry("plant", name, heading, "", sections, names, own))
            continue
        (_, first), *subs = _split_plants(sections[0], name, quoted)
        plants.append(Entry("plant", name, heading, "", [first], names, own))
        plants += [Entry("plant", sub or name, f"{heading}: {sub}", "", [section]) for sub, section in subs]
    return plants


def _said_name(heading: str, part: Part) -> str:
    """The name a question asks for: the first of several, unless it is half a name by itself.

    `Skunk or Swamp Cabbage` is asked as `Skunk Cabbage` where the text says so, else in full.
    """
    name = first_name(heading)
    match = re.match(r"(.+?)(,?) or ([\w'’-]+) ?(?:[\w'’-]+ )*?([\w'’-]*)(?=;|$|,|\s*\()", heading)
    if not match:
        return name
    words, other, noun = name.lower().split(), match[3].lower(), match[4].lower()
    is_half = all(word in ADJECTIVES for word in words) or other in ("common", "true")
    is_half = is_half or (not match[2] and len(words) == 1)
    if not noun or noun in words or not is_half:
        return name
    text = " ".join(paragraph.text for paragraph in part.paragraphs).lower()
    return (
        f"{name} {match[4]}"
        if f"{name} {noun}".lower() in text
        else re.sub(r"\s*\([^)]*\)", "", heading.split(";")[0]).strip()
    )


def _full_name(heading: str, genus: str) -> tuple[str, str]:
    """The heading with its genus in full, where the one above gives it: `A. muricata`; and the genus."""
    match = re.match(r"([A-Z])\. (?=[a-z])", heading)
    if match and genus.startswith(match[1]):
        return f"{genus} {heading[match.end() :]}", genus
    first = re.match(r"[A-Z][a-z]+(?= [a-z])", heading)
    return heading, first[0] if first else genus


def _quoted(found: list[Part]) -> set[str]:
    """What opens paragraphs of many entries, as a play does that is quoted: no plant."""
    opened = Counter(
        sub
        for part in found
        for sub in {_sub_plant(paragraph.text, "") for paragraph in part.paragraphs if not paragraph.topic}
        if sub
    )
    return {sub for sub, count in opened.items() if count > MAX_QUOTED}


def _split_plants(section: Section, name: str, quoted: set[str]) -> list[tuple[str | None, Section]]:
    """An essay cut where a paragraph opens another plant; what follows stays there while it names it.

    The first pair is the plant of the heading, with every paragraph no other plant claims.
    """
    found: list[tuple[str | None, Section]] = [(None, Section("essay", []))]
    current = 0
    for text in section.paragraphs:
        sub = _sub_plant(text, name) if found[0][1].paragraphs else None
        if sub and sub not in quoted and len(text.split()) >= MIN_SUB_WORDS:
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
