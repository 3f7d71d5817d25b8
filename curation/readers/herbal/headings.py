"""How a heading looks: the forms in which herbals set a name, alone or at the head of its text."""

# Old books are set with curly quotes and dashes.
# ruff: noqa: RUF001

import re
from typing import NamedTuple

from curation.readers.herbal.labels import label_of
from curation.readers.herbal.text import Block, plain
from curation.readers.herbal.words import BACK_MATTER, CHAPTER, FAMILY, FRONT_MATTER, NO_NAME, STOP_WORDS

MAX_HEADING_LINES = 4
MAX_HEADING_CHARS = 120
MAX_TITLE_WORDS = 14
MAX_NAME_WORDS = 12
# What follows a name at the head of its text, at least.
MIN_RUN_IN_WORDS = 4
# A single line further right than this is a signature or an attribution, never a heading.
SIGNATURE_INDENT = 40

_SMALL = r"(?:or|of|the|and|in|with|a|de|to|on|by|from|called|also)"
_TITLE_WORD = r"(?:(?:St|Dr)\. )?[A-ZÆŒ][\w'’]*(?:-[\w'’]+)*"
_TITLE_NAME = rf"{_TITLE_WORD}(?:[,;]? (?:{_SMALL} )*{_TITLE_WORD}){{0,7}}"
_CAPS_NAME = r"[A-ZÆŒ][A-ZÆŒ'’]+(?:,? (?:or |OR |and |AND )?(?:[A-ZÆŒ][A-ZÆŒ'’-]*))*"
_NUMBER = re.compile(r"(?:No\.? ?)?\(?(\d{1,4})[.)](?:--|—)?\s+(?=\S)")
# An italic title may name the authority it is taken from: `_Pilulæ Assaireth._ Avicenna.`
_ITALIC_TITLE = re.compile(
    r"^_(?P<title>[^_]+)_[.:,]?(?:\s+(?P<alias>Or,? .+)|\s+[A-Z][a-z]+(?: [A-Za-z]+)?\.?)?$"
)
# `_Malva alba_, L. (_M. albensis_, Mill.)`: a genus, a species, who named it.
_LATIN = re.compile(
    r"^[_=*]{1,2}(?P<name>[A-Z](?:[a-zæœëü]+|\.) [A-Z]?[a-zæœëüï-]{2,}(?: [a-z.]+)*)[_=*]{1,2}(?P<tail>.*)$",
    re.S,
)
_BOLD = re.compile(r"^(?:=|\*\*)(?P<name>[^=*]{2,90})(?:=|\*\*)[.,:]?(?P<tail>\s*[(_][^.]{3,60}\)?[._]*)?$")
_TITLE = re.compile(
    rf"^(?P<name>(?:The |Of (?:the )?)?{_TITLE_NAME})(?P<tail>,? (?:\([^)]{{3,60}}\)|_[^_]{{3,60}}_))?\.?$"
)
# `AGRIMONY. _Agrimonia._`, `ABIES CANADENSIS.—Hemlock Spruce.`, `BALM. _Melissa_, Linn. N.O. Labiatæ.`
_CAPS_AND_NAMES = re.compile(
    rf"^(?P<name>{_CAPS_NAME})(?:[.,;:]+|[.,;:]*\s?(?:—|--)|(?=\s[_(]))\s*(?P<rest>\(?[_=]*[A-ZÆŒ].{{1,80}})$"
)
_OF = re.compile(
    r"^_?(?P<name>Of (?:the )?[^.]{3,70})\.\s+(?P<mark>Chap(?:ter|\.)? ?(?:\d{1,4}|[ivxlc]+))\.?_?$", re.I
)

