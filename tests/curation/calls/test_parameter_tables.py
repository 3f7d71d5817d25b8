"""Tables of parameters, as xLAM writes them, read as the schemas that they mean."""

import json

import pytest

from curation.calls.parameter_tables import table_schema, type_schema
from curation.calls.tool_schemas import compile_tools
from curation.row import MESSAGE_KEYS, frame, read_notes
from curation.stages.tools import tools

INT, TEXT = {"type": "integer"}, {"type": "string"}
TABLE = {
    "numbers": {"type": "List[int]", "description": "What to add."},
    "round_to": {"type": "int, optional", "description": "Digits.", "default": 2},
    "type": {"type": "str", "description": "Of sum.", "default": "plain"},
}


@pytest.mark.parametrize(
    ("text", "schema"),
    [
        ("int", INT),
        ("str", TEXT),
        ("float", {"type": "number"}),
        ("bool", {"type": "boolean"}),
        ("string", TEXT),
        ("set", {"type": "array"}),
        ("Any", {}),
        ("List[int]", {"type": "array", "items": INT}),
        ("list[List[float]]", {"type": "array", "items": {"type": "array", "items": {"type": "number"}}}),
        ("List[Any]", {"type": "array"}),
        ("Tuple[float, float]", {"type": "array"}),
        ("Dict[str, int]", {"type": "object", "additionalProperties": INT}),
        ("Dict[int, str]", {"type": "object"}),
        ("Dict[str, Any]", {"type": "object"}),
        ("Optional[str]", {"type": ["string", "null"]}),
        ("Union[int, str]", {"type": ["integer", "string"]}),
        ("int | None", {"type": ["integer", "null"]}),
        ("Union[List[int], str]", {"anyOf": [{"type": "array", "items": INT}, TEXT]}),
        ("Union[int, Any]", {}),
    ],
)
def test_a_type_in_pythons_words_is_a_schema(text, schema):
    assert type_schema(text) == schema


@pytest.mark.parametrize(
    "text",
    ["Callable[[float], float]", "np.ndarray", "email", "int or str", "List[", "List[x" * 99, "f()", "1"],
)
def test_what_is_no_known_type_is_none(text):
    assert type_schema(text) is None
    assert table_schema({"n": {"type": text}}) is None


def test_a_table_of_parameters_becomes_a_schema_that_says_which_are_required():
    assert table_schema(TABLE) == {
        "type": "object",
        "properties": {
            "numbers": {"type": "array", "items": INT, "description": "What to add."},
            "round_to": {"type": "integer", "description": "Digits.", "default": 2},
            "type": {"type": "string", "description": "Of sum.", "default": "plain"},
        },
        "required": ["numbers"],
    }


def test_a_parameter_that_is_none_by_default_takes_null():
    table = {"a": {"type": "str", "default": None}, "b": {"type": "Any", "default": None}}
    nullable = {"type": ["string", "null"], "default": None}
    assert table_schema(table) == {
        "type": "object",
        "properties": {"a": nullable, "b": {"default": None}},
    }


def test_names_of_json_schema_say_nothing_of_what_is_required():
    table = {"a": {"type": "string"}, "b": {"type": "integer", "required": True}}
    assert table_schema(table) == {"type": "object", "properties": {"a": TEXT, "b": INT}, "required": ["b"]}


@pytest.mark.parametrize(
    "parameters",
    [
        None,
        {},
        {"type": "object", "properties": {"a": {"type": "str"}}},
        {"properties": {"type": {"type": "str"}, "b": {"type": "int"}}},
        {"additionalProperties": {"type": "string"}},
        {"not": {"type": "string"}, "propertyNames": {"type": "string"}},
        {"a": {"type": "int"}, "description": "a schema?"},
        {"a": {"type": "int"}, "b": {"description": "of any kind"}},
    ],
)
def test_what_may_be_a_schema_is_left_alone(parameters):
    assert table_schema(parameters) is None


def called(arguments, parameters=TABLE, **settings):
    """The stage's split of one row with one call."""
    offered = [{"name": "add", "parameters": parameters}]
    call = {"id": "1", "name": "add", "arguments": json.dumps(arguments)}
    turns = [("user", "q", None), ("assistant", None, [call])]
    messages = [
        dict.fromkeys(MESSAGE_KEYS) | {"role": r, "content": c, "tool_calls": calls} for r, c, calls in turns
    ]
    return tools(frame([messages], [json.dumps(offered)]), schema="any", **settings)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"numbers": [1, 2]}, None),
        ({"numbers": [1], "round_to": 1, "type": "x"}, None),
        ({"numbers": "1, 2"}, "arguments_invalid"),
        ({"number": [1]}, "arguments_invalid"),
        ({"numbers": [1], "type": 3}, "arguments_invalid"),
    ],
)
def test_calls_are_checked_against_the_table(arguments, reason):
    kept, dropped = called(arguments)
    assert dropped["reason"].to_list() == ([reason] if reason else [])
    for row in kept.to_dicts():
        assert json.loads(row["tools"])[0]["parameters"] == table_schema(TABLE)
        assert read_notes(row["notes"]) == [{"stage": "tools", "repair": "types", "count": 3}]


def test_a_repaired_table_is_repaired_once():
    once = compile_tools(json.dumps([{"name": "add", "parameters": TABLE}]), repair=True)
    assert once.problem is None
    assert compile_tools(once.repaired, repair=True).repaired is None


def test_a_table_that_makes_no_schema_stays_as_it_was():
    parameters = {"n": {"type": "int", "minimum": "low"}}
    kept, _ = called({"n": "x"}, parameters)
    assert json.loads(kept["tools"][0])[0]["parameters"] == parameters
    assert len(called({"n": "x"}, TABLE, repair=False).dropped) == 1


def test_a_parameter_that_may_be_null_is_required_where_the_table_says_so():
    schema = table_schema({"a": {"type": "Optional[str]", "required": True}, "b": {"type": "Optional[str]"}})
    assert schema is not None
    assert schema["required"] == ["a"]
