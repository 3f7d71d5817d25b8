"""Instruction, input and output: Alpaca's shape, with LLaMA-Factory's system and history."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Raw

from curation.readers.columns import Columns, look_up
from curation.readers.seam import LIKELY, Candidate, Reader
from curation.recipe.source import Source
from curation.turns.chat_api import say
from curation.turns.shape import Convert, Row, Unfit

_HISTORY = msgspec.json.Decoder(list[tuple[str, str]])


def converter(source: Source, path: Path) -> Convert:
    """A user turn of instruction and input, an assistant turn of the output.

    `columns` may name `instruction`, `input`, `output` and `system`.
    """
    columns = Columns(source, required=("output",))

    def convert(data: bytes) -> Row:
        found = columns(data)
        asked, given = found.get("instruction") or "", found.get("input") or ""
        if given and not given.isspace():
            asked = f"{asked}\n\n{given}" if asked and not asked.isspace() else given
        elif not asked or asked.isspace():
            raise Unfit("instruction and input are both empty")
        messages = [say("system", system)] if (system := found.get("system")) else []
        if b'"history"' in data:
            messages += _history(data)
        messages += [say("user", asked), say("assistant", found["output"])]
        return Row(messages, None, [])

    return convert


def _history(data: bytes) -> list[dict[str, Any]]:
    """Earlier exchanges: a list of [user, assistant] pairs."""
    record: Mapping[str, Raw] = msgspec.json.decode(data, type=dict[str, Raw])
    past = look_up(record, "history")
    if past is None or bytes(past) in (b"null", b'""'):
        return []
    return [
        message
        for asked, said in _HISTORY.decode(past)
        for message in (say("user", asked), say("assistant", said))
    ]


def guess_records(path: Path, objects: Sequence[Mapping[str, Any]]) -> Iterator[Candidate]:
    """Records with an instruction."""
    if "instruction" in {key.lower() for key in objects[0]}:
        yield Candidate(LIKELY)


READER = Reader(converter=converter, guess_records=guess_records)
