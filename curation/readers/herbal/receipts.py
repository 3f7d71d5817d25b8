"""What a herbal holds besides plants: catalogues of simples, receipts, quoted receipts and chapters."""

# Old books are set with curly quotes and dashes.
# ruff: noqa: RUF001

import re
from collections import Counter
from dataclasses import replace

from curation.readers.herbal.names import heading_text
from curation.readers.herbal.parts import (
    Entry,
    Part,
    Section,
    add_to,
    is_front_matter,
    sections_of,
)
from curation.readers.herbal.text import plain
from curation.readers.herbal.ways import MANY, MIN_WORDS

MIN_RUN_IN = 3
MIN_SIMPLE_WORDS = 12
_RUN_IN_ITALIC = re.compile(r"^_([A-Z][^_]{1,70}?)\._\.?\s+(\S.*)$", re.S)
_MAKE = re.compile(
    r"^[\W_]*(?:(?:first|to make (?:it|this|them),?)\s+)?(?:takes?|boil|beat|bruise|steep|infuse|mix|dissolve"
    r"|stamp|pound|roast|distil|seethe|sethe|boyle|stew|stamp|put|pour|gather|chew|drop|snuff|swallow|wash)\b",
    re.I,
)
_VERB = re.compile(
    r"\b(?:is|are|hath|has|have|helps?|heals?|provokes?|opens?|cleanses?|purges?|expels?|binds?"
    r"|resists?|strengthens?|eases?|stops?|stays?|cools?|heats?|warms?|dr(?:y|ies)|cures?|kills?"
    r"|comforts?|breaks?|grows?|dissolves?|mollif\w+|softens?|draws?|brings?|takes?|may|was|were|being)\b",
    re.I,
)
_NO_SIMPLE = re.compile(r"(?:in the|hot|cold|dry|moist)\b|.*\d$", re.I)
_SEE = re.compile(r"\bsee\b", re.I)


def others(found: list[Part]) -> list[Entry]:
    """Catalogues of simples, receipts and chapters."""
    named: list[Entry] = []
    title = ""
    # An italic line printed again and again is an authority that is quoted.
    printed = Counter(part.heading for part in found if part.style == "title" and not part.number)
    for part in _catalogues_joined(found):
        if is_front_matter(part.heading) or not part.heading or printed[part.heading] >= MANY:
            continue
        simples = _simples(part)
        if simples is not None:
            named += simples
            continue
        heading = heading_text(part.heading)
        title = title if re.match(r"another\W*$", heading, re.I) else heading
        named += _receipts(part, heading, title)
    return named


def _catalogues_joined(found: list[Part]) -> list[Part]:
    """A name alone in italics inside a catalogue of simples goes back to its paragraph."""
    joined: list[Part] = []
    for part in found:
        if part.style == "title" and not part.number and joined and _run_ins(joined[-1]) >= 20:
            head, *rest = part.paragraphs
            joined[-1].paragraphs += [head._replace(text=f"_{part.heading}._ {head.text}"), *rest]
        else:
            joined.append(part)
    return joined


def _run_ins(part: Part) -> int:
    return sum(bool(_RUN_IN_ITALIC.match(p.text)) for p in part.paragraphs)


def _simples(part: Part) -> list[Entry] | None:
    """The paragraphs of a catalogue as entries: `_Allium._ Garlic. It is hot …`; else None."""
    matches = [match for p in part.paragraphs if (match := _RUN_IN_ITALIC.match(p.text))]
    with_verb = sum(bool(_VERB.search(match[2])) for match in matches)
    if len(matches) < MIN_RUN_IN or part.topics or part.style == "chapter" or with_verb < 0.6 * len(matches):
        return None
    if plain(part.heading).startswith("Of ") or any(_NO_SIMPLE.match(match[1]) for match in matches):
        return None
    within = heading_text(part.heading)
    found: list[Entry] = []
    last = None
    for paragraph in part.paragraphs:
        match = _RUN_IN_ITALIC.match(paragraph.text)
        if match is None:
            last = None if re.match(r"_[A-Z]", paragraph.text) else last
            if last is not None:
                last.sections[0].paragraphs.append(paragraph.text)
            continue
        name = plain(match[1]).strip(" .")
        last = Entry("simple", name, name, within, [Section("simple", [paragraph.text])])
        words = plain(match[2]).split()
        short_reference = len(words) < 40 and _SEE.search(" ".join(words[-12:]))
        if len(words) >= MIN_SIMPLE_WORDS and _VERB.search(match[2]) and not short_reference:
            found.append(last)
    return found


