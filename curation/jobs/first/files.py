"""Which files below a folder are data: by folder and kind, train apart from test, our own work left out."""

import glob
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, Literal, NamedTuple

import orjson

from curation.jobs.first.guess import Guess, guess
from curation.sources.decoding import bare_name

# A folder with more files than this is looked at no further than here.
MOST_FILES = 5000
# Of many files of one kind in a folder this many are looked at; all must agree.
LOOKED_AT_PER_KIND = 5
_LONGEST_LINK = 500
Split = Literal["train", "validation", "test"]

_NOT_DATA = re.compile(
    r"(readme|licen[cs]e|changelog|tokenizer|config|vocab|merges|requirements|dataset_infos?)([_.-].*)?"
    r"|(special_tokens_map|added_tokens|trainer_state|training_args|state)\.json"
    r"|.*\.(md|py|ya?ml|toml|cfg|sh|css|js|bin|lock|log)",
    re.IGNORECASE,
)
_SPLITS: dict[str, Split] = {
    **dict.fromkeys(("val", "valid", "validation", "dev"), "validation"),
    **dict.fromkeys(("test", "eval", "evaluation", "heldout", "holdout"), "test"),
}
# What follows the name of a split: the number of a part, a version, the kind of training.
_TAIL = re.compile(r"([_.-](v?\d+|of|sft|gen|prefs|split|set|data|part))+$", re.IGNORECASE)


class Skipped(NamedTuple):
    """A folder that is no data of a user's, and what it is."""

    path: Path
    what: str


@dataclass(frozen=True)
class Found:
    """Files of one folder that one source can name."""

    uri: str
    files: tuple[Path, ...]
    guess: Guess
    patterns: tuple[str, ...] = ()
    split: Split = "train"


def data_files(folder: Path) -> tuple[list[Path], list[Skipped]]:
    """The files below a folder that may be data, each content once, and the folders left out.

    In a cache of the hub the blobs are the files that its snapshots link to.
    """
    skipped: list[Skipped] = []
    found: list[Path] = []
    for place, folders, names in os.walk(folder, followlinks=False):
        here = Path(place)
        if here != folder and (what := _own_work(here, {*names, *folders})):
            skipped.append(Skipped(here, what))
            folders.clear()
            continue
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        if _is_hub_cache(here):
            folders[:] = [name for name in folders if name != "refs"]
        data = (here / name for name in sorted(names) if not name.startswith("."))
        found += [
            path
            for path in data
            if path.is_file() and not _NOT_DATA.fullmatch(path.name) and not _is_written_link(path)
        ]
        if len(found) >= MOST_FILES:
            break
    return _once(sorted(found)[:MOST_FILES]), skipped


def _own_work(folder: Path, names: set[str]) -> str | None:
    """What a folder is that was made from data: a dataset, a model, the work of a run."""
    if "manifest.json" in names and {"train", "ledger", "gates.json"} & names:
        return "a dataset that was made"
    if folder.name.endswith(".work"):
        return "work files of `aj curate`"
    if "adapter_config.json" in names or (
        "config.json" in names
        and any(name.endswith((".safetensors", ".bin", ".gguf", ".pt")) for name in names)
    ):
        return "a model"
    return "a model of the hub" if folder.name.startswith("models--") else None


def _is_hub_cache(folder: Path) -> bool:
    return folder.name.startswith("datasets--") and (folder / "snapshots").is_dir()


def _is_written_link(path: Path) -> bool:
    """Whether a file holds no more than the way to another, as links do where there are none."""
    if path.stat().st_size > _LONGEST_LINK:
        return False
    text = path.read_bytes().strip()
    return text.startswith(b"../") and b"\n" not in text and (path.parent / os.fsdecode(text)).is_file()


def _once(files: Sequence[Path]) -> list[Path]:
    """Files without further names of the same ones: of links and what they lead to, the links."""
    linked = {path.resolve() for path in files if path.is_symlink()}
    seen = set[Path]()
    kept = []
    for path in files:
        real = path.resolve()
        if real in seen or (real in linked and not path.is_symlink()):
            continue
        seen.add(real)
        kept.append(path)
    return kept


def split_of(path: Path, folder: Path) -> Split:
    """Whether a file is named as one of training, of validation or of a test."""
    inside = path.relative_to(folder)
    for part in inside.parts[:-1]:
        if part.lower() in _SPLITS:
            return _SPLITS[part.lower()]
    stem = (
        _TAIL.sub("", _stem(inside.name))
        .lower()
        .replace("held_out", "heldout")
        .replace("held-out", "heldout")
    )
    named = re.split(r"[_.\s-]+", stem)
    return next((_SPLITS[word] for word in (named[0], named[-1]) if word in _SPLITS), "train")


