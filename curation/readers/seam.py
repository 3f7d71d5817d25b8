"""What a reader's file says of itself: how records or texts become rows, and when a file is its own.

The reader of a name is `READER` in curation/readers/<name>.py, or in `reader.py` of the folder of that name.
What it takes and which keys it reads is declared in curation/recipe/readers.py.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import orjson
import polars as pl

from curation.by_name import by_name
from curation.readers.answers import answer_files
from curation.readers.regrouping import Gather
from curation.recipe.source import Source
from curation.sources.decoding import Stored
from curation.sources.records import Bad
from curation.turns.shape import Convert, Row

# How much a file's look speaks for a reader: for one set of its shape, for its shape, by names that others
# have too, no more than that it may be tried, and tried last. Readers that it speaks for alike come in the
# order of the table.
EXACT, OWN, LIKELY, POSSIBLE, LAST = range(5)


class Candidate(NamedTuple):
    """Settings under which a reader may fit a file.

    telling  EXACT, OWN, LIKELY, POSSIBLE or LAST
    is_sure  whether it fits without being tried
    asks     what a person must decide before it is read so; the settings are then a proposal
    """

    telling: int
    settings: Mapping[str, Any] = {}
    is_sure: bool = False
    asks: str = ""


class Taken(NamedTuple):
    """What was made of some lines: canonical messages, null for lines left to the converter, and tools."""

    messages: pl.Series
    tools: pl.Series


class TextRows(Protocol):
    """The rows of a plain file, or of a member of an archive. `file`: its path from the data root.

    Raises UnknownEncoding.
    """

    def __call__(self, path: Stored, source: Source, *, file: str) -> Iterator[Row | Bad]: ...


def no_records(path: Path, objects: Sequence[Mapping[str, Any]]) -> Iterator[Candidate]:
    """For readers that no record speaks for."""
    return iter(())


def no_text(path: Path) -> Iterator[Candidate]:
    """For readers that no text speaks for."""
    return iter(())


def not_gathered(source: Source) -> None:
    """For readers whose records are rows one by one."""


def no_quick_way(source: Source) -> None:
    """For readers without a compiled loop."""


@dataclass(frozen=True)
class Reader:
    """How an engine reads with it. Records need `converter`, texts `rows`.

    converter      for a source and a file of it, the function that makes a row of a record; raises
                   SourceError for wrong settings
    rows           the rows of a plain file
    companions     further files whose bytes decide how a file of the source reads
    gather         for a source, what the records of one row have in common; the converter then takes a
                   JSON array of them. A file is read in one piece
    quick          for a source, a function of JSON lines that takes those beyond doubt at the speed of a
                   compiled loop; None where it may take none
    guess_records  settings that may fit a file whose first records are these objects
    guess_text     settings that may fit a plain file
    """

    converter: Callable[[Source, Path], Convert] | None = None
    rows: TextRows | None = None
    companions: Callable[[Path, Source], list[Path]] = answer_files
    gather: Callable[[Source], Gather | None] = field(default=not_gathered)
    quick: Callable[[Source], Callable[[Sequence[bytes]], Taken] | None] = field(default=no_quick_way)
    guess_records: Callable[[Path, Sequence[Mapping[str, Any]]], Iterator[Candidate]] = no_records
    guess_text: Callable[[Path], Iterator[Candidate]] = no_text


@cache
def reader_of(name: str) -> Reader:
    """The reader of a name."""
    reader: Reader = by_name("curation.readers", name, "reader").READER
    return reader


def turns_under(objects: Sequence[Mapping[str, Any]], names: Sequence[str], *keys: str) -> str | None:
    """The first name under which a record has a list of objects with the keys."""
    return next((name for name in names for one in objects if is_turns(one.get(name), *keys)), None)


def is_turns(value: Any, *keys: str) -> bool:
    """Whether a value is a list of objects, the first of which has the keys; JSON in a string will do."""
    if isinstance(value, str) and value.lstrip()[:1] == "[":
        with suppress(ValueError):
            value = orjson.loads(value)
    return (
        bool(value) and isinstance(value, list) and isinstance(value[0], dict) and set(keys) <= set(value[0])
    )
