"""`aj try`: a few turns with a model from the terminal, its tool calls shown as calls.

Every line is a message. When the model calls a tool, the next line is what the tool returns, so that a
conversation can also be piped in. `/reset` starts anew, `/quit` or the end of the input stops.
"""

import sys
from collections.abc import Callable, Iterator
from importlib import resources
from pathlib import Path
from typing import Any, TextIO

from curation.calls.text_calls import OPEN
from curation.row import Message, message
from train.run.model_folder import find_model
from train.use.inference import Inference, open_inference, prompt_ids, text_of
from train.use.tool_calls import NEVER_CLOSED, Answer, AnswerCall, Tools, parse_answer

MAX_TOKENS = 1024
RESET, QUIT = "/reset", "/quit"
# Shape of a prompt: what is asked for -> the next line, null at the end.
Ask = Callable[[str], str | None]


class Chat:
    """A conversation with a model, kept in the shape of a row."""

    def __init__(self, speaker: Inference, tools: str | None, system: str | None, max_tokens: int) -> None:
        self.speaker, self.tools, self.max_tokens = speaker, tools, max_tokens
        self.checker = Tools(tools)
        self.opening: list[Message] = [message("system", system)] if system else []
        self.messages = list(self.opening)
        self.calls = 0
        self.cut: str | None = None  # why the last answer ends in the middle; null when it does not

    def reset(self) -> None:
        """Forget all that was said."""
        self.messages = list(self.opening)

    def say(self, text: str) -> None:
        """Add a user's message."""
        self.messages.append(message("user", text))

    def give(self, call: dict[str, Any], result: str) -> None:
        """Add what a tool returned."""
        self.messages.append(message("tool", result, name=call["name"], tool_call_id=call["id"]))

    def answer(self, show: Callable[[str], None]) -> Answer:
        """Let the model speak; `show` gets its words as they come, up to its first call."""
        ids = prompt_ids(self.speaker.encoder, self.messages, self.tools)
        words = Words(self.speaker, show)
        made = self.speaker.answer(ids, self.max_tokens, words.add)
        words.finish()
        self.cut = self.why_cut(len(ids), len(made))
        answer = parse_answer(self.speaker.encoder.template.opens + text_of(self.speaker.encoder, made))
        self.messages.append(answer.as_message(self.calls))
        self.calls += len(answer.calls)
        return answer

    def why_cut(self, asked: int, made: int) -> str | None:
        """Why an answer of `made` tokens to `asked` has no end; null when the model ended it."""
        context = self.speaker.context
        if made >= self.max_tokens:
            return f"after {made:,} tokens; --max-tokens N allows more"
        if context is not None and asked + made + 1 >= context:
            return f"the conversation fills the {context:,} tokens there is room for; {RESET} starts anew"
        return None


class Words:
    """Ids as they come, shown as whole characters; what may be the beginning of a call is held back."""

    def __init__(self, speaker: Inference, show: Callable[[str], None]) -> None:
        self.speaker, self.show = speaker, show
        self.ids: list[int] = []
        self.shown = 0

    def add(self, number: int) -> None:
        """One more id."""
        self.ids.append(number)
        text = self.text
        if not text.endswith("\ufffd"):
            self.put(text.partition(OPEN)[0])

    def finish(self) -> None:
        """The answer is whole."""
        self.put(self.text.partition(OPEN)[0])

    @property
    def text(self) -> str:
        """What was said so far, the beginning that stands in the prompt included."""
        return self.speaker.encoder.template.opens + text_of(self.speaker.encoder, self.ids)

    def put(self, text: str) -> None:
        """Show what was not shown yet."""
        if len(text) > self.shown:
            self.show(text[self.shown :])
            self.shown = len(text)


def try_model(
    path: Path,
    *,
    base: Path | None = None,
    tools: bool = False,
    system: str | None = None,
    max_tokens: int = MAX_TOKENS,
    source: TextIO | None = None,
    out: TextIO | None = None,
) -> list[Message]:
    """Talk with a model until the input ends; the conversation as messages.

    tools: offer the six AJ tools of schemas/aj_tools.json. source, out: default stdin and stdout. Raises
    CurationError when there is no model at `path`.
    """
    source, out = source or sys.stdin, out or sys.stdout
    speaker = open_inference(find_model(path, base), base)
    chat = Chat(speaker, aj_tools() if tools else None, system, max_tokens)
    if source.isatty():
        print(f"{path}: {RESET} starts anew, {QUIT} or Ctrl-D stops", file=sys.stderr)
    converse(chat, asking(source), out)
    return chat.messages


def converse(chat: Chat, ask: Ask, out: TextIO) -> None:
    """Ask, answer, show calls and ask for their results, until there is no more input."""
    while (line := ask("you> ")) is not None and line.strip() != QUIT:
        if line.strip() == RESET:
            chat.reset()
            continue
        if not line.strip():
            continue
        chat.say(line)
        while True:
            answer = chat.answer(lambda text: print(text, end="", flush=True, file=out))
            for shown in call_lines(answer, chat.checker, chat.cut):
                print(shown, file=out)
            print(flush=True, file=out)
            calls = chat.messages[-1]["tool_calls"] or []
            if not calls:
                break
            for call in calls:
                result = ask(f"{call['name']} returns> ")
                if result is None:
                    return
                chat.give(call, result)


def call_lines(answer: Answer, checker: Tools, cut: str | None) -> Iterator[str]:
    """The calls of an answer, one a line, with what is wrong about them; at last why it was cut off."""
    lines = [call_text(call, checker) for call in answer.calls]
    if cut is not None:
        unfinished = bool(answer.calls) and answer.calls[-1].problem == NEVER_CLOSED
        lines[-1 if unfinished else len(lines) :] = [f"[cut off{' in a call' * unfinished}] {cut}"]
    if lines and answer.content:
        lines[0] = f"\n{lines[0]}"
    yield from lines


def call_text(call: AnswerCall, checker: Tools) -> str:
    """A call as a person reads it."""
    if call.problem is not None:
        return f"[broken call] {call.problem}"
    problem = checker.problem(call)
    return f"[call] {call.name} {call.written}" + (f"  [not valid: {problem}]" if problem else "")


def asking(source: TextIO) -> Ask:
    """How the next line is had: prompts go to stderr, and only where a person sits."""

    def ask(prompt: str) -> str | None:
        if source.isatty():
            print(prompt, end="", flush=True, file=sys.stderr)
        line = source.readline()
        return line.rstrip("\r\n") if line else None

    return ask


def aj_tools() -> str:
    """The AJ tools as a row has them."""
    return resources.files("schemas").joinpath("aj_tools.json").read_text(encoding="utf-8")
