"""A herbal as headed parts: which blocks are headings, which paragraphs carry a section label."""

# Old books are set with curly quotes and dashes.
# ruff: noqa: RUF001

import re
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import NamedTuple

from curation.readers.herbal.text import Block, Book, flow, is_verse, plain
from curation.readers.herbal.words import BACK_MATTER, CHAPTER, FRONT_MATTER, LABELS

MAX_HEADING_LINES = 4
MAX_HEADING_CHARS = 120
MAX_TITLE_WORDS = 14
# A text of fewer words says nothing by itself.
MIN_WORDS = 8
# A single line further right than this is a signature or an attribution, never a heading.
SIGNATURE_INDENT = 40

_LABEL = re.compile(
    r"^[_*=¶#\s-]*(?:the\s+)?(?:"
    + "|".join(f"(?P<{topic}>{labels})" for topic, labels in LABELS.items())
    + r")(?P<close>[.:]?[_*=]*\s*(?:\]|—|-{2,3}|–|:|\.|$)[_*=\]]*)\s*(?P<rest>.*)$",
    re.I | re.S,
)
# An italic title may name the authority it is taken from: `_Pilulæ Assaireth._ Avicenna.`
_ITALIC_TITLE = re.compile(
    r"^(?:(?P<number>\d{1,3})\.\s*)?_(?P<title>[^_]+)_[.:,]?"
    r"(?:\s+(?P<alias>Or,? .+)|\s+[A-Z][a-z]+(?: [A-Za-z]+)?\.?)?$"
)
_CROSS_REFERENCE = re.compile(r"^(?:[^.]{0,60}\. )?see\b[^.]{0,80}\.?$", re.I)
_LINE_LABEL = re.compile(
    r"^\s*[_*=¶-]*(?=[A-Z])(?i:" + "|".join(LABELS.values()) + r")[.]?[_*=]*\s*(?:\]|:|\.?(?:—|-{2,3}))"
)
_BARE_NAME = re.compile(r"[A-Z][\w'’-]+(?:(?:,? (?:or|of|the|and))? [A-Z][\w'’-]+){0,4}(?: \([^)]{3,40}\))?")
_CONTENTS_LINE = re.compile(r"(?:\.\s?){3,}\s*\d+|\s{3,}\d+[.,]?$|^\s*SECTION\. \d|,\s\d+(?:,\s\d+)*\.?$")


class Paragraph(NamedTuple):
    """A paragraph with its italic marks; `topic` is set where a section label opens it.

    quoted  an indented block of prose, as books print what they quote
    """

    topic: str | None
    text: str
    quoted: bool = False


@dataclass
class Part:
    """A heading and the paragraphs up to the next one.

    style    how the heading is set: caps, title (italics), chapter, name, plain, or markdown's level
    within   the heading above that has no text of its own, such as OILS over the receipts of oils
    """

    heading: str
    style: str
    within: str = ""
    number: str = ""
    chapter: str = ""
    paragraphs: list[Paragraph] = field(default_factory=list)

    @property
    def topics(self) -> set[str]:
        """The topics that its labels name."""
        return {paragraph.topic for paragraph in self.paragraphs if paragraph.topic}

    @property
    def length(self) -> int:
        """Words in all paragraphs."""
        return sum(len(paragraph.text.split()) for paragraph in self.paragraphs)


class Section(NamedTuple):
    """Paragraphs of one topic, italic marks still in them."""

    topic: str
    paragraphs: list[str]


class Entry(NamedTuple):
    """One thing a reader can ask about.

    kind     plant, simple (of a catalogue), receipt, quotation or chapter
    name     as a question says it; `heading` as the book prints it
    within   the heading above: the catalogue, the kind of receipt, the chapter
    """

    kind: str
    name: str
    heading: str
    within: str
    sections: list[Section]


def parts(book: Book) -> list[Part]:
    """Every heading of the book with its paragraphs, up to the index or the end."""
    found: list[Part] = []
    current = Part("", "plain")
    pending: str | None = None
    lines_left = sum(len(block.lines) for block in book.blocks)
    half = lines_left // 2
    blocks = [piece for block in book.blocks for piece in _at_labels(block)]
    for block, following in zip_longest(blocks, blocks[1:]):
        lines_left -= len(block.lines)
        if _is_contents(block):
            continue
        text = flow(block, book.words)
        label = label_of(text)
        if label is None and (part := _heading(block, text) or _bare_name(text, following)):
            if BACK_MATTER.match(part.heading) and lines_left < half:
                break
            current, pending = _open(found, current, part), None
        elif label is not None and not label[1]:
            pending = label[0]
        elif block.indent < SIGNATURE_INDENT or len(block.lines) > 1:
            topic, body = label or (pending, text)
            current.paragraphs.append(Paragraph(topic, body, block.indent >= 3 and not is_verse(block)))
            pending = None
    found.append(current)
    return [part for part in found if part.paragraphs]


def _at_labels(block: Block) -> list[Block]:
    """The block, cut before every line that opens with a marked label such as `Place:`."""
    starts = [n for n, line in enumerate(block.lines) if n == 0 or _LINE_LABEL.match(line)]
    return [block._replace(lines=block.lines[begin:end]) for begin, end in zip_longest(starts, starts[1:])]


