"""Language identification: our tiers beside py3langid and langdetect, on the same rows.

    python -m benchmarks.language [--rows N] [--fast-rows N] [--json]

Rows come from the corpus beside the project where there is one (`recipes/corpus.yaml`), else from the
labelled sentences of `benchmarks/sentences.py`. Printed are rows per CPU-second of one thread, models
loaded beforehand; how often each tier says what langdetect says; and how often each judge is right on
the labelled sentences. `--rows` bounds what all three judge, `--fast-rows` what only the tiers do.
"""

import argparse
import json
import platform
import random
import time
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import orjson
from py3langid.langid import MODEL_FILE, LanguageIdentifier

from benchmarks.multiply import conversations
from benchmarks.sentences import SENTENCES
from curation.language_models import ISO, UNDETERMINED, langdetect, langid
from curation.language_tiers import languages
from curation.prose import proses

ROOT = Path(__file__).resolve().parents[1]
CORPUS = ROOT.parent / "shared" / "data"


class Result(NamedTuple):
    """A judge, its speed, and what it said of each text."""

    name: str
    rows_per_cpu_s: float
    languages: list[str]


class Agreement(NamedTuple):
    """How many rows a tier decided, and of how many it said what langdetect says."""

    tier: str
    rows: int
    agreeing: int


def real_texts(rows: int, seed: int = 17) -> list[str]:
    """The prose of up to `rows` conversations of the corpus, or the labelled sentences without one."""
    if not CORPUS.is_dir():
        return [text for pair in SENTENCES.values() for text in pair]
    lines = conversations(ROOT / "recipes" / "corpus.yaml", CORPUS)
    chosen = random.Random(seed).sample(lines, min(rows, len(lines)))
    return proses([orjson.dumps(orjson.loads(line)["messages"]).decode() for line in chosen])


def judges() -> dict[str, Callable[[Sequence[str]], list[str]]]:
    """The three judges, models loaded."""
    model = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    langid(["warm up"])
    langdetect("warm up")

    def by_py3langid(texts: Sequence[str]) -> list[str]:
        return [ISO.get(label, label) for label, _ in map(model.classify, texts)]

    return {
        "tiers": lambda texts: [verdict.language for verdict in languages(texts)],
        "py3langid": by_py3langid,
        "langdetect": lambda texts: [langdetect(text).language for text in texts],
    }


def measure(texts: Sequence[str], fast_texts: Sequence[str]) -> list[Result]:
    """Every judge on `texts`; the speed of the tiers is that on `fast_texts`."""
    results = []
    for name, judge in judges().items():
        timed = fast_texts if name == "tiers" else texts
        judge(timed[:1])
        start = time.process_time()
        said = judge(timed)
        spent = time.process_time() - start
        results.append(Result(name, len(timed) / max(spent, 1e-9), said if timed is texts else judge(texts)))
    return results


def agreement(texts: Sequence[str], expected: Sequence[str]) -> list[Agreement]:
    """Rows by the tier that decided them, and how many of each agree with what is expected."""
    counts: dict[str, list[int]] = {}
    for verdict, language in zip(languages(texts), expected, strict=True):
        line = counts.setdefault(verdict.by, [0, 0])
        line[0] += 1
        line[1] += verdict.language == language
    return [Agreement(tier, *counts[tier]) for tier in sorted(counts)]


def right_on_labelled() -> dict[str, float]:
    """The share of the labelled sentences that each judge gets right."""
    labelled = [(code, text) for code, pair in SENTENCES.items() for text in pair]
    texts = [text for _, text in labelled]
    return {
        name: sum(said == code for said, (code, _) in zip(judge(texts), labelled, strict=True)) / len(texts)
        for name, judge in judges().items()
    }


def report(rows: int, fast_rows: int) -> dict[str, Any]:
    """All figures of one run."""
    fast = real_texts(max(rows, fast_rows))
    texts = fast[:rows]
    results = measure(texts, fast)
    expected = results[-1].languages
    table = agreement(texts, expected)
    decided = [line for line in table if line.tier in ("words", "script", "py3langid")]
    packages = ("py3langid", "langdetect", "numba")
    return {
        "rows": len(texts),
        "fast_rows": len(fast),
        "rows_per_cpu_s": {result.name: round(result.rows_per_cpu_s) for result in results},
        "agreement_with_langdetect": {
            line.tier: {"rows": line.rows, "share": round(line.agreeing / line.rows, 4)} for line in table
        },
        "fast_tiers_agreement": round(
            sum(line.agreeing for line in decided) / max(1, sum(line.rows for line in decided)), 4
        ),
        "undetermined_share": round(results[0].languages.count(UNDETERMINED) / max(1, len(texts)), 4),
        "right_on_labelled": {name: round(share, 4) for name, share in right_on_labelled().items()},
        "versions": {"python": platform.python_version(), **{name: version(name) for name in packages}},
        "machine": platform.processor() or platform.machine(),
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.language", description=__doc__)
    parser.add_argument("--rows", type=int, default=2000, help="rows that all three judge")
    parser.add_argument("--fast-rows", type=int, default=50_000, help="rows that the tiers judge")
    parser.add_argument("--json", action="store_true", help="the last line is one JSON object")
    options = parser.parse_args(arguments)
    figures = report(options.rows, options.fast_rows)
    for name, speed in figures["rows_per_cpu_s"].items():
        right = figures["right_on_labelled"][name]
        print(f"{name:<12} {speed:>9,} rows per CPU-second   right on labelled {right:.3f}")
    print(f"\ndecided by, of {figures['rows']:,} rows        as langdetect says")
    for tier, line in figures["agreement_with_langdetect"].items():
        print(f"{tier:<12} {line['rows']:>9,} {line['share']:>22.4f}")
    print(f"fast tiers together {figures['fast_tiers_agreement']:>25.4f}")
    if options.json:
        print(json.dumps(figures))


if __name__ == "__main__":
    main()
