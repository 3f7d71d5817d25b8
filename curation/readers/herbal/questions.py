"""One natural question per section of a herbal, and the book's own text as its answer."""

# Old books are set with curly quotes and dashes.
# ruff: noqa: RUF001

import re
from collections.abc import Iterator
from typing import NamedTuple

from curation.readers.herbal.learned import SECTION
from curation.readers.herbal.names import capitalised, is_plural, names_of, title_case
from curation.readers.herbal.parts import Entry, Section
from curation.readers.herbal.passages import (
    PASSAGE_WORDS,
    ailments,
    fits,
    is_remedial,
    opening,
    passages,
    phrases,
    topics,
)
from curation.readers.herbal.text import plain
from curation.readers.herbal.wordings import ASK
from curation.row import digest

# A labelled section stays whole up to this; an essay without labels is cut into passages.
SECTION_WORDS = 1000
MIN_ANSWER_WORDS = 3
MAX_LEAD_WORDS = 30

_NAMED = re.compile(
    r"(?:\b(?:is|are|besides)\b.{0,40}|\balso\s+|^)"
    r"(?:call(?:s|ed)?|names?|known by(?! (?:all|any|every|most|almost)\b))\b"
    r"|\b(?:some|others) call",
    re.I,
)
# A last paragraph that only leads over to what is not in the answer.
_LEADS_ON = re.compile(
    r"\b(?:follow(?:s|eth|ing)?|I shall now|I come (?:now )?to)\b|(?:[:—,]|\b(?:is|as|are))$"
)


class Asked(NamedTuple):
    """A question and its answer, the source cited at the end."""

    question: str
    answer: str


class Stray(NamedTuple):
    """A passage that would have stood under a plant it may not be about, and why it does not."""

    why: str
    answer: str


class Asker:
    """Asks about entries of one book; never the same question twice.

    The wording is chosen by the digest of entry and topic, so it does not depend on what else the
    book holds, unless two entries would be asked the same.
    """

    def __init__(self, title: str, author: str | None) -> None:
        self.title = title
        self.author = author
        self.voice = surname(author) if author else f"“{title}”"
        self._asked: set[str] = set()

    def ask(self, entry: Entry) -> Iterator[Asked | Stray]:
        """The questions of one entry, a section at a time; what is not surely its own as Stray."""
        for section in entry.sections:
            if section.topic == "essay":
                yield from self._essay(entry, section)
            else:
                yield from self._section(entry, section)

    def _section(self, entry: Entry, section: Section) -> Iterator[Asked | Stray]:
        groups = passages(section.paragraphs, SECTION_WORDS)
        for number, group in enumerate(groups):
            text = answer_text(group)
            if not _says_something(text):
                continue
            if stray := _stray(entry, group, text):
                yield stray
                continue
            topic = _topic(entry, section, text, number)
            label = topic.removeprefix(SECTION)
            values = {"opening": opening(group[0]), "section": label}
            wordings = ("section" if label != topic else topic, "opening")
            yield Asked(self._word(entry, wordings, values), self._cited(text, entry))

    def _essay(self, entry: Entry, section: Section) -> Iterator[Asked | Stray]:
        groups = passages(section.paragraphs, PASSAGE_WORDS)
        if entry.kind == "chapter" and fits(section.paragraphs, []):
            groups = [section.paragraphs]
        used: set[str] = set()
        planned: list[tuple[list[str], tuple[str, ...], dict[str, str]]] = []
        for number, group in enumerate(groups):
            wordings, values = _passage_wordings(entry, group, number, len(groups), used)
            if not wordings:
                continue
            if planned and wordings[0] == "opening" and fits(planned[-1][0], group):
                planned[-1][0].extend(group)
            else:
                planned.append((group, wordings, values))
        for group, wordings, values in planned:
            text = answer_text(group)
            if stray := _stray(entry, group, text):
                yield stray
            elif _says_something(text):
                yield Asked(self._word(entry, wordings, values), self._cited(text, entry))

    def _word(self, entry: Entry, wordings: tuple[str, ...], values: dict[str, str]) -> str:
        """The first wording not asked before, beginning with the one the digest chooses."""
        spoken = _spoken(entry, wordings[0])
        fields = {
            **_grammar(spoken, entry),
            "name": spoken,
            "author": self.voice,
            "book": self.title,
            **values,
        }
        for topic in wordings:
            forms = ASK[topic]
            start = int(digest(self.title, entry.heading, topic)[:8], 16)
            for turn in range(len(forms)):
                question = forms[(start + turn) % len(forms)].format(**fields)
                question = question[0].upper() + question[1:]
                if question not in self._asked:
                    self._asked.add(question)
                    return question
        tries = 2
        while f"{question[:-1]} ({tries})?" in self._asked:
            tries += 1
        self._asked.add(f"{question[:-1]} ({tries})?")
        return f"{question[:-1]} ({tries})?"

    def _cited(self, text: str, entry: Entry) -> str:
        book = f"{self.author}, {self.title}" if self.author else self.title
        under = (
            f"“{entry.within}”, “{entry.heading}”"
            if entry.within not in ("", self.title)
            else f"“{entry.heading}”"
        )
        return f"{text}\n\nSource: {book}, {under}."


