"""What `aj review` shows and keeps: rows by worth, source, fate and reason, and marks on them."""

import contextlib
from collections.abc import Mapping
from functools import cached_property
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
from reports.rows.queue import AT, meaning, queue
from reports.rows.search import search_samples, search_shard
from reports.rows.shown import Shown, shown
from reports.rows.why import Place, as_place, shard_row

ROWS_PER_PAGE = 20
BATCH = 50  # rows of the queue for one sitting
MOST_FOUND = 10_000  # rows of one shard that hold what is looked for
PLACE = pl.format("{}:{}:{}", *AT)


class Choice(NamedTuple):
    """Which rows to go through; an empty field leaves a choice open.

    marked: yes, no or open. row: an id, as written or as read, or source:file:row. order: worth takes the
    rows of the queue, and `why` those with one sign; random takes them by the digest of what was read; else
    they stand as they were read. words: what they hold, upper and lower case alike.
    """

    source: str = ""
    fate: str = ""
    stage: str = ""
    reason: str = ""
    marked: str = ""
    row: str = ""
    order: str = ""
    why: str = ""
    words: str = ""

    @property
    def rows_per_page(self) -> int:
        """A row of the queue stands alone, for its minute."""
        return 1 if self.order == "worth" else ROWS_PER_PAGE


class Looked(NamedTuple):
    """One row as it is shown, with what a mark needs and the mark that it has.

    survivor: what it repeats. signs: why it is in the queue. like: rows like it, or that answer otherwise.
    """

    row: Shown
    survivor: str | None
    input_id: str | None
    mark: Exclusion | None
    signs: list[str]
    like: list[str]


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
        self.seen_path = self.marks_path.with_suffix(".seen.txt")
        self.seen = set(self.seen_path.read_text().split()) if self.seen_path.is_file() else set()
        self.ledger = ledger_with_texts(dataset)
        self.places = written_places(dataset, self.manifest)

    @cached_property
    def queue(self) -> pl.DataFrame:
        """The ledger's lines of the queue in its order, with `why`; those whose text the dataset has."""
        rows = queue(self.dataset, self.recipe).join(self.ledger, on=AT, how="left", maintain_order="left")
        return rows.filter("has_text")

    @cached_property
    def signs(self) -> list[tuple[str, int]]:
        """Signs of the queue's rows and how many have them, most first."""
        counted = self.queue.select(sign=pl.col("why").explode()).group_by("sign").agg(rows=pl.len())
        found: list[tuple[str, int]] = counted.sort("rows", "sign", descending=[True, False]).rows()
        return found

    def reasons(self) -> list[tuple[str, str, str, str, int]]:
        """(source, fate, stage, reason, rows), source by source, most rows first."""
        counted = self.ledger.group_by("source", "fate", "stage", "reason").agg(rows=pl.len())
        order = {name: n for n, name in enumerate(self.manifest.sources)}
        named = counted.with_columns(pl.col("stage", "reason").fill_null(""))
        rows: list[tuple[str, str, str, str, int]] = named.rows()
        return sorted(rows, key=lambda r: (order[r[0]], -r[4], r[1:4]))

    def chosen(self, choice: Choice) -> pl.DataFrame:
        """The ledger's lines of a choice, in order; those whose text the dataset has come first."""
        lines = self.queue if choice.order == "worth" or choice.why else self.ledger
        if choice.row:
            wanted = (PLACE, pl.col("id"), pl.col("input_id"))
            lines = lines.filter(pl.any_horizontal(column == choice.row for column in wanted))
        for column in ("source", "fate", "stage", "reason"):
            if wanted_value := getattr(choice, column):
                lines = lines.filter(pl.col(column) == wanted_value)
        if choice.why:
            lines = lines.filter(pl.col("why").list.contains(choice.why))
        if choice.marked:
            has_mark = PLACE.is_in(sorted(self.marks))
            lines = lines.filter(has_mark if choice.marked == "yes" else ~has_mark)
        if choice.words.strip():
            ids, places = self.holding(choice.words.strip())
            lines = lines.filter(pl.col("id").is_in(ids) | PLACE.is_in(places))
        if choice.order == "random":
            lines = lines.sort("input_id", *AT, nulls_last=True)
        return lines.sort("has_text", descending=True, maintain_order=True)

    def holding(self, words: str) -> tuple[list[str], list[str]]:
        """The ids of written rows, and the places of sampled ones that went, that hold a text."""
        shards = [self.dataset / file.path for split in SPLITS for file in shard_files(self.manifest, split)]
        written = [hit.id for shard in shards for hit in search_shard(shard, words, MOST_FOUND) if hit.id]
        return written, [hit.name for hit in search_samples(self.dataset, words) if hit.name]

    def progress(self, lines: pl.DataFrame) -> tuple[int, int, int]:
        """How many of some rows were seen, of how many a sitting asks, and the place of the first unseen."""
        seen = lines["input_id"].is_in(sorted(self.seen)).fill_null(False)
        count = int(seen.sum())
        first = seen.arg_min() if count < lines.height else None
        return count, min(lines.height, BATCH * (count // BATCH + 1)), first or 0

    def see(self, lines: pl.DataFrame) -> None:
        """Note that rows were looked at; where nothing can be written, for this sitting alone."""
        new = [digest for digest in lines["input_id"].drop_nulls() if digest not in self.seen]
        self.seen.update(new)
        with contextlib.suppress(OSError), self.seen_path.open("a") as file:
            file.writelines(f"{digest}\n" for digest in new)

    def page(self, choice: Choice, number: int) -> tuple[list[Looked], pl.DataFrame, int]:
        """One page of a choice, from 0, all its lines, and the page: the last if beyond it."""
        lines = self.chosen(choice)
        size = choice.rows_per_page
        number = min(number, max(lines.height - 1, 0) // size)
        here = lines.slice(number * size, size)
        if choice.order == "worth":
            self.see(here)
        return [self.look(line) for line in here.iter_rows(named=True)], lines, number

    def look(self, line: Mapping[str, Any]) -> Looked:
        """One line of the ledger with its text, where the dataset has it."""
        detail: dict[str, Any] = orjson.loads(line["detail"]) if line["detail"] else {}
        notes = [*detail.pop("repairs", ()), *detail.pop("flags", ())]
        parts = [part[0] for part in detail.pop("parts", ()) if part[0]]
        masked = detail.pop("masked", [])
        detail.pop("cluster", None)
        others = [note["other"] for note in notes if "other" in note]
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
        survivor, mark = detail.get("duplicate_of"), self.marks.get(row.place)
        signs = [meaning(sign) for sign in line.get("why") or ()]
        return Looked(row, survivor, line["input_id"], mark, signs, [*others, *self.like(line)])

    def like(self, line: Mapping[str, Any]) -> list[str]:
        """The other rows of the sampled pairs of a row that are nearly like it."""
        pairs = samples(self.dataset).filter(pl.col("kind") == "near_pair")
        mine, other = ([pl.col(f"{side}{key}") for key in AT] for side in ("", "other_"))
        names = [pl.format("{}:{}:{}", *columns) for columns in (mine, other)]
        place = ":".join(str(line[key]) for key in AT)
        one, two = names
        found = pl.when(one == place).then(two).when(two == place).then(one).alias("like")
        return pairs.select(found).drop_nulls().unique().sort("like").collect()["like"].to_list()

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
