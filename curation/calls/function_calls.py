"""The calls in the text of a function_call turn, as ShareGPT and Hermes write them."""

import re

import msgspec

from curation.jsontext import JSON_ERRORS
from curation.turns.chat_api import Function, arguments_text, call, given
from curation.turns.shape import Unfit

_NAMED = re.compile(r'^\s*\{\s*["\']name["\']\s*:\s*["\']([^"\']+)["\']\s*,\s*["\']arguments["\']\s*:', re.S)

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
