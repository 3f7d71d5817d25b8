"""Nulls that Arrow wrote go; nulls that a schema asks for stay."""

import copy
import json

import pytest

from curation.calls.checks import CallCheck
from curation.calls.invented_nulls import allows_null, without_nulls
from curation.calls.result_pairs import RowCall
from curation.calls.tool_schemas import compile_tools
from curation.row import frame, message, read_notes
from curation.stages.tools import tools

SCHEMA = {
    "type": "object",
    "properties": {
        "city": {"type": "string"},
        "unit": {"type": ["string", "null"]},
        "mode": {"enum": ["a", None]},
        "level": {"type": "integer", "nullable": True},
        "any": {},
        "choice": {"anyOf": [{"type": "string"}, {"type": "null"}]},
        "place": {"type": "object", "properties": {"x": {"type": "number"}}},
        "points": {"type": "array", "items": {"type": "object", "properties": {"x": {"type": "number"}}}},
        "free": {"type": "object"},
        "must": {"type": "string"},
    },
    "required": ["must"],
}


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ('{"city": null, "must": "1.50"}', '{"must": "1.50"}'),
        ('{"command": null, "must": "x"}', '{"must": "x"}'),
        ('{"place": {"x": 1.50, "y": null}, "must": "x"}', '{"place": {"x": 1.50}, "must": "x"}'),
        ('{"points": [{"x": null}, {"x": 2}], "must": "x"}', '{"points": [{}, {"x": 2}], "must": "x"}'),
    ],
)
def test_what_a_schema_has_no_room_for_goes_and_the_rest_keeps_its_spelling(arguments, expected):
    assert without_nulls(arguments, SCHEMA) == expected


@pytest.mark.parametrize(
    "arguments",
    [
        '{"must": null}',
        '{"unit": null, "mode": null, "level": null, "any": null, "choice": null, "must": "x"}',
        '{"free": {"colour": null}, "must": "x"}',
        '{"must": "null"}',
        '{"points": [null], "must": "x"}',
    ],
)
def test_what_it_asks_for_stays(arguments):
    assert without_nulls(arguments, SCHEMA) is None


@pytest.mark.parametrize("open_in", [{"additionalProperties": True}, {"allOf": [{}]}, {"properties": {}}])
def test_of_unnamed_keys_an_open_schema_says_nothing(open_in):
    assert without_nulls('{"command": null, "must": "x"}', {**SCHEMA, **open_in}) is None


def test_only_a_schema_that_says_otherwise_has_no_null():
    assert [allows_null(one) for one in (True, {}, {"type": "null"}, {"const": None}, {"$ref": "#/x"})] == [
        True
    ] * 5
    assert not any(map(allows_null, (False, {"type": "string"}, {"enum": ["a"]}, {"const": 1})))


def definition(parameters, **beside):
    return {"type": "function", "function": {"name": "f", "parameters": parameters, **beside}}


def repaired(*definitions):
    found = compile_tools(json.dumps(definitions), repair=True)
    assert found.problem is None
    return json.loads(found.repaired) if found.repaired else None, found.nulls


def test_null_keywords_and_schemas_go_from_a_definition():
    invented = {
        "type": "object",
        "properties": {
            "city": {"type": "string", "enum": None, "default": None, "items": None},
            "expression": None,
            "unit": {"type": ["string", "null"], "default": None, "enum": ["C", None], "description": None},
        },
        "required": ["city"],
        "additionalProperties": None,
    }
    clean, nulls = repaired(definition(invented, strict=None))
    assert clean == [
        definition(
            {
                "type": "object",
                "properties": {
                    "city": {"type": "string"},
                    "unit": {"type": ["string", "null"], "default": None, "enum": ["C", None]},
                },
                "required": ["city"],
            }
        )
    ]
    assert nulls == 7


@pytest.mark.parametrize(
    "parameters",
    [
        {"type": "object", "properties": {"a": {"type": "string", "default": None}}},
        {"type": "object", "properties": {"a": {"enum": [None, "x"]}, "b": {"const": None}}},
        None,
    ],
)
def test_a_definition_without_impossible_nulls_is_left_alone(parameters):
    given = definition(parameters, strict=None)
    before = copy.deepcopy(given)
    assert repaired(given) == (None, 0)
    assert given == before


def test_a_key_that_is_written_twice_is_not_made_one():
    offered = compile_tools(json.dumps([definition(SCHEMA)]), repair=True)
    call = RowCall(id="1", name="f", arguments='{"city": null, "city": "x", "must": "x"}')
    problem = CallCheck(offered, frozenset(["nulls"]), "drop").call(0, call)
    assert problem.reason == "arguments_invalid"
    assert "twice" in problem.detail["error"]


def test_a_row_is_mended_with_a_note_and_only_where_that_is_allowed():
    called = [{"id": "1", "name": "f", "arguments": '{"city": null, "must": "x"}'}]
    talk = [message("user", "q"), message("assistant", tool_calls=called)]
    plain = {name: one for name, one in SCHEMA["properties"].items() if name != "level"}
    rows = frame([talk], [json.dumps([definition({**SCHEMA, "properties": plain, "description": None})])])
    (kept,) = tools(rows, schema="any").kept.iter_rows(named=True)
    assert '"arguments":"{\\"must\\": \\"x\\"}"' in kept["messages"]
    assert "null" not in json.dumps(
        json.loads(kept["tools"])[0]["function"]["parameters"]["properties"]["city"]
    )
    assert [(note["repair"], note["count"]) for note in read_notes(kept["notes"])] == [("nulls", 2)]
    assert tools(rows, schema="any", repair=False).dropped["reason"].to_list() == ["schema_invalid"]
