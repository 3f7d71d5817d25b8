"""schemas/recipe.schema.json, generated from the model, so that editors complete and check recipes.

`python -m curation.recipe.schema_file` writes it anew; a test holds the two together.
"""

import re
from pathlib import Path
from typing import Any

import msgspec
import orjson

from curation.files import write_bytes
from curation.recipe.model import RecipeModel
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
    recipe = components.pop("RecipeModel")
    recipe["properties"]["stages"]["items"] = stage_schema()
    components["Gate"]["oneOf"] = [{"required": ["metric"]}, {"required": ["sql", "name"]}]
    components["Gate"]["anyOf"] = [{"required": ["max"]}, {"required": ["min"]}]
    components["Tokenizer"]["oneOf"] = [{"required": ["id"]}, {"required": ["path"]}]
    components["Expectation"]["anyOf"] = [{"required": ["max"]}, {"required": ["min"]}]
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    return {**head, **recipe, "title": TITLE, "$defs": dict(sorted(components.items()))}


def stage_schema() -> dict[str, Any]:
    """One entry of `stages`: a bare name, or one key with the stage's settings."""
    bare = [
        stage
        for stage, kind in SETTINGS.items()
        if not any(field.required for field in msgspec.structs.fields(kind))
    ]
    with_settings = [
        {
            "type": "object",
            "properties": {stage: {"$ref": f"#/$defs/{kind.__name__}"}},
            "required": [stage],
            "additionalProperties": False,
        }
        for stage, kind in SETTINGS.items()
    ]
    return {"anyOf": [{"enum": bare}, *with_settings]}


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
