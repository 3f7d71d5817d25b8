r"""Is an answer right? Read from what is said after the thought; a thought that never ends says nothing.

A number or a choice is looked for where people and models put a final answer, in this order:

1. in the last `\boxed{…}`,
2. in the last `<answer>…</answer>`, then in the line of the last "answer is", "answer:", "answer =" (in
   Chinese, too), "correct option is" or "####", whatever the case,
3. for a number: the last one that is said; for a choice: see `choice_of`.

Of what stands there a number is the first after the last `=`; where words come before it, the last that "is"
or "equals" leads to, as in "the sum of 3 and 4 is 7". Numbers are read as they are written in
English and in LaTeX: 1,234.5, -3, 2/3, \frac{2}{3}, 6.02e23, 3 \times 10^8; a lone comma before other than
three digits is a decimal point, and a unit, a currency or a per cent sign is passed over. A regular
expression is looked for in all that is said. A call is right where it is the only one, has the name, and
has the same arguments as JSON values.
"""

import re
from collections.abc import Iterable
from fractions import Fraction

from curation.dataset.questions import Call, Choice, Pattern, Question
from curation.turns.thoughts import CLOSES, OPENS, SPACE, split_thought
from train.use.tool_calls import Tools, parse_answer, score

BOXED = re.compile(r"\\boxed\s*\{((?:[^{}]|\{[^{}]*\})*)\}")
TAGGED = re.compile(r"<answer>(.*?)</answer>", re.IGNORECASE | re.DOTALL)
MARKED = re.compile(
    r"(?:\b(?:answers?|(?:correct|right|best)(?:\s+(?:option|choice))?)\b[*_\s]*(?:is\b|are\b|[:\uff1a=])"
    r"|\u7b54\u6848[*_\s]*[\u662f\u4e3a:\uff1a])[*_\s:\uff1a]*([^\n]*)|####([^\n]*)",
    re.IGNORECASE,
)
LEADS = re.compile(
    r"\b(?:is|are|equals?|gives?|makes?)\s+(?:(?:about|approximately|exactly)\s+)?[^\w\s]*(?=[\d.])"
)
# Before and after a word or number; scripts without spaces are written close to it.
START, STOP = r"(?<![^\W\u3040-\u30ff\u3400-\u9fff])", r"(?![^\W\u3040-\u30ff\u3400-\u9fff])"
FRACTION = re.compile(r"\\[dt]?frac\s*(?:\{\s*(-?\d+)\s*\}|(\d))\s*(?:\{\s*(\d+)\s*\}|(\d))")
WRAPPED = re.compile(r"\\(?:text|mathrm|mathbf|textbf)\s*\{([^{}]*)\}")
POWER = re.compile(r"\s*(?:\\times|\\cdot|\u00d7|\*|\u00b7)\s*10\s*(?:\^|\*\*)\s*\{?\s*([+-]?\d{1,3})\s*\}?")
DIGITS = 300  # a longer number is none
NUMBER = re.compile(
    START
    + r"(?<!\.)(?P<sign>[+-]?)(?P<whole>\d{1,3}(?:,\d{3})+(?![,\d])|\d+)(?:[.](?P<part>\d+)|,(?P<comma>\d+))?"
    r"(?:[eE](?P<power>[+-]?\d{1,3})(?!\w))?(?:\s?/\s?(?P<below>\d+))?"
    r"|" + START + r"(?<!\.)(?P<minus>[+-]?)[.](?P<only>\d+)"
)


def thinks(text: str) -> bool:
    """Whether an answer opens a thought that says something, and closes it."""
    return text.lstrip(SPACE).startswith(OPENS) and bool(split_thought(text)[0])


def said(text: str) -> str:
    """What an answer says after its thought; nothing where the thought never ends."""
    thought, words = split_thought(text)
    unclosed = thought is None and text.lstrip(SPACE).startswith(OPENS) and CLOSES not in text
    return "" if unclosed else words


def is_right(question: Question, text: str) -> bool:
    """Whether a whole answer, its thought included, gives the question's right answer."""
    right, words = question.answer, said(text)
    if isinstance(right, Call):
        expected = [{"name": right.name, "arguments": right.arguments}]
        return score(parse_answer(words), expected, Tools(question.tools)).arguments
    if isinstance(right, Pattern):
        return right.found(words)
    if isinstance(right, Choice):
        return choice_of(words, right.of) == right.right
    found = number_of(words)
    return found is not None and abs(found - right.value) <= right.tolerance


def places(words: str) -> Iterable[str]:
    """What stands where a final answer is put, the surest place first."""
    for pattern in (BOXED, TAGGED, MARKED):
        if found := list(pattern.finditer(words)):
            yield next(filter(None, found[-1].groups()), "")


