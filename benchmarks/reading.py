"""Reading JSON lines of conversations beside the usual libraries, on the same file.

    python -m benchmarks.reading [--rows N] [--json] [--record]

Rows are conversations of the corpus beside the project, with and without tool calls. Ours ends with
what the pipeline takes: a frame of canonical messages, every line accounted for; orjson only decodes
every line, the others end with their tables. CPU time is that of the process with one thread where
that can be set, the best of interleaved rounds after one that fills the caches. The last column is
what becomes of a file of 1,000 rows with a byte order mark, of which one line is broken off.
"""

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import orjson

from benchmarks.multiply import conversations, multiplied
from benchmarks.results import can_record, machine, write_section
from curation.readers import reading
from curation.recipe.source import Source

ROOT = Path(__file__).resolve().parents[1]
CORPUS = ROOT.parent / "shared" / "data"
ROUNDS = 4
SOURCE = Source(uri="rows.jsonl", reader="messages", group="bench")

# A file → how many rows were read from it.
Read = Callable[[Path], int]


def ours(path: Path) -> int:
    """The frames of a source, as the pipeline reads them; lines that could not be read do not count."""
    return sum(
        frame["messages"].count()
        for chunk in reading.chunks(path, SOURCE)
        for frame in reading.read(chunk, SOURCE, file=path.name)
    )


def by_orjson(path: Path) -> int:
    """Every line decoded, and dropped at once."""
    with path.open("rb") as file:
        return sum(1 for line in file if orjson.loads(line))


def by_polars(path: Path) -> int:
    """A frame with the schema that it infers."""
    import polars as pl

    return pl.read_ndjson(path, infer_schema_length=None).height


def by_pyarrow(path: Path) -> int:
    """A table with the schema that it infers."""
    from pyarrow import json as arrow_json

    options = arrow_json.ReadOptions(use_threads=False, block_size=64 << 20)
    return int(arrow_json.read_json(path, read_options=options).num_rows)


def by_datasets(path: Path) -> int:
    """A data set, its cache made anew."""
    from datasets import disable_progress_bars, load_dataset

    disable_progress_bars()
    with tempfile.TemporaryDirectory() as cache:
        return len(load_dataset("json", data_files=str(path), split="train", cache_dir=cache))


CONTENDERS: dict[str, Read] = {
    "ours": ours,
    "orjson, decoding alone": by_orjson,
    "pyarrow.json": by_pyarrow,
    "polars.read_ndjson": by_polars,
    "datasets": by_datasets,
}


def plain(line: bytes) -> bytes | None:
    """A conversation as most chat sets write it, or None for one with tool calls."""
    row = orjson.loads(line)
    messages = row["messages"]
    if "tools" in row or any(message["tool_calls"] for message in messages):
        return None
    return orjson.dumps({"messages": [{"role": m["role"], "content": m["content"]} for m in messages]})


def with_calls(line: bytes) -> bytes | None:
    """A conversation with tool calls as they stand, or None for one without."""
    row = orjson.loads(line)
    return line if any(message["tool_calls"] for message in row["messages"]) else None


def write_rows(path: Path, lines: Sequence[bytes], rows: int) -> None:
    """Write that many lines, edited copies once they run out."""
    path.write_bytes(b"".join(line + b"\n" for line in multiplied(list(lines), rows)))


def write_damaged(path: Path, rows: int = 1000) -> None:
    """Rows behind a byte order mark, of which one is broken off."""
    lines = [orjson.dumps({"messages": [{"role": "user", "content": f"row {n}"}]}) for n in range(rows)]
    lines[rows // 2] = lines[rows // 2][:-9]
    path.write_bytes(b"\xef\xbb\xbf" + b"\n".join(lines) + b"\n")


def measure(path: Path, rows: int, rounds: int = ROUNDS) -> dict[str, float | None]:
    """MB per CPU-second of every contender, None where it gives up; fails where one loses a row."""
    size = path.stat().st_size / 1e6
    best: dict[str, float | None] = {}
    for _ in range(rounds):
        for name, read in CONTENDERS.items():
            if name in best and best[name] is None:
                continue
            start = time.process_time()
            try:
                found = read(path)
            except Exception:
                best[name] = None
                continue
            rate = size / max(time.process_time() - start, 1e-9)
            if found != rows:
                raise SystemExit(f"{name} read {found} of {rows} rows")
            best[name] = max(best.get(name) or 0.0, rate)
    return best


def fate_of_damage(path: Path) -> dict[str, str]:
    """What every contender makes of the damaged file."""
    fates = {}
    for name, read in CONTENDERS.items():
        try:
            fates[name] = f"{read(path)} rows"
        except Exception as error:
            fates[name] = f"stops: {type(error).__name__}"
    fates["ours"] += ", 1 told with its reason"
    return fates


def report(rows: int, lines: Sequence[bytes], rounds: int = ROUNDS) -> dict[str, Any]:
    """All figures of one run over some conversations."""
    found: dict[str, Any] = {"rows": rows, "machine": machine("polars", "pyarrow", "orjson", "datasets")}
    with tempfile.TemporaryDirectory(prefix="aj-bench-") as folder:
        for kind, shape in (("plain chats", plain), ("with tool calls", with_calls)):
            path = Path(folder) / "rows.jsonl"
            write_rows(path, [shaped for line in lines if (shaped := shape(line)) is not None], rows)
            found[kind] = {
                "mb": round(path.stat().st_size / 1e6, 1),
                "mb_per_cpu_s": measure(path, rows, rounds),
            }
        write_damaged(Path(folder) / "damaged.jsonl")
        found["damaged"] = fate_of_damage(Path(folder) / "damaged.jsonl")
    return found


def table(figures: dict[str, Any]) -> str:
    """The section of benchmarks/RESULTS.md."""

    def rate(kind: str, name: str) -> str:
        value = figures[kind]["mb_per_cpu_s"][name]
        return "gives up" if value is None else f"{value:.0f}"

    kinds = ("plain chats", "with tool calls")
    lines = [
        f"| {name} | {' | '.join(rate(kind, name) for kind in kinds)} | {figures['damaged'][name]} |"
        for name in CONTENDERS
    ]
    sizes = " and ".join(f"{figures[kind]['mb']} MB {kind}" for kind in kinds)
    return "\n".join(
        [
            "## Reading JSON lines",
            "",
            f"`python -m benchmarks.reading --rows {figures['rows']}`, {figures['machine']}.",
            "",
            f"{figures['rows']:,} rows each, {sizes}, one thread; MB per CPU-second.",
            "",
            "| | plain chats | with tool calls | byte order mark and a broken line, 1,000 rows |",
            "| --- | ---: | ---: | --- |",
            *lines,
        ]
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print, record if asked."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.reading", description=__doc__)
    parser.add_argument("--rows", type=int, default=60_000)
    parser.add_argument("--json", action="store_true", help="end with one JSON object")
    can_record(parser)
    options = parser.parse_args(arguments)
    if not CORPUS.is_dir():
        raise SystemExit("the corpus is not beside the project; this benchmark needs its rows")
    figures = report(options.rows, conversations(ROOT / "recipes" / "corpus.yaml", CORPUS))
    print(table(figures))
    if options.record:
        write_section("reading", table(figures))
    if options.json:
        print(json.dumps(figures))


if __name__ == "__main__":
    # Before the first import of Polars: one thread, like the others.
    os.environ["POLARS_MAX_THREADS"] = "1"
    main()
