"""YAML with positions, read strictly: every key and value knows its line, nothing is guessed.

Scalars follow the core schema of YAML 1.2 (yaml.org/spec/1.2.2, §10.3), as users expect them:
`yes` and `no` are text, `2e-5` is a number, a date is text. Refused, each with its line: keys
written twice, anchors and aliases (they can expand without bound), tags, a second document, numbers
with a leading zero, infinities, numbers beyond 64 bits, nesting beyond 20 levels; in a recipe also
more than 20,000 values and files beyond 1 MiB.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from curation.errors import RecipeError

MAX_BYTES = 1 << 20
MAX_DEPTH = 20
MAX_VALUES = 20_000
# Longer keys are cut in messages.
LONGEST_KEY = 60

# Where a value stands: keys of mappings and indexes of lists, from the top.
KeyPath = tuple[str | int, ...]

# The C parser is ten times as fast; both give the same events.
LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]*)")
LEADING_ZERO = re.compile(r"[-+]?0[0-9]+")
FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
NOT_FINITE = re.compile(r"[-+]?\.inf|\.nan", re.IGNORECASE)
WORDS = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")

# What the parser says → what is wrong in a writer's words.
ADVICE = (
    (
        "mapping values are not allowed",
        "an unexpected ':'; check the indentation, and quote text that holds ': '",
    ),
    (
        "could not find expected ':'",
        "a key without ':'; check the indentation, and put a space after each ':'",
    ),
    ("expected <block end>", "check the indentation: keys of one level start in the same column"),
    ("did not find expected key", "check the indentation: keys of one level start in the same column"),
    ("did not find expected '-'", "check the indentation: items of one list start in the same column"),
    ("expected ',' or '}'", "a '{' is not closed, or a comma is missing"),
    ("expected ',' or ']'", "a '[' is not closed, or a comma is missing"),
    ("node content", "a key or a value is missing here"),
    ("unexpected end of stream", "a quote or a bracket is not closed"),
    ("cannot start any token", "quote text that starts with '@', '`' or '%'"),
)


class Scalar(NamedTuple):
    """A value as it was typed."""

    text: str
    quoted: bool


@dataclass
class Document:
    """A YAML document as plain values; `lines` and `scalars` go by path, keys and list indexes."""

    name: str
    value: Any
    lines: dict[KeyPath, int] = field(default_factory=dict)
    scalars: dict[KeyPath, Scalar] = field(default_factory=dict)

    def line(self, path: KeyPath) -> int | None:
        """The line of a key, or of the nearest thing around it; None for what was not read from text."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path)


def read_yaml(path: Path) -> Document:
    """The document in a file. Raises RecipeError, naming file and line, on anything that is not one."""
    return parse_yaml(decoded(path), str(path), most_values=MAX_VALUES)


def decoded(path: Path) -> str:
    """The text of a recipe file; a byte order mark is left out."""
    if not path.exists():
        near = sorted(other.name for other in path.parent.glob("*.y*ml")) if path.parent.is_dir() else []
        beside = f"; beside it: {', '.join(near[:8])}" if near else ""
        raise RecipeError(f"{path}: no such file{beside}")
    if path.is_dir():
        raise RecipeError(f"{path}: a folder; name the recipe file in it")
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise RecipeError(f"{path}: cannot be read: {error.strerror or error}") from error
    if len(data) > MAX_BYTES:
        raise RecipeError(f"{path}: larger than 1 MiB; a recipe is a short YAML file, is this the data?")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise RecipeError(
            f"{path}:{line}: byte 0x{data[error.start]:02x} is not UTF-8; save the recipe as UTF-8 text"
        ) from error


def parse_yaml(text: str, name: str, *, most_values: int | None = None) -> Document:
    """The document in a text; `name` stands for the file in errors. An empty text is an error."""
    odd = CONTROL.search(text)
    if odd:
        line = text.count("\n", 0, odd.start()) + 1
        raise RecipeError(
            f"{name}:{line}: control character U+{ord(odd.group()):04X}; a recipe is plain YAML text"
        )
    try:
        return Builder(name, most_values).build(yaml.parse(text, Loader=LOADER))
    except yaml.MarkedYAMLError as error:
        raise RecipeError(syntax_fault(name, text, error)) from error
    except yaml.YAMLError as error:
        raise RecipeError(f"{name}: not YAML text: {' '.join(str(error).split())}") from error


def syntax_fault(name: str, text: str, error: yaml.MarkedYAMLError) -> str:
    """One line for a syntax error: where, what, and what to look at."""
    mark = error.problem_mark or error.context_mark
    line = mark.line + 1 if mark else 1
    lines = text.splitlines()
    shown = lines[line - 1] if line <= len(lines) else ""
    if re.match(r" *\t", shown):
        return f"{name}:{line}: a tab in the indentation; YAML is indented with spaces"
    problem = (error.problem or "").rstrip()
    advice = next((advice for start, advice in ADVICE if start in problem), problem)
    since = error.context_mark.line + 1 if error.context_mark else line
    opened = f" (opened on line {since})" if since != line and "not closed" in advice else ""
    return f"{name}:{line}: not valid YAML: {advice}{opened}"


