"""How an answer ends: in the middle of a sentence, inside a bracket, inside a code fence."""

import re

# A sentence may end on these words where its writer leaves out full stops ("what are you looking for"), on
# the first few only by mistake.
_WORD = re.compile(r"\w+")
_NEVER = frozenset(
    _WORD.findall(
        "the an and or because than whose their our your its my every und oder sowie dass weil zum zur beim"
        " les des une et di della dello gli uma и или что для"
    )
)
_SELDOM = frozenset(
    _WORD.findall(
        "a of into upon to with for by as at in on is are was were be been have has had which who will would"
        " can could should may might must not we they he she if but when while where such these those very"
        " more most"
    )
)
_LETTERED = frozenset(
    {"vitamin", "hepatitis", "type", "class", "option", "group", "grade", "plan", "part", "is"}
)
_LAST_WORDS = re.compile(r"(?:^|\s)(?P<before>\S+)[^\S\n]+(?P<word>[^\W\d_]+)$")
_SENTENCE_END = re.compile(r"[.!?][\"')*]*(?:\s|$)")
_ITEM = re.compile(r"\s*(?:[-*\u2022+>|#]|\(?\w{1,3}[.):]|\[\w\])")
_FENCE = re.compile(r"^[ \t>]*(?P<mark>`{3,})[ \t]*(?P<info>[^\n`]*)$", re.MULTILINE)
_TICKS = re.compile(
    r"^[ \t>]*`{3,}|`{3,}[\w+#-]*[ \t]*$", re.MULTILINE
)  # not those that a sentence speaks of
_FACE = re.compile(r"[:;=]['-]?[(\[{]")
_ANNOUNCES = re.compile(
    r"\b(?:as follows|the following(?: \w+){0,3}|follow these(?: \w+){0,2}|here (?:is|are)\b[^.:\n]{3,80}"
    r"|these (?:\w+ )?steps|the steps below)\s?:$",
    re.IGNORECASE,
)
# What may come before the last word of a list of words, of a formula or of a path.
_NO_PROSE = ('"', "'", "\u201d", "/", "-", "|", ":", "=", "+", "*", "(", "\\")
SENTENCES = 3  # of an answer that ends its sentences
LINE = 400  # characters of the last line that are looked at
SHORT_LINE, PROSE_LINE = 25, 60
SOME = 200  # characters of an answer in which a bracket that stays open is no habit
LONG = 600  # characters of an answer from which a last sentence without an end is no habit
ENDS = ".!?\"'`*)]}>\u3002\uff01\uff1f\u201d\u2026"  # an answer that ends so does not break off
FENCE = "``" + "`"


def open_fence(said: str) -> str | None:
    """The opening of a code fence that is never closed, not even at the end of a line."""
    if said.count(FENCE) % 2 == 0 or len(_TICKS.findall(said)) % 2 == 0:
        return None
    opened = None
    for fence in _FENCE.finditer(said):
        if opened is None:
            opened = fence
        elif fence["mark"].startswith(opened["mark"]) and not fence["info"]:
            opened = None
    # A bare last line closes a fence that held another one.
    if opened is None or (opened.start() and opened.end() == len(said) and not opened["info"]):
        return None
    return opened.group().strip()


def cut_off(said: str) -> str | None:
    """The words on which an answer breaks off."""
    last = said[-1]
    line = said[-LINE:].rpartition("\n")[2]
    if last in "([{\uff08":
        broken = not _FACE.search(said[-3:])
    elif last == ":":
        broken = bool(_ANNOUNCES.search(line))
    elif last.isalpha():
        broken = _ends_on_a_function_word(said, line) or (len(said) >= SOME and _in_bracket(line))
    else:
        broken = False
    return line[-40:].strip() if broken else None


def unended(said: str) -> str | None:
    """The end of a last sentence that has none, in a long answer that ends its other sentences and lines."""
    if not (said[-1].isalnum() or said[-1] in ",;") or FENCE in said:
        return None
    line = said.rpartition("\n")[2]
    word = line.rpartition(" ")[2]
    if (
        len(line) < PROSE_LINE
        or line[0] == "#"
        or not word.isascii()
        or any(mark in word for mark in "#@/_=")
    ):
        return None
    alike = _ended_alike(said, line)
    goes_on = not _ITEM.match(line) and bool(_SENTENCE_END.search(line)) and _ends_sentences(said)
    return line[-40:].strip() if alike >= SENTENCES or (goes_on and alike >= 0) else None


def _ended_alike(said: str, line: str) -> int:
    """How many other lines, items or prose as the last is, have an end; -1 where one has none."""
    is_item = bool(_ITEM.match(line))
    lines = [one.rstrip() for one in said[: -len(line)].split("\n") if len(one) >= PROSE_LINE]
    alike = [one for one in lines if bool(_ITEM.match(one)) == is_item]
    return len(alike) if all(one[-1] in ENDS + ":;" for one in alike) else -1


def _ends_on_a_function_word(said: str, line: str) -> bool:
    found = _LAST_WORDS.search(line)
    if found is None or found["before"].endswith(_NO_PROSE):
        return False
    word, before = found["word"], found["before"]
    if before.endswith(","):
        return word in {"and", "or"}
    if word in _NEVER:
        return before.lower() not in _NEVER
    if word == "a" and len(said) >= SOME and before not in _LETTERED:
        return len(line) >= SHORT_LINE and before.islower()
    if word not in _SELDOM or len(line) < SHORT_LINE:
        return False
    return _ends_sentences(said) if not _ITEM.match(line) else _ended_alike(said, line) >= SENTENCES


def _in_bracket(line: str) -> bool:
    """Whether a line of prose ends inside a bracket."""
    before, bracket, inside = line.rpartition("(")
    return bool(bracket and before.strip() and inside[:1].isalnum()) and ")" not in inside


def _ends_sentences(said: str) -> bool:
    """Whether an answer has some sentences, and ends them."""
    return sum(1 for _, _ in zip(range(SENTENCES), _SENTENCE_END.finditer(said), strict=False)) == SENTENCES
