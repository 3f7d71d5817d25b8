"""Which files of a dataset repository a source means: its patterns, its subset, its split.

Subsets and splits are those that the dataset card declares under `configs`, else those that folder
and file names tell, as https://huggingface.co/docs/hub/datasets-data-files-configuration has it.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

from curation.errors import SourceError
from curation.recipe.source import Source

DATA = re.compile(
    r"\.(parquet|pq|arrow|feather|jsonl|ndjson|json|csv|tsv|txt)(\.(gz|zst|bz2|xz))?$", re.IGNORECASE
)
# JSON files that describe a dataset and hold no rows of it.
ABOUT = frozenset({"dataset_infos.json", "dataset_dict.json", "dataset_info.json", "state.json"})
SHARDED = re.compile(r"(?:^|/)([^/]+?)-\d{5}-of-\d{5}[^/]*$")
SPLIT_NAMES = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "val", "dev"),
    "test": ("test", "testing", "eval", "evaluation"),
}
PARQUET_BRANCH = "refs/convert/parquet"


class Config(NamedTuple):
    """A subset of a dataset card: its name and its (split, pattern) pairs."""

    name: str
    is_default: bool
    patterns: list[tuple[str, str]]


def select(files: Sequence[str], source: Source, card: Mapping[str, Any]) -> list[str]:
    """The files that a source means, sorted. Raises SourceError where that is none or not clear."""
    visible = sorted(path for path in files if not path.rpartition("/")[2].startswith("."))
    if source.files is not None:
        chosen = by_patterns(files, source.files)
        if source.subset or source.split:
            chosen = [path for path in chosen if path in by_names(chosen, source.subset, source.split)]
    else:
        data = [path for path in visible if is_data(path)]
        refuse_scripts(visible, data)
        configs = list(card_configs(card))
        chosen = by_card(data, configs, source) if configs else by_names(data, source.subset, source.split)
    if any(path.endswith((".py", ".pkl", ".pickle", ".pt")) for path in chosen):
        raise SourceError("`files` names code or pickled objects; aj reads data files only")
    return chosen


def is_data(path: str) -> bool:
    """Whether a file's name is one of the formats that aj reads, and not hidden."""
    hidden = any(part.startswith(".") for part in path.split("/"))
    return bool(DATA.search(path)) and path.rpartition("/")[2] not in ABOUT and not hidden


def refuse_scripts(files: Sequence[str], data: Sequence[str]) -> None:
    """Raise SourceError for a repository whose rows only a script of its own can make."""
    scripts = [path for path in files if path.endswith(".py")]
    if not data and scripts:
        raise SourceError(
            f"the dataset is a script ({scripts[0]}), and aj runs no code from the hub; "
            f"try `revision: {PARQUET_BRANCH}`, where the hub keeps its rows as Parquet"
        )
    if not data:
        raise SourceError(f"no file that aj reads; the repository has: {shown(files)}")


def by_patterns(files: Iterable[str], patterns: str | Sequence[str]) -> list[str]:
    """Files that match one of the globs; each pattern must match something."""
    listed = sorted(files)
    found: set[str] = set()
    for pattern in [patterns] if isinstance(patterns, str) else patterns:
        matched = [path for path in listed if matches(path, pattern)]
        if not matched:
            raise SourceError(f"no file matches '{pattern}'; the repository has: {shown(listed)}")
        found.update(matched)
    return sorted(found)


def matches(path: str, pattern: str) -> bool:
    """A glob as for local files: `*` stays within a folder, `**/` is any depth.

    Hidden files and folders count only where the pattern names them.
    """
    if "/." not in f"/{pattern}" and any(part.startswith(".") for part in path.split("/")):
        return False
    return parts_match(path.split("/"), pattern.removeprefix("./").split("/"))


def parts_match(path: Sequence[str], pattern: Sequence[str]) -> bool:
    """A path's parts against a glob's; `**` stands for any number of folders, at the end for all."""
    if not pattern or not path:
        return not pattern and not path
    if pattern[0] == "**":
        return len(pattern) == 1 or any(parts_match(path[n:], pattern[1:]) for n in range(len(path)))
    return fnmatchcase(path[0], pattern[0]) and parts_match(path[1:], pattern[1:])


