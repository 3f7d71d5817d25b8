"""What looks like a tool call in a text from which none could be read: told with its spelling and beginning.

Tags and tokens that nothing else has; JSON that names an offered tool, or is a call from its beginning or to
its end; Python that calls one of the row's own tools at a line's start, or is a list of calls; a name of one
of these tools beside an object. Ordinary answers, with JSON, Python or the name of a tool in them, are none.
"""

import re
from itertools import islice

import orjson

from curation.calls.given_tools import Offer
from curation.calls.json_calls import NAMED, PASSED
from curation.calls.python_calls import python_calls
from curation.calls.spellings import HINT, SPELLINGS, TRIED, Call, is_open, read_as

_SHOWN = 80
# A name and what it passes, side by side in JSON or in Python's way of writing it.
_PAIR = re.compile(
    rf"""["'](?:{"|".join(NAMED)})["']\s*:\s*["'](?P<name>[^"'\n]+)["']\s*,\s*"""
    rf"""["'](?P<key>{"|".join(PASSED)})["']\s*:\s*["'{{]"""
)
# Names of what is passed that only calls have: others say `parameters` and `input` of other things, too.
_TELLING_KEYS = ("arguments", "tool_input", "action_input")
_TELLING = re.compile(rf"""["'](?:{"|".join(_TELLING_KEYS)})["']\s*:""")
# More than the language of a block of code.
_WORDS = re.compile(r"\w{7}|\w\s+\w")
_PASSING = re.compile(rf"""["'](?:{"|".join(PASSED)})["']\s*:""")
_CALL_BLOCK = re.compile(r"```(?:tool_calls?|tool_code|function_calls?)\b")
_WORD_CALLED = re.compile(r"(?:^|[\n`\[])[ \t]*([^\W\d][\w.]*)\(")
_CALLED = re.compile(r"([^\W\d][\w.]*)\(")
_LISTED = re.compile(r"^[ \t]*\[\s*(?=[^\W\d][\w.]*\()", re.MULTILINE)
_NAME_AND_OBJECT = re.compile(r"(?:>>>)?[\w.-]+[ \t]*\n\s*\{.*\}", re.DOTALL)
# What stands between a tool's name and an object in ways of writing that the table does not have.
_BETWEEN = (
    r"\W{0,8}(?:(?:arguments|args|parameters|params|input|tool_input|tool_name|tool|name|with)\W{1,8}){0,4}"
)
_OBJECT = r"\{\s*(?:[\"']?\w+[\"']?\s*:|\})"


def call_like(text: str, offer: Offer) -> tuple[str, str] | None:
    """The spelling of what looks like a call in a text that is none, and how it begins."""
    if not HINT.search(text):
        return None
    for name, spelling in SPELLINGS.items():
        opening = None if spelling.is_plain else spelling.opening.search(text)
        if opening is not None and not is_open(text[: opening.start()]):
            return name, text[opening.start() :][:_SHOWN]
    start = _json_like(text, offer)
    if start is not None:
        return "json", text[start:][:_SHOWN]
    if block := _CALL_BLOCK.search(text):
        return "fence", text[block.start() :][:_SHOWN]
    start = _python_like(text, offer)
    if start is not None:
        return "python", text[start:][:_SHOWN]
    if offer.is_own:
        if _NAME_AND_OBJECT.fullmatch(text.strip()):
            return "name_and_json", text.strip()[:_SHOWN]
        named = rf"\b(?:{'|'.join(map(re.escape, offer.names))})\b{_BETWEEN}{_OBJECT}"
        if beside := re.search(named, text, re.IGNORECASE):
            return "name_and_json", text[beside.start() :][:_SHOWN]
    return None


def _json_like(text: str, offer: Offer) -> int | None:
    """Where JSON that looks like a call begins."""
    for pair in _PAIR.finditer(text):
        is_first = _TELLING.match(text, pair.start("key") - 1) and not re.search(
            r"\w{7}", text[: pair.start()]
        )
        if pair["name"] in offer.names or is_first:
            return pair.start()
    for spelling in (SPELLINGS["json"], SPELLINGS["fence"]):
        found = read_as(spelling, text, offer)
        if found is None or not all(map(_passes, found[1])):
            continue
        keys = _PASSING if not text[: found[0]].strip() else _TELLING
        if keys.search(text, found[0]):
            return found[0]
    return None


def _passes(one: Call) -> bool:
    """Whether a call passes an object that is no schema, as the parameters of a tool's definition are."""
    try:
        passed = orjson.loads(one["arguments"] or "")
    except orjson.JSONDecodeError:
        return False
    return isinstance(passed, dict) and not ("properties" in passed or passed.get("type") == "object")


def _python_like(text: str, offer: Offer) -> int | None:
    """Where Python that looks like a call begins."""
    if offer.is_own:
        for word in _WORD_CALLED.finditer(text):
            if word[1] in offer.names:
                return word.start(1)
    for start in islice(_LISTED.finditer(text), TRIED):
        rest = text[start.start() :].strip()
        names = sorted(set(_CALLED.findall(rest)), key=len, reverse=True)
        if python_calls(rest.partition("]\n")[0].rstrip("]") + "]", names):
            return start.start()
    return None
