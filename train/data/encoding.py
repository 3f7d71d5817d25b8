"""A row as token ids, and which of them are trained: the mask, with the assertions that hold it.

Loss falls on what the assistant said and on its tool calls, through the end token of each turn, and
on nothing else; on no turn of `weight` 0. What a row merely spells - a user who writes
`<｜Assistant｜>` - stays text and never becomes a control token; `<think>` and `</think>` in an
assistant's content are meant as such.
"""

# ruff: noqa: RUF002 - DeepSeek spells its role tokens with fullwidth bars.

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray
from tokenizers import Tokenizer

from curation.errors import CurationError, Refusal
from curation.rendering.template import PrefixError, Spans, Template, spans
from curation.rendering.template_parts import parse_tools, to_json
from curation.row import is_trained

THINKING = ("<think>", "</think>")
# Stands inside a spelled control token while the template writes the row; private, so in no real text.
MARKS = "\ue123\uf8a7\U000f5a5a"


class MaskError(CurationError):
    """A row whose mask would train the wrong tokens. A bug in a template, never trained over."""


@dataclass(frozen=True)
class Example:
    """One sequence: its ids, and whether each is trained."""

    ids: NDArray[np.int32]
    trained: NDArray[np.bool_]


@dataclass(frozen=True)
class Rendered:
    """A rendered row before it is encoded. `spelled` are spans of text that only look like control tokens."""

    text: str
    spans: Spans
    spelled: Spans


