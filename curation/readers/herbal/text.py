"""A raw public-domain book as clean blocks of lines: no licence text, page marks, pictures or notes."""

# Old books are set with curly quotes and dashes.
# ruff: noqa: RUF001

import re
from itertools import pairwise
from typing import NamedTuple

MAX_TITLE_PAGE_LINES = 120

_START = re.compile(r"\*\*\*\s*START OF (?:THE|THIS) PROJECT GUTENBERG.*?\*\*\*", re.S | re.I)
_END = re.compile(
    r"^\s*(?:\*\*\*\s*END OF (?:THE|THIS) PROJECT GUTENBERG|End of (?:the |this )?Project Gutenberg)",
    re.M | re.I,
)
_BRACKETED = re.compile(
    r"\[(?:Illustration|Transcriber|Sidenote|Footnote|Blank page|Decoration|Plate)\b"
    r"[^\[\]]*(?:\[[^\[\]]*\][^\[\]]*)*\]",
    re.I,
)
# Page marks and footnote marks; a mark takes the space before it along.
_MARKS = re.compile(
    r"[ \t]?(?:\[(?:Pg\.? ?|p\.? ?|page )?(?:\d{1,4}|[ivxlc]{1,7})\]|\[[A-Za-z*†‡§]\]"
    r"|\[\d{1,4}:\d{1,2}\]|\{\d{1,4}\})",
    re.I,
)
# A page of the printed book that a text refers to: in brackets alone, or after what to see.
_PAGE_REFERENCE = re.compile(
    r"[ \t]*\(_?(?:see[ \t]+)?_?_?(?:page|p\.)_?[ \t]+\d{1,4}_?[ \t]*\)"
    r"|(?<=\w|\)|_|\"),?[ \t]+_?page_?[ \t]+\d{1,4}\.?(?=[ \t]*\))",
    re.I,
)
# A line that only sends to another entry: `RHUBARB (Garden). see Dock, page 159.`
_SENDS_ON = re.compile(r"^[A-Z][A-Z'’ -]{2,}(?:\([^)]*\))?[.,:;]?\s+_?[Ss]ee_?\s[^.]{2,60}\.?$")
_PAGE_LINE = re.compile(
    r"^\s*(?:page \d{1,4}|-{1,2} ?\d{1,4} ?-{1,2}|\d{1,4}|\[\d{1,4}\]|[\d\s*.·—_-]{3,})\s*$", re.I
)
# A running head with its page: `16 THE FAMILY HERBAL.`, `AGRIMONY. 17`; an entry's number has a stop.
_RUNNING_HEAD = re.compile(
    r"^\s*(?:(?P<before>\d{1,4})\s+[A-Z][A-Z'’.,&: -]{3,50}"
    r"|[A-Z][A-Z'’.,&: -]{3,50}?\s+(?P<after>\d{1,4}))\.?\s*$"
)
# So many in a book, most of them with rising numbers, are its pages.
MIN_RUNNING_HEADS = 5
_EDITORIAL = re.compile(r"\[~[^\]]*~\]")
_SUPERSCRIPT = re.compile(r"\^?\{([a-z]{1,4})\}")
_FOOTNOTES = re.compile(r"^\W*FOOT ?NOTES?\W*$", re.I)
_NOTE = re.compile(r"^\s*(?:\[(?:\d{1,4}(?::\d{1,2})?|[A-Za-z*†‡])\]|[*†‡]|\(\d+\))\s*\S")
_CHAPTER_LINE = re.compile(r"^\s*(?:#|(?:CHAPTER|BOOK|PART)\b)", re.I)


class Block(NamedTuple):
    """Lines between two blank lines, with the markup of the file still in them.

    indent  spaces before the least indented line
    gap     blank lines before the block
    """

    lines: tuple[str, ...]
    indent: int
    gap: int


class Book(NamedTuple):
    """A book: title and author where they could be found, the blocks, and all its words."""

    title: str | None
    author: str | None
    blocks: list[Block]
    words: frozenset[str]


