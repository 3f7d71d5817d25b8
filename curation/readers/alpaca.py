"""Instruction, input and output: Alpaca's shape, with LLaMA-Factory's system and history."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from curation.readers.beside import earlier
from curation.readers.columns import Columns, found_under
from curation.readers.qa import answered
from curation.readers.seam import LIKELY, Candidate, Reader
from curation.recipe.readers import READERS
from curation.recipe.source import Source
from curation.turns.chat_api import say
from curation.turns.shape import Convert, Row, Unfit


def converter(source: Source, path: Path) -> Convert:
    """A user turn of instruction and input, an assistant turn of the output.

    `columns` may name `instruction`, `input`, `output`, `system`, `tools`, `history` (earlier turns) and
    `thought` (set before the output). Beside `tools` an output that is JSON of calls and nothing else is
    these calls.
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
        if history := found.get("history"):
            messages += earlier(history, columns.key("history"))
        messages.append(say("user", asked))
        last, tools, notes = answered(found["output"] or "", found)
        return Row([*messages, last], tools, notes)

    return convert


def guess_records(path: Path, objects: Sequence[Mapping[str, Any]]) -> Iterator[Candidate]:
    """Records with an instruction."""
    keys = list(dict.fromkeys(key for record in objects for key in record))
    if "instruction" not in {key.lower() for key in keys}:
        return
    pair = {"output": "chosen"} if {"chosen", "rejected"} <= {*keys} else {}
    columns = dict(found_under(READERS["alpaca"].columns, pair, keys))
    if {"instruction", "output"} <= {*columns}:
        yield Candidate(LIKELY, {"columns": columns})


READER = Reader(converter=converter, guess_records=guess_records)
