"""The arguments of a call as JSON in one form, so that a call that a client took apart and wrote anew reads
as the model learnt it.

llama.cpp, vLLM and transformers parse the arguments of an answer and dump them again for the next prompt,
with `, ` and `: `, characters as they are, and 1.0 as 1 or 1.0. Rows keep their own spelling; what is trained
and served is this form. What no float can hold (integers beyond 2^53, long decimals) stays as it is written.
"""

import json
from decimal import Decimal
from functools import lru_cache
from typing import Any

LARGEST = 2**53  # of the integers that every client's numbers can hold


class Spelt(float):
    """A number that is written as it stands in the row."""

    def __new__(cls, text: str) -> "Spelt":
        number = super().__new__(cls, text)
        number.text = text
        return number

    text: str

    def __repr__(self) -> str:
        return self.text

    __str__ = __repr__


class Pairs(list[tuple[str, Any]]):
    """An object as it is written, a repeated key included."""


@lru_cache(maxsize=4096)
def normal_arguments(text: str) -> str:
    """A JSON text in the normal form. What is no JSON, or holds half a character, stays as it is."""
    try:
        written = dump(parse(text, object_pairs_hook=Pairs))
        written.encode()
    except (ValueError, RecursionError):
        return text
    return written


def parse(text: str, **how: Any) -> Any:
    """A JSON text as values whose numbers `dump` writes in the normal form. Raises ValueError."""
    return json.loads(text, parse_float=plain_number, parse_constant=refuse, **how)


def dump(value: Any) -> str:
    """A value as JSON: `, ` and `: `, own key order, no escapes but those that JSON asks for."""
    if isinstance(value, Spelt):
        return value.text
    if isinstance(value, Pairs | dict):
        pairs = value.items() if isinstance(value, dict) else value
        members = (f"{json.dumps(key, ensure_ascii=False)}: {dump(held)}" for key, held in pairs)
        return f"{{{', '.join(members)}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(dump, value))}]"
    return json.dumps(value, ensure_ascii=False)


def plain_number(spelt: str) -> int | float:
    """A number with a fraction or an exponent, as short as a float of that value is written.

    A whole one loses its fraction: a client in Go or JavaScript keeps none. One with more digits than a float
    holds stays as it is.
    """
    value = float(spelt)
    if value in (float("inf"), float("-inf")) or Decimal(repr(value)) != Decimal(spelt):
        return Spelt(spelt)
    whole = value.is_integer() and abs(value) <= LARGEST and not spelt.startswith("-0")
    return int(value) if whole else value


def refuse(name: str) -> None:
    """NaN and Infinity are no JSON."""
    raise ValueError(name)
