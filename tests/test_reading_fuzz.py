"""Readers under fire: mutated files of every reader and format. No crash, every record accounted for.

AJ_FUZZ_FILES sets the mutations per seed file (200 for the long run).
"""

import gzip
import json
import os
import random

import msgspec
import orjson
import polars as pl
import zstandard

from curation.reading import chunks, read
from curation.row import encode
from curation.source import Source

TALKS = [
    {"messages": [{"role": "user", "content": f"naïve {n}?"}, {"role": "assistant", "content": "yes"}]}
    for n in range(5)
]
PAIRS = [{"question": f"naïve {n}?", "answer": f"yes, “{n}”"} for n in range(5)]


def source(reader, **settings):
    return msgspec.convert({"uri": "data", "reader": reader, "group": "g", **settings}, Source)


def as_lines(records):
    return "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)


def seeds(tmp_path):
    """One small file per reader and format."""
    asked = {"from": "human", "value": "x"}
    called = {"from": "function_call", "value": '{"name": "f", "arguments": {}}'}
    records = {
        "messages": TALKS,
        "wildchat": [{"conversation": talk["messages"], "language": "English"} for talk in TALKS],
        "alpaca": [{"instruction": p["question"], "input": "", "output": p["answer"]} for p in PAIRS],
        "qa": PAIRS,
        "sharegpt": [{"conversations": [asked, called], "tools": "[]"}] * 4,
        "trajectory": [{"query": "q", "turn_history": {"actions": ["ls"], "observations": ["a"]}}] * 4,
        "bfcl": [{"id": "1", "question": [TALKS[0]["messages"]], "function": [{"name": "f"}]}] * 4,
        "map": [{"t": [{"r": "a", "c": "x"}, {"r": "b", "c": "y"}]}] * 4,
    }
    for reader, found in records.items():
        settings = {
            "map": {"turns": "t", "role": "r", "content": "c", "roles": {"a": "user", "b": "assistant"}}
        }
        asked = source(reader, **(settings if reader == "map" else {}))
        yield asked, f"{reader}.jsonl", as_lines(found).encode()
        yield asked, f"{reader}.json", json.dumps(found, indent=1).encode()
        yield asked, f"{reader}.jsonl.gz", gzip.compress(as_lines(found).encode())
        yield asked, f"{reader}.jsonl.zst", zstandard.compress(as_lines(found).encode())
    yield (
        source("qa"),
        "qa.csv",
        b"question,answer\n" + "".join(f'"{p["question"]}","{p["answer"]}"\n' for p in PAIRS).encode(),
    )
    yield source("adventure"), "game.txt", b"Hello\n\n> look\n\nA road\n"
    path = tmp_path / "seed.parquet"
    pl.DataFrame(TALKS).write_parquet(path)
    yield source("messages"), "messages.parquet", path.read_bytes()


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


def test_mutated_files_never_crash_a_reader(tmp_path):
    mutations = int(os.environ.get("AJ_FUZZ_FILES", "12"))
    chance = random.Random(20)
    count = 0
    for asked, name, data in seeds(tmp_path):
        for _ in range(mutations):
            path = tmp_path / name
            path.write_bytes(mutated(data, chance))
            found = pl.concat([f for c in chunks(path, asked) for f in read(c, asked, file=name)])
            assert (found["messages"].is_null() == found["reason"].is_not_null()).all()
            assert found["row"].to_list() == list(range(found.height))
            for text in found["messages"].drop_nulls():
                assert encode(orjson.loads(text)) == text
            count += 1
    assert count == mutations * 35


def test_fuzzed_lines_are_each_accounted_for(tmp_path):
    """One file of mutated lines per reader of records, read as a whole."""
    lines = int(os.environ.get("AJ_FUZZ_LINES", "400"))
    chance = random.Random(21)
    for asked, name, data in seeds(tmp_path):
        if not name.endswith(".jsonl"):
            continue
        originals = data.splitlines()
        fuzzed = [originals[0]]
        fuzzed += [mutated(chance.choice(originals), chance).replace(b"\n", b" ") for _ in range(lines)]
        path = tmp_path / name
        path.write_bytes(b"\n".join(fuzzed))
        found = pl.concat(
            [f for c in chunks(path, asked, chunk_bytes=9999) for f in read(c, asked, file=name)]
        )
        assert found.height == sum(1 for line in fuzzed if line and not line.isspace())
        assert found["messages"].is_not_null().any()
