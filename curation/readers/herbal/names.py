"""Names of plants and receipts as a question needs them: case, article, number, first name."""

# Old books are set with curly quotes and dashes.
# ruff: noqa: RUF001

import re
from functools import lru_cache

from curation.readers.herbal.text import plain
from curation.readers.herbal.words import (
    ADJECTIVES,
    ALIAS,
    COMMON_WORDS,
    OPPOSITES,
    SINGULAR,
    SMALL_WORDS,
    STOP_WORDS,
)

_GROWTH_FORMS = re.compile(r"(?:tree|bush|shrub)$", re.I)


_BINOMIAL = r"[A-Z][a-zæœ]+ [A-Za-zæœ-]{3,}"
_AUTHORITY = (
    r"L|Linn|Mill|DC|Ait|Willd|Michx|Lam|Juss|Walt|Pursh|Nutt|Torr|Gray|Roxb|Rich|Raf|Benth|Thunb"
    r"|Marsh|Wang|Moench|Link|Lamb|Carr|Koch|Spach|Ehrh|Murr|Medic|Blanco|Sims|Curt|Salisb|Britton|Sarg"
)


def heading_text(raw: str) -> str:
    """A heading on one line, without marks, numbering or final stop; capitals become title case."""
    text = " ".join(plain(raw).split())
    text = re.sub(r"^#{1,6}\s*|\s*#+$", "", text)
    text = re.sub(r"^(?:\d{1,3}|[IVXLC]+)[.)](?:\s+|\s*—\s*)(?=\S)", "", text)
    text = re.sub(r"\(\s*see\b[^)]*\)|,?\s*\bsee (?:also )?(?:page|under)\b.*$", "", text, flags=re.I)
    text = text.strip(" .,:;—-")
    letters = re.sub(r"\([^)]*\)", "", text)
    if sum(c.isupper() for c in letters) >= 0.5 * max(1, sum(c.isalpha() for c in letters)):
        text = title_case(text)
    return re.sub(
        r"\b(Chapter|Book|Part|Section) ([ivxlc]+)\b", lambda m: f"{m[1]} {m[2].upper()}", text, flags=re.I
    )


def title_case(text: str) -> str:
    """`ADDER'S TONGUE, OR JACK-BY-THE-HEDGE` → `Adder's Tongue, or Jack-by-the-Hedge`."""
    words = re.split(r"( |—)", text)
    return "".join(_capitalise(word, first=not number) for number, word in enumerate(words))


def _capitalise(word: str, *, first: bool) -> str:
    bare = re.sub(r"[^\w]", "", word).lower()
    if bare in SMALL_WORDS and not first:
        return word.lower()
    parts = [
        part.lower()
        if number and part.lower() in SMALL_WORDS
        else re.sub(r"[^\W\d_]", lambda m: m[0].upper(), part.lower(), count=1)
        for number, part in enumerate(word.split("-"))
    ]
    return "-".join(parts)


def first_name(heading: str) -> str:
    """The name a question asks for: the first of several, adjectives in front of their noun.

    `Arrach, Wild and Stinking` → `Wild and Stinking Arrach`; `Anemone (Wood)` → `Wood Anemone`;
    `Arum—the Common` → `the Common Arum`; `Alehoof, or Ground-Ivy` → `Alehoof`.
    """
    heading = re.sub(r"^(\w+)-(\w+['’]s)\b", r"\2 \1", heading)
    turned = _turn(heading)
    if turned:
        return _article(turned)
    name = re.sub(r"\s*\([^)]*\)", "", ALIAS.sub("", heading)).strip(" ,.;")
    if re.search(r",?\s+or,?\s", heading, re.I):
        name = name.split(",")[0]
    name = re.sub(r",? (?:three|two|several|its|their) (?:sorts|kinds)$", "", name, flags=re.I)
    if name.count(",") == 1:
        name = re.sub(r", and ", " and ", name)
    return _article(name or heading)


