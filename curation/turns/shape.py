"""What every reader of a shape gives back, and how it says that a record is not of its shape."""

from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from functools import lru_cache
from typing import Any, NamedTuple


class Row(NamedTuple):
    """One input row: a conversation, the tools offered in it, and what reading repaired.

    messages  dicts with the five keys of `curation.row.message`, and `weight` 0 where a turn has no loss
    tools     JSON array of function schemas as text, or None
    notes     entries as `curation.row.note` takes them, e.g. {"stage": "read", "flag": …}
    """

    messages: list[dict[str, Any]]
    tools: str | None
    notes: list[dict[str, Any]]


class Unfit(Exception):
    """A record that does not have the reader's shape. The message says what was expected."""


class Dropped(Unfit):
    """A record of the reader's shape that cannot be read as what it means: the reason and the evidence."""

    def __init__(self, reason: str, words: str, detail: Mapping[str, Any]) -> None:
        super().__init__(words)
        self.reason, self.detail = reason, detail


class ForeignAction(Dropped):
    """An agent's action is in another language than its source, or in none."""

    def __init__(self, words: str) -> None:
        super().__init__("foreign_action", words, {})


class AnswerWithoutCalls(Dropped):
    """The record offers tools and gives the answer, but not the calls that it came from."""

    def __init__(self, words: str) -> None:
        super().__init__("answer_without_calls", words, {})


class Unsupported(Unfit):
    """A record, of the reader's shape, with something that changes what it says and that is not read.

    key: where it stands. meaning: a sentence that says what it says. value: how it begins.
    """

    def __init__(self, key: str, meaning: str, value: str) -> None:
        super().__init__(f"`{key}`: {meaning}")
        self.key, self.meaning, self.value = key, meaning, value


# A reader of records: the bytes of one JSON value (a line, an array's element, a Parquet or CSV row
# as an object) become a row. Raises Unfit, or what decoding JSON raises.
Convert = Callable[[bytes], Row]


def missing(found: Iterable[str], expected: Iterable[str], setting: str = "") -> Unfit:
    """Keys found … expected one of …, with the nearest key as a suggestion.

    setting: the recipe's way to name the key, such as "columns: {question: %s}".
    """
    return Unfit(_missing(tuple(found), tuple(expected), setting))


@lru_cache(1024)
def _missing(keys: tuple[str, ...], wanted: tuple[str, ...], setting: str) -> str:
    shown = ", ".join(keys[:12]) + (", …" if len(keys) > 12 else "") or "none"
    close = [near for key in wanted for near in get_close_matches(key, keys[:50], n=1, cutoff=0.75)]
    hint = f"; did you mean {setting.replace('%s', close[0])}?" if close and setting else ""
    return f"keys found: {shown}; expected one of: {', '.join(wanted)}{hint}"
