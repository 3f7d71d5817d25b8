"""A text that says the same again and again: a unit of it without a break, or few different lines."""

import re
from collections import Counter

SHORTEST = 100  # characters that a loop covers
TIMES = 5  # how often a unit stands without a break
LONGEST_UNIT = 1500
LINES, DIFFERENT = 12, 0.25  # so many lines, of which so few are different ones
_PROBE = 16
FEW_PLACES = 600  # characters of a text in which a loop covers its middle or its end
_SPACE = re.compile(r"(?:^|\n)\s*\d+[.)]\s+|\s+")  # and the numbers of a list's items
_NUMBERED = re.compile(r"\n\s*\d+[.)]\s")
_LETTER = re.compile(r"[^\W\d_]")
_LINE_WORDS = 4


def loop(text: str) -> str | None:
    """The unit that a text repeats. White space and the numbers of items are not compared."""
    size = len(text)
    if not (
        _again(text, size - _PROBE)
        or _again(text, size // 2)
        or (size > FEW_PLACES and (_again(text, size * 3 // 4) or _again(text, size // 4)))
    ):
        return None
    plain = _SPACE.sub(" ", text) if _NUMBERED.search(text) else " ".join(text.split())
    size = len(plain)
    places = (size - _PROBE, size * 3 // 4, size // 2, size // 4)
    return next(filter(None, (_unit(plain, place) for place in places)), None) or _line(text)


def _again(text: str, place: int) -> bool:
    """Whether what stands at a place stands shortly before it and in more places."""
    probe = text[place : place + _PROBE]
    if "\n" in probe:
        probe = max(probe.split("\n"), key=len)
    found = text.find(probe, max(0, place - LONGEST_UNIT), place + len(probe) - 1) >= 0
    return found and text.count(probe) >= TIMES and _LETTER.search(probe) is not None


def _unit(text: str, place: int) -> str | None:
    """What stands without a break `TIMES` times around a place, if it has letters."""
    probe = text[place : place + _PROBE]
    before = text.rfind(probe, max(0, place - LONGEST_UNIT), place + len(probe) - 1)
    unit = text[before:place]
    if before < 0 or not _LETTER.search(unit):
        return None
    first, last = before, place
    while first >= len(unit) and text.startswith(unit, first - len(unit)):
        first -= len(unit)
    while text.startswith(unit, last):
        last += len(unit)
    return unit.strip() if last - first >= max(SHORTEST, TIMES * len(unit)) else None


def _line(text: str) -> str | None:
    """The commonest line of a text of many lines, few of which are different."""
    lines = (_SPACE.sub(" ", line).strip() for line in text.split("\n"))
    counted = Counter(line for line in lines if line.count(" ") >= _LINE_WORDS and _LETTER.search(line))
    if counted.total() < LINES or len(counted) > DIFFERENT * counted.total():
        return None
    return counted.most_common(1)[0][0]
