"""What types cannot say about one source: where it may lie, and keys that only go with some readers.

Kept apart from the other rules of a recipe (`curation.recipe.rules`), which look at it as a whole.
"""

import posixpath
import re
from collections.abc import Iterator

import msgspec

from curation.recipe.conform import Fault, meant
from curation.recipe.kinds import ANY_TOOL, BUILT_IN_SCHEMAS
from curation.recipe.readers import READERS, users_of
from curation.recipe.source import Mapping, Source
from curation.recipe.yaml_lines import KeyPath

HUB_FORM = "hf://datasets/<owner>/<name>"
HUB = re.compile(r"hf://datasets/[\w.-]+(/[\w.-]+)?")
HUB_LONGER = re.compile(r"(hf://datasets/[\w.-]+/[\w.-]+?)(@[^/]+)?(/.*)?")
SHA256 = re.compile(r"[0-9a-f]{64}")
# Keys of a source that only some readers look at, and what they are where a recipe leaves them out.
_DEFAULTS = {field.name: field.default for field in msgspec.structs.fields(Source)}
OWN_SETTINGS = {key: _DEFAULTS[key] for reader in READERS.values() for key in reader.settings}


def source_faults(source: Source, at: KeyPath) -> Iterator[Fault]:
    """Every fault of the source at a path of the recipe."""
    yield from place_faults(source, at)
    yield from reader_faults(source, at)
    asked = (
        ("where", "to keep", source.where or {}),
        ("failed", "that say that a run failed", source.failed),
    )
    for key, what, columns in asked:
        for column, wanted in columns.items():
            values = wanted if isinstance(wanted, list) else [wanted]
            if are_bounds(wanted):
                continue
            if not values or any(isinstance(value, dict | list) for value in values):
                wished = f"expected a value or a list of values {what}, or {{min: number, max: number}}"
                yield Fault((*at, key, column), wished)
    if source.tools == ANY_TOOL:
        yield Fault(
            (*at, "tools"), "'any' names no tools that could be written into rows; aj_tools, or a path"
        )
    elif source.tools is not None and source.tools not in BUILT_IN_SCHEMAS:
        yield from inside_faults(source.tools, (*at, "tools"))
    if source.encoding is not None and not is_encoding(source.encoding):
        yield Fault(
            (*at, "encoding"),
            f"unknown encoding '{source.encoding[:60]}'; for example cp1252, gb18030, utf-16",
        )


def are_bounds(wanted: object) -> bool:
    """Whether a value of `where` says between which numbers a column must lie."""
    return (
        isinstance(wanted, dict)
        and bool(wanted)
        and wanted.keys() <= {"min", "max"}
        and all(isinstance(n, int | float) and not isinstance(n, bool) for n in wanted.values())
    )


def place_faults(source: Source, at: KeyPath) -> Iterator[Fault]:
    """Where a source is, and keys that only go with other places."""
    scheme = source.uri.split("://")[0] if "://" in source.uri else ""
    if scheme == "hf":
        if not HUB.fullmatch(source.uri):
            yield Fault((*at, "uri"), f"expected {HUB_FORM}, got '{source.uri}'{longer_uri(source.uri)}")
    elif scheme == "http":
        yield Fault((*at, "uri"), "plain http can be changed on the way; write https:// and a sha256")
    elif scheme == "https" and not re.match(r"https://[^/?#\s]+/[^?#\s]", source.uri):
        yield Fault((*at, "uri"), f"'{source.uri}' names no file; expected https://<host>/<path>")
    elif scheme not in {"", "https"}:
        yield Fault((*at, "uri"), f"unknown scheme '{scheme}://'; expected {HUB_FORM}, https:// or a path")
    elif not scheme:
        yield from inside_faults(source.uri, (*at, "uri"))
    files = [source.files] if isinstance(source.files, str) else source.files or []
    if source.files == []:
        yield Fault((*at, "files"), "expected a glob, or several, got an empty list")
    for pattern in files:
        yield from inside_faults(pattern, (*at, "files"))
    if source.answers is not None and not scheme:
        beside = posixpath.join(posixpath.dirname(source.uri), source.answers)
        yield from inside_faults(beside, (*at, "answers"))
    if scheme != "hf":
        for key in ("revision", "subset", "split"):
            if getattr(source, key) is not None:
                yield Fault((*at, key), f"only for {HUB_FORM}; '{source.uri}' is not on the hub")
    if source.sha256 is not None and not SHA256.fullmatch(source.sha256):
        yield Fault((*at, "sha256"), f"expected 64 hexadecimal digits, got '{source.sha256[:70]}'")


