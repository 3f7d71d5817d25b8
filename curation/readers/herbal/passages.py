"""Long texts cut at paragraph borders, and what each passage speaks of."""

# Old books are set with curly quotes and dashes.
# ruff: noqa: RUF001

import re
from collections import Counter

from curation.readers.herbal.text import plain
from curation.readers.herbal.words import AILMENTS, PASSAGES, REMEDY

# An answer of an essay aims at this; no answer is longer than the maximum.
PASSAGE_WORDS = 300
MAX_ANSWER_WORDS = 1200
MIN_PASSAGE_WORDS = 90

_PASSAGE_PATTERNS = {
    topic: (re.compile(rf"\b(?:{words})\b", re.I), need) for topic, (words, need) in PASSAGES.items()
}
_AILMENT_PATTERNS = {name: re.compile(rf"\b(?:{words})\b", re.I) for name, words in AILMENTS.items()}
_SENTENCE_END = re.compile(r"(?<=[a-z\d)\]”\"’'][.!?])[\"”’)]?\s+(?=[\"“‘(]?[A-Z])")
_PHRASE = re.compile(
    r"(?:[A-Z][\w'’]+|(?:Dr|Sir|St|Mr|Mrs)\.)(?: (?:(?:of|the|de|and|van|von) )?[A-Z][\w'’]+){1,4}"
)
_OPENS_SENTENCE = re.compile(
    r"(?:The|This|That|These|Those|It|In|Of|For|And|But|His|Her|He|She|They|On|At|To|As|If|When|From|Also"
    r"|One|Again|Another|Our|With|There|By|Both|Some|Many|Old|Formerly|Chemically)\b"
)


def passages(paragraphs: list[str], target: int) -> list[list[str]]:
    """The paragraphs in groups of about `target` words and at most MAX_ANSWER_WORDS.

    A paragraph that announces the next one (it ends with a colon), and verse, stay with their
    neighbour; a short end joins the group before it.
    """
    groups: list[list[str]] = []
    for text in [piece for paragraph in paragraphs for piece in _pieces(paragraph)]:
        room = groups and _words(groups[-1]) + _words([text]) <= MAX_ANSWER_WORDS
        belongs = groups and (announces(groups[-1]) or "\n" in text)
        if room and (belongs or _words(groups[-1]) < target):
            groups[-1].append(text)
        else:
            groups.append([text])
    if len(groups) > 1 and _words(groups[-1]) < MIN_PASSAGE_WORDS:
        last = groups.pop()
        if _words(groups[-1]) + _words(last) <= MAX_ANSWER_WORDS:
            groups[-1] += last
        else:
            groups.append(last)
    return groups


def _words(texts: list[str]) -> int:
    return sum(len(text.split()) for text in texts)


def fits(first: list[str], second: list[str]) -> bool:
    """Whether two passages make one answer that is not too long."""
    return _words(first) + _words(second) <= MAX_ANSWER_WORDS


def announces(paragraphs: list[str]) -> bool:
    """Whether the last paragraph leads over to a next one."""
    return bool(paragraphs and re.search(r"(?:[:;,]|:?--|:—)[_\s]*$", paragraphs[-1]))


def _pieces(paragraph: str) -> list[str]:
    """The paragraph, cut at sentence ends into even pieces if it is too long for one answer."""
    size = len(paragraph.split())
    if size <= MAX_ANSWER_WORDS:
        return [paragraph]
    count = -(-size // (MAX_ANSWER_WORDS * 3 // 4))
    pieces: list[str] = []
    for sentence in _SENTENCE_END.split(paragraph):
        if pieces and len(pieces[-1].split()) + len(sentence.split()) / 2 < size / count:
            pieces[-1] += " " + sentence
        else:
            pieces.append(sentence)
    return pieces


def ailments(text: str) -> list[str]:
    """The complaints, at most two, that a passage of remedies names more than once."""
    if not is_remedial(text):
        return []
    counts = {name: len(pattern.findall(text)) for name, pattern in _AILMENT_PATTERNS.items()}
    ranked = sorted((-count, name) for name, count in counts.items() if count > 1)
    return [name for _, name in ranked[:2]]


def is_remedial(text: str) -> bool:
    """Whether a passage speaks of remedies."""
    return len(REMEDY.findall(text)) >= 3


def topics(text: str) -> list[str]:
    """What a passage speaks of, the strongest first: `chemistry`, `kitchen`, `lore`, `names`, `growth`."""
    words = max(1, len(text.split()))
    scores = []
    for topic, (pattern, need) in _PASSAGE_PATTERNS.items():
        count = len(pattern.findall(text))
        if count >= need or (count >= 3 and count / words > 0.03):
            scores.append((-count / need, topic))
    return [topic for _, topic in sorted(scores)]


def phrases(paragraphs: list[str], least: int = 2) -> list[str]:
    """Names and book titles that a passage says at least `least` times, the most frequent first."""
    text = plain(" ".join(paragraphs))
    named = Counter(phrase for phrase in _PHRASE.findall(text) if not _OPENS_SENTENCE.match(phrase))
    ranked = sorted((-count, phrase) for phrase, count in named.items())
    return [
        f"the {phrase}"
        if 2 * len(re.findall(rf"\bthe {re.escape(phrase)}", text, re.I)) >= -score
        else phrase
        for score, phrase in ranked
        if score <= -least
    ]


def opening(text: str) -> str:
    """The first words of a passage, as a question can quote them."""
    words = re.sub(r"[\"“”‘’']", "", plain(text)).split()
    for count in range(5, 10):
        if count >= len(words) or words[count - 1][-1] in ",;:.":
            break
    return " ".join(words[:count]).strip(" ,;:.—")
