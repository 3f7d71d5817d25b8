import os
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import orjson
import pytest
import yaml
from tiny_dataset import tiny_dataset

from curation.dataset.manifest import read_manifest
from curation.errors import CurationError, Refusal
from curation.files import file_digest
from curation.recipe.load import recipe_from
from curation.recipe.yaml_lines import parse_yaml
from curation.release.approval import approve
from curation.release.freeze import freeze
from curation.release.frozen import read_frozen, write_frozen
from curation.sources.fetched import Record, base_model, write_record

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def approved(folder: Path, **changes) -> Path:
    dataset = tiny_dataset(folder, **changes)
    approve(dataset, "Ada", now=NOON)
    return dataset


@pytest.fixture(scope="module")
def dataset(tmp_path_factory) -> Path:
    return approved(tmp_path_factory.mktemp("freeze") / "tiny")


def test_a_frozen_recipe_says_what_is_trained_on(dataset, tmp_path):
    frozen = read_frozen(freeze(dataset, tmp_path / "frozen.yaml"))
    manifest = read_manifest(dataset)
    assert (frozen.name, frozen.version, frozen.model) == ("tiny", "1.0.0", "AJ-Base1B-v1.0.0-lora")
    assert frozen.root == manifest.root
    assert frozen.manifest_sha256 == file_digest(dataset / "manifest.json")
    assert [shard.path for shard in frozen.shards["train"]] == [
        "train/part-00000.parquet",
        "train/part-00001.parquet",
    ]
    assert [shard.sha256 for shard in frozen.shards["eval"]] == [
        file_digest(dataset / "eval/part-00000.parquet")
    ]
    assert frozen.sources["web"].files == manifest.sources["web"].files
    assert frozen.recipe["gates"][4]["sql"] == "select count(*) from train where tokens > 2048"
    assert frozen.train["lora_r"] == 64
    assert [entry.document.by for entry in frozen.approvals] == ["Ada"]
    assert frozen.versions == manifest.versions


def test_it_is_one_yaml_file_that_any_reader_understands(dataset, tmp_path):
    path = freeze(dataset, tmp_path / "frozen.yaml")
    text = path.read_text()
    assert text.startswith("# AJ-Base1B-v1.0.0-lora: made by `aj freeze`; any change makes it void\n")
    assert yaml.safe_load(text) == parse_yaml(text, "frozen.yaml").value