class Builder:
    """Turns the parser's events into plain values, without recursion."""

    def __init__(self, name: str, most_values: int | None) -> None:
        self.document = Document(name, None)
        # Open mappings and lists with their paths; a mapping's pending key.
        self.open: list[tuple[Any, KeyPath]] = []
        self.keys: list[str | None] = []
        self.values = 0
        self.most_values = most_values

    def build(self, events: Iterator[Any]) -> Document:
        """The one document of the events."""
        documents = 0
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    self.refuse(
                        event, "a second document starts here; a recipe is one document, without '---'"
                    )
            elif isinstance(event, yaml.AliasEvent):
                self.refuse(event, f"alias '*{event.anchor}'; write the value out, aliases are not supported")
            elif isinstance(event, yaml.NodeEvent):
                self.node(event)
            elif isinstance(event, yaml.CollectionEndEvent):
                self.open.pop()
                self.keys.pop()
        if not documents:
            raise RecipeError(f"{self.document.name}: empty; run `aj init FOLDER` for a first recipe")
        return self.document

    def node(self, event: Any) -> None:
        """A scalar, or the start of a mapping or list."""
        self.values += 1
        if self.most_values is not None and self.values > self.most_values:
            raise RecipeError(
                f"{self.document.name}: more than {self.most_values:,} values; is this the data?"
            )
        if event.anchor is not None:
            self.refuse(event, f"anchor '&{event.anchor}'; write the value out, anchors are not supported")
        if event.tag is not None:
            self.refuse(event, f"tag '{event.tag}'; write the plain value, tags are not supported")
        if self.open and isinstance(self.open[-1][0], dict) and self.keys[-1] is None:
            self.key(event)
        elif isinstance(event, yaml.ScalarEvent):
            path = self.place(event, self.scalar(event))
            self.document.scalars[path] = Scalar(event.value, not event.implicit[0])
        else:
            if len(self.open) == MAX_DEPTH:
                self.refuse(event, f"nested deeper than {MAX_DEPTH} levels; no recipe is")
            container: Any = {} if isinstance(event, yaml.MappingStartEvent) else []
            path = self.place(event, container)
            self.open.append((container, path))
            self.keys.append(None)

    def key(self, event: Any) -> None:
        """The next key of the innermost mapping."""
        if not isinstance(event, yaml.ScalarEvent):
            self.refuse(event, "a key must be plain text; quote text that starts with '{' or '['")
        mapping, path = self.open[-1]
        key = event.value
        if key == "":
            self.refuse(event, "a key is missing before ':'")
        if key in mapping:
            first = self.document.lines[(*path, key)]
            self.refuse(
                event,
                f"key '{key_name((key,))}' is written twice (first on line {first}); remove one of the two",
            )
        self.document.lines[(*path, key)] = event.start_mark.line + 1
        self.keys[-1] = key

    def place(self, event: Any, value: Any) -> KeyPath:
        """Put a value where it belongs; returns its path."""
        line = event.start_mark.line + 1
        if not self.open:
            self.document.value = value
            self.document.lines[()] = line
            return ()
        container, above = self.open[-1]
        if isinstance(container, dict):
            key = self.keys[-1]
            container[key] = value
            self.keys[-1] = None
            return (*above, str(key))
        container.append(value)
        path = (*above, len(container) - 1)
        self.document.lines[path] = line
        return path

    def scalar(self, event: Any) -> Any:
        """The value of a scalar by the core schema; quoted and block scalars are text."""
        text: str = event.value
        if not event.implicit[0]:
            return text
        if text in WORDS:
            return WORDS[text]
        if INTEGER.fullmatch(text):
            if len(text) > 20 or not -(1 << 63) <= int(text) < 1 << 63:
                self.refuse(event, f"the number {text[:24]} is beyond 64 bits; quote it if it is text")
            return int(text)
        if LEADING_ZERO.fullmatch(text):
            plain = text.lstrip("+-0") or "0"
            self.refuse(event, f"'{text}' has a leading zero; write {plain}, or quote it if it is text")
        if FLOAT.fullmatch(text):
            value = float(text)
            if value - value == 0:
                return value
        if FLOAT.fullmatch(text) or NOT_FINITE.fullmatch(text):
            self.refuse(event, f"'{text}' is not a finite number; quote it if it is text")
        return text

    def refuse(self, event: Any, fault: str) -> None:
        """Raise the error, with the file, the line and the key around it."""
        above: KeyPath = self.open[-1][1] if self.open else ()
        key = self.keys[-1] if self.keys else None
        steps = above if key is None else (*above, key)
        where = f"{key_name(steps)}: " if 0 < len(steps) < MAX_DEPTH - 1 else ""
        raise RecipeError(f"{self.document.name}:{event.start_mark.line + 1}: {where}{fault}")


def key_name(path: KeyPath) -> str:
    """A path as users write it: `sources.wildchat.take`, `gates[2].metric`."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        else:
            short = step if len(step) <= LONGEST_KEY else f"{step[:LONGEST_KEY]}…"
            text += f".{short}" if text else short
    return text
