"""Readers under fire: mutated files and lines of every reader and format.

No crash, no hang, every record accounted for; the figures are printed (pytest -s). AJ_FUZZ_FILES and
AJ_FUZZ_LINES set how many files of a reader and format, and how many lines of a reader.
"""

import gzip
import io
import json
import os
import random
import time
from pathlib import Path

import msgspec
import orjson
import polars as pl
import pytest
import zstandard

from curation.errors import SourceError
from curation.readers.reading import chunks, read
from curation.recipe.source import Source
from curation.row import encode

TALKS = [
    {"messages": [{"role": "user", "content": f"naïve {n}?"}, {"role": "assistant", "content": "yes"}]}
    for n in range(5)
]
PAIRS = [{"question": f"naïve {n}?", "answer": f"yes, “{n}”"} for n in range(5)]


def source(reader, **settings):
    return msgspec.convert({"uri": "data", "reader": reader, "group": "g", **settings}, Source)


def as_lines(records):
    return "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)


RECORDS = {
    "messages": TALKS,
    "wildchat": [{"conversation": talk["messages"], "language": "English"} for talk in TALKS],
    "alpaca": [{"instruction": p["question"], "input": "", "output": p["answer"]} for p in PAIRS],
    "qa": PAIRS,
    "sharegpt": [
        {
            "conversations": [
                {"from": "human", "value": "x"},
                {"from": "function_call", "value": '{"name": "f", "arguments": {}}'},
            ],
            "tools": "[]",
        }
    ]
    * 4,
    "adventure": [{"text": "Hello\n\n> look\n\nA road"}] * 4,
    "trajectory": [{"query": "q", "turn_history": {"actions": ["ls"], "observations": ["a"]}}] * 4,
    "bfcl": [
        {
            "id": f"{n}",
            "question": [TALKS[0]["messages"][:1]],
            "function": [
                {"name": "f", "parameters": {"type": "dict", "properties": {"a": {"type": "integer"}}}}
            ],
        }
        for n in range(4)
    ],
    "map": [{"t": [{"r": "a", "c": "x"}, {"r": "b", "c": "y"}]}] * 4,
}
SETTINGS = {
    "bfcl": {"answers": "truths.json"},
    "trajectory": {"action": "bash"},
    "map": {"map": {"turns": "t", "role": "r", "content": "c", "roles": {"a": "user", "b": "assistant"}}},
    "herbal": {"book": "The Cottage Herbal"},
    "lines": {"answers": "answers.txt"},
}
TRUTHS = [{"id": f"{n}", "ground_truth": [{"f": {"a": [n]}}]} for n in range(4)]
BOOK = (Path(__file__).resolve().parents[3] / "recipes/demo/herbal.txt").read_bytes()[:6000]
TEXTS = {
    "adventure": b"Hello\n\n> look\n\nA road\n\n> go north\n\nA wood\n",
    "herbal": BOOK,
    "lines": b"list files\nshow the date\n" * 9,
}


def as_table(records, separator):
    rows = [separator.join(records[0])]
    rows += [separator.join(f'"{value}"' for value in record.values()) for record in records]
    return "\r\n".join(rows).encode()


def as_parquet(records):
    out = io.BytesIO()
    pl.DataFrame(records).write_parquet(out)
    return out.getvalue()


def stored(reader):
    """A reader's records in every format that can hold them, by the end of the file's name."""
    records = RECORDS[reader]
    lines = as_lines(records).encode()
    yield "jsonl", lines
    yield "json", json.dumps(records, indent=1).encode()
    yield "parquet", as_parquet(records)
    yield "jsonl.gz", gzip.compress(lines)
    yield "jsonl.zst", zstandard.compress(lines)
    if reader in ("alpaca", "qa"):
        yield "csv", as_table(records, ",")
        yield "tsv", as_table(records, "\t")
        yield "csv.gz", gzip.compress(as_table(records, ","))
    if reader == "qa":
        yield "json.zst", zstandard.compress(json.dumps(records).encode())
        yield "parquet.gz", gzip.compress(as_parquet(records))


