"""Two datasets compared row by row."""

import json
import shutil

import orjson
import polars as pl
import pytest

from aj import main
from curation.jobs.curate import curate
from reports.facts.diff import as_json, diff, differing_rows
from reports.pages.diff_page import as_html, as_text
from reports.pages.documents import documents
from tests.small_recipe import conversation, small_recipe, write_jsonl


def make(folder, name, **changes):
    dataset = folder / name
    curate(small_recipe(folder, **changes), documents=documents, out=dataset, workers=1)
    return dataset


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    folder = tmp_path_factory.mktemp("diff")
    old = make(folder, "old")
    stages = ["normalise", "chat", "exact_duplicates", {"near_duplicates": {"similarity": 1.0}}]
    recipe = small_recipe(folder, version="1.1.0", stages=stages)
    rows = [orjson.loads(line) for line in (folder / "data/two.jsonl").read_bytes().splitlines()]
    write_jsonl(folder / "data/two.jsonl", [*rows[5:], *[conversation(3000 + n) for n in range(3)]])
    new = folder / "new"
    curate(recipe, documents=documents, out=new, workers=1)
    return old, new


def written(dataset):
    ledger = pl.read_parquet(sorted((dataset / "ledger").glob("*.parquet")))
    kept = ledger.filter(pl.col("fate").is_in(["train", "eval"]))
    return {(source, row_id) for source, row_id in kept.select("source", "input_id").iter_rows()}


def test_a_dataset_does_not_differ_from_itself(pair):
    found = diff(pair[0], pair[0])
    assert found.equal
    assert "nothing differs" in as_text(found)


def test_the_same_rows_in_other_copies_are_told_as_such(tmp_path):
    shares = {"first": 0.5, "second": 0.5}
    twice = make(tmp_path, "old", mixture={"shares": shares, "total": "max", "max_repeat": 2})
    thrice = make(tmp_path, "new", mixture={"shares": shares, "total": "max", "max_repeat": 3})
    found = diff(twice, thrice)
    assert found.old_root != found.new_root
    assert "rows    the same, in other copies or another order" in as_text(found)
    assert "The same rows, in other copies or another order" in as_html(found).decode()


def test_added_and_removed_rows_are_exactly_those_of_the_ledgers(pair):
    old, new = pair
    rows = differing_rows(old, new)
    by_kind = {
        kind: {(r["source"], r["input_id"]) for r in rows.filter(kind=kind).to_dicts()}
        for kind in ("added", "removed")
    }
    before, now = written(old), written(new)
    assert by_kind["added"] == now - before
    assert by_kind["removed"] == before - now


def test_going_back_tells_the_same_the_other_way_round(pair):
    old, new = pair
    there, back = diff(old, new).totals, diff(new, old).totals
    assert (there["added"], there["removed"]) == (back["removed"], back["added"])
    assert (there["changed"], there["moved"]) == (back["changed"], back["moved"])


def test_rows_are_told_by_reason_and_changes_of_the_recipe_by_key(pair):
    found = diff(*pair)
    whys = {(cause.kind, cause.why) for cause in found.causes}
    assert ("removed", "now not in the source") in whys
    assert ("added", "was dropped by near_duplicates: near_duplicate") in whys
    assert "stages.near_duplicates.similarity" in {change.what for change in found.changes["settings"]}


def test_a_row_with_another_text_is_changed(tmp_path):
    old = make(
        tmp_path, "old", mixture={"shares": {"first": 1.0, "second": 0.0}, "total": "max", "max_repeat": 1}
    )
    new = shutil.copytree(old, tmp_path / "new")
    (part, *_) = [
        p
        for p in sorted((new / "ledger").glob("*.parquet"))
        if pl.read_parquet(p)["fate"].is_in(["train"]).any()
    ]
    rows = pl.read_parquet(part)
    first = rows["fate"].to_list().index("train")
    changed = rows.with_row_index().with_columns(
        id=pl.when(pl.col("index") == first).then(pl.lit("sha256:" + "0" * 64)).otherwise("id")
    )
    changed.drop("index").write_parquet(part)
    assert diff(old, new).totals == {"added": 0, "removed": 0, "changed": 1, "moved": 0}


def test_text_page_and_json_hold_the_same_figures(pair, tmp_path, capsys):
    old, new = map(str, pair)
    page, rows = tmp_path / "diff.html", tmp_path / "rows.jsonl"
    assert main(["diff", old, new, "--json", "--html", str(page), "--rows", str(rows)]) == 0
    printed = capsys.readouterr().out
    assert printed.count("\n") == 1
    told = json.loads(printed)
    assert told["totals"] == as_json(diff(*pair))["totals"]
    assert len(rows.read_text().splitlines()) == sum(told["totals"].values())
    html = page.read_text("utf-8")
    assert html.encode() == as_html(diff(*pair))
    assert f"<b>{told['totals']['added']}</b>" in html


def test_another_file_is_replaced_only_with_force(pair, tmp_path, capsys):
    old, new = map(str, pair)
    page, rows = tmp_path / "diff.html", tmp_path / "rows.jsonl"
    command = ["diff", old, new, "--html", str(page), "--rows", str(rows)]
    rows.write_text("mine")
    assert main(command) == 2
    told = f"aj diff: {rows} exists and holds something else; use --force to replace it\n"
    assert capsys.readouterr() == ("", told)
    assert (page.exists(), rows.read_text()) == (False, "mine")
    assert main([*command, "--force"]) == 0
    assert main(command) == 0
