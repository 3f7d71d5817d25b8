"""Whether a history reads as the model learnt it, after a server took its answers apart and put them back.

Each form of an answer is rendered as in training; the model's part of it goes through each client's rules
(train/ship/clients.py) and is rendered again by the template, with the next question. Equal texts are equal
tokens; what differs is named, by client and form.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jinja2

from curation.rendering.arguments import Spelt
from curation.rendering.template import Template, compiled, spans
from curation.rendering.template_parts import RenderError, parse_tools, to_json
from curation.row import Message, message
from curation.turns.thoughts import CLOSES, OPENS, has_thought
from train.ship.clients import CLIENTS, Asked, Client, sent_back

BASH = {
    "type": "function",
    "function": {
        "name": "bash",
        "description": "Run <it> & see.",
        "parameters": {
            "type": "object",
            "properties": {"command": {"type": "string"}},
            "required": ["command"],
        },
    },
}
LIST = {
    "type": "function",
    "function": {
        "name": "list_agents",
        "description": "All.",
        "parameters": {"type": "object", "properties": {}},
    },
}
TOOLS = to_json([BASH, LIST])
BEFORE, AFTER = 12, 28  # characters that are shown of where texts part


def bash(arguments: str) -> dict[str, Any]:
    """A call with arguments as they are spelt."""
    return {"id": "call00001", "name": "bash", "arguments": arguments}


def said(content: str | None, *calls: dict[str, Any]) -> tuple[Message, str]:
    """An assistant's turn that could call."""
    return message("assistant", content, tool_calls=list(calls) or None), TOOLS


THOUGHT = f'{OPENS}\nhm, {{"a": 1}}\nyes\n{CLOSES}\n\n'
LS = bash('{"command":"ls -la"}')
SHELL = bash(
    json.dumps({"command": 'grep -c "<b>" a.html && echo \'{"x": [1]}\' > "b c"\n# größer 你好 \U0001f600'})
)
NONE = {"id": "call00001", "name": "list_agents", "arguments": "{}"}
# name: (an assistant's turn, offered tools)
FORMS: dict[str, tuple[Message, str | None]] = {
    "words": said("Four: {2, 2}.\n\n    indented"),
    "words without tools": (message("assistant", "Four."), None),
    "words and a line end": said("Four.\n"),
    "call": said(None, LS),
    "call without arguments": said(None, NONE),
    "words and call": said("I use { braces } first.", LS),
    "several calls": said(None, LS, SHELL, NONE),
    "words and several calls": said("Both.", SHELL, LS),
    "thought and words": said(THOUGHT + "Four."),
    "thought and words without tools": (message("assistant", THOUGHT + "Four."), None),
    "thought and call": said(THOUGHT, LS),
    "thought, words and calls": said(THOUGHT + "Look:", LS, SHELL),
    "nested arguments": said(None, bash('{"command":"x","deep":{"b":[1,"é",null,true,{}],"a":[]}}')),
    "nested markup": said(None, bash('{"command":"x","deep":["<b>&"]}')),
    "escapes": said(None, bash('{"command":"a\\tb \\u00e9 \\/ <a href=\'x\'>&amp;"}')),
    "control characters": said(None, bash('{"command":"\\u0001 \\u007f \\u2028"}')),
    "keys out of order": said(None, bash('{"n":1,"command":"x","all":true}')),
    "a key twice": said(None, bash('{"command":"x","command":"y"}')),
    "1.0": said(None, bash('{"command":"x","n":1.0}')),
    "-0.0": said(None, bash('{"command":"x","n":-0.0}')),
    "floats of six digits": said(None, bash('{"command":"x","m":0.1,"n":-22.4375}')),
    "floats of more than six digits": said(None, bash('{"command":"x","n":52.5200066}')),
    "floats that no double holds": said(None, bash('{"command":"x","n":3.14159265358979323846}')),
    "very small and large floats": said(None, bash('{"command":"x","k":1e-7,"n":1.5e300}')),
    "integers beyond 2^53": said(None, bash('{"command":"x","n":9007199254740993}')),
    "integers beyond 2^64": said(None, bash('{"command":"x","n":123456789012345678901234567890}')),
}


class Difference(NamedTuple):
    """Where a history reads otherwise than in training. trained and read: what stands at that place."""

    client: str
    form: str
    trained: str
    read: str


class RoundTrip(NamedTuple):
    """What came of the forms. left_out: clients that cannot read the template at all."""

    clients: list[Client]
    left_out: list[str]
    differences: list[Difference]

    def as_dict(self) -> dict[str, Any]:
        """For the record of a GGUF file."""
        return {
            "forms": len(FORMS),
            "clients": {client.name: client.version for client in self.clients},
            "differences": [one._asdict() for one in self.differences],
        }

    def as_card(self) -> str:
        """A section for a card."""
        lines = [
            "## History\n",
            "A server takes an answer apart and puts it back with the next question. In "
            f"{len(FORMS)} forms of an answer this was tried with the rules of "
            f"{', '.join(f'{client.name} {client.version}' for client in self.clients)}: "
            + (
                "what comes back differs from training only here." if self.differences else "nothing differs."
            ),
        ]
        if self.differences:
            lines += ["\n| client | form | trained | read back |", "|---|---|---|---|"]
            lines += [
                f"| {one.client} | {one.form} | {cell(one.trained)} | {cell(one.read)} |"
                for one in self.differences
            ]
        lines += [f"\nNot tried: {name} cannot read this template." for name in self.left_out]
        return "\n".join(lines) + "\n"


