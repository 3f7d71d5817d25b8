"""The built-in templates in plain Python: the text of their .jinja files, written message by message.

Jinja takes about 50 µs for a short conversation; a million rows ask for less. Tests hold both
equal, character for character. `Markup` says in what the two templates differ, and in what their first
edition did, which stays for what was counted and trained with it.
"""

# ruff: noqa: RUF001 - DeepSeek spells its role tokens with fullwidth bars.

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from curation.errors import CurationError
from curation.recipe.kinds import Thinking
from curation.rendering.arguments import normal_arguments
from curation.turns.thoughts import CLOSES, NO_THOUGHT, OPENS, SPACE, split_thought

TOOLS_OPEN = "# Tools\n\nThese functions can be called. Each line is the JSON schema of one:\n<tools>\n"
TOOLS_CLOSE = (
    "</tools>\n\nTo call one, write its name and its arguments as one JSON object:\n"
    '<tool_call>\n{"name": "function name", "arguments": {"parameter": "value"}}\n</tool_call>\n'
    "The answer comes in <tool_response></tool_response>."
)


class RenderError(CurationError):
    """A row that the template cannot write: its tools are no JSON array, or the template refuses it."""


@dataclass(frozen=True)
class Markup:
    """The strings around what is said. `head` stands before everything, `close` ends every turn.

    thinking  under `empty` the prompt for an answer opens a thought
    verbatim  the first edition of the templates: content and arguments stand as the row spells them
    """

    head: str
    system_open: str
    system_close: str
    late_system_open: str
    user_open: str
    assistant_open: str
    user_close: str
    end: str
    tail: str
    thinking: Thinking = "as_is"
    verbatim: bool = False

    def prompt(self, *, enable_thinking: bool = True) -> str:
        """What asks for an answer."""
        if self.thinking == "as_is":
            return self.assistant_open
        return self.assistant_open + (f"{OPENS}\n" if enable_thinking else NO_THOUGHT)

    @property
    def openings(self) -> tuple[str, ...]:
        """What of an assistant turn can be given, not said: `opening_of` is one of these."""
        return (self.assistant_open, self.prompt(), self.prompt(enable_thinking=False))

    @property
    def tokens(self) -> tuple[str, ...]:
        """What the vocabulary must hold as single tokens for turns to begin and end."""
        found = (self.head, self.user_open, self.assistant_open, self.end)
        return tuple(dict.fromkeys(t[: t.find(">") + 1] for t in found if t))


MARKUPS = {
    "aj_r1": Markup(
        head="<｜begin▁of▁sentence｜>",
        system_open="",
        system_close="",
        late_system_open="\n\n",
        user_open="<｜User｜>",
        assistant_open="<｜Assistant｜>",
        user_close="",
        end="<｜end▁of▁sentence｜>",
        tail="",
    ),
    "chatml": Markup(
        head="",
        system_open="<|im_start|>system\n",
        system_close="<|im_end|>\n",
        late_system_open="<|im_start|>system\n",
        user_open="<|im_start|>user\n",
        assistant_open="<|im_start|>assistant\n",
        user_close="<|im_end|>\n",
        end="<|im_end|>",
        tail="\n",
    ),
}

# Both templates add fewer bytes to a message than its canonical JSON does (`{"content":"","name":null,
# "role":"tool","tool_call_id":null,"tool_calls":null}` is 79 bytes, 75 the least; a tool result in aj_r1
# is 45), JSON escapes only lengthen the text, and what stands before the first message is 29 bytes at most.
# So for rows without tools and without calls: rendered bytes ≤ bytes of the JSON text + HEAD_BYTES.
HEAD_BYTES = 29


def parse_tools(tools: str | None) -> list[Any]:
    """The tools of a row as a list, empty for null. RenderError if the text is no JSON array."""
    if not tools:
        return []
    try:
        parsed = json.loads(tools)
    except ValueError as error:
        raise RenderError(f"tools: not JSON: {error}") from error
    if not isinstance(parsed, list):
        raise RenderError(f"tools: expected a JSON array of function schemas, got {tools[:60]}")
    return parsed


def to_json(value: Any) -> str:
    """JSON as `tojson` writes it in transformers' chat templates: spaces, no ASCII escapes, own key order."""
    return json.dumps(value, ensure_ascii=False)


