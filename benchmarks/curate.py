"""The whole pipeline end to end: python -m benchmarks.curate [--rows N …] [--tokenizer] [--json] [--record]

Makes N rows from the corpus (edited copies, no duplicates), runs a full recipe over them with two
workers, and tells wall time, CPU-seconds by step, and peak anonymous memory over all processes.
"""

import argparse
import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.memory import sampled_peak
from benchmarks.multiply import conversations, multiplied
from benchmarks.results import can_record, machine, write_section

ROOT = Path(__file__).resolve().parents[1]
CORPUS = ROOT.parent / "shared" / "data"
FILES = 8

RECIPE = """\
name: bench
version: 1.0.0
seed: 17
base_model: {{id: deepseek-ai/DeepSeek-R1-Distill-Qwen-32B, code: DeepSeekR1Qwen32B}}
{tokenizer}
sources:
  half: {{uri: "half-*.jsonl", reader: messages, group: conversational}}
  rest: {{uri: "rest-*.jsonl", reader: messages, group: custom}}
mixture: {{shares: {{conversational: 0.5, custom: 0.5}}, total: max, max_repeat: 1}}
stages: [normalise, chat, tools, language, pii, {length} exact_duplicates, near_duplicates]
gates: [{{metric: eval.leaked_rows, max: 0}}]
"""


def make_input(folder: Path, lines: list[bytes], rows: int) -> int:
    """Write the rows as JSON lines in a few files, edited copies of the given ones; returns their bytes."""
    names = [f"{half}-{n}.jsonl" for half in ("half", "rest") for n in range(FILES // 2)]
    files = [(folder / name).open("wb") for name in names]
    for number, line in enumerate(multiplied(lines, rows)):
        files[number % FILES].write(line + b"\n")
    for file in files:
        file.close()
    return sum(path.stat().st_size for path in folder.glob("*.jsonl"))


def make_recipe(folder: Path, *, tokenizer: bool) -> Path:
    """The recipe; with the real vocabulary it also holds rows to 2,048 tokens and counts them."""
    path = folder / ("tokens.yaml" if tokenizer else "plain.yaml")
    text = RECIPE.format(
        tokenizer=f"tokenizer: {{path: {CORPUS / 'tokenizer_r1_distill'}}}" if tokenizer else "",
        length="{length: {max_tokens: 2048}}," if tokenizer else "",
    )
    path.write_text(text)
    return path


def measure(recipe: Path, out: Path, workers: int) -> dict[str, Any]:
    """Run `aj curate` as a user would, and watch it."""
    command = [sys.executable, str(ROOT / "aj.py"), "curate", str(recipe), "--out", str(out)]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.monotonic()
    process = subprocess.Popen([*command, "--workers", str(workers), "--json"], stdout=subprocess.PIPE)
    with sampled_peak(process.pid) as peak:
        answer, _ = process.communicate()
    wall_s = time.monotonic() - started
    if process.returncode != 0:
        raise SystemExit(f"aj curate ended with {process.returncode}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    steps = json.loads((out / "timings.json").read_text())["cpu_s"]
    written = json.loads(answer)["written"]
    return {
        "wall_s": round(wall_s, 1),
        "cpu_s": round(cpu_s, 1),
        "peak_gib": round(peak.anonymous / 2**30, 2),
        "written": written["train"] + written["eval"],
        "steps_cpu_s": steps,
    }


def run(lines: list[bytes], rows: int, *, tokenizer: bool, workers: int = 2) -> dict[str, Any]:
    """One measurement in a folder of its own."""
    folder = Path(tempfile.mkdtemp(prefix="aj-bench-"))
    try:
        size = make_input(folder, lines, rows)
        found = measure(make_recipe(folder, tokenizer=tokenizer), folder / "out", workers)
        return {"rows": rows, "mb": round(size / 1e6), "tokenizer": tokenizer, "workers": workers, **found}
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def table(found: list[dict[str, Any]]) -> str:
    """The figures as Markdown."""
    lines = [
        "| rows | MB | tokenizer | wall s | CPU s | peak GiB | written | CPU s by step |",
        "| ---: | ---: | --- | ---: | ---: | ---: | ---: | --- |",
    ]
    for run_ in found:
        steps = ", ".join(
            f"{name} {s:.1f}" for name, s in sorted(run_["steps_cpu_s"].items(), key=lambda e: -e[1])
        )
        lines.append(
            f"| {run_['rows']:,} | {run_['mb']:,} | {'yes' if run_['tokenizer'] else 'no'} "
            f"| {run_['wall_s']} "
            f"| {run_['cpu_s']} | {run_['peak_gib']} | {run_['written']:,} | {steps} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Parse, measure, print, record if asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[300_000])
    parser.add_argument("--tokenizer", action="store_true", help="also with the real vocabulary")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--json", action="store_true", help="end with one JSON object")
    can_record(parser)
    args = parser.parse_args()
    if not CORPUS.is_dir():
        raise SystemExit("the corpus is not beside the project; this benchmark needs its rows")
    kinds = [False, True] if args.tokenizer else [False]
    lines = conversations(ROOT / "recipes" / "corpus.yaml", CORPUS)
    found = []
    for rows in args.rows:
        runs = [run(lines, rows, tokenizer=kind, workers=args.workers) for kind in kinds]
        found += runs
        print(table(runs))
        if args.record:
            write_section(f"curate {rows}", section(rows, runs, tokenizer=args.tokenizer))
    if args.json:
        print(json.dumps(found))


def section(rows: int, runs: list[dict[str, Any]], *, tokenizer: bool) -> str:
    """The section of benchmarks/RESULTS.md on one number of rows."""
    command = f"python -m benchmarks.curate --rows {rows}{' --tokenizer' if tokenizer else ''}"
    head = f"## The whole pipeline, {rows:,} rows\n\n`{command}`, {machine('polars', 'pyarrow')}.\n\n"
    return head + table(runs)


if __name__ == "__main__":
    main()
