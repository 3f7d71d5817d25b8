"""A plan run as tasks: read, stages, choice, shards, ledger, samples. Nothing here touches a row."""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice, zip_longest
from pathlib import Path
from typing import Any

import msgspec
import polars as pl

from curation.arrow import read_frame
from curation.dataset.shards import ROWS_PER_PART
from curation.engine.executor import Executor
from curation.engine.plan import Piece, Plan, PlannedChunk, PlannedStage
from curation.engine.work import Done
from curation.progress import Progress
from curation.recipe.metrics import measured_by_run
from curation.recipe.stages import TRAINABLE
from curation.row import digest
from curation.stages.seam import Keyed, stage_kind
from curation.task import Task

LEAST_STRETCHES = 8  # of a source's files, for a preview
PARTITIONS = 4  # of a keyed stage: part of the plan, so that workers cannot change the result
# Written beside the shards; only rows of shards count as rows per second of writing.
UNCOUNTED = frozenset({"curation.dataset.ledger:write_ledger", "curation.dataset.samples:write_samples"})


@dataclass
class ChunkState:
    """What has been done with one chunk: the keys of its row tasks, and how many rows each piece had."""

    planned: PlannedChunk
    rows: Sequence[int] = ()
    keys: list[str] = field(default_factory=list)
    kept: int = 0
    index: str = ""


@dataclass
class Outputs:
    """Where the finished parts of a dataset lie in the work folder, and what was counted."""

    work: Path
    chunks: list[ChunkState]
    stages: dict[str, dict[str, Any]]
    metrics: dict[str, float]
    choice: Done
    parts: dict[str, list[Done]]
    ledgers: dict[str, Done]
    samples: Done

    def folder(self, key: str) -> Path:
        """The output folder of a task."""
        return self.work / "tasks" / key

    def keys_of(self, source: str) -> list[pl.DataFrame]:
        """What was counted of the keys of a source, by chunk."""
        return [
            read_frame(self.folder(chunk.keys[0]) / "keys.arrow")
            for chunk in self.chunks
            if chunk.planned.source == source
        ]