_RUN_IN_CAPS = re.compile(
    rf"^(?P<name>{_CAPS_NAME})(?P<tail>\s\(.{{2,80}}?\))?(?:[.,:;]*\s?(?:—|--|–)|[.,:;]|(?=\s[(_]))\s*(?P<rest>\S.*)$",
    re.S,
)
_RUN_IN_BOLD = re.compile(
    r"^(?:=|\*\*)(?P<name>[^=*]{2,90}?)[.,:;]?(?:=|\*\*)[.,:;]?\s*(?:—|--|–)?\s*(?P<rest>\S.*)$", re.S
)
_RUN_IN_ITALIC = re.compile(
    r"^_(?P<name>[A-ZÆŒ][^_]{2,70}?)[.,:;]?_(?:[.,:;]*\s?(?:—|--|–)|[.,:;]|(?=\s\())\s*(?P<rest>\S.*)$", re.S
)
_RUN_IN_DASH = re.compile(
    r"^[_*=]*(?P<name>[A-Z][^.:;—*_=\n]{1,50}?)[.,:]?[_*=]*[.:]?[_*=]*\s?(?:—|--|–)\s?[_*=]*(?P<rest>\S.*)$",
    re.S,
)
_RUN_IN_LABEL = re.compile(
    r"^(?:(?P<mark>[_=*]{1,2})(?P<marked>[A-Z][^_=*.:—]{2,40})[.,:]?(?P=mark)"
    r"|(?P<plain>[A-Z][a-zA-Z ,&]{1,40}[a-zA-Z]))"
    r"[.:]?\s?(?:—|--|–|:|(?<=[.:][_=*])\s)\s?(?P<rest>\S.*)$",
    re.S,
)
_RUN_IN_LATIN = re.compile(rf"^(?P<name>{_TITLE_NAME}) (?P<rest>\(_?[A-Z][^)]{{3,80}}\)\S*\s+\S.*)$", re.S)
_RUN_IN_NUMBER = re.compile(
    r"^[_=*]*(?P<name>[A-ZÆŒ][^.:;—_=*]{2,60}?)[_=*]*(?:[.:;]|,(?= _)|—|--)[_=*]*(?:\s*(?P<rest>\S.*))?$",
    re.S,
)


# A line that only sends to another entry: `RHUBARB (Garden). see Dock`, `BAYWORT, Stone-Leaf.--See BETONY.`
_REFERENCE = re.compile(
    r"^[A-Z][^.;:—]{1,70}?(?:[.,;:—]|--|\s|\()+\s*(?:see|vide|v\.)\s+(?!also)[\"“‘'A-Z(][^.]{1,80}[.)\"”'’]*$",
    re.I,
)


class Mark(NamedTuple):
    """An entry that a block opens.

    heading  its name as printed
    rest     the text behind it on the same lines
    number   of a numbered list
    others   further names right under it, such as the Latin one
    """

    heading: str
    rest: str = ""
    number: int | None = None
    others: tuple[str, ...] = ()


def is_alone(block: Block, text: str) -> bool:
    """Whether a block may be a heading by its size and place."""
    return (
        len(block.lines) <= MAX_HEADING_LINES
        and len(text) <= MAX_HEADING_CHARS
        and (block.indent < SIGNATURE_INDENT or len(block.lines) > 1)
    )


def is_name(heading: str) -> bool:
    """Whether a heading can be the name of a plant: no section, front matter, family or sentence."""
    text = _unnumbered(plain(heading)).strip(" .,:;—-")
    words = re.findall(r"[^\W\d_][\w'’]*", text.split(";")[0])
    if (
        not words
        or len(words) > MAX_NAME_WORDS
        or len(text) > MAX_HEADING_CHARS
        or re.search(r"[\d?!\[\]]", text)
    ):
        return False
    if FRONT_MATTER.match(text) or BACK_MATTER.match(text) or NO_NAME.match(text) or FAMILY.search(text):
        return False
    return label_of(f"{text}:") is None and any(
        len(word) > 2 and word.lower() not in STOP_WORDS for word in words
    )


def is_reference(text: str) -> bool:
    """Whether a block is the entry of a name that only sends to another: `BELLADONNA (_see_ Night Shade)`."""
    if len(text) > 200:
        return False
    bare = _unnumbered(plain(text))
    return bare[:1].isupper() and len(bare.split()) <= 20 and bool(_REFERENCE.match(" ".join(bare.split())))


