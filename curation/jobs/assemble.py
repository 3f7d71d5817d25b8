"""The dataset directory, put together beside its place and renamed: whole or not there at all."""

import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from curation.dataset.gates import GatesFile, measure, write_gates
from curation.dataset.manifest import (
    APPROVALS,
    MANIFEST,
    GroupCounts,
    ListedFile,
    Manifest,
    MixtureCounts,
    RecipeRef,
    RowCounts,
    SourceCounts,
    SourceFile,
    SourceKeys,
    StageCounts,
    Written,
    write_manifest,
)
from curation.dataset.questions import evaluation_files
from curation.engine.pipeline import Outputs
from curation.engine.plan import Plan
from curation.engine.work import Done
from curation.errors import CurationError
from curation.files import canonical, file_digest, sync
from curation.readers.keys.counts import told_keys
from curation.release.baseline import BASELINE, baseline_bytes
from curation.versions import versions

# Makes report.html, README.md and croissant.json of a dataset directory.
Documents = Callable[[Path, Manifest, GatesFile], Mapping[str, bytes]]


def assemble(
    plan: Plan, outputs: Outputs, dataset: Path, documents: Documents, *, sample: bool
) -> tuple[Manifest, GatesFile]:
    """Copy the parts, measure the gates, write report and manifest, and put the folder in place."""
    beside = outputs.work / "dataset"
    shutil.rmtree(beside, ignore_errors=True)
    try:
        beside.mkdir(parents=True)
        listed = copy_parts(outputs, beside)
        listed.append(put(beside, "recipe.json", canonical(plan.recipe.as_dict())))
        for name, path in evaluation_files(plan.recipe, plan.context.data_root).items():
            (beside / name).parent.mkdir(exist_ok=True)
            listed.append(put(beside, name, path.read_bytes()))
        if (earlier := baseline_bytes(plan.recipe)) is not None:
            listed.append(put(beside, BASELINE, earlier))
        manifest = describe(plan, outputs, listed, sample)
        check_conservation(manifest)
        measured = measure(beside, plan.recipe.gates, outputs.metrics, manifest=manifest, recipe=plan.recipe)
        gates = write_gates(beside, measured)
        listed.append(list_file(beside, "gates.json"))
        for name, data in sorted(documents(beside, manifest, gates).items()):
            listed.append(put(beside, name, data))
        listed.sort(key=lambda file: file.path)
        manifest = write_manifest(beside, describe(plan, outputs, listed, sample))
        keep_approval(dataset, beside)
        replace_folder(beside, dataset, outputs.work / "replaced")
    except OSError as error:
        # Of a copy, the second name is what could not be written.
        place = error.filename2 or error.filename or dataset
        raise CurationError(f"{place}: cannot write: {error.strerror or error}") from error
    return manifest, gates


def copy_parts(outputs: Outputs, beside: Path) -> list[ListedFile]:
    """Shards, ledger and samples, under the names of the dataset."""
    listed = []
    for split, parts in outputs.parts.items():
        for number, part in enumerate(parts):
            name = f"{split}/part-{number:05}.parquet"
            listed.append(copy(outputs, part, "part.parquet", beside, name))
    for number, ledger in enumerate(outputs.ledgers.values()):
        name = f"ledger/part-{number:05}.parquet"
        listed.append(copy(outputs, ledger, "ledger.parquet", beside, name))
    listed.append(copy(outputs, outputs.samples, "samples.parquet", beside, "samples.parquet"))
    return listed


def copy(outputs: Outputs, done: Done, file: str, beside: Path, name: str) -> ListedFile:
    """Copy one output of a task. No link: an edit of the dataset must not reach the work files."""
    target = beside / name
    target.parent.mkdir(exist_ok=True)
    shutil.copyfile(outputs.folder(done.key) / file, target)
    sync(target)
    return list_file(beside, name, int(done.summary["rows"]))


def list_file(beside: Path, name: str, rows: int | None = None) -> ListedFile:
    """A file of the dataset as the manifest lists it."""
    path = beside / name
    return ListedFile(path=name, rows=rows, bytes=path.stat().st_size, sha256=file_digest(path))


def put(beside: Path, name: str, data: bytes) -> ListedFile:
    """Write one whole file and list it."""
    (beside / name).write_bytes(data)
    sync(beside / name)
    return list_file(beside, name)


