"""Finding keys and passwords where such a thing belongs.

Two sorts: passwords in URLs, Slack hooks and bearer tokens; and values that look random and are assigned to a
name such as API_KEY, TOKEN or PASSWORD. Variables, calls, placeholders and words are no secrets. Tokens that
tell by their prefix what they are: curation/stages/pii/token_prefixes.py.
"""

import math
import re
from collections import Counter
from collections.abc import Iterator

from curation.stages.pii.words import share_of_words

_IN_PLACE = re.compile(
    r"://[^\s/:@\"'<>]{1,64}:(?P<password>[^\s/@\"'<>]{3,128})@(?=[\w\[])"
    r"|hooks\.slack\.com/(?:services|workflows|triggers)/(?P<hook>[A-Z0-9]+/[A-Z0-9]+/[A-Za-z0-9]{16,})"
    r"|\b[Bb]earer\s+(?P<bearer>[A-Za-z0-9._~+/-]{20,}=*)"
)
# Looked for in lower case, which is far faster than ignoring case; what follows is matched after it.
_NAME = re.compile(r"secret|token|passwo?r?d|passphrase|pwd|credential|key")
_PASSWORDS = frozenset(("password", "passwrd", "passwod", "passwd", "passphrase", "pwd"))
# Before `key`, what makes it the name of a secret.
_SECRET_KEY = re.compile(
    r"(?:api|access|account|admin|app(?:lication)?|auth|client|consumer|encryption|license|master|private|service"
    r"|shared|signing|storage|subscription)[_-]?$",
    re.IGNORECASE,
)
# What it is in code and data far more often.
_ORDINARY_KEY = re.compile(
    r"(?:public|pub|primary|foreign|sort|partition|cache|object|bucket|row|group|index|idx|natural|schema|sequence"
    r"|hot|host|idempotency|dedup|device|routing|file|tur|mon|don|hoc|jo|whis)[_-]?$",
    re.IGNORECASE,
)
# Tokens that say where a list goes on or what was read, and types: `"AWS::IAM::AccessKey"`.
_ORDINARY = re.compile(
    r"(?:next|page|pagination|continuation|cursor|sync|lock|change|idempotency)(?:page)?[_-]?$|[\"']\w+(?:::\w+)*::\w*$",
    re.IGNORECASE,
)
_QUOTED = r"\\?(?P<quote>[\"'`])(?P<quoted>(?:(?!(?P=quote))[^\s\\]){8,256})\\?(?P=quote)"
_BARE = r"(?P<bare>[^\s\"'`,;(){}<>\[\]$\\][^\s\"'`,;(){}<>\[\]\\]{7,255})"
_ASSIGNED = re.compile(
    r"[\w.-]{0,16}\\?[\"'`]?\s{0,4}(?::?\s?[Ss]tring\s{0,4})?"
    r"(?:[?:.+|]{0,3}=(?!=)|=>|:(?!:)|(?<=\w)>\s{0,8})\s{0,4}"
    rf"(?:{_QUOTED}|{_BARE}(?=[\"'\s,;)}}<\\]|$))"
)
# `--api-key VALUE` and `("API_KEY", "VALUE")`: what stands behind the name, and before it.
_OTHERWISE = (
    (re.compile(rf"[\w-]{{0,16}} (?!-){_BARE}(?=[\"'\s]|$)"), re.compile(r"(?<![\w-])--[\w-]{0,22}$")),
    (re.compile(rf"[\w.-]{{0,16}}[\"'`]\s?,\s{{0,4}}{_QUOTED}"), re.compile(r"\([\"'`][\w.-]{0,22}$")),
)
# What documents write where a password belongs.
_PLACEHOLDER = re.compile(r"[\[{<$%*].*|pass(?:word)?|pwd|secret|token|x+|\*+", re.IGNORECASE)
# Figures, dates and versions, and what a program fills in or calls.
_WRITTEN = re.compile(
    r"[0-9.,:/-]+|\d{4}-\d\d-\d\d\D.*|v?\d+(?:\.\d+)+(?:[.+-][a-z0-9]{1,8})*|[\[{<%].*|.*(?:\{\{|\$\{|\$\(|%\().*"
    r"|[\w.]+\(.*|.*[({].*[)}]"
)
# What stands in values that are shown to a reader, and in expressions.
_SAID = re.compile(
    r"example|sample|placeholder|dummy|change|insert|replace|password|secret|abcdef|12345|qwerty|xxxx"
    r"|\*\*\*|\.\.\.|process\.|environ|os\.|self\.|this\.|config\.|request|response",
    re.IGNORECASE,
)
_STOP_WORD = re.compile(
    r"your|my(?![a-z])|key|token|enter|abcd|1234|(?<![a-z])x{3}(?![a-z])",
    re.IGNORECASE,
)
_PATH = re.compile(r"[~.]{0,2}/|[A-Za-z]+://|[A-Za-z]:\\\\")
_DIGEST = re.compile(r"[0-9a-f-]+|[0-9A-F-]+|sha\d+[:-].*")
_CLASSES = tuple(re.compile(kind) for kind in ("[a-z]", "[A-Z]", "[0-9]", "[^A-Za-z0-9]"))
_STRONG = re.compile(r"[!#$%^&*+=?@~]")
_LETTER_AND_DIGIT = re.compile(r"(?<=[a-zA-Z])[0-9]|(?<=[0-9])[a-zA-Z]")
_CHANGE_OF_CASE = re.compile(r"(?<=[a-z])[A-Z]|(?<=[A-Z])[a-z]")


