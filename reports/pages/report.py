"""report.html: the one file that a person decides by.

Everything in it comes from the dataset directory, and the same dataset always gives the same bytes:
nothing depends on the clock, the machine or where the folder lies.
"""

import base64
import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import jinja2
import msgspec
import orjson
import polars as pl
from markupsafe import Markup

from curation import visible
from curation.dataset.gates import GateResult, GatesFile, SourceResult
from curation.dataset.manifest import Manifest, read_recipe, shard_files
from curation.recipe.load import Recipe, stage_plan
from curation.recipe.metrics import METRICS
from curation.recipe.stages import DIFFERENCES, NOTES, PII_KINDS, REASONS
from reports.facts.changes import changes_since, read_baseline
from reports.facts.ledger_facts import ledger_facts
from reports.facts.remarks import Remark, remarks, verdict
from reports.facts.shard_facts import shard_facts
from reports.facts.shortage_facts import shortage_facts
from reports.facts.worth_facts import worth_facts
from reports.pages import charts
from reports.pages.word_diff import word_diff
from reports.rows.shown import parted, said, shown

# Bytes of HTML for each kind of sample, so that the page stays under 2 MB whatever the rows hold.
KEPT_BYTES, DROPPED_BYTES, PAIR_BYTES, CONFLICT_BYTES = 440_000, 480_000, 320_000, 120_000
PAIRS = 14  # of each side of the threshold
CONFLICTS = 12  # pairs of rows whose answers contradict each other, and as many that only differ


def report(dataset: Path, manifest: Manifest, gates: GatesFile) -> bytes:
    """The report of a dataset, as the bytes of its file."""
    recipe = read_recipe(dataset, manifest)
    shards = shard_facts(dataset, manifest, recipe.train.max_seq_length, gates.metrics)
    ledger = ledger_facts(dataset)
    worth = worth_facts(dataset, manifest, recipe, gates.metrics)
    samples = pl.read_parquet(dataset / "samples.parquet", glob=False)
    page = environment()
    card: Any = page.get_template("row.html.jinja").module
    pair: Any = page.get_template("pair.html.jinja").module
    facts: dict[str, Any] = {
        "manifest": manifest,
        "recipe": recipe,
        "gates": gates,
        "metrics": gates.metrics,
        "shards": shards,
        "ledger": ledger,
        "worth": worth,
        "differing": conflict_views(samples, pair.pair),
        "stages": stage_plan(recipe),
        "context": recipe.train.max_seq_length,
        "verdict": verdict(manifest, gates),
        "remarks": sorted(remarks(manifest, gates, recipe, shards, ledger, worth), key=Remark.order),
        "baseline": read_baseline(dataset),
        "changes": changes_since(read_baseline(dataset), manifest, gates, recipe),
        "shortage": shortage_facts(manifest, recipe),
        "shard_files": [file for split in ("train", "eval") for file in shard_files(manifest, split)],
        "charts": draw(manifest, shards, recipe),
        "kept": list(within(KEPT_BYTES, kept_samples(samples), lambda s: card.row(shown(s)))),
        "dropped": dropped_by_reason(samples, manifest, card.row),
        "pairs": pair_views(samples, near_thresholds(recipe), pair.pair),
        "threshold": min(near_thresholds(recipe).values(), default=None),
        "settings_text": settings_text,
        "nearest": nearest,
        "personal_kinds": PII_KINDS,
        "measured_by": {name: metric.by for name, metric in METRICS.items()},
        "reason_meanings": REASONS,
        "note_meanings": NOTES,
    }
    return render(page, "report.html.jinja", **facts)


def render(page: jinja2.Environment, template: str, /, *, forms: str = "'none'", **facts: Any) -> bytes:
    """A page with its style and script inside, and a policy that lets it load or run nothing else.

    forms: where the page's forms may go, as the policy spells it.
    """
    style, script = read_template("report.css"), read_template("report.js")
    policy = (
        f"default-src 'none'; style-src '{digest(style)}'; script-src '{digest(script)}'; "
        f"img-src data:; base-uri 'none'; form-action {forms}"
    )
    html = (
        environment()
        .get_template(template)
        .render(style=Markup(style), script=Markup(script), policy=Markup(policy), **facts)
    )
    return html.encode()


