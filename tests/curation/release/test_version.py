import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_dataset import recipe_values

from curation.errors import CurationError, Refusal
from curation.release.version import Version, changes, check_version, model_name, parse_version, said

numbers = st.integers(0, 99)
versions = st.builds(Version, numbers, numbers, numbers)


@pytest.mark.parametrize(
    ("suffix", "name"),
    [
        ("lora", "AJ-DeepSeekR1Qwen32B-v2.0.0-lora"),
        ("merged", "AJ-DeepSeekR1Qwen32B-v2.0.0-merged"),
        ("q4_k_m", "AJ-DeepSeekR1Qwen32B-v2.0.0-q4km"),
        ("q5_k_m", "AJ-DeepSeekR1Qwen32B-v2.0.0-q5km"),
        ("q6_k", "AJ-DeepSeekR1Qwen32B-v2.0.0-q6k"),
        ("q8_0", "AJ-DeepSeekR1Qwen32B-v2.0.0-q8"),
        ("Q8_0", "AJ-DeepSeekR1Qwen32B-v2.0.0-q8"),
    ],
)
def test_a_model_is_named_after_base_version_and_form(suffix, name):
    assert model_name("DeepSeekR1Qwen32B", "2.0.0", suffix) == name


@pytest.mark.parametrize("suffix", ["", "a/b", "..", "q 8"])
def test_a_suffix_is_no_path(suffix):
    with pytest.raises(CurationError, match="expected lora, merged or a quantisation"):
        model_name("Base", "1.0.0", suffix)


@pytest.mark.parametrize(
    "text", ["", "1.0", "1.0.0.0", "v1.0.0", "01.0.0", "1.0.-1", "1.0.0\n", "1.\N{ARABIC-INDIC DIGIT ZERO}.0"]
)
def test_a_version_has_three_numbers(text):
    with pytest.raises(CurationError, match=r"expected major\.minor\.patch such as 2\.0\.0"):
        parse_version(text)


@given(versions)
def test_a_version_comes_back_from_its_text(version):
    assert parse_version(str(version)) == version


@given(versions, st.sampled_from(["major", "minor", "patch"]))
def test_the_next_version_of_a_kind_says_that_kind(version, kind):
    assert said(version.next(kind), version) == kind
    assert version.next(kind) > version


@pytest.mark.parametrize(
    ("new", "kind"),
    [
        ("3.0.0", "major"),
        ("4.0.0", "major"),
        ("2.2.0", "minor"),
        ("2.5.0", "minor"),
        ("2.1.4", "patch"),
        ("2.1.9", "patch"),
        ("2.1.3", None),
        ("3.1.0", None),
        ("2.2.1", None),
        ("2.1.2", None),
        ("1.9.9", None),
    ],
)
def test_what_a_version_says_after_2_1_3(new, kind):
    assert said(parse_version(new), Version(2, 1, 3)) == kind


@pytest.mark.parametrize(
    ("changed", "root", "kind", "what"),
    [
        ({"base_model": {"id": "example/other", "code": "Base1B"}}, "a", "major", "base_model.id"),
        ({"base_model": {"id": "example/base-1b", "code": "New"}}, "b", "major", "base_model.code"),
        ({"sources": {}}, "b", "minor", "sources and the dataset's root"),
        ({}, "b", "minor", "the dataset's root"),
        ({"stages": ["chat"]}, "a", "minor", "stages"),
        ({"seed": 18}, "b", "minor", "seed and the dataset's root"),
        ({"template": "chatml"}, "a", "minor", "template"),
        ({"train": {"learning_rate": 1e-5}}, "a", "patch", "train"),
        ({"gates": [], "waivers": [1]}, "a", "patch", "gates and waivers"),
        ({"base_model": {"id": "example/base-1b", "code": "Base1B", "revision": "abc"}}, "a", "patch", "rev"),
    ],
)
def test_what_changed_decides_the_kind_of_version(changed, root, kind, what):
    change = changes(recipe_values(**changed), root, recipe_values(), "a")
    assert change is not None
    assert change.kind == kind
    right = Version(1, 2, 3).next(kind)
    check_version(right, Version(1, 2, 3), change)
    wrong = {"major": "1.2.4", "minor": "1.2.4", "patch": "1.3.0"}[kind]
    with pytest.raises(
        Refusal, match=f"{what}.* changed since 1.2.3.*a {kind} version; set `version: {right}`"
    ):
        check_version(parse_version(wrong), Version(1, 2, 3), change)


def test_another_name_or_version_alone_changes_nothing():
    renamed = recipe_values(version="1.0.1", data_root="elsewhere", baseline="old")
    assert changes(renamed, "a", recipe_values(), "a") is None
    with pytest.raises(Refusal, match=r"version 1\.0\.1: nothing changed since 1\.0\.0"):
        check_version(Version(1, 0, 1), Version(1, 0, 0), None)