class Encoder:
    """Rows to examples, for one tokenizer and one template.

    document: what tokenizer.json holds, where `tokenizer_dir` has none. Raises CurationError when the
    tokenizer cannot be read and Refusal when the template's end of a turn is no single token of it.
    """

    def __init__(
        self, tokenizer_dir: Path, template: Template, *, document: Mapping[str, Any] | None = None
    ) -> None:
        path = tokenizer_dir / "tokenizer.json"
        try:
            document = document or orjson.loads(path.read_bytes())
            self.whole = Tokenizer.from_str(json.dumps(document))
            self.plain = Tokenizer.from_str(json.dumps({**document, "added_tokens": []}))
        except OSError as error:
            raise CurationError(f"{path}: cannot be read: {error.strerror or error}") from error
        except Exception as error:
            raise CurationError(f"{path}: not a tokenizer that `tokenizers` reads: {error}") from error
        for tokenizer in (self.whole, self.plain):
            tokenizer.no_truncation()
            tokenizer.no_padding()
        self.template = template
        self.added = {token["content"]: token["id"] for token in document.get("added_tokens", [])}
        self.largest_id = max([*self.added.values(), self.plain.get_vocab_size(with_added_tokens=False) - 1])
        self.control = one_of(self.added)
        self.not_thinking = one_of(text for text in self.added if text not in THINKING)
        self.end_id = self.end_of_turn()

    def end_of_turn(self) -> int:
        """The id that ends an assistant turn."""
        ids = self.whole.encode(self.template.end, add_special_tokens=False).ids
        if len(ids) != 1:
            raise Refusal(
                f"template {self.template.name}: it ends a turn with {self.template.end!r}, which is "
                f"{len(ids)} tokens of this tokenizer; no end of a turn would be learnt"
            )
        return int(ids[0])

    def examples(self, rows: Sequence[tuple[list[Mapping[str, Any]], str | None]]) -> list[list[Example]]:
        """The examples of each row: one, or one per assistant turn where the template is not prefix-stable.

        A row is (messages, tools). Raises RenderError and MaskError.
        """
        rendered = [self.render(messages, tools) for messages, tools in rows]
        flat = [one for several in rendered for one in several]
        encoded = iter(self.encode(flat))
        return [[next(encoded) for _ in several] for several in rendered]

    def render(self, messages: Sequence[Mapping[str, Any]], tools: str | None) -> list[Rendered]:
        """The rendered row, or its beginnings up to each assistant turn, checked."""
        marked, marked_tools, mark = self.mark(messages, tools)
        try:
            text, found = spans(self.template, marked, marked_tools)
            check_text(text, found, marked)
            several = [(text, trained_spans(found, marked))]
        except PrefixError:
            several = list(turn_by_turn(self.template, marked, marked_tools))
        return [self.unmarked(text, found, mark) for text, found in several]

    def spells(self, messages: Sequence[Mapping[str, Any]], tools: str | None) -> bool:
        """Whether a row holds the spelling of a control token where none is meant."""
        return spells(self.written(messages), written_tools(tools), self.control, self.not_thinking)

    def written(self, messages: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        """The messages with arguments as the template writes them: an escape may hide a control token."""
        return [
            {**one, "tool_calls": [self.written_call(call) for call in one["tool_calls"]]}
            if one.get("tool_calls")
            else one
            for one in messages
        ]

    def written_call(self, call: Mapping[str, Any]) -> Mapping[str, Any]:
        """A call with its arguments as the template writes them."""
        return {**call, "arguments": self.template.arguments(call["arguments"])}

    def mark(
        self, messages: Sequence[Mapping[str, Any]], tools: str | None
    ) -> tuple[Sequence[Mapping[str, Any]], str | None, str]:
        """The row with a mark inside every control token that it merely spells, and the mark ("" without)."""
        control, not_thinking = self.control, self.not_thinking
        messages, tools = self.written(messages), written_tools(tools)
        if not spells(messages, tools, control, not_thinking):
            return messages, tools, ""
        everything = orjson.dumps([messages, tools]).decode()
        mark = next(mark for mark in MARKS if mark not in everything)

        def marked(value: str | None, pattern: re.Pattern[str]) -> str | None:
            return value and pattern.sub(lambda found: found[0][0] + mark + found[0][1:], value)

        written = []
        for message in messages:
            copy = dict(message)
            own = not_thinking if message["role"] == "assistant" else control
            copy["content"] = marked(message.get("content"), own)
            if message.get("name"):
                copy["name"] = marked(message["name"], control)
            if message.get("tool_calls"):
                copy["tool_calls"] = [
                    {
                        **call,
                        "name": marked(call["name"], control),
                        "arguments": marked(call["arguments"], control),
                    }
                    for call in message["tool_calls"]
                ]
            written.append(copy)
        return written, marked(tools, control), mark

    def unmarked(self, text: str, found: Spans, mark: str) -> Rendered:
        """The text without marks, its spans moved along, and where it merely spells a control token."""
        if not mark or mark not in text:
            return Rendered(text, found, [])
        places = np.array([match.start() for match in re.finditer(mark, text)])
        clean = text.replace(mark, "")

        def moved(place: int) -> int:
            return place - int(np.searchsorted(places, place))

        starts = [moved(int(place)) - 1 for place in places]
        spelled = []
        for start in starts:
            match = self.control.match(clean, start)
            assert match is not None, "a mark stands after the first character of a spelled control token"
            spelled.append((start, match.end()))
        return Rendered(clean, [(moved(start), moved(end)) for start, end in found], spelled)

    def encode(self, rendered: Sequence[Rendered]) -> list[Example]:
        """Ids and masks, in one batch."""
        plain = [place for place, one in enumerate(rendered) if not one.spelled]
        encodings = self.whole.encode_batch([rendered[p].text for p in plain], add_special_tokens=False)
        whole = dict(zip(plain, encodings, strict=True))
        examples = []
        for place, one in enumerate(rendered):
            if place in whole:
                ids = np.array(whole[place].ids, dtype=np.int32)
                offsets = np.array(whole[place].offsets, dtype=np.int64).reshape(-1, 2)
            else:
                ids, offsets = self.encode_spelled(one)
            examples.append(self.masked(ids, offsets, one))
        return examples

    def encode_spelled(self, one: Rendered) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """As `Tokenizer.encode`, but what is merely spelled is encoded as text.

        The text is cut at its real control tokens, as the tokenizer itself does, and what lies
        between is encoded without any.
        """
        spelled = {start for start, _ in one.spelled}
        ids: list[int] = []
        offsets: list[tuple[int, int]] = []
        begun = 0

        def add_text(end: int) -> None:
            encoding = self.plain.encode(one.text[begun:end], add_special_tokens=False)
            ids.extend(encoding.ids)
            offsets.extend((begun + a, begun + b) for a, b in encoding.offsets)

        place = 0
        while match := self.control.search(one.text, place):
            place = match.end()
            if match.start() in spelled:
                continue
            add_text(match.start())
            ids.append(self.added[match[0]])
            offsets.append(match.span())
            begun = match.end()
        add_text(len(one.text))
        return np.array(ids, dtype=np.int32), np.array(offsets, dtype=np.int64).reshape(-1, 2)

    def masked(self, ids: NDArray[np.int32], offsets: NDArray[np.int64], one: Rendered) -> Example:
        """The example of a text. A token that reaches out of a span is not trained."""
        trained = np.zeros(len(ids), dtype=np.bool_)
        for start, end in one.spans:
            inside = np.flatnonzero(
                (offsets[:, 0] >= start) & (offsets[:, 1] <= end) & (offsets[:, 1] > start)
            )
            if not len(inside):
                raise MaskError(f"template {self.template.name}: an assistant turn has no trained token")
            if ids[inside[-1]] != self.end_id:
                raise MaskError(
                    f"template {self.template.name}: a turn does not end with {self.template.end}"
                )
            trained[inside] = True
        return Example(ids, trained)


def written_tools(tools: str | None) -> str | None:
    """The schemas of a row with characters as a template writes them, where one is an escape."""
    if tools is None or "\\u" not in tools:
        return tools
    return to_json(parse_tools(tools))


def one_of(texts: Iterable[str]) -> re.Pattern[str]:
    """A pattern for any of the texts, the longest first; it matches nothing when there is none."""
    ordered = sorted(texts, key=len, reverse=True)
    return re.compile("|".join(map(re.escape, ordered)) if ordered else r"(?!)")


def spells(
    messages: Sequence[Mapping[str, Any]],
    tools: str | None,
    control: re.Pattern[str],
    not_thinking: re.Pattern[str],
) -> bool:
    """Whether a row holds the spelling of a control token where none is meant."""
    if tools and control.search(tools):
        return True
    for message in messages:
        own = not_thinking if message["role"] == "assistant" else control
        if own.search(message.get("content") or "") or control.search(message.get("name") or ""):
            return True
        for call in message.get("tool_calls") or ():
            if control.search(call["name"]) or control.search(call["arguments"]):
                return True
    return False


def turn_by_turn(
    template: Template, messages: Sequence[Mapping[str, Any]], tools: str | None
) -> Iterable[tuple[str, Spans]]:
    """The conversation up to each assistant turn that carries loss, that turn alone trained.

    For templates that write a beginning otherwise once the conversation goes on.
    """
    for position, message in enumerate(messages):
        if is_trained(message):
            before = template.render(messages[:position], tools, add_generation_prompt=True)
            text = template.render(messages[: position + 1], tools)
            if not text.startswith(before) or not text.endswith(template.end + template.tail):
                raise MaskError(
                    f"template {template.name}: the assistant turn at message {position} does not follow "
                    f"its own generation prompt, so it cannot be masked"
                )
            found = [(len(before), len(text) - len(template.tail))]
            check_calls(text[found[0][0] : found[0][1]], message, position)
            yield text, found


def trained_spans(found: Spans, messages: Sequence[Mapping[str, Any]]) -> Spans:
    """Of the spans of all assistant turns those whose turn carries loss."""
    turns = [message for message in messages if message["role"] == "assistant"]
    return [span for span, message in zip(found, turns, strict=True) if is_trained(message)]


def check_text(text: str, found: Spans, messages: Sequence[Mapping[str, Any]]) -> None:
    """Every tool call lies inside its turn's span, and no user or tool text inside any.

    Between two spans stand, in order, the contents of all the messages between the two turns.
    """
    turns = [position for position, message in enumerate(messages) if message["role"] == "assistant"]
    if len(turns) != len(found):
        raise MaskError(f"{len(turns)} assistant turns, but {len(found)} trained spans")
    for position, (start, end) in zip(turns, found, strict=True):
        check_calls(text[start:end], messages[position], position)
    begun, first = 0, 0
    for position, (start, end) in [
        *zip(turns, found, strict=True),
        (len(messages), (len(text), len(text))),
    ]:
        place = begun
        for message in messages[first:position]:
            content = (message.get("content") or "").strip()
            at = text.find(content, place, start) if message["role"] != "system" else place
            if at < 0:
                raise MaskError(
                    f"text of the {message['role']} message {first} is not outside what is trained"
                )
            place = at + (len(content) if message["role"] != "system" else 0)
        begun, first = end, position + 1


def check_calls(said: str, message: Mapping[str, Any], position: int) -> None:
    """Name and arguments of every call of a turn lie in what is trained of it."""
    for call in message.get("tool_calls") or ():
        if call["name"] not in said or not any(form in said for form in forms(call["arguments"])):
            raise MaskError(
                f"the call of {call['name']} at message {position} is not within what is trained of its turn"
            )


def forms(arguments: str) -> Iterable[str]:
    """How a template may write the arguments of a call: as they stand, or dumped again."""
    yield arguments
    try:
        value = json.loads(arguments)
    except ValueError:
        return
    dumps: tuple[Callable[[Any], str], ...] = (
        lambda v: json.dumps(v, ensure_ascii=False),
        lambda v: json.dumps(v, ensure_ascii=False, separators=(",", ":")),
        json.dumps,
    )
    for dump in dumps:
        yield dump(value)
