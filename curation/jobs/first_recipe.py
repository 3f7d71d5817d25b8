"""`aj init`: a first recipe for a folder of files, to be read and mended by a person."""

import glob
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path, PurePosixPath
from typing import Any

import orjson

from curation.errors import SourceError
from curation.readers.guessing import Guess, guess
from curation.recipe.readers import READERS
from curation.recipe.stages import STAGES
from curation.sources.decoding import bare_name

# A folder with more files than this is looked at no further than here.
MOST_FILES = 5000
# Of many files of one kind in a folder this many are looked at; all must agree.
LOOKED_AT_PER_KIND = 5
# Of many files alike that no reader fits this many are named.
SHOWN_PER_KIND = 5
_NOT_DATA = re.compile(
    r"(readme|licen[cs]e|changelog|tokenizer|config|vocab|merges|requirements|dataset_infos?)([_.-].*)?"
    r"|.*\.(md|py|ya?ml|toml|cfg|sh|html|css|js|pdf|png|jpe?g|zip|tar|safetensors|bin|pt|gguf|lock)",
    re.IGNORECASE,
)
_GROUPS = (
    ("apothecary", r"herb|apothec|remed|culpeper|simples|pharma"),
    ("plants", r"plant|agri|farm|garden|crop|soil|botan|horticult|kisan"),
    (
        "strategic",
        r"adventur|walkthrough|game|roleplay|negoti|casino|strateg|dungeon|crd|skein|chess",
    ),
    ("custom", r"tool|agent|bash|shell|function|api|bfcl|swe|tau|custom|aj[_-]|intercode"),
)
_SHARES = {"conversational": 50, "plants": 15, "strategic": 10, "apothecary": 10, "custom": 15}
_LEFT_OUT = "  # - "
_PLAIN = re.compile(r"[A-Za-z_./][A-Za-z0-9_./ -]*")
_RESERVED = {"y", "n", "yes", "no", "true", "false", "null", "on", "off", "~"}


@dataclass(frozen=True)
class Found:
    """Files of one folder that one source can name."""

    uri: str
    files: tuple[Path, ...]
    guess: Guess
    patterns: tuple[str, ...] = ()


def first_recipe(folder: Path, out: Path = Path("recipe.yaml")) -> str:
    """A recipe for the files below a folder: reader, columns and group of each guessed.

    out: where the recipe will be written, from which its data_root leads to the folder. What no
    reader fits is listed in comments with the keys it has. Raises SourceError when there is nothing
    to list, or nothing that a reader fits.
    """
    if not folder.is_dir():
        raise SourceError(f"{folder}: no such folder; `aj init` looks at a folder of data files")
    found = list(_sources(folder))
    if not found:
        raise SourceError(f"{folder}: no data files there; .jsonl, .json, .csv, .parquet and .txt are read")
    known = [one for one in found if one.guess.reader is not None]
    unknown = [one for one in found if one.guess.reader is None]
    if not known:
        shown = [line for one in unknown for line in _why_unknown(one)]
        raise SourceError(f"{folder}: no reader fits its files: " + "; ".join(shown[:5]))
    return "\n".join(_recipe(folder, out, known, unknown)) + "\n"


def left_out(recipe: str) -> list[str]:
    """The lines of a first recipe that name files which no reader fits, the first few of many."""
    lines = [line.removeprefix(_LEFT_OUT) for line in recipe.splitlines() if line.startswith(_LEFT_OUT)]
    more = [f"and {len(lines) - SHOWN_PER_KIND} more, named in the recipe"]
    return lines[:SHOWN_PER_KIND] + (more if len(lines) > SHOWN_PER_KIND else [])


def _sources(folder: Path) -> Iterator[Found]:
    """Files by folder and kind; a kind on which all looked at agree is one source with a glob."""
    data = [path for path in sorted(folder.rglob("*")) if _is_data(path, folder)][:MOST_FILES]
    empty = tuple(path for path in data if path.stat().st_size == 0)
    data = [path for path in data if path not in empty]
    answers = set[Path]()
    for parent, inside in groupby(data, key=lambda path: path.parent):
        files = list(inside)
        if parent in answers:
            continue
        guesses: list[tuple[Path, Guess]] = []
        for kind in sorted({_kind(path) for path in files}):
            same = [path for path in files if _kind(path) == kind]
            guesses += _guessed(same)
        partners = {
            path.parent / str(g.settings["answers"]) for path, g in guesses if "answers" in g.settings
        }
        answers |= partners
        yield from _merged(folder, parent, [(p, g) for p, g in guesses if p not in partners])
    for path in empty:
        yield Found(path.relative_to(folder).as_posix(), (path,), Guess(None, problem="empty"))


def _is_data(path: Path, folder: Path) -> bool:
    inside = path.relative_to(folder)
    hidden = any(part.startswith(".") for part in inside.parts)
    return path.is_file() and not hidden and not _NOT_DATA.fullmatch(path.name)


def _kind(path: Path) -> str:
    name = bare_name(path)
    return name[name.rfind(".") :]