def describe(plan: Plan, outputs: Outputs, files: Iterable[ListedFile], sample: bool) -> Manifest:
    """The manifest of a run."""
    sources = {name: describe_source(plan, outputs, name) for name in plan.sources}
    mixture = outputs.choice.summary["mixture"]
    written = outputs.choice.summary["written"]
    return Manifest(
        format=1,
        recipe=RecipeRef(name=plan.recipe.name, version=plan.recipe.version, sha256=plan.recipe_sha256),
        root=outputs.choice.summary["root"],
        rows=RowCounts(
            read=sum(s.read for s in sources.values()),
            dropped=sum(sum(s.dropped.values()) for s in sources.values()),
            unselected=sum(s.unselected for s in sources.values()),
            train=sum(s.train for s in sources.values()),
            eval=sum(s.eval for s in sources.values()),
        ),
        written=Written(train=written.get("train", 0), eval=written.get("eval", 0)),
        sources=sources,
        mixture=MixtureCounts(
            unit=mixture["unit"],
            total=mixture["total"],
            groups={name: GroupCounts(**mixture["groups"][name]) for name in plan.recipe.groups},
        ),
        stages=describe_stages(outputs),
        files=list(files),
        versions={**versions(), **plan.input_digests()},
        sample=sample,
    )


def describe_stages(outputs: Outputs) -> list[StageCounts]:
    """Every stage of the recipe, in its order."""
    return [
        StageCounts(
            name=name,
            entered=counts["in"],
            added=counts["added"],
            out=counts["out"],
            dropped=dict(sorted(counts["dropped"].items())),
        )
        for name, counts in outputs.stages.items()
    ]


def describe_source(plan: Plan, outputs: Outputs, name: str) -> SourceCounts:
    """One source: its files, and the fates of its input rows from the ledger."""
    source = plan.sources[name]
    ledger: Mapping[str, Any] = outputs.ledgers[name].summary
    rows: Counter[str] = Counter()
    for chunk in (chunk for chunk in outputs.chunks if chunk.planned.source == name):
        for piece, count in zip(chunk.planned.pieces, chunk.rows, strict=True):
            rows[piece.file.name] += count
    fates = ledger["fates"]
    return SourceCounts(
        group=source.group,
        uri=source.uri,
        revision=source.revision,
        licence=source.licence,
        files=[
            SourceFile(path=f.name, bytes=f.bytes, sha256=f.sha256, rows=rows[f.name])
            for f in plan.files
            if f.source == name
        ]
        + [
            SourceFile(path=beside, bytes=path.stat().st_size, sha256=sha256, rows=0)
            for beside, path, sha256 in plan.companion_files(name)
        ],
        read=ledger["rows"],
        dropped=dict(sorted(ledger["reasons"].items())),
        unselected=fates.get("unselected", 0),
        train=fates.get("train", 0),
        eval=fates.get("eval", 0),
        keys=SourceKeys(**told_keys(outputs.keys_of(name))),
    )


def check_conservation(manifest: Manifest) -> None:
    """read = dropped + unselected + train + eval, for every source; anything else is our bug."""
    for name, source in manifest.sources.items():
        fates = sum(source.dropped.values()) + source.unselected + source.train + source.eval
        files = sum(file.rows for file in source.files)
        assert source.read == fates == files, f"{name}: read {source.read}, fates {fates}, files {files}"


def keep_approval(standing: Path, beside: Path) -> None:
    """Take over what approves the dataset that stands there, where it is made again to the byte."""
    old, new = standing / MANIFEST, beside / MANIFEST
    if old.is_file() and old.read_bytes() == new.read_bytes():
        for name in (name for approval in APPROVALS for name in (approval, f"{approval}.sig")):
            if (standing / name).is_file():
                shutil.copyfile(standing / name, beside / name)
                sync(beside / name)


def replace_folder(beside: Path, target: Path, aside: Path) -> None:
    """Put a finished folder in its place; an earlier one is moved aside first, then removed."""
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(aside, ignore_errors=True)
    if target.exists():
        target.rename(aside)
    beside.rename(target)
    sync(target.parent)
    shutil.rmtree(aside, ignore_errors=True)
