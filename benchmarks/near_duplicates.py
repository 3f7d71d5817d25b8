"""Near duplicates beside datasketch, rensa and Daft, on the same rows, against the exact truth.

    python -m benchmarks.near_duplicates [--rows N] [--rounds N] [--growth] [--pathological]
                                         [--json] [--record]

Every contender runs in a process of its own on texts in a mapped Arrow file; the rounds are
interleaved and the medians told. CPU-seconds are of all threads and begin when the texts are
there: cutting into words, signing, finding candidates, and for ours verifying each. Daft only
signs, and gets its texts lower-cased and without punctuation. Recall and precision are those of
"this row has a near duplicate": of rows that do by exact Jaccard, which were found, and of those
found, which do. For the rows that ours would drop the fates are compared one by one, too.
"""

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from benchmarks.memory import sampled_peak
from benchmarks.planted import (
    cipher,
    kept_rows,
    made_up_texts,
    planted,
    real_texts,
    ten_scripts,
    truth,
    with_partner,
)
from benchmarks.results import can_record, machine, write_section
from curation.stages.near_duplicates import minhash
from curation.stages.near_duplicates.linking import Links
from curation.stages.near_duplicates.shingles import shingles, words

THRESHOLDS = (0.7, 0.8, 0.9)
PEERS = ("datasketch", "rensa", "daft")
GROWTH = (30_000, 100_000, 300_000, 1_000_000, 3_000_000)
Found = dict[str, Any]


def write_texts(path: Path, texts: Iterable[str]) -> None:
    """Texts as the engine stores them: offsets and bytes, in batches."""
    schema = pa.schema([("said", pa.large_string())])
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, schema) as writer:
        batch: list[str] = []
        for text in texts:
            batch.append(text)
            if len(batch) == 1 << 14:
                writer.write_batch(pa.record_batch([pa.array(batch, pa.large_string())], schema))
                batch = []
        if batch:
            writer.write_batch(pa.record_batch([pa.array(batch, pa.large_string())], schema))


def read_texts(path: Path) -> pa.ChunkedArray:
    """The texts, mapped."""
    return pa.ipc.open_file(pa.memory_map(str(path))).read_all()["said"]


def mapped(path: Path) -> minhash.Texts:
    """The texts by address and length."""
    column = read_texts(path)
    addresses, lengths = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for chunk in column.chunks:
        _, offsets, data = chunk.buffers()
        ends = np.frombuffer(offsets, np.int64)[chunk.offset : chunk.offset + len(chunk) + 1]
        addresses.append(ends[:-1] + (data.address if data else 0))
        lengths.append(np.diff(ends))
    return minhash.Texts(np.concatenate(addresses), np.concatenate(lengths), column)


def run_native(path: Path, threshold: float) -> Callable[[], Found]:
    """Ours: sign, bucket, verify, settle."""

    def linked(texts: minhash.Texts) -> Links:
        rows = len(texts.lengths)
        order = np.arange(rows, dtype=np.uint32)
        return minhash.link(texts, np.zeros(rows, np.uint64), order, threshold)

    # Loads the compiled code, or compiles it where this is the first run.
    warm = path.with_name("warm.arrow")
    write_texts(warm, planted(made_up_texts(100), 200))
    linked(mapped(warm))
    texts = mapped(path)

    def work() -> Found:
        links = linked(texts)
        reach = links.similarity >= threshold
        flagged = np.union1d(links.one[reach], links.other[reach])
        dropped = np.flatnonzero(links.survivors >= 0)
        return {"flagged": flagged.tolist(), "dropped": dropped.tolist(), "metrics": links.metrics}

    return work


def shingle_sets(texts: Sequence[str]) -> list[set[str]]:
    """What a user of datasketch or rensa writes: sets of five words, by the same words as ours."""
    return [{" ".join(shingle) for shingle in shingles(text)} for text in texts]


def run_datasketch(path: Path, threshold: float) -> Callable[[], Found]:
    """datasketch as its documentation has it: bulk signatures, LSH at its own parameters."""
    from datasketch import MinHash, MinHashLSH

    texts = read_texts(path).to_pylist()

    def work() -> Found:
        sets = ([shingle.encode() for shingle in own] for own in shingle_sets(texts))
        signatures = MinHash.bulk(sets, num_perm=128)
        lsh = MinHashLSH(threshold=threshold, num_perm=128)
        with lsh.insertion_session() as session:
            for row, signature in enumerate(signatures):
                session.insert(row, signature)
        return {"flagged": [row for row, own in enumerate(signatures) if len(lsh.query(own)) > 1]}

    return work


