"""What a dataset directory holds for people: the report, the card, the metadata."""

import hashlib
from pathlib import Path

from curation.dataset.gates import GatesFile, read_gates
from curation.dataset.manifest import Manifest, difference, read_manifest, read_recipe
from curation.errors import CurationError, Refusal
from curation.files import write_bytes
from curation.recipe.kinds import named
from curation.recipe.load import stage_plan
from curation.stages.language.models import UNDETERMINED
from reports.pages.croissant import croissant
from reports.pages.dataset_card import card
from reports.pages.report import report

REPORT = "report.html"


def documents(dataset: Path, manifest: Manifest, gates: GatesFile) -> dict[str, bytes]:
    """The bytes of report.html, README.md and croissant.json.

    They come from the other files of the dataset alone, so that they are the same before the
    manifest lists them and after.
    """
    return {
        REPORT: report(dataset, manifest, gates),
        "README.md": card(manifest, gates, languages(dataset, manifest)),
        "croissant.json": croissant(manifest),
    }


def languages(dataset: Path, manifest: Manifest) -> list[str]:
    """The languages that the recipe keeps, if it says."""
    kept = [
        set(one.value)
        for _, _, settings in stage_plan(read_recipe(dataset, manifest))
        for one in named(settings)
        if one.kind == "languages"
    ]
    return sorted(set.intersection(*kept) - {UNDETERMINED}) if kept else []


def remake_report(dataset: Path, *, out: Path | None = None, force: bool = False) -> tuple[Path, bool]:
    """Make the report of a finished dataset again: where it is, and whether anything was written.

    Without `out` the bytes must be those that the manifest lists, and a lost or damaged report is
    put back. Raises Refusal when the dataset was changed, or when this version of aj would write
    another report than the one whose digest the manifest, and so an approval, holds.
    """
    manifest, gates = read_manifest(dataset), read_gates(dataset)
    check_inputs(dataset, manifest)
    data = report(dataset, manifest, gates)
    if out is not None:
        if out.exists() and not force:
            raise CurationError(f"{out} exists; use --force to replace it")
        if out.resolve() == (dataset / REPORT).resolve():
            raise CurationError(f"{out}: is the dataset's own report; leave --out away to make it again")
        write_bytes(out, data)
        return out, True
    listed = next((file for file in manifest.files if file.path == REPORT), None)
    if listed is None or hashlib.sha256(data).hexdigest() != listed.sha256:
        raise Refusal(
            f"{dataset / REPORT}: this version of aj makes another report than the one that the manifest "
            "lists; nothing was written; use --out FILE to write it elsewhere"
        )
    damaged = difference(dataset, listed) is not None
    if damaged:
        (dataset / REPORT).unlink(missing_ok=True)
        write_bytes(dataset / REPORT, data)
    return dataset / REPORT, damaged


def check_inputs(dataset: Path, manifest: Manifest) -> None:
    """Refuse to report on files that are not those of the manifest."""
    for file in manifest.files:
        if file.path not in (REPORT, "README.md", "croissant.json"):
            what = difference(dataset, file)
            if what:
                raise Refusal(f"{dataset / file.path}: {what}; `aj verify {dataset}` lists everything")
