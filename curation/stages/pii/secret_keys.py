"""Finding keys, tokens and passwords in text.

Three sorts: keys with a telling prefix (AWS, GitHub, GitLab, Slack, Stripe, OpenAI, Anthropic,
Google, Hugging Face, npm, SendGrid, Telegram), JSON web tokens and private key blocks; passwords in
URLs, Slack hooks and bearer tokens; and values that look random and are assigned to a name such as
API_KEY, TOKEN or PASSWORD. Variables, calls, placeholders and words are no secrets.
"""

import math
import re
from collections import Counter
from collections.abc import Iterator

# Only a text that holds one of these can hold a key with a prefix.
_MARKS = (
    *(
        "AKIA",
        "ASIA",
        "ghp_",
        "gho_",
        "ghu_",
        "ghs_",
        "ghr_",
        "github_pat_",
        "glpat-",
        "xox",
        "sk_",
        "rk_",
        "sk-",
    ),
    *("AIza", "hf_", "npm_", "SG.", ":AA", "eyJ", "-----BEGIN"),
)
_PREFIXED = re.compile(
    r"(?<![A-Za-z0-9])(?:"
    r"(?:AKIA|ASIA)[A-Z0-9]{16}(?![A-Za-z0-9])"
    r"|gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{22,}|glpat-[A-Za-z0-9_-]{20,}"
    r"|xox[abeoprs]-[A-Za-z0-9-]{10,}"
    r"|[sr]k_(?:live|test)_[A-Za-z0-9]{10,}"
    r"|sk-(?=[A-Za-z_-]*[0-9])[A-Za-z0-9_-]{20,}"
    r"|AIza[A-Za-z0-9_-]{35}|hf_[A-Za-z0-9]{30,}|npm_[A-Za-z0-9]{36}"
    r"|SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}|[0-9]{8,10}:AA[A-Za-z0-9_-]{33}"
    r"|eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{10,}"
    r")"
    r"|-----BEGIN (?P<block>[A-Z ]{0,24}PRIVATE KEY(?: BLOCK)?)-----(?:\s|\\n)+(?=[A-Za-z0-9+/=])"
    r"[A-Za-z0-9+/=\s\\:.,-]{16,}?(?:-----END (?P=block)-----|\Z)"
)
_IN_PLACE = re.compile(
    r"://[^\s/:@\"'<>]{1,64}:(?P<password>[^\s/@\"'<>]{3,128})@(?=[\w\[])"
    r"|hooks\.slack\.com/services/(?P<hook>T[A-Z0-9]+/B[A-Z0-9]+/[A-Za-z0-9]{16,})"
    r"|\b[Bb]earer\s+(?P<bearer>[A-Za-z0-9._~+/-]{20,}=*)"
)
# Looked for in lower case, which is far faster than ignoring case; what follows is matched after it.
_NAME = re.compile(r"(?:api|access|private|auth)[_-]?key|secret|token|passwo?r?d|pwd|credential")
_ASSIGNED = re.compile(
    r"[\w.-]{0,16}[\"']?\s{0,4}(?::=|=>|=(?!=)|:(?!:))\s{0,4}"
    r"(?:(?P<quote>[\"'`])(?P<quoted>[^\s\"'`\\]{8,256})(?P=quote)"
    r"|(?P<bare>[^\s\"'`,;(){}<>\[\]$\\]{8,256})(?=[\"'\s,;)}]|$))"
)
# What documents write where a password belongs.
_PLACEHOLDER = re.compile(r"[\[{<$%*].*|pass(?:word)?|pwd|secret|token|x+|\*+", re.IGNORECASE)
# Words, figures, paths, and what a program fills in.
_WRITTEN = re.compile(r"[A-Za-z_.-]+|[0-9.,:/-]+|[/~.\[<{$%].*|.*[({].*[)}].*")
_WORDLIKE = re.compile(
    r"your|example|sample|placeholder|dummy|change|insert|replace|enter|xxx|\*\*\*|\.\.\.|1234|abcd|my[_-]?|"
    r"secret|password|token|key|process\.|environ|os\.|self\.|this\.|config\.|request|response",
    re.IGNORECASE,
)


def find_secrets(text: str) -> Iterator[tuple[int, int, str]]:
    """(start, end, value) of every secret in a text; those of different sorts may overlap."""
    if any(mark in text for mark in _MARKS):
        for match in _PREFIXED.finditer(text):
            yield match.start(), match.end(), match.group()
    if "://" in text or "earer" in text or "hooks.slack" in text:
        for match in _IN_PLACE.finditer(text):
            group = match.lastgroup
            assert group is not None
            value = match[group]
            if group == "hook" or (
                not _PLACEHOLDER.fullmatch(value) if group == "password" else is_random(value)
            ):
                yield match.start(group), match.end(group), value
    lowered = text.lower()
    for name in _NAME.finditer(lowered if len(lowered) == len(text) else text):
        assigned = _ASSIGNED.match(text, name.end())
        if assigned:
            group = "quoted" if assigned["quoted"] else "bare"
            if is_random(assigned[group]):
                yield assigned.start(group), assigned.end(group), assigned[group]


def is_random(value: str) -> bool:
    """Whether a value looks chosen at random rather than written for a reader."""
    if _WORDLIKE.search(value) or _WRITTEN.fullmatch(value) or not re.search("[0-9]", value):
        return False
    classes = sum(bool(re.search(kind, value)) for kind in ("[a-z]", "[A-Z]", "[0-9]", "[^A-Za-z0-9]"))
    if len(value) >= 16:
        return classes >= 2 and bits(value) >= 3.0
    return classes >= 3 and bits(value) >= 2.75 and "." not in value


def bits(value: str) -> float:
    """Shannon entropy of the characters of a value, bits per character."""
    return -sum(n / len(value) * math.log2(n / len(value)) for n in Counter(value).values())
