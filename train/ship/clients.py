"""What the servers that run a model make of an answer, and what they write of it into the next prompt.

A server takes an answer apart into thought, words and calls, gives them to its user, and gets them back with
the next question. Each rule here is a client's own code in a few lines; tests hold it equal to what that code
answered (tests/recorded/clients.json and ollama.json say which version, and how to ask again).
"""

import json
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any, NamedTuple

from curation.calls.text_calls import CLOSE, OPEN
from curation.rendering.arguments import Spelt, dump
from curation.rendering.template import Template
from curation.row import Message
from curation.turns.thoughts import CLOSES, OPENS, SPACE

ARGUMENTS = re.compile(r'"arguments"\s*:\s*(.*)\}\s*$', re.DOTALL)
INT64 = 2**63
LARGEST_PLAIN = 1e21  # from here on Go writes a number with an exponent, and below 1e-6


class Said(NamedTuple):
    """An answer taken apart. calls: names, and arguments as JSON."""

    thought: str | None
    words: str
    calls: list[tuple[str, str]]


class Asked(NamedTuple):
    """What an answer was asked with. tools: whether any were offered. thinks: unless it was switched off."""

    template: Template
    tools: bool
    thinks: bool


class Client(NamedTuple):
    """A server and its rules.

    parse      what it makes of an answer
    arguments  how it writes the arguments that `parse` found into the next prompt
    source     the files that the rules were read from
    """

    name: str
    version: str
    source: str
    parse: Callable[[str, Asked], Said]
    arguments: Callable[[str], str]


def llama_cpp(answer: str, asked: Asked) -> Said:
    """A thought if the template writes `reasoning_content`; words keep a line end; arguments as spelt."""
    thought, rest = None, asked.template.opens * asked.thinks + answer
    if "reasoning_content" in asked.template.source and rest.startswith(OPENS) and CLOSES in rest:
        inside, _, rest = rest.removeprefix(OPENS).partition(CLOSES)
        thought, rest = inside.lstrip(SPACE), rest.lstrip(SPACE)
    if not asked.tools:
        return Said(thought, rest, [])
    words, *blocks = rest.split(OPEN)
    return Said(thought, words, [name_and_arguments(block) for block in blocks])


def name_and_arguments(block: str) -> tuple[str, str]:
    """A call as it is spelt, from what stands after its `<tool_call>`. ValueError when it is none."""
    body = block.partition(CLOSE)[0]
    found = ARGUMENTS.search(body)
    if found is None:
        raise ValueError(f"no arguments: {body}")
    return json.loads(body)["name"], found[1]


def llama_cpp_arguments(text: str) -> str:
    """Six digits of a number with a fraction, as of an integer beyond 64 bits; the last of equal keys."""

    def number(spelt: str) -> Spelt:
        if spelt.lstrip("-").isdigit() and abs(int(spelt)) < INT64:
            return Spelt(spelt)
        return Spelt(f"{float(spelt):g}")

    return dump(json.loads(text, parse_float=number, parse_int=number))


def vllm(answer: str, asked: Asked) -> Said:
    """`--tool-call-parser hermes`; with `--reasoning-parser qwen3` where the prompt opens the thought.

    Without it a thought stays in the words. Under `as_is` a reasoning parser would take words for a thought.
    """
    thought, rest = None, answer
    if asked.template.opens and asked.thinks:
        thought, _, rest = answer.partition(CLOSES)
    words, *blocks = rest.split(OPEN) if asked.tools else [rest]
    calls = [json.loads(block.partition(CLOSE)[0]) for block in blocks]
    said = [(call["name"], json.dumps(call["arguments"], ensure_ascii=False)) for call in calls]
    return Said(thought or None, "" if said and not words.strip() else words, said)


def vllm_arguments(text: str) -> str:
    """Python's numbers: what no float can hold is rounded, integers are not."""
    return json.dumps(json.loads(text), ensure_ascii=False)


def ollama(answer: str, asked: Asked) -> Said:
    """A thought loses the space before it, words the space before them; every number is a float."""
    thought, rest = None, asked.template.opens * asked.thinks + answer
    if rest.startswith(OPENS) and CLOSES in rest:
        inside, _, rest = rest.removeprefix(OPENS).partition(CLOSES)
        thought, rest = inside.lstrip(), rest.lstrip()
    words, *blocks = rest.split(OPEN) if asked.tools else [rest]
    return Said(thought, words, [name_and_arguments(block) for block in blocks])


def ollama_arguments(text: str) -> str:
    """Keys in alphabetical order, every number a float, the two line separators as escapes."""
    return go_json(json.loads(text, parse_float=float, parse_int=float))


def go_json(value: Any) -> str:
    """A value as Go's encoding/json and our Go template write it together."""
    if isinstance(value, float):
        return go_number(value)
    if isinstance(value, str):
        written = json.dumps(value, ensure_ascii=False)
        return written.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
    if isinstance(value, list):
        return f"[{', '.join(map(go_json, value))}]"
    if isinstance(value, dict):
        members = (f"{go_json(key)}: {go_json(held)}" for key, held in sorted(value.items()))
        return f"{{{', '.join(members)}}}"
    return json.dumps(value)


def go_number(value: float) -> str:
    """A float as Go's encoding/json writes it: as short as can be, with an exponent only at the far ends.

    What Go writes as -0 is 0 to the program that sends it back.
    """
    if value and not 1e-6 <= abs(value) < LARGEST_PLAIN:
        return re.sub("e-0", "e-", repr(value).replace(".0e", "e"))
    if value.is_integer():
        return str(int(value))
    return f"{Decimal(repr(value)):f}"


CLIENTS = (
    Client(
        "llama.cpp",
        "0c1e57098",
        "common/chat.cpp, common/chat-auto-parser-generator.cpp, common/jinja/value.cpp",
        llama_cpp,
        llama_cpp_arguments,
    ),
    Client(
        "vLLM",
        "0.33.0 (4ba787ec9)",
        "vllm/tool_parsers/hermes_tool_parser.py, vllm/parser/qwen3.py, vllm/renderers/chat_utils",
        vllm,
        vllm_arguments,
    ),
    Client(
        "Ollama",
        "fb3076099",
        "tools/tools.go, thinking/parser.go, template/template.go",
        ollama,
        ollama_arguments,
    ),
)


def sent_back(client: Client, said: Said) -> Message:
    """The answer as the client's template gets it with the next question, arguments as it will write them."""
    calls = [
        {"type": "function", "function": {"name": name, "arguments": client.arguments(arguments)}}
        for name, arguments in said.calls
    ]
    thought = {} if said.thought is None else {"reasoning_content": said.thought}
    return {"role": "assistant", "content": said.words, **thought, **({"tool_calls": calls} if calls else {})}