def read_book(text: str) -> Book:
    """Strip what the publisher added and cut the rest into blocks."""
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n").expandtabs(4)
    head, body = _body(text)
    body = _SUPERSCRIPT.sub(r"\1", _EDITORIAL.sub("", _BRACKETED.sub("", body)))
    title, author = _stated(head)
    if title is None:
        title, author = _title_page(body)
    if title is None:
        title, author = _farewell(text, author)
    blocks = [_clean(block) for block in _without_footnotes(_blocks(body))]
    words = frozenset(re.findall(r"[^\W\d_]+(?:-[^\W\d_]+)*", re.sub(r"-\n\s*", " ", body).lower()))
    return Book(title, author, [block for block in blocks if block.lines], words)


def _body(text: str) -> tuple[str, str]:
    """What stands before the first line of the book, and the book."""
    start = _START.search(text)
    begin = start.end() if start else 0
    end = _END.search(text, begin)
    return text[:begin], text[begin : end.start() if end else len(text)]


def _stated(head: str) -> tuple[str | None, str | None]:
    """Title and author from `Title:` and `Author:` lines; a title may go on in indented lines."""
    title = re.search(r"^Title:\s*(.+(?:\n[ \t]+\S.*)*)", head, re.M)
    author = re.search(r"^Author:\s*(.+)", head, re.M)
    return (
        " ".join(title[1].split()) if title else None,
        " ".join(author[1].split()) if author else None,
    )


def _farewell(text: str, author: str | None) -> tuple[str | None, str | None]:
    """Title and author from the last line of a file of Project Gutenberg, where its header is gone."""
    match = re.search(
        r"^\s*End of (?:the |this )?Project Gutenberg(?:['’]s| e-?book of) (.+?),\s+by\s+(.+)\s*$",
        text[-400_000:],
        re.M | re.I | re.S,
    )
    if not match:
        return None, author
    return " ".join(match[1].split()), author or " ".join(match[2].split("\n")[0].split())


def _title_page(body: str) -> tuple[str | None, str | None]:
    """Title and author from a title page: the first capitals up to a stop, and the first `By NAME`."""
    lines = body.split("\n")[:MAX_TITLE_PAGE_LINES]
    author = None
    before = len(lines)
    for number, line in enumerate(lines):
        if re.fullmatch(r"[\s_*]*by[\s_*]*", line, re.I):
            line = f"{line} {next((later for later in lines[number + 1 :] if later.strip()), '')}"
        by = re.match(r"^[\s_*]*by\s+([A-Z][\w.’' -]{3,60}?)(?:,.*)?[\s_*.]*$", line, re.I)
        if by and sum(word[0].isupper() for word in by[1].split()) >= 2:
            author, before = _name_case(by[1].strip()), number
            break
    if author is None:
        return _markdown_title(lines), None
    words: list[str] = []
    for line in lines[:before]:
        bare = line.strip(" #*_=")
        if not bare or "|" in bare or bare.upper() != bare or not any(c.isalpha() for c in bare):
            if words and bare:
                break
            continue
        words += bare.split()
        if bare[-1] in ";:.,":
            break
    return (_name_case(" ".join(words).rstrip(";:.,")) or None), author


def _markdown_title(lines: list[str]) -> str | None:
    """The first `# Title` line, when the second level carries the entries."""
    first = next((line for line in lines if line.strip()), "")
    return first[2:].strip(" #") if first.startswith("# ") else None


def _name_case(text: str) -> str:
    """Capitals to capitalised words; small words stay small inside."""
    small = {"OF", "THE", "AND", "A", "AN", "TO", "IN", "FOR", "OR", "ON", "WITH"}
    words = text.split()
    if text.upper() != text:
        return text
    return " ".join(
        word.lower() if number and word in small else word[:1] + word[1:].lower()
        for number, word in enumerate(words)
    )


def _blocks(body: str) -> list[Block]:
    """Cut at blank lines; a line that is a `# heading`, or is underlined, is a block of its own."""
    blocks: list[Block] = []
    lines: list[str] = []
    gap = pending = 0

    heads = _running_heads(body)
    cut = False

    def close() -> None:
        nonlocal lines
        if lines:
            indent = min(len(line) - len(line.lstrip()) for line in lines)
            blocks.append(Block(tuple(lines), indent, gap))
            lines = []

    for number, line in enumerate(body.split("\n")):
        stripped = line.strip()
        if number in heads:
            cut = True
            continue
        if cut and stripped:
            cut = False
            if (
                not lines
                and blocks
                and stripped[0].islower()
                and not re.search(r"[.!?:][\"”’)]*$", blocks[-1].lines[-1])
            ):
                lines, gap, pending = list(blocks.pop().lines), gap, 0
        if not stripped or (_PAGE_LINE.match(line) and not re.fullmatch(r"[-=]{3,}", stripped)):
            close()
            pending += not stripped
            continue
        if re.fullmatch(r"[-=]{3,}", stripped):
            if len(lines) == 1:
                lines = ["## " + lines[0].strip()]
            close()
            continue
        if not lines:
            gap, pending = pending, 0
        if re.match(r"#{1,6}\s", stripped):
            close()
            lines = [stripped]
            close()
            continue
        lines.append(line.rstrip())
    close()
    return blocks


