"""Personal data and secrets: masked in place, or the row dropped, or flagged.

What counts is said in curation/personal_data.py. Every message is searched: content, speaker
names, and the strings inside tool-call arguments, which stay valid JSON. Tool schemas are not.

A value is replaced by its kind and a number, `[EMAIL_1]`, the same for the same value throughout
the row, so that a reader still sees who is who. Numbers go on after placeholders that the row
already has. Reason: `personal_data`, with the counts by kind as detail.
"""

import re
from collections import Counter
from collections.abc import Sequence
from functools import partial
from typing import Any, Literal

import polars as pl

from curation.json_strings import edit_strings
from curation.personal_data import KINDS, find
from curation.rewriting import Rejected, Rewritten, rewrite
from curation.row import Message, decode, encode, note
from curation.settings import Pii, PiiKind
from curation.stage import Context, Rows, RowsFn, Split

Action = Literal["mask", "drop", "flag"]

# What the JSON text of a row must hold for anything of a kind to be in it.
_SUSPECT: dict[PiiKind, str] = {
    "email": r"[A-Za-z0-9_+-]@[A-Za-z0-9]",
    "phone": r"[0-9][0-9 ().-]{5}[0-9]|\+[0-9 ().\u{2011}-]{9}",
    "ip": r"[0-9]\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]|[23][0-9A-Fa-f]{3}:[0-9A-Fa-f]{0,4}:",
    "card": r"[2-6][0-9]{3}[ -]?[0-9]{4}[ -]?[0-9]",
    "secret": r"AKIA|ASIA|gh[pousr]_|github_pat_|glpat-|xox[abeoprs]-|[sr]k_(?:live|test)_|sk-|AIza|hf_|npm_"
    r"|SG\.|:AA|eyJ|PRIVATE KEY|://[^ /:@]+:[^ /@]+@|slack\.com/services|earer[ \\]"
    r"|(?i:key|secret|token|passwo?r?d|pwd|credential)[A-Za-z0-9_.-]*[\\\x22' ]*[:=]",
}
# Cheaper still where the above is slow (literals, in any case), and a second look where it is broad.
_MARKS = {
    "secret": [
        *(
            "akia",
            "asia",
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
        ),
        *("sk-", "aiza", "hf_", "npm_", "sg.", ":aa", "eyj", "private", "://", "slack", "bearer"),
        *("key", "secret", "token", "passw", "pwd", "credential"),
    ]
}
_ALSO = {
    "phone": r"\+[0-9]|[0-9]{3}[.)-] ?[0-9]{3}[ .-][0-9]{4}"
    r"|(?i:phone|tel|mobile|cell|fax|whatsapp|hotline|call|text|dial|reach|contact|landline)[^0-9]{1,40}[0-9(]"
}
_PLACEHOLDER = re.compile(r"\[(EMAIL|PHONE|IP|CARD|SECRET)_(\d{1,9})\]")
# Figures in arguments that are no strings: a card number among them keeps its type.
_NUMBER = re.compile(r'"(?:[^"\\]++|\\.)*+"|(?<![\w.+-])\d{13,19}(?![\w.+-])', re.DOTALL)


def pii(rows: pl.DataFrame, *, action: Action = "mask", kinds: Sequence[PiiKind] = KINDS) -> Split:
    """Rows without personal data of the given kinds: masked, dropped or flagged.

    Needs `messages`, `notes`. A masked row's note is {"stage": "pii", "repair": "mask", "masked":
    {kind: count}}, any other's {"flag": "personal_data", "found": {kind: count}}. Idempotent.
    """
    messages = rows["messages"]
    # Inside arguments anything may be escaped.
    suspects = messages.str.contains(r"\\u00", literal=True)
    for kind in kinds:
        suspects = suspects | _may_hold(messages, kind)
    return rewrite(rows, suspects, partial(_judge, action=action, kinds=frozenset(kinds)))