def _turn(heading: str) -> str | None:
    """The heading with its adjectives in front, if what follows the noun is adjectives only."""
    if "," in heading.split("(")[0]:
        heading = re.sub(r"\s*\([^)]*\)$", "", heading)
    match = re.fullmatch(r"([^,(—]+?)(?:,\s*|\s*\(|\s*(?:—|--)\s*)([^()]+?)\)?", heading)
    if not match:
        return None
    noun, tail = match[1].strip(" ."), match[2].strip(" .)")
    tail = re.sub(r"\s*\($", "", tail.split(" (")[0]).strip()
    if tail.lower().endswith(" of"):
        return f"{tail} the {noun}"
    words = re.findall(r"[\w'’]+", tail.lower())
    if words and all(word in ADJECTIVES or word in ("and", "the") for word in words):
        return f"{tail.replace(', and', ' and')} {noun}"
    return None


def _article(name: str) -> str:
    """`the` in lower case, and before a tree or bush; who named a Latin name is not told."""
    name = re.sub(rf"^({_BINOMIAL}),? (?:{_AUTHORITY})\.?(?: (?:{_AUTHORITY})\.?)?$", r"\1", name)
    name = re.sub(r"^The ", "the ", name)
    if _GROWTH_FORMS.search(name) and not name.startswith("the ") and " of " not in name:
        return f"the {name}"
    return name


def is_plural(name: str) -> bool:
    """Whether a verb after the name is plural: two plants, or a name that ends in a plural s.

    `White and Black Horehound` are two plants, `Wild and Stinking Arrach` is one.
    """
    pair = re.match(r"(?:the )?(\w+) and (\w+) ", name.lower())
    if pair and {pair[1], pair[2]} <= ADJECTIVES and not any({*pair.groups()} <= set_ for set_ in OPPOSITES):
        return False
    head = re.split(r" of ", name)[0]
    if " and " in head or ", " in head:
        return True
    last = re.findall(r"[\w'’]+", head)[-1].lower() if re.search(r"\w", head) else ""
    if last in SINGULAR or last.endswith(("ss", "us", "is", "'s", "’s", "as")):
        return False
    return last.endswith("s")


def capitalised(text: str) -> str:
    """The text with its first letter as a capital; a first word in capitals is a drop cap and goes down."""
    text = re.sub(
        r"^((?:\(?\d+\.\)? )?[\"“‘'(]*)((?:A |O )?)([A-Z][A-Z’']+)(?=[ ,;]+(?:[a-z(]|[A-Z][a-z]))",
        lambda m: m[1] + m[2] + (m[3].lower() if m[2] else m[3][0] + m[3][1:].lower()),
        text,
    )
    return re.sub(r"^([\"“‘'(\[]*)([a-z])", lambda m: m[1] + m[2].upper(), text, count=1)


@lru_cache(maxsize=8192)
def names_of(*headings: str) -> re.Pattern[str] | None:
    """What a text must say to name the plant of its headings: a word of the name, or the name as one word.

    Endings are left open (`Agrimony`, `Agrimonia`), words that many plants share do not count where there
    are others, and `Woodsorrell` is named by `Wood Sorrel`. None if no heading has a word.
    """
    stems: dict[str, None] = {}
    for heading in headings:
        words = [word.lower() for word in re.findall(r"[^\W\d_]{2,}", plain(heading))]
        words = [word for word in words if word not in STOP_WORDS and len(word) > 2]
        telling = [word for word in words if word not in ADJECTIVES and word not in COMMON_WORDS]
        for word in telling or words:
            stems[_stem(word)] = None
    patterns = [rf"\b{_loose(stem)}" for stem in stems]
    return re.compile("|".join(patterns), re.I) if patterns else None


def _stem(word: str) -> str:
    stem = re.sub(r"(?:ies|ia|ium|ius|us|um|ae|æ|is|es|y|ie|s|e|a)$", "", word)
    return stem if len(stem) > 2 else word


def _loose(stem: str) -> str:
    """The stem with its letters as they may be set: cut by a space or hyphen, doubled or not."""
    singled = re.sub(r"(.)\1", r"\1", stem)
    if len(singled) < 7:
        return re.escape(stem)
    return "[- ]?".join(f"{re.escape(letter)}{{1,2}}" for letter in singled)


def alphabetical(heading: str) -> str:
    """What a heading is sorted by: its letters, without article."""
    text = re.sub(r"^(?:of|the|a|an)\s+", "", plain(heading).lower().strip(' "“‘(').removeprefix("of "))
    return re.sub(r"[^a-z]", "", text.replace("æ", "ae").replace("œ", "oe"))
