"""Unicode and white space, so that equal texts are equal bytes and no invisible character remains.

What changes, under the name by which the row's note counts it:

ansi        terminal colour and cursor sequences are removed
newline     CRLF, CR, VT, FF, U+2028 and U+2029 become a line feed
mojibake    UTF-8 that was read as another encoding is read as UTF-8 (mojibake.py)
cp1252      U+0080 to U+009F become the characters that cp1252 meant by these bytes
control     other control characters and non-characters are removed
nbsp        U+00A0 becomes a space, and so does a Braille blank that stands in no Braille
invisible   characters that show nothing are removed, but for those that shape what stands beside
            them (invisible.py)
bidi        embeddings, overrides and isolates are removed
fence       a Markdown fence that PowerShell ate (a backtick, U+0008, "ash") is restored
nfc         Unicode normalisation form C
space       spaces at line ends and blank lines at both ends are removed

Only `content` and the `name` of speakers change. Arguments stay as they are, white space inside
code fences, patches and tool results too, and indentation everywhere.
"""

import re
import unicodedata
from collections import Counter
from functools import partial
from typing import Any

import polars as pl

from curation.recipe.stages import LostLetters, Normalise, TextForm
from curation.row import decode, encode, note
from curation.stages.invisible import BRAILLE_BLANK, HIDDEN, remove_invisible
from curation.stages.mojibake import HINT, left, mend
from curation.stages.rewriting import Rejected, Rewritten, rewrite
from curation.stages.seam import Context, Rows, RowsFn, Split

_ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\))")
_NEWLINE = re.compile("\r*\n|[\r\x0b\x0c\u2028\u2029]")
_EATEN_FENCE = re.compile(r"`\x08ash\n(.*?)^`$", re.DOTALL | re.MULTILINE)

# The last two of each plane are no characters.
_NO_CHARACTERS = "\ufdd0-\ufdef" + "".join(
    f"{chr(p + 0xFFFE)}{chr(p + 0xFFFF)}" for p in range(0, 0x110000, 0x10000)
)
_ODD = re.compile(
    "(?P<nbsp>\u00a0)|(?P<cp1252>[\x80-\x9f])|(?P<bidi>[\u202a-\u202e\u2066-\u2069])"
    f"|(?P<control>[\x00-\x08\x0e-\x1f\x7f{_NO_CHARACTERS}])"
)
# One class of characters is found far faster than the alternation above.
_ANY_ODD = re.compile(f"[\x00-\x08\x0b-\x1f\x7f-\xa0\u2028-\u202e\u2066-\u2069{_NO_CHARACTERS}]")
_ANY_INVISIBLE = re.compile(f"[{HIDDEN}{BRAILLE_BLANK}]")

_LEADING = re.compile(r"(?:[ \t]*\n)+")
_PATCH = re.compile(r"^@@ -\d", re.MULTILINE)

# Characters that NFC may change, alone or with what stands before them (a test compares this with
# unicodedata): all marks, conjoining jamo, and everything with a singleton decomposition.
_UNSETTLED = (
    r"\p{M}\u{374}\u{37e}\u{387}\u{958}-\u{95f}\u{9dc}-\u{9df}\u{a33}-\u{a36}\u{a59}-\u{a5e}"
    r"\u{b5c}\u{b5d}\u{f43}-\u{fb9}\u{1161}-\u{11c2}\u{1f71}-\u{1ffd}\u{2000}\u{2001}\u{2126}-\u{212b}"
    r"\u{2329}\u{232a}\u{2adc}\u{f900}-\u{faff}\u{fb1d}-\u{fb4e}\u{1d15e}-\u{1d1c0}\u{2f800}-\u{2fa1d}"
)
# All of this is looked for in the JSON text, where controls and line feeds are escapes. Apart, the
# regex engine finds each by its literals; together it would walk every byte.
_SUSPECT = (
    r"\\u00|\\[bfr]",
    r"\x7f",
    r"[ \t]\\n|\\t\\n",
    r"\"content\":\"(?: |\\t)*\\n",
    r"(?: |\\[nt])\",\"name\":",
    r"\"name\":\"(?:[ ]|[^\"]*[ ]\")",
)
# And this only in texts that are not ASCII.
_SUSPECT_WIDE = f"{HINT}|[\x80-\xa0\u2028-\u202e\u2066-\u2069\ufffd{_NO_CHARACTERS}{HIDDEN}{BRAILLE_BLANK}]"
_ODD_ESCAPES = re.compile(r"\\[bfru]|\x7f")
_REPLACEMENT = "\ufffd"


def normalise(rows: pl.DataFrame, *, form: TextForm = "NFC", replacement: LostLetters = "flag") -> Split:
    """Rows with clean text; those with U+FFFD are flagged, or dropped with `replacement_character`.

    Needs `messages`, `tools`, `notes`. A changed row gets a note {"stage": "normalise", "repair":
    "text", "changed": {kind: count}}, a flagged one {"flag": "replacement_character", "count": n},
    and with "mojibake" where some is left that cannot be mended. Idempotent.
    """
    suspects = _suspects(rows["messages"], form)
    return rewrite(rows, suspects, partial(_clean_row, form=form, drops=replacement == "drop"))