def reader_faults(source: Source, at: KeyPath) -> Iterator[Fault]:
    """Keys that the source's reader needs, and those that it would not look at."""
    reader, declared = source.reader, READERS[source.reader]
    for key, need in declared.required.items():
        if getattr(source, key) is None:
            yield Fault((*at, key), f"missing; 'reader: {reader}' needs {need}")
    for column in source.columns or ():
        if not declared.columns:
            yield Fault((*at, "columns"), f"'reader: {reader}' takes no columns")
            break
        if column not in declared.columns:
            hint = meant(column, declared.columns)
            yield Fault((*at, "columns", column), f"unknown column of 'reader: {reader}'; {hint}")
    for key, default in OWN_SETTINGS.items():
        if getattr(source, key) != default and key not in declared.settings:
            yield Fault((*at, key), not_used(key, reader))
    if source.map is not None and "map" in declared.settings:
        yield from map_faults(source.map, source.answers, (*at, "map"))


def not_used(key: str, reader: str) -> str:
    """Which readers look at a key that this one would not."""
    users = users_of(key)
    if all(key in READERS[name].required for name in users):
        return f"only with 'reader: {', '.join(users)}'"
    return f"'reader: {reader}' does not use it; only {', '.join(users)}"


def map_faults(layout: Mapping, answers: str | None, at: KeyPath) -> Iterator[Fault]:
    """A `map` that says twice where the conversation is, or not at all; parts that need others."""
    places = [layout.turns, layout.text, layout.by]
    if len(places) - places.count(None) != 1:
        yield Fault(
            at,
            "needs one of 'turns:', a list in each record, 'text:', one text with markers, and 'by:',"
            " the key of a conversation of which each record is a turn",
        )
    if not layout.roles and not layout.each:
        whose = "marker in the text" if layout.text is not None else "speaker, or '*' for any,"
        yield Fault((*at, "roles"), f"missing; from each {whose} to user, assistant, system, tool or skip")
    for key in ("speakers", "each", "prompts"):
        if getattr(layout, key) and layout.turns is None:
            yield Fault((*at, key), "only with 'turns:', the list that it goes with")
    if layout.order is not None and layout.by is None:
        yield Fault((*at, "order"), "only with 'by:', where each record is a turn")
    if layout.speakers is not None and layout.role is not None:
        yield Fault((*at, "speakers"), "'role:' already says who speaks; write one of them")
    if layout.each and (layout.role or layout.speakers or layout.prompts):
        yield Fault((*at, "each"), "says who speaks by itself; leave out 'role:', 'speakers:' and 'prompts:'")
    if (layout.join is None) != (answers is None) or (layout.join and layout.prompts is None):
        need = "'prompts:', 'join:', the key that both files share, and the source's 'answers:'"
        yield Fault((*at, "join"), f"the user's turns of another file need all of {need}")


def is_encoding(name: str) -> bool:
    """Whether Python knows an encoding of text by this name."""
    try:
        "a".encode(name)
    except (LookupError, ValueError):
        return False
    return True


def longer_uri(uri: str) -> str:
    """How to write a hub address that holds a revision or a file."""
    found = HUB_LONGER.fullmatch(uri)
    if not found or not (found[2] or found[3]):
        return ""
    keys = [f"uri: {found[1]}"]
    if found[2]:
        keys.append(f"revision: {found[2][1:]}")
    if found[3] and found[3] != "/":
        keys.append(f"files: {found[3][1:]}")
    return f"; write {{{', '.join(keys)}}}"


def inside_faults(path: str, at: KeyPath) -> Iterator[Fault]:
    """A path must stay in the data root: what a recipe reads is what its data root holds."""
    if not path.strip() or "\0" in path:
        yield Fault(at, "expected a path from the data root, got nothing")
    elif path.startswith(("/", "~", "\\")) or re.match(r"[A-Za-z]:[\\/]", path):
        yield Fault(at, f"'{path}' is absolute; write it from the data root (data_root, or --data-root)")
    elif posixpath.normpath(path.replace("\\", "/")).split("/")[0] == "..":
        yield Fault(at, f"'{path}' leaves the data root; set data_root, or --data-root, to a folder above")
