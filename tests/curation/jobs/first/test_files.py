"""Which files `aj init` looks at, and which it keeps apart."""

import json
from pathlib import Path

import pytest

from curation.jobs.first.files import data_files, sources, split_of

ROW = json.dumps({"question": "Where?", "answer": "Here."}) + "\n"


def made(folder, *names, text=ROW):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


SPLITS = {
    "train.jsonl": "train",
    "data/train-00000-of-00004.parquet": "train",
    "data/test-00000-of-00001.parquet": "test",
    "data/test_sft-00000-of-00001.parquet": "test",
    "faq_test.csv": "test",
    "faq.val.jsonl.gz": "validation",
    "dev.json": "validation",
    "validation/part_1.jsonl": "validation",
    "eval_v2.jsonl": "test",
    "held_out.jsonl": "test",
    "contest.jsonl": "train",
    "webdev.jsonl": "train",
    "alpaca_eval_outputs/all.jsonl": "train",
    "latest.jsonl": "train",
}


@pytest.mark.parametrize(("name", "split"), SPLITS.items())
def test_a_split_is_told_by_a_whole_word_of_the_name(name, split):
    assert split_of(Path("data") / name, Path("data")) == split


def test_files_of_a_split_are_a_source_of_their_own_and_parts_a_glob(tmp_path):
    made(
        tmp_path, *(f"data/train-0000{n}-of-00002.jsonl" for n in range(2)), "data/test-00000-of-00001.jsonl"
    )
    found, _ = sources(tmp_path)
    assert {(one.uri, one.split, len(one.files)) for one in found} == {
        ("data/train-*.jsonl", "train", 2),
        ("data/test-*.jsonl", "test", 1),
    }


def test_what_was_made_from_data_is_left_alone(tmp_path):
    made(tmp_path, "faq.jsonl", "build/faq-v1.0.0/train/part.jsonl", "build/faq.work/tasks/a.jsonl")
    made(tmp_path, "build/faq-v1.0.0/manifest.json", "tuned/adapter_config.json", "tuned/metrics.jsonl")
    made(tmp_path, "base/config.json", "base/model.safetensors", "base/notes.jsonl", "recipe.yaml")
    files, skipped = data_files(tmp_path)
    assert files == [tmp_path / "faq.jsonl"]
    assert {str(one.path.relative_to(tmp_path)): one.what for one in skipped} == {
        "base": "a model",
        "build/faq-v1.0.0": "a dataset that was made",
        "build/faq.work": "work files of `aj curate`",
        "tuned": "a model",
    }


@pytest.mark.parametrize("is_link", [True, False])
def test_a_blob_of_the_hub_and_the_link_to_it_are_one_file(tmp_path, is_link):
    cache = tmp_path / "datasets--me--chats"
    blob, link = cache / "blobs/ab12", cache / "snapshots/c0ffee/data/train.jsonl"
    made(tmp_path, blob.relative_to(tmp_path))
    made(cache, "refs/main", text="c0ffee")
    link.parent.mkdir(parents=True)
    if is_link:
        link.symlink_to("../../../blobs/ab12")
    else:
        link.write_text("../../../blobs/ab12")
    assert data_files(tmp_path)[0] == [link if is_link else blob]