def _stray(entry: Entry, group: list[str], text: str) -> Stray | None:
    """The passage, if it neither names its plant nor stands between the plant's heading and the next."""
    if entry.kind != "plant" or all(paragraph in entry.own for paragraph in group):
        return None
    named = names_of(entry.heading, entry.name, *entry.names)
    if named and named.search(text):
        return None
    return Stray(f"it names no '{entry.name}' and does not stand between its heading and the next", text)


def surname(author: str) -> str:
    """The last name: of `Nicholas Culpeper, M.D.` and of `Culpeper, Nicholas`."""
    head, _, tail = author.partition(",")
    words = head.split()
    if tail and len(words) == 1 and not re.fullmatch(r"[\sA-Z.]+", tail):
        return words[0]
    return words[-1]


def answer_text(paragraphs: list[str]) -> str:
    """The book's paragraphs without marks, the first letter a capital, nothing that only leads on."""
    texts = [text for text in map(plain, paragraphs) if text]
    if not texts:
        return ""
    if len(texts) > 1 and len(texts[-1].split()) <= MAX_LEAD_WORDS and _LEADS_ON.search(texts[-1]):
        texts.pop()
    *sentences, last = re.split(r"(?<=[.!?])\s+(?=[A-Z])", texts[-1])
    if sentences and len(last.split()) <= MAX_LEAD_WORDS and re.search(r"\bfollows?[:—-]+$", last):
        texts[-1] = texts[-1].removesuffix(last).rstrip()
    return "\n\n".join([capitalised(texts[0]), *texts[1:]])


def _says_something(text: str) -> bool:
    return len(re.findall(r"[^\W\d_]{2,}", text)) >= MIN_ANSWER_WORDS


def _topic(entry: Entry, section: Section, text: str, number: int) -> str:
    """The wording of a section: further parts of a long one ask for more."""
    if section.topic == "advice":
        return _advice(entry.name)
    if section.topic == "quotation":
        return (
            "quotation"
            if re.match(r"(?:Against|For|To|Of|In order|That)\b", entry.name)
            else "quotation_made"
        )
    if number:
        return {"virtues": "virtues_more", "account": "account"}.get(section.topic, "opening")
    if section.topic == "intro" and re.search(_NAMED, text):
        return "named"
    if section.topic == "making" and entry.kind == "plant":
        return "preparation"
    if section.topic == "making" and entry.name.startswith(("To ", "For ")):
        return "making_to" if entry.name.startswith("To ") else "advice_for"
    return section.topic


def _advice(name: str) -> str:
    if name.endswith("(another)"):
        return "advice_other" if name.startswith("For ") else "advice_on"
    first = name.split(" ")[0].lower()
    if re.fullmatch(r"(?:a )?caution\b.{0,10}", name, re.I):
        return "advice_caution"
    if first == "an" or " water " in name.lower():
        return "advice_water"
    return {"for": "advice_for", "to": "advice_to"}.get(first, "advice_on")


def _passage_wordings(
    entry: Entry, group: list[str], number: int, total: int, used: set[str]
) -> tuple[tuple[str, ...], dict[str, str]]:
    """The wordings that suit a passage, best first, and the values they need."""
    text = answer_text(group)
    values = {"opening": opening(group[0])}
    if entry.kind == "chapter":
        return _chapter_wordings(entry, group, number, total, used)
    if total == 1:
        return ("essay_remedy" if is_remedial(text) else "essay", "opening"), values
    if not number:
        return ("first", "opening"), values
    for topic in _candidates(text):
        if topic not in used:
            used.add(topic)
            if topic in ASK:
                wording = "passage_names" if topic == "names" else topic
                return (wording, "opening"), values
            values["ailments"] = topic
            return ("remedy" if " and " in topic else "remedy_one", "opening"), values
    phrase = next((p for p in phrases(group) if p not in used and p != entry.name), None)
    if phrase:
        used.add(phrase)
        return ("phrase", "opening"), {**values, "phrase": phrase}
    return ("opening",), values


