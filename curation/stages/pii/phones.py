"""Finding phone numbers in text.

Without a word that announces it: an international number with + and separators or at least ten digits, and
three, three and four digits parted by hyphens or dots, or with the first three in parentheses. Behind a word
such as "phone", "Telefon" or "call": 7 to 15 digits in the other groupings in which numbers are written down.
"""

import re
from collections.abc import Iterator

from curation.stages.pii.phone_words import announced

# Letters that make one word with what stands beside them. Those of Chinese, Thai or Korean do not.
_LETTER = r"A-Za-z0-9_\u00c0-\u024f"
_SPACE = r"\u00a0\u202f"
_DIGITS = re.compile(rf"[0-9][0-9 ()./{_SPACE}-]{{5}}")
# Where a number can begin: far faster to find.
_START = re.compile(rf"[+(\d](?<![{_LETTER}+.@$%~-].)(?=[\d ()./{_SPACE}\u2011-]{{6}})", re.DOTALL)
_PHONE = re.compile(
    rf"(?<![{_LETTER}+./@#$=&%~-])(?:"
    rf"(?P<international>\+[1-9]\d{{0,2}}(?:[ .{_SPACE}\u2011-]|(?=\())?(?:\(\d{{1,5}}\)[ .-]?)?\d{{1,5}}"
    rf"(?:[ .{_SPACE}\u2011-]?\d{{2,5}}){{1,5}})"
    r"|(?P<american>(?:1[ .-])?(?:\(\d{3}\)[ -]?|\d{3}(?P<mark>[.-]))\d{3}(?(mark)(?P=mark)|[ .-])\d{4})"
    rf"|(?P<other>\(?\d{{2,5}}\)?(?:[ .-]?\d{{2,6}}){{1,4}})"
    rf")(?:x\d{{1,6}})?(?![{_LETTER}]|[.,:/-]\d|[%\u00b0])"
)
# Behind a word that announces it; groups are cut off at its end until it is one.
_ANNOUNCED = re.compile(
    rf"\+?\(?\d{{1,15}}\)?(?:(?:[ .{_SPACE}\u2011/-]| ?[/-] ?|[ .-]?(?=\())?\(?\d{{1,6}}\)?){{0,6}}"
    rf"(?:x\d{{1,6}})?(?![{_LETTER}]|[.,:/-]\d|[%\u00b0]|-[A-Z]{{2}})"
)
# "555 1234 office"
_FOLLOWED = re.compile(r" ?-? ?(?:office|fax|mobile|cell)\b", re.IGNORECASE)
_LISTED = re.compile(
    r" ?(?:[,/;|&\u3001]|or|and|oder|und|ou|et|o|y|e|i|\u0438|\u0438\u043b\u0438|\u6216|\u548c) ?"
)
_GROUPS = re.compile(r"\d+")
_BEFORE = 48  # characters
_DATE = re.compile(
    r"\+?(?:19|20)\d\d([-./ ])\d{1,2}\1\d{1,2}|\d{1,2}([-./])\d{1,2}\2(?:19|20)\d\d"
    r"|(?:19|20)\d\d ?[-/] ?(?:19|20)\d\d(?!\d)|\+?(?:19|20)\d\d(?:0\d|1[0-2])[0-3]\d{7}(?!\d)"
)
# An address, or thousands.
_DOTTED = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}(?![.\d])|\d(?:\.\d{3})+(?![.\d])")
# The country calling codes of one and two digits; all others have three (ITU-T E.164 list).
_CODES = (
    "1 7 20 27 30 31 32 33 34 36 39 40 41 43 44 45 46 47 48 49 51 52 53 54 55 56 57 58 60 61 62 63 64 65 66 "
    "81 82 84 86 90 91 92 93 94 95 98"
)
_SHORT_CODES = frozenset(_CODES.split())
_LONG_CODES = re.compile(r"2[1-69]\d|3[578]\d|42\d|5[09]\d|6[789]\d|8[0578]\d|9[679]\d")


def find_phones(text: str) -> Iterator[tuple[int, int, str]]:
    """(start, end, digits) of every phone number in a text, in order and without overlap."""
    if not _DIGITS.search(text):
        return
    end = announced_end = 0
    for start in _START.finditer(text):
        at = start.start()
        if at < end:
            continue
        if match := _PHONE.match(text, at):
            end = match.end()
            if digits := _in_its_own_right(match):
                yield at, end, digits
                continue
        listed = bool(announced_end and _LISTED.fullmatch(text, announced_end, at))
        if found := _beside_a_word(text, at, match.end() if match else at, listed=listed):
            end, digits = found
            announced_end = end
            yield at, end, digits


def _in_its_own_right(match: re.Match[str]) -> str | None:
    """The digits of a number that needs no word before it."""
    said = match.group()
    digits = _digits(said)
    if not 7 <= len(digits) <= 15 or _DATE.match(said):
        return None
    if match["international"]:
        return digits if _is_international(digits, said) else None
    return digits if match["american"] and len(set(digits)) > 1 else None


def _beside_a_word(text: str, at: int, end: int, *, listed: bool) -> tuple[int, str] | None:
    """(end, digits) of the number that begins here, if a word before it or behind `end` says so.

    listed: whether it is one more of those that a word announces.
    """
    sort = "phone" if listed else announced(text[max(0, at - _BEFORE) : at])
    if not sort and not _FOLLOWED.match(text, end):
        return None
    match = _ANNOUNCED.match(text, at)
    if not match or _DATE.match(match.group()) or _DOTTED.match(match.group()):
        return None
    said = match.group()
    # A slash stands behind the code of a place, or between two numbers.
    if len(_digits(first := said.partition("/")[0])) >= 7:
        said = first.rstrip()
    while len(digits := _digits(said)) >= 7:
        groups = _GROUPS.findall(said.partition("x")[0])
        if len(digits) <= 15 and _is_written_so(groups, said, bare=7 if sort == "phone" else 9):
            return at + len(said), digits
        said = said[: said.rindex(groups[-1])].rstrip(" (/.-\u00a0\u202f\u2011")
    return None


def _is_international(digits: str, said: str) -> bool:
    code = digits[:1] in _SHORT_CODES or digits[:2] in _SHORT_CODES or bool(_LONG_CODES.match(digits))
    parted = len(_GROUPS.findall(said)) >= 3
    return code and (len(digits) >= 10 or (parted and len(digits) >= 8))


def _is_written_so(groups: list[str], said: str, *, bare: int) -> bool:
    """Whether the digits behind a phone word are grouped as a number is written down.

    bare: how many there must be in one group.
    """
    if len(groups) == 1:
        return len(groups[0]) >= bare
    if len(groups[-1]) >= 3:
        return True
    enough = 4 if "." in said else 3
    return len(groups) >= enough and len(groups[-1]) == 2 and len(groups[-2]) in (2, 3)


def _digits(said: str) -> str:
    return re.sub(r"[^0-9]", "", said.partition("x")[0])
