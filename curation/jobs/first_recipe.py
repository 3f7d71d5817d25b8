"""`aj init`: a first recipe for a folder of files, to be read and mended by a person."""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import orjson

from curation.errors import SourceError
from curation.jobs.first_files import Found, Skipped, sources
from curation.recipe.readers import READERS
from curation.recipe.stages import STAGES
from curation.row import Message
from curation.visible import short, visible

# Of many files alike that no reader fits this many are named.
SHOWN_PER_KIND = 5
# Of what no reader fits this much is told in the terminal, and of a row this much shown.
TOLD = 8
SHOWN_TURNS, SHOWN_LINES, SHOWN_WIDTH = 4, 3, 96
_KEYS = 10
_GROUPS = (
    ("apothecary", r"herb|apothec|remed|culpeper|simples|pharma"),
    ("plants", r"plant|agri|farm|garden|crop|soil|botan|horticult|kisan"),
    (
        "strategic",
        r"adventur|walkthrough|game|roleplay|negoti|casino|strateg|dungeon|crd|skein|chess",
    ),
    ("custom", r"tool|agent|bash|shell|function|api|bfcl|swe|tau|custom|aj[_-]|intercode"),
)
_LEFT_OUT = "  # - "
_PLAIN = re.compile(r"[A-Za-z_./][A-Za-z0-9_./ -]*")
_RESERVED = {"y", "n", "yes", "no", "true", "false", "null", "on", "off", "~"}


@dataclass(frozen=True)
class First:
    """What stands in a folder: sources that read, with their names, and all that does not."""

    folder: Path
    known: Mapping[str, Found]
    held_out: Sequence[Found]
    unknown: Sequence[Found]
    skipped: Sequence[Skipped]
    groups: Mapping[str, str] = field(default_factory=dict)


def first_look(folder: Path) -> First:
    """The files below a folder, with a reader for each that its names and its rows speak for.

    Raises SourceError when there is nothing to list, or nothing that a reader fits.
    """
    if not folder.is_dir():
        raise SourceError(f"{folder}: no such folder; `aj init` looks at a folder of data files")
    found, skipped = sources(folder)
    if not found:
        raise SourceError(f"{folder}: no data files there; .jsonl, .json, .csv, .parquet and .txt are read")
    known = [one for one in found if one.guess.reader is not None and one.split == "train"]
    held_out = [one for one in found if one.guess.reader is not None and one.split != "train"]
    unknown = [one for one in found if one.guess.reader is None]
    if not known:
        # With nothing else to train on, a name alone keeps nothing out.
        known, held_out = held_out, []
    if not known:
        shown = [line for one in unknown for line in _why_unknown(one)]
        proposed = [one for one in unknown if one.guess.settings and not one.patterns][:1]
        ways = [f"to read {one.uri} by hand: {_proposal(one, folder)}" for one in proposed]
        raise SourceError(f"{folder}: no reader fits its files: " + "; ".join([*shown[:5], *ways]))
    taken: set[str] = set()
    named = {_name(one, taken): one for one in known}
    groups = {name: _group(one, folder) for name, one in named.items()}
    return First(folder, named, held_out, unknown, skipped, groups)


def first_recipe(folder: Path, out: Path = Path("recipe.yaml")) -> str:
    """A recipe for the files below a folder.

    out: where it will be written, from which its data_root leads to the folder. What is left open stands
    in comments. Raises SourceError as `first_look` does.
    """
    return recipe_text(first_look(folder), out)


def recipe_text(first: First, out: Path) -> str:
    """The recipe of a first look."""
    return "\n".join(_recipe(first, out)) + "\n"


