import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.errors import SourceError
from curation.recipe.source import Source
from curation.sources.hub_files import matches, select, split_of

HUB = "hf://datasets/org/name"


def meant(files: list[str], card: dict[str, object] | None = None, **keys: object) -> list[str]:
    return select(files, Source(uri=HUB, reader="messages", group="g", **keys), card or {})


@pytest.mark.parametrize(
    ("pattern", "path", "expected"),
    [
        ("data/train-*.parquet", "data/train-00000-of-00014.parquet", True),
        ("data/train-*.parquet", "data/sub/train-0.parquet", False),
        ("*.json", "a.json", True),
        ("*.json", "data/a.json", False),
        ("**/*.json", "a.json", True),
        ("**/*.json", "x/y/a.json", True),
        ("data/**/a.json", "data/a.json", True),
        ("part-?.csv", "part-1.csv", True),
        ("part-?.csv", "part-12.csv", False),
        ("part-[0-3].csv", "part-2.csv", True),
        ("part-[!0-3].csv", "part-2.csv", False),
        ("a[1.json", "a[1.json", True),
        ("*.jsonl", ".hidden.jsonl", False),
        (".hidden*", ".hidden.jsonl", True),
        ("a.json", "aXjson", False),
    ],
)
def test_patterns_mean_what_they_mean_for_local_files(pattern, path, expected, tmp_path):
    assert matches(path, pattern) is expected
    file = tmp_path / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch()
    here = [found.relative_to(tmp_path).as_posix() for found in tmp_path.glob(pattern)]
    if not path.startswith("."):
        assert (path in here) is expected


@given(st.text(alphabet="ab*?[]!/.\\^-", max_size=12), st.text(alphabet="ab/.-", max_size=12))
def test_no_pattern_breaks_the_matching(pattern, path):
    matches(path, pattern)


@pytest.mark.parametrize(
    ("path", "split"),
    [
        ("data/train-00000-of-00014.parquet", "train"),
        ("data/train_sft-00000-of-00003-a3ecf92756993583.parquet", "train_sft"),
        ("default/test/0000.parquet", "test"),
        ("my_dev_set.csv", "validation"),
        ("eval.jsonl", "test"),
        ("chats.jsonl", "train"),
        ("training.json", "train"),
    ],
)
def test_the_split_is_told_by_the_name(path, split):
    assert split_of(path) == split


def test_splits_and_subsets_of_the_card_are_followed():
    files = ["README.md", "en/a.jsonl", "en/b.jsonl", "de/a.jsonl", "en/test.jsonl"]
    card = {
        "configs": [
            {"config_name": "en", "data_files": [{"split": "train", "path": ["en/a.jsonl", "en/b.jsonl"]},
                                                 {"split": "test", "path": "en/test.jsonl"}]},
            {"config_name": "de", "data_files": "de/*"},
        ]
    }  # fmt: skip
    assert meant(files, card, subset="en", split="train") == ["en/a.jsonl", "en/b.jsonl"]
    assert meant(files, card, subset="de") == ["de/a.jsonl"]
    with pytest.raises(SourceError, match="has several subsets, set one with `subset:`: en, de"):
        meant(files, card)
    with pytest.raises(SourceError, match="has several splits, set one with `split:`: train, test"):
        meant(files, card, subset="en")
    with pytest.raises(SourceError, match="no split 'dev'; the dataset has: train, test"):
        meant(files, card, subset="en", split="dev")
    with pytest.raises(SourceError, match="no subset 'fr'; the dataset has: en, de"):
        meant(files, card, subset="fr")


def test_without_a_card_the_names_tell():
    files = ["a/train-00000-of-00001.parquet", "a/test-00000-of-00001.parquet", "b/train.csv", "notes.md"]
    assert meant(files, subset="a", split="test") == ["a/test-00000-of-00001.parquet"]
    assert meant(files, subset="b") == ["b/train.csv"]
    assert meant(files, split="train") == ["a/train-00000-of-00001.parquet", "b/train.csv"]
    with pytest.raises(SourceError, match="has several splits"):
        meant(files)


def test_files_that_describe_are_not_data():
    files = [".gitattributes", "README.md", "dataset_infos.json", ".cache/x.json", "chats.jsonl"]
    assert meant(files) == ["chats.jsonl"]
    with pytest.raises(SourceError, match=r"no file that aj reads; the repository has: README\.md"):
        meant(["README.md"])


@pytest.mark.parametrize(
    "card",
    [
        {"configs": "all"},
        {"configs": [1, None, {"data_files": 7}, {"data_files": [{"path": {"a": 1}}]}]},
        {"configs": [{"config_name": ["x"], "data_files": [None]}]},
    ],
)
def test_a_card_of_any_other_layout_is_passed_over(card):
    assert meant(["a.jsonl"], card) == ["a.jsonl"]
