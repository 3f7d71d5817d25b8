"""Text from rows as a person can see it: nothing hidden, nothing that moves other text about."""

import re
import unicodedata
from collections.abc import Mapping
from typing import Any

import orjson

from curation.figures import figure

# Bidirectional controls, zero-width and other format characters, fillers, tags, the selectors that no emoji
# has, and control characters but \t and \n.
_HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    "\u3164\ufe00-\ufe0d\ufeff\uffa0\ufff0-\ufffb\U000e0000-\U000e0fff]"
)
_JOINERS = ("\u200c", "\u200d")  # part of how some scripts and emoji are spelt


def visible(text: str) -> str:
    """`text` with every character that cannot be seen spelt as its code point, such as ⟨U+202E⟩.

    Joiners between letters or emoji stay, and "\\r" before "\\n" goes.
    """
    return _HIDDEN.sub(_spell, text.replace("\r\n", "\n"))


def _spell(match: re.Match[str]) -> str:
    character, at = match.group(), match.start()
    if character in _JOINERS and 0 < at < len(match.string) - 1:
        around = unicodedata.category(match.string[at - 1]) + unicodedata.category(match.string[at + 1])
        if around[0] in "LMS" and around[2] in "LMS":
            return character
    return f"\u27e8U+{ord(character):04X}\u27e9"


def cut(text: str, most: int) -> tuple[str, int]:
    """At most `most` characters of a text, and how many were left out."""
    return (text, 0) if len(text) <= most else (text[:most], len(text) - most)


def short(text: str, most: int = 100) -> str:
    """A name from a row, cut where it is too long to be one."""
    start, more = cut(text, most)
    return f"{start} \u2026 {more:,} more characters" if more else start


def count(number: float | None, *beside: float | None) -> str:
    """12,345; an en dash for what is not known. beside: numbers that it must not seem equal to."""
    return "\u2013" if number is None else figure(number, *beside)


def percent(part: float | None, whole: float | None = 1) -> str:
    """part / whole as 12.3 %, which no line end parts; an en dash where there is no whole."""
    return "\u2013" if not whole or part is None else f"{100 * part / whole:.1f}\u00a0%"


def size(bytes_: int) -> str:
    """12.3 MB."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if bytes_ < 1000 or unit == "GB":
            return f"{bytes_:,.0f} {unit}" if unit == "bytes" else f"{bytes_:,.1f} {unit}"
        bytes_ /= 1000  # type: ignore[assignment]
    raise AssertionError("every size has a unit")


def words(name: str) -> str:
    """near_duplicate as `near duplicate`."""
    return name.replace("_", " ")


def note_text(entry: Mapping[str, Any]) -> str:
    """A repair or flag in a line: `tools: ids, count 2`."""
    what = str(entry.get("repair") or entry.get("flag") or "")
    rest = [
        f"{key} {value if isinstance(value, (int, str)) else orjson.dumps(value).decode()}"
        for key, value in sorted(entry.items())
        if key not in ("stage", "repair", "flag")
    ]
    return f"{entry.get('stage', '')}: {', '.join([what, *rest] if what else rest)}"