def _receipts(part: Part, heading: str, title: str) -> list[Entry]:
    """A receipt with what the book says of it, or a chapter."""
    within = heading_text(part.within)
    paragraphs = list(part.paragraphs)
    alias = re.match(r"Or,? (.{3,90}?)\.?$", plain(paragraphs[0].text)) if part.style == "title" else None
    if alias and len(paragraphs) > 1:
        heading, paragraphs = f"{heading}. Or {alias[1]}", paragraphs[1:]
    part = replace(part, heading=heading, paragraphs=paragraphs)
    if _NO_SIMPLE.match(heading):
        return []
    if "making" in part.topics:
        return _made(part, heading, within)
    body = [Section(topic, texts) for topic, texts in sections_of(part)]
    words = sum(len(plain(text).split()) for section in body for text in section.paragraphs)
    if not body or words < MIN_WORDS:
        return []
    merged = [Section("essay", [text for section in body for text in section.paragraphs])]
    if part.number:
        name = title if title == heading else f"{title} (another)"
        return [Entry("receipt", name, heading, within, [Section("advice", merged[0].paragraphs)])]
    if _MAKE.match(plain(merged[0].paragraphs[0])) and part.style != "chapter":
        name = receipt_name(heading)
        return [Entry("receipt", name, heading, within, [Section("making", merged[0].paragraphs)])]
    return [Entry("chapter", heading, heading, within or heading_text(part.chapter), merged)]


def _made(part: Part, heading: str, within: str) -> list[Entry]:
    """A receipt printed as text and comment; a later text that names another thing is its own receipt."""
    found = [Entry("receipt", receipt_name(heading), heading, within, [])]
    topic = "making"
    for paragraph in part.paragraphs:
        topic = paragraph.topic or topic
        other = re.match(r"_([A-Z][^_]{3,60})_[,.]?\s", paragraph.text)
        if paragraph.topic == "making" and found[-1].sections and other:
            name = plain(other[1]).strip(" .,")
            found.append(Entry("receipt", receipt_name(name), name, within, []))
        add_to(found[-1], topic, paragraph.text)
    return [entry for entry in found if entry.sections and _says_how(entry)]


def _says_how(entry: Entry) -> bool:
    """Whether the receipt's text is more than a list of names."""
    text = plain(" ".join(entry.sections[0].paragraphs))
    commas = text.count(",")
    return bool(_VERB.search(text) or _MAKE.match(text)) and commas < 0.35 * len(text.split())


def receipt_name(heading: str) -> str:
    """The English name of a receipt: `Syrupus de Absinthio. Or Syrup of Wormwood` → `Syrup of Wormwood`."""
    match = re.search(r"[.,;]\s+or,? (.+)$", heading, re.I)
    return (match[1] if match else heading).strip(" .,;")


def quotations(part: Part) -> list[Entry]:
    """Receipts a history of herbals quotes: indented prose that names an ailment or a thing to make."""
    found: list[Entry] = []
    heading = heading_text(part.heading)
    for paragraph in part.paragraphs:
        text = plain(paragraph.text)
        if not paragraph.quoted or len(text.split()) < 15:
            continue
        title = _quoted_title(text)
        if title:
            found.append(Entry("quotation", title, title, heading, [Section("quotation", [paragraph.text])]))
    return found


def _quoted_title(text: str) -> str | None:
    """What a quoted receipt is for, from its first words."""
    text = re.sub(r"^[\"“‘']+", "", text)
    match = re.match(
        r"(?P<made>[A-Z][\w ,'’]{3,40}?) is made thus"
        r"|(?P<title>(?:A|An|Against|For|To|In order that) [^.;:—]{4,70}?)"
        r"(?:[.:—]|, (?:take|let)| (?=take\b|let\b|boil\b))",
        text,
    )
    if not match:
        return None
    if not re.search(
        r"\b(?:take|boil|boyle|let|put|work|seethe|sethe|pound|lay|smear|drink|bynde?)\b", text, re.I
    ):
        return None
    title = (match["made"] or match["title"]).strip(" ,")
    return title if len(title.split()) <= 8 else title.split(",")[0]