@cache
def read_template(name: str) -> str:
    """One of the files in reports/templates."""
    return (resources.files("reports") / "templates" / name).read_text(encoding="utf-8").strip()


def digest(text: str) -> str:
    """A Content-Security-Policy source for one inline block."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


@cache
def environment() -> jinja2.Environment:
    """Templates that escape everything and show every character."""
    page = jinja2.Environment(
        loader=jinja2.FunctionLoader(read_template),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=lambda value: visible.visible(value) if type(value) is str else value,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    page.filters |= {
        "count": visible.count,
        "percent": visible.percent,
        "size": visible.size,
        "words": visible.words,
        "short": visible.short,
        "capitalised": lambda text: text[:1].upper() + text[1:],
    }
    return page


def draw(manifest: Manifest, shards: Any, recipe: Recipe) -> dict[str, Markup]:
    """The charts, safe to put into the page: they hold no text of rows, and SVG escapes its texts."""
    steps = [("read", manifest.rows.read)]
    steps += [(stage.name, stage.out) for stage in manifest.stages]
    steps.append(("written", manifest.written.train + manifest.written.eval))
    total = sum(group.got for group in manifest.mixture.groups.values()) or 1
    groups = {name: (g.asked, g.got / total) for name, g in manifest.mixture.groups.items()}
    drawn = {
        "steps": charts.steps(steps),
        "shares": charts.shares(groups, manifest.mixture.unit),
        "turns": charts.turns(shards.turns),
    }
    if shards.lengths:
        drawn["lengths"] = charts.lengths(shards.lengths.bins, recipe.train.max_seq_length)
    return {name: Markup(svg) for name, svg in drawn.items()}


def within(limit: int, samples: Iterable[Any], make: Callable[[Any], Markup]) -> Iterator[Markup]:
    """Samples as HTML, in order, up to `limit` bytes; those that do not fit any more are skipped."""
    spent = 0
    for sample in samples:
        html = make(sample)
        cost = len(html.encode())
        if spent + cost <= limit:
            spent += cost
            yield html


def kept_samples(samples: pl.DataFrame) -> Iterator[dict[str, Any]]:
    """Kept rows, one of every group in turn, so that no group crowds out another."""
    kept = samples.filter(pl.col("kind") == "kept")
    turn = kept.with_columns(turn=pl.int_range(pl.len()).over("group"))
    chosen = turn.sort("turn", "group", maintain_order=True).drop("turn")
    ordered = chosen.with_row_index("at").iter_rows(named=True)
    yield from ordered


def dropped_by_reason(
    samples: pl.DataFrame, manifest: Manifest, make: Callable[[Any], Markup]
) -> list[tuple[str, str, int, list[Markup]]]:
    """(stage, reason, rows dropped, samples as HTML), in the order of the stages, most frequent first."""
    totals = dropped_totals(manifest)
    dropped = samples.filter(pl.col("kind") == "dropped")
    each = DROPPED_BYTES // max(len(totals), 1)
    found = []
    for (stage, reason), rows in totals.items():
        here = dropped.filter((pl.col("stage") == stage) & (pl.col("reason") == reason))
        turn = here.with_columns(turn=pl.int_range(pl.len()).over("source"))
        ordered = turn.sort("turn", "source", maintain_order=True).iter_rows(named=True)
        found.append((stage, reason, rows, list(within(each, ordered, lambda s: make(shown(s))))))
    return found


def dropped_totals(manifest: Manifest) -> dict[tuple[str, str], int]:
    """(stage, reason) → rows and pieces dropped, stage by stage."""
    totals: dict[tuple[str, str], int] = {}
    counted = {reason for stage in manifest.stages for reason in stage.dropped}
    for reason in sorted({r for s in manifest.sources.values() for r in s.dropped} - counted):
        totals["read", reason] = sum(s.dropped.get(reason, 0) for s in manifest.sources.values())
    for stage in manifest.stages:
        for reason, rows in sorted(stage.dropped.items(), key=lambda e: (-e[1], e[0])):
            totals[stage.name, reason] = rows
    return totals


def pair_views(
    samples: pl.DataFrame, thresholds: Mapping[str, float], make: Callable[..., Markup]
) -> dict[str, list[Markup]]:
    """Near pairs as word diffs: those similar enough that one had to go, and those that both stayed.

    thresholds: by the name of the stage. A pair below its stage's, of which a row went because of
    some third row, tells nothing about the threshold and is left out.
    """
    pairs = samples.filter(pl.col("kind") == "near_pair")
    near = pl.col("similarity") >= pl.col("stage").replace_strict(thresholds, default=1.0)
    dropped = (pl.col("fate") == "dropped") | (pl.col("other_fate") == "dropped")
    return {
        "gone": pair_list(pairs.filter(near & dropped).sort("similarity", "source", "file", "row"), make),
        "stayed": pair_list(
            pairs.filter(~dropped).sort(
                "similarity", "source", "file", "row", descending=[True, False, False, False]
            ),
            make,
        ),
    }


def conflict_views(samples: pl.DataFrame, make: Callable[..., Markup]) -> dict[str, list[Markup]]:
    """Rows whose answers differ, side by side: those that contradict each other, and the others."""
    pairs = samples.filter(pl.col("kind") == "conflict").with_columns(
        turn=pl.int_range(pl.len()).over("source", "reason")
    )
    pairs = pairs.sort("turn", "source", "reason", maintain_order=True)
    other = pl.col("reason") == "other"
    return {
        name: list(
            within(
                CONFLICT_BYTES // 2,
                pairs.filter(chosen).head(CONFLICTS).iter_rows(named=True),
                lambda pair: conflict_view(pair, make),
            )
        )
        for name, chosen in (("contradicting", ~other), ("other", other))
    }


def pair_list(pairs: pl.DataFrame, make: Callable[..., Markup]) -> list[Markup]:
    """Pairs spread over the whole range of similarities."""
    step = max(pairs.height // PAIRS, 1)
    views = pairs.gather_every(step).head(PAIRS).iter_rows(named=True)
    return list(within(PAIR_BYTES // 2, views, lambda p: pair_view(p, make)))


def conflict_view(pair: dict[str, Any], make: Callable[..., Markup]) -> Markup:
    """What two rows both say, and below it side by side what they answer."""
    (asked, cut), (left, cut_left), (right, cut_right) = parted(pair["messages"], pair["other_messages"])
    diff = word_diff(left, right)
    is_cut = cut or cut_left or cut_right or diff.cut
    return make(pair, diff, is_cut, DIFFERENCES[pair["reason"]], asked)


def pair_view(pair: dict[str, Any], make: Callable[..., Markup]) -> Markup:
    """One pair, side by side."""
    left, cut_left = said(pair["messages"])
    right, cut_right = said(pair["other_messages"])
    diff = word_diff(left, right)
    return make(pair, diff, cut_left or cut_right or diff.cut)


def nearest(gate: GateResult) -> SourceResult | None:
    """The source whose value a passed gate gives as measured: of several the one with the tightest bound."""
    found = [source for source in gate.sources if gate.passed and source.measured == gate.measured]
    return min(found, key=lambda s: (s.max if s.max is not None else -(s.min or 0.0), s.source), default=None)


def settings_text(name: str, settings: Any) -> str:
    """A stage with its settings, as the recipe could write it."""
    content = msgspec.to_builtins(settings)
    return f"{name}: {orjson.dumps(content).decode()}" if content else name


def near_thresholds(recipe: Recipe) -> dict[str, float]:
    """The similarity from which rows count as near duplicates, by the name of the stage that says so."""
    return {
        name: settings.similarity
        for name, _, settings in stage_plan(recipe)
        if hasattr(settings, "similarity")
    }
