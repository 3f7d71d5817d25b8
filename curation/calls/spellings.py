"""The table of spellings: how sets and models write tool calls into the text of a turn.

The next one is an entry here and its example; a test reads every example. What `calls_in` gives is where the
calls begin, so that words before them stay words. Text behind a call is no part of any spelling: such a turn
stays as it is.

The shapes are those that the clients themselves read and write: vLLM's and SGLang's tool parsers, ms-swift's
agent templates, LLaMA-Factory's tool formats, llama.cpp's chat formats.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple

from curation.calls.given_tools import Offer
from curation.calls.json_calls import HOLDERS, PASSED, as_json, called, calls
from curation.calls.python_calls import python_calls
from curation.calls.tagged_calls import Arguments, any_arguments, either, json_arguments, parameters
from curation.turns.chat_api import call
from curation.turns.control_tokens import CONTROL_TOKENS
from curation.turns.shape import Unfit

Call = dict[str, str | None]
# Of a text that begins with the opening, the calls that the whole of it is; None where it is anything else.
Reading = Callable[[str, Offer], Sequence[Call] | None]

# What may be tried as the beginning of calls that nothing but a line's start marks.
TRIED = 32


class Found(NamedTuple):
    """Calls in a text: where they begin, what they are, and the spelling."""

    start: int
    calls: list[Call]
    spelling: str


class Spelling(NamedTuple):
    """How calls are written.

    opening   what stands where they begin
    read      the calls of a text from there on
    marks     one of them stands in the JSON of every row with a turn that is written so; without marks, only
              rows that offer tools are looked at
    example   of a call of `weather` with `city` Oslo
    is_plain  whether other text may well begin so: what begins later is tried, too
    """

    opening: re.Pattern[str]
    read: Reading
    marks: tuple[str, ...]
    example: str
    is_plain: bool = False


def blocks(opening: str, closing: str, before: str = "", after: str = "", inside: str = "json") -> Spelling:
    """Calls in JSON, each one between two tags, perhaps all in an outer pair; the last may stay open.

    inside: json, or either where Python's calls may stand there, too.
    """
    tags = f"{opening}|{closing}" if closing else opening
    one = rf"{opening}((?:(?!{tags}).)*)(?:{closing or '(?!)'}|\Z|(?={opening}))"
    every = re.compile(rf"(?:{before})?\s*(?:{one}\s*)+(?:{after})?\s*", re.DOTALL)
    parts = re.compile(one, re.DOTALL)

    def read(text: str, offer: Offer) -> list[Call] | None:
        if not every.fullmatch(text):
            return None
        return _all(_inside(found, offer, inside) for found in parts.findall(text))

    return Spelling(re.compile(rf"(?:{before}\s*)?{opening}" if before else opening), read, (), "")


def _inside(text: str, offer: Offer, kind: str) -> list[Call] | None:
    try:
        return calls(as_json(text))
    except Unfit:
        return python_calls(text, offer.names) if kind == "either" else None


def _all(made: Any) -> list[Call] | None:
    every = list(made)
    return [one for some in every for one in some] if every and all(every) else None


def headed(head: str, *closing: str, arguments: Arguments = json_arguments, flags: int = 0) -> Spelling:
    """Calls that begin with their name.

    head: a pattern with the group `name`. closing: what ends each, from the inside; with `?` behind it where
    it may be left out.
    """
    opening = re.compile(head, flags)

    def read(text: str, offer: Offer) -> list[Call] | None:
        heads = list(opening.finditer(text))
        ends = [one.start() for one in heads[1:]] + [len(text)]
        made = []
        for one, end in zip(heads, ends, strict=True):
            body = _without(text[one.end() : end], closing)
            name = one["name"].strip().strip("`'\"")
            passed = None if body is None or not name else arguments(name, body, offer)
            if passed is None:
                return None
            made.append(call(name, passed))
        return made

    return Spelling(opening, read, (), "")


def _without(text: str, closing: Sequence[str]) -> str | None:
    """A text without what it ends with; None where it does not."""
    for end in reversed(closing):
        text = text.rstrip()
        if not text.endswith(end.removesuffix("?")) and not end.endswith("?"):
            return None
        text = text.removesuffix(end.removesuffix("?"))
    return text


def json_text(text: str, offer: Offer) -> list[Call] | None:
    """A text that is calls in JSON."""
    return called(text)


def python_text(text: str, offer: Offer) -> list[Call] | None:
    """A text that is calls in Python, of tools that are offered."""
    return python_calls(text, offer.names)


def fenced(text: str, offer: Offer) -> list[Call] | None:
    """Blocks of code that are calls, each by itself."""
    if not _BLOCKS.fullmatch(text):
        return None
    return _all(called(inside) or python_calls(inside, offer.names) for inside in _BLOCK.findall(text))


_LANGUAGES = "json|jsonc|python|py|tool_calls?|tool_code|tool|function_calls?|"
_BLOCK = re.compile(rf"```(?:{_LANGUAGES})[ \t]*\n(.*?)\s*```", re.DOTALL)
_BLOCKS = re.compile(rf"(?:```(?:{_LANGUAGES})[ \t]*\n(?:(?!```).)*```\s*)+", re.DOTALL)
_NAME = r"(?P<name>[^\s<>\[\](){}\"'=|:,]+)"
_INVOKED = parameters(r'<parameter name="(?P<key>[^"]*)"[^>]*>', "</parameter>")
_EQUATED = parameters(r"<parameter=(?P<key>[^>\n]+)>\n?", r"\n?</parameter>")
_KEYED = parameters(r"<arg_key>(?P<key>[^<]*)</arg_key>\s*<arg_value>", "</arg_value>")
_DSML = parameters(r'<\uff5cDSML\uff5cparameter name="(?P<key>[^"]*)"[^>]*>', r"</\uff5cDSML\uff5cparameter>")

_JSON = '{"name": "weather", "arguments": {"city": "Oslo"}}'
_PASSED = '{"city": "Oslo"}'


def _entry(spelling: Spelling, *marks: str, example: str, is_plain: bool = False) -> Spelling:
    return spelling._replace(marks=marks, example=example, is_plain=is_plain)


SPELLINGS: Mapping[str, Spelling] = {
    # Hermes, Qwen; Hunyuan and others put all of them into <tool_calls>.
    "tool_call": _entry(
        blocks("<tool_call>", "</tool_call>", "<tool_calls>", "</tool_calls>"),
        "<tool_call>",
        example=f"<tool_call>\n{_JSON}\n</tool_call>",
    ),
    # Qwen3-Coder and Qwen3.5; Llama 3.1 and Functionary have JSON in the tag, Seed an outer tag of its own.
    "function": _entry(
        headed(
            r"(?:<(?:seed:)?tool_call>\s*)?<function=(?P<name>[^>\n]+)>\s*",
            "</function>",
            "</seed:tool_call>?",
            "</tool_call>?",
            arguments=either(json_arguments, _EQUATED),
        ),
        "<function=",
        example="<function=weather><parameter=city>\nOslo\n</parameter></function>",
    ),
    # GLM-4.5 and later.
    "arg_key": _entry(
        headed(rf"<tool_call>\s*{_NAME}\s*(?=<arg_key>|</tool_call>)", "</tool_call>", arguments=_KEYED),
        "<tool_call>",
        example="<tool_call>weather\n<arg_key>city</arg_key>\n<arg_value>Oslo</arg_value>\n</tool_call>",
    ),
    # Hunyuan.
    "tool_call_fence": _entry(
        headed(
            rf"(?:<tool_calls>\s*)?<tool_call>\s*{_NAME}\s*```json", "```", "</tool_call>", "</tool_calls>?"
        ),
        "<tool_call>",
        example=f"<tool_call>weather\n```json\n{_PASSED}\n```</tool_call>",
    ),
    # MiniMax-M1, Jamba.
    "tool_calls": _entry(
        blocks("<tool_calls>", "</tool_calls>"),
        "<tool_calls>",
        example=f"<tool_calls>[{_JSON}]</tool_calls>",
    ),
    # Glaive; Granite 20B writes an underscore.
    "functioncall": _entry(
        blocks("<function_?call>", "</function_?call>", "<multiplefunctions>", "</multiplefunctions>"),
        "<functioncall>",
        "<function_call>",
        example=f"<functioncall> {_JSON} </functioncall>",
    ),
    # MiniMax-M2, Anthropic.
    "invoke": _entry(
        headed(
            r'(?:<(?:minimax:tool_call|function_calls)>\s*)?<invoke name="(?P<name>[^"]*)">',
            "</invoke>",
            "</function_calls>?",
            "</minimax:tool_call>?",
            arguments=_INVOKED,
        ),
        "<invoke name=",
        example='<invoke name="weather">\n<parameter name="city">Oslo</parameter>\n</invoke>',
    ),
    # DeepSeek-V3.2 and later.
    "dsml": _entry(
        headed(
            r"(?:<\uff5cDSML\uff5c(?:function|tool)_calls>\s*)?"
            r'<\uff5cDSML\uff5cinvoke name="(?P<name>[^"]*)">',
            "</\uff5cDSML\uff5cinvoke>",
            "</\uff5cDSML\uff5cfunction_calls>?",
            "</\uff5cDSML\uff5ctool_calls>?",
            arguments=_DSML,
        ),
        "<\uff5cDSML\uff5cinvoke",
        example='<\uff5cDSML\uff5cinvoke name="weather"><\uff5cDSML\uff5cparameter name="city" '
        'string="true">Oslo</\uff5cDSML\uff5cparameter></\uff5cDSML\uff5cinvoke>',
    ),
    "mistral": _entry(
        blocks(r"\[TOOL_CALLS\]", ""),
        "[TOOL_CALLS]",
        example=f"[TOOL_CALLS] [{_JSON}]",
    ),
    # Mistral's tokenizers from the eleventh on.
    "mistral_named": _entry(
        headed(rf"\[TOOL_CALLS\]\s*{_NAME}(?:\[CALL_ID\]\w+)?(?:\[ARGS\])?(?=\s*\{{)"),
        "[TOOL_CALLS]",
        example=f"[TOOL_CALLS]weather[ARGS]{_PASSED}",
    ),
    # Llama 3.1 and later.
    "python_tag": _entry(
        blocks(r"<\|python_tag\|>", "", inside="either"),
        "<|python_tag|>",
        example='<|python_tag|>{"name": "weather", "parameters": {"city": "Oslo"}}',
    ),
    # DeepSeek: V3 and R1 fence the arguments, V3.1 does not.
    "deepseek": _entry(
        headed(
            r"(?:<\uff5ctool▁calls▁begin\uff5c>\s*)?<\uff5ctool▁call▁begin\uff5c>"
            r"(?:function<\uff5ctool▁sep\uff5c>)?(?P<name>[^\n<]+)(?:<\uff5ctool▁sep\uff5c>|\n)(?:```json)?",
            "```?",
            "<\uff5ctool▁call▁end\uff5c>",
            "<\uff5ctool▁calls▁end\uff5c>?",
        ),
        "<\uff5ctool▁call▁begin\uff5c>",
        example="<\uff5ctool▁calls▁begin\uff5c><\uff5ctool▁call▁begin\uff5c>function<\uff5ctool▁sep\uff5c>"
        f"weather\n```json\n{_PASSED}\n```<\uff5ctool▁call▁end\uff5c><\uff5ctool▁calls▁end\uff5c>",
    ),
    "kimi": _entry(
        headed(
            r"(?:<\|tool_calls_section_begin\|>\s*)?<\|tool_call_begin\|>\s*(?:functions\.)?"
            r"(?P<name>[^\s:<]+)(?::\d+)?\s*<\|tool_call_argument_begin\|>",
            "<|tool_call_end|>",
            "<|tool_calls_section_end|>?",
        ),
        "<|tool_call_begin|>",
        example="<|tool_calls_section_begin|><|tool_call_begin|>functions.weather:0"
        f"<|tool_call_argument_begin|>{_PASSED}<|tool_call_end|><|tool_calls_section_end|>",
    ),
    # Granite 3 and Phi-4-mini; LFM2 writes Python.
    "tool_call_token": _entry(
        blocks(r"<\|tool_call(?:_start)?\|>", r"<\|(?:/tool_call|tool_call_end)\|>", inside="either"),
        "<|tool_call|>",
        "<|tool_call_start|>",
        example=f"<|tool_call|>[{_JSON}]<|/tool_call|>",
    ),
    "functools": _entry(
        blocks(r"functools(?=\[)", ""),
        "functools[",
        example=f"functools[{_JSON}]",
    ),
    # Nemotron.
    "toolcall": _entry(
        blocks("<TOOLCALL>", "</TOOLCALL>"),
        "<TOOLCALL>",
        example=f"<TOOLCALL>[{_JSON}]</TOOLCALL>",
    ),
    "internlm": _entry(
        blocks(r"<\|action_start\|>\s*<\|plugin\|>", r"<\|action_end\|>"),
        "<|action_start|>",
        example='<|action_start|><|plugin|>{"name": "weather", "parameters": {"city": "Oslo"}}<|action_end|>',
    ),
    # Command R+ and, in tokens, Command R7B.
    "command_r": _entry(
        blocks(r"Action:\s*```json", "```"),
        "Action: ```json",
        "Action:```json",
        "Action:\\n```json",
        example='Action: ```json\n[{"tool_name": "weather", "parameters": {"city": "Oslo"}}]\n```',
    ),
    "start_action": _entry(
        blocks(r"<\|START_ACTION\|>", r"<\|END_ACTION\|>"),
        "<|START_ACTION|>",
        example='<|START_ACTION|>[{"tool_call_id": "0", "tool_name": "weather", "parameters": '
        '{"city": "Oslo"}}]<|END_ACTION|>',
    ),
    "react": _entry(
        headed(
            r"^[ \t]*Action:[ \t]*(?P<name>[^\n]+)\n\s*Action Input:",
            "Observation:?",
            arguments=any_arguments,
            flags=re.MULTILINE,
        ),
        "Action Input:",
        example=f"Thought: I look.\nAction: weather\nAction Input: {_PASSED}",
    ),
    # gpt-oss.
    "harmony": _entry(
        headed(
            r"(?:<\|start\|>assistant)?<\|channel\|>(?:commentary|analysis) to=functions\.(?P<name>[\w.-]+)"
            r"\s*(?:<\|constrain\|>)?(?:json)?<\|message\|>",
            "<|call|>?",
        ),
        "to=functions.",
        example=f"<|channel|>commentary to=functions.weather <|constrain|>json<|message|>{_PASSED}<|call|>",
    ),
    "functionary": _entry(
        headed(r"^>>>(?P<name>[^\s<>()]+)\n(?=\s*\{)", flags=re.MULTILINE),
        example=f">>>weather\n{_PASSED}",
        is_plain=True,
    ),
    "fence": _entry(
        Spelling(re.compile(rf"```(?:{_LANGUAGES})[ \t]*\n"), fenced, (), ""),
        "```tool_c",
        "```function_call",
        example=f"```json\n{_JSON}\n```",
        is_plain=True,
    ),
    "json": _entry(
        Spelling(re.compile(r"^[ \t]*[\[{](?=\s*[\[{\"'])", re.MULTILINE), json_text, (), ""),
        *(f"{quote}{key}{quote}:" for key in (*PASSED, *HOLDERS) for quote in ('\\"', "'")),
        example=_JSON,
        is_plain=True,
    ),
    # GLM-4.
    "name_and_json": _entry(
        headed(r"^(?P<name>[^\s(){}\[\]:`\"']+)[ \t]*\n(?=\s*\{)", flags=re.MULTILINE),
        example=f"weather\n{_PASSED}",
        is_plain=True,
    ),
    # ToolACE in brackets, others without; Gemma's models print them in a block of code.
    "python": _entry(
        Spelling(re.compile(r"^[ \t]*(?:\[\s*)?(?=[^\W\d][\w. -]*\()", re.MULTILINE), python_text, (), ""),
        example="[weather(city='Oslo')]",
        is_plain=True,
    ),
}

_ANYWHERE = re.compile(r"[\[{](?=\s*[\[{\"'])")
# Tokens that end a turn, which some sets leave at its end.
_TURN_ENDS = re.compile(r"(?:</s>|<\|(?:eot_id|eom_id|im_end|endoftext|observation)\|>)\Z")
# What a row's JSON holds where a turn may be written in a spelling that has marks, or be a list in Python.
MARKED = "|".join(
    dict.fromkeys(re.escape(mark) for spelling in SPELLINGS.values() for mark in spelling.marks)
)
LISTED = r'"content":"\[[A-Za-z_][\w. ]*\('
# No call is written without one of these.
HINT = re.compile(r"[<\[{(]|Action")


def calls_in(text: str, offer: Offer, *, is_call: bool = False) -> Found | None:
    """The calls that a text ends on, in the first spelling of the table in which it does.

    is_call: whether the turn is one by its role, whatever tool it names; JSON may begin anywhere in it.
    """
    if not HINT.search(text):
        return None
    text = _TURN_ENDS.sub("", text.rstrip())
    for name, spelling in SPELLINGS.items():
        if is_call and name == "json":
            spelling = spelling._replace(opening=_ANYWHERE)
        if (found := read_as(spelling, text, offer)) is None or is_open(text[: found[0]]):
            continue
        start, made = found
        if (
            is_call
            or {str(one["name"]) for one in made} <= set(offer.names)
            or _is_control(spelling, text[start:])
        ):
            return Found(start, made, name)
    return None


def read_as(spelling: Spelling, text: str, offer: Offer) -> tuple[int, list[Call]] | None:
    """Where calls in this spelling begin that a text ends on, and what they are."""
    for opening in islice(spelling.opening.finditer(text), TRIED if spelling.is_plain else 1):
        if made := spelling.read(text[opening.start() :], offer):
            return opening.start(), list(made)
    return None


def _is_control(spelling: Spelling, text: str) -> bool:
    """Whether calls are made of a model's control tokens: they cannot stay text, whatever tool they name."""
    return not spelling.is_plain and any(token in text for token in CONTROL_TOKENS)


def is_open(text: str) -> bool:
    """Whether thinking or a block of code has begun and not ended."""
    return "<think>" in text or text.count("```") % 2 == 1