def _suspects(messages: pl.Series, form: TextForm) -> pl.Series:
    """Which rows may change, or hold what is flagged."""
    wide = (messages.str.len_bytes() != messages.str.len_chars()).arg_true()
    pattern = _SUSPECT_WIDE if form == "none" else f"{_SUSPECT_WIDE}|[{_UNSETTLED}]"
    found = pl.repeat(False, len(messages), dtype=pl.Boolean, eager=True)
    found = found.scatter(wide.filter(messages[wide].str.contains(pattern)), True)
    for pattern in _SUSPECT:
        found = found | messages.str.contains(pattern)
    return found


def _clean_row(
    text: str, tools: str | None, notes: str | None, *, form: TextForm, drops: bool
) -> Rewritten | Rejected | None:
    messages = decode(text)
    changed: Counter[str] = Counter()
    # In most rows only white space is amiss, and other characters need no look.
    odd = not text.isascii() or bool(_ODD_ESCAPES.search(text))
    for message in messages:
        content, name, is_result = message["content"], message["name"], message["role"] == "tool"
        if content:
            message["content"] = clean(content, form, changed, trim=not is_result, odd=odd)
        if name and not is_result:
            message["name"] = clean(name, form, changed, odd=odd).strip() or None
    lost = sum(m["content"].count(_REPLACEMENT) for m in messages if m["content"])
    if lost and drops:
        return Rejected("replacement_character", {"count": lost}, notes)
    new = encode(messages)
    if new != text:
        kinds = {kind: changed[kind] for kind in sorted(changed) if changed[kind]}
        notes = note(notes, stage="normalise", repair="text", changed=kinds)
    if lost:
        notes = _flag(notes, "replacement_character", lost)
    misread = sum(left(m["content"]) for m in messages if m["content"])
    if misread:
        notes = _flag(notes, "mojibake", misread)
    return Rewritten(new, tools, notes)


def _flag(notes: str | None, flag: str, count: int) -> str:
    """`notes` with the flag, once: a second run finds the same characters again."""
    line = note(None, stage="normalise", flag=flag, count=count)
    if notes and line in notes.split("\n"):
        return notes
    return line if notes is None else f"{notes}\n{line}"


def clean(text: str, form: TextForm, changed: Counter[str], *, trim: bool = True, odd: bool = True) -> str:
    """`text` as the top of this file says; counts what it changes by kind.

    trim: white space too. odd: whether there may be anything but white space and printable ASCII.
    """
    # What was removed may have stood between a letter and its accent, or inside mojibake.
    while odd and (better := _clean_characters(text, form, changed)) != text:
        text = better
    if trim:
        trimmed = trim_space(text)
        changed["space"] += trimmed != text
        text = trimmed
    return text


def _clean_characters(text: str, form: TextForm, changed: Counter[str]) -> str:
    if not text.isascii():
        text = _reread(text, changed)
        text = _compose(text, form, changed)
    if _ANY_ODD.search(text):
        text = _remove_odd(text, changed)
    return remove_invisible(text, changed) if _ANY_INVISIBLE.search(text) else text


def _remove_odd(text: str, changed: Counter[str]) -> str:
    if "\x08" in text:
        text = _counted(_EATEN_FENCE, r"```bash\n\1```", text, "fence", changed)
    if "\x1b" in text:
        text = _counted(_ANSI, "", text, "ansi", changed)
    # A lone line feed matches too, and replacing it changes nothing.
    unbroken = _NEWLINE.sub("\n", text)
    changed["newline"] += unbroken != text
    return _ODD.sub(partial(_replace_odd, changed=changed), unbroken)


def _reread(text: str, changed: Counter[str]) -> str:
    better = mend(text)
    if len(better) < len(text):
        changed["mojibake"] += len(text) - len(better)
    elif better != text:  # one character for each: no UTF-8, but bytes that cp1252 spells
        changed["cp1252"] += sum(a != b for a, b in zip(text, better, strict=False))
    return better


def _counted(pattern: re.Pattern[str], new: str, text: str, kind: str, changed: Counter[str]) -> str:
    text, count = pattern.subn(new, text)
    changed[kind] += count
    return text


def _compose(text: str, form: TextForm, changed: Counter[str]) -> str:
    if form == "none" or text.isascii() or unicodedata.is_normalized(form, text):
        return text
    changed["nfc"] += 1
    return unicodedata.normalize(form, text)


def _replace_odd(match: re.Match[str], changed: Counter[str]) -> str:
    kind = match.lastgroup
    assert kind is not None
    changed[kind] += 1
    if kind == "nbsp":
        return " "
    return match.group().encode("latin-1").decode("cp1252", "ignore") if kind == "cp1252" else ""


def trim_space(text: str) -> str:
    """`text` without spaces at line ends and blank lines at both ends; fences and patches keep theirs."""
    if "@@ -" in text and _PATCH.search(text):
        return text.strip("\n")
    if " \n" in text or "\t\n" in text:
        parts = text.split("```")
        parts[::2] = [_trim_line_ends(part) for part in parts[::2]]
        text = "```".join(parts)
    leading = _LEADING.match(text)
    return (text[leading.end() :] if leading else text).rstrip(" \t\n")


def _trim_line_ends(text: str) -> str:
    *lines, last = text.split("\n")
    return "\n".join([*(line.rstrip(" \t") for line in lines), last])


def _bind(settings: Any, context: Context) -> RowsFn:
    assert isinstance(settings, Normalise)
    return partial(normalise, form=settings.form, replacement=settings.replacement)


STAGE = Rows(bind=_bind)
