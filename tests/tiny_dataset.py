"""A complete dataset directory made by hand, small enough to flip every byte of it in a test."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path, PurePath
from typing import Any

import polars as pl
import pyarrow.parquet as pq

from curation.dataset.gate_sql import SHARD_COLUMNS
from curation.dataset.gates import GatesFile, measure, write_gates
from curation.dataset.manifest import (
    GroupCounts,
    Manifest,
    MixtureCounts,
    RecipeRef,
    RowCounts,
    SourceCounts,
    SourceFile,
    StageCounts,
    Written,
    list_files,
    write_manifest,
)
from curation.files import canonical
from curation.recipe.load import Recipe, recipe_digest, recipe_from
from curation.release.verify import VerifyResult
from curation.rendering.template import edition_of
from curation.row import LEDGER_SCHEMA, decode, digest, encode, message, root_digest, row_id

SEED = 17
RUN_METRICS = {"eval.leaked_rows": 0, "eval.near_train_pairs": 0, "dedupe.capped": 0}


def recipe_values(**changes: Any) -> dict[str, Any]:
    """A recipe over two sources in two groups, with gates that the tiny dataset passes."""
    values: dict[str, Any] = {
        "name": "tiny",
        "version": "1.0.0",
        "seed": SEED,
        "base_model": {"id": "example/base-1b", "code": "Base1B"},
        "sources": {
            "web": {"uri": "web.jsonl", "reader": "messages", "group": "general"},
            "books": {"uri": "books.jsonl", "reader": "messages", "group": "plants"},
        },
        "mixture": {"shares": {"general": 0.5, "plants": 0.5}},
        "stages": ["chat", "tools", "exact_duplicates", "near_duplicates"],
        "gates": [
            {"metric": "mixture.max_share_error", "max": 0.01},
            {"metric": "source.invalid_share", "max": 0.2},
            {"metric": "source.duplicate_share", "max": 0.2, "bounds": {"books": 0.3}},
            {"metric": "eval.leaked_rows", "max": 0},
            {"sql": "select count(*) from train where tokens > 2048", "max": 0, "name": "too long"},
        ],
    }
    return {**values, **changes}


def tiny_recipe(**changes: Any) -> Recipe:
    return recipe_from(recipe_values(**changes), "tiny.yaml")


def conversation(number: int) -> str:
    """Canonical messages; every third row calls a tool, so that all columns are in use."""
    turns = [message("user", f"question {number} — é\n\t\\ \u2028"), message("assistant", f"answer {number}")]
    if number % 3 == 0:
        call = {"id": "c1", "name": "bash", "arguments": '{"command": "df -h", "timeout_s": 1.0}'}
        turns[1:1] = [
            message("assistant", None, tool_calls=[call]),
            message("tool", "", tool_call_id="c1"),
        ]
    return encode(turns)


# Per source: (fate, stage, reason) of its input rows, in order.
KEPT = (None, None)
FATES: dict[str, list[tuple[str, str | None, str | None]]] = {
    "web": [
        *[("train", *KEPT)] * 6,
        ("eval", *KEPT),
        ("dropped", None, "unreadable"),
        ("unselected", *KEPT),
        ("dropped", "exact_duplicates", "exact_duplicate"),
    ],
    "books": [
        *[("train", *KEPT)] * 6,
        ("dropped", "chat", "no_answer"),
        *[("dropped", "near_duplicates", "near_duplicate")] * 3,
    ],
}


def ledger_of(recipe: Recipe) -> pl.DataFrame:
    """One line per input row. Rows 0 of both files are as long as their neighbours."""
    lines = []
    for place, (source, fates) in enumerate(FATES.items()):
        for row, (fate, stage, reason) in enumerate(fates):
            text = conversation(100 * place + row)
            final = row_id(text, tools_of(row)) if fate != "dropped" else None
            input_id = None if reason == "unreadable" else row_id(text, tools_of(row))
            detail = json.dumps({"start": "{broken"}) if reason == "unreadable" else None
            lines.append((source, f"{source}.jsonl", row, input_id, final, fate, stage, reason, detail))
    return pl.DataFrame(lines, schema=LEDGER_SCHEMA, orient="row")


def tools_of(row: int) -> str | None:
    return '[{"name":"bash","parameters":{}}]' if row % 3 == 0 else None


def shards_of(recipe: Recipe, tokens: int | None) -> dict[str, pl.DataFrame]:
    """The rows of both splits in shard order."""
    found: dict[str, list[tuple[Any, ...]]] = {"train": [], "eval": []}
    for place, (source, fates) in enumerate(FATES.items()):
        for row, (fate, *_) in enumerate(fates):
            if fate in found:
                text, tools = conversation(100 * place + row), tools_of(row)
                group = recipe.sources[source].group
                found[fate].append((row_id(text, tools), source, group, decode(text), tools, 1, tokens))
    columns = {name: dtype for name, dtype in SHARD_COLUMNS.items() if name != "text"}
    return {
        split: pl.DataFrame(
            sorted(rows, key=lambda row: digest(SEED, row[0], row[5])), schema=columns, orient="row"
        )
        for split, rows in found.items()
    }


def write_parquet(path: Path, rows: pl.DataFrame) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(rows.to_arrow(compat_level=pl.CompatLevel.oldest()), path)


def tiny_dataset(
    folder: Path,
    *,
    sample: bool = False,
    metrics: Mapping[str, float] = RUN_METRICS,
    tokens: int | None = 50,
    **changes: Any,
) -> Path:
    """A finished dataset in `folder`; `changes` are keys of its recipe."""
    recipe = tiny_recipe(**changes)
    shards = shards_of(recipe, tokens)
    for split, rows in shards.items():
        half = -(-rows.height // 2)
        for part in range(0, rows.height, half):
            write_parquet(folder / split / f"part-{part // half:05}.parquet", rows[part : part + half])
    for number, lines in enumerate(ledger_of(recipe).partition_by("source")):
        write_parquet(folder / "ledger" / f"part-{number:05}.parquet", lines)
    write_parquet(folder / "samples.parquet", ledger_of(recipe).head(3))
    (folder / "recipe.json").write_bytes(canonical(recipe.as_dict()))
    (folder / "report.html").write_text("<!doctype html><title>tiny</title>\n")
    (folder / "README.md").write_text("# tiny\n")
    (folder / "croissant.json").write_text("{}\n")
    seal(folder, recipe, metrics, sample=sample)
    return folder


def seal(
    folder: Path, recipe: Recipe, metrics: Mapping[str, float] = RUN_METRICS, *, sample: bool = False
) -> tuple[Manifest, GatesFile]:
    """Gates and manifest over whatever the folder holds now, as a forger would make them too."""
    (folder / "gates.json").unlink(missing_ok=True)
    manifest = manifest_of(folder, recipe, sample)
    gates = write_gates(folder, measure(folder, recipe.gates, metrics, manifest=manifest, recipe=recipe))
    return write_manifest(folder, manifest_of(folder, recipe, sample)), gates


def manifest_of(folder: Path, recipe: Recipe, sample: bool = False) -> Manifest:
    parts = {
        split: [pl.read_parquet(path) for path in sorted((folder / split).glob("*.parquet"))]
        for split in ("train", "eval")
    }
    written = {split: pl.concat(frames) for split, frames in parts.items()}
    lines = [(s, *row) for s, rows in written.items() for row in rows.select("id", "repeat").iter_rows()]
    rows = {
        path.relative_to(folder).as_posix(): pl.read_parquet(path).height
        for path in folder.rglob("*.parquet")
    }
    sources = {name: source_counts(name, recipe) for name in FATES}
    totals = [(s.read, sum(s.dropped.values()), s.unselected, s.train, s.eval) for s in sources.values()]
    return Manifest(
        format=1,
        recipe=RecipeRef(name=recipe.name, version=recipe.version, sha256=recipe_digest(recipe)),
        root=root_digest(lines),
        rows=RowCounts(*map(sum, zip(*totals, strict=True))),
        written=Written(**{split: frame.height for split, frame in written.items()}),
        sources=sources,
        mixture=MixtureCounts(
            unit="rows",
            total=12,
            groups={
                group: GroupCounts(asked=share, got=6, available=7, quota=6, unique=6, max_repeat=1)
                for group, share in recipe.mixture.shares.items()
            },
        ),
        stages=[StageCounts(name="chat", entered=19, added=0, out=18, dropped={"no_answer": 1})],
        files=list_files(folder, rows),
        versions={"polars": pl.__version__, **counted_with(recipe)},
        sample=sample,
    )


def counted_with(recipe: Recipe) -> dict[str, str]:
    """What a manifest records of the template."""
    name = PurePath(recipe.template).name
    return {f"template:{name}": edition_of(recipe.template, recipe.train.thinking)}


def source_counts(name: str, recipe: Recipe) -> SourceCounts:
    fates = FATES[name]
    dropped = [reason for fate, _, reason in fates if fate == "dropped" and reason]
    return SourceCounts(
        group=recipe.sources[name].group,
        uri=recipe.sources[name].uri,
        revision=None,
        licence="CC0-1.0",
        files=[
            SourceFile(
                path=f"{name}.jsonl",
                bytes=999,
                sha256=hashlib.sha256(name.encode()).hexdigest(),
                rows=len(fates),
            )
        ],
        read=len(fates),
        dropped={reason: dropped.count(reason) for reason in sorted(set(dropped))},
        **{fate: sum(f == fate for f, *_ in fates) for fate in ("unselected", "train", "eval")},
    )


def judged(dataset: Path, *gates: dict, metrics: dict = RUN_METRICS, **changes) -> GatesFile:
    recipe = tiny_recipe(gates=list(gates), **changes)
    manifest = manifest_of(dataset, recipe)
    return measure(dataset, recipe.gates, metrics, manifest=manifest, recipe=recipe)


FILES = [
    *("train/part-00000.parquet", "train/part-00001.parquet", "eval/part-00000.parquet"),
    *("ledger/part-00000.parquet", "ledger/part-00001.parquet", "samples.parquet", "recipe.json"),
    *("manifest.json", "gates.json", "report.html", "README.md", "croissant.json"),
]


def forge(dataset: Path, change: pl.Expr) -> None:
    """Change a column of the first shard, then make gates and manifest anew over it."""
    path = dataset / FILES[0]
    write_parquet(path, pl.read_parquet(path).with_columns(change))
    seal(dataset, tiny_recipe())


def first_problem(result: VerifyResult) -> str:
    """What `aj verify` names first."""
    return str(result.problems[0])