def is_latin(heading: str) -> bool:
    """Whether a heading is a genus and a species, perhaps with who named it."""
    return bool(
        re.match(
            r"[_=*]*[A-Z][a-zæœ]+ (?:[a-zæœë-]{3,}\b|(?:[A-Z][a-zæœ-]+ )+(?:[A-Z][a-z]{0,6})\.$)", heading
        )
    )


def is_closing(heading: str) -> bool:
    """Whether a heading ends the entry above it: a family, a chapter, front or back matter."""
    text = plain(heading).strip(" .,:;—-")
    return bool(
        FAMILY.search(text) or CHAPTER.match(text) or FRONT_MATTER.match(text) or BACK_MATTER.match(text)
    )


def _unnumbered(text: str) -> str:
    return _NUMBER.sub("", text, count=1) if _NUMBER.match(text) else text


def _numbered(text: str) -> tuple[int | None, str]:
    match = _NUMBER.match(text)
    return (int(match[1]), text[match.end() :]) if match else (None, text)


def _marked(heading: str, rest: str, number: int | None) -> Mark | None:
    if not is_name(heading) or (rest and not _is_prose(rest)):
        return None
    return Mark(heading.strip(), rest, number)


def _is_prose(text: str) -> bool:
    """Whether a text after a name goes on in words: no authority, no list of names, no reference."""
    said = re.sub(r"\([^()]*\)?|_[^_]*_", " ", text)
    return (
        len(text.split()) >= MIN_RUN_IN_WORDS
        and len(re.findall(r"\b[a-z]{2,}", said)) >= MIN_RUN_IN_WORDS - 1
    )


def capitals(block: Block, text: str) -> Mark | None:
    """`AGRIMONY.`, `ANEMONE (Wood).`, `12. ELDER, OR BORE TREE`, `AGRIMONY. _Agrimonia._`"""
    text = " ".join(text.split())
    if not is_alone(block, text):
        return None
    number, bare = _numbered(text)
    match = _CAPS_AND_NAMES.match(bare)
    return _marked(bare, "", number) if is_caps(bare) or (match and _are_names(match["rest"])) else None


def _are_names(text: str) -> bool:
    """Whether a text is names only: a Latin one, who gave it, a common one, the order."""
    said = re.sub(r"\([^()]*\)?|_[^_]*_|=[^=]*=", " ", text)
    return len(text.split()) <= MAX_NAME_WORDS and not re.search(r"\b[a-z]+[ ,]+[a-z]+\b", said)


def titles(block: Block, text: str) -> Mark | None:
    """`Lemon Balm`, `Wild Yam.`, `Of the Elder.`, `3. Agrimony (Agrimonia Eupatoria)`"""
    number, bare = _numbered(text)
    if len(block.lines) > 1 or not is_alone(block, text) or bare.isupper() or not _TITLE.match(bare):
        return None
    return _marked(bare, "", number)


def italics(block: Block, text: str) -> Mark | None:
    """`_Agrimony._`, alone."""
    found = italic_title(block, " ".join(text.split()))
    return _marked(found.heading, "", found.number) if found else None


def italic_title(block: Block, text: str) -> Mark | None:
    """A title in italics alone, which need not be a name."""
    if not is_alone(block, text):
        return None
    number, bare = _numbered(text)
    match = _ITALIC_TITLE.match(bare)
    if not match or ": " in match["title"] or len(match["title"].split()) > MAX_TITLE_WORDS:
        return None
    return Mark(match["title"].strip() + (f" {match['alias']}" if match["alias"] else ""), "", number)


