"""`aj why`: the whole life of a row, from the ledger, the shards and the samples of a dataset.

Nothing is read but what the question needs: single columns of the ledger and the shards, then one
row group for the text.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import orjson
import polars as pl
import pyarrow.parquet as pq

from curation.dataset.manifest import SPLITS, Manifest, read_manifest, read_recipe, shard_files
from curation.errors import CurationError
from curation.recipe.load import stage_plan
from curation.recipe.stages import TRAINABLE
from curation.row import encode, kept_keys
from reports.facts.dataset_tables import ledger, samples

MOST = 20  # lives or places in one answer
APART = ("repairs", "flags", "parts", "cluster", "masked")  # keys of a detail that have lines of their own
SHORTEST_ID = 8  # hex digits that an id may be cut down to


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """One written copy of a row or piece: which row of which shard, counted from 0."""

    id: str
    split: str
    file: str
    row: int
    repeat: int
    tokens: int | None


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """What one stage did: passed, repaired, flagged, split, dropped, or not reached."""

    stage: str
    verdict: str
    notes: list[dict[str, Any]] = []
    reason: str | None = None
    detail: dict[str, Any] = {}


class Cluster(msgspec.Struct, frozen=True, kw_only=True):
    """Rows that go whole to train or to eval: near duplicates, and rows with the same first question.

    name     the place of its first row
    fates    its rows by fate, of those that passed the stages
    members  its other rows as (source:file:row, fate), at most MOST
    """

    name: str
    fates: dict[str, int]
    members: list[tuple[str, str]]


class Life(msgspec.Struct, frozen=True, kw_only=True):
    """One input row from its file to its fate.

    file_sha256   digest of the source file, so that the row can be found there
    places        where it stands in the shards, copies and pieces included
    parts         (id, fate, reason) of its pieces
    survivor      what it was a duplicate of
    stands_for    rows that were dropped as duplicates of it, at most MOST, and how many in all
    cluster       the rows that it, or its survivor, belongs together with; null when it is alone
    messages      its text as JSON, from the shards or the samples; null when the dataset has none
    masked        (turn, reason) of those of its turns, in `messages`, that carry no loss
    """

    source: str
    file: str
    row: int
    file_sha256: str | None
    group: str
    input_id: str | None
    id: str | None
    fate: str
    steps: list[Step]
    places: list[Place]
    parts: list[list[str | None]]
    survivor: str | None
    similarity: float | None
    stands_for: list[str]
    stands_for_count: int
    cluster: Cluster | None
    messages: str | None
    tools: str | None
    masked: list[tuple[int, str]]


def why(dataset: Path, row: str) -> list[Life]:
    """The lives of the rows that `row` names: an id, the beginning of one, or source:file:row.

    Several rows answer to one id when it is that of the input, or of a row that repeats it.
    Raises CurationError when it names no row.
    """
    manifest = read_manifest(dataset)
    found = ledger_lines(dataset, manifest, row)
    if not found:
        raise CurationError(
            f"{row}: no row of {dataset}; expected an id such as sha256:1f3a…, source:file:row, or --text"
        )
    start = f"sha256:{row.removeprefix('sha256:').lower()}"
    return [life(dataset, manifest, line, start) for line in found[:MOST]]


def ledger_lines(dataset: Path, manifest: Manifest, row: str) -> list[dict[str, Any]]:
    """The ledger's lines that `row` names."""
    lines = ledger(dataset)
    place = as_place(row, manifest)
    if place is not None:
        source, file, number = place
        at = (pl.col("source") == source) & (pl.col("file") == file) & (pl.col("row") == number)
        return lines.filter(at).collect().to_dicts()
    digits = row.removeprefix("sha256:").lower()
    if len(digits) < SHORTEST_ID or set(digits) - set("0123456789abcdef"):
        return []
    start = f"sha256:{digits}"
    whole = pl.col("id").str.starts_with(start) | pl.col("input_id").str.starts_with(start)
    part = pl.col("detail").str.contains(f'["{start}', literal=True)
    return lines.filter(whole | part).head(MOST).collect().to_dicts()


def as_place(row: str, manifest: Manifest) -> tuple[str, str, int] | None:
    """`source:file:row` taken apart; None for anything else. A file's name may hold colons."""
    source, _, rest = row.partition(":")
    file, _, number = rest.rpartition(":")
    if source in manifest.sources and file and number.isascii() and number.isdigit():
        return source, file, int(number)
    return None


def life(dataset: Path, manifest: Manifest, line: Mapping[str, Any], start: str = "") -> Life:
    """One ledger line with all that belongs to it; the text is that of the piece whose id begins so."""
    detail: dict[str, Any] = orjson.loads(line["detail"]) if line["detail"] else {}
    name = f"{line['source']}:{line['file']}:{line['row']}"
    parts = detail.get("parts", [])
    ids = [line["id"], *(part[0] for part in parts)]
    places = places_of(dataset, manifest, {row_id for row_id in ids if row_id})
    followers, count = stands_for(dataset, [name, *filter(None, ids)])
    asked = [place for place in places if start and place.id.startswith(start)]
    messages, tools = content(dataset, line, asked or places)
    source = manifest.sources[line["source"]]
    digests = {file.path: file.sha256 for file in source.files}
    return Life(
        **{key: line[key] for key in ("source", "file", "row", "input_id", "id", "fate")},
        file_sha256=digests.get(line["file"]),
        group=source.group,
        steps=steps(dataset, manifest, line, detail),
        places=places,
        parts=parts,
        survivor=detail.get("duplicate_of"),
        similarity=detail.get("similarity"),
        stands_for=followers,
        stands_for_count=count,
        cluster=cluster_of(dataset, manifest, name, detail),
        messages=messages,
        tools=tools,
        masked=[
            (turn, reason)
            for turn, reason, *piece in detail.get("masked", ())
            if not piece or (places and parts[piece[0]][0] == (asked or places)[0].id)
        ],
    )