class Pipeline:
    """Runs the tasks of a plan in their order. `preview` reads about that many rows in all."""

    def __init__(self, plan: Plan, executor: Executor, *, preview: int | None = None) -> None:
        self.plan, self.executor, self.preview = plan, executor, preview
        chunks = plan.chunks if preview is None else glimpses(plan, preview)
        self.chunks = [ChunkState(chunk) for chunk in chunks]
        self.stages: dict[str, dict[str, Any]] = {
            s.name: {"in": 0, "added": 0, "out": 0, "dropped": {}} for s in plan.stages
        }
        self.metrics: Counter[str] = Counter()
        self.cpu_s: dict[str, float] = defaultdict(float)
        self.exclude: list[str] = []
        self.over_all: list[dict[str, Any]] = []
        self.paths = {"context": plan.context_json}

    def run(self) -> Outputs:
        """Every task of the plan. Raises Infeasibility before a shard is written."""
        self.read()
        for phase in self.plan.phases[1:]:
            if phase[0].is_rows:
                self.stage_rows(phase)
            else:
                self.stage_over_all(phase[0])
        self.index()
        choice = self.choose()
        parts, ledgers, samples = self.write(choice)
        metrics = {**self.gate_metrics(), **choice.summary["metrics"]}
        return Outputs(self.executor.work, self.chunks, self.stages, metrics, choice, parts, ledgers, samples)

    def progress(self, label: str, tasks: Sequence[Task]) -> tuple[Progress, Callable[[Done, Task], None]]:
        """A progress line for some tasks, and what ticks it."""
        line = Progress(label, sum(t.size for t in tasks) or len(tasks))

        def tick(done: Done, task: Task) -> None:
            rows = 0 if task.run in UNCOUNTED else int(done.summary.get("rows", 0))
            line.add(task.size if line.total > len(tasks) else 1, rows)

        return line, tick

    def run_tasks(self, label: str, tasks: Sequence[Task], steps: Sequence[str] = ()) -> list[Done]:
        """Run tasks under a progress line; `steps` are what their times are counted as, if not `label`."""
        line, tick = self.progress(label, tasks)
        with line:
            finished = self.executor.run(tasks, tick)
        for step, done in zip(steps or [label] * len(finished), finished, strict=True):
            inside = done.summary.get("stage_cpu_s", {})
            for name, seconds in inside.items():
                self.cpu_s[name] += seconds
            self.cpu_s[step] += done.summary["cpu_s"] - sum(inside.values())
        return finished

    def chunk_params(self, chunk: PlannedChunk) -> dict[str, Any]:
        """What decides how a chunk is read. A file is known by its digest, not by where it lies."""
        reading = {
            key: value
            for key, value in msgspec.to_builtins(self.plan.sources[chunk.source]).items()
            if key not in {"uri", "files", "revision", "group", "take", "weight", "licence", "sha256"}
        }
        pieces = [
            {
                "file": file.name,
                "sha256": file.sha256,
                "companions": dict(self.plan.companions[file.path]),
                "start": stretch.start,
                "end": stretch.end,
                "limit": limit,
            }
            for file, stretch, limit in chunk.pieces
        ]
        return {
            "pieces": pieces,
            "name": chunk.source,
            "ordinal": chunk.ordinal,
            "source": {**reading, "uri": "", "group": ""},
        }

    def chunk_paths(self, chunk: PlannedChunk) -> dict[str, str]:
        """Where the files of a chunk lie, beside the paths of every task."""
        return {**self.paths, **{f"file:{p.file.name}": str(p.file.path) for p in chunk.pieces}}

    def read(self) -> None:
        """Read every chunk and run the first row stages on it."""
        cutoffs = self.cutoffs()
        first = self.plan.phases[0]
        tasks = []
        for state in self.chunks:
            chunk = state.planned
            params = {
                **self.chunk_params(chunk),
                "seed": self.plan.recipe.seed,
                "cutoff": cutoffs.get(chunk.source),
                "stages": [self.plan.stage_params(s) for s in first],
            }
            paths = self.chunk_paths(chunk)
            tasks.append(Task("curation.engine.tasks:read_rows", params, paths, chunk.size))
        for state, done in zip(self.chunks, self.run_tasks("reading", tasks), strict=True):
            state.rows = done.summary["pieces"]
            self.take_rows(state, done)

    def cutoffs(self) -> dict[str, list[Any]]:
        """For every source with `take`: the rank and position of the last record that it takes."""
        if self.preview is not None:
            return {}
        sources = {n: s.take for n, s in self.plan.sources.items() if s.take is not None}
        states = [s for s in self.chunks if s.planned.source in sources]
        tasks = [
            Task(
                "curation.engine.tasks:rank_rows",
                {**self.chunk_params(s.planned), "seed": self.plan.recipe.seed},
                self.chunk_paths(s.planned),
                s.planned.size,
            )
            for s in states
        ]
        ranks: dict[str, list[pl.DataFrame]] = defaultdict(list)
        for state, done in zip(states, self.run_tasks("ranking", tasks), strict=True):
            ordinal = state.planned.ordinal
            frame = read_frame(done.folder / "ranks.arrow").select(
                "rank", pos=pl.col("row").cast(pl.UInt64) + (ordinal << 32)
            )
            ranks[state.planned.source].append(frame)
        found = {}
        for name, frames in ranks.items():
            take = sources[name]
            lowest = pl.concat(frames).sort("rank", "pos").head(take)
            if take and lowest.height == take:
                found[name] = list(lowest.row(-1))
        return found

    def take_rows(self, state: ChunkState, done: Done) -> None:
        """Count what a task over rows did, and remember where its rows are."""
        state.keys.append(done.key)
        state.kept = done.summary["kept"]
        self.metrics.update(done.summary["metrics"])
        self.count_stages(done)

    def count_stages(self, done: Done) -> None:
        """Add what a task's stages did."""
        for name, counts in done.summary["stages"].items():
            totals = self.stages.setdefault(name, {"in": 0, "added": 0, "out": 0, "dropped": {}})
            for key in ("in", "added", "out"):
                totals[key] += counts[key]
            for reason, count in counts["dropped"].items():
                totals["dropped"][reason] = totals["dropped"].get(reason, 0) + count

    def stage_rows(self, phase: Sequence[PlannedStage]) -> None:
        """Run row stages that come after a stage over all rows."""
        stages = [self.plan.stage_params(s) for s in phase]
        tasks = [
            Task(
                "curation.engine.tasks:stage_rows",
                {**self.input_of(s), "stages": stages},
                self.paths,
                s.planned.size,
            )
            for s in self.chunks
        ]
        for state, done in zip(self.chunks, self.run_tasks(phase[0].name, tasks), strict=True):
            self.take_rows(state, done)

    def input_of(self, state: ChunkState) -> dict[str, Any]:
        """What a task over an earlier task's rows reads."""
        return {"rows": state.keys[-1], "ordinal": state.planned.ordinal, "exclude": self.exclude}

    def stage_over_all(self, stage: PlannedStage) -> None:
        """Run a stage that needs all rows: prepare by chunk, then by key or at once."""
        params = self.plan.stage_params(stage)
        prepare = [
            Task(
                "curation.engine.tasks:prepare",
                {**self.input_of(s), "stage": params},
                self.paths,
                s.planned.size,
            )
            for s in self.chunks
        ]
        prepared = self.run_tasks(stage.name, prepare)
        entered = sum(done.summary["rows"] for done in prepared)
        base = {"stage": params, "prepared": [done.key for done in prepared]}
        if isinstance(stage_kind(stage.stage), Keyed):
            parts = [{**base, "part": part, "parts": PARTITIONS} for part in range(PARTITIONS)]
            tasks = [Task("curation.engine.tasks:keyed", part, self.paths, 1) for part in parts]
        else:
            tasks = [Task("curation.engine.tasks:reduce", base, self.paths, 1)]
        done = self.run_tasks(stage.name, tasks)
        dropped: Counter[str] = Counter()
        for outcome in done:
            dropped.update(outcome.summary["dropped"])
            self.metrics.update(outcome.summary["metrics"])
        self.stages[stage.name].update(
            {"in": entered, "out": entered - dropped.total(), "dropped": dict(sorted(dropped.items()))}
        )
        keys = [outcome.key for outcome in done]
        self.exclude = [*self.exclude, *keys]
        if masked := {ordinal for outcome in done for ordinal in outcome.summary["masked"]}:
            self.mask_rows(keys, masked)
        threshold = getattr(stage.settings, "similarity", 1.0)
        self.over_all.append({"name": stage.name, "threshold": threshold, "keys": keys})

    def mask_rows(self, keys: Sequence[str], ordinals: Collection[int]) -> None:
        """Take the loss from the turns that a stage over all rows named, in the chunks that hold any."""
        states = [state for state in self.chunks if state.planned.ordinal in ordinals]
        tasks = [
            Task(
                "curation.engine.tasks:mask_rows",
                {"rows": s.keys[-1], "ordinal": s.planned.ordinal, "masks": list(keys)},
                self.paths,
                s.planned.size,
            )
            for s in states
        ]
        for state, done in zip(states, self.run_tasks("masking", tasks), strict=True):
            state.keys.append(done.key)

    def index(self) -> None:
        """The few columns by which rows are chosen."""
        tasks = [
            Task(
                "curation.engine.tasks:index_rows",
                {
                    **self.input_of(s),
                    "seed": self.plan.recipe.seed,
                    "count_tokens": self.plan.recipe.mixture.unit == "tokens",
                    "context": self.plan.context_digest,
                },
                self.paths,
                s.planned.size,
            )
            for s in self.chunks
        ]
        for state, done in zip(self.chunks, self.run_tasks("indexing", tasks), strict=True):
            state.index = done.key
            self.count_stages(done)
        if not self.stages.get(TRAINABLE, {}).get("dropped"):
            self.stages.pop(TRAINABLE, None)

    def chunk_table(self) -> list[dict[str, Any]]:
        """Every chunk as later tasks need it (see `curation.places`)."""
        first: Counter[tuple[str, str]] = Counter()
        table = []
        for state in self.chunks:
            source, files = state.planned.source, []
            for piece, rows in zip(state.planned.pieces, state.rows, strict=True):
                name = piece.file.name
                files.append([name, first[source, name], rows])
                first[source, name] += rows
            table.append(
                {
                    "ordinal": state.planned.ordinal,
                    "source": source,
                    "files": files,
                    "rows": state.keys,
                    "index": state.index,
                }
            )
        return table

    def choose(self) -> Done:
        """Decide every row's fate."""
        recipe = self.plan.recipe
        params = {
            **self.choosing(),
            "sources": {n: {"group": s.group, "weight": s.weight} for n, s in recipe.sources.items()},
            "mixture": msgspec.to_builtins(recipe.mixture),
            "eval_share": recipe.split.eval,
            "eval_at_least": recipe.split.at_least,
            "seed": recipe.seed,
            "preview": self.preview is not None,
        }
        return self.run_tasks("choosing", [Task("curation.mixture.choice:choose", params)])[0]

    def choosing(self) -> dict[str, Any]:
        """What any decision over all rows reads."""
        return {"chunks": self.chunk_table(), "groups": self.groups(), "over_all": self.over_all}

    def undecided(self) -> list[Done]:
        """The ledger of every source for a mixture that cannot be had, in the plan's order of sources."""
        task = Task("curation.mixture.choice:undecided", self.choosing())
        fates = self.run_tasks("choosing", [task])[0]
        return self.run_tasks("ledger", self.ledger_tasks(fates))

    def groups(self) -> dict[str, str]:
        """The group of every source."""
        return {name: source.group for name, source in self.plan.sources.items()}

    def write(self, choice: Done) -> tuple[dict[str, list[Done]], dict[str, Done], Done]:
        """The parts of both splits, the ledger of every source that has a file, and the samples.

        None of them needs another, so that no worker waits for the last of a kind.
        """
        tasks = {"writing": self.part_tasks(choice), "ledger": self.ledger_tasks(choice)}
        tasks["samples"] = [self.samples_task(choice)]
        steps = [step for step, own in tasks.items() for _ in own]
        finished = self.run_tasks("writing", [task for own in tasks.values() for task in own], steps)
        parts: dict[str, list[Done]] = {"train": [], "eval": []}
        for task, done in zip(tasks["writing"], finished, strict=False):
            parts[task.params["split"]].append(done)
            self.metrics.update(done.summary["metrics"])
        ledgers = {
            task.params["source"]: done
            for task, done in zip(tasks["ledger"], finished[len(tasks["writing"]) : -1], strict=True)
        }
        return parts, ledgers, finished[-1]

    def part_tasks(self, choice: Done) -> list[Task]:
        """One for every part of both splits."""
        rows = [[s.planned.ordinal, s.keys[-1]] for s in self.chunks if s.kept]
        return [
            Task(
                "curation.dataset.shards:write_part",
                {
                    "written": choice.key,
                    "split": split,
                    "start": start,
                    "rows": rows,
                    "count_tokens": self.plan.context.tokenizer is not None,
                    "context": self.plan.context_digest,
                },
                self.paths,
                min(ROWS_PER_PART, choice.summary["written"].get(split, 0) - start),
            )
            for split in ("train", "eval")
            for start in range(0, choice.summary["written"].get(split, 0), ROWS_PER_PART)
        ]

    def ledger_tasks(self, choice: Done) -> list[Task]:
        """One for every source that has a file."""
        by_source: dict[str, list[dict[str, Any]]] = {name: [] for name in self.plan.sources}
        for chunk in self.chunk_table():
            by_source[chunk["source"]].append(chunk)
        rows = {c.planned.ordinal: sum(c.rows) for c in self.chunks}
        return [
            Task(
                "curation.dataset.ledger:write_ledger",
                {"source": name, "chunks": chunks, "fates": choice.key},
                {},
                sum(rows[c["ordinal"]] for c in chunks),
            )
            for name, chunks in by_source.items()
        ]

    def samples_task(self, choice: Done) -> Task:
        """The rows that the report shows."""
        params = {
            "chunks": self.chunk_table(),
            "groups": self.groups(),
            "over_all": self.over_all,
            "fates": choice.key,
            "seed": self.plan.recipe.seed,
        }
        # As long as a part takes, so that it is not the last to begin.
        return Task("curation.dataset.samples:write_samples", params, {}, ROWS_PER_PART)

    def gate_metrics(self) -> dict[str, float]:
        """What the stages measured, as the gates name it. What was not measured is absent."""
        return measured_by_run(self.metrics, (stage.stage for stage in self.plan.stages))