def test_by_default_it_lies_under_the_current_folder(dataset, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert freeze(Path(os.path.relpath(dataset))) == Path("recipes/frozen/tiny-v1.0.0.yaml")
    assert (tmp_path / "recipes/frozen/tiny-v1.0.0.yaml").is_file()


def test_freezing_again_changes_nothing(dataset, tmp_path):
    path = freeze(dataset, tmp_path / "frozen.yaml")
    before = path.stat().st_mtime_ns
    assert freeze(dataset, path) == path
    assert path.stat().st_mtime_ns == before


def test_something_else_is_not_overwritten_without_force(dataset, tmp_path):
    path = tmp_path / "frozen.yaml"
    path.write_text("mine\n")
    with pytest.raises(CurationError, match="holds something else already; use --force") as wrong:
        freeze(dataset, path)
    assert wrong.value.exit_code == 2
    assert path.read_text() == "mine\n"
    assert read_frozen(freeze(dataset, path, force=True)).name == "tiny"


def test_without_approval_there_is_no_frozen_recipe(tmp_path):
    with pytest.raises(Refusal, match="not approved; read its report") as refusal:
        freeze(tiny_dataset(tmp_path / "tiny"), tmp_path / "frozen.yaml")
    assert refusal.value.exit_code == 1


def test_a_preview_is_refused(tmp_path):
    with pytest.raises(Refusal, match="a preview"):
        freeze(tiny_dataset(tmp_path / "tiny", sample=True), tmp_path / "frozen.yaml")


def test_a_failed_gate_is_refused_whatever_was_approved(tmp_path):
    dataset = tiny_dataset(tmp_path / "tiny", gates=[{"metric": "rows.train", "max": 1}])
    with pytest.raises(Refusal, match=r"failed gates: rows\.train: 12, more than 1"):
        freeze(dataset, tmp_path / "frozen.yaml")


def test_a_waiver_that_expired_after_the_approval_is_refused(tmp_path):
    waiver = {"gate": "rows.train", "reason": "a pilot", "by": "Grace", "until": "2026-11-22"}
    dataset = approved(tmp_path / "tiny", gates=[{"metric": "rows.train", "max": 1}], waivers=[waiver])
    with pytest.raises(Refusal, match="expired on 2026-11-22"):
        freeze(dataset, tmp_path / "frozen.yaml", now=datetime(2026, 11, 23, tzinfo=UTC))
    freeze(dataset, tmp_path / "frozen.yaml", now=NOON)


def test_the_version_says_what_changed_since_the_previous_one(tmp_path):
    frozen = tmp_path / "frozen"
    freeze(approved(tmp_path / "a"), frozen / "tiny-v1.0.0.yaml")
    faster = {"learning_rate": 1e-4}
    with pytest.raises(Refusal, match=r"train changed since 1\.0\.0.*set `version: 1\.0\.1`"):
        freeze(approved(tmp_path / "b", version="1.1.0", train=faster), frozen / "tiny-v1.1.0.yaml")
    freeze(approved(tmp_path / "c", version="1.0.1", train=faster), frozen / "renamed.yaml")
    base = {"id": "example/base-2b", "code": "Base2B"}
    with pytest.raises(Refusal, match=r"base_model\.id and base_model\.code changed since 1\.0\.1.*2\.0\.0"):
        freeze(approved(tmp_path / "d", version="1.0.2", base_model=base), frozen / "tiny-v1.0.2.yaml")
    with pytest.raises(Refusal, match=r"nothing changed since 1\.0\.1"):
        freeze(approved(tmp_path / "e", version="1.0.2", train=faster), frozen / "tiny-v1.0.2.yaml")
    other = approved(tmp_path / "f", name="other", version="1.0.2")
    freeze(other, frozen / "other-v1.0.2.yaml")


def test_a_changed_previous_recipe_is_refused(tmp_path):
    first = freeze(approved(tmp_path / "a"), tmp_path / "frozen/tiny-v1.0.0.yaml")
    first.write_text(first.read_text().replace("example/base-1b", "example/base-9b"))
    with pytest.raises(Refusal, match=r"tiny-v1\.0\.0\.yaml: changed since it was written"):
        freeze(approved(tmp_path / "b", version="1.0.1"), tmp_path / "frozen/tiny-v1.0.1.yaml")


COMMIT, LATER = "a" * 40, "b" * 40


def fetched_at(dataset: Path, commit: str) -> None:
    """As if the base model had been fetched at this commit."""
    recipe = recipe_from(orjson.loads((dataset / "recipe.json").read_bytes()), "recipe.json")
    entry = base_model(recipe).entry
    entry.mkdir(parents=True, exist_ok=True)
    write_record(entry, Record(uri="hf://org/model", asked=None, commit=commit, folder="x", files=[]))


def test_the_base_model_s_commit_is_frozen_where_it_is_known(dataset, tmp_path, monkeypatch):
    monkeypatch.setenv("AJ_CACHE", str(tmp_path / "cache"))
    path = freeze(dataset, tmp_path / "unknown.yaml")
    assert read_frozen(path).base_commit is None
    fetched_at(dataset, COMMIT)
    assert read_frozen(freeze(dataset, tmp_path / "known.yaml")).base_commit == COMMIT
    # What was frozen stays as it was, whatever was fetched since.
    before = path.read_bytes()
    fetched_at(dataset, LATER)
    assert freeze(dataset, path).read_bytes() == before
    assert read_frozen(freeze(dataset, tmp_path / "known.yaml")).base_commit == COMMIT


def test_a_commit_in_the_recipe_is_the_frozen_one_and_no_other(tmp_path):
    model = {"id": "example/base-1b", "code": "Base1B", "revision": COMMIT}
    path = freeze(approved(tmp_path / "tiny", base_model=model), tmp_path / "frozen.yaml")
    frozen = read_frozen(path)
    assert frozen.base_commit == frozen.base_revision == COMMIT
    write_frozen(path, msgspec.structs.replace(frozen, base_commit=LATER))
    with pytest.raises(Refusal, match="commit is not that of the recipe in it"):
        read_frozen(path)
