"""The other half of a source: a file with answers, questions or the second of two columns of lines."""

from collections.abc import Callable
from pathlib import Path

import msgspec

from curation.errors import SourceError
from curation.jsontext import JSON_ERRORS, explain, mend
from curation.readers.columns import as_text, look_up
from curation.recipe.source import Source
from curation.sources import decoding, records
from curation.sources.decoding import BrokenFile
from curation.text import UnknownEncoding

_SHALLOW = msgspec.json.Decoder(dict[str, msgspec.Raw])


def answer_file(path: Path, source: Source) -> Path | None:
    """The file that `answers` names, seen from a file of the source; in a folder, the one of its name.

    None where the source has no `answers`, or their folder none for this file.
    """
    if source.answers is None:
        return None
    found = path.parent / source.answers
    if found.is_dir():
        found = found / path.name
        return found if found.is_file() else None
    return found


def answer_files(path: Path, source: Source) -> list[Path]:
    """The file that `answers` names, if any: its bytes decide how a file of the source reads."""
    found = answer_file(path, source)
    return [found] if found is not None else []


def check_answers(path: Path, source: Source, root: Path, name: str) -> None:
    """Raises SourceError where `answers` is absent or lies outside the data root."""
    if source.answers is None:
        return
    found = path.parent / source.answers
    if not found.resolve().is_relative_to(root):
        raise SourceError(f"source {name}: answers '{source.answers}' lead out of the data root {root}")
    if not found.exists():
        raise SourceError(f"source {name}: answers '{source.answers}' not found beside {path.name}")


def keyed_records(path: Path, key: str) -> Callable[[str], bytes | None]:
    """The records of a JSON file by the text of a key; the first of equal keys counts."""
    found: dict[str, bytes] = {}
    for batch in _records(path):
        for record in batch:
            if not isinstance(record, bytes):
                raise SourceError(f"{path}: {getattr(record, 'error', 'cannot be read')}")
            value = _value(record, key, path)
            if value is not None:
                found.setdefault(value, record)
    return found.get


def _value(record: bytes, key: str, path: Path) -> str | None:
    try:
        return as_text(look_up(_SHALLOW.decode(record), key))
    except JSON_ERRORS:
        pass
    try:
        return as_text(look_up(_SHALLOW.decode(mend(record)[0]), key))
    except (*JSON_ERRORS, UnknownEncoding) as error:
        start = record[:80].decode(errors="replace")
        raise SourceError(f"{path}: answers cannot be read: {explain(error)}: {start!r}") from error


def _records(path: Path) -> list[list[records.Record]]:
    parts = decoding.utf8(decoding.blocks(path))
    try:
        if records.file_format(path) == "json":
            return list(records.json_document(parts, lambda data: False))
        return list(records.json_lines(parts))
    except (OSError, BrokenFile, *JSON_ERRORS) as error:
        raise SourceError(f"{path}: answers cannot be read: {error}") from None


def text_lines(path: Path, encoding: str | None) -> tuple[list[str], BrokenFile | None]:
    """The lines of a text file, without their ends; where it breaks, the whole ones before and why.

    Raises UnknownEncoding.
    """
    text, _, broken = decoding.whole_text(path, encoding)
    # splitlines() would also cut at form feeds and U+2028, which stand inside lines here.
    found = [line.removesuffix("\r") for line in text.split("\n")]
    return found[:-1] if broken is not None or not found[-1] else found, broken
