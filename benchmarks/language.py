"""Language identification: our tiers beside py3langid and langdetect, on the same rows.

    python -m benchmarks.language [--rows N] [--fast-rows N] [--others] [--json] [--record]
    python -m benchmarks.language --sentences FOLDER

Rows come from the corpus beside the project where there is one (`recipes/corpus.yaml`), else from the
labelled sentences of `benchmarks/sentences.py`. Printed are rows per CPU-second of one thread, models
loaded beforehand; how often each tier says what langdetect says; and how often each judge is right on
the labelled sentences. `--rows` bounds what all three judge, `--fast-rows` what only the tiers do.

`--sentences` measures what `keep: [en]` does to short texts: of sentences in FOLDER/<language>.txt, one a
line, cut at 20, 40 and 80 characters, how many English ones go and how many others stay.
"""

import argparse
import itertools
import json
import random
import re
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import orjson
from langdetect.detector_factory import PROFILES_DIRECTORY, DetectorFactory
from langdetect.lang_detect_exception import LangDetectException
from py3langid.langid import MODEL_FILE, LanguageIdentifier

from benchmarks.multiply import conversations
from benchmarks.results import can_record, machine, write_section
from benchmarks.sentences import SENTENCES
from curation.stages.language.models import ISO, UNDETERMINED, langdetect
from curation.stages.language.tiers import languages
from curation.turns.prose import sides_of

ROOT = Path(__file__).resolve().parents[1]
CORPUS = ROOT.parent / "shared" / "data"
HAN = re.compile("[\u4e00-\u9fff]")
FAST = ("words", "script", "py3langid")
LANGDETECT_SEED = 17
CUTS = (20, 40, 80)  # characters
SHOWN = 5


class Result(NamedTuple):
    """A judge, its speed, and what it said of each text."""

    name: str
    rows_per_cpu_s: float
    languages: list[str]


class Agreement(NamedTuple):
    """How many rows a tier decided, of how many it said what langdetect says, and a few where not."""

    tier: str
    rows: int
    agreeing: int
    others: list[str]


def real_texts(rows: int, seed: int = 17) -> list[str]:
    """The answers of up to `rows` conversations of the corpus, or the labelled sentences without one."""
    if not CORPUS.is_dir():
        return [text for pair in SENTENCES.values() for text in pair]
    lines = conversations(ROOT / "recipes" / "corpus.yaml", CORPUS)
    chosen = random.Random(seed).sample(lines, min(rows, len(lines)))
    return sides_of([orjson.dumps(orjson.loads(line)["messages"]).decode() for line in chosen])[1]


