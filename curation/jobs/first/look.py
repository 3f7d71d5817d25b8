"""A look at a folder: its sources with a row of each as it would be trained, and what is left open."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import orjson

from curation.errors import SourceError
from curation.jobs.first.files import Found, Skipped, sources
from curation.jobs.first.flow import flow
from curation.recipe.readers import READERS
from curation.row import Message, frame
from curation.stages.language.models import UNDETERMINED
from curation.stages.language.stage import language
from curation.visible import short, visible

# Of many files alike that no reader fits this many are named.
SHOWN_PER_KIND = 5
# Of what no reader fits this much is told in the terminal, and of a row this much shown.
TOLD = 8
SHOWN_TURNS, SHOWN_LINES, SHOWN_WIDTH = 4, 3, 96
_KEYS = 10
# Languages are proposed to be kept from this share of the rows of a source on.
_SPOKEN = 0.1
_GROUPS = (
    ("apothecary", r"herb|apothec|remed|culpeper|simples|pharma"),
    ("plants", r"plant|agri|farm|garden|crop|soil|botan|horticult|kisan"),
    (
        "strategic",
        r"adventur|walkthrough|game|roleplay|negoti|casino|strateg|dungeon|crd|skein|chess",
    ),
    ("custom", r"tool|agent|bash|shell|function|api|bfcl|swe|tau|custom|aj[_-]|intercode"),
)


@dataclass(frozen=True)
class First:
    """What stands in a folder: sources that read, with their names, and all that does not.

    languages  spoken in at least a tenth of the rows looked at of some source → such rows
    """

    folder: Path
    known: Mapping[str, Found]
    held_out: Sequence[Found]
    unknown: Sequence[Found]
    skipped: Sequence[Skipped]
    groups: Mapping[str, str]
    languages: Mapping[str, int]


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
        shown = [line for one in unknown for line in why_unknown(one)]
        proposed = [one for one in unknown if one.guess.settings and not one.patterns][:1]
        ways = [f"to read {one.uri} by hand: {proposal(one, folder)}" for one in proposed]
        raise SourceError(f"{folder}: no reader fits its files: " + "; ".join([*shown[:5], *ways]))
    taken: set[str] = set()
    named = {_name(one, taken): one for one in known}
    groups = {name: group_of(one, folder) for name, one in named.items()}
    return First(folder, named, held_out, unknown, skipped, groups, _spoken(known))


def _spoken(known: Sequence[Found]) -> dict[str, int]:
    """The languages that a source's rows are in, the most frequent first; a few odd rows make none."""
    total: Counter[str] = Counter()
    for one in known:
        kept, dropped = language(frame(one.guess.rows))
        found = Counter(name for name in kept["language"] if name != UNDETERMINED)
        found.update(orjson.loads(detail)["language"] for detail in dropped["detail"])
        found.update(name for name in dropped["language"] if name == "en")
        total.update({name: rows for name, rows in found.items() if rows >= _SPOKEN * len(one.guess.rows)})
    return dict(total.most_common())


def told(first: First) -> Iterator[str]:
    """The look in the terminal: every source with one row as it would be trained, then what is left open."""
    for name, one in first.known.items():
        guess = one.guess
        yield ""
        yield f"{name}: {one.uri}, {files_of(one.files)}, reader {guess.reader}"
        for key, value in guess.settings.items():
            yield f"  {key:<10} {visible(flow(value))}"
        for part, keys in (("ignored", guess.ignored), ("refused", guess.refused)):
            if keys:
                yield f"  {part:<10} {some(keys)}"
        for key, held in guess.outcomes.items():
            yield f"  outcome    {key}: {held}; `where` can choose by it"
        if guess.caution:
            yield f"  caution    {guess.caution}"
        yield from _shown(guess.sample)
    yield ""
    for one in first.held_out:
        yield f"apart   {place_of(one)}: named as {one.split}; not in the recipe"
    left = [line for one in first.unknown for line in why_unknown(one)]
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


def group_of(one: Found, folder: Path) -> str:
    place = f"{folder.resolve().name if '/' not in one.uri else ''}/{one.uri}".lower()
    if one.guess.reader is not None and (group := READERS[one.guess.reader].group):
        return group
    named = next((group for group, words in _GROUPS if re.search(f"(?<![a-z])({words})", place)), None)
    return named or ("custom" if one.guess.has_calls else "conversational")


def _name(one: Found, taken: set[str]) -> str:
    """A name for the source: its folder's, else its file's, else its reader's, made unique."""
    parent, _, last = (one.uri, "", "") if one.patterns else one.uri.rpartition("/")
    stem = slug(last.split(".")[0].replace("*", ""))
    if hub := re.search(r"(?:^|/)datasets--(?:[^/]*--)?([^/]+)/", f"/{one.uri}"):
        parent = hub[1]
    wished = [slug(parent.rpartition("/")[2]), f"{slug(parent.rpartition('/')[2])}_{stem}".strip("_"), stem]
    if not parent:
        wished = [stem or "rows"]
    if not any(wished):
        wished = [str(one.guess.reader), slug(one.files[0].name.split(".")[0])]
    name = next((wish for wish in wished if wish and wish not in taken), None)
    number = 2
    while name is None or name in taken:
        name = f"{wished[0] or 'source'}_{number}"
        number += 1
    taken.add(name)
    return name


def slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")[:48].strip("_")


def place_of(one: Found) -> str:
    """Where its files are: a file, a glob, or their names in a folder."""
    names = [path.name for path in one.files[:SHOWN_PER_KIND]] if one.patterns else []
    more = ", …" if len(one.files) > len(names) else ""
    return one.uri + (f": {', '.join(names)}{more}" if names else "")


def files_of(files: Sequence[Path]) -> str:
    return f"{len(files):,} file{'' if len(files) == 1 else 's'}"


def some(keys: Sequence[str]) -> str:
    return ", ".join(visible(short(key or "(no name)", 40)) for key in keys[:_KEYS]) + (
        ", …" if len(keys) > _KEYS else ""
    )


def why_unknown(one: Found) -> Iterator[str]:
    """A line for every file that no reader fits, up to a few: what is wrong, and the keys it has."""
    keys = f"keys found: {some(one.guess.keys)}" if one.guess.keys else ""
    unnamed = "" if one.guess.problem else "none says that it asks or answers"
    shown = "; ".join(part for part in (one.guess.problem, keys, unnamed) if part)
    names = [one.uri]
    if len(one.files) > 1:
        place = PurePosixPath(one.uri).parent if "*" in one.uri else PurePosixPath(one.uri)
        names = [str(place / path.name) for path in one.files[:SHOWN_PER_KIND]]
    for name in names:
        yield f"{name}: {shown}".replace("\n", " ")
    if len(one.files) > len(names):
        yield f"and {len(one.files) - len(names)} more like {names[-1]}"


def proposal(one: Found, folder: Path) -> str:
    """A source as a person may write it once they have decided."""
    return flow({"uri": one.uri, **one.guess.settings, "group": group_of(one, folder)})
