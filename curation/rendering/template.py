"""A row as the model reads it: chat templates, the rendered text, and the spans that training learns.

The one implementation, for token counts in curation and for text and masks in training. A template is
`aj_r1`, `chatml`, `model` (the tokenizer's own) or the path of a .jinja file. The built-in ones are in
their second edition; the first, which wrote content and arguments as a row spells them, stays for what was
made with it. Whatever it is, every
prefix of a conversation that ends before or after an assistant turn renders to a prefix of the whole
text; a template that does otherwise, or drops tools or tool calls, is refused when it is loaded.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any, Literal, NoReturn

import jinja2
import jinja2.ext
import orjson
from jinja2.sandbox import ImmutableSandboxedEnvironment

from curation.errors import RecipeError, Refusal
from curation.recipe.kinds import BUILT_IN_TEMPLATES, Thinking
from curation.rendering.arguments import Spelt, dump, normal_arguments, parse
from curation.rendering.template_parts import (
    MARKUPS,
    Markup,
    RenderError,
    opening_of,
    parse_tools,
    parts,
    to_json,
)
from curation.row import MESSAGE_KEYS, Message
from curation.turns.thoughts import OPENS

BUILT_IN = BUILT_IN_TEMPLATES
NAMED = (*BUILT_IN, "model")  # any other template is a path
THINKING_LINE = "set thinking = '{}'"  # in the text of a built-in one

EDITION = "2"  # how rows are handed to templates; the first handed arguments as they are spelt

# How a template of unknown make wants calls: the row's own flat shape, OpenAI's with arguments as a
# JSON text, or the same with arguments as an object (transformers' convention).
CallShape = Literal["flat", "openai", "object"]
CALL_SHAPES: tuple[CallShape, ...] = ("flat", "openai", "object")

Messages = Sequence[Mapping[str, Any]]
Spans = list[tuple[int, int]]


class PrefixError(RenderError):
    """The template renders a conversation's beginning otherwise once the conversation goes on."""


@dataclass(frozen=True)
class Template:
    """A chat template. `end` closes an assistant turn; `tail` is white space that follows it.

    `markup` is set for the built-in ones: they are then written in plain Python, and a row's text can
    be had message by message (`parts`). `verbatim`: rows were counted before arguments had a normal form.
    """

    name: str
    source: str
    end: str
    tail: str = ""
    markup: Markup | None = None
    calls: CallShape = "flat"
    null_content: str | None = None
    special: Mapping[str, str] = field(default_factory=dict)
    verbatim: bool = False

    def render(
        self,
        messages: Messages,
        tools: str | None,
        *,
        add_generation_prompt: bool = False,
        enable_thinking: bool = True,
    ) -> str:
        """The text of a conversation. `tools` is the row's JSON array. Raises RenderError.

        enable_thinking: without, a prompt that opens a thought closes it too.
        """
        asks = add_generation_prompt
        if self.markup is None:
            return render_jinja(
                self, messages, tools, add_generation_prompt=asks, enable_thinking=enable_thinking
            )
        text = "".join(parts(self.markup, messages, tools))
        return text + self.markup.prompt(enable_thinking=enable_thinking) if asks else text

    @property
    def opens(self) -> str:
        """What of an answer stands in the prompt for it already, unless thinking is switched off."""
        return f"{OPENS}\n" if self.markup is not None and self.markup.thinking == "empty" else ""

    def parts(self, messages: Messages, tools: str | None) -> list[str]:
        """The text in pieces: the opening, then one for every message. Built-in templates only."""
        assert self.markup is not None, "only the built-in templates render message by message"
        return parts(self.markup, messages, tools)

    def arguments(self, text: str) -> str:
        """The arguments of a call as a conversation's text holds them."""
        return text if self.verbatim and self.calls != "object" else normal_arguments(text)

    @property
    def digest(self) -> str:
        """sha256 over everything that decides the rendered text."""
        return template_digest(self)


def template_digest(template: Template) -> str:
    """sha256 in hex of the template's text and of how rows are handed to it."""
    settings: list[Any] = [template.source, template.calls, template.null_content, dict(template.special)]
    if not template.verbatim:
        settings.append("normal arguments")
    return hashlib.sha256(orjson.dumps(settings, option=orjson.OPT_SORT_KEYS)).hexdigest()