def number_of(words: str) -> Fraction | None:
    """The number that is meant as the answer; null without one."""
    for place in places(words):
        after = plain(place.rpartition("=")[2] or place)
        led = list(LEADS.finditer(after)) if re.match(r"\W*[^\W\d]+\W+[^\W\d]", after) else []
        if found := numbers(after[led[-1].end() :] if led else after):
            return found[0]
    found = numbers(words)
    return found[-1] if found else None


def numbers(text: str) -> list[Fraction]:
    """The numbers of a text in order."""
    text, at = plain(text), 0
    found = []
    while match := NUMBER.search(text, at):
        power = POWER.match(text, match.end())
        at = power.end() if power else match.end()
        if len(match[0]) > DIGITS:
            continue
        sign = match["sign"] or match["minus"] or ""
        whole = (match["whole"] or "0").replace(",", "")
        part = match["part"] or match["comma"] or match["only"] or "0"
        below = int(match["below"] or 1)
        exponent = int(match["power"] or 0) + int(power[1] if power else 0)
        if below:
            found.append(Fraction(f"{sign}{whole}.{part}") * Fraction(10) ** exponent / below)
    return found


def plain(text: str) -> str:
    """A text without the marks of LaTeX and Markdown around and inside of numbers."""
    text = FRACTION.sub(r"\1\2/\3\4", WRAPPED.sub(r"\1", text))
    for mark in ("{,}", "\\,", "\\!", "\u202f", "\u00a0"):
        text = re.sub(rf"(?<=\d){re.escape(mark)}(?=\d{{3}})", "", text)
    text = re.sub(r"(?<!\w)_+(?=\w)|(?<=\w)_+(?!\w)", " ", text)
    return text.replace("\u2212", "-").replace("**", " ").replace("$", " ")


def choice_of(words: str, of: tuple[str, ...]) -> str | None:
    """The choice that is meant as the answer; null without one, or where several could be.

    Where no place says it: the choice that is all that is said or a whole line, such as "B" or "**B.**"; else
    the only one that is marked, as in "(B)", "B)", "B.", "option B", "B is correct"; else, for choices longer
    than a letter, the only one that is named.
    """
    for place in places(words):
        bare = plain(place).strip(f"{SPACE}.*_`()[]:'\"")
        exact = [one for one in of if one.casefold() == bare.casefold()]
        found = exact or named(plain(place), of)
        if found:
            return first_of(plain(place), found)
    lines = [plain(line).strip(f"{SPACE}.*_`()[]:'\"").casefold() for line in words.splitlines()]
    for found in (
        [one for one in of if one.casefold() in lines],
        [one for one in of if marked(words, one)],
        [one for one in named(words, of) if len(one) > 1],
    ):
        if len(found) == 1:
            return found[0]
    return None


def first_of(text: str, found: list[str]) -> str | None:
    """Of the choices that stand in a text the first: "B, not C" and "not C but B" mean B, "B or C" none."""
    ordered = sorted(found, key=lambda one: position(text, one))
    meant = [
        one for one in ordered if not re.search(r"\bnot\W+$", text[: position(text, one)], re.IGNORECASE)
    ]
    if len(meant) > 1:
        between = text[position(text, meant[0]) + len(meant[0]) : position(text, meant[1])]
        if re.fullmatch(r"[^\w.;:]*(?:or|and|/|,)[^\w.;:]*", between, re.IGNORECASE):
            return None
    return meant[0] if meant else None


def pattern_of(one: str) -> re.Pattern[str]:
    """A choice as a word of its own; a single letter as it is written, since "a" is a word."""
    return re.compile(START + re.escape(one) + STOP, 0 if len(one) == 1 else re.IGNORECASE)


def position(text: str, one: str) -> int:
    """Where a choice first stands in a text as a word; the text's length where it does not."""
    found = pattern_of(one).search(text)
    return found.start() if found else len(text)


def named(text: str, of: tuple[str, ...]) -> list[str]:
    """The choices that stand in a text as words and not within a longer choice."""
    taken: list[tuple[int, int]] = []
    found = []
    for one in sorted(of, key=len, reverse=True):
        spans = [match.span() for match in pattern_of(one).finditer(text)]
        free = [span for span in spans if not any(a <= span[0] < b for a, b in taken)]
        taken += free
        if free:
            found.append(one)
    return found


def marked(text: str, one: str) -> bool:
    """Whether a choice stands in a text as the label of an answer."""
    label = re.escape(one)
    forms = (
        rf"\({label}\)|\b(?:option|choice|choose|pick|select)\s+\(?{label}\b|^\W*{label}\s*[).:]"
        rf"|\*\*{label}[).:]?\*\*|\u9009\s*{label}(?![A-Za-z])"
        rf"|\b{label}\s+is\s+(?:the\s+)?(?:correct|right|best)\b"
    )
    return re.search(forms, text, re.MULTILINE) is not None
