"""Personal data and secrets: masked in place, or the row dropped, or flagged.

What counts is said in curation/stages/pii/personal_data.py. Every message is searched: content, speaker
names, and the strings inside tool-call arguments, which stay valid JSON. Tool schemas are not.

A value is replaced by its kind and a number, `[EMAIL_1]`, the same for the same value throughout
the row, so that a reader still sees who is who. Numbers go on after placeholders that the row
already has. Reason: `personal_data`, with the counts by kind as detail.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import orjson
import polars as pl

from curation.recipe.stages import PII_KINDS, Pii, PiiAction, PiiKind
from curation.row import Message, decode, encode, note
from curation.stages.pii.json_strings import edit_strings
from curation.stages.pii.personal_data import KINDS, Sort, find
from curation.stages.pii.phone_words import look_ahead
from curation.stages.pii.public import Public
from curation.stages.pii.token_prefixes import MINGLED, SEPARATED, SEPARATOR, TELLING, Token
from curation.stages.rewriting import Rejected, Rewritten, Verdict, rewrite_together
from curation.stages.seam import Context, Rows, RowsFn, Split


def _any_of(tokens: Iterable[Token]) -> str:
    return "|".join(re.escape(mark) for token in tokens for mark in token.marks.split())


# What a text, or the JSON text of a row, must hold for anything of a kind to be in it: one of its
# groups of patterns, and of this each. The first of a group is looked for in all rows, so it is one
# that the regex engine finds fast: few literals, or digits.
_FIGURES = r"[0-9][0-9 ()./\u{a0}\u{202f}-]{5,12}[0-9]"
_NAME = r"[Kk]ey|KEY|[Ss]ecret|SECRET|[Tt]oken|TOKEN|[Pp]ass[wWp]|PASS[WP]|[Pp]wd|PWD|[Cc]red|CRED"
_TOKEN = r"AKIA|ASIA|AIza|SG\.|:AA|eyJ|xox"
_SECRET = rf"{_NAME}|{_TOKEN}|slack\.com/|earer|://"
_VALUE = r"[^\s\x22'`\\]{8}"
_SUSPECT: dict[Sort, tuple[tuple[str, ...], ...]] = {
    "email": ((r"[A-Za-z0-9_+\u{80}-\u{fff}-]@[A-Za-z0-9\u{80}-\u{fff}]",),),
    "phone": (
        (
            _FIGURES,
            rf"\+[0-9]|[0-9]{{3}}[.)-][ -]?[0-9]{{3}}[ .-][0-9]{{4}}|{look_ahead()}"
            r"|[0-9] ?-? ?(?i-u:office|fax|mobile|cell)",
        ),
        (r"\+[0-9 ().\u{a0}\u{202f}\u{2011}-]{9}", r"\+[0-9]"),
    ),
    "ip": (
        (_FIGURES, r"[0-9]\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]"),
        (r"[23][0-9A-Fa-f]{3}:[0-9A-Fa-f]{0,4}:",),
    ),
    "card": ((_FIGURES, r"[2-6][0-9]{3}[ -]?[0-9]{4}[ -]?[0-9]"),),
    "token": (
        (_SECRET, rf"{_TOKEN}|PRIVATE KEY"),
        (SEPARATOR, _any_of(SEPARATED)),
        (MINGLED, _any_of(TELLING)),
    ),
    "assigned": (
        (_SECRET, r"slack\.com/|earer[\s\\]|://[^ /:@]+:[^ /@]+@"),
        (
            _SECRET,
            rf"(?:{_NAME})[A-Za-z0-9_.-]*(?:\\+[nrt]|[\\\x22'`\s])*(?:[:=>?.+|]|[Ss]tring|,)"
            rf"(?:\\+[nrt]|[\\\x22'`\s:=>])*{_VALUE}|--[A-Za-z-]*(?:{_NAME})[A-Za-z-]* {_VALUE}",
        ),
    ),
}
# Inside arguments anything may be escaped.
_ESCAPE = r"\\(?:u00|/)"
_PLACEHOLDER = re.compile(r"\[(EMAIL|PHONE|IP|CARD|SECRET)_(\d{1,9})\]")
# Figures in arguments that are no strings: a card number among them keeps its type.
_NUMBER = re.compile(r'"(?:[^"\\]++|\\.)*+"|(?<![\w.+-])\d{13,19}(?![\w.+-])', re.DOTALL)


def pii(
    rows: pl.DataFrame,
    *,
    action: PiiAction = "mask",
    kinds: Sequence[PiiKind] = PII_KINDS,
    keep: Sequence[str] = (),
) -> Split:
    """Rows without personal data of the given kinds: masked, dropped or flagged. What is in `keep` stays.

    Needs `messages`, `notes`. A masked row's note is {"stage": "pii", "repair": "mask", "masked":
    {kind: count}}, any other's {"flag": "personal_data", "found": {kind: count}}. Counts all that was
    `found`, and the findings by kind. Idempotent.
    """
    messages = rows["messages"]
    suspects = messages.str.contains(r"\\u00", literal=True) | messages.str.contains(r"\\/", literal=True)
    firsts: dict[str, pl.Series] = {}
    for places in (places for sort in _sorts(kinds) for places in _places(messages, sort, firsts)):
        if not places.is_empty():
            suspects = suspects.scatter(places, True)
    decide = partial(_verdicts, action=action, sorts=_sorts(kinds), public=Public(keep))
    split = rewrite_together(rows, suspects, decide)
    found = found_in(pl.concat([split.kept["notes"], split.dropped["notes"]]))
    return replace(split, counts={"found": found.total(), **found})


def found_in(notes: pl.Series) -> Counter[str]:
    """How often each kind of personal data was found, from the notes of this stage."""
    found: Counter[str] = Counter()
    lines = notes.drop_nulls().str.split("\n").explode(empty_as_null=False)
    for line in lines.filter(lines.str.contains('"stage":"pii"', literal=True)):
        entry = orjson.loads(line)
        for counts in (v for v in entry.values() if isinstance(v, dict)):
            found.update(counts)
    return found


def _sorts(kinds: Iterable[PiiKind]) -> frozenset[Sort]:
    return frozenset(sort for sort, kind in KINDS.items() if kind in kinds)


def _places(texts: pl.Series, sort: Sort, firsts: dict[str, pl.Series]) -> list[pl.Series]:
    """Where texts may hold data of a sort. firsts: the places of first patterns, shared by the sorts."""
    found = []
    for first, *others in _SUSPECT[sort]:
        if first not in firsts:
            firsts[first] = texts.str.contains(first).arg_true()
        places = firsts[first]
        for pattern in others:
            places = places.filter(texts[places].str.contains(pattern))
        found.append(places)
    return found


def _verdicts(
    rows: pl.DataFrame, *, action: PiiAction, sorts: frozenset[Sort], public: Public
) -> Iterator[Verdict]:
    conversations = [decode(text) for text in rows["messages"]]
    # A row has many messages, and most of them nothing that is worth a closer look.
    suspects = _suspects([t for c in conversations for m in c for t in _texts(m)], sorts)
    cells = zip(conversations, rows["messages"], rows["tools"], rows["notes"], strict=True)
    for messages, *row in cells:
        mask = Mask(row[0], suspects, public)
        for message in messages:
            mask.message(message)
        found = dict(sorted(mask.found.items()))
        yield _verdict(found, action, Rewritten(*row), messages) if found else None


def _verdict(
    found: dict[str, int], action: PiiAction, row: Rewritten, masked: Sequence[Message]
) -> Rewritten | Rejected:
    notes = row.notes
    if action == "mask":
        notes = note(notes, stage="pii", repair="mask", masked=found)
        return Rewritten(encode(masked), row.tools, notes)
    flag = note(None, stage="pii", flag="personal_data", found=found)
    if not notes or flag not in notes.split("\n"):
        notes = flag if notes is None else f"{notes}\n{flag}"
    if action == "drop":
        return Rejected("personal_data", {"found": found}, notes)
    return row._replace(notes=notes)


def _texts(message: Message) -> Iterator[str]:
    """The texts of a message that are searched."""
    if message["content"]:
        yield message["content"]
    if message["name"] and message["role"] != "tool":
        yield message["name"]
    for call in message["tool_calls"] or ():
        yield call["arguments"]


def _suspects(texts: Sequence[str], sorts: frozenset[Sort]) -> dict[str, frozenset[Sort]]:
    """The texts that may hold anything, with its sorts."""
    column = pl.Series(texts, dtype=pl.String)
    found = {text: sorts for text in column.filter(column.str.contains(_ESCAPE))}
    firsts: dict[str, pl.Series] = {}
    for sort in sorts:
        for text in column[pl.concat(_places(column, sort, firsts)).unique()]:
            found[text] = found.get(text, frozenset()) | {sort}
    return found


class Mask:
    """Masks one row: remembers which value got which placeholder, and counts what it found.

    suspects: the texts to search, and for which sorts. public: what stays as it is.
    """

    def __init__(self, row: str, suspects: Mapping[str, frozenset[Sort]], public: Public) -> None:
        self.found: Counter[str] = Counter()
        self._row = row
        self._suspects = suspects
        self._public = public
        self._names: dict[tuple[str, str], str] = {}
        self._last: dict[str, int] = {}

    def message(self, message: Message) -> None:
        """Mask content, speaker and arguments of a message in place."""
        if sorts := self._suspects.get(message["content"]):
            message["content"] = self.text(message["content"], sorts)
        if message["role"] != "tool" and (sorts := self._suspects.get(message["name"])):
            message["name"] = self.text(message["name"], sorts)
        for call in message["tool_calls"] or ():
            if sorts := self._suspects.get(call["arguments"]):
                call["arguments"] = self.arguments(call["arguments"], sorts)

    def text(self, text: str, sorts: frozenset[Sort], before: str = "", after: str = "") -> str:
        """`text` masked. `before` and `after` are what it stands in and only help to understand it."""
        skip = len(before)
        # Once more after a change: a value may only be one when its neighbour is gone.
        while True:
            whole = before + text + after
            parts, at = [], skip
            for finding in find(whole, sorts):
                inside = finding.start >= skip and finding.end <= skip + len(text)
                if inside and not self._public(finding, whole[finding.start : finding.end]):
                    parts += [whole[at : finding.start], self.placeholder(finding.kind, finding.value)]
                    at = finding.end
            if not parts:
                return text
            text = "".join(parts) + whole[at : skip + len(text)]

    def arguments(self, text: str, sorts: frozenset[Sort]) -> str:
        """Tool-call arguments masked: strings, and card numbers written as numbers, which become 0."""

        def masked(value: str, before: str) -> str:
            return self.text(value, sorts, f'{before}"', '"') if before else self.text(value, sorts)

        text = edit_strings(text, masked)
        return _NUMBER.sub(self._number, text) if "card" in sorts else text

    def _number(self, match: re.Match[str]) -> str:
        figures = match.group()
        if figures[0] == '"' or not (found := find(figures, frozenset(("card",)))):
            return figures
        if self._public(found[0], figures):
            return figures
        self.found["card"] += 1
        return "0"

    def placeholder(self, kind: PiiKind, value: str) -> str:
        """The placeholder of a value, counted."""
        self.found[kind] += 1
        name = kind.upper()
        if not self._names:
            for known, number in _PLACEHOLDER.findall(self._row):
                self._last[known] = max(self._last.get(known, 0), int(number))
        if (kind, value) not in self._names:
            self._last[name] = self._last.get(name, 0) + 1
            self._names[kind, value] = f"[{name}_{self._last[name]}]"
        return self._names[kind, value]


def _bind(settings: Any, context: Context) -> RowsFn:
    assert isinstance(settings, Pii)
    return partial(pii, action=settings.action, kinds=tuple(settings.kinds), keep=tuple(settings.keep))


STAGE = Rows(bind=_bind)