def _guessed(files: Sequence[Path]) -> list[tuple[Path, Guess]]:
    """A guess for every file; of very many alike, the first few stand for the rest."""
    looked = [(path, guess(path)) for path in files[:LOOKED_AT_PER_KIND]]
    rest = files[LOOKED_AT_PER_KIND:]
    agree = len({_signature(g) for _, g in looked}) == 1
    return looked + [(path, looked[0][1] if agree else guess(path)) for path in rest]


def _signature(one: Guess) -> tuple[str | None, bytes, tuple[str, ...]]:
    return one.reader, orjson.dumps(one.settings, option=orjson.OPT_SORT_KEYS), (*one.keys, one.problem)


def _merged(folder: Path, parent: Path, guesses: Sequence[tuple[Path, Guess]]) -> Iterator[Found]:
    """One source for the files of equal guess; its uri is a file, or a glob that takes no other."""
    alike: dict[Any, list[tuple[Path, Guess]]] = {}
    for path, one in guesses:
        alike.setdefault(_signature(one), []).append((path, one))
    for group in alike.values():
        paths = tuple(path for path, _ in group)
        place = parent.relative_to(folder)
        name = paths[0].name if len(paths) == 1 else _glob(parent, paths)
        if name is not None:
            yield Found((place / name).as_posix(), paths, group[0][1])
        else:
            yield Found(place.as_posix(), paths, group[0][1], tuple(glob.escape(path.name) for path in paths))


def _glob(parent: Path, paths: Sequence[Path]) -> str | None:
    """A pattern for exactly these files of their folder."""
    names = [path.name for path in paths]
    prefix, suffix = _shared(names), _shared([name[::-1] for name in names])[::-1]
    # A pattern of letters that happen to agree says little: the suffix alone, then with the prefix.
    dotted = suffix[suffix.find(".") :] if "." in suffix else suffix
    for pattern in (f"*{dotted}", f"{prefix}*{dotted}"):
        if not re.search(r"[\[\]?]", pattern) and {
            p.name for p in parent.glob(pattern) if p.is_file()
        } == set(names):
            return pattern
    return None


def _shared(names: Sequence[str]) -> str:
    """The longest beginning that all names share."""
    low, high = min(names), max(names)
    return next((low[:n] for n, (a, b) in enumerate(zip(low, high, strict=False)) if a != b), low)


def _recipe(folder: Path, out: Path, known: Sequence[Found], unknown: Sequence[Found]) -> Iterator[str]:
    root = Path(os.path.relpath(folder, out.parent)).as_posix()
    groups = [_group(one, folder) for one in known]
    yield f"# aj curate {out.as_posix()}"
    yield "#"
    yield "# A first recipe: readers, columns and groups are guesses from names and first records. Read it,"
    yield "# mend it, then look at a preview: aj curate … --sample 500"
    yield f"name: {_scalar(_slug(folder.resolve().name) or 'first')}"
    yield "version: 1.0.0"
    yield "seed: 17"
    yield "base_model: {id: deepseek-ai/DeepSeek-R1-Distill-Qwen-32B, code: DeepSeekR1Qwen32B}"
    yield f"data_root: {_scalar(root)}"
    yield "sources:"
    taken: set[str] = set()
    for one, group in zip(known, groups, strict=True):
        yield from _source(one, group, _name(one, taken))
    if unknown:
        yield "  # No reader fits these. Where the keys hold what you need, name them:"
        ways = ["\n".join(reader.by_hand) for reader in READERS.values() if reader.by_hand]
        yield from (f"  #   {line}" for line in ", or\n".join(ways).splitlines())
        yield from (f"{_LEFT_OUT}{line}" for one in unknown for line in _why_unknown(one))
    yield from _rest(groups)


def _source(one: Found, group: str, name: str) -> Iterator[str]:
    yield f"  {name}:"
    yield f"    uri: {_scalar(one.uri)}" + (f"    # {len(one.files)} files" if "*" in one.uri else "")
    if one.patterns:
        yield "    files:"
        yield from (f"      - {_scalar(pattern)}" for pattern in one.patterns)
    yield f"    reader: {one.guess.reader}"
    for key, value in one.guess.settings.items():
        yield f"    {key}: {_flow(value)}"
    yield f"    group: {group}"


def _rest(groups: Sequence[str]) -> Iterator[str]:
    present = [group for group in _SHARES if group in groups]
    whole = sum(_SHARES[group] for group in present)
    shares = {group: round(_SHARES[group] / whole, 2) for group in present}
    shares[present[0]] = round(shares[present[0]] + 1 - sum(shares.values()), 2)
    yield "mixture:"
    yield f"  shares: {_flow(shares)}"
    yield "  total: max                 # as many rows as max_repeat allows"
    yield "  max_repeat: 4"
    yield "stages:"
    yield from (f"  {stage.proposed}" for stage in STAGES.values() if stage.proposed)
    yield "train:"
    yield "  epochs: 3                  # else 5000 steps, however few rows there are"


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


def _why_unknown(one: Found) -> Iterator[str]:
    """A line for every file that no reader fits, up to a few: the keys it has, or what is wrong."""
    keys = ", ".join(one.guess.keys[:10]) + (", …" if len(one.guess.keys) > 10 else "")
    shown = f"keys found: {keys}" if keys else one.guess.problem
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