def card_configs(card: Mapping[str, Any]) -> Iterator[Config]:
    """The subsets that a card declares; what has another layout than it should is passed over."""
    entries = card.get("configs")
    for entry in entries if isinstance(entries, list) else []:
        if not isinstance(entry, dict):
            continue
        folder = entry.get("data_dir")
        prefix = f"{folder.strip('/')}/" if isinstance(folder, str) and folder.strip("/") else ""
        files = entry.get("data_files")
        patterns = [(split, prefix + path) for split, path in config_patterns(files)]
        if not patterns and prefix:
            patterns = [("train", f"{prefix}**/*")]
        if patterns:
            yield Config(str(entry.get("config_name", "default")), entry.get("default") is True, patterns)


def config_patterns(data_files: Any) -> Iterator[tuple[str, str]]:
    """`data_files` of a card: a path, several, or {split, path} entries. Paths alone are of train."""
    for entry in data_files if isinstance(data_files, list) else [data_files]:
        split, paths = ("train", entry)
        if isinstance(entry, dict):
            split, paths = str(entry.get("split", "train")), entry.get("path")
        for path in paths if isinstance(paths, list) else [paths]:
            if isinstance(path, str):
                yield split, path


def by_card(data: Sequence[str], configs: Sequence[Config], source: Source) -> list[str]:
    """The files of a subset and a split of the card."""
    config = chosen_config(configs, source.subset)
    splits = list(dict.fromkeys(split for split, _ in config.patterns))
    split = chosen_split(splits, source.split)
    patterns = [pattern for name, pattern in config.patterns if name == split]
    return by_patterns(data, patterns)


def chosen_config(configs: Sequence[Config], subset: str | None) -> Config:
    """The subset that is asked for, or the default one, or the only one."""
    names = [config.name for config in configs]
    if subset is not None:
        found = next((config for config in configs if config.name == subset), None)
        if found is None:
            raise SourceError(f"no subset '{subset}'; the dataset has: {shown(names)}")
        return found
    default = [c for c in configs if c.is_default] or [c for c in configs if c.name == "default"]
    if not default and len(configs) > 1:
        raise SourceError(f"has several subsets, set one with `subset:`: {shown(names)}")
    return (default or list(configs))[0]


def chosen_split(splits: Sequence[str], split: str | None) -> str:
    """The split that is asked for, or the only one. Taking all would train on what is for testing."""
    if split is None:
        if len(splits) > 1:
            raise SourceError(f"has several splits, set one with `split:`: {shown(splits)}")
        return splits[0]
    if split not in splits:
        raise SourceError(f"no split '{split}'; the dataset has: {shown(splits)}")
    return split


def by_names(data: Sequence[str], subset: str | None, split: str | None) -> list[str]:
    """The files of a subset and a split by the names of folders and files."""
    if subset is not None:
        within = [path for path in data if subset in path.split("/")[:-1]]
        if not within:
            folders = sorted({path.rpartition("/")[0] or "." for path in data})
            raise SourceError(f"no folder '{subset}' for the subset; the folders: {shown(folders)}")
        data = within
    splits: dict[str, list[str]] = {}
    for path in data:
        splits.setdefault(split_of(path), []).append(path)
    wanted = next((name for name, also in SPLIT_NAMES.items() if split in also), split)
    return sorted(splits[chosen_split(list(splits), wanted)])


def split_of(path: str) -> str:
    """The split that a file's path tells; train where it tells none."""
    sharded = SHARDED.search(path)
    if sharded:
        return sharded[1]
    for part in reversed(path.split("/")):
        words = re.split(r"[^a-z]+", part.lower())
        for name, also in SPLIT_NAMES.items():
            if any(word in also for word in words):
                return name
    return "train"


def shown(names: Sequence[str]) -> str:
    """The first few names."""
    return ", ".join(name[:100] for name in names[:8]) + (", …" if len(names) > 8 else "") or "nothing"
