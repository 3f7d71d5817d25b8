"""Which files a task reads: small ones share one, and no byte of a dataset hangs on it."""

import json
import zipfile
from pathlib import Path

import polars as pl
import pytest
from small_recipe import conversation, no_documents, small_recipe

from curation.engine import plan as planning
from curation.engine.pipeline import glimpses
from curation.engine.plan import InputFile, Piece, batched, make_plan
from curation.jobs.curate import Finished, curate
from curation.readers.reading import Chunk
from curation.recipe.load import load_recipe


def piece(name: str, size: int, source: str = "a") -> Piece:
    return Piece(InputFile(source, Path(name), name, size, "0" * 64), Chunk(Path(name), 0, size))


def names(pieces: list[Piece]) -> list[list[str]]:
    return [[piece.file.name for piece in chunk.pieces] for chunk in batched(pieces)]


def test_small_files_of_a_source_share_a_chunk_and_big_ones_have_their_own(monkeypatch):
    monkeypatch.setattr(planning, "FILES_PER_BATCH", 1 << 32)
    big = planning.SMALL_FILE_BYTES + 1
    pieces = [piece("1", 9), piece("2", 9), piece("3", big), piece("4", 9), piece("5", 9, "b")]
    assert names(pieces) == [["1", "2"], ["3"], ["4"], ["5"]]
    assert [chunk.ordinal for chunk in batched(pieces)] == [0, 1, 2, 3]


def test_a_batch_holds_no_more_bytes_than_it_may(monkeypatch):
    monkeypatch.setattr(planning, "FILES_PER_BATCH", 1 << 32)
    pieces = [piece(str(n), planning.SMALL_FILE_BYTES) for n in range(100)]
    chunks = batched(pieces)
    assert [p for chunk in chunks for p in chunk.pieces] == pieces
    assert len(chunks) < 10
    assert max(chunk.size for chunk in chunks) <= planning.BATCH_BYTES


def test_a_file_more_changes_no_batch_but_its_own():
    pieces = [piece(f"{n:05}", 100) for n in range(3000)]
    before, after = names(pieces), names([*pieces[:1500], piece("01499b", 100), *pieces[1500:]])
    assert len(before) > 5
    assert len([batch for batch in after if batch not in before]) <= 2


def many_files(folder: Path) -> Path:
    """A recipe over 60 files, most of one row; some are empty, broken, or hold several."""
    recipe = small_recipe(
        folder,
        sources={"many": {"uri": "many", "reader": "messages", "group": "only"}},
        mixture={"shares": {"only": 1.0}, "total": "max", "max_repeat": 1},
    )
    (folder / "many").mkdir()
    for n in range(60):
        rows = [json.dumps(conversation(n + row)) for row in range(1 + (n % 7 == 0) * 3)]
        broken = {11: ["{broken"], 12: [], 13: [*rows, "nothing"]}
        (folder / f"many/{n:02}.jsonl").write_text("\n".join(broken.get(n, rows)) + "\n")
    return recipe


def run(recipe: Path, out: str, **options: object) -> Finished:
    return curate(recipe, documents=no_documents, out=recipe.parent / out, workers=1, **options)


def test_no_byte_of_a_dataset_hangs_on_what_shares_a_task(tmp_path, monkeypatch):
    recipe = many_files(tmp_path)
    together = run(recipe, "together")
    monkeypatch.setattr(planning, "SMALL_FILE_BYTES", 0)
    apart = run(recipe, "apart")
    assert together.tasks_run * 10 < apart.tasks_run
    for path in together.dataset.rglob("*"):
        if path.is_file() and path.name != "timings.json":
            assert path.read_bytes() == (apart.dataset / path.relative_to(together.dataset)).read_bytes(), (
                path
            )
    ledger = pl.read_parquet(together.dataset / "ledger/*.parquet")
    assert ledger.select("file", "row").is_duplicated().sum() == 0
    assert ledger.equals(ledger.sort("file", "row"))
    assert {f.path: f.rows for f in together.manifest.sources["many"].files} == {
        f"many/{n:02}.jsonl": {11: 1, 12: 0, 13: 2}.get(n, 4 if n % 7 == 0 else 1) for n in range(60)
    }


def test_a_changed_file_is_read_again_with_its_batch_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(planning, "FILES_PER_BATCH", 10)
    recipe = many_files(tmp_path)
    chunks = make_plan(load_recipe(recipe), tmp_path).chunks
    assert len(chunks) > 3
    run(recipe, "out")
    (tmp_path / "many/30.jsonl").write_text(json.dumps(conversation(99, words=80)) + "\n")
    again = run(recipe, "out", force=True)
    assert again.tasks_reused >= len(chunks) - 1


@pytest.mark.parametrize(("rows", "files"), [(120, 60), (60, 60), (25, 25)])
def test_a_preview_takes_as_many_rows_of_each_file(tmp_path, rows, files):
    plan = make_plan(load_recipe(many_files(tmp_path)), tmp_path)
    (chunk,) = glimpses(plan, rows)
    chosen = {piece.file.name for piece in chunk.pieces}
    assert len(chosen) == files
    limits = [piece.limit for piece in chunk.pieces]
    assert sum(limits) == rows
    assert max(limits) - min(limits) <= 1
    assert list(chunk.pieces) == sorted(chunk.pieces, key=lambda piece: piece.file.name)
    ledger = pl.read_parquet(run(tmp_path / "recipe.yaml", "out", sample=rows).dataset / "ledger/*.parquet")
    assert set(ledger["file"]) == chosen - {"many/12.jsonl"}


def test_rows_of_an_archive_are_counted_through_and_each_names_its_member(tmp_path):
    recipe = many_files(tmp_path)
    with zipfile.ZipFile(tmp_path / "many/60.zip", "w") as archive:
        for number in range(3):
            archive.writestr(f"d/{number}.jsonl", json.dumps(conversation(200 + number)) + "\n{broken\n")
        archive.writestr("../out.jsonl", "{}")
    done = run(recipe, "out")
    ledger = pl.read_parquet(done.dataset / "ledger/*.parquet").filter(pl.col("file") == "many/60.zip")
    assert ledger["row"].to_list() == list(range(7))
    told = [json.loads(detail) for detail in ledger["detail"]]
    assert [one["member"] for one in told] == [f"d/{n // 2}.jsonl" for n in range(6)] + ["../out.jsonl"]
    assert ledger["reason"].to_list() == [None, "unreadable"] * 3 + ["unreadable"]
    assert not any("repairs" in one for one in told)
    assert {f.path: f.rows for f in done.manifest.sources["many"].files}["many/60.zip"] == 7
