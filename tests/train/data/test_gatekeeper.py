"""What was not approved is not trained on; no option changes that."""

import hashlib
import shutil
from types import SimpleNamespace

import msgspec
import polars as pl
import pytest
from frozen_dataset import Frozen, frozen_dataset
from tiny_dataset import seal, tiny_recipe, write_parquet

import aj
from curation.errors import CurationError, Refusal
from curation.files import canonical, file_digest, self_digest
from curation.release.frozen import read_frozen, render
from train.data.gatekeeper import admit, check_evaluation, check_template


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Frozen:
    return frozen_dataset(tmp_path_factory.mktemp("made"))


@pytest.fixture
def copy(made, tmp_path) -> Frozen:
    data = tmp_path / "data"
    shutil.copytree(made.data, data)
    shutil.copy(made.frozen, tmp_path / "frozen.yaml")
    return made._replace(data=data, frozen=tmp_path / "frozen.yaml")


def test_the_approved_rows_are_handed_out(made):
    admitted = admit(made.frozen, made.data)
    assert sum(part.height for part in admitted.parts("train")) == 12


@pytest.mark.parametrize("shard", ["train/part-00000.parquet", "eval/part-00000.parquet"])
def test_a_flipped_bit_in_a_shard_is_refused(copy, shard):
    data = bytearray((copy.data / shard).read_bytes())
    data[len(data) // 2] ^= 1
    (copy.data / shard).write_bytes(data)
    with pytest.raises(Refusal, match=f"{shard}: not the shard that was approved: its bytes are not those"):
        admit(copy.frozen, copy.data)


def test_an_absent_shard_is_refused(copy):
    (copy.data / "train/part-00001.parquet").unlink()
    with pytest.raises(Refusal, match=r"part-00001\.parquet: not the shard that was approved: absent"):
        admit(copy.frozen, copy.data)


def test_a_link_in_place_of_a_shard_is_refused(copy, made):
    shard = copy.data / "train/part-00000.parquet"
    shard.unlink()
    shard.symlink_to(made.data / "train/part-00000.parquet")
    with pytest.raises(Refusal, match="a link, or outside the dataset"):
        admit(copy.frozen, copy.data)


def edited(path, change):
    """A frozen recipe changed and sealed anew, with the approval and its signature as they were."""
    frozen = read_frozen(path)
    content = frozen.as_dict()
    change(content)
    content["recipe_sha256"] = hashlib.sha256(canonical(content["recipe"])).hexdigest()
    content["self_sha256"] = self_digest(content)
    path.write_bytes(render(msgspec.convert(content, type(frozen))))
    assert read_frozen(path).approvals == frozen.approvals


def test_train_settings_that_were_not_approved_are_refused(copy):
    def faster(content):
        content["recipe"]["train"]["learning_rate"] = content["train"]["learning_rate"] = 0.5

    edited(copy.frozen, faster)
    with pytest.raises(Refusal, match="the recipe in it is not the one that was approved"):
        admit(copy.frozen, copy.data)


def test_rows_changed_under_their_old_ids_are_refused(copy):
    """The root counts ids; the bytes of a shard are those of the manifest that was approved."""
    shard = copy.data / "train/part-00000.parquet"
    write_parquet(shard, pl.read_parquet(shard).with_columns(source=pl.lit("elsewhere")))

    def other(content):
        listed = content["shards"]["train"][0]
        listed["bytes"], listed["sha256"] = shard.stat().st_size, file_digest(shard)

    edited(copy.frozen, other)
    with pytest.raises(Refusal, match="the shards in it are not those that were approved"):
        admit(copy.frozen, copy.data)


@pytest.mark.parametrize(
    "change",
    [
        lambda content: content["sources"]["web"].update(licence="MIT"),
        lambda content: content["versions"].update({"tokens:mine.jinja": "0" * 64}),
    ],
)
def test_sources_and_versions_that_were_not_approved_are_refused(copy, change):
    edited(copy.frozen, change)
    with pytest.raises(Refusal, match="the sources or versions in it are not those that were approved"):
        admit(copy.frozen, copy.data)


def test_data_without_its_manifest_is_refused(copy):
    (copy.data / "manifest.json").unlink()
    with pytest.raises(Refusal, match=r"manifest\.json: not the manifest that was approved"):
        admit(copy.frozen, copy.data)


def test_a_dataset_made_anew_with_other_rows_is_refused(copy):
    shard = copy.data / "train/part-00000.parquet"
    write_parquet(shard, pl.read_parquet(shard).reverse())
    seal(copy.data, tiny_recipe())
    with pytest.raises(Refusal, match="not the shard that was approved"):
        admit(copy.frozen, copy.data)


def test_a_shard_swapped_after_the_check_is_refused_when_it_is_read(copy):
    admitted = admit(copy.frozen, copy.data)
    shard = copy.data / "train/part-00000.parquet"
    write_parquet(shard, pl.read_parquet(shard).reverse())
    with pytest.raises(Refusal, match="its bytes changed; training is refused"):
        list(admitted.parts("train"))


def test_a_shard_that_nobody_listed_is_not_read(copy):
    shutil.copy(copy.data / "train/part-00000.parquet", copy.data / "train/part-00009.parquet")
    assert sum(part.height for part in admit(copy.frozen, copy.data).parts("train")) == 12


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("learning_rate: 0.001", "learning_rate: 0.01"),
        ("Test Person", "Someone Else"),
        ("version: '1.0.0'", "version: '1.0.1'"),
    ],
)
def test_a_frozen_recipe_edited_by_hand_is_refused(copy, old, new):
    text = copy.frozen.read_text()
    assert old in text
    copy.frozen.write_text(text.replace(old, new))
    with pytest.raises(Refusal, match=r"frozen\.yaml: changed since it was written"):
        admit(copy.frozen, copy.data)


