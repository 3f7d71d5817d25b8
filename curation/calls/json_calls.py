"""Tool calls written as JSON: the text of a function_call turn, as ShareGPT and Hermes write them."""

import re
from typing import Any

import msgspec
import orjson

from curation.calls.repairs import is_json, repeated_key, strict_json
from curation.jsontext import JSON_ERRORS
from curation.turns.chat_api import Function, arguments_text, call, given
from curation.turns.shape import Unfit

_NAMED = re.compile(r'^\s*\{\s*["\']name["\']\s*:\s*["\']([^"\']+)["\']\s*,\s*["\']arguments["\']\s*:', re.S)
# A path to a call itself in a list of calls or alone, not to what it passes.
_OWN = re.compile(r"\$(?:\[[0-9]+\])?")
_PASSED = frozenset(["arguments", "parameters", "input", "args"])

_CALL = msgspec.json.Decoder(Function)
_CALLS = msgspec.json.Decoder(list[Function])


def calls(text: str) -> list[dict[str, str | None]]:
    """The calls in the text of a function_call turn: one object or a list of them.

    Where the text is no JSON but names its function, the rest stands as the arguments, so that the
    tools stage can repair or judge them. Raises Unfit where no name can be found.
    """
    data = text.strip().encode()
    try:
        found = _CALLS.decode(data) if data[:1] == b"[" else [_CALL.decode(data)]
    except JSON_ERRORS:
        named = _NAMED.match(text)
        if named is None:
            raise Unfit(f"a function_call turn names no function: {text[:60]}") from None
        rest = text[named.end() :].strip()
        return [call(named.group(1), rest.removesuffix("}").strip())]
    return [call(one.name, arguments_text(given(one))) for one in found]


def says_no_more(text: str) -> bool:
    """Whether calls in JSON hold a name and arguments, each once, and nothing that would be lost."""
    every = _listed(text)
    if every is None:
        return True  # judged where it is read
    if not all(isinstance(one, dict) and len(one.keys() - {"name"}) <= 1 for one in every):
        return False
    twice = repeated_key(text)
    return all(one.keys() <= {"name", *_PASSED} for one in every) and not (twice and _OWN.fullmatch(twice[0]))


def say_arguments(text: str) -> bool:
    """Whether every object of a JSON text has arguments, as a call has and a mere name has not."""
    every = _listed(text)
    return every is not None and all(isinstance(one, dict) and one.keys() & _PASSED for one in every)


def _listed(text: str) -> list[Any] | None:
    """What a JSON text lists, or the one thing that it is; None where it is no JSON."""
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    return found if isinstance(found, list) else [found]


def as_json(text: str) -> str:
    """Strict JSON where the text can be read as that, else the text."""
    return text if is_json(text) else strict_json(text) or text