def cell(text: str) -> str:
    """A piece of a text in a table. What cannot be seen is named, a line end as Python writes it."""
    shown = "".join(
        one if one.isprintable() else "\\n" if one == "\n" else f"[U+{ord(one):04X}]" for one in text
    )
    return f"`{shown.replace('|', chr(92) + '|')}`" if text else ""


def in_words(history: Mapping[str, Any]) -> str:
    """The record's `history` for people, in one line."""
    clients, forms = ", ".join(history["clients"]), history["forms"]
    tried = f"reads as in training after {clients}, in {forms} forms of an answer"
    found: dict[str, list[str]] = {}
    for one in history["differences"]:
        found.setdefault(one["client"], []).append(one["form"])
    differing = "; ".join(f"{client}: {', '.join(forms)}" for client, forms in found.items())
    return f"{tried}, but for {differing}" if differing else tried


def round_trip(template: Template) -> RoundTrip:
    """Try every form with every client that reads the template."""
    clients = [client for client in CLIENTS if client.name != "Ollama" or template.markup is not None]
    left_out = [client.name for client in CLIENTS if client not in clients]
    tried = [difference(template, client, form) for client in clients for form in FORMS]
    return RoundTrip(clients, left_out, [one for one in tried if one is not None])


def difference(template: Template, client: Client, form: str) -> Difference | None:
    """Where a form reads otherwise, null if nowhere."""
    turn, tools = FORMS[form]
    thinks = has_thought(turn) or not template.opens
    try:
        trained = template.render(history(turn), tools, add_generation_prompt=True, enable_thinking=thinks)
        found = client.parse(answer(template, turn, tools), Asked(template, tools is not None, thinks))
        if len(found.calls) != len(turn["tool_calls"] or ()):
            raise ValueError(f"{len(found.calls)} calls found")
        read = read_again(template, history(turn, sent_back(client, found)), tools, thinks=thinks)
    except (RenderError, ValueError, KeyError, TypeError) as error:
        return Difference(client.name, form, "", f"not at all: {error}")
    return None if read == trained else Difference(client.name, form, *around(trained, read))


def history(turn: Message, back: Message | None = None) -> list[Message]:
    """A conversation with the turn in it, and its results. back: what stands in the turn's place."""
    results = [
        message("tool", f"out {n}", tool_call_id="call00001") for n, _ in enumerate(turn["tool_calls"] or ())
    ]
    opening = [message("system", "You are AJ."), message("user", "How many?")]
    return [*opening, back or turn, *results, message("user", "And now?")]


def answer(template: Template, turn: Message, tools: str | None) -> str:
    """What a model that was trained on the turn says."""
    text, ((start, end),) = spans(template, history(turn)[:3], tools)
    return text[start:end].removesuffix(template.end)


def read_again(
    template: Template, messages: Sequence[Mapping[str, Any]], tools: str | None, *, thinks: bool
) -> str:
    """The text of a history as a client hands it to the template: nothing of it is put in a normal form."""
    given = {} if thinks else {"enable_thinking": False}
    try:
        return compiled(template.source).render(
            messages=[handed(one, template) for one in messages],
            tools=parse_tools(tools) or None,
            add_generation_prompt=True,
            **template.special,
            **given,
        )
    except (jinja2.TemplateError, TypeError, ValueError, KeyError, AttributeError) as error:
        raise RenderError(f"cannot be rendered: {error}") from error


def handed(one: Mapping[str, Any], template: Template) -> dict[str, Any]:
    """A message without null keys; arguments are objects where the template asks for one."""
    shaped = {key: value for key, value in one.items() if value is not None}
    if template.calls == "object" and "tool_calls" in shaped:
        shaped["tool_calls"] = [
            {"type": "function", "function": {**call["function"], "arguments": as_object(call)}}
            for call in shaped["tool_calls"]
        ]
    return shaped


def as_object(call: Mapping[str, Any]) -> Any:
    """The arguments of a call, with numbers that are written as they are spelt."""
    return json.loads(call["function"]["arguments"], parse_float=Spelt, parse_int=Spelt)


def around(trained: str, read: str) -> tuple[str, str]:
    """Both texts at the place where they part, and a little of what follows."""
    first = next((n for n, (a, b) in enumerate(zip(trained, read, strict=False)) if a != b), 0)
    shown = slice(max(first - BEFORE, 0), first + AFTER)
    return trained[shown], read[shown]
