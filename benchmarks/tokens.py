"""Token counting: our kernel beside tiktoken and tokenizers, on the same rendered rows.

    python -m benchmarks.tokens [--tokenizer FOLDER] [--rows N] [--json] [--record]

Rows come from the corpus beside the project (`recipes/corpus.yaml`), rendered with aj_r1; the tokenizer
is the corpus's unless another folder is given. tiktoken gets the ranks, the pattern and the added tokens
of the same tokenizer.json, and the text in NFC. All must give the same count for every row, or the run
fails. Printed are MB of UTF-8 per CPU-second of one thread, the best of three interleaved rounds, after a
first one that fills the caches of all.
"""

import argparse
import json
import random
import time
import unicodedata
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import orjson
import tiktoken

from benchmarks.multiply import conversations
from benchmarks.results import can_record, machine, write_section
from curation.rendering.template import load_template
from curation.rendering.tokens import ReferenceCounter, byte_alphabet, load_counter

ROOT = Path(__file__).resolve().parents[1]
CORPUS = ROOT.parent / "shared" / "data"
ROUNDS = 4

Count = Callable[[Sequence[str]], list[int]]


def rendered(rows: int, tokenizer: Path, seed: int = 17) -> list[str]:
    """Up to `rows` conversations of the corpus as the model reads them."""
    template = load_template("aj_r1", tokenizer)
    lines = conversations(ROOT / "recipes" / "corpus.yaml", CORPUS)
    chosen = [orjson.loads(line) for line in random.Random(seed).sample(lines, min(rows, len(lines)))]
    return [template.render(row["messages"], row.get("tools")) for row in chosen]


def tiktoken_count(tokenizer: Path) -> Count:
    """tiktoken with the vocabulary of a byte-level tokenizer.json."""
    document = orjson.loads((tokenizer / "tokenizer.json").read_bytes())
    byte_of = {character: byte for byte, character in enumerate(byte_alphabet())}
    added = {token["content"]: token["id"] for token in document["added_tokens"]}
    ranks = {
        bytes(byte_of[character] for character in token): rank
        for token, rank in document["model"]["vocab"].items()
        if token not in added
    }
    encoding = tiktoken.Encoding(
        "same-vocabulary",
        pat_str=document["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"],
        mergeable_ranks=ranks,
        special_tokens=added,
    )
    return lambda texts: [
        len(encoding.encode(unicodedata.normalize("NFC", text), allowed_special="all")) for text in texts
    ]


def measure(texts: Sequence[str], contenders: dict[str, Count]) -> dict[str, float]:
    """MB per CPU-second of each contender. Fails if their counts differ."""
    size = sum(len(text.encode()) for text in texts) / 1e6
    best: dict[str, float] = {}
    counts: dict[str, list[int]] = {}
    for _ in range(ROUNDS):
        for name, count in contenders.items():
            start = time.process_time()
            counts[name] = count(texts)
            best[name] = max(best.get(name, 0.0), size / max(1e-9, time.process_time() - start))
    expected = counts["tokenizers"]
    for name, found in counts.items():
        differing = sum(a != b for a, b in zip(found, expected, strict=True))
        if differing:
            raise SystemExit(f"{name} counts {differing} of {len(texts)} rows otherwise than tokenizers")
    return best


def report(rows: int, tokenizer: Path) -> dict[str, Any]:
    """All figures of one run."""
    texts = rendered(rows, tokenizer)
    speeds = measure(
        texts,
        {
            "ours": load_counter(tokenizer).count,
            "tiktoken": tiktoken_count(tokenizer),
            "tokenizers": ReferenceCounter(tokenizer / "tokenizer.json").count,
        },
    )
    return {
        "rows": len(texts),
        "mb": round(sum(len(text.encode()) for text in texts) / 1e6, 2),
        "mb_per_cpu_s": {name: round(speed, 2) for name, speed in speeds.items()},
        "machine": machine("numba", "tiktoken", "tokenizers"),
    }


def table(figures: dict[str, Any]) -> str:
    """The section of benchmarks/RESULTS.md."""
    speeds = "\n".join(f"| {name} | {speed:.1f} |" for name, speed in figures["mb_per_cpu_s"].items())
    return f"""## Token counting

`python -m benchmarks.tokens --rows {figures["rows"]}`, {figures["machine"]}.

{figures["rows"]:,} rendered rows, {figures["mb"]} MB, one thread. The counts of all are equal for every row.

| | MB per CPU-s |
| --- | ---: |
{speeds}"""


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print, record if asked."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.tokens", description=__doc__)
    parser.add_argument("--tokenizer", type=Path, default=CORPUS / "tokenizer_r1_distill")
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--json", action="store_true", help="print one JSON object in place of the table")
    can_record(parser)
    options = parser.parse_args(arguments)
    figures = report(options.rows, options.tokenizer)
    if options.record:
        write_section("tokens", table(figures))
    print(json.dumps(figures) if options.json else table(figures))


if __name__ == "__main__":
    main()
