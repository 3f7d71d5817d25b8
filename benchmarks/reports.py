"""Reading a large dataset: python -m benchmarks.reports [--rows N …] [--keep FOLDER] [--json] [--record]

Curates N rows of the corpus (edited copies, no duplicates) twice, the second time with one file of
eight exchanged, and measures what a person then waits for: `aj report`, `aj diff`, `aj why`.
"""

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from benchmarks.curate import CORPUS, FILES, ROOT, make_recipe
from benchmarks.memory import sampled_peak
from benchmarks.multiply import conversations, multiplied
from benchmarks.results import can_record, machine, write_section

RECIPE = ROOT / "recipes" / "corpus.yaml"


def make_datasets(folder: Path, lines: Sequence[bytes], rows: int, *, tokenizer: bool) -> None:
    """`old` and `new` in `folder`, from `rows` input rows each; 7/8 of them are the same."""
    names = [f"{half}-{number}.jsonl" for half in ("half", "rest") for number in range(FILES // 2)]
    every = list(multiplied(list(lines), rows + rows // FILES))
    first, added = every[:rows], every[rows:]
    for number, name in enumerate(names):
        (folder / name).write_bytes(b"".join(line + b"\n" for line in first[number::FILES]))
    recipe = make_recipe(folder, tokenizer=tokenizer)
    run([*AJ, "curate", str(recipe), "--out", str(folder / "old")], (0, 1))
    (folder / names[-1]).unlink()
    (folder / "rest-new.jsonl").write_bytes(b"".join(line + b"\n" for line in added))
    # The finished tasks of the first run serve the second, which reads one file anew.
    (folder / "old.work").rename(folder / "new.work")
    run([*AJ, "curate", str(recipe), "--out", str(folder / "new")], (0, 1))


AJ = (sys.executable, str(ROOT / "aj.py"))


def run(command: Sequence[str], codes: Sequence[int] = (0,)) -> dict[str, Any]:
    """Run a command and watch it: wall seconds, CPU-seconds, peak anonymous memory, bytes it printed."""
    started = time.monotonic()
    with tempfile.TemporaryFile() as printed, tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(command, stdout=printed, stderr=errors)
        with sampled_peak(process.pid) as peak:
            _, status, used = os.wait4(process.pid, 0)
        wall_s = time.monotonic() - started
        code = process.returncode = os.waitstatus_to_exitcode(status)
        if code not in codes:
            errors.seek(0)
            raise SystemExit(f"{' '.join(command)} ended with {code}: {errors.read().decode()}")
        size = printed.seek(0, os.SEEK_END)
    return {
        "wall_s": round(wall_s, 2),
        "cpu_s": round(used.ru_utime + used.ru_stime, 2),
        "peak_mb": round(peak.anonymous / 1e6),
        "bytes": size,
    }


def measure(folder: Path) -> dict[str, dict[str, Any]]:
    """Every command once, on the datasets that `make_datasets` left. A first run warms the file cache."""
    old, new, page = folder / "old", folder / "new", folder / "page.html"
    run([*AJ, "why", str(new), "--text", "zzqqj"], (1,))
    page.unlink(missing_ok=True)
    found = {"report": run([*AJ, "report", str(new), "--out", str(page)])}
    found["report"]["bytes"] = page.stat().st_size
    found["diff"] = run([*AJ, "diff", str(old), str(new), "--json"])
    page.unlink()
    found["diff --html"] = run([*AJ, "diff", str(old), str(new), "--html", str(page)])
    found["diff --html"]["bytes"] = page.stat().st_size
    for name, row in rows_to_ask(new).items():
        found[f"why, {name}"] = run([*AJ, "why", str(new), row])
    found["why --text, common"] = run([*AJ, "why", str(new), "--text", "water"], (0, 1))
    found["why --text, in no row"] = run([*AJ, "why", str(new), "--text", "zzqqj"], (1,))
    return found


def rows_to_ask(dataset: Path) -> dict[str, str]:
    """A written row by id and by place, and a duplicate; of each the one of lowest input id."""
    lines = pl.scan_parquet(dataset / "ledger" / "*.parquet").sort("input_id")
    written = lines.filter(pl.col("id").is_not_null() & (pl.col("fate") == "train")).head(1).collect()
    gone = lines.filter(pl.col("reason").str.ends_with("_duplicate")).head(1).collect()
    places = {
        name: f"{row['source']}:{row['file']}:{row['row']}"
        for name, frame in (("by place", written), ("a duplicate", gone))
        for row in frame.to_dicts()
    }
    return {"by id": written["id"][0], **places}


def result(folder: Path, rows: int) -> dict[str, Any]:
    """What one size gave, for a program."""
    manifest = json.loads((folder / "new" / "manifest.json").read_text())
    written = sum(manifest["written"].values())
    load = round(os.getloadavg()[0], 1)
    return {"rows": rows, "written": written, "load": load, "measured": measure(folder)}


def table(found: Sequence[dict[str, Any]]) -> str:
    """The figures as Markdown."""
    lines = [
        "| input rows | written | `aj …` | wall s | CPU s | peak MB | bytes made |",
        "| ---: | ---: | --- | ---: | ---: | ---: | ---: |",
    ]
    for size in found:
        for name, one in size["measured"].items():
            lines.append(
                f"| {size['rows']:,} | {size['written']:,} | {name} | {one['wall_s']} | {one['cpu_s']} "
                f"| {one['peak_mb']:,} | {one['bytes']:,} |"
            )
    return "\n".join(lines)


@contextlib.contextmanager
def folder_of(keep: Path | None, rows: int) -> Iterator[Path]:
    """A folder for the datasets of one size: that of an earlier run with --keep, or one that goes again."""
    if keep is not None:
        (keep / str(rows)).mkdir(parents=True, exist_ok=True)
        yield keep / str(rows)
    else:
        with tempfile.TemporaryDirectory(prefix="aj-bench-") as made:
            yield Path(made)


def main() -> None:
    """Parse, measure, print, record if asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[390_000], help="input rows of each dataset")
    parser.add_argument("--tokenizer", action="store_true", help="with token counts, by the real vocabulary")
    parser.add_argument("--keep", type=Path, help="a folder where the datasets stay for the next run")
    parser.add_argument("--json", action="store_true", help="end with one JSON object")
    can_record(parser)
    args = parser.parse_args()
    if not CORPUS.is_dir():
        raise SystemExit("the corpus is not beside the project; this benchmark needs its rows")
    found = []
    for rows in args.rows:
        with folder_of(args.keep, rows) as folder:
            if not (folder / "new" / "manifest.json").is_file():
                make_datasets(folder, conversations(RECIPE, CORPUS), rows, tokenizer=args.tokenizer)
            found.append(result(folder, rows))
    print(table(found))
    if args.record:
        options = f"--rows {' '.join(map(str, args.rows))}{' --tokenizer' if args.tokenizer else ''}"
        load = ", ".join(str(size["load"]) for size in found)
        head = (
            f"## Reports\n\n`python -m benchmarks.reports {options}`, {machine('polars', 'pyarrow')}; "
            f"load of the machine when measuring began: {load}.\n\n"
        )
        write_section("reports", head + table(found))
    if args.json:
        print(json.dumps({"sizes": found}))


if __name__ == "__main__":
    main()
