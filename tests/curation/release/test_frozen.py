from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from tiny_dataset import tiny_dataset

from curation.errors import CurationError, Refusal
from curation.recipe.yaml_lines import parse_yaml
from curation.release.approval import approve
from curation.release.freeze import freeze
from curation.release.frozen import Quoted, parse_frozen, previous_frozen, read_frozen, render, write_frozen

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def approved(folder: Path, **changes) -> Path:
    dataset = tiny_dataset(folder, **changes)
    approve(dataset, "Ada", now=NOON)
    return dataset


@pytest.fixture(scope="module")
def dataset(tmp_path_factory) -> Path:
    return approved(tmp_path_factory.mktemp("freeze") / "tiny")


def test_the_previous_one_is_the_highest_below(tmp_path):
    for version in ("1.0.0", "1.2.0", "1.10.0", "2.0.0"):
        (tmp_path / f"{version}.yaml").write_text(f"name: tiny\nversion: {version}\nmodel: AJ\n")
    (tmp_path / "other.yaml").write_text("name: other\nversion: 1.11.0\nmodel: AJ\n")
    (tmp_path / "plain.yaml").write_text("name: tiny\nversion: 1.11.0\nsources: {}\n")
    (tmp_path / "binary.yml").write_bytes(b"\xff\xfe\0")
    for version, previous in [("1.11.0", "1.10.0"), ("2.0.0", "1.10.0"), ("1.0.1", "1.0.0")]:
        assert previous_frozen(tmp_path, "tiny", version) == tmp_path / f"{previous}.yaml"
    assert previous_frozen(tmp_path, "tiny", "1.0.0") is None
    assert previous_frozen(tmp_path / "nowhere", "tiny", "1.0.0") is None


def changed(path: Path, **values) -> Path:
    """A frozen recipe changed with its digest made anew, as a forger would."""
    frozen = parse_frozen(path)
    fields = {name: getattr(frozen, name) for name in frozen.__struct_fields__}
    write_frozen(path, type(frozen)(**{**fields, **values}))
    return path


def test_a_forged_frozen_recipe_contradicts_itself(dataset, tmp_path):
    path = freeze(dataset, tmp_path / "frozen.yaml")
    frozen = parse_frozen(path)
    data = path.read_bytes()
    recipe = {**frozen.recipe, "seed": 99}
    for values, message in [
        ({"root": "0" * 64}, "the approval's root differs"),
        ({"manifest_sha256": "0" * 64}, "the approval's manifest digest differs"),
        ({"recipe": recipe}, "not the one that made the dataset: its digest differs"),
        ({"train": {**frozen.train, "lora_r": 8}}, "name, version, model or train settings are not those"),
        ({"model": "AJ-Other-v1.0.0-lora"}, "name, version, model or train settings are not those"),
        ({"version": "9.0.0"}, "name, version, model or train settings are not those"),
        ({"approvals": []}, "approved for another dataset"),
    ]:
        path.write_bytes(data)
        with pytest.raises(Refusal, match=message):
            read_frozen(changed(path, **values))


@pytest.mark.parametrize("text", ["", "name: x\n", "a: &a [1]\nb: [*a, *a]\n", "- 1\n", "\0"])
def test_another_file_is_no_frozen_recipe(tmp_path, text):
    (tmp_path / "x.yaml").write_text(text)
    with pytest.raises(
        CurationError, match="no frozen recipe; expected a file that `aj freeze` wrote"
    ) as wrong:
        read_frozen(tmp_path / "x.yaml")
    assert wrong.value.exit_code == 2
    with pytest.raises(CurationError, match="cannot be read"):
        read_frozen(tmp_path / "nothing.yaml")


def test_an_expanding_file_is_refused_at_once(dataset, tmp_path):
    path = freeze(dataset, tmp_path / "frozen.yaml")
    bomb = "".join(f"x{n}: &x{n} [{', '.join([f'*x{n - 1}'] * 9) if n else 'x'}]\n" for n in range(30))
    path.write_text(path.read_text() + bomb)
    with pytest.raises(Refusal, match="not readable any more"):
        read_frozen(path)


leaves = (
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]))
    | st.from_regex(r"\A[-+0-9.eE_xo:~]{1,12}\Z")
)


def nested(inner: st.SearchStrategy) -> st.SearchStrategy:
    return st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", min_size=1), inner, max_size=3)


@given(st.recursive(leaves, nested, max_leaves=8))
def test_whatever_is_written_reads_back(value):
    text = yaml.dump({"value": value}, Dumper=Quoted, sort_keys=False, allow_unicode=True)
    assert parse_yaml(text, "x.yaml").value == {"value": value}


def test_the_bytes_are_those_of_the_content(dataset, tmp_path):
    path = freeze(dataset, tmp_path / "frozen.yaml")
    assert render(parse_frozen(path)) == path.read_bytes()