def steps(
    dataset: Path, manifest: Manifest, line: Mapping[str, Any], detail: Mapping[str, Any]
) -> list[Step]:
    """What every stage did with the row, in order, until its end."""
    names = ["read", "take", *(name for name, _, _ in stage_plan(read_recipe(dataset, manifest)))]
    # Of the last look only a row that failed it has anything to tell.
    names += [TRAINABLE] * (line["stage"] == TRAINABLE) + ["mixture"]
    notes = [*detail.get("repairs", ()), *detail.get("flags", ())]
    evidence = {k: v for k, v in detail.items() if k not in APART}
    gone = line["fate"] in ("dropped", "unselected")
    last = names.index(line["stage"]) if gone and line["stage"] in names else len(names)
    found = []
    for at, name in enumerate(names):
        here = [note for note in notes if note.get("stage") == name]
        if at < last and (name != "take" or here):
            found.append(Step(stage=name, verdict=verdict(here), notes=here))
        elif at == last:
            verdict_ = "dropped" if line["fate"] == "dropped" else "left out"
            found.append(
                Step(stage=name, verdict=verdict_, notes=here, reason=line["reason"], detail=evidence)
            )
        elif at > last and name != "take":
            found.append(Step(stage=name, verdict="not reached"))
    return found


def verdict(notes: list[dict[str, Any]]) -> str:
    """What a stage that let the row pass noted."""
    if any("split" in note for note in notes):
        return "split"
    if any("repair" in note for note in notes):
        return "repaired"
    return "flagged" if notes else "passed"


def places_of(dataset: Path, manifest: Manifest, ids: set[str]) -> list[Place]:
    """Every row of the shards with one of these ids."""
    if not ids:
        return []
    found = []
    for split in SPLITS:
        for file in shard_files(manifest, split):
            rows = (
                pl.scan_parquet(dataset / file.path, glob=False)
                .select("id", "repeat", "tokens")
                .with_row_index("row")
            )
            for line in rows.filter(pl.col("id").is_in(sorted(ids))).collect().to_dicts():
                found.append(Place(split=split, file=file.path, **line))
    return found


def stands_for(dataset: Path, names: list[str]) -> tuple[list[str], int]:
    """Rows whose ledger line names one of these as what they duplicate, and how many there are."""
    named = [
        pl.col("detail").str.contains(f'"duplicate_of":{orjson.dumps(n).decode()}', literal=True)
        for n in names
    ]
    rows = ledger(dataset).filter(pl.any_horizontal(named)).select("source", "file", "row").collect()
    return [f"{source}:{file}:{row}" for source, file, row in rows.head(MOST).iter_rows()], rows.height


def cluster_of(dataset: Path, manifest: Manifest, name: str, detail: Mapping[str, Any]) -> Cluster | None:
    """The cluster of a row, or of the row that it is a duplicate of."""
    cluster = detail.get("cluster")
    if cluster is None and "duplicate_of" in detail:
        survivors = ledger_lines(dataset, manifest, detail["duplicate_of"])
        found = (orjson.loads(line["detail"] or "{}").get("cluster") for line in survivors)
        cluster = next(filter(None, found), None)
    if cluster is None:
        return None
    named = pl.col("detail").str.contains(f'"cluster":{orjson.dumps(cluster).decode()}', literal=True)
    place = pl.format("{}:{}:{}", "source", "file", "row")
    rows = ledger(dataset).filter(named).select(place.alias("place"), "fate").collect()
    fates = dict(rows.group_by("fate").len().sort("fate", descending=True).iter_rows())
    others = rows.filter(pl.col("place") != name).head(MOST)
    return Cluster(name=cluster, fates=fates, members=list(others.iter_rows()))


def content(dataset: Path, line: Mapping[str, Any], places: list[Place]) -> tuple[str | None, str | None]:
    """messages and tools of a row as JSON: from its first place in the shards, else from the samples."""
    if places:
        return shard_row(dataset, places[0])
    at = (
        (pl.col("source") == line["source"])
        & (pl.col("file") == line["file"])
        & (pl.col("row") == line["row"])
    )
    kinds = pl.col("kind").is_in(["kept", "dropped"])
    found = samples(dataset).filter(at & kinds).select("messages", "tools").head(1)
    rows = found.collect().rows()
    return rows[0] if rows else (None, None)


def shard_row(dataset: Path, place: Place) -> tuple[str, str | None]:
    """messages and tools of one row of a shard; only its row group is read."""
    with pq.ParquetFile(dataset / place.file) as file:
        left = place.row
        for group in range(file.num_row_groups):
            rows = file.metadata.row_group(group).num_rows
            if left < rows:
                row = file.read_row_group(group, columns=["messages", "tools"]).slice(left, 1).to_pylist()[0]
                return encode([*map(kept_keys, row["messages"])]), row["tools"]
            left -= rows
    raise CurationError(f"{dataset / place.file}: has no row {place.row}; run `aj verify {dataset}`")


def as_values(found: Sequence[msgspec.Struct]) -> dict[str, Any]:
    """What was found, for a program."""
    return {"rows": msgspec.to_builtins(found)}
