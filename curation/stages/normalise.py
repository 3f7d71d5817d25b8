"""Unicode and white space, so that equal texts are equal bytes and no invisible character remains.

What changes, under the name by which the row's note counts it:

ansi        terminal colour and cursor sequences are removed
newline     CRLF, CR, VT, FF, U+2028 and U+2029 become a line feed
mojibake    UTF-8 that was read as cp1252 or latin-1 (punctuation, accents of Western letters,
            emoji) is read as UTF-8
cp1252      U+0080 to U+009F become the characters that cp1252 meant by these bytes
control     other control characters and non-characters are removed
nbsp        U+00A0 becomes a space
invisible   zero-width spaces, joiners, marks and tags that show nothing are removed; joiners that
            follow an emoji or a letter of a script that shapes its letters stay, and so do
            zero-width spaces after Thai, Lao, Myanmar and Khmer, where they part words
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
from curation.stages.rewriting import Rejected, Rewritten, rewrite
from curation.stages.seam import Context, Rows, RowsFn, Split

_ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\))")
_NEWLINE = re.compile("\r*\n|[\r\x0b\x0c\u2028\u2029]")
_EATEN_FENCE = re.compile(r"`\x08ash\n(.*?)^`$", re.DOTALL | re.MULTILINE)

# Letters and signs whose look depends on a joiner after them. Hangul jamo are left out on
# purpose: they compose, and what follows them must not depend on when.
_JOINED = (
    "\u0590-\u109f\u1200-\u1cff\u2190-\u2bff\ufe0f\ua800-\ua95f\ua980-\uabff"
    "\U00010a00-\U00010a5f\U00011000-\U00011fff\U0001f000-\U0001faff"
)
_SPACELESS = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"
_ODD = re.compile(
    "(?P<flag>\U0001f3f4[\U000e0020-\U000e007e]+\U000e007f)"
    "|(?P<nbsp>\u00a0)"
    "|(?P<cp1252>[\x80-\x9f])"
    "|(?P<bidi>[\u202a-\u202e\u2066-\u2069])"
    "|(?P<invisible>[\u00ad\u180e\u2060-\u2065\u206a-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"
    f"|(?<![{_JOINED}])[\u200c\u200d]|(?<![{_SPACELESS}])\u200b)"
    "|(?P<control>[\x00-\x08\x0e-\x1f\x7f\ufdd0-\ufdef\ufffe\uffff])"
)
# One class of characters is found far faster than the alternation above.
_ANY_ODD = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\xa0\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff"
    "\ufdd0-\ufdef\ufff9-\ufffb\ufffe\uffff\U000e0000-\U000e007f]"
)
_DIRECTION = re.compile("[\u200e\u200f\u061c]")
_RIGHT_TO_LEFT = re.compile("[\u0590-\u061b\u061d-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]")

# The continuation bytes 80 to BF as cp1252 and latin-1 read them. A no-break space counts only
# after another one, because French puts one between a letter and a closing quotation mark.
_BYTES = {bytes([byte]).decode("cp1252", "ignore"): byte for byte in range(0x80, 0xC0)}
_BYTES |= {chr(byte): byte for byte in range(0x80, 0x100)}
_AFTER = "".join(re.escape(c) for c, byte in _BYTES.items() if c and byte < 0xC0)
_FIRST_AFTER = _AFTER.replace(re.escape("\xa0"), "")
_MOJIBAKE = re.compile(
    f"[\xc2\xc3][{_AFTER}]|[\xe2\xef][{_FIRST_AFTER}][{_AFTER}]|\xf0[{_FIRST_AFTER}][{_AFTER}]{{2}}"
)

_MISREAD = re.compile("[\xc2\xc3\xe2\xef\xf0]")

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
_SUSPECT_WIDE = (
    r"[\u{c2}\u{c3}\u{e2}\u{ef}\u{f0}][^\x00-\u{7f}\u{c0}-\u{151}]"
    r"|[\u{80}-\u{a0}\u{ad}\u{61c}\u{180e}\u{200b}-\u{200f}\u{2028}-\u{202e}\u{2060}-\u{206f}\u{feff}"
    r"\u{fdd0}-\u{fdef}\u{fff9}-\u{ffff}\u{e0000}-\u{e007f}]"
)
_ODD_ESCAPES = re.compile(r"\\[bfru]|\x7f")
_REPLACEMENT = "\ufffd"


def normalise(rows: pl.DataFrame, *, form: TextForm = "NFC", replacement: LostLetters = "flag") -> Split:
    """Rows with clean text; those with U+FFFD are flagged, or dropped with `replacement_character`.

    Needs `messages`, `tools`, `notes`. A changed row gets a note {"stage": "normalise", "repair":
    "text", "changed": {kind: count}}, a flagged one {"flag": "replacement_character", "count": n}.
    Idempotent.
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
        notes = _flag(notes, lost)
    return Rewritten(new, tools, notes)


def _flag(notes: str | None, lost: int) -> str:
    """`notes` with the flag, once: a second run finds the same characters again."""
    line = note(None, stage="normalise", flag="replacement_character", count=lost)
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
    return _remove_odd(text, changed) if _ANY_ODD.search(text) else text


def _remove_odd(text: str, changed: Counter[str]) -> str:
    if "\x08" in text:
        text = _counted(_EATEN_FENCE, r"```bash\n\1```", text, "fence", changed)
    if "\x1b" in text:
        text = _counted(_ANSI, "", text, "ansi", changed)
    # A lone line feed matches too, and replacing it changes nothing.
    unbroken = _NEWLINE.sub("\n", text)
    changed["newline"] += unbroken != text
    text = _ODD.sub(partial(_replace_odd, changed=changed), unbroken)
    if not _RIGHT_TO_LEFT.search(text):
        text = _counted(_DIRECTION, "", text, "invisible", changed)
    return text


def _reread(text: str, changed: Counter[str]) -> str:
    """`text` with its mojibake read as UTF-8, as often as it was misread."""

    def read(match: re.Match[str]) -> str:
        try:
            return bytes(_BYTES[c] for c in match.group()).decode()
        except UnicodeDecodeError:
            return match.group()

    # One class of characters is found far faster than the pattern.
    while _MISREAD.search(text) and (better := _MOJIBAKE.sub(read, text)) != text:
        changed["mojibake"] += len(text) - len(better)
        text = better
    return text


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
    if kind == "flag":
        return match.group()
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