def _stem(name: str) -> str:
    """A file's name without its endings: `data.test.jsonl.gz` is `data.test`."""
    bare = bare_name(Path(name))
    return bare.rpartition(".")[0] or bare


def sources(folder: Path) -> tuple[list[Found], list[Skipped]]:
    """Files by folder and kind, one source for those on which all looked at agree; and what was left out."""
    data, skipped = data_files(folder)
    empty = tuple(path for path in data if path.stat().st_size == 0)
    found = list(_found(folder, [path for path in data if path not in empty]))
    found += [
        Found(path.relative_to(folder).as_posix(), (path,), Guess(None, problem="empty")) for path in empty
    ]
    return found, skipped


def _found(folder: Path, data: Sequence[Path]) -> Iterator[Found]:
    guessed: list[tuple[Path, list[tuple[Path, Guess]]]] = []
    for parent, inside in groupby(
        sorted(data, key=lambda path: (path.parent, path)), lambda path: path.parent
    ):
        kinds = sorted(inside, key=_kind)
        alike = [list(files) for _, files in groupby(kinds, key=_kind)]
        guessed.append((parent, [one for files in alike for one in _guessed(files)]))
    every = [one for _, guesses in guessed for one in guesses]
    # The other half of a source is no source: a file, or a folder of files of the same names.
    partners = {
        path.parent / str(g.settings["answers"]) for path, g in every if g.reader and "answers" in g.settings
    }
    for parent, guesses in guessed:
        if parent not in partners:
            yield from _merged(folder, parent, [(path, g) for path, g in guesses if path not in partners])


def _kind(path: Path) -> str:
    name = bare_name(path)
    return name[name.rfind(".") :]


def _guessed(files: Sequence[Path]) -> list[tuple[Path, Guess]]:
    """A guess for every file; of very many alike, the first few stand for the rest."""
    looked = [(path, guess(path)) for path in files[:LOOKED_AT_PER_KIND]]
    rest = files[LOOKED_AT_PER_KIND:]
    agree = len({_signature(g) for _, g in looked}) == 1
    return looked + [(path, looked[0][1] if agree else guess(path)) for path in rest]


def _signature(one: Guess) -> tuple[Any, ...]:
    if one.reader is None:
        return None, one.keys, one.problem
    return one.reader, orjson.dumps(one.settings, option=orjson.OPT_SORT_KEYS)


def _merged(folder: Path, parent: Path, guesses: Sequence[tuple[Path, Guess]]) -> Iterator[Found]:
    """One source for the files of equal guess and split; its uri is a file, or a glob that takes no other."""
    alike: dict[Any, list[tuple[Path, Guess]]] = {}
    for path, one in guesses:
        alike.setdefault((split_of(path, folder), _signature(one)), []).append((path, one))
    for (split, _), group in alike.items():
        paths = tuple(path for path, _ in group)
        place = parent.relative_to(folder)
        name = _glob(parent, paths)
        if name is not None:
            yield Found((place / name).as_posix(), paths, group[0][1], split=split)
        else:
            escaped = tuple(glob.escape(path.name) for path in paths)
            yield Found(place.as_posix(), paths, group[0][1], escaped, split)


def _glob(parent: Path, paths: Sequence[Path]) -> str | None:
    """A pattern for exactly these files of their folder; the name of one that is no part of a series."""
    names = [path.name for path in paths]
    if len(names) == 1 and not _series(names[0]):
        return names[0]
    prefix, suffix = _shared(names), _shared([name[::-1] for name in names])[::-1]
    # A pattern of letters that happen to agree says little: the suffix alone, then with the prefix.
    dotted = suffix[suffix.find(".") :] if "." in suffix else suffix
    parts = {series for name in names if (series := _series(name))}
    tried = [f"{parts.pop()}-*{dotted}"] if len(parts) == 1 else []
    for pattern in (*tried, f"*{dotted}", f"{prefix}*{dotted}"):
        if not re.search(r"[\[\]?]", pattern) and {
            p.name for p in parent.glob(pattern) if p.is_file()
        } == set(names):
            return pattern
    return names[0] if len(names) == 1 else None


def _series(name: str) -> str | None:
    """What a part of a series is called without its number: `train` for train-00000-of-00004.parquet."""
    found = re.fullmatch(r"(.*[^\d-])-\d{5}-of-\d{5}(\..*)?", name)
    return found[1] if found else None


def _shared(names: Sequence[str]) -> str:
    """The longest beginning that all names share."""
    low, high = min(names), max(names)
    return next((low[:n] for n, (a, b) in enumerate(zip(low, high, strict=False)) if a != b), low)