SEEDS = [(reader, end, data) for reader in RECORDS for end, data in stored(reader)]
SEEDS += [(reader, "txt", data) for reader, data in TEXTS.items()]
SEEDS += [(reader, "txt.gz", gzip.compress(data)) for reader, data in TEXTS.items()]
SEEDS += [("lines", "txt.zst", zstandard.compress(TEXTS["lines"]))]


def halves(folder):
    """The files with the other half of rows, whole."""
    (folder / "truths.json").write_text(as_lines(TRUTHS))
    (folder / "answers.txt").write_bytes(b"ls\ndate\n" * 9)


def frames_of(path, asked, **settings):
    return [
        frame for chunk in chunks(path, asked, **settings) for frame in read(chunk, asked, file=path.name)
    ]


def attempt(path, asked):
    """The rows of a file, or the line that refuses it."""
    try:
        return pl.concat(frames_of(path, asked)), ""
    except SourceError as error:
        return None, str(error)


def mutated(data, chance):
    """A copy with flipped bits, cut ends, doubled or deleted pieces, or hostile snippets."""
    out = bytearray(data)
    snippets = [
        b"\0",
        b"\xff\xfe",
        b"\\ud800",
        b"NaN",
        b"[" * 3000,
        b"9" * 5000,
        b'"',
        b"\r",
        b"1e999",
        b"\x1f\x8b",
    ]
    for _ in range(chance.randint(1, 4)):
        place = chance.randrange(len(out) + 1)
        match chance.randrange(4):
            case 0 if out:
                out[place % len(out)] ^= 1 << chance.randrange(8)
            case 1:
                del out[place:]
            case 2:
                del out[place : place + chance.randint(1, 40)]
            case _:
                out[place:place] = chance.choice(snippets)
    return bytes(out)


HOSTILE = [
    None,
    True,
    0,
    -1,
    10**30,
    1e308,
    "",
    " ",
    "\0",
    "\ud800",
    "\udfff\ud800",
    "\u202e",
    "x" * 5000,
    "9" * 4400,
    [],
    {},
    [[]],
    [None],
    [{}],
    {"": None},
    {"role": "user"},
    ["user", "x"],
]


def twisted(record, chance):
    """A copy in which a few values, wherever they stand, are others, gone, doubled, or renamed."""
    record = orjson.loads(orjson.dumps(record))
    for _ in range(chance.randint(1, 3)):
        place, keys = record, []
        while isinstance(place, (dict, list)) and place and (not keys or chance.random() < 0.8):
            parent = place
            keys = list(place) if isinstance(place, dict) else list(range(len(place)))
            key = chance.choice(keys)
            place = place[key]
        if not keys:
            break
        match chance.randrange(6):
            case 0:
                del parent[key]
            case 1 if isinstance(parent, list):
                parent.append(place)
            case 2 if isinstance(parent, dict):
                parent[f"{key}s"] = parent.pop(key)
            case 3:
                parent[key] = [place]
            case _:
                parent[key] = chance.choice(HOSTILE)
    return json.dumps(record)


@pytest.mark.slow
@pytest.mark.parametrize("reader", [*RECORDS, "herbal", "lines"])
def test_mutated_files_never_crash_a_reader(tmp_path, reader):
    files = int(os.environ.get("AJ_FUZZ_FILES", "200"))
    chance = random.Random(f"files {reader}")
    asked = source(reader, **SETTINGS.get(reader, {}))
    halves(tmp_path)
    begun, count, rows, refused, slowest = time.process_time(), 0, 0, 0, 0.0
    for _, end, data in (seed for seed in SEEDS if seed[0] == reader):
        path = tmp_path / f"{reader}.{end}"
        for _ in range(files):
            path.write_bytes(mutated(data, chance))
            started = time.process_time()
            found, error = attempt(path, asked)
            count += 1
            slowest = max(slowest, time.process_time() - started)
            if found is None:
                # A book without an entry, or half of a pair of files, ends the run in one line.
                assert reader in ("herbal", "lines"), error
                assert "\n" not in error
                refused += 1
                continue
            assert (found["messages"].is_null() == found["reason"].is_not_null()).all()
            assert found["row"].to_list() == list(range(found.height))
            for text in found["messages"].drop_nulls():
                assert encode(orjson.loads(text)) == text
            rows += found.height
    print(
        f"\n{reader}: {count:,} mutated files in {count // files} formats, {rows:,} rows accounted for, "
        f"{refused} files refused, {time.process_time() - begun:.1f} CPU s, the slowest {slowest:.2f}"
    )
    assert count >= 2 * files
    assert refused < count * 0.8
    assert slowest < 10