def latin(block: Block, text: str) -> Mark | None:
    """`_Malva alba_, L. (_M. albensis_, Mill.)`, alone."""
    number, bare = _numbered(" ".join(text.split()))
    match = _LATIN.match(bare)
    if not match or len(block.lines) > MAX_HEADING_LINES or block.indent >= SIGNATURE_INDENT:
        return None
    tail = re.sub(r"\([^()]*\)?|_[^_]*_|=[^=]*=", " ", match["tail"])
    if any(
        word.islower() and word not in ("et", "ex", "and", "or", "var", "non")
        for word in re.findall(r"[^\W\d_]+", tail)
    ):
        return None
    return _marked(match["name"], "", number)


def bold(block: Block, text: str) -> Mark | None:
    """`=Agrimony.=` or `**Agrimony**`, alone."""
    number, bare = _numbered(" ".join(text.split()))
    match = _BOLD.match(bare) if is_alone(block, text) else None
    return _marked(match["name"] + (match["tail"] or ""), "", number) if match else None


def chapters(block: Block, text: str) -> Mark | None:
    """`CHAP. XII. Of Agrimony.`, `Of Agrimony. Chap. 12.`"""
    text = " ".join(text.split())
    if len(block.lines) > MAX_HEADING_LINES:
        return None
    if match := _OF.match(text):
        return _marked(match["name"], "", None)
    title = chapter(text)
    return title and _marked(title[0], "", None)


def chapter(text: str) -> tuple[str, str] | None:
    """(title, mark) of a chapter's heading; the title is the mark where it stands alone."""
    bare = plain(text).strip()
    match = CHAPTER.match(bare)
    if not match or len(bare) > 90 or bare[: match.end()].lower() == bare[: match.end()]:
        return None
    mark = match[0].strip(" .:—-")
    return bare[match.end() :].strip() or mark, mark


def markdown(level: int, block: Block, text: str) -> Mark | None:
    """`## Agrimony`"""
    match = re.match(rf"#{{{level}}}\s+(.+)", text)
    return _marked(match[1], "", None) if match else None


def run_in(pattern: re.Pattern[str], text: str, *, tail: bool = True) -> Mark | None:
    """A name at the head of its own text."""
    number, bare = _numbered(text)
    match = pattern.match(bare)
    if not match:
        return None
    name = plain(match["name"])
    return _marked(name + (match.groupdict().get("tail") or ""), match["rest"], number)


def run_in_capitals(block: Block, text: str) -> Mark | None:
    """`AGRIMONY.—The root …`, `AGRIMONY (Agrimonia). A common plant …`"""
    return run_in(_RUN_IN_CAPS, text)


def run_in_bold(block: Block, text: str) -> Mark | None:
    """`=Agrimony.=--The root …`, `**Agrimony** …`"""
    return run_in(_RUN_IN_BOLD, text)


def run_in_italics(block: Block, text: str) -> Mark | None:
    """`_Agrimony_, a common plant …`"""
    return run_in(_RUN_IN_ITALIC, text)


def run_in_dash(block: Block, text: str) -> Mark | None:
    """`Agrimony.—The root …`"""
    mark = run_in(_RUN_IN_DASH, text)
    return mark if mark and _is_title_case(mark.heading) else None


def run_in_latin(block: Block, text: str) -> Mark | None:
    """`Agrimony (_Agrimonia eupatoria_) is a common plant …`"""
    return run_in(_RUN_IN_LATIN, text)


def run_in_label(text: str) -> Mark | None:
    """Words at the head of a text, set off as a section label is: `=Bark.=--`, `_Leaves_:`, `Habit.—`."""
    match = _RUN_IN_LABEL.match(text)
    return Mark((match["marked"] or match["plain"]).strip(" .:"), match["rest"]) if match else None


def run_in_number(block: Block, text: str) -> Mark | None:
    """`12. Agrimony. A common plant …`"""
    number, bare = _numbered(text)
    match = _RUN_IN_NUMBER.match(bare) if number is not None else None
    return _marked(match["name"], match["rest"] or "", number) if match else None


def _is_title_case(text: str) -> bool:
    words = text.split()
    return len(words) <= 5 and all(
        word[:1].isupper() or word.lower() in ("or", "of", "the", "and", "de") for word in words
    )


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