def run_rensa(path: Path, threshold: float) -> Callable[[], Found]:
    """rensa's bulk path: one matrix of signatures, LSH of 16 bands."""
    from rensa import RMinHash, RMinHashLSH

    texts = read_texts(path).to_pylist()

    def work() -> Found:
        sets = [list(own) for own in shingle_sets(texts)]
        matrix = RMinHash.digest_matrix_from_token_sets(sets, 128, 42)
        lsh = RMinHashLSH(threshold, 128, 16)
        flags = lsh.insert_matrix_and_query_duplicate_flags(matrix)
        return {"flagged": np.flatnonzero(flags).tolist()}

    return work


def run_daft(path: Path, threshold: float) -> Callable[[], Found]:
    """Daft's signatures; what they would find is told by datasketch's bands, outside of the time."""
    import daft
    from datasketch import MinHashLSH

    texts = [" ".join(words(text)) for text in read_texts(path).to_pylist()]
    frame = daft.from_pydict({"said": texts}).collect()
    bands, rows = (
        MinHashLSH(threshold=threshold, num_perm=128).b,
        MinHashLSH(threshold=threshold, num_perm=128).r,
    )

    def work() -> Found:
        signed = daft.functions.minhash(
            daft.col("said"), num_hashes=128, ngram_size=5, hash_function="xxhash"
        )
        return {"signatures": frame.select(signed.alias("signature")).to_arrow()["signature"]}

    def flagged(found: Found) -> Found:
        column = found.pop("signatures").combine_chunks()
        signatures = np.asarray(column.flatten(), np.uint32).reshape(len(texts), 128)
        is_flagged = np.zeros(len(texts), bool)
        for band in range(bands):
            keys = np.ascontiguousarray(signatures[:, band * rows : (band + 1) * rows])
            _, inverse, counts = np.unique(keys, axis=0, return_inverse=True, return_counts=True)
            is_flagged |= counts[inverse.ravel()] > 1
        return {"flagged": np.flatnonzero(is_flagged & [text != "" for text in texts]).tolist()}

    work.after = flagged  # type: ignore[attr-defined]
    return work


CONTENDERS = {"native": run_native, "datasketch": run_datasketch, "rensa": run_rensa, "daft": run_daft}


def worker(name: str, path: Path, threshold: float, *, rows_too: bool) -> None:
    """Run one contender in this process; its figures go to stdout as JSON."""
    work = CONTENDERS[name](path, threshold)
    cpu, wall = time.process_time(), time.perf_counter()
    with sampled_peak() as peak:
        found = work()
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    if after := getattr(work, "after", None):
        found = after(found)
    counts = {"flagged": len(found["flagged"]), "dropped": len(found.get("dropped", ()))}
    told = found if rows_too else {"metrics": found.get("metrics"), **counts}
    json.dump({**told, "cpu_s": cpu, "wall_s": wall, "peak_mb": peak.anonymous / 1e6}, sys.stdout)