@pytest.mark.slow
@pytest.mark.parametrize("reader", [*RECORDS, "lines"])
def test_fuzzed_lines_are_each_accounted_for(tmp_path, reader):
    """One file a reader, of mutated bytes and of records with values that nobody expects."""
    lines = int(os.environ.get("AJ_FUZZ_LINES", "100000"))
    chance = random.Random(f"lines {reader}")
    asked = source(reader, **SETTINGS.get(reader, {}))
    halves(tmp_path)
    if reader == "lines":
        fuzzed = [mutated(b"show the date", chance).decode(errors="replace").encode() for _ in range(lines)]
        (tmp_path / "answers.txt").write_bytes(b"date\n" * lines)
        fuzzed = [line.replace(b"\n", b" ") or b"x" for line in fuzzed]
        expected = len(fuzzed)
    else:
        originals = as_lines(RECORDS[reader]).encode().splitlines()
        fuzzed = [originals[0]]
        for number in range(lines - 1):
            if number % 8:
                fuzzed.append(twisted(chance.choice(RECORDS[reader]), chance).encode())
            else:
                fuzzed.append(mutated(chance.choice(originals), chance).replace(b"\n", b" "))
        expected = sum(1 for line in fuzzed if line and not line.isspace())
    path = tmp_path / (f"{reader}.txt" if reader == "lines" else f"{reader}.jsonl")
    path.write_bytes(b"\n".join(fuzzed) + b"\n")
    begun = time.process_time()
    found = pl.concat(frames_of(path, asked, chunk_bytes=999_999))
    assert found.height == expected
    assert (found["messages"].is_null() == found["reason"].is_not_null()).all()
    good = found["messages"].is_not_null().sum()
    print(
        f"\n{reader}: {found.height:,} fuzzed lines of {path.stat().st_size / 1e6:.0f} MB, {good:,} rows, "
        f"{time.process_time() - begun:.1f} CPU s"
    )
    assert 0 < good < expected


@pytest.mark.parametrize(("reader", "name"), [("bfcl", "truths.json"), ("lines", "answers.txt")])
def test_a_mutated_file_of_answers_is_read_or_refused_in_one_line(tmp_path, reader, name):
    halves(tmp_path)
    whole, chance = (tmp_path / name).read_bytes(), random.Random(f"answers {reader}")
    asked = source(reader, **SETTINGS[reader])
    end, data = ("jsonl", as_lines(RECORDS["bfcl"]).encode()) if reader == "bfcl" else ("txt", TEXTS["lines"])
    path = tmp_path / f"{reader}.{end}"
    path.write_bytes(data)
    read_ = told = refused = 0
    for number in range(300):
        changed = mutated(whole, chance)
        packed = gzip.compress(changed)
        (tmp_path / name).write_bytes(packed[: len(packed) - number % 9] if number % 3 else changed)
        found, error = attempt(path, asked)
        if found is None:
            assert name in error
            assert "\n" not in error
            refused += 1
        elif found["reason"].is_null().all():
            read_ += 1
        else:
            assert (found["messages"].is_null() == found["reason"].is_not_null()).all()
            told += 1
    assert read_ + told + refused == 300
    assert read_ > 5
    assert told + refused > 10