def glimpses(plan: Plan, rows: int) -> list[PlannedChunk]:
    """For a preview: about so many rows, as many from each source and, within it, from each of its files.

    Of more files than rows, and of the stretches of a big file, those of lowest digest(seed, file, start).
    """
    ranked: dict[str, dict[str, list[Piece]]] = {}
    for piece in sorted(
        (piece for chunk in plan.chunks for piece in chunk.pieces),
        key=lambda p: digest(plan.recipe.seed, p.file.name, p.chunk.start),
    ):
        ranked.setdefault(piece.file.source, {}).setdefault(piece.file.name, []).append(piece)
    order = {piece: number for number, piece in enumerate(p for c in plan.chunks for p in c.pieces)}
    found: list[PlannedChunk] = []
    for name in (name for name in plan.sources if name in ranked):
        asked = max(1, rows // len(plan.sources))
        files = ranked[name].values()
        first = [pieces[0] for pieces in files][:asked]
        rest = chain.from_iterable(zip_longest(*(pieces[1:] for pieces in files)))
        more = max(0, min(asked, LEAST_STRETCHES) - len(first))
        chosen = [*first, *islice((piece for piece in rest if piece is not None), more)]
        each, left = divmod(asked, len(chosen))
        limited = [piece._replace(limit=each + (place < left)) for place, piece in enumerate(chosen)]
        limited.sort(key=lambda piece: order[piece._replace(limit=None)])
        found.append(PlannedChunk(len(found), name, tuple(limited)))
    return found
