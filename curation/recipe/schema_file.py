"""schemas/recipe.schema.json, generated from the model, so that editors complete and check recipes.

`python -m curation.recipe.schema_file` writes it anew; a test holds the two together.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import orjson

from curation.files import write_bytes
from curation.recipe.metrics import EVALUATED, METRICS
from curation.recipe.model import RecipeModel
from curation.recipe.readers import READERS, users_of
from curation.recipe.stages import STAGES

SCHEMA_FILE = Path(__file__).resolve().parents[2] / "schemas" / "recipe.schema.json"
SETTINGS = {name: stage.settings for name, stage in STAGES.items()}
TITLE = "A recipe of aj: what to mix, how much, which gates, how to train"


def recipe_schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of a recipe as it is written, stages as names or one-key mappings."""
    kinds = [RecipeModel, *SETTINGS.values()]
    _, components = msgspec.json.schema_components(kinds, ref_template="#/$defs/{name}")
    for kind in structs_below(RecipeModel) + list(SETTINGS.values()):
        describe(components[kind.__name__], kind.__doc__ or "")
    describe_tables(components)
    recipe = components.pop("RecipeModel")
    recipe["properties"]["stages"]["items"] = stage_schema()
    components["Gate"]["oneOf"] = [{"required": ["metric"]}, {"required": ["sql", "name"]}]
    components["Gate"]["anyOf"] = [{"required": ["max"]}, {"required": ["min"]}]
    components["Tokenizer"]["oneOf"] = [{"required": ["id"]}, {"required": ["path"]}]
    components["Expectation"]["anyOf"] = [{"required": ["max"]}, {"required": ["min"]}]
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    return {**head, **recipe, "title": TITLE, "$defs": dict(sorted(components.items()))}


def describe_tables(components: dict[str, Any]) -> None:
    """What the three tables say, at the keys whose values they are."""
    source = components["Source"]["properties"]
    del source["reader"]["enum"]
    source["reader"]["anyOf"] = choices({name: entry.meaning for name, entry in READERS.items()})
    for key, schema in source.items():
        if users := users_of(key):
            schema["description"] += f" (only reader {', '.join(users)})"
    metric = components["Gate"]["properties"]["metric"]
    metric["anyOf"] = [*choices({name: entry.meaning for name, entry in METRICS.items()}), {"type": "null"}]
    components["Expectation"]["properties"]["metric"]["examples"] = list(EVALUATED)


def choices(meanings: Mapping[str, str]) -> list[dict[str, str]]:
    """One of some words, each with its meaning, as editors show it beside the word."""
    return [{"const": name, "description": meaning} for name, meaning in meanings.items()]


def stage_schema() -> dict[str, Any]:
    """One entry of `stages`: a bare name, or one key with the stage's settings."""
    bare = {name: stage.meaning for name, stage in STAGES.items() if not needed(name)}
    with_settings = [
        {
            "type": "object",
            "properties": {
                name: {"$ref": f"#/$defs/{stage.settings.__name__}", "description": stage.meaning}
            },
            "required": [name],
            "additionalProperties": False,
        }
        for name, stage in STAGES.items()
    ]
    return {"anyOf": [*choices(bare), *with_settings]}


def needed(stage: str) -> list[str]:
    """The settings that a stage cannot do without."""
    return [field.name for field in msgspec.structs.fields(STAGES[stage].settings) if field.required]


def structs_below(kind: Any) -> list[Any]:
    """A Struct and every Struct in its fields, each once."""
    found: list[Any] = []
    todo = [kind]
    while todo:
        at = todo.pop()
        if isinstance(at, type) and issubclass(at, msgspec.Struct):
            if at not in found:
                found.append(at)
                todo += [field.type for field in msgspec.structs.fields(at)]
        else:
            todo += getattr(at, "__args__", ())
    return found


def describe(schema: dict[str, Any], docstring: str) -> None:
    """Move the lines `key    meaning` of a docstring to the keys they speak of."""
    text, meanings = split_docstring(docstring)
    schema["description"] = text
    for key, meaning in meanings.items():
        if key in schema["properties"]:
            # A meaning of the key says more than that of its type, and may stand beside a $ref.
            schema["properties"][key]["description"] = meaning


def split_docstring(docstring: str) -> tuple[str, dict[str, str]]:
    """The running text of a docstring, and its lines `key    meaning` with what continues them."""
    text: list[str] = []
    meanings: dict[str, str] = {}
    key = None
    for line in docstring.splitlines():
        found = re.fullmatch(r" {4}([a-z_0-9]+) {2,}(\S.*)", line)
        if found:
            key = found[1]
            meanings[key] = found[2]
        elif key and re.match(r" {6,}\S", line):
            meanings[key] += f" {line.strip()}"
        else:
            key = None
            text.append(line.strip())
    return " ".join(" ".join(text).split()), meanings


def schema_bytes() -> bytes:
    """The schema as it is stored."""
    return orjson.dumps(recipe_schema(), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


if __name__ == "__main__":
    write_bytes(SCHEMA_FILE, schema_bytes())
