"""More rows than there are: real conversations with seeded edits, so that copies are no duplicates."""

import random
import re
from collections.abc import Iterator
from pathlib import Path

import orjson
import polars as pl

from curation.readers.reading import chunks, list_files, read
from curation.recipe.load import load_recipe

WORD = re.compile(r"[A-Za-z]{4,}")
SHARE_OF_WORDS = 0.3  # changed in a copy: two copies of a row then share about 0.17 of their 5-grams


def conversations(recipe: Path, data_root: Path) -> list[bytes]:
    """Every readable conversation of a recipe's sources, as one JSON line each."""
    loaded = load_recipe(recipe, data_root=data_root)
    found: list[bytes] = []
    for name, source in loaded.sources.items():
        for path in list_files(source, data_root, name=name):
            for chunk in chunks(path, source):
                for batch in read(chunk, source, file=path.name):
                    readable = batch.filter(pl.col("messages").is_not_null())
                    found += [line_of(m, t) for m, t in readable.select("messages", "tools").iter_rows()]
    return found


def line_of(messages: str, tools: str | None) -> bytes:
    """A row as a chat JSON line."""
    tail = b"" if tools is None else b',"tools":' + orjson.dumps(tools)
    return b'{"messages":' + messages.encode() + tail + b"}"


def edited(line: bytes, seed: int, vocabulary: list[str]) -> bytes:
    """The row with a seeded share of the words of its user and assistant turns replaced."""
    random_ = random.Random(seed)
    row = orjson.loads(line)

    def other(match: re.Match[str]) -> str:
        return random_.choice(vocabulary) if random_.random() < SHARE_OF_WORDS else match.group()

    for message in row["messages"]:
        if message["role"] in {"user", "assistant"} and message["content"]:
            message["content"] = WORD.sub(other, message["content"])
    return orjson.dumps(row)


def multiplied(lines: list[bytes], rows: int) -> Iterator[bytes]:
    """`rows` lines: the given ones first, then edited copies; lines over 24 KB are left out."""
    usable = [line for line in lines if len(line) <= 24_000]
    vocabulary = sorted(
        {word.decode() for line in usable[::50] for word in re.findall(rb"[A-Za-z]{4,}", line)}
    )
    random.Random(17).shuffle(usable)
    for number in range(rows):
        line = usable[number % len(usable)]
        yield line if number < len(usable) else edited(line, number, vocabulary)
