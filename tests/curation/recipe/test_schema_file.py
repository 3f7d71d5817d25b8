"""schemas/recipe.schema.json says what the model says."""

from pathlib import Path

import jsonschema
import orjson
import pytest

from curation.recipe.schema_file import SCHEMA_FILE, recipe_schema, schema_bytes, split_docstring
from curation.recipe.yaml_lines import read_yaml

RECIPES = Path(__file__).resolve().parents[3] / "recipes"


def test_the_committed_schema_is_the_generated_one():
    assert SCHEMA_FILE.read_bytes() == schema_bytes(), "run `python -m curation.recipe.schema_file`"


def test_it_is_a_valid_schema():
    jsonschema.Draft202012Validator.check_schema(recipe_schema())


@pytest.mark.parametrize("path", sorted(RECIPES.glob("*.yaml")), ids=lambda path: path.name)
def test_the_projects_recipes_fit_it(path):
    jsonschema.Draft202012Validator(orjson.loads(SCHEMA_FILE.read_bytes())).validate(read_yaml(path).value)


SMALL = {
    "name": "demo",
    "version": "1.0.0",
    "seed": 1,
    "base_model": {"id": "a/b", "code": "B"},
    "sources": {"x": {"uri": "x.jsonl", "reader": "messages", "group": "g"}},
    "mixture": {"shares": {"g": 1}},
}


@pytest.mark.parametrize(
    "wrong",
    [
        {"seeds": 1},
        {"version": 2.0},
        {"sources": {"x": {"uri": "x", "reader": "pdf", "group": "g"}}},
        {"sources": {"a/b": {"uri": "x", "reader": "qa", "group": "g"}}},
        {"stages": ["normalize"]},
        {"stages": ["length"]},
        {"stages": [{"length": {"max_tokens": 0}}]},
        {"stages": [{"chat": {}, "tools": {}}]},
        {"gates": [{"metric": "eval.leaked_rows"}]},
        {"gates": [{"metric": "eval.leaked", "max": 0}]},
        {"gates": [{"sql": "select 1", "max": 0}]},
        {"tokenizer": {}},
        {"train": {"lora_dropout": 2}},
    ],
)
def test_editors_see_the_same_faults(wrong):
    validator = jsonschema.Draft202012Validator(recipe_schema())
    assert validator.is_valid(SMALL)
    assert not validator.is_valid(SMALL | wrong)


def test_every_key_and_every_choice_of_the_tables_is_described():
    schema = recipe_schema()
    for owner, told in {"": schema, **schema["$defs"]}.items():
        bare = [key for key, value in told["properties"].items() if not value.get("description")]
        assert not bare, f"{owner}: {bare}"
    assert not [value for value in choices_in(schema) if not value.get("description")]
    assert len(list(choices_in(schema))) >= 11 + 18 + 7


def choices_in(value):
    """Every `const` below a value of the schema."""
    if isinstance(value, dict):
        yield from [value] if "const" in value else []
        value = list(value.values())
    for inner in value if isinstance(value, list) else ():
        yield from choices_in(inner)


def test_lines_of_a_docstring_are_told_from_its_text():
    text, meanings = split_docstring("""One line.

    key    what it means
           and more
    other  else

    The end.
    """)
    assert text == "One line. The end."
    assert meanings == {"key": "what it means and more", "other": "else"}