def find_assigned(text: str) -> Iterator[tuple[int, int, str]]:
    """(start, end, value) of every secret that stands where one belongs; those of two sorts may overlap."""
    if "://" in text or "earer" in text or "hooks.slack" in text:
        for match in _IN_PLACE.finditer(text):
            group = match.lastgroup
            assert group is not None
            value = match[group]
            if group == "hook" or (
                not _PLACEHOLDER.fullmatch(value) if group == "password" else is_random(value)
            ):
                yield match.start(group), match.end(group), value
    yield from _assigned(text)


def _assigned(text: str) -> Iterator[tuple[int, int, str]]:
    lowered = text.lower()
    for name in _NAME.finditer(lowered if len(lowered) == len(text) else text):
        before = text[max(0, name.start() - 24) : name.start()]
        found = _ASSIGNED.match(text, name.end()) or _otherwise(text, name.end(), before)
        if not found:
            continue
        is_key = name.group() == "key" and not _SECRET_KEY.search(before)
        group = found.lastgroup or ""
        if _ORDINARY.search(before) or (is_key and _ORDINARY_KEY.search(before)):
            continue
        if is_key and _names_something(found[group]):
            continue
        # People make passwords of words.
        if is_random(found[group], most_words=0.9 if name.group() in _PASSWORDS else 0.5):
            yield found.start(group), found.end(group), found[group]


def _otherwise(text: str, end: int, before: str) -> re.Match[str] | None:
    for behind, ahead in _OTHERWISE:
        if (found := behind.match(text, end)) and ahead.search(before):
            return found
    return None


def is_random(value: str, *, most_words: float = 0.5) -> bool:
    """Whether a value looks chosen at random rather than written for a reader.

    most_words: the share of its characters from which words make it written.
    """
    if _WRITTEN.fullmatch(value) or _SAID.search(value):
        return False
    words = share_of_words(value)
    if (
        words >= most_words
        or (words >= 0.2 and _STOP_WORD.search(value))
        or (words >= 0.3 and _PATH.match(value))
    ):
        return False
    lower, upper, digits, others = (bool(kind.search(value)) for kind in _CLASSES)
    if not digits:
        mixed = _STRONG.search(value) if len(value) < 12 else _mixes_cases(value) or _STRONG.search(value)
        return bool(lower and upper and words < 0.3 and mixed)
    classes = lower + upper + digits + others
    if len(value) >= 16:
        return classes >= 2 and bits(value) >= 3.0
    if "." in value or bits(value) < 2.75:
        return False
    return classes >= 3 or (len(value) >= 12 and len(_LETTER_AND_DIGIT.findall(value)) >= 4)


def _names_something(value: str) -> bool:
    """Whether what is only called a key is short, a digest or a UUID: a key by which things are found."""
    return len(value) < 24 or bool(_DIGEST.fullmatch(value))


def _mixes_cases(value: str) -> bool:
    return 4 * len(_CHANGE_OF_CASE.findall(value)) >= len(value)


def bits(value: str) -> float:
    """Shannon entropy of the characters of a value, bits per character."""
    return -sum(n / len(value) * math.log2(n / len(value)) for n in Counter(value).values())