def _running_heads(body: str) -> set[int]:
    """The lines that a scanner kept from the top of pages: a book's or an entry's name and the page."""
    found = [
        (number, int(match["before"] or match["after"]))
        for number, line in enumerate(body.split("\n"))
        if (match := _RUNNING_HEAD.match(line))
    ]
    rising = sum(after >= before for (_, before), (_, after) in pairwise(found))
    if len(found) < MIN_RUNNING_HEADS or rising < 0.8 * (len(found) - 1):
        return set()
    return {number for number, _ in found}


def _without_footnotes(blocks: list[Block]) -> list[Block]:
    """Drop a list of footnotes: from its heading to the next chapter, or to a wide gap before prose."""
    kept: list[Block] = []
    inside = False
    for block in blocks:
        if len(block.lines) == 1 and _FOOTNOTES.match(block.lines[0]):
            inside = True
            continue
        if inside and (
            _CHAPTER_LINE.match(block.lines[0]) or (block.gap >= 3 and not _NOTE.match(block.lines[0]))
        ):
            inside = False
        if not inside:
            kept.append(block)
    return kept


def _clean(block: Block) -> Block:
    """Take page and footnote marks out of a block; a line that only sends to another entry is dropped."""
    lines = [_PAGE_REFERENCE.sub("", _MARKS.sub("", line)).rstrip() for line in block.lines]
    if len(lines) == 1 and _SENDS_ON.match(lines[0].strip()):
        return block._replace(lines=())
    return block._replace(lines=tuple(line for line in lines if line.strip()))


def is_verse(block: Block) -> bool:
    """Indented lines that nearly all begin like a line of verse."""
    if block.indent < 2 or len(block.lines) < 2:
        return False
    starts = [re.sub(r"^[\s_\"“‘'(\[*]+", "", line)[:1] for line in block.lines]
    return sum(start.isupper() for start in starts) >= 0.8 * len(starts)


def flow(block: Block, words: frozenset[str]) -> str:
    """The block as one paragraph, or as lines if it is verse. Italic marks are kept."""
    if is_verse(block):
        return "\n".join(re.sub(r" {2,}", " ", line.strip()) for line in block.lines)
    text = block.lines[0].strip()
    for line in block.lines[1:]:
        text = _join(text, line.strip(), words)
    return re.sub(r" {2,}", " ", text)


def _join(text: str, line: str, words: frozenset[str]) -> str:
    """Join two lines of prose: a word cut by a hyphen becomes whole if the book knows the whole word."""
    if text.endswith(("--", "—")):
        return text + line
    if not text.endswith("-"):
        return f"{text} {line}"
    left = re.search(r"([^\W\d_]+)-$", text[-40:])
    right = re.match(r"[^\W\d_]+", line)
    if not (left and right):
        return f"{text} {line}"
    whole, hyphened = f"{left[1]}{right[0]}".lower(), f"{left[1]}-{right[0]}".lower()
    if right[0][0].islower() and hyphened not in words and whole in words:
        return text[:-1] + line
    return text + line


def plain(text: str) -> str:
    """A paragraph without italic, bold and paragraph marks, with real dashes."""
    text = re.sub(r"\*\*(.+?)\*\*", r"\1", text)
    text = re.sub(r"(?<!\w)\*(\w[^*\n]*)\*(?!\w)", r"\1", text)
    text = re.sub(r"(?<!\w)=([^=\n]+)=(?!\w)", r"\1", text)
    text = text.replace("_", "")
    text = re.sub(r" ?-{2,3} ?", "—", text.replace("¶", ""))
    text = re.sub(r"[ \t]+([,;.!?)])(?!\.)", r"\1", text)
    return "\n".join(re.sub(r"[ \t]{2,}", " ", line).strip() for line in text.split("\n")).strip()