def _may_hold(messages: pl.Series, kind: PiiKind) -> pl.Series:
    """Which rows may hold data of a kind."""
    places = (
        messages.str.contains_any(_MARKS[kind], ascii_case_insensitive=True).arg_true()
        if kind in _MARKS
        else None
    )
    for pattern in (_SUSPECT[kind], _ALSO.get(kind)):
        if pattern is not None:
            found = (messages if places is None else messages[places]).str.contains(pattern)
            places = found.arg_true() if places is None else places.filter(found)
    assert places is not None
    return pl.repeat(False, len(messages), dtype=pl.Boolean, eager=True).scatter(places, True)


def _judge(
    text: str, tools: str | None, notes: str | None, *, action: Action, kinds: frozenset[PiiKind]
) -> Rewritten | Rejected | None:
    messages = decode(text)
    mask = Mask(kinds, text)
    for message in messages:
        mask.message(message)
    found = dict(sorted(mask.found.items()))
    if not found:
        return None
    if action == "mask":
        notes = note(notes, stage="pii", repair="mask", masked=found)
        return Rewritten(encode(messages), tools, notes)
    flag = note(None, stage="pii", flag="personal_data", found=found)
    if not notes or flag not in notes.split("\n"):
        notes = flag if notes is None else f"{notes}\n{flag}"
    if action == "drop":
        return Rejected("personal_data", {"found": found}, notes)
    return Rewritten(text, tools, notes)


class Mask:
    """Masks one row: remembers which value got which placeholder, and counts what it found."""

    def __init__(self, kinds: frozenset[PiiKind], row: str) -> None:
        self.kinds = kinds
        self.found: Counter[str] = Counter()
        self._names: dict[tuple[str, str], str] = {}
        self._last: dict[str, int] = {}
        for kind, number in _PLACEHOLDER.findall(row) if "_" in row else ():
            self._last[kind] = max(self._last.get(kind, 0), int(number))

    def message(self, message: Message) -> None:
        """Mask content, speaker and arguments of a message in place."""
        for key in ("content", "name"):
            if message[key] and (key == "content" or message["role"] != "tool"):
                message[key] = self.text(message[key])
        for call in message["tool_calls"] or ():
            call["arguments"] = self.arguments(call["arguments"])

    def text(self, text: str, before: str = "", after: str = "") -> str:
        """`text` masked. `before` and `after` are what it stands in and only help to understand it."""
        skip = len(before)
        # Once more after a change: a value may only be one when its neighbour is gone.
        while True:
            whole = before + text + after
            parts, at = [], skip
            for finding in find(whole, self.kinds):
                if finding.start >= skip and finding.end <= skip + len(text):
                    parts += [whole[at : finding.start], self.placeholder(finding.kind, finding.value)]
                    at = finding.end
            if not parts:
                return text
            text = "".join(parts) + whole[at : skip + len(text)]

    def arguments(self, text: str) -> str:
        """Tool-call arguments masked: strings, and card numbers written as numbers, which become 0."""
        text = edit_strings(text, self._string)
        return _NUMBER.sub(self._number, text) if "card" in self.kinds else text

    def _string(self, value: str, before: str) -> str:
        return self.text(value, f'{before}"', '"') if before else self.text(value)

    def _number(self, match: re.Match[str]) -> str:
        figures = match.group()
        if figures[0] == '"' or not find(figures, frozenset(("card",))):
            return figures
        self.found["card"] += 1
        return "0"

    def placeholder(self, kind: PiiKind, value: str) -> str:
        """The placeholder of a value, counted."""
        self.found[kind] += 1
        name = kind.upper()
        if (kind, value) not in self._names:
            self._last[name] = self._last.get(name, 0) + 1
            self._names[kind, value] = f"[{name}_{self._last[name]}]"
        return self._names[kind, value]


def _bind(settings: Any, context: Context) -> RowsFn:
    assert isinstance(settings, Pii)
    return partial(pii, action=settings.action, kinds=tuple(settings.kinds))


STAGE = Rows(bind=_bind)
