"""A herbal as headed parts: its pieces, which of them are headings, which carry a section label."""

# Old books are set with curly quotes and dashes.

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import NamedTuple

from curation.readers.herbal.headings import (
    MAX_HEADING_CHARS,
    MAX_HEADING_LINES,
    SIGNATURE_INDENT,
    chapter,
    is_alone,
    is_caps,
    is_closing,
    is_name,
    is_reference,
    italic_title,
)
from curation.readers.herbal.labels import label_of, opens_label
from curation.readers.herbal.names import heading_text
from curation.readers.herbal.text import Block, Book, flow, is_verse, plain
from curation.readers.herbal.ways import MANY, MIN_WORDS, Judged, Piece
from curation.readers.herbal.words import BACK_MATTER, CHAPTER, FRONT_MATTER, SHORT_TOPICS

# So many headings right on their text are the habit of a book.
LEAST_JOINED = 5

_CROSS_REFERENCE = re.compile(r"^(?:[^.]{0,60}\. )?see\b[^.]{0,80}\.?$", re.I)
_LEGEND_LINE = re.compile(r"\s+\d{1,2}\. [A-Z].{2,60}$")
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

    style    how the heading is set: entry (by the way of the book), caps, title (italics), chapter, plain,
             reference, front (the book's title), or markdown's level
    within   the heading above that has no text of its own, such as OILS over the receipts of oils
    others   further names of the entry, printed right under its heading
    is_rival whether the heading is set as an entry's is, but no proof makes it one
    """

    heading: str
    style: str
    within: str = ""
    number: str = ""
    chapter: str = ""
    others: list[str] = field(default_factory=list)
    is_rival: bool = False
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
    names    further names that the book prints with the heading
    own      of a plant, the text between its heading and the next, if it has a heading
    """

    kind: str
    name: str
    heading: str
    within: str
    sections: list[Section]
    names: tuple[str, ...] = ()
    own: str = ""


def pieces(book: Book) -> list[Piece]:
    """The blocks of the book up to its index or end, without tables of contents, cut at section labels."""
    found: list[Piece] = []
    lines_left = sum(len(block.lines) for block in book.blocks)
    half = lines_left // 2
    for block in (cut for whole in _under_headings(book.blocks) for cut in _at_labels(whole)):
        lines_left -= len(block.lines)
        if _is_contents(block):
            continue
        text = flow(block, book.words)
        piece = Piece(block, text, label_of(text), _kind(block, text, book.title))
        if piece.label is None and lines_left < half:
            heading = _heading(piece)
            if heading is not None and BACK_MATTER.match(heading.heading):
                break
        found.append(piece)
    return found


def parts(found: Sequence[Piece], judged: Judged | None = None) -> list[Part]:
    """Every heading with its paragraphs: the entries that a way marks, and what else looks like a heading."""
    marks = judged.marks if judged else {}
    printed = Counter(piece.text.casefold() for piece in found if len(piece.text) <= MAX_HEADING_CHARS)
    made: list[Part] = []
    current = Part("", "plain")
    pending: str | None = None
    for number, piece in enumerate(found):
        if mark := marks.get(number):
            entry = Part(mark.heading, "entry", others=list(mark.others))
            current, pending = _open(made, current, entry), None
            if mark.rest:
                current.paragraphs.append(Paragraph(*(label_of(mark.rest) or (None, mark.rest))))
        elif judged and number in judged.names and current.style == "entry" and not current.paragraphs:
            continue
        elif judged and number in judged.unsure and not _heading(piece):
            rival = Part(piece.text[:MAX_HEADING_CHARS], "plain", is_rival=True)
            current, pending = _open(made, current, rival), None
            current.paragraphs.append(Paragraph(None, piece.text))
        elif piece.kind and (piece.kind != "legend" or current.style == "entry"):
            if piece.kind == "legend":
                continue
            if current.style == "entry" or piece.kind == "front":
                current, pending = _open(made, current, Part(piece.text, piece.kind)), None
        elif piece.label is None and (part := _heading(piece)):
            part.is_rival = judged is not None and number in judged.unsure
            if (
                current.style == "entry"
                and not is_closing(part.heading)
                and printed[piece.text.casefold()] >= MANY
            ):
                current.paragraphs.append(Paragraph(pending, piece.text))
            elif current.style == "entry" and not current.paragraphs and not is_closing(part.heading):
                current.others.append(part.heading)
            else:
                current, pending = _open(made, current, part), None
        elif piece.label is not None and not piece.label[1]:
            pending = piece.label[0]
        elif piece.block.indent < SIGNATURE_INDENT or len(piece.block.lines) > 1:
            topic, body = piece.label or (pending, piece.text)
            quoted = piece.block.indent >= 3 and not is_verse(piece.block)
            current.paragraphs.append(Paragraph(topic, body, quoted))
            pending = None
    made.append(current)
    return [part for part in made if part.paragraphs and part.style != "front"]


def _under_headings(blocks: list[Block]) -> list[Block]:
    """The blocks, a heading in capitals cut from the text on its next line, if the book sets it so."""
    joined = [number for number, block in enumerate(blocks) if _opens_in_capitals(block)]
    alone = sum(len(block.lines) == 1 and is_caps(block.lines[0].strip()) for block in blocks)
    if len(joined) < max(LEAST_JOINED, alone):
        return blocks
    cut: list[Block] = []
    found = set(joined)
    for number, block in enumerate(blocks):
        if number in found:
            cut += [block._replace(lines=block.lines[:1]), block._replace(lines=block.lines[1:], gap=0)]
        else:
            cut.append(block)
    return cut


def _opens_in_capitals(block: Block) -> bool:
    if len(block.lines) < 3 or is_verse(block):
        return False
    first, second = (line.strip() for line in block.lines[:2])
    capitals = is_caps(first) and is_name(first) and first == first.upper()
    return capitals and second[:1].isupper() and not is_caps(second)


def _kind(block: Block, text: str, title: str | None) -> str:
    if _is_title(text, title):
        return "front"
    if len(block.lines) > 2 and block.indent >= 2 and all(map(_LEGEND_LINE.match, block.lines)):
        return "legend"
    return "reference" if is_reference(text) else ""


def _is_title(text: str, title: str | None) -> bool:
    """Whether a block is the book's own title, over its title page."""
    if not title or len(text) > 2 * len(title) + 20:
        return False
    words = [re.findall(r"\w+", said.casefold()) for said in (heading_text(text), title)]
    return bool(words[0]) and words[0] == words[1]


def _at_labels(block: Block) -> list[Block]:
    """The block, cut before every line that opens with a marked label such as `Place:`."""
    starts = [n for n, line in enumerate(block.lines) if n == 0 or opens_label(line)]
    return [block._replace(lines=block.lines[begin:end]) for begin, end in zip_longest(starts, starts[1:])]


def _open(made: list[Part], before: Part, part: Part) -> Part:
    """The part a heading opens; an empty chapter takes it as its title, another empty one is above it."""
    if not before.paragraphs and before.heading and before.style not in ("reference", "entry"):
        if before.style == "chapter" and part.style != "chapter" and before.heading == before.chapter:
            if part.style != "entry":
                before.heading = part.heading
                return before
        else:
            part.within = before.heading
        part.chapter = part.chapter or before.chapter
        return part
    made.append(before)
    if part.style == "title":
        part.within = before.within if before.style == "title" else before.heading
    return part


def _is_contents(block: Block) -> bool:
    """Lines of a table of contents or an index."""
    hits = sum(bool(_CONTENTS_LINE.search(line)) for line in block.lines)
    if len(block.lines) > 1:
        hits += sum(bool(CHAPTER.match(line.strip())) for line in block.lines)
    return hits >= 1 and hits * 2 >= len(block.lines)


def _heading(piece: Piece) -> Part | None:
    """The piece as a heading, if it is one."""
    text = " ".join(piece.text.split())
    if len(piece.block.lines) > MAX_HEADING_LINES:
        return None
    if match := re.match(r"(#{1,6})\s+(.+)", text):
        return _chapter(match[2]) or Part(match[2], f"markdown{len(match[1])}")
    if not is_alone(piece.block, text) or piece.block.indent >= SIGNATURE_INDENT:
        return None
    if title := italic_title(piece.block, text):
        return Part(title.heading, "title", number="" if title.number is None else str(title.number))
    return _chapter(text) or (Part(text, "caps") if is_caps(text) else None)


def _chapter(text: str) -> Part | None:
    found = chapter(text)
    return Part(found[0], "chapter", chapter=found[1]) if found else None


def is_front_matter(heading: str) -> bool:
    return bool(FRONT_MATTER.match(plain(heading).strip()))


def sections_of(part: Part) -> list[Section]:
    """The paragraphs by topic; what stands before the first label is `intro`, without any label `essay`."""
    topic = "intro" if part.topics else "essay"
    sections: dict[str, list[str]] = {}
    last = max((number for number, one in enumerate(part.paragraphs) if one.topic), default=-1)
    for number, paragraph in enumerate(part.paragraphs):
        if number == last + 1 and topic in SHORT_TOPICS:
            topic = "account"
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