def told(first: First) -> Iterator[str]:
    """The look in the terminal: every source with one row as it would be trained, then what is left open."""
    for name, one in first.known.items():
        guess = one.guess
        yield ""
        yield f"{name}: {one.uri}, {_count(one.files)}, reader {guess.reader}"
        for key, value in guess.settings.items():
            yield f"  {key:<10} {visible(_flow(value))}"
        for part, keys in (("ignored", guess.ignored), ("refused", guess.refused)):
            if keys:
                yield f"  {part:<10} {_some(keys)}"
        for key, held in guess.outcomes.items():
            yield f"  outcome    {key}: {held}; `where` can choose by it"
        if guess.kept < 1:
            yield f"  caution    {1 - guess.kept:.0%} of the rows looked at cannot be used; see the ledger"
        yield from _shown(guess.sample)
    yield ""
    for one in first.held_out:
        yield f"held out {one.uri}: named as {one.split}; not in the recipe"
    left = [line for one in first.unknown for line in _why_unknown(one)]
    yield from (f"unread  {line}" for line in left[:TOLD])
    if len(left) > TOLD:
        yield f"unread  and {len(left) - TOLD} more, named in the recipe"
    for skipped in first.skipped:
        yield f"skipped {skipped.path.relative_to(first.folder)}: {skipped.what}"


def _shown(row: Sequence[Message]) -> Iterator[str]:
    """The first turns of a row, each cut to a few lines; which of the assistant's carry no loss."""
    for message in row[:SHOWN_TURNS]:
        text = [line for line in visible(message["content"] or "").strip().split("\n") if line.strip()]
        calls = [f"calls {call['name']} {visible(call['arguments'])}" for call in message["tool_calls"] or ()]
        lines = [*map(_cut, text[:SHOWN_LINES]), *map(_cut, calls[:SHOWN_LINES])]
        if len(text) > SHOWN_LINES:
            lines[SHOWN_LINES - 1] += " …"
        mark = "(not trained) " if message.get("weight") == 0 else ""
        for number, line in enumerate(lines or ["(empty)"]):
            yield f"  {'' if number else message['role']:<10} {'' if number else mark}{line}"
    if (more := len(row) - SHOWN_TURNS) > 0:
        yield f"  {'':<10} and {more} turn{'' if more == 1 else 's'} more"


def _cut(line: str) -> str:
    return line if len(line) <= SHOWN_WIDTH else line[: SHOWN_WIDTH - 2] + " …"


def _recipe(first: First, out: Path) -> Iterator[str]:
    root = Path(os.path.relpath(first.folder, out.parent)).as_posix()
    yield f"# aj curate {out.as_posix()}"
    yield "#"
    yield "# A first recipe: readers and columns are what the files' own names say, groups are guesses from"
    yield "# the folders' names. Read it, mend it, then look at a preview: aj curate … --sample 500"
    yield f"name: {_scalar(_slug(first.folder.resolve().name) or 'first')}"
    yield "version: 1.0.0"
    yield "seed: 17"
    yield "base_model: {id: deepseek-ai/DeepSeek-R1-Distill-Qwen-32B, code: DeepSeekR1Qwen32B}"
    yield f"data_root: {_scalar(root)}"
    yield "sources:"
    for name, one in first.known.items():
        yield from _source(name, one, first.groups[name])
    if first.held_out:
        yield "  # Named as files of a test or of validation, and left out for that; the recipe's split holds"
        yield "  # out rows of its own:"
        yield from (f"{_LEFT_OUT}{one.uri} ({one.split})" for one in first.held_out)
    yield from _left_open(first)
    yield from _rest()


def _source(name: str, one: Found, group: str) -> Iterator[str]:
    yield f"  {name}:"
    yield f"    uri: {_scalar(one.uri)}" + (f"    # {_count(one.files)}" if "*" in one.uri else "")
    if one.patterns:
        yield "    files:"
        yield from (f"      - {_scalar(pattern)}" for pattern in one.patterns)
    yield f"    reader: {one.guess.reader}"
    for key, value in one.guess.settings.items():
        yield f"    {key}: {_flow(value)}"
    yield f"    group: {group}"
    for part, keys in (("ignored", one.guess.ignored), ("refused", one.guess.refused)):
        if keys:
            yield f"    # {part}: {_some(keys)}"
    for key, held in one.guess.outcomes.items():
        yield f"    # `where` can choose by {_scalar(key)}, which is: {visible(held)}"