def measure(name: str, path: Path, threshold: float, *, rows_too: bool = False) -> Found:
    """Run one contender in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.near_duplicates", "--worker", name]
    command += ["--texts", str(path), "--threshold", str(threshold)]
    environment = {**os.environ, "DAFT_ANALYTICS_ENABLED": "0", "DO_NOT_TRACK": "1", "DAFT_PROGRESS_BAR": "0"}
    done = subprocess.run(
        [*command, *(["--rows-too"] if rows_too else [])],
        stdout=subprocess.PIPE,
        env=environment,
        cwd=Path(__file__).resolve().parents[1],
        check=True,
    )
    found: Found = json.loads(done.stdout)
    return found


def quality(flagged: Iterable[int], real: set[int]) -> tuple[float, float]:
    """Recall and precision of the rows that were found to have a near duplicate."""
    found = set(flagged)
    hits = len(found & real)
    return hits / max(1, len(real)), hits / max(1, len(found))


def compare(rows: int, rounds: int, shortest: int = 0, peers: Sequence[str] = PEERS) -> Found:
    """All contenders on the same rows, interleaved, at every threshold; speed at 0.8.

    shortest: characters below which a text of the corpus is left out.
    """
    texts = planted([text for text in real_texts() if len(text) >= shortest], rows)
    size = sum(len(text.encode()) for text in texts) / 1e6
    pairs = truth(texts, min(THRESHOLDS))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "texts.arrow"
        write_texts(path, texts)
        runs: dict[str, list[Found]] = {name: [] for name in ("native", *peers)}
        for _ in range(rounds):
            for name in runs:
                runs[name].append(measure(name, path, 0.8, rows_too=True))
        told = {name: medians(found, size) for name, found in runs.items()}
        for threshold in THRESHOLDS:
            real = with_partner(pairs, threshold)
            for name in runs:
                found = runs[name][0] if threshold == 0.8 else measure(name, path, threshold, rows_too=True)
                told[name][f"recall_{threshold}"], told[name][f"precision_{threshold}"] = quality(
                    found["flagged"], real
                )
                if name == "native":
                    due = set(range(rows)).difference(kept_rows(pairs, rows, threshold))
                    told[name][f"wrong_fates_{threshold}"] = len(due ^ set(found["dropped"]))
    return {"rows": rows, "mb": size, "pairs": len(pairs), "contenders": told}


def medians(runs: Sequence[Found], size: float) -> Found:
    """The medians of some runs, and the rate."""
    told = {key: statistics.median(run[key] for run in runs) for key in ("cpu_s", "wall_s", "peak_mb")}
    return {**told, "mb_per_cpu_s": size / told["cpu_s"]}


def growth(sizes: Sequence[int]) -> list[Found]:
    """Time and memory by rows. Copies of the rows in other ciphers share no words with them."""
    base = planted(real_texts(), min(sizes))
    found = []
    for rows in sizes:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "texts.arrow"
            tables = [cipher(key) for key in range(-(-rows // len(base)))]
            write_texts(path, (base[k % len(base)].translate(tables[k // len(base)]) for k in range(rows)))
            size = path.stat().st_size / 1e6
            run = measure("native", path, 0.8)
        found.append({"rows": rows, "mb": size, "mb_per_cpu_s": size / run["cpu_s"], **run})
    return found


def pathological(scale: float = 1.0) -> list[Found]:
    """Inputs that make others slow or wrong; `scale` makes them smaller."""
    random_ = random.Random(17)
    many, half = round(100_000 * scale), round(50_000 * scale)
    story = [f"word{k}" for k in range(300)]

    def near(_: int) -> str:
        at = random_.randrange(300)
        return " ".join([*story[:at], f"x{random_.randrange(10**9)}", *story[at:]])

    def templated(own: Sequence[int]) -> str:
        return " ".join(
            f"u{random_.randrange(10**9)}" if k in own else word for k, word in enumerate(story[:100])
        )

    inputs: dict[str, Iterable[str]] = {
        "identical rows": (" ".join(story) for _ in range(many)),
        "near-identical rows": map(near, range(many)),
        "70 % template, own words at the end": (templated(range(70, 100)) for _ in range(half)),
        "90 % template, own words spread": (templated(range(0, 100, 10)) for _ in range(half)),
        "90 % template, own words at the end": (templated(range(90, 100)) for _ in range(half)),
        "ten scripts": ten_scripts(half),
        "one long row (100 MB at full scale)": [
            "a short one",
            " ".join(story * round(50_000 * scale)),
            "another",
        ],
        "rows without a word": ("?!" if k % 2 else "" for k in range(many)),
    }
    found = []
    for name, texts in inputs.items():
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "texts.arrow"
            write_texts(path, texts)
            run = measure("native", path, 0.8)
            rows = len(read_texts(path))
            found.append({"input": name, "rows": rows, "mb": path.stat().st_size / 1e6, **run})
    return found


def compared_table(found: Found) -> str:
    """The comparison as Markdown."""
    lines = [
        f"{found['rows']:,} rows, {found['mb']:.0f} MB, {found['pairs']:,} true pairs at 0.7 or above.",
        "",
        "| | MB per CPU-s | ours is | wall s | peak MB | recall / precision at "
        + " | at ".join(map(str, THRESHOLDS))
        + " |",
        "| --- | ---: | ---: | ---: | ---: |" + " ---: |" * len(THRESHOLDS),
    ]
    ours = found["contenders"]["native"]["mb_per_cpu_s"]
    names = {"native": "ours", "datasketch": "datasketch, bulk + LSH", "rensa": "rensa, 16 bands"}
    for name, told in found["contenders"].items():
        rates = [f"{told[f'recall_{t}']:.4f} / {told[f'precision_{t}']:.4f}" for t in THRESHOLDS]
        times = f"{ours / told['mb_per_cpu_s']:.1f} x" if name != "native" else ""
        lines.append(
            f"| {names.get(name, 'Daft, signatures only')} | {told['mb_per_cpu_s']:.1f} | {times} "
            f"| {told['wall_s']:.2f} | {told['peak_mb']:.0f} | {' | '.join(rates)} |"
        )
    wrong = ", ".join(f"{found['contenders']['native'][f'wrong_fates_{t}']} at {t}" for t in THRESHOLDS)
    return "\n".join([*lines, "", f"Rows whose fate is not that of the exact definition: {wrong}."])


def growth_table(found: Sequence[Found]) -> str:
    """Growth as Markdown."""
    lines = [
        "| rows | MB | wall s | CPU s | MB per CPU-s | peak anonymous MB | dropped |",
        "| ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for run in found:
        lines.append(
            f"| {run['rows']:,} | {run['mb']:,.0f} | {run['wall_s']:.1f} | {run['cpu_s']:.1f} "
            f"| {run['mb_per_cpu_s']:.0f} | {run['peak_mb']:,.0f} | {run['dropped']:,} |"
        )
    return "\n".join(lines)


def pathological_table(found: Sequence[Found]) -> str:
    """Pathological inputs as Markdown."""
    lines = [
        "| input | rows | MB | CPU s | peak anonymous MB | dropped | limits reached |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for run in found:
        lines.append(
            f"| {run['input']} | {run['rows']:,} | {run['mb']:,.0f} | {run['cpu_s']:.2f} "
            f"| {run['peak_mb']:,.0f} | {run['dropped']:,} | {run['metrics']['capped']:,.0f} |"
        )
    return "\n".join(lines)


def section(command: str, heading: str, table: str) -> str:
    """A section for RESULTS.md."""
    where = machine("numba", "datasketch", "rensa", "daft")
    return f"## {heading}\n\n`{command}`, {where}.\n\n{table}"


def main() -> None:
    """Parse, measure, print, record if asked."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=30_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--shortest", type=int, default=0, help="characters of the shortest row to take")
    parser.add_argument("--growth", action="store_true", help="time and memory up to 3 million rows")
    parser.add_argument("--largest", type=int, default=GROWTH[-1], help="rows of the last step of --growth")
    parser.add_argument("--pathological", action="store_true", help="inputs that make others slow or wrong")
    parser.add_argument("--json", action="store_true", help="end with one JSON object")
    can_record(parser)
    parser.add_argument("--worker", choices=CONTENDERS, help=argparse.SUPPRESS)
    parser.add_argument("--texts", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--threshold", type=float, help=argparse.SUPPRESS)
    parser.add_argument("--rows-too", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.worker:
        worker(args.worker, args.texts, args.threshold, rows_too=args.rows_too)
        return
    command = "python -m benchmarks.near_duplicates"
    told: Found = {"compared": compare(args.rows, args.rounds, args.shortest)}
    name = "near duplicates" + (f": rows of {args.shortest} characters or more" if args.shortest else "")
    asked = f"{command} --rows {args.rows}" + (f" --shortest {args.shortest}" if args.shortest else "")
    sections = {name: (asked, compared_table(told["compared"]))}
    if args.growth:
        told["growth"] = growth([size for size in GROWTH if size <= args.largest])
        sections["near duplicates: growth"] = (f"{command} --growth", growth_table(told["growth"]))
    if args.pathological:
        told["pathological"] = pathological()
        table = pathological_table(told["pathological"])
        sections["near duplicates: pathological inputs"] = (f"{command} --pathological", table)
    for name, (asked, table) in sections.items():
        print(f"{name}\n\n{table}\n")
        if args.record:
            write_section(name, section(asked, name.capitalize(), table))
    if args.json:
        print(json.dumps(told))


if __name__ == "__main__":
    main()
