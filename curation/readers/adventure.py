"""Text adventures: transcripts and walkthroughs as turns of player and game."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from curation.readers.columns import Columns
from curation.readers.seam import LIKELY, POSSIBLE, Candidate, Reader
from curation.recipe.readers import READERS
from curation.recipe.source import Source
from curation.sources import decoding
from curation.sources.decoding import Stored
from curation.sources.records import Bad
from curation.turns.chat_api import say
from curation.turns.shape import Convert, Row, Unfit

# Jericho walkthroughs: steps between rules, each with what was typed and what the game said.
_ACT = re.compile(r"^==>ACT:", re.M)
_RULES = re.compile(r"^(?:={5,}|==>STEP NUM:.*)\s*$", re.M)
# A prompt and a command; games also print lines that open with ">>".
_COMMAND = re.compile(r"^>(?!>)[ \t]*(.*)$", re.M)

Move = tuple[str, str]


def converter(source: Source, path: Path) -> Convert:
    """Records with a playthrough in a `text` column (`columns` may name it)."""
    columns = Columns(source, required=("text",))

    def convert(data: bytes) -> Row:
        return conversation(columns(data)["text"] or "", player=source.player)

    return convert


def playthrough(path: Stored, source: Source, *, file: str) -> Iterator[Row | Bad]:
    """The one row of a plain file, which holds one playthrough."""
    text, repair, broken = decoding.whole_text(path, source.encoding)
    if text.strip():
        yield _whole(text, source, repair)
    if broken is not None:
        yield Bad(str(broken))


def _whole(text: str, source: Source, repair: str | None) -> Row | Bad:
    try:
        row = conversation(text, player=source.player)
    except Unfit as error:
        return Bad(str(error), text[:1000])
    if source.system is not None and row.messages[0]["role"] != "system":
        row.messages.insert(0, say("system", source.system))
    notes: list[dict[str, Any]] = [{"stage": "read", "repair": repair}] if repair else []
    return row._replace(notes=notes)


def conversation(text: str, *, player: str) -> Row:
    """A playthrough as one row: its commands are turns of `player`, the game's texts of the other.

    With the player as user, what the game says before the first command is the system prompt.
    Raises Unfit for a text without commands.
    """
    text = text.replace("\r\n", "\n")
    opening, moves = _walkthrough(text) if "==>ACT:" in text else _transcript(text)
    if not moves:
        raise Unfit("no '> command' lines and no ==>ACT: / ==>OBSERVATION: steps")
    game = "user" if player == "assistant" else "assistant"
    messages = [say("user" if game == "user" else "system", opening)] if opening else []
    for command, reply in moves:
        messages.append(say(player, command))
        if reply:
            messages.append(say(game, reply))
    return Row(_merged(messages), None, [])


def _walkthrough(text: str) -> tuple[str, list[Move]]:
    steps = []
    for step in _ACT.split(text)[1:]:
        command, _, seen = step.partition("==>OBSERVATION:")
        steps.append((_RULES.sub("", command).strip(), _RULES.sub("", seen).removeprefix(" ")))
    if steps and steps[0][0].lower() == "init":
        return _folded(steps[0][1], steps[1:])
    return _folded("", steps)


def _transcript(text: str) -> tuple[str, list[Move]]:
    parts = _COMMAND.split(text)
    commands = (command.strip() for command in parts[1::2])
    return _folded(parts[0], zip(commands, parts[2::2], strict=True))


def _folded(opening: str, steps: Iterable[Move]) -> tuple[str, list[Move]]:
    """The opening and the moves. What the game says at an empty prompt goes to the move before."""
    opening, moves = _trimmed(opening), list[Move]()
    for command, reply in steps:
        if command:
            moves.append((command, _trimmed(reply)))
        elif moves:
            moves[-1] = (moves[-1][0], _paragraphs((moves[-1][1], _trimmed(reply))))
        else:
            opening = _paragraphs((opening, _trimmed(reply)))
    return opening, moves


def _merged(messages: list[dict[str, object]]) -> list[dict[str, object]]:
    """Commands in a row, which the game answered together, as one turn with a command a line."""
    merged = messages[:1]
    for message in messages[1:]:
        last = merged[-1]
        if message["role"] == last["role"]:
            last["content"] = f"{last['content']}\n{message['content']}"
        else:
            merged.append(message)
    return merged


def _trimmed(text: str) -> str:
    """Without blank lines around it; indentation, which draws maps and titles, stays."""
    return text.strip("\n").rstrip()


def _paragraphs(texts: Iterable[str]) -> str:
    return "\n\n".join(text for text in texts if text)


def guess_records(path: Path, objects: Sequence[Mapping[str, Any]]) -> Iterator[Candidate]:
    """Any text may turn out to be a playthrough."""
    for key in READERS["adventure"].columns["text"]:
        if isinstance(objects[0].get(key), str):
            yield Candidate(POSSIBLE, {"columns": {"text": key}})


def guess_text(path: Path) -> Iterator[Candidate]:
    """As with records; most sets train the player."""
    yield Candidate(LIKELY, {"player": "assistant"})


READER = Reader(converter=converter, rows=playthrough, guess_records=guess_records, guess_text=guess_text)
