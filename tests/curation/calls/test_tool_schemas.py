"""Tool definitions from strangers: compiled, never fetched for, never run away with."""

import json

import jsonschema
import pytest

from curation.calls.schema_cost import SchemaError
from curation.calls.tool_schemas import compile_schema, compile_tools, explain, read_tools, tools_file
from curation.errors import CurationError

OBJECT = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}


@pytest.mark.parametrize(
    "definition",
    [
        {"type": "function", "function": {"name": "f", "parameters": OBJECT}},
        {"name": "f", "description": "bare", "parameters": OBJECT},
        {"name": "f", "input_schema": OBJECT},
        {"type": "function", "name": "f", "parameters": OBJECT},
    ],
)
def test_the_shapes_of_a_definition(definition):
    tool = compile_tools(json.dumps([definition]), repair=False).tools["f"]
    assert tool.is_valid({"n": 1})
    assert not tool.is_valid({"n": "1"})


def test_equal_texts_are_compiled_once():
    text = json.dumps([{"name": "once", "parameters": OBJECT}])
    assert compile_tools(text, repair=True) is compile_tools(text, repair=True)


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "dictionary-ish"},
        {"properties": {"a": {"type": "string", "required": True}}},
        {"properties": {"a": {"pattern": "(["}}},
        {"properties": []},
        {"required": "a"},
        {"minLength": -1},
        {"enum": 3},
        {"items": {"type": "object", "additionalProperties": "no"}},
        {"$schema": "http://json-schema.org/draft-07/schema#", "exclusiveMinimum": True},
    ],
)
def test_invalid_schemas_are_refused_in_the_words_of_the_reference(schema):
    draft = jsonschema.validators.validator_for(schema, default=jsonschema.Draft202012Validator)
    with pytest.raises(jsonschema.SchemaError):
        draft.check_schema(schema)
    with pytest.raises(SchemaError, match=r"^f: \$"):
        compile_schema("f", schema)


def test_a_catastrophic_expression_gives_up():
    tool = compile_schema("f", {"properties": {"s": {"pattern": r"^(a|a?)+\1$"}}})
    assert not tool.is_valid({"s": "a" * 60 + "b"})


def test_errors_say_where_and_what():
    tool = compile_schema("f", OBJECT)
    assert explain(tool, {"n": "1"}, '{"n":"1"}') == {"path": "$.n", "error": "'1' is not of type 'integer'"}
    listed = compile_schema("f", {"properties": {"a b": {"items": {"type": "string", "pattern": "x"}}}})
    assert explain(listed, {"a b": ["x", 1]}, "…")["path"] == "$['a b'][1]"


def test_a_recipes_tools_are_a_built_in_name_or_a_file(tmp_path):
    assert set(compile_tools(read_tools(tools_file("aj_tools", tmp_path)), repair=False).tools) == {
        "bash",
        "remote_bash",
        "remote_bash_all",
        "list_agents",
        "think",
        "complete",
    }
    (tmp_path / "mine.json").write_text(json.dumps([{"name": "mine"}]))
    assert "mine" in read_tools(tools_file("mine.json", tmp_path))
    with pytest.raises(CurationError, match="neither a built-in name"):
        tools_file("yours.json", tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[", "not JSON"),
        ("{}", "not a JSON array"),
        ('[{"parameters": {}}]', r"\$\[0\]: a tool is an object with a name"),
        ('[{"name": "a"}, {"name": "b", "parameters": {"type": "dict"}}]', r"\$\[1\]: b: \$.type: 'dict'"),
    ],
)
def test_a_broken_tools_file_is_one_line(tmp_path, text, message):
    path = tmp_path / "tools.json"
    path.write_text(text)
    with pytest.raises(CurationError, match=message) as caught:
        read_tools(path)
    assert "\n" not in str(caught.value)


def test_a_schema_is_a_built_in_name_or_a_file_in_any_folder_of_the_data_root(tmp_path):
    (tmp_path / "tools").mkdir()
    for name in ("tools/flights.json", "recipe.schema"):
        (tmp_path / name).write_text("[]")
        assert tools_file(name, tmp_path) == tmp_path / name
    assert tools_file("aj_tools", tmp_path).is_file()
    with pytest.raises(CurationError, match="neither a built-in name"):
        tools_file("tools/trains.json", tmp_path)
