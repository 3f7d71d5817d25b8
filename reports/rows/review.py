"""What `aj review` shows and keeps: rows of a dataset by source, fate and reason, and marks on them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import polars as pl

from curation.dataset.gates import read_gates
from curation.dataset.manifest import SPLITS, read_manifest, read_recipe, shard_files
from curation.errors import CurationError
from curation.files import write_bytes
from curation.stages.exclude.exclusions import Exclusion, read_exclusions, to_bytes
from reports.facts.dataset_tables import ledger, samples
from reports.rows.shown import Shown, shown
from reports.rows.why import Place, as_place, shard_row

ROWS_PER_PAGE = 20


class Choice(NamedTuple):
    """Which rows to go through; an empty field leaves a choice open.

    marked: yes, no or open. row: an id, as written or as read, or source:file:row.
    """

    source: str = ""
    fate: str = ""
    stage: str = ""
    reason: str = ""
    marked: str = ""
    row: str = ""


class Looked(NamedTuple):
    """One row as it is shown, with what a mark needs and the mark that it has. survivor: what it repeats."""

    row: Shown
    survivor: str | None
    input_id: str | None
    mark: Exclusion | None


class Review:
    """A finished dataset and the marks of those who go through it.

    marks  the exclusion file; it lies outside the dataset, which never changes. It is read again before
           every change, so that two sittings, or an editor, do not undo each other's marks
    """

    def __init__(self, dataset: Path, marks: Path | None = None) -> None:
        self.dataset = dataset
        self.manifest = read_manifest(dataset)
        self.gates = read_gates(dataset)
        self.recipe = read_recipe(dataset, self.manifest)
        self.marks_path = marks or default_marks(dataset)
        if self.marks_path.resolve().is_relative_to(dataset.resolve()):
            raise CurationError(f"{self.marks_path}: lies in the dataset, which must not change; use --marks")
        self.marks = read_marks(self.marks_path)
        self.ledger = ledger_with_texts(dataset)
        self.places = written_places(dataset, self.manifest)

    def reasons(self) -> list[tuple[str, str, str, str, int]]:
        """(source, fate, stage, reason, rows), source by source, most rows first."""
        counted = self.ledger.group_by("source", "fate", "stage", "reason").agg(rows=pl.len())
        order = {name: n for n, name in enumerate(self.manifest.sources)}
        named = counted.with_columns(pl.col("stage", "reason").fill_null(""))
        rows: list[tuple[str, str, str, str, int]] = named.rows()
        return sorted(rows, key=lambda r: (order[r[0]], -r[4], r[1:4]))

    def chosen(self, choice: Choice) -> pl.DataFrame:
        """The ledger's lines of a choice, in order; those whose text the dataset has come first."""
        lines = self.ledger
        if choice.row:
            place = pl.format("{}:{}:{}", "source", "file", "row") == choice.row
            lines = lines.filter(place | (pl.col("id") == choice.row) | (pl.col("input_id") == choice.row))
        for column in ("source", "fate", "stage", "reason"):
            if wanted := getattr(choice, column):
                lines = lines.filter(pl.col(column) == wanted)
        if choice.marked:
            has_mark = pl.format("{}:{}:{}", "source", "file", "row").is_in(sorted(self.marks))
            lines = lines.filter(has_mark if choice.marked == "yes" else ~has_mark)
        return lines.sort("has_text", descending=True, maintain_order=True)

    def page(self, choice: Choice, number: int) -> tuple[list[Looked], int, int]:
        """One page of a choice, from 0, how many rows the choice has, and the page: the last if beyond it."""
        lines = self.chosen(choice)
        number = min(number, max(lines.height - 1, 0) // ROWS_PER_PAGE)
        here = lines.slice(number * ROWS_PER_PAGE, ROWS_PER_PAGE)
        return [self.look(line) for line in here.iter_rows(named=True)], lines.height, number

    def look(self, line: Mapping[str, Any]) -> Looked:
        """One line of the ledger with its text, where the dataset has it."""
        detail: dict[str, Any] = orjson.loads(line["detail"]) if line["detail"] else {}
        notes = [*detail.pop("repairs", ()), *detail.pop("flags", ())]
        parts = [part[0] for part in detail.pop("parts", ()) if part[0]]
        masked = detail.pop("masked", [])
        # Those of a split row stand in pieces, of which this shows one.
        notes += [{"no_loss": masked}] if masked and not parts else []
        messages, tools = self.content(line, [line["id"], *parts])
        sample = {
            **line,
            "group": self.manifest.sources[line["source"]].group,
            "piece": 1 if parts else 0,
            "detail": orjson.dumps(detail).decode() if detail else None,
            "notes": "\n".join(orjson.dumps(note).decode() for note in notes) or None,
            "messages": messages,
            "tools": tools,
        }
        row = shown(sample)
        return Looked(row, detail.get("duplicate_of"), line["input_id"], self.marks.get(row.place))

    def content(self, line: Mapping[str, Any], ids: list[str | None]) -> tuple[str | None, str | None]:
        """messages and tools of a row, or of the first piece that was written."""
        for row_id in ids:
            if row_id in self.places:
                return shard_row(self.dataset, self.places[row_id])
        at = [pl.col(key) == line[key] for key in ("source", "file", "row")]
        kinds = pl.col("kind").is_in(["kept", "dropped"])
        found = samples(self.dataset).filter(kinds, *at).select("messages", "tools").head(1).collect().rows()
        return found[0] if found else (None, None)

    def line(self, place: str) -> Mapping[str, Any]:
        """The ledger's line of source:file:row. Raises CurationError when there is none."""
        at = as_place(place, self.manifest)
        if at is not None:
            named = zip(("source", "file", "row"), at, strict=True)
            lines = self.ledger.filter([pl.col(column) == value for column, value in named])
            if lines.height:
                return lines.row(0, named=True)
        raise CurationError(f"{place}: no row of this dataset")

    def mark(self, place: str, note: str, by: str) -> None:
        """Mark a row to leave out. Raises CurationError for one that no digest can name."""
        line = self.line(place)
        if line["input_id"] is None:
            raise CurationError(f"{place}: was not readable, so that it is left out already")
        self.marks = read_marks(self.marks_path)
        self.marks[place] = Exclusion(
            id=line["id"], input_id=line["input_id"], note=note.strip(), row=place, by=by.strip() or None
        )
        self.save()

    def unmark(self, place: str) -> None:
        """Take a mark back."""
        self.marks = read_marks(self.marks_path)
        self.marks.pop(place, None)
        self.save()

    def save(self) -> None:
        """Write the exclusion file, whole, in the order of the rows' names."""
        write_bytes(self.marks_path, to_bytes(mark for _, mark in sorted(self.marks.items())))


def ledger_with_texts(dataset: Path) -> pl.DataFrame:
    """The ledger in order, with `has_text`: whether the row is in the shards or among the samples."""
    at = ["source", "file", "row"]
    sampled = samples(dataset).filter(pl.col("kind") != "near_pair").select(at).unique()
    lines = ledger(dataset).join(
        sampled.with_columns(sampled=pl.lit(True)), on=at, how="left", maintain_order="left"
    )
    written = pl.col("fate").is_in(["train", "eval"])
    return lines.with_columns(has_text=written | pl.col("sampled").fill_null(False)).drop("sampled").collect()


def default_marks(dataset: Path) -> Path:
    """Beside the dataset: `<dataset>.exclude.jsonl`."""
    whole = dataset.resolve()
    return whole.with_name(f"{whole.name}.exclude.jsonl")


def read_marks(path: Path) -> dict[str, Exclusion]:
    """The marks of an earlier sitting, by row. Those without a row keep their place under their digest."""
    marks = read_exclusions(path) if path.is_file() else []
    return {mark.row or mark.ids[0]: mark for mark in marks}


def written_places(dataset: Path, manifest: Any) -> dict[str | None, Place]:
    """Where the first copy of every written row lies."""
    places: dict[str | None, Place] = {}
    for split in SPLITS:
        for file in shard_files(manifest, split):
            rows = pl.scan_parquet(dataset / file.path, glob=False).select("id").collect()
            for number, (row_id,) in enumerate(rows.iter_rows()):
                if row_id not in places:
                    places[row_id] = Place(
                        id=row_id, split=split, file=file.path, row=number, repeat=1, tokens=None
                    )
    return places