def judges() -> dict[str, Callable[[Sequence[str]], list[str]]]:
    """The three judges, models loaded."""
    model = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    # Its own code, not ours with arrays.
    factory = DetectorFactory()
    factory.load_profile(PROFILES_DIRECTORY)
    factory.seed = LANGDETECT_SEED
    languages(["warm up", "calentar el motor"])
    langdetect(["warm up"])

    def by_py3langid(texts: Sequence[str]) -> list[str]:
        return [ISO.get(label, label) for label, _ in map(model.classify, texts)]

    def by_langdetect(text: str) -> str:
        detector = factory.create()
        detector.append(text)
        try:
            best = detector.detect()
        except LangDetectException:
            return UNDETERMINED
        return UNDETERMINED if best == detector.UNKNOWN_LANG else ISO.get(best, best)

    return {
        "tiers": lambda texts: [verdict.language for verdict in languages(texts)],
        "py3langid": by_py3langid,
        "langdetect": lambda texts: [by_langdetect(text) for text in texts],
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
    """Rows by the tier that decided them, and how many of each agree with what is expected.

    Rows with Chinese characters stand apart ("… han"): langdetect takes Chinese text with a few Latin
    words for one of twenty other languages.
    """
    found: dict[str, Agreement] = {}
    for text, verdict, language in zip(texts, languages(texts), expected, strict=True):
        tier = f"{verdict.by} han" if HAN.search(text) else verdict.by
        line = found.get(tier, Agreement(tier, 0, 0, []))
        same = verdict.language == language
        if not same and len(line.others) < SHOWN:
            line.others.append(f"{verdict.language}, not {language}: {' '.join(text.split())[:90]}")
        found[tier] = Agreement(tier, line.rows + 1, line.agreeing + same, line.others)
    return [found[tier] for tier in sorted(found)]


def share(lines: Sequence[Agreement], *tiers: str) -> float:
    """The share of agreeing rows of some tiers together."""
    chosen = [line for line in lines if line.tier in tiers]
    return round(sum(line.agreeing for line in chosen) / max(1, sum(line.rows for line in chosen)), 4)


def right_on_labelled() -> dict[str, float]:
    """The share of the labelled sentences that each judge gets right."""
    labelled = [(code, text) for code, pair in SENTENCES.items() for text in pair]
    texts = [text for _, text in labelled]
    return {
        name: sum(said == code for said, (code, _) in zip(judge(texts), labelled, strict=True)) / len(texts)
        for name, judge in judges().items()
    }


def short_texts(folder: Path) -> list[str]:
    """What is lost of English and what stays of the others, a line for each length."""
    lines = {path.stem: path.read_text(encoding="utf-8").split("\n") for path in folder.glob("*.txt")}
    lost: dict[int, float] = {}
    stays: dict[int, list[tuple[float, str]]] = {size: [] for size in CUTS}
    for (code, sentences), size in itertools.product(sorted(lines.items()), CUTS):
        texts = [sentence[:size] for sentence in sentences if len(sentence) >= size]
        if not texts:
            continue
        kept = sum(verdict.language in ("en", UNDETERMINED) for verdict in languages(texts)) / len(texts)
        if code == "en":
            lost[size] = 1 - kept
        else:
            stays[size].append((kept, code))
    return [
        f"{size} characters: English lost {lost.get(size, 0.0):.2%}, of {len(stays[size])} others stay"
        f" {sum(share for share, _ in stays[size]) / max(1, len(stays[size])):.2%}, most of "
        + ", ".join(f"{code} {share:.0%}" for share, code in sorted(stays[size], reverse=True)[:SHOWN])
        for size in CUTS
    ]


def report(rows: int, fast_rows: int) -> dict[str, Any]:
    """All figures of one run."""
    fast = real_texts(max(rows, fast_rows))
    texts = fast[:rows]
    results = measure(texts, fast)
    expected = results[-1].languages
    table = agreement(texts, expected)
    return {
        "rows": len(texts),
        "fast_rows": len(fast),
        "rows_per_cpu_s": {result.name: round(result.rows_per_cpu_s) for result in results},
        "agreement_with_langdetect": {
            line.tier: {
                "rows": line.rows,
                "share": round(line.agreeing / line.rows, 4),
                "others": line.others,
            }
            for line in table
        },
        "fast_tiers_agreement": share(table, *FAST),
        "fast_tiers_agreement_han": share(table, *(f"{tier} han" for tier in FAST)),
        "undetermined_share": round(results[0].languages.count(UNDETERMINED) / max(1, len(texts)), 4),
        "right_on_labelled": {name: round(share, 4) for name, share in right_on_labelled().items()},
        "machine": machine("numba", "py3langid", "langdetect"),
    }


def table(figures: dict[str, Any]) -> str:
    """The section of benchmarks/RESULTS.md."""
    speeds = "\n".join(
        f"| {name} | {speed:,} | {figures['right_on_labelled'][name]:.3f} |"
        for name, speed in figures["rows_per_cpu_s"].items()
    )
    tiers = "\n".join(
        f"| {tier} | {line['rows']:,} | {line['share']:.4f} |"
        for tier, line in figures["agreement_with_langdetect"].items()
    )
    command = f"python -m benchmarks.language --rows {figures['rows']} --fast-rows {figures['fast_rows']}"
    return f"""## Language identification

`{command}`, {figures["machine"]}.

| judge | rows per CPU-s | right on labelled sentences |
| --- | ---: | ---: |
{speeds}

| decided by | rows | as langdetect says |
| --- | ---: | ---: |
{tiers}

The fast tiers together agree with langdetect on {figures["fast_tiers_agreement"]:.2%} of the rows
without Chinese characters. On rows with them ("han") they agree on {figures["fast_tiers_agreement_han"]:.2%}:
langdetect takes Chinese text with a few Latin words for another language (`--others` shows such rows)."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print, record if asked."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.language", description=__doc__)
    parser.add_argument("--rows", type=int, default=3000, help="rows that all three judge")
    parser.add_argument("--fast-rows", type=int, default=60_000, help="rows that the tiers judge")
    parser.add_argument("--others", action="store_true", help="show rows on which they differ")
    parser.add_argument("--json", action="store_true", help="print one JSON object in place of the table")
    can_record(parser)
    parser.add_argument("--sentences", type=Path, help="folder of labelled sentences, a file a language")
    options = parser.parse_args(arguments)
    if options.sentences:
        print(*short_texts(options.sentences), sep="\n")
        return
    if options.record and not CORPUS.is_dir():
        raise SystemExit("the corpus is not beside the project; only what its rows show is recorded")
    figures = report(options.rows, options.fast_rows)
    if options.record:
        write_section("language", table(figures))
    if options.json:
        print(json.dumps(figures, ensure_ascii=False))
        return
    print(table(figures))
    for tier, line in figures["agreement_with_langdetect"].items() if options.others else ():
        print(tier, *line["others"], sep="\n    ")


if __name__ == "__main__":
    main()
