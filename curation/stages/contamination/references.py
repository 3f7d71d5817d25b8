"""Reference texts (benchmarks, held-out sets) that training rows must not hold: read from any common file.

JSON lines, JSON, Parquet, CSV and plain text, each also gzip or zstd. A record is a line, an
element of an array, a row of a table, or a paragraph of a text (a line, if it has no blank lines);
of a record all strings count, at any depth, keys excepted.
"""

import io
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import polars as pl

from curation.errors import SourceError
from curation.jsontext import strings
from curation.recipe.kinds import TEST_SETS
from curation.sources.decoding import BrokenFile, bare_name, blocks, utf8
from curation.stages.contamination.named_sets import files_of, texts_of_record
from curation.text import UnknownEncoding, to_text

_PARAGRAPHS = re.compile(r"\n[ \t]*\n\s*")


class Reference(NamedTuple):
    """One record: its file from the data root or of its package, its number from 0, and its texts."""

    file: str
    record: int
    texts: tuple[str, ...]


class Found(NamedTuple):
    """A file of references, what it is called, and of which set it is; "": of none that has a name."""

    path: Path
    file: str
    of: str = ""


def find_files(against: Sequence[str], data_root: Path) -> list[Found]:
    """The files that paths or globs from the data root, or names of test sets, stand for.

    Raises SourceError for one that is missing.
    """
    found: dict[Path, Found] = {}
    for name in against:
        path = data_root / name
        if name in TEST_SETS and not path.is_file():
            files = [Found(path, file, name) for path, file in files_of(name).items()]
        else:
            paths = [path] if path.is_file() else _glob(name, data_root)
            files = [Found(path, path.relative_to(data_root).as_posix()) for path in paths]
        if not files:
            raise SourceError(
                f"contamination: `against` names {name!r}, but {data_root} has no such file; "
                "paths start at the data root"
            )
        for one in files:
            found.setdefault(one.path, one)
    return list(found.values())


def _glob(pattern: str, data_root: Path) -> list[Path]:
    if Path(pattern).is_absolute() or not any(c in pattern for c in "*?["):
        return []
    return sorted(path for path in data_root.glob(pattern) if path.is_file())


def read_references(files: Sequence[Found]) -> list[Reference]:
    """Every record of the files. Raises SourceError where a file or a record cannot be read."""
    references = []
    for path, file, name in files:
        for number, record in enumerate(_records(path)):
            texts = texts_of_record(name, record, file) if name else strings(record)
            references.append(Reference(file, number, tuple(texts)))
    return references


def _records(path: Path) -> Iterator[Any]:
    try:
        data = b"".join(blocks(path))
    except OSError as error:
        raise SourceError(f"{path}: cannot be read: {error.strerror}") from error
    except BrokenFile as error:
        raise SourceError(f"{path}: {error}") from error
    suffix = Path(bare_name(path)).suffix
    if suffix in (".parquet", ".pq"):
        yield from _table(path, lambda: pl.read_parquet(io.BytesIO(data)))
        return
    try:
        text = to_text(b"".join(utf8([data])))[0]
    except UnknownEncoding as error:
        raise SourceError(f"{path}: {error}") from error
    if suffix in (".csv", ".tsv"):
        separator = "\t" if suffix == ".tsv" else ","
        yield from _table(
            path, lambda: pl.read_csv(text.encode(), separator=separator, infer_schema=False, quote_char='"')
        )
    elif suffix in (".jsonl", ".ndjson"):
        yield from _json_lines(path, text)
    elif suffix == ".json":
        yield from _json(path, text)
    else:
        text = text.replace("\r\n", "\n").strip()
        yield from _PARAGRAPHS.split(text) if _PARAGRAPHS.search(text) else text.splitlines()


def _table(path: Path, read: Any) -> Iterator[dict[str, Any]]:
    try:
        table: pl.DataFrame = read()
    except (pl.exceptions.PolarsError, OSError) as error:
        raise SourceError(f"{path}: cannot be read as a table: {str(error).splitlines()[0]}") from error
    yield from table.iter_rows(named=True)


def _json(path: Path, text: str) -> Iterator[Any]:
    """Elements of an array, or of the only array of an object; any other value is one record."""
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        if "\n" in text.strip():
            yield from _json_lines(path, text)
            return
        raise SourceError(f"{path}: no valid JSON: {error}") from error
    arrays = [v for v in value.values() if isinstance(v, list)] if isinstance(value, dict) else []
    if isinstance(value, list):
        yield from value
    elif len(arrays) == 1:
        yield from arrays[0]
    else:
        yield value


def _json_lines(path: Path, text: str) -> Iterator[Any]:
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            try:
                yield orjson.loads(line)
            except orjson.JSONDecodeError as error:
                raise SourceError(f"{path}: line {number} is no valid JSON: {error}") from error