def _left_open(first: First) -> Iterator[str]:
    """What no reader fits, why, and how a person can name it by hand."""
    if not first.unknown:
        return
    yield "  # No reader fits these. Where the keys hold what you need, name them:"
    ways = ["\n".join(reader.by_hand) for reader in READERS.values() if reader.by_hand]
    yield from (f"  #   {line}" for line in ", or\n".join(ways).splitlines())
    for one in first.unknown:
        yield from (f"{_LEFT_OUT}{line}" for line in _why_unknown(one))
        if one.guess.settings and not one.patterns:
            yield f"  #   {_proposal(one, first.folder)}"


def _proposal(one: Found, folder: Path) -> str:
    """A source as a person may write it once they have decided."""
    return _flow({"uri": one.uri, **one.guess.settings, "group": _group(one, folder)})


def _rest() -> Iterator[str]:
    yield "mixture:"
    yield "  shares: natural            # as the files have them, every row once; or {group: share, …}"
    yield "split: {eval: 0.01, at_least: 1}   # a row at least of every group of 20 and more"
    yield "stages:"
    yield from (f"  {stage.proposed}" for stage in STAGES.values() if stage.proposed)
    yield "train:"
    yield "  epochs: 3                  # else 5000 steps, however few rows there are"
    yield "  warmup_ratio: 0.03         # of the steps, until the learning rate is at its peak"


def _group(one: Found, folder: Path) -> str:
    place = f"{folder.resolve().name if '/' not in one.uri else ''}/{one.uri}".lower()
    if one.guess.reader is not None and (group := READERS[one.guess.reader].group):
        return group
    named = next((group for group, words in _GROUPS if re.search(f"(?<![a-z])({words})", place)), None)
    return named or ("custom" if one.guess.has_calls else "conversational")


def _name(one: Found, taken: set[str]) -> str:
    """A name for the source: its folder's, else its file's, else its reader's, made unique."""
    parent, _, last = (one.uri, "", "") if one.patterns else one.uri.rpartition("/")
    stem = _slug(last.split(".")[0].replace("*", ""))
    if hub := re.search(r"(?:^|/)datasets--(?:[^/]*--)?([^/]+)/", f"/{one.uri}"):
        parent = hub[1]
    wished = [_slug(parent.rpartition("/")[2]), f"{_slug(parent.rpartition('/')[2])}_{stem}".strip("_"), stem]
    if not parent:
        wished = [stem or "rows"]
    if not any(wished):
        wished = [str(one.guess.reader)]
    name = next((wish for wish in wished if wish and wish not in taken), None)
    number = 2
    while name is None or name in taken:
        name = f"{wished[0] or 'source'}_{number}"
        number += 1
    taken.add(name)
    return name


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")[:48].strip("_")


def _count(files: Sequence[Path]) -> str:
    return f"{len(files):,} file{'' if len(files) == 1 else 's'}"


def _some(keys: Sequence[str]) -> str:
    return ", ".join(visible(short(key, 40)) for key in keys[:_KEYS]) + (", …" if len(keys) > _KEYS else "")


def _why_unknown(one: Found) -> Iterator[str]:
    """A line for every file that no reader fits, up to a few: what is wrong, and the keys it has."""
    keys = f"keys found: {_some(one.guess.keys)}" if one.guess.keys else ""
    unnamed = "" if one.guess.problem else "none is named as a question and none as an answer"
    shown = "; ".join(part for part in (one.guess.problem, keys, unnamed) if part)
    names = [one.uri]
    if len(one.files) > 1:
        place = PurePosixPath(one.uri).parent if "*" in one.uri else PurePosixPath(one.uri)
        names = [str(place / path.name) for path in one.files[:SHOWN_PER_KIND]]
    for name in names:
        yield f"{name}: {shown}".replace("\n", " ")
    if len(one.files) > len(names):
        yield f"and {len(one.files) - len(names)} more like {names[-1]}"


def _scalar(value: object) -> str:
    """A YAML scalar, quoted where it could be read as something else."""
    if isinstance(value, str) and _PLAIN.fullmatch(value) and value.lower() not in _RESERVED:
        return value if value == value.strip() else orjson.dumps(value).decode()
    return orjson.dumps(value).decode()


def _flow(value: object) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_scalar(key)}: {_flow(entry)}" for key, entry in value.items()) + "}"
    return _scalar(value)