def load_template(
    name: str,
    tokenizer_dir: Path | None = None,
    *,
    root: Path = Path(),
    thinking: Thinking = "as_is",
    first: bool = False,
) -> Template:
    """The template of a recipe: a built-in name, `model`, or a path from `root`.

    thinking: `train.thinking` of the recipe. first: the first edition of a built-in one.

    RecipeError: no such template, or the tokenizer lacks its role tokens. Refusal: the template drops
    tools or tool calls, or cannot be masked.
    """
    if name in MARKUPS:
        template = built_in(name, thinking, first=first)
        if tokenizer_dir is not None:
            check_role_tokens(template, tokenizer_dir)
        return template
    if name == "model":
        if tokenizer_dir is None:
            raise RecipeError("template: 'model' is the tokenizer's own template, and no tokenizer is given")
        return probed(name, own_template(tokenizer_dir), special_tokens(tokenizer_dir), first=first)
    path = root / name
    if not path.is_file():
        raise RecipeError(f"template: '{name}' is none of {', '.join(BUILT_IN)}, model, and no file {path}")
    special = special_tokens(tokenizer_dir) if tokenizer_dir is not None else {}
    return probed(name, path.read_text(encoding="utf-8"), special, first=first)


def built_in(name: str, thinking: Thinking = "as_is", *, first: bool = False) -> Template:
    """One of the templates in curation/rendering/templates. first: as its first edition was."""
    folder = resources.files("curation").joinpath("rendering", "templates", *(["first"] if first else []))
    source = folder.joinpath(f"{name}.jinja").read_text(encoding="utf-8")
    source = source.replace(THINKING_LINE.format("as_is"), THINKING_LINE.format(thinking))
    markup = replace(MARKUPS[name], thinking=thinking, verbatim=first)
    return Template(name=name, source=source, end=markup.end, tail=markup.tail, markup=markup, verbatim=first)


def edition_of(name: str, thinking: Thinking = "as_is") -> str:
    """What a dataset records of the template that its rows are counted with: of a built-in one the digest."""
    return built_in(name, thinking).digest if name in MARKUPS else EDITION


def known_template(source: str) -> Template | None:
    """The built-in template with this text, whatever its edition; null for another one."""
    for name in BUILT_IN:
        for template in (built_in(name), built_in(name, "empty"), built_in(name, first=True)):
            if template.source == source:
                return template
    return None


def spans(template: Template, messages: Messages, tools: str | None) -> tuple[str, Spans]:
    """The text, and for every assistant turn the characters that are trained: from the end of the
    generation prompt through the turn's end token.

    Raises PrefixError if the text before or after a turn is not a prefix of the whole.
    """
    if template.markup is not None:
        return spans_of_parts(template, template.markup, messages, tools)
    text = template.render(messages, tools)
    found = []
    for position, message in enumerate(messages):
        if message["role"] == "assistant":
            before = template.render(messages[:position], tools, add_generation_prompt=True)
            after = template.render(messages[: position + 1], tools)
            check_prefixes(template, position, text, before, after)
            found.append((len(before), len(after) - len(template.tail)))
    return text, found


def spans_of_parts(
    template: Template, markup: Markup, messages: Messages, tools: str | None
) -> tuple[str, Spans]:
    """`spans` for the built-in templates, whose pieces join up to prefixes by construction."""
    pieces = template.parts(messages, tools)
    found, length = [], len(pieces[0])
    for message, piece in zip(messages, pieces[1:], strict=True):
        if message["role"] == "assistant":
            found.append((length + len(opening_of(markup, message)), length + len(piece) - len(markup.tail)))
        length += len(piece)
    return "".join(pieces), found


def check_prefixes(template: Template, position: int, text: str, before: str, after: str) -> None:
    """The prefix rule of one assistant turn; PrefixError names the turn and what is wrong."""
    where = f"template {template.name}: the assistant turn at message {position}"
    if not text.startswith(before) or not after.startswith(before):
        raise PrefixError(f"{where}: the text before it changes once it is answered")
    if not text.startswith(after):
        raise PrefixError(f"{where}: its text changes once the conversation goes on")
    if template.end and not after.endswith(template.end + template.tail):
        raise PrefixError(f"{where}: it does not end with {template.end}")


def render_jinja(
    template: Template,
    messages: Messages,
    tools: str | None,
    *,
    add_generation_prompt: bool = False,
    enable_thinking: bool = True,
) -> str:
    """The text of a conversation by Jinja, as transformers renders a `chat_template`."""
    more = dict(template.special) if enable_thinking else {**template.special, "enable_thinking": False}
    shaped = [normal(m, template) if template.markup else shape(m, template) for m in messages]
    try:
        return compiled(template.source).render(
            messages=shaped,
            tools=parse_tools(tools) or None,
            add_generation_prompt=add_generation_prompt,
            **more,
        )
    except (jinja2.TemplateError, TypeError, ValueError, KeyError, AttributeError) as error:
        raise RenderError(f"template {template.name}: {error}") from error