def _chapter_wordings(
    entry: Entry, group: list[str], number: int, total: int, used: set[str]
) -> tuple[tuple[str, ...], dict[str, str]]:
    """A whole chapter, its beginning, or a passage that keeps naming something; other passages have none."""
    if not number:
        whole = "of" if entry.name.lower().startswith("of ") else "under"
        return (whole if total == 1 else "chapter_first", "chapter_opening"), {"opening": opening(group[0])}
    phrase = next((p for p in phrases(group, 3) if p not in used), None)
    if phrase is None:
        return (), {}
    used.add(phrase)
    return ("chapter_phrase", "chapter_opening"), {"phrase": phrase, "opening": opening(group[0])}


def _candidates(text: str) -> list[str]:
    """What may be asked of a passage: complaints as `gout and dropsy`, then its topics."""
    complaints = ailments(text)
    strong = topics(text)
    asked = [" and ".join(complaints)] if complaints else ["uses"] if is_remedial(text) else []
    return strong[:1] + asked + strong[1:] if strong and not _mostly_remedies(text) else asked + strong


def _mostly_remedies(text: str) -> bool:
    return len(re.findall(r"\b(?:tincture|decoction|infusion|doses?|poultice|relie\w+|cures?)\b", text)) >= 4


def _spoken(entry: Entry, topic: str) -> str:
    """The name as the question says it."""
    name = entry.name
    if entry.kind in ("chapter", "receipt", "quotation"):
        name = re.sub(r" \(another\)$", "", name)
        if topic in ("of", "making_to"):
            name = name[3:]
        if topic in ("advice_for", "advice_other"):
            name = re.sub(r"^For ", "", name)
        if topic not in ("under", "chapter_first", "chapter_opening"):
            name = re.sub(
                r"^(?:An?|The|To|For|Against|In order|That|Of)\b",
                lambda m: m[0].lower(),
                name,
            )
        if topic in ("of", "making_to"):
            name = name[0].lower() + name[1:] if name[1:2].islower() else name
        if topic == "making_to" and entry.name == title_case(entry.name.upper()):
            name = name.lower()
    if entry.kind == "simple":
        gloss = _gloss(entry)
        name = f"{name.removesuffix(', &c').removesuffix('&c').strip(' ,')}{gloss}"
    return name


def _gloss(entry: Entry) -> str:
    """` (Garlic)` for `_Allium._ Garlic. It is …`, where the text gives the English name first."""
    text = plain(entry.sections[0].paragraphs[0].split("_", 2)[-1]).lstrip(". ")
    match = re.match(r"(?:(?:Of|Or) (?:the )?)?([A-Z]?[a-z’' -]{3,30}?)[.,:;]", text)
    if not match or len(match[1].split()) > 3:
        return ""
    opens = r"(?:Is|Are|It|Its|Hot|Cold|Dry|The|They|This|That|An?|Helps?|See|As|I|Temperate|Very)\b"
    if not text.startswith(("Of ", "Or ")) and (re.match(opens, match[1]) or not match[1][0].isupper()):
        return ""
    return f" ({match[1].strip()})"


def _grammar(name: str, entry: Entry) -> dict[str, str]:
    """Verbs that agree with the name."""
    plural = is_plural(name)
    if entry.kind in ("receipt", "quotation"):
        plural = bool(re.match(r"(?:\w+ )?(?:Pills|Troches|Lozenges|Trochisci|Pilul|Roots)", name))
    within = entry.within.lower()
    if entry.kind == "receipt":
        within = "concerning " + re.sub(r"^(?:of|for) ", "", within) if within else ""
    return {
        "is": "are" if plural else "is",
        "is_told": "is told",
        "does": "do" if plural else "does",
        "has": "have" if plural else "has",
        "it": "they" if plural else "it",
        "grows": "grow" if plural else "grows",
        "looks": "look" if plural else "looks",
        "within": within,
    }