@lru_cache(maxsize=1024)
def tools_block(tools: str | None) -> str:
    """What the templates say about the tools of a row; empty without any."""
    lines = [
        to_json(tool["function"] if isinstance(tool, dict) and "function" in tool else tool) + "\n"
        for tool in parse_tools(tools)
    ]
    return f"{TOOLS_OPEN}{''.join(lines)}{TOOLS_CLOSE}" if lines else ""


def parts(markup: Markup, messages: Sequence[Mapping[str, Any]], tools: str | None) -> list[str]:
    """The rendered conversation in pieces: what stands before the first message, then one per message.

    The first system message belongs to the opening piece, its own is empty. Joined, the pieces are
    the text; joined up to a turn, they are a prefix of it.
    """
    written = [opening(markup, messages, tools)]
    previous = None
    for position, message in enumerate(messages):
        role = message["role"]
        content = message.get("content") or ""
        if role == "user":
            text = f"{markup.user_open}{content}{markup.user_close}"
        elif role == "assistant":
            text = f"{markup.assistant_open}{said(markup, message)}{markup.end}{markup.tail}"
        elif role == "tool":
            first, last = previous != "tool", next_role(messages, position) != "tool"
            text = (
                f"{markup.user_open if first else chr(10)}<tool_response>\n{content}\n</tool_response>"
                f"{markup.user_close if last else ''}"
            )
        elif role == "system" and position:
            text = f"{markup.late_system_open}{content}{markup.system_close}"
        else:
            text = ""
        written.append(text)
        previous = role
    return written


def opening(markup: Markup, messages: Sequence[Mapping[str, Any]], tools: str | None) -> str:
    """What stands before the first message: the first system message and the tools."""
    has_system = bool(messages) and messages[0]["role"] == "system"
    block = tools_block(tools) if tools else ""
    if not has_system and not block:
        return markup.head
    system = (messages[0].get("content") or "") if has_system else ""
    gap = "\n\n" if system and block else ""
    return f"{markup.head}{markup.system_open}{system}{gap}{block}{markup.system_close}"


def next_role(messages: Sequence[Mapping[str, Any]], position: int) -> str | None:
    """The role of the message after `position`, null at the end."""
    return messages[position + 1]["role"] if position + 1 < len(messages) else None


def said(markup: Markup, message: Mapping[str, Any]) -> str:
    """What an assistant turn says: its thought, its words, its calls."""
    content = message.get("content") or ""
    thought, words = None, content
    if not markup.verbatim:
        thought, words = thought_and_words(markup, message, content)
    calls = message.get("tool_calls")
    return (thought or "") + words + (write_calls(calls, words, verbatim=markup.verbatim) if calls else "")


def thought_and_words(markup: Markup, message: Mapping[str, Any], content: str) -> tuple[str | None, str]:
    """The thought as it is written, null for none, and the words after it.

    A client that has taken an answer apart gives the thought in `reasoning_content`.
    """
    thought, words = message.get("reasoning_content"), content
    if thought:
        thought = thought.strip(SPACE)
    else:
        thought, words = split_thought(content)
    if thought is None and markup.thinking == "as_is":
        return None, words.rstrip(SPACE)
    words = words.lstrip("\n")
    return f"{OPENS}\n{thought or ''}\n{CLOSES}\n\n", words.rstrip(SPACE)


def opening_of(markup: Markup, message: Mapping[str, Any]) -> str:
    """What of an assistant turn is given, not said: loss begins after it.

    Under `thinking: empty` the opened thought, or the whole of an empty one.
    """
    if markup.thinking == "as_is":
        return markup.assistant_open
    thought, _ = thought_and_words(markup, message, message.get("content") or "")
    return markup.prompt(enable_thinking=thought != NO_THOUGHT)


def write_calls(calls: Sequence[Mapping[str, Any]], words: str, *, verbatim: bool) -> str:
    """Tool calls as <tool_call> blocks, after a line's end if words stand before them.

    verbatim: arguments as they are spelt, where they are a text, else in the normal form.
    """
    blocks = []
    for tool_call in calls:
        call = tool_call.get("function", tool_call)
        arguments = call["arguments"]
        text = arguments if isinstance(arguments, str) else to_json(arguments)
        if not verbatim and isinstance(arguments, str):
            text = normal_arguments(text)
        blocks.append(f'<tool_call>\n{{"name": {to_json(call["name"])}, "arguments": {text}}}\n</tool_call>')
    return ("\n" if words else "") + "\n".join(blocks)