def test_a_recipe_is_no_frozen_recipe(tmp_path):
    (tmp_path / "recipe.yaml").write_text("name: mixed\n")
    with pytest.raises(CurationError, match="no frozen recipe; expected a file that `aj freeze` wrote"):
        admit(tmp_path / "recipe.yaml")


def test_a_missing_dataset_says_how_to_name_it(made, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CurationError, match=r"build/tiny-v1\.0\.0: no such folder.*use --data DIR"):
        admit(made.frozen)


@pytest.mark.parametrize("option", [[], ["--force"], ["--dry-run"], ["--show", "1"], ["--trial-steps", "1"]])
def test_no_option_turns_the_gate_off(copy, option, capsys):
    shard = copy.data / "train/part-00000.parquet"
    shard.write_bytes(shard.read_bytes() + b"x")
    code = aj.main(["train", str(copy.frozen), "--data", str(copy.data), *option])
    assert code == 1
    assert "not the shard that was approved" in capsys.readouterr().err


def test_a_template_of_the_recipes_own_must_be_the_one_that_curation_used(tmp_path):
    path = tmp_path / "shapes" / "mine.jinja"
    path.parent.mkdir()
    path.write_text("{{ messages }}")
    recipe = SimpleNamespace(template="shapes/mine.jinja", data_folder=tmp_path)
    counted = SimpleNamespace(versions={"tokens:shapes/mine.jinja": file_digest(path), "polars": "2.1.0"})
    check_template(SimpleNamespace(recipe=recipe, frozen=counted))
    path.write_text("{{ messages }} ")
    with pytest.raises(Refusal, match=r"mine\.jinja: not the template that the dataset was curated with"):
        check_template(SimpleNamespace(recipe=recipe, frozen=counted))


def test_bounds_on_the_model_without_a_row_to_measure_are_refused_before_training():
    questions = {"questions": "q.jsonl", "name": "sums"}
    own = {"metric": "questions.sums.right_change", "min": 0.0}
    recipe = tiny_recipe(evaluation=[questions, own, {"metric": "loss", "max": 1.0}])
    admitted = SimpleNamespace(path="f.yaml", recipe=recipe, frozen=SimpleNamespace(shards={"eval": []}))
    with pytest.raises(Refusal, match=r"f\.yaml: asks for an evaluation, and its eval split is empty"):
        check_evaluation(admitted)
    admitted.frozen.shards["eval"] = [SimpleNamespace(rows=1)]
    check_evaluation(admitted)
    # What is measured on a file needs no row.
    admitted.frozen.shards["eval"] = []
    admitted.recipe = tiny_recipe(evaluation=[questions, own])
    check_evaluation(admitted)