def normal(message: Mapping[str, Any], template: Template) -> Mapping[str, Any]:
    """A message with the arguments of its calls, where they are texts, as the template writes them."""
    calls = message.get("tool_calls")
    if not calls:
        return message
    found = []
    for call in calls:
        inner = call.get("function", call)
        arguments = inner["arguments"]
        if isinstance(arguments, str):
            inner = {**inner, "arguments": template.arguments(arguments)}
        found.append({**call, "function": inner} if "function" in call else inner)
    return {**message, "tool_calls": found}


def shape(message: Mapping[str, Any], template: Template) -> Message:
    """A message as a template of unknown make expects it: no null keys, its calls in the template's shape."""
    shaped = {key: value for key, value in message.items() if value is not None and key in MESSAGE_KEYS}
    shaped.setdefault("content", template.null_content)
    if not shaped.get("tool_calls"):
        return shaped
    if template.calls == "flat":
        return dict(normal(shaped, template))
    shaped["tool_calls"] = [openai_call(call, template) for call in shaped["tool_calls"]]
    return shaped


def openai_call(call: Mapping[str, Any], template: Template) -> dict[str, Any]:
    """A tool call in OpenAI's shape; arguments that are no JSON stay text."""
    arguments: Any = template.arguments(call["arguments"])
    if template.calls == "object":
        try:
            arguments = json.loads(call["arguments"]) if template.verbatim else parse(call["arguments"])
        except ValueError:
            arguments = call["arguments"]
    return {
        "id": call.get("id"),
        "type": "function",
        "function": {"name": call["name"], "arguments": arguments},
    }


@lru_cache(maxsize=8)
def compiled(source: str) -> jinja2.Template:
    """A template compiled in the environment of transformers' chat templates; the clock is refused."""
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[jinja2.ext.loopcontrols]
    )
    environment.filters["tojson"] = dump_json
    environment.globals["raise_exception"] = raise_exception
    environment.globals["strftime_now"] = refuse_clock
    try:
        return environment.from_string(source)
    except jinja2.TemplateSyntaxError as error:
        raise RecipeError(f"template: line {error.lineno}: {error.message}") from error