def _bare_name(text: str, following: Block | None) -> Part | None:
    """A name alone on its line, in neither capitals nor italics, right above a section or what it opens."""
    if following is None or not _BARE_NAME.fullmatch(text):
        return None
    opening = following.lines[0].strip()
    opens = opening.lower().startswith((text.lower(), f"the {text.lower()}"))
    return Part(text, "name") if label_of(opening) or opens else None


def _open(found: list[Part], before: Part, part: Part) -> Part:
    """The part a heading opens; an empty chapter takes it as its title, another empty one is above it."""
    if not before.paragraphs and before.heading:
        if before.style == "chapter" and part.style != "chapter" and before.heading == before.chapter:
            before.heading = part.heading
            return before
        part.within = before.heading
        part.chapter = part.chapter or before.chapter
        if part.style == "title" and before.style != "title":
            part.within = before.heading
        return part
    found.append(before)
    if part.style == "title":
        part.within = before.within if before.style == "title" else before.heading
    return part


def label_of(text: str) -> tuple[str, str] | None:
    """(topic, the rest) if a section label opens the text, as `_Place._]`, `Time.—`, `Uses:`."""
    match = _LABEL.match(text)
    if not match or not re.match(r"[\W_]*[A-Z]", text):
        return None
    topic = next(name for name in LABELS if match[name] is not None)
    if (
        topic in ("making", "comment")
        and "]" not in match["close"]
        and match[topic].lower().endswith(("college", "culpeper"))
    ):
        return None
    rest = match["rest"].strip()
    bare = not re.search(r"[_*=¶\]—:-]|–", text[: match.start("rest")])
    if bare and rest and not rest[0].isupper() and rest[0] not in '"“‘(':
        return None
    return topic, rest


def _is_contents(block: Block) -> bool:
    """Lines of a table of contents or an index."""
    hits = sum(bool(_CONTENTS_LINE.search(line)) for line in block.lines)
    if len(block.lines) > 1:
        hits += sum(bool(CHAPTER.match(line.strip())) for line in block.lines)
    return hits >= 1 and hits * 2 >= len(block.lines)


def _heading(block: Block, text: str) -> Part | None:
    """The block as a heading, if it is one."""
    text = " ".join(text.split())
    if len(block.lines) > MAX_HEADING_LINES or len(text) > MAX_HEADING_CHARS:
        return None
    if match := re.match(r"(#{1,6})\s+(.+)", text):
        return _chapter(match[2]) or Part(match[2], f"markdown{len(match[1])}")
    if block.indent >= SIGNATURE_INDENT:
        return None
    match = _ITALIC_TITLE.match(text)
    if match and ": " not in match["title"] and len(match["title"].split()) <= MAX_TITLE_WORDS:
        alias = f" {match['alias']}" if match["alias"] else ""
        return Part(match["title"].strip() + alias, "title", number=match["number"] or "")
    return _chapter(text) or (Part(text, "caps") if is_caps(text) else None)


def _chapter(text: str) -> Part | None:
    bare = plain(text).strip()
    match = CHAPTER.match(bare)
    if not match or len(bare) > 90 or bare[: match.end()].lower() == bare[: match.end()]:
        return None
    mark = match[0].strip(" .:—-")
    return Part(bare[match.end() :].strip() or mark, "chapter", chapter=mark)


def is_caps(text: str) -> bool:
    """A heading in capitals: `AGRIMONY.`, `ANEMONE (Wood).`, `LIQUORICE, English.`"""
    bare = plain(re.sub(r"\([^)]*\)?|_see[^_]*_", "", text, flags=re.I)).strip()
    if re.search(r"[]/|]| \. ", text) or not re.search(r"[^\W\d_]{3}", bare) or bare[:1] in "\"“‘'":
        return False
    letters = [c for c in bare if c.isalpha()]
    upper = sum(c.isupper() for c in letters)
    if upper >= 0.8 * len(letters):
        return True
    noun = re.split(r",|\band\b|\bor\b", bare)[0]
    return noun == noun.upper() and len(bare.split()) <= 6 and sum(c.isalpha() for c in noun) >= 3


def is_front_matter(heading: str) -> bool:
    return bool(FRONT_MATTER.match(plain(heading).strip()))


def sections_of(part: Part) -> list[Section]:
    """The paragraphs by topic; what stands before the first label is `intro`, without any label `essay`."""
    topic = "intro" if part.topics else "essay"
    sections: dict[str, list[str]] = {}
    for paragraph in part.paragraphs:
        topic = paragraph.topic or topic
        if paragraph.text.strip():
            sections.setdefault(topic, []).append(paragraph.text)
    if "intro" in sections and sum(len(text.split()) for text in sections["intro"]) < MIN_WORDS:
        short = sections.pop("intro")
        host = next((sections[name] for name in ("description", "virtues") if name in sections), None)
        if host is not None:
            host[:0] = short
    return [Section(name, texts) for name, texts in sections.items() if not _is_cross_reference(texts)]


def _is_cross_reference(texts: list[str]) -> bool:
    return len(texts) == 1 and bool(_CROSS_REFERENCE.match(plain(texts[0])))


def add_to(entry: Entry, topic: str, text: str) -> None:
    section = next((s for s in entry.sections if s.topic == topic), None)
    if section is None:
        section = Section(topic, [])
        entry.sections.append(section)
    section.paragraphs.append(text)