def dump_json(
    value: Any,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    """The `tojson` of chat templates: unlike Jinja's own it escapes no HTML and keeps the key order."""
    if not (ensure_ascii or indent or separators or sort_keys):
        return dump(value) if isinstance(value, dict) and spelt(value) else to_json(value)
    return json.dumps(
        value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys
    )


def spelt(value: Any) -> bool:
    """Whether a value holds a number that no float can hold."""
    if isinstance(value, dict | list):
        return any(map(spelt, value.values() if isinstance(value, dict) else value))
    return isinstance(value, Spelt)


def raise_exception(message: str) -> NoReturn:
    """What a template calls to refuse a conversation."""
    raise jinja2.TemplateError(message)


def refuse_clock(_: str) -> NoReturn:
    """A text with today's date in it would differ tomorrow."""
    raise jinja2.TemplateError("it asks for today's date (strftime_now): the same row would render otherwise")


def own_template(tokenizer_dir: Path) -> str:
    """The chat template that comes with a tokenizer; Refusal if there is none."""
    beside = tokenizer_dir / "chat_template.jinja"
    if beside.is_file():
        return beside.read_text(encoding="utf-8")
    source = tokenizer_config(tokenizer_dir).get("chat_template")
    if isinstance(source, list):
        source = {entry.get("name"): entry.get("template") for entry in source}.get("default")
    if not isinstance(source, str):
        raise Refusal(
            f"template: 'model', but {tokenizer_dir} has no chat template; use {' or '.join(BUILT_IN)}"
        )
    return source


def tokenizer_config(tokenizer_dir: Path) -> dict[str, Any]:
    """tokenizer_config.json, empty if absent."""
    path = tokenizer_dir / "tokenizer_config.json"
    if not path.is_file():
        return {}
    config: dict[str, Any] = orjson.loads(path.read_bytes())
    return config


def special_tokens(tokenizer_dir: Path) -> dict[str, str]:
    """bos_token, eos_token and the like as templates name them."""
    named = {}
    for key, value in tokenizer_config(tokenizer_dir).items():
        text = value.get("content") if isinstance(value, dict) else value
        if key.endswith("_token") and isinstance(text, str):
            named[key] = text
    return named


def check_role_tokens(template: Template, tokenizer_dir: Path) -> None:
    """RecipeError unless the vocabulary holds the template's role tokens as single tokens."""
    path = tokenizer_dir / "tokenizer.json"
    if not path.is_file():
        raise RecipeError(f"tokenizer: {path} is missing")
    try:
        added = {token["content"] for token in orjson.loads(path.read_bytes()).get("added_tokens", [])}
    except (OSError, ValueError, AttributeError, TypeError, KeyError) as error:
        raise RecipeError(f"tokenizer: {path} is no tokenizer.json: {error}") from error
    assert template.markup is not None
    missing = [token for token in template.markup.tokens if token not in added]
    if missing:
        fits = [name for name, markup in MARKUPS.items() if added.issuperset(markup.tokens)]
        other = f"; use {' or '.join(fits)}" if fits else ""
        raise RecipeError(
            f"template: {template.name} needs {', '.join(missing)} as single tokens, which "
            f"{tokenizer_dir} does not have: no end of a turn would be learnt{other}"
        )


PROBE_TOOLS = to_json(
    [
        {
            "type": "function",
            "function": {
                "name": "probe_tool",
                "description": "probe-description",
                "parameters": {"type": "object", "properties": {"probe_path": {"type": "string"}}},
            },
        }
    ]
)
PROBE_ARGUMENTS = '{"probe_path": "/probe/value"}'
PROBE: list[Message] = [
    {"role": "system", "content": "probe-system"},
    {"role": "user", "content": "probe-question"},
    {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": "call00001", "name": "probe_tool", "arguments": PROBE_ARGUMENTS}],
    },
    {"role": "tool", "content": "probe-result", "name": "probe_tool", "tool_call_id": "call00001"},
    {"role": "assistant", "content": "<think>\nprobe-thought\n</think>\n\nprobe-answer"},
    {"role": "user", "content": "probe-more"},
    {
        "role": "assistant",
        "content": "probe-words",
        "tool_calls": [{"id": "call00002", "name": "probe_tool", "arguments": PROBE_ARGUMENTS}],
    },
    {"role": "tool", "content": "probe-second", "name": "probe_tool", "tool_call_id": "call00002"},
    {"role": "assistant", "content": "probe-last"},
]


def probed(name: str, source: str, special: Mapping[str, str], *, first: bool = False) -> Template:
    """A template of unknown make, once the way of handing it tool calls is found that loses nothing.

    Refusal with the reason of the way that came furthest.
    """
    furthest, reason = -1, ""
    for calls in CALL_SHAPES:
        for null_content in (None, ""):
            candidate = Template(
                name=name,
                source=source,
                end="",
                calls=calls,
                null_content=null_content,
                special=dict(special),
                verbatim=first,
            )
            passed, problem, end, tail = probe(candidate)
            if not problem:
                return Template(**{**candidate.__dict__, "end": end, "tail": tail})
            if passed > furthest:
                furthest, reason = passed, problem
    raise Refusal(f"template: '{name}' {reason}; use {' or '.join(BUILT_IN)}")


def probe(template: Template) -> tuple[int, str, str, str]:
    """How many checks a template passes, what the next says, its end token and the white space after it."""
    try:
        text = template.render(PROBE, PROBE_TOOLS)
        turn = template.render([PROBE[1], PROBE[-1]], None)
    except RenderError as error:
        return 0, f"cannot render a conversation with tool calls ({error})", "", ""
    after = turn.rpartition("probe-last")[2]
    end, tail = after.rstrip(), after[len(after.rstrip()) :]
    said = ("probe-question", "probe-result", "probe-answer", "probe-more", "probe-words", "probe-last")
    checks = (
        ("probe-description" in text, "drops the tools"),
        (text.count("/probe/value") == 2, "drops tool calls"),
        (
            text.count('"probe_path": "/probe/value"') == 2,
            "writes the arguments of tool calls as a quoted text",
        ),
        (all(part in text for part in said), "drops what was said"),
        ("probe-system" in text, "drops the system message"),
        ("probe-thought" in text, "drops earlier thinking, so it cannot be masked"),
        ("None" not in text, "writes None for an empty message"),
        (bool(end), "ends no assistant turn with a token, so no end would be learnt"),
    )
    for passed, (holds, problem) in enumerate(checks, start=1):
        if not holds:
            return passed, problem, "", ""
    try:
        spans(Template(**{**template.__dict__, "end": end, "tail": tail}), PROBE, PROBE_TOOLS)
    except RenderError as error:
        return len(checks) + 1, f"cannot be masked ({error})", "", ""
    return len(checks) + 2, "", end, tail
